/* The parts of the page that are numbers: tables, and the charts drawn from them. See report_int.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/report_int.h"

/* ---- pieces ---- */

void tp_report_n(tp_report_page *p, uint64_t n)
{
	tp_putf(&p->out, "<data value=\"%llu\">", (unsigned long long)n);
	tp_put_count(&p->out, n);
	tp_put(&p->out, "</data>");
}

void tp_report_share(tp_report_page *p, double part, double whole)
{
	double share = whole > 0 ? 100 * part / whole : 0;
	tp_putf(&p->out, share > 0 && share < 0.1 ? "under 0.1&nbsp;%%" : "%.1f&nbsp;%%", share);
}

void tp_report_value(tp_report_page *p, double v)
{
	tp_putf(&p->out, fabs(v) >= 1000 && fabs(v) < 1e9 ? "%.0f" : "%.4g", v);
}

void tp_report_n_of(tp_report_page *p, uint64_t n, const char *one, const char *many)
{
	tp_report_n(p, n);
	tp_putf(&p->out, " %s", n == 1 ? one : many);
}

void tp_report_cell(tp_report_page *p, uint64_t n)
{
	tp_put(&p->out, "<td>");
	tp_report_n(p, n);
	tp_put(&p->out, "</td>");
}

void tp_report_share_cell(tp_report_page *p, double part, double whole)
{
	tp_put(&p->out, "<td>");
	tp_report_share(p, part, whole);
	tp_put(&p->out, "</td>");
}

void tp_report_table(tp_report_page *p, const char *label, const tp_column *columns)
{
	tp_putf(&p->out, "<div class=\"wide\"><table aria-label=\"%s\"><thead><tr>", label);
	for (const tp_column *c = columns; c->name; c++) {
		tp_put(&p->out, "<th scope=\"col\"");
		if (c->series)
			tp_putf(&p->out, " data-series=\"%s\"", c->series);
		if (c->text)
			tp_put(&p->out, " class=\"text\"");
		tp_putf(&p->out, ">%s</th>", c->name);
	}
	tp_put(&p->out, "</tr></thead><tbody>\n");
}

void tp_report_end_table(tp_report_page *p)
{
	tp_put(&p->out, "</tbody></table></div>\n");
}

void tp_report_figure(tp_report_page *p, const char *kind, const char *id, const char *title,
	const char *extra, const tp_column *columns)
{
	tp_putf(&p->out,
		"<figure class=\"chart\" id=\"%s\" "
		"data-kind=\"%s\"%s>\n<figcaption><h3>%s</h3></figcaption>\n",
		id, kind, extra, title);
	tp_put(&p->out, "<div class=\"plot\"></div>\n<details><summary>Numbers</summary>\n");
	tp_report_table(p, title, columns);
}

void tp_report_end_figure(tp_report_page *p)
{
	tp_report_end_table(p);
	tp_put(&p->out, "</details></figure>\n");
}

static const tp_column kept_and_not[] = { { "", NULL }, { "Kept", "kept" }, { "Left out", "out" },
	{ NULL, NULL } };

/* attributes: ours. */
static void put_row(tp_report_page *p, const char *attributes, const char *label, const uint64_t n[2])
{
	tp_putf(&p->out, "<tr%s><th scope=\"row\">", attributes);
	tp_put_text_n(&p->out, label, 100);
	tp_put(&p->out, "</th>");
	tp_report_cell(p, n[TP_KEPT]);
	tp_report_cell(p, n[TP_LEFT_OUT]);
	tp_put(&p->out, "</tr>\n");
}

static bool is_none(const uint64_t n[2])
{
	return !n[0] && !n[1];
}

/* A row that the chart leaves out. */
static void put_rest(tp_report_page *p, const char *label, const uint64_t n[2])
{
	if (!is_none(n))
		put_row(p, " data-apart", label, n);
}

/* ---- verdicts ---- */

static const char *why(const tp_verdict *v)
{
	if (v->known)
		return v->known->why;
	return strcmp(v->rule, TP_RULE_TWO_NAMES)
		       ? "not a rule of this program"
		       : "sources give the photo different names: nobody knows which is right";
}

static void put_verdict(tp_report_page *p, const tp_verdict *v)
{
	tp_putf(&p->out, "<tr%s><th scope=\"row\">", *v->rule && v->photos ? "" : " data-apart");
	tp_put_text_n(&p->out, *v->rule ? v->rule : "kept", 100);
	tp_put(&p->out, "</th>");
	tp_report_cell(p, v->photos);
	tp_report_share_cell(p, (double)v->photos, (double)p->t->photos);
	if (*v->rule)
		tp_report_cell(p, v->found);
	else
		tp_put(&p->out, "<td></td>");
	tp_putf(&p->out, "<td class=\"text\">%s", *v->rule ? why(v) : "no rule applies");
	if (v->known && v->known->max > v->known->min)
		tp_putf(&p->out, " (border by default: %g %s)", (double)v->known->threshold, v->known->unit);
	tp_put(&p->out, "</td></tr>\n");
}

