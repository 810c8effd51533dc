/* The parts of the page that are pictures: contact sheets of each rule, and copies side by side. See report_int.h. */
#include <math.h>
#include <string.h>

#include "data/report_int.h"

static void put_placeholder(tp_report_page *p, const tp_thumb *x)
{
	static const char *const why[] = { [TP_THUMB_ELSEWHERE] = "not fetched yet",
		[TP_THUMB_MISSING] = "file not found",
		[TP_THUMB_DAMAGED] = "damaged file" };
	tp_putf(&p->out, "<span class=\"none\">%s</span>", x ? why[x->state] : "not in the catalog");
}

static void put_picture(tp_report_page *p, const tp_thumb *x)
{
	if (!x || x->state != TP_THUMB_OK) {
		put_placeholder(p, x);
		return;
	}
	tp_putf(&p->out, "<img width=\"%d\" height=\"%d\" alt=\"photo %lld, ", x->w, x->h, (long long)x->id);
	tp_put_text_n(&p->out, x->species ? x->species : "no species", 80);
	tp_put(&p->out, "\" src=\"data:image/jpeg;base64,");
	tp_put_base64(&p->out, x->jpeg, x->len);
	tp_put(&p->out, "\">");
}

static void put_caption(tp_report_page *p, const tp_thumb *x, int64_t id)
{
	if (x && x->species) {
		tp_put(&p->out, "<i>");
		tp_put_text_n(&p->out, x->species, 60);
		tp_put(&p->out, "</i>");
	}
	tp_putf(&p->out, " <span class=\"hint\">%lld <bdi>", (long long)id);
	tp_put_text_n(&p->out, x && x->label ? x->label : "", 40);
	tp_put(&p->out, "</bdi></span>");
}

static void put_found(tp_report_page *p, const tp_verdict *v, const tp_best_item *x)
{
	if (isnan(x->value))
		return;
	tp_put(&p->out, "<b>");
	tp_report_value(p, x->value);
	tp_putf(&p->out, "</b> <span class=\"hint\">%s</span><br>", v->known ? v->known->unit : "");
}

static void put_photo(tp_report_page *p, const tp_verdict *v, const tp_best_item *x)
{
	const tp_thumb *thumb = tp_thumb_of(p->thumbs, x->id);
	tp_put(&p->out, "<li>");
	put_picture(p, thumb);
	tp_put(&p->out, "<p>");
	put_found(p, v, x);
	put_caption(p, thumb, x->id);
	tp_put(&p->out, "</p></li>\n");
}

static void put_pair(tp_report_page *p, const tp_verdict *v, const tp_best_item *x)
{
	const int64_t id[] = { x->id, x->other };
	tp_put(&p->out, "<li><div>");
	for (int k = 0; k < 2; k++)
		put_picture(p, tp_thumb_of(p->thumbs, id[k]));
	tp_put(&p->out, "</div><p>");
	put_found(p, v, x);
	for (int k = 0; k < 2; k++) {
		put_caption(p, tp_thumb_of(p->thumbs, id[k]), id[k]);
		tp_put(&p->out, k ? "" : "<br>");
	}
	tp_put(&p->out, "</p></li>\n");
}

static void put_heading(tp_report_page *p, const tp_verdict *v, const char *anchor)
{
	tp_putf(&p->out, "<h3 id=\"%s-", anchor);
	for (const char *c = v->rule; v->known && *c;
		c++) /* names of the table are good ids; others are numbered */
		tp_putf(&p->out, "%c", *c);
	if (!v->known)
		tp_putf(&p->out, "%zu", (size_t)(v - p->t->verdict));
	tp_put(&p->out, "\">");
	tp_put_text_n(&p->out, *v->rule ? v->rule : "Kept, for comparison", 100);
	tp_put(&p->out, " <span class=\"hint\">");
	tp_report_n_of(p, v->photos, "photo", "photos");
	tp_put(&p->out, "</span></h3>\n");
}

