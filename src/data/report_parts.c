/* The parts of the page that count: verdicts, sources, species, families. See report_int.h. */
#include <string.h>

#include "data/report_int.h"

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

/* ---- families, organs ---- */

void tp_report_groups(tp_report_page *p)
{
	const tp_tally *t = p->t;
	if (t->families.len)
		tp_report_bars(p, "families", "Photos by family", &t->families, 25, "families");
	else
		tp_put(&p->out, "<p>No family is known: the sources give none, and no list of names has been "
				"asked.</p>\n");
	if (t->families.len > 25)
		tp_putf(&p->out, "<p class=\"hint\">The 25 largest of %zu families are drawn.</p>\n",
			t->families.len);
	if (t->organs.len)
		tp_report_bars(p, "organs", "Photos by organ", &t->organs, 12, "organs");
	else
		tp_put(&p->out, "<p>The sources do not say which organ a photo shows.</p>\n");
	if (t->organs.len)
		tp_report_coverage(p, t->organs.none, "an organ");
}