/* Three ways to count all photos must give one number. */
static void put_sums(tp_report_page *p)
{
	const tp_tally *t = p->t;
	uint64_t by_verdict = t->other_verdicts, by_source = 0, by_species = 0;
	for (size_t i = 0; i < t->n_verdicts; i++)
		by_verdict += t->verdict[i].photos;
	for (size_t i = 0; i < t->n_sources; i++)
		by_source += t->source[i].n[0] + t->source[i].n[1];
	for (size_t i = 0; i < t->n_taxa; i++)
		by_species += (uint64_t)t->species[i].n[0] + t->species[i].n[1];
	bool agree = by_verdict == t->photos && by_source == t->photos && by_species == t->photos;
	tp_putf(&p->out, "<p id=\"sums\"%s>", agree ? "" : " class=\"notice\"");
	tp_put(&p->out, agree ? "The sums agree: by verdict, by source and by species, there are "
			      : "The sums do not agree, so the catalog is damaged: by verdict, by source and "
				"by species there are ");
	tp_report_n(p, by_verdict);
	if (!agree) {
		tp_put(&p->out, ", ");
		tp_report_n(p, by_source);
		tp_put(&p->out, " and ");
		tp_report_n(p, by_species);
	}
	tp_put(&p->out, by_verdict == 1 ? " photo.</p>\n" : " photos.</p>\n");
}

/* Rules of the table that hit nothing. */
static void put_idle(tp_report_page *p)
{
	int n = 0;
	for (int i = 0; i < TP_RULES; i++) {
		bool there = false;
		for (size_t k = 1; k < p->t->n_verdicts; k++)
			there |= p->t->verdict[k].known == &tp_rules[i];
		if (there)
			continue;
		tp_put(&p->out, n++ ? ", " : "<p class=\"hint\">Found nothing, or have not been asked: ");
		tp_put(&p->out, tp_rules[i].name);
	}
	tp_put(&p->out, n ? ".</p>\n" : "");
}

void tp_report_verdicts(tp_report_page *p)
{
	static const tp_column columns[] = { { "Verdict", NULL }, { "Photos", "n" }, { "Share", NULL },
		{ "Hit by the rule", NULL }, { "Why", NULL, true }, { NULL, NULL } };
	tp_put(&p->out, "<p>A photo may be hit by several rules, and is counted as left out for the first of "
			"them only.</p>\n");
	tp_put(&p->out, "<figure class=\"chart\" id=\"by-verdict\" "
			"data-kind=\"bars\">\n<figcaption><h3>Photos left out, by "
			"reason</h3></figcaption>\n<div class=\"plot\"></div>\n");
	tp_report_table(p, "Photos by verdict", columns);
	for (size_t i = 0; i < p->t->n_verdicts; i++)
		put_verdict(p, &p->t->verdict[i]);
	if (p->t->other_verdicts) {
		tp_put(&p->out, "<tr data-apart><th scope=\"row\">further reasons</th>");
		tp_report_cell(p, p->t->other_verdicts);
		tp_put(&p->out, "<td></td><td></td><td></td></tr>\n");
	}
	tp_report_end_table(p);
	tp_put(&p->out, "</figure>\n");
	put_sums(p);
	put_idle(p);
}

/* ---- sources ---- */

enum { SOURCES = 100 };

static void put_source(tp_report_page *p, const tp_source_count *s)
{
	tp_putf(&p->out, "<tr><th scope=\"row\">%lld</th><td class=\"text\"><code>", (long long)s->id);
	tp_put_text_n(&p->out, s->kind, 40);
	tp_put(&p->out, "</code> <bdi>");
	tp_put_text_n(&p->out, s->root, 200);
	tp_put(&p->out, "</bdi>");
	const char *more[] = { s->options, s->citation, s->licence };
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		if (*more[i]) {
			tp_put(&p->out, "<br><bdi class=\"hint\">");
			tp_put_text_n(&p->out, more[i], 300);
			tp_put(&p->out, "</bdi>");
		}
	if (!s->finished)
		tp_put(&p->out, "<br>interrupted");
	tp_put(&p->out, "</td>");
	tp_report_cell(p, s->n[TP_KEPT]);
	tp_report_cell(p, s->n[TP_LEFT_OUT]);
	tp_report_cell(p, (uint64_t)s->refused);
	tp_report_cell(p, (uint64_t)s->seen);
	tp_put(&p->out, "</tr>\n");
}