static bool has_values(const tp_verdict *v)
{
	return v->known && v->known->max > v->known->min && v->shown.n && !isnan(v->shown.v[0].value);
}

static void put_how(tp_report_page *p, const tp_verdict *v)
{
	tp_put(&p->out, "<p class=\"hint\">");
	if (v->known)
		tp_putf(&p->out, "What it finds: %s. ", v->known->why);
	if (v->shown.n < v->photos)
		tp_putf(&p->out,
			has_values(v) ? "The %zu most extreme are shown." : "%zu drawn at random are shown.",
			v->shown.n);
	tp_put(&p->out, "</p>\n");
}

static void put_list(tp_report_page *p, const tp_verdict *v, bool pairs)
{
	tp_putf(&p->out, "<ul class=\"%s\">\n", pairs ? "pairs" : "sheet");
	for (size_t i = 0; i < v->shown.n; i++)
		if (pairs && v->shown.v[i].other > 0)
			put_pair(p, v, &v->shown.v[i]);
		else
			put_photo(p, v, &v->shown.v[i]);
	tp_put(&p->out, "</ul>\n");
}

void tp_report_sheets(tp_report_page *p)
{
	const tp_tally *t = p->t;
	uint64_t hidden = 0;
	for (size_t i = 1; i < t->n_verdicts; i++) {
		const tp_verdict *v = &t->verdict[i];
		if (!v->photos || v->pairs)
			continue;
		if (!v->shown.n) {
			hidden++;
			continue;
		}
		put_heading(p, v, "sheet");
		put_how(p, v);
		put_list(p, v, false);
	}
	if (t->photos == t->kept)
		tp_put(&p->out, "<p>No photo is left out.</p>\n");
	if (hidden && p->o->sheet)
		tp_putf(&p->out, "<p class=\"hint\">Photos of the %d most frequent verdicts are shown.</p>\n",
			TP_SHEETS);
	if (!p->o->sheet)
		tp_put(&p->out, "<p class=\"hint\">This page was asked for without photos.</p>\n");
	if (t->verdict[0].shown.n) {
		put_heading(p, &t->verdict[0], "kept");
		put_how(p, &t->verdict[0]);
		put_list(p, &t->verdict[0], false);
	}
}

/* How many findings there are of each distance. */
static void put_distances(tp_report_page *p, const tp_verdict *v)
{
	static const tp_column columns[] = { { "Bits that differ", NULL }, { "Pairs", NULL },
		{ NULL, NULL } };
	bool any = false;
	for (int i = 0; i <= TP_MOST_BITS; i++)
		any |= v->bits[i] > 0;
	if (!any || !v->known || strcmp(v->known->unit, "bits") != 0)
		return;
	tp_put(&p->out, "<details><summary>All pairs by distance</summary>\n");
	tp_report_table(p, "Pairs by distance", columns);
	for (int i = 0; i <= TP_MOST_BITS; i++)
		if (v->bits[i]) {
			tp_putf(&p->out, "<tr><th scope=\"row\">%d</th>", i);
			tp_report_cell(p, v->bits[i]);
			tp_put(&p->out, "</tr>\n");
		}
	tp_report_end_table(p);
	tp_put(&p->out, "</details>\n");
}

void tp_report_pairs(tp_report_page *p)
{
	const tp_tally *t = p->t;
	bool any = false;
	for (size_t i = 1; i < t->n_verdicts; i++) {
		const tp_verdict *v = &t->verdict[i];
		if (!v->photos || !v->pairs)
			continue;
		any = true;
		put_heading(p, v, "pairs");
		put_how(p, v);
		put_list(p, v, true);
		put_distances(p, v);
	}
	if (!any)
		tp_put(&p->out, t->hashed ? "<p>No copies were found.</p>\n"
					  : "<p>Nobody has looked for copies yet: <code>tepal data "
					    "clean</code> does.</p>\n");
}
