/* Curves: see curves.h. */
#include "train/curves.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "train/runlog.h"

static void merge(tp_cell *to, const tp_cell *from)
{
	to->last = from->last;
	to->min = fmin(to->min, from->min);
	to->max = fmax(to->max, from->max);
	to->sum += from->sum;
	to->n += from->n;
	to->not_finite += from->not_finite;
}

/* Two neighbours become one. */
static void halve(tp_curve *c)
{
	for (size_t i = 0; i < TP_CURVE_CELLS / 2; i++) {
		tp_cell cell = c->cell[2 * i];
		merge(&cell, &c->cell[2 * i + 1]);
		c->cell[i] = cell;
	}
	c->n_cells = TP_CURVE_CELLS / 2;
	c->width *= 2;
}

static void add_value(tp_curve *c, double step, double v)
{
	bool finite = isfinite(v);
	tp_cell one = { step, step, finite ? v : INFINITY, finite ? v : -INFINITY, finite ? v : 0, finite,
		!finite };
	tp_cell *end = c->n_cells ? &c->cell[c->n_cells - 1] : NULL;
	if (end && end->n + end->not_finite < c->width) {
		merge(end, &one);
	} else {
		if (c->n_cells == TP_CURVE_CELLS)
			halve(c);
		c->cell[c->n_cells++] = one;
	}
	c->n++;
	if (!finite && !c->not_finite++)
		c->first_not_finite = step;
	if (!finite)
		return;
	bool first = c->n - c->not_finite == 1;
	c->last = (tp_curve_point){ v, step };
	if (first || v < c->low.value)
		c->low = c->last;
	if (first || v > c->high.value)
		c->high = c->last;
}

const tp_curve *tp_curve_find(const tp_curves *c, const char *tag)
{
	for (size_t i = 0; i < c->len; i++)
		if (!strcmp(c->v[i].tag, tag))
			return &c->v[i];
	return NULL;
}

/* The curve of a tag, made when it is new; NULL when there are too many, or no memory (rc). */
static tp_curve *curve_of(tp_curves *c, const char *tag, tp_code *rc, tp_err *err)
{
	tp_curve *known = (tp_curve *)(uintptr_t)tp_curve_find(c, tag);
	if (known || c->len == TP_MAX_CURVES)
		return known;
	tp_curve *n = &c->v[c->len];
	n->tag = tp_strdup(tag);
	n->cell = tp_calloc(TP_CURVE_CELLS, sizeof *n->cell);
	n->width = 1;
	c->len++;
	if (n->tag && n->cell)
		return n;
	*rc = tp_nomem(err, TP_CURVE_CELLS * sizeof *n->cell);
	return NULL;
}

static tp_code take(void *ud, const tp_run_line *line, tp_err *err)
{
	static const char *const not_values[] = { "step", "epoch", "time", "nonfinite" };
	tp_curves *c = ud;
	tp_code rc = TP_OK;
	const char *tag;
	json_t *v;
	if (!c->lines++)
		c->first_time = line->time;
	c->step = line->step;
	c->epoch = line->epoch;
	c->last_time = line->time;
	json_object_foreach((json_t *)(uintptr_t)line->json, tag, v)
	{
		bool value = true;
		for (size_t i = 0; i < sizeof not_values / sizeof *not_values; i++)
			value &= strcmp(tag, not_values[i]) != 0;
		if (!value)
			continue;
		tp_curve *curve = json_is_number(v) || json_is_null(v) ? curve_of(c, tag, &rc, err) : NULL;
		if (rc)
			return rc;
		if (curve)
			add_value(curve, (double)line->step, json_is_null(v) ? NAN : json_number_value(v));
		else
			c->odd_values++;
	}
	return TP_OK;
}

tp_code tp_curves_read(tp_curves *c, const char *metrics_jsonl, tp_err *err)
{
	c->v = tp_calloc(TP_MAX_CURVES, sizeof *c->v);
	if (!c->v)
		return tp_nomem(err, TP_MAX_CURVES * sizeof *c->v);
	return tp_runlog_read(metrics_jsonl, take, c, &c->bad_lines, err);
}

void tp_curves_dispose(tp_curves *c)
{
	for (size_t i = 0; i < c->len; i++) {
		tp_free(c->v[i].tag);
		tp_free(c->v[i].cell);
	}
	tp_free(c->v);
	*c = (tp_curves){ 0 };
}