void tp_report_sources(tp_report_page *p)
{
	static const tp_column columns[] = { { "Source", NULL }, { "What", NULL, true },
		{ "Photos kept", NULL }, { "left out", NULL }, { "Rows refused", NULL },
		{ "Rows seen", NULL }, { NULL, NULL } };
	size_t n = p->t->n_sources;
	tp_report_table(p, "Sources", columns);
	for (size_t i = 0; i < n && i < SOURCES; i++)
		put_source(p, &p->t->source[i]);
	tp_report_end_table(p);
	if (n > SOURCES)
		tp_putf(&p->out,
			"<p class=\"hint\">%zu further sources are counted above, and not listed.</p>\n",
			n - SOURCES);
}

void tp_report_refused(tp_report_page *p)
{
	static const tp_column columns[] = { { "Reason", NULL }, { "Source", NULL }, { "Rows", NULL },
		{ "The first", NULL, true }, { NULL, NULL } };
	const tp_text_counts *r = &p->t->refused;
	uint64_t rest = r->more[TP_LEFT_OUT] + r->none[TP_LEFT_OUT];
	tp_put(&p->out, "<h3 id=\"refused\">Refused rows</h3>\n");
	if (!r->len && !rest) {
		tp_put(&p->out, "<p>No row was refused.</p>\n");
		return;
	}
	tp_report_table(p, "Refused rows by reason", columns);
	for (size_t i = 0; i < r->len; i++) {
		const tp_text_count *x = &r->v[i];
		if (i >= TP_REFUSED_SHOWN) {
			rest += x->n[TP_LEFT_OUT];
			continue;
		}
		tp_put(&p->out, "<tr><th scope=\"row\">");
		tp_put_text_n(&p->out, x->text, 200);
		tp_putf(&p->out, "</th><td>%lld</td>", (long long)x->group);
		tp_report_cell(p, x->n[TP_LEFT_OUT]);
		tp_put(&p->out, "<td class=\"text\"><bdi>");
		tp_put_text_n(&p->out, x->example ? x->example : "", 120);
		tp_put(&p->out, "</bdi></td></tr>\n");
	}
	if (rest) {
		tp_put(&p->out, "<tr><th scope=\"row\">other reasons</th><td></td>");
		tp_report_cell(p, rest);
		tp_put(&p->out, "<td></td></tr>\n");
	}
	tp_report_end_table(p);
	tp_put(&p->out,
		"<p class=\"hint\"><code>tepal data show CATALOG --refused</code> lists every row.</p>\n");
}

/* ---- species ---- */

void tp_report_tail(tp_report_page *p)
{
	static const tp_column columns[] = { { "Rank of the species", NULL }, { "Photos kept", "kept" },
		{ "Photos before cleaning", "all" }, { NULL, NULL } };
	const tp_tally *t = p->t;
	if (!t->n_ranked) {
		tp_put(&p->out, "<p>There are no species yet.</p>\n");
		return;
	}
	tp_report_figure(p, "rank", "rank", "Photos of the species, most frequent first", "", columns);
	for (size_t r = 1; r <= t->n_ranked;) {
		tp_putf(&p->out, "<tr data-x=\"%zu\"><th scope=\"row\">%zu</th>", r, r);
		tp_report_cell(p, r <= t->n_kept_species ? t->kept_ascending[t->n_kept_species - r] : 0);
		tp_report_cell(p, t->all_ascending[t->n_ranked - r]);
		tp_put(&p->out, "</tr>\n");
		size_t next =
			(size_t)ceil((double)r * 1.06); /* as dense everywhere as a logarithmic axis shows */
		next = next > r ? next : r + 1;
		r = r < t->n_ranked && next > t->n_ranked ? t->n_ranked : next;
	}
	tp_report_end_figure(p);
	tp_put(&p->out, "<p class=\"hint\">Both axes are logarithmic: a step is ten times as many. The "
			"steeper the line falls, the more "
			"unequal the species are. Each line has the species in its own order.</p>\n");
}

static void put_class(tp_report_page *p, uint32_t least, uint32_t below)
{
	const tp_tally *t = p->t;
	uint64_t species = 0, photos = 0;
	for (size_t i = 0; i < t->n_kept_species; i++) {
		uint32_t n = t->kept_ascending[i];
		if (n >= least && n < below) {
			species++;
			photos += n;
		}
	}
	if (below == UINT32_MAX)
		tp_putf(&p->out, "<tr><th scope=\"row\">%u and more</th>", (unsigned)least);
	else
		tp_putf(&p->out, "<tr><th scope=\"row\">%u to %u</th>", (unsigned)least, (unsigned)below - 1);
	tp_report_cell(p, species);
	tp_report_share_cell(p, (double)species, (double)t->n_kept_species);
	tp_report_cell(p, photos);
	tp_report_share_cell(p, (double)photos, (double)t->kept);
	tp_put(&p->out, "</tr>\n");
}

