/* What the parts of the page are put together from: numbers, tables, figures, rows. See report_int.h. */
#include <stdio.h>

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

const tp_column tp_report_kept_and_not[] = { { "", NULL }, { "Kept", "kept" }, { "Left out", "out" },
	{ NULL, NULL } };

/* attributes: ours. */
void tp_report_row(tp_report_page *p, const char *attributes, const char *label, const uint64_t n[2])
{
	tp_putf(&p->out, "<tr%s><th scope=\"row\">", attributes);
	tp_put_text_n(&p->out, label, 100);
	tp_put(&p->out, "</th>");
	tp_report_cell(p, n[TP_KEPT]);
	tp_report_cell(p, n[TP_LEFT_OUT]);
	tp_put(&p->out, "</tr>\n");
}

bool tp_report_is_none(const uint64_t n[2])
{
	return !n[0] && !n[1];
}

/* A row that the chart leaves out. */
void tp_report_rest(tp_report_page *p, const char *label, const uint64_t n[2])
{
	if (!tp_report_is_none(n))
		tp_report_row(p, " data-apart", label, n);
}

/* ---- bars by text ---- */

/* most: rows that are drawn. what: "families", for the rest. */
void tp_report_bars(tp_report_page *p, const char *id, const char *title, const tp_text_counts *x,
	size_t most, const char *what)
{
	tp_pair_count rest = { x->more[0], x->more[1] };
	char label[80];
	tp_report_figure(p, "bars", id, title, "", tp_report_kept_and_not);
	for (size_t i = 0; i < x->len; i++) {
		if (i < most)
			tp_report_row(p, "", x->v[i].text, x->v[i].n);
		for (int side = 0; side < 2 && i >= most; side++)
			rest[side] += x->v[i].n[side];
	}
	snprintf(label, sizeof label, "other %s", what);
	tp_report_rest(p, label, rest);
	tp_report_rest(p, "not told", x->none);
	tp_report_end_figure(p);
}

void tp_report_coverage(tp_report_page *p, const uint64_t none[2], const char *what)
{
	tp_put(&p->out, "<p class=\"hint\">");
	tp_report_share(p, (double)(p->t->photos - none[0] - none[1]), (double)p->t->photos);
	tp_putf(&p->out, " of the photos have %s.</p>\n", what);
}
