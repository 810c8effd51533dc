/* The page of a run: see html_report.h. page.html has {{marks}}, each filled by a function of the table at the end; all
 * text that comes from files goes through tp_put_text() or put_json_text(). */
#include "train/html_report.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/page.h"
#include "train/curves.h"
#include "train/report_int.h"
#include "train/runlog.h"

/* What a tag is called, which chart it is in, whether it is a share, and which of its values is the best. */
typedef struct {
	const char *tag, *label, *chart;
	bool share;
	int better; /* 1 higher, -1 lower, 0 neither */
} known_tag;

static const known_tag known_tags[] = {
	{ TP_TAG_LOSS, "Training loss", "Loss", false, -1 },
	{ TP_TAG_VAL_LOSS, "Validation loss", "Loss", false, -1 },
	{ TP_TAG_VAL_TOP1, "Validation top-1", "Accuracy", true, 1 },
	{ TP_TAG_VAL_MACRO_TOP1, "Validation macro top-1", "Accuracy", true, 1 },
	{ TP_TAG_VAL_TOP5, "Validation top-5", "Accuracy", true, 1 },
	{ TP_TAG_LR, "Learning rate", "Learning rate", false, 0 },
	{ TP_TAG_GRAD_NORM, "Gradient norm", "Gradient norm", false, 0 },
	{ TP_TAG_IMAGES_PER_S, "Images per second", "Images per second", false, 0 },
	{ TP_TAG_WAIT, "Time waiting for data", "Time waiting for data", true, 0 },
};
enum { KNOWN = sizeof known_tags / sizeof *known_tags };

typedef struct {
	tp_page out;
	const char *metrics_path;
	tp_curves curves;
	const json_t *record; /* NULL: none */
} page;

/* Text from data, as a string inside the page's JSON: no "<" that could end the script. */
static void put_json_text(page *p, const char *s)
{
	char *text = NULL;
	json_t *j = json_string(s);
	if (!p->out.rc)
		p->out.rc = j ? tp_json_dump(&text, j, p->out.err) : tp_nomem(p->out.err, 0);
	for (const char *c = text; c && *c && !p->out.rc; c++)
		if (*c == '<')
			tp_put(&p->out, "\\u003c");
		else
			p->out.rc = tp_buf_add(&p->out.b, c, 1, p->out.err);
	json_decref(j);
	tp_free(text);
}

/* Short for people, whole for programs. */
static void put_value(page *p, double v, bool share)
{
	tp_put(&p->out, "<data value=\"");
	tp_put_number(&p->out, v);
	tp_putf(&p->out,
		share                              ? "\">%.2f&nbsp;%%</data>"
		: fabs(v) >= 1000 && fabs(v) < 1e9 ? "\">%.0f</data>"
						   : "\">%.4g</data>",
		share ? 100 * v : v);
}

static void put_duration(page *p, double seconds)
{
	int64_t s = seconds > 0 && seconds < 1e12 ? (int64_t)(seconds + 0.5) : 0;
	if (s < 60)
		tp_putf(&p->out, "%d&nbsp;s", (int)s);
	else if (s < 3600)
		tp_putf(&p->out, "%d&nbsp;min %d&nbsp;s", (int)(s / 60), (int)(s % 60));
	else
		tp_putf(&p->out, "%lld&nbsp;h %d&nbsp;min", (long long)(s / 3600), (int)(s / 60 % 60));
}

static const known_tag *known_of(const char *tag)
{
	for (int i = 0; i < KNOWN; i++)
		if (!strcmp(known_tags[i].tag, tag))
			return &known_tags[i];
	return NULL;
}

static bool has_finite(const tp_curve *c)
{
	return c && c->n > c->not_finite;
}

/* ---- parts of the page ---------------------------------------------------------------------------------- */

/* The name of the folder the log is in. */
static void put_title(page *p)
{
	char *whole = realpath(p->metrics_path, NULL), *slash = whole ? strrchr(whole, '/') : NULL;
	if (slash)
		*slash = 0;
	const char *name = slash && strrchr(whole, '/') ? strrchr(whole, '/') + 1 : "";
	json_t *utf8 = json_string(name);
	if (*name && utf8)
		tp_put_text(&p->out, name);
	else
		tp_put(&p->out, "A run");
	json_decref(utf8);
	free(whole);
}

static void put_card(page *p, const char *name)
{
	tp_putf(&p->out, "<div><dt>%s</dt><dd>", name);
}