void tp_report_imbalance(tp_report_page *p)
{
	static const tp_column columns[] = { { "Photos of the species", NULL }, { "Species", NULL },
		{ "of all species", NULL }, { "Photos", NULL }, { "of all photos", NULL }, { NULL, NULL } };
	static const uint32_t least[] = { 1000, 300, 100, 30, 10, 3, 1 };
	const uint32_t *v = p->t->kept_ascending;
	size_t n = p->t->n_kept_species, few = 0, lost = p->t->n_ranked - n;
	while (few < n && v[few] < 10)
		few++;
	tp_put(&p->out, "<h3 id=\"imbalance\">How unequal the species are</h3>\n<dl class=\"cards "
			"small\">\n<div><dt>Gini coefficient</dt>");
	tp_putf(&p->out,
		"<dd><data value=\"%.6f\">%.2f</data></dd><dd class=\"hint\">0: all species have as many "
		"photos; near 1: few "
		"species have nearly all</dd></div>\n",
		tp_gini(v, n), tp_gini(v, n));
	tp_put(&p->out, "<div><dt>Fewer than 10 photos</dt><dd>");
	tp_report_share(p, (double)few, (double)n);
	tp_put(&p->out, "</dd><dd class=\"hint\">of the species: ");
	tp_report_n(p, few);
	tp_put(&p->out, "</dd></div>\n<div><dt>The largest tenth</dt><dd>");
	tp_report_share(p, tp_share_of_largest(v, n, 0.1), 1);
	tp_put(&p->out, "</dd><dd class=\"hint\">of the photos are of a tenth of the "
			"species</dd></div>\n<div><dt>The smaller half</dt><dd>");
	tp_report_share(p, 1 - tp_share_of_largest(v, n, 0.5), n ? 1 : 0);
	tp_put(&p->out, "</dd><dd class=\"hint\">of the photos are of the other half of the "
			"species</dd></div>\n</dl>\n");
	tp_report_table(p, "Head and tail", columns);
	for (size_t i = 0; i < sizeof least / sizeof *least; i++)
		put_class(p, least[i], i ? least[i - 1] : UINT32_MAX);
	tp_report_end_table(p);
	if (lost) {
		tp_put(&p->out, "<p>");
		tp_report_n_of(p, lost, "species has", "species have");
		tp_put(&p->out, " no photo left: all were left out.</p>\n");
	}
	tp_put(&p->out, "<p class=\"hint\">All of this is of the photos that are kept.</p>\n");
}

static void put_species(tp_report_page *p, size_t rank, const tp_species_name *s)
{
	const tp_species_count *n = &p->t->species[s->id];
	tp_putf(&p->out, "<tr><td>%zu</td><th scope=\"row\"><i>", rank);
	tp_put_text_n(&p->out, s->name ? s->name : "?", 120);
	tp_put(&p->out, "</i> <bdi class=\"hint\">");
	tp_put_text_n(&p->out, s->authorship ? s->authorship : "", 80);
	tp_put(&p->out, "</bdi></th><td class=\"text\">");
	tp_put_text_n(&p->out, s->family ? s->family : "", 60);
	tp_put(&p->out, "</td>");
	tp_report_cell(p, n->n[TP_KEPT]);
	tp_report_cell(p, n->n[TP_LEFT_OUT]);
	for (int k = 0; k < TP_SPLITS; k++)
		tp_report_cell(p, n->split[k]);
	tp_put(&p->out, "</tr>\n");
}

void tp_report_species(tp_report_page *p)
{
	static const tp_column columns[] = { { "Rank", NULL }, { "Species", NULL }, { "Family", NULL, true },
		{ "Kept", NULL }, { "Left out", NULL }, { "Training", NULL }, { "Validation", NULL },
		{ "Test", NULL }, { NULL, NULL } };
	const tp_tally *t = p->t;
	size_t first = (t->n_named + 1) / 2;
	bool whole = t->n_named == t->n_ranked;
	if (!t->n_named)
		return;
	if (whole)
		tp_put(&p->out, "<details id=\"species\"><summary>All species</summary>\n");
	else
		tp_putf(&p->out,
			"<details id=\"species\"><summary>The %zu species with most photos, and the %zu with "
			"fewest</summary>\n",
			first, t->n_named - first);
	tp_report_table(p, "Species", columns);
	for (size_t i = 0; i < t->n_named; i++)
		put_species(p, i < first ? i + 1 : t->n_ranked - t->n_named + i + 1, &t->named[i]);
	tp_report_end_table(p);
	tp_put(&p->out, "</details>\n");
}

