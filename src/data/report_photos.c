/* The parts of the page that say what the photos are like: time, place, people, quality, splits, names. See report_int.h. */
#include <math.h>
#include <stdio.h>

#include "data/report_int.h"

/* ---- time and place ---- */

static void put_years(tp_report_page *p)
{
	const tp_tally *t = p->t;
	int first = TP_YEARS, last = -1;
	char attributes[64], label[16];
	for (int i = 0; i < TP_YEARS; i++)
		if (!tp_report_is_none(t->year[i])) {
			first = i < first ? i : first;
			last = i;
		}
	tp_report_figure(p, "hist", "years", "Photos by year", " data-years", tp_report_kept_and_not);
	for (int i = first; i <= last; i++) {
		int year = TP_FIRST_YEAR + i;
		snprintf(attributes, sizeof attributes, " data-x1=\"%d\" data-x2=\"%d\"", year, year + 1);
		snprintf(label, sizeof label, "%d", year);
		tp_report_row(p, attributes, label, t->year[i]);
	}
	tp_report_rest(p, "no year", t->no_year);
	tp_report_end_figure(p);
}

static void put_months(tp_report_page *p)
{
	static const char *const name[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };
	tp_report_figure(p, "columns", "months", "Photos by month", "", tp_report_kept_and_not);
	for (int i = 0; i < 12; i++)
		tp_report_row(p, "", name[i], p->t->month[i]);
	tp_report_rest(p, "no month", p->t->no_month);
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
	tp_report_coverage(p, t->no_year, "a year");
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
	tp_report_figure(p, "map", "map", "Photos by place", "", tp_report_kept_and_not);
	for (size_t i = 0; i < best.n; i++) {
		const uint32_t *n = t->cell[best.v[i].id];
		const tp_pair_count wide = { n[0], n[1] };
		cell_name(label, (int)best.v[i].id);
		tp_report_row(p, "", label, wide);
		for (int side = 0; side < 2; side++)
			rest[side] -= n[side];
	}
	tp_report_rest(p, "other cells", rest);
	tp_report_rest(p, "no place", t->no_place);
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
		tp_report_bars(p, "licences", "Photos by licence", &t->licences, 12, "licences");
	else
		tp_put(&p->out, "<p>No photo has a licence of its own; see the sources.</p>\n");
	if (t->licences.len && !tp_report_is_none(t->licences.none))
		tp_report_coverage(p, t->licences.none, "a licence of their own");
	if (!t->authors.len) {
		tp_put(&p->out, "<p>No photo has an author.</p>\n");
		return;
	}
	tp_report_bars(p, "authors", "Photos by author", &t->authors, 20, "authors");
	uint64_t top = 0, known = t->kept - t->authors.none[TP_KEPT];
	size_t n = t->authors.len < 10 ? t->authors.len : 10;
	for (size_t i = 0; i < n; i++)
		top += t->authors.v[i].n[TP_KEPT];
	tp_put(&p->out, "<p>");
	tp_report_n_of(p, t->n_authors, "author has", "authors have");
	tp_putf(&p->out, " photos that are kept; the %zu with most took ", n);
	tp_report_share(p, (double)top, (double)known);
	tp_put(&p->out, " of those whose author is known.</p>\n");
	tp_report_coverage(p, t->authors.none, "an author");
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
	tp_report_figure(p, "hist", q->id, q->title, attributes, tp_report_kept_and_not);
	for (int i = 0; i < TP_HIST_BINS; i++)
		if (!tp_report_is_none(h->bin[i])) {
			first = i < first ? i : first;
			last = i;
		}
	snprintf(label, sizeof label, "below %d", h->log);
	tp_report_rest(p, label, h->under);
	for (int i = first; i <= last; i++) {
		double a = tp_hist_edge(h, i), b = tp_hist_edge(h, i + 1);
		snprintf(attributes, sizeof attributes, " data-x1=\"%.9g\" data-x2=\"%.9g\"", a, b);
		snprintf(label, sizeof label, "%.4g to %.4g", a, b);
		tp_report_row(p, attributes, label, h->bin[i]);
	}
	snprintf(label, sizeof label, "%g and more", h->limit);
	tp_report_rest(p, label, h->over);
	tp_report_rest(p, "not known", h->unknown);
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
	if (!tp_report_is_none(h->unknown)) {
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
	static const char *const name[] = { "Training", "Validation", "Test", "Held out" };
	const tp_tally *t = p->t;
	if (t->no_split == t->kept) {
		tp_put(&p->out, "<p>No photo that is kept has been given to a split yet.</p>\n");
		return;
	}
	tp_report_figure(p, "bars", "by-split", "Photos kept, by split", "", columns);
	for (int k = 0; k <= TP_SPLITS; k++) {
		if (k == TP_SPLITS && !t->split[k])
			break;
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