static void put_cards(page *p)
{
	static const struct {
		const char *tag, *name;
	} best[] = { { TP_TAG_VAL_MACRO_TOP1, "Best macro top-1" }, { TP_TAG_VAL_TOP1, "Best top-1" },
		{ TP_TAG_VAL_LOSS, "Lowest validation loss" } };
	const tp_curves *all = &p->curves;
	for (size_t i = 0; i < sizeof best / sizeof *best; i++) {
		const tp_curve *c = tp_curve_find(all, best[i].tag);
		const known_tag *k = known_of(best[i].tag);
		if (!has_finite(c))
			continue;
		tp_curve_point at = k->better > 0 ? c->high : c->low;
		put_card(p, best[i].name);
		put_value(p, at.value, k->share);
		tp_put(&p->out, "</dd><dd class=\"hint\">step ");
		tp_put_count(&p->out, (uint64_t)at.step);
		tp_put(&p->out, "</dd></div>\n");
	}
	put_card(p, "Steps");
	tp_put_count(&p->out, all->step);
	tp_putf(&p->out, "</dd><dd class=\"hint\">%.4g epochs</dd></div>\n", all->epoch);
	put_card(p, "Time");
	put_duration(p, all->last_time - all->first_time);
	tp_put(&p->out, "</dd><dd class=\"hint\">first to last line, pauses included</dd></div>\n");
}

/* "one" of 1, else "many" with its number in front; nothing of 0. */
static void put_note(page *p, uint64_t n, const char *one, const char *many)
{
	if (!n)
		return;
	tp_put(&p->out, "<p class=\"notice\">");
	if (n > 1)
		tp_put_count(&p->out, n);
	tp_putf(&p->out, "%s</p>\n", n > 1 ? many : one);
}

static void put_notes(page *p)
{
	uint64_t width = 1, not_finite = 0;
	for (size_t i = 0; i < p->curves.len; i++) {
		width = p->curves.v[i].width > width ? p->curves.v[i].width : width;
		not_finite += p->curves.v[i].not_finite;
	}
	if (!p->curves.len)
		tp_put(&p->out, "<p class=\"notice\">The log has no values yet.</p>\n");
	if (width > 1) {
		tp_put(&p->out, "<p class=\"hint\" id=\"thinned\">Curves of more than ");
		tp_put_count(&p->out, TP_CURVE_CELLS);
		tp_put(&p->out, " values are thinned: a line is the mean of up to ");
		tp_put_count(&p->out, width);
		tp_put(&p->out, " neighbouring values, and the band around it reaches from the least to the "
				"largest ");
		tp_put(&p->out, "of them. Tables are of all values.</p>\n");
	}
	put_note(p, not_finite, "One value is not finite; it is counted in the table and not drawn.",
		" values are not finite; they are counted in the table and not drawn.");
	put_note(p, p->curves.bad_lines, "One line of the log could not be read and is left out.",
		" lines of the log could not be read and are left out.");
	put_note(p, p->curves.odd_values, "One value is no number, or of one tag too many, and is left out.",
		" values are no numbers, or of too many tags, and are left out.");
}

static void put_point(page *p, const tp_curve_point *at, bool share)
{
	tp_put(&p->out, "<td>");
	if (at) {
		put_value(p, at->value, share);
		tp_put(&p->out, "</td><td>");
		tp_put_count(&p->out, (uint64_t)at->step);
	} else {
		tp_put(&p->out, "–</td><td>–");
	}
	tp_put(&p->out, "</td>");
}

static void put_row(page *p, const tp_curve *c)
{
	const known_tag *k = known_of(c->tag);
	bool share = k && k->share;
	const tp_curve_point *best = k && k->better ? k->better > 0 ? &c->high : &c->low : NULL;
	tp_put(&p->out, "<tr><th scope=\"row\">");
	if (k)
		tp_putf(&p->out, "%s ", k->label);
	tp_put(&p->out, "<code>");
	tp_put_text(&p->out, c->tag);
	tp_put(&p->out, "</code></th>");
	put_point(p, has_finite(c) ? &c->last : NULL, share);
	put_point(p, has_finite(c) ? best : NULL, share);
	tp_put(&p->out, "<td>");
	tp_put_count(&p->out, c->n);
	if (c->not_finite) {
		tp_put(&p->out, "<br>");
		tp_put_count(&p->out, c->not_finite);
		tp_put(&p->out, " not finite, the first at step ");
		tp_put_count(&p->out, (uint64_t)c->first_not_finite);
	}
	tp_put(&p->out, "</td></tr>\n");
}

static void put_numbers(page *p)
{
	for (int i = 0; i < KNOWN; i++) {
		const tp_curve *c = tp_curve_find(&p->curves, known_tags[i].tag);
		if (c)
			put_row(p, c);
	}
	for (size_t i = 0; i < p->curves.len; i++)
		if (!known_of(p->curves.v[i].tag))
			put_row(p, &p->curves.v[i]);
}