/* ---- bars by text ---- */

/* most: rows that are drawn. what: "families", for the rest. */
static void put_bars(tp_report_page *p, const char *id, const char *title, const tp_text_counts *x,
	size_t most, const char *what)
{
	tp_pair_count rest = { x->more[0], x->more[1] };
	char label[80];
	tp_report_figure(p, "bars", id, title, "", kept_and_not);
	for (size_t i = 0; i < x->len; i++) {
		if (i < most)
			put_row(p, "", x->v[i].text, x->v[i].n);
		for (int side = 0; side < 2 && i >= most; side++)
			rest[side] += x->v[i].n[side];
	}
	snprintf(label, sizeof label, "other %s", what);
	put_rest(p, label, rest);
	put_rest(p, "not told", x->none);
	tp_report_end_figure(p);
}

static void put_coverage(tp_report_page *p, const uint64_t none[2], const char *what)
{
	tp_put(&p->out, "<p class=\"hint\">");
	tp_report_share(p, (double)(p->t->photos - none[0] - none[1]), (double)p->t->photos);
	tp_putf(&p->out, " of the photos have %s.</p>\n", what);
}

void tp_report_groups(tp_report_page *p)
{
	const tp_tally *t = p->t;
	if (t->families.len)
		put_bars(p, "families", "Photos by family", &t->families, 25, "families");
	else
		tp_put(&p->out, "<p>No family is known: the sources give none, and no list of names has been "
				"asked.</p>\n");
	if (t->families.len > 25)
		tp_putf(&p->out, "<p class=\"hint\">The 25 largest of %zu families are drawn.</p>\n",
			t->families.len);
	if (t->organs.len)
		put_bars(p, "organs", "Photos by organ", &t->organs, 12, "organs");
	else
		tp_put(&p->out, "<p>The sources do not say which organ a photo shows.</p>\n");
	if (t->organs.len)
		put_coverage(p, t->organs.none, "an organ");
}

/* ---- time and place ---- */

static void put_years(tp_report_page *p)
{
	const tp_tally *t = p->t;
	int first = TP_YEARS, last = -1;
	char attributes[64], label[16];
	for (int i = 0; i < TP_YEARS; i++)
		if (!is_none(t->year[i])) {
			first = i < first ? i : first;
			last = i;
		}
	tp_report_figure(p, "hist", "years", "Photos by year", " data-years", kept_and_not);
	for (int i = first; i <= last; i++) {
		int year = TP_FIRST_YEAR + i;
		snprintf(attributes, sizeof attributes, " data-x1=\"%d\" data-x2=\"%d\"", year, year + 1);
		snprintf(label, sizeof label, "%d", year);
		put_row(p, attributes, label, t->year[i]);
	}
	put_rest(p, "no year", t->no_year);
	tp_report_end_figure(p);
}

static void put_months(tp_report_page *p)
{
	static const char *const name[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };
	tp_report_figure(p, "columns", "months", "Photos by month", "", kept_and_not);
	for (int i = 0; i < 12; i++)
		put_row(p, "", name[i], p->t->month[i]);
	put_rest(p, "no month", p->t->no_month);
	tp_report_end_figure(p);
}

void tp_report_time(tp_report_page *p)
{
	const tp_tally *t = p->t;
	if (t->no_year[0] + t->no_year[1] == t->photos) {
		tp_put(&p->out, "<p>No photo has a date.</p>\n");
		return;
	}
	tp_put(&p->out, "<div class=\"charts\">\n");
	put_years(p);
	if (t->no_month[0] + t->no_month[1] < t->photos)
		put_months(p);
	tp_put(&p->out, "</div>\n");
	put_coverage(p, t->no_year, "a year");
}

static void cell_name(char out[64], int at)
{
	int north = 90 - at / TP_CELLS_ACROSS * TP_CELL_DEGREES, south = north - TP_CELL_DEGREES;
	int west = at % TP_CELLS_ACROSS * TP_CELL_DEGREES - 180, east = west + TP_CELL_DEGREES;
	int n = south >= 0 ? snprintf(out, 64, "%d–%d° N, ", south, north)
			   : snprintf(out, 64, "%d–%d° S, ", -north, -south);
	if (west >= 0)
		snprintf(out + n, 64 - (size_t)n, "%d–%d° E", west, east);
	else
		snprintf(out + n, 64 - (size_t)n, "%d–%d° W", -east, -west);
}

void tp_report_place(tp_report_page *p)
{
	enum { ROWS = 25, CELLS = TP_CELLS_DOWN * TP_CELLS_ACROSS };
	const tp_tally *t = p->t;
	tp_best_item room[ROWS];
	tp_best best = { .v = room, .k = ROWS };
	tp_pair_count rest = { 0 };
	uint64_t cells = 0;
	char label[64];
	if (t->no_place[0] + t->no_place[1] == t->photos) {
		tp_put(&p->out, "<p>No photo has a place.</p>\n");
		return;
	}
	for (int i = 0; i < CELLS; i++) {
		double n = (double)t->cell[i][0] + t->cell[i][1];
		for (int side = 0; side < 2; side++)
			rest[side] += t->cell[i][side];
		cells += n > 0;
		if (n > 0)
			tp_best_add(&best, (tp_best_item){ .key = -n, .id = i });
	}
	tp_best_sort(&best);
	tp_report_figure(p, "map", "map", "Photos by place", "", kept_and_not);
	for (size_t i = 0; i < best.n; i++) {
		const uint32_t *n = t->cell[best.v[i].id];
		const tp_pair_count wide = { n[0], n[1] };
		cell_name(label, (int)best.v[i].id);
		put_row(p, "", label, wide);
		for (int side = 0; side < 2; side++)
			rest[side] -= n[side];
	}
	put_rest(p, "other cells", rest);
	put_rest(p, "no place", t->no_place);
	tp_report_end_figure(p);
	tp_put(&p->out, "<p class=\"hint\">Photos lie in ");
	tp_report_n_of(p, cells, "cell", "cells");
	tp_put(&p->out, ". ");
	tp_report_share(p, (double)(t->photos - t->no_place[0] - t->no_place[1]), (double)t->photos);
	tp_put(&p->out, " of the photos have a place.</p>\n");
}

void tp_report_cells(tp_report_page *p)
{
	bool first = true;
	tp_put(&p->out, "[");
	for (int i = 0; i < TP_CELLS_DOWN * TP_CELLS_ACROSS; i++) {
		const uint32_t *n = p->t->cell[i];
		if (!n[0] && !n[1])
			continue;
		tp_putf(&p->out, "%s[%d,%d,%u,%u]", first ? "" : ",", i / TP_CELLS_ACROSS,
			i % TP_CELLS_ACROSS, (unsigned)n[0], (unsigned)n[1]);
		first = false;
	}
	tp_put(&p->out, "]");
}

/* ---- people ---- */

void tp_report_people(tp_report_page *p)
{
	const tp_tally *t = p->t;
	if (t->licences.len)
		put_bars(p, "licences", "Photos by licence", &t->licences, 12, "licences");
	else
		tp_put(&p->out, "<p>No photo has a licence of its own; see the sources.</p>\n");
	if (t->licences.len && !is_none(t->licences.none))
		put_coverage(p, t->licences.none, "a licence of their own");
	if (!t->authors.len) {
		tp_put(&p->out, "<p>No photo has an author.</p>\n");
		return;
	}
	put_bars(p, "authors", "Photos by author", &t->authors, 20, "authors");
	uint64_t top = 0, known = t->kept - t->authors.none[TP_KEPT];
	size_t n = t->authors.len < 10 ? t->authors.len : 10;
	for (size_t i = 0; i < n; i++)
		top += t->authors.v[i].n[TP_KEPT];
	tp_put(&p->out, "<p>");
	tp_report_n_of(p, t->n_authors, "author has", "authors have");
	tp_putf(&p->out, " photos that are kept; the %zu with most took ", n);
	tp_report_share(p, (double)top, (double)known);
	tp_put(&p->out, " of those whose author is known.</p>\n");
	put_coverage(p, t->authors.none, "an author");
}

/* ---- quality ---- */

static void put_lines(char *out, size_t size, const tp_quantity *q)
{
	int n = snprintf(out, size, "%s data-unit=\"%s\" data-lines=\"", q->log ? " data-log" : "", q->unit);
	for (int k = 0; k < 2; k++) {
		if (q->rule[k] < 0)
			continue;
		const tp_rule *r = &tp_rules[q->rule[k]];
		n += snprintf(out + n, size - (size_t)n, "%s%s:%.6g", k ? ";" : "", r->name,
			(double)r->threshold * q->scale);
	}
	snprintf(out + n, size - (size_t)n, "\"");
}