/* ---- the record ------------------------------------------------------------------------------------------ */

enum { MOST_ROWS = 2000, MOST_ITEMS = 50, MOST_DEPTH = 8, PATH = 512 };

static void put_scalar(page *p, const json_t *j)
{
	if (json_is_string(j)) {
		tp_put_text(&p->out, json_string_value(j));
	} else {
		char *text = NULL;
		if (json_is_real(j))
			tp_put_number(&p->out, json_real_value(j));
		else if (!p->out.rc && !(p->out.rc = tp_json_dump(&text, j, p->out.err)))
			tp_put_text(&p->out, text);
		tp_free(text);
	}
}

static bool is_flat(const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *v = json_array_get(array, i);
		if (json_is_object(v) || json_is_array(v))
			return false;
	}
	return true;
}

/* A line may end after a dot. */
static void put_path(page *p, char *path)
{
	for (char *dot; (dot = strchr(path, '.')); path = dot + 1) {
		*dot = 0;
		tp_put_text(&p->out, path);
		tp_put(&p->out, ".<wbr>");
		*dot = '.';
	}
	tp_put_text(&p->out, path);
}

static void put_setting(page *p, char *path, const json_t *j)
{
	tp_put(&p->out, "<tr><th scope=\"row\">");
	put_path(p, path);
	tp_put(&p->out, "</th><td>");
	if (json_is_array(j) && is_flat(j)) {
		size_t n = json_array_size(j);
		for (size_t i = 0; i < n && i < MOST_ITEMS; i++) {
			tp_put(&p->out, i ? ", " : "");
			put_scalar(p, json_array_get(j, i));
		}
		if (n > MOST_ITEMS)
			tp_putf(&p->out, " … and %zu more", n - MOST_ITEMS);
	} else {
		put_scalar(p, j);
	}
	tp_put(&p->out, "</td></tr>\n");
}

/* One row a leaf; `path` grows by keys and numbers. */
static void put_settings(page *p, char *path, size_t at, const json_t *j, int depth, size_t *rows)
{
	const char *key;
	json_t *v;
	if (p->out.rc)
		return;
	if (depth < MOST_DEPTH && json_is_object(j)) {
		json_object_foreach((json_t *)(uintptr_t)j, key, v)
		{
			int n = snprintf(path + at, PATH - at, "%s%s", at ? "." : "", key);
			size_t end = at + (size_t)n < PATH ? at + (size_t)n : PATH - 1;
			put_settings(p, path, end, v, depth + 1, rows);
		}
	} else if (depth < MOST_DEPTH && json_is_array(j) && !is_flat(j)) {
		for (size_t i = 0; i < json_array_size(j); i++) {
			int n = snprintf(path + at, PATH - at, "[%zu]", i);
			size_t end = at + (size_t)n < PATH ? at + (size_t)n : PATH - 1;
			put_settings(p, path, end, json_array_get(j, i), depth + 1, rows);
		}
	} else if ((*rows)++ < MOST_ROWS) {
		put_setting(p, path, j);
	}
}

static void put_record(page *p)
{
	char path[PATH] = "";
	size_t rows = 0;
	if (!p->record)
		return;
	tp_put(&p->out, "<section id=\"record\" aria-labelledby=\"record-title\">\n<h2 "
			"id=\"record-title\">Configuration and "
			"record</h2>\n<div class=\"wide\"><table class=\"settings\"><tbody>\n");
	put_settings(p, path, 0, p->record, 0, &rows);
	tp_put(&p->out, "</tbody></table></div>\n");
	put_note(p, rows > MOST_ROWS ? rows - MOST_ROWS : 0, "One more entry is left out.",
		" more entries are left out.");
	tp_put(&p->out, "</section>\n");
}

/* ---- data of the curves ---------------------------------------------------------------------------------- */

typedef enum { STEP, MEAN, LEAST, MOST } cell_part;

static void put_cells(page *p, const char *name, const tp_curve *c, cell_part part)
{
	tp_putf(&p->out, ",\"%s\":[", name);
	for (size_t i = 0; i < c->n_cells && !p->out.rc; i++) {
		const tp_cell *cell = &c->cell[i];
		double v = part == STEP    ? (cell->first + cell->last) / 2
			   : part == LEAST ? cell->min
			   : part == MOST  ? cell->max
					   : cell->sum / (double)cell->n;
		tp_put(&p->out, i ? "," : "");
		/* a mean of values near the largest double is none */
		if ((cell->n || part == STEP) && isfinite(v))
			tp_put_number(&p->out, v);
		else
			tp_put(&p->out, "null");
	}
	tp_put(&p->out, "]");
}