static void put_hist(tp_report_page *p, const tp_quantity *q, const tp_hist *h)
{
	char attributes[128], label[64];
	int first = TP_HIST_BINS, last = -1;
	put_lines(attributes, sizeof attributes, q);
	tp_report_figure(p, "hist", q->id, q->title, attributes, kept_and_not);
	for (int i = 0; i < TP_HIST_BINS; i++)
		if (!is_none(h->bin[i])) {
			first = i < first ? i : first;
			last = i;
		}
	snprintf(label, sizeof label, "below %d", h->log);
	put_rest(p, label, h->under);
	for (int i = first; i <= last; i++) {
		double a = tp_hist_edge(h, i), b = tp_hist_edge(h, i + 1);
		snprintf(attributes, sizeof attributes, " data-x1=\"%.9g\" data-x2=\"%.9g\"", a, b);
		snprintf(label, sizeof label, "%.4g to %.4g", a, b);
		put_row(p, attributes, label, h->bin[i]);
	}
	snprintf(label, sizeof label, "%g and more", h->limit);
	put_rest(p, label, h->over);
	put_rest(p, "not known", h->unknown);
	tp_report_end_figure(p);
}

static void put_borders(tp_report_page *p, const tp_quantity *q)
{
	for (int k = 0; k < 2; k++) {
		if (q->rule[k] < 0)
			continue;
		const tp_rule *r = &tp_rules[q->rule[k]];
		tp_putf(&p->out, " Border of rule <b>%s</b>%s: %.3g.", r->name,
			r->on ? "" : ", which is off by default", (double)r->threshold * q->scale);
	}
}

static void put_quantity(tp_report_page *p, const tp_quantity *q, const tp_hist *h)
{
	tp_put(&p->out, "<div>\n");
	put_hist(p, q, h);
	tp_putf(&p->out, "<p class=\"hint\">%s", q->meaning);
	if (isfinite(h->min) && isfinite(h->max)) {
		tp_put(&p->out, " From ");
		tp_report_value(p, h->min);
		tp_put(&p->out, " to ");
		tp_report_value(p, h->max);
		tp_putf(&p->out, "%s%s.", *q->unit ? " " : "", q->unit);
	}
	put_borders(p, q);
	if (!is_none(h->unknown)) {
		tp_put(&p->out, " Not known of ");
		tp_report_n_of(p, h->unknown[0] + h->unknown[1], "photo.", "photos.");
	}
	tp_put(&p->out, "</p>\n</div>\n");
}

void tp_report_quality(tp_report_page *p)
{
	int unknown = 0;
	tp_put(&p->out, "<div class=\"charts\">\n");
	for (int i = 0; i < TP_QUANTITIES; i++)
		if (p->t->hist[i].known)
			put_quantity(p, &tp_quantities[i], &p->t->hist[i]);
	tp_put(&p->out, "</div>\n");
	for (int i = 0; i < TP_QUANTITIES; i++) {
		if (p->t->hist[i].known)
			continue;
		tp_put(&p->out, unknown++ ? ", " : "<p id=\"unmeasured\">Not measured yet: ");
		tp_putf(&p->out, "%c%s", tp_quantities[i].title[0] | 32, tp_quantities[i].title + 1);
	}
	tp_put(&p->out, unknown ? ".</p>\n" : "");
}

/* ---- splits ---- */

static void put_torn(
	tp_report_page *p, uint64_t torn, uint64_t all, const char *one, const char *many, const char *none)
{
	if (!all) {
		tp_putf(&p->out, "<li>%s</li>\n", none);
		return;
	}
	tp_putf(&p->out, "<li%s>", torn ? " class=\"bad\"" : "");
	tp_report_n(p, torn);
	tp_put(&p->out, " of ");
	tp_report_n_of(p, all, one, many);
	tp_put(&p->out, torn ? ": test results will be too good.</li>\n" : ".</li>\n");
}

void tp_report_splits(tp_report_page *p)
{
	static const tp_column columns[] = { { "", NULL }, { "Photos", "n" }, { "Share", NULL },
		{ "Species", NULL }, { NULL, NULL } };
	static const char *const name[] = { "Training", "Validation", "Test" };
	const tp_tally *t = p->t;
	if (t->no_split == t->kept) {
		tp_put(&p->out, "<p>No photo that is kept has been given to a split yet.</p>\n");
		return;
	}
	tp_report_figure(p, "bars", "by-split", "Photos kept, by split", "", columns);
	for (int k = 0; k < TP_SPLITS; k++) {
		tp_putf(&p->out, "<tr><th scope=\"row\">%s</th>", name[k]);
		tp_report_cell(p, t->split[k]);
		tp_report_share_cell(p, (double)t->split[k], (double)t->kept);
		tp_report_cell(p, t->split_species[k]);
		tp_put(&p->out, "</tr>\n");
	}
	if (t->no_split) {
		tp_put(&p->out, "<tr><th scope=\"row\">None</th>");
		tp_report_cell(p, t->no_split);
		tp_report_share_cell(p, (double)t->no_split, (double)t->kept);
		tp_put(&p->out, "<td></td></tr>\n");
	}
	tp_report_end_figure(p);
	tp_put(&p->out, "<h3>In several splits</h3>\n<ul id=\"torn\">\n");
	put_torn(p, t->torn_observations, t->observations, "plant seen (observation)",
		"plants seen (observations)", "The sources do not say which photos show the same plant.");
	put_torn(p, t->torn_duplicates, t->duplicate_groups, "group of copies", "groups of copies",
		"No groups of copies are known.");
	tp_put(&p->out, "<li>");
	tp_report_n(p, t->torn_authors);
	tp_put(&p->out, " of ");
	tp_report_n_of(p, t->n_authors, "author", "authors");
	if (t->torn_authors)
		tp_put(&p->out, ", which is usual: it makes test results a little too good where an author "
				"has a style");
	tp_put(&p->out, ".</li>\n</ul>\n");
	if (t->untrained) {
		tp_put(&p->out, "<p class=\"notice\">");
		tp_report_n_of(p, t->untrained, "species has", "species have");
		tp_put(&p->out, " photos in validation or test and none in training. That is right only for "
				"a test with unseen species.</p>\n");
	}
}

/* ---- names ---- */

static void put_names(
	tp_report_page *p, const char *label, const char *nearest, const tp_name_shown *v, size_t n)
{
	const tp_column columns[] = { { "As given", NULL }, { nearest, NULL, true }, { "Photos", NULL },
		{ NULL, NULL } };
	tp_report_table(p, label, columns);
	for (size_t i = 0; i < n; i++) {
		tp_put(&p->out, "<tr><th scope=\"row\"><bdi>");
		tp_put_text_n(&p->out, v[i].text ? v[i].text : "", 150);
		tp_put(&p->out, "</bdi></th><td class=\"text\"><bdi>");
		tp_put_text_n(&p->out, v[i].nearest && *v[i].nearest ? v[i].nearest : "–", 150);
		tp_put(&p->out, "</bdi></td>");
		tp_report_cell(p, (uint64_t)v[i].photos);
		tp_put(&p->out, "</tr>\n");
	}
	tp_report_end_table(p);
}

static void put_names_told(tp_report_page *p)
{
	static const struct {
		tp_matched as;
		const char *one, *many;
	} kinds[] = { { TP_MATCHED_EXACT, "is accepted", "are accepted" },
		{ TP_MATCHED_SYNONYM, "is a synonym of an accepted one", "are synonyms of accepted ones" },
		{ TP_MATCHED_FUZZY, "was taken for one spelt nearly so",
			"were taken for ones spelt nearly so" },
		{ TP_MATCHED_NO, "is in no list", "are in no list" },
		{ TP_MATCHED_NOT, "has not been looked up", "have not been looked up" } };
	const tp_tally *t = p->t;
	tp_put(&p->out, "<p>Of ");
	tp_report_n_of(p, t->names, "name", "names");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		uint64_t n = t->names_as[kinds[i].as];
		if (!n)
			continue;
		tp_put(&p->out, ", ");
		tp_report_n_of(p, n, kinds[i].one, kinds[i].many);
	}
	tp_put(&p->out, ".</p>\n");
}

void tp_report_names(tp_report_page *p)
{
	const tp_tally *t = p->t;
	if (t->names_as[TP_MATCHED_NOT] == t->names) {
		tp_put(&p->out,
			"<p>No name has been looked up yet, so it is not known which are accepted.</p>\n");
		return;
	}
	put_names_told(p);
	if (t->n_unmatched) {
		tp_put(&p->out, "<h3 id=\"unmatched\">In no list</h3>\n");
		put_names(p, "Names in no list", "Nearest in the list", t->unmatched, t->n_unmatched);
	}
	if (t->n_fuzzy) {
		tp_put(&p->out, "<h3 id=\"fuzzy\">Spelt nearly so: please check</h3>\n");
		put_names(p, "Names spelt nearly as in the list", "Taken for", t->fuzzy, t->n_fuzzy);
	}
	if (t->names_as[TP_MATCHED_NO] > t->n_unmatched || t->names_as[TP_MATCHED_FUZZY] > t->n_fuzzy)
		tp_putf(&p->out,
			"<p class=\"hint\">Those with most photos, at most %d of each. <code>tepal data show "
			"CATALOG --names</code> "
			"lists all.</p>\n",
			TP_NAMES_SHOWN);
}