static void put_curve(page *p, const tp_curve *c, const char *label)
{
	tp_put(&p->out, "{\"tag\":");
	put_json_text(p, c->tag);
	tp_put(&p->out, ",\"label\":");
	put_json_text(p, label);
	tp_putf(&p->out, ",\"width\":%llu", (unsigned long long)c->width);
	put_cells(p, "x", c, STEP);
	put_cells(p, "y", c, MEAN);
	if (c->width > 1) {
		put_cells(p, "min", c, LEAST);
		put_cells(p, "max", c, MOST);
	}
	tp_put(&p->out, "}");
}

static void put_chart_head(page *p, const char *title, bool share, bool first)
{
	tp_put(&p->out, first ? "\n{\"title\":" : ",\n{\"title\":");
	put_json_text(p, title);
	tp_putf(&p->out, ",\"share\":%s,\"curves\":[", share ? "true" : "false");
}

static void put_data(page *p)
{
	const char *open = NULL; /* title of the chart that is being written */
	bool first = true;
	tp_put(&p->out, "{\"charts\":[");
	for (int i = 0; i < KNOWN; i++) {
		const known_tag *k = &known_tags[i];
		const tp_curve *c = tp_curve_find(&p->curves, k->tag);
		if (!c)
			continue;
		if (open && !strcmp(open, k->chart)) {
			tp_put(&p->out, ",");
		} else {
			tp_put(&p->out, open ? "]}" : "");
			put_chart_head(p, k->chart, k->share, first);
		}
		put_curve(p, c, k->label);
		open = k->chart;
		first = false;
	}
	tp_put(&p->out, open ? "]}" : "");
	for (size_t i = 0; i < p->curves.len; i++) {
		const tp_curve *c = &p->curves.v[i];
		if (known_of(c->tag))
			continue;
		put_chart_head(p, c->tag, false, first);
		put_curve(p, c, c->tag);
		tp_put(&p->out, "]}");
		first = false;
	}
	tp_put(&p->out, "\n]}");
}

/* ---- the page -------------------------------------------------------------------------------------------- */

static void put_file(page *p, const char *name)
{
	for (int i = 0; i < tp_n_report_files; i++)
		if (!strcmp(tp_report_files[i].name, name))
			tp_put(&p->out, (const char *)tp_report_files[i].ptr);
}

static const struct {
	const char *mark;
	void (*fn)(page *p);
	const char *file; /* instead of fn */
} parts[] = {
	{ "title", put_title, NULL },
	{ "cards", put_cards, NULL },
	{ "notes", put_notes, NULL },
	{ "numbers", put_numbers, NULL },
	{ "record", put_record, NULL },
	{ "data", put_data, NULL },
	{ "chart-licence", NULL, "vendor/uplot/LICENSE.txt" },
	{ "chart-style", NULL, "vendor/uplot/uPlot.min.css" },
	{ "chart-library", NULL, "vendor/uplot/uPlot.iife.min.js" },
	{ "style", NULL, "report/style.css" },
	{ "script", NULL, "report/report.js" },
};

static void put_part(void *ud, const char *mark)
{
	page *p = ud;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (strcmp(parts[i].mark, mark) != 0)
			continue;
		if (parts[i].fn)
			parts[i].fn(p);
		else
			put_file(p, parts[i].file);
	}
}

static tp_code read_record(json_t **out, const char *path, tp_err *err)
{
	uint8_t *text = NULL;
	size_t len = 0;
	tp_code rc = tp_file_read(&text, &len, path, TP_MAX_JSON, err);
	if (!rc)
		rc = tp_json_parse(out, (const char *)text, len, path, err);
	tp_free(text);
	return rc;
}

static const char *form(void)
{
	for (int i = 0; i < tp_n_report_files; i++)
		if (!strcmp(tp_report_files[i].name, "report/page.html"))
			return (const char *)tp_report_files[i].ptr;
	return "";
}

tp_code tp_html_report(const char *metrics_jsonl, const char *record_json, const char *out_html, tp_err *err)
{
	page p = { .metrics_path = metrics_jsonl };
	json_t *record = NULL;
	tp_page_init(&p.out, TP_MAX_REPORT, err);
	tp_code rc = tp_curves_read(&p.curves, metrics_jsonl, err);
	if (!rc && record_json)
		rc = read_record(&record, record_json, err);
	p.record = record;
	if (!rc) {
		tp_page_fill(&p.out, form(), put_part, &p);
		rc = tp_page_save(&p.out, out_html);
	}
	json_decref(record);
	tp_curves_dispose(&p.curves);
	tp_page_dispose(&p.out);
	return rc;
}
