/* Verdicts and findings into the catalog, all or nothing: see clean.h. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/clean_int.h"
#include "data/unite.h"

tp_code tp_clean_flush(tp_clean_batch *b, tp_catalog *c, tp_err *err)
{
	size_t n = b->n;
	b->n = 0;
	return n ? tp_catalog_set(c, b->columns, b->n_columns, b->id, n, b->v, err) : TP_OK;
}

tp_code tp_clean_put(tp_clean_batch *b, tp_catalog *c, int64_t id, const tp_catalog_value *v, tp_err *err)
{
	b->id[b->n] = id;
	memcpy(b->v + b->n * b->n_columns, v, b->n_columns * sizeof *v);
	return ++b->n == TP_CLEAN_BATCH ? tp_clean_flush(b, c, err) : TP_OK;
}

static const char *reason_of(const tp_clean_work *w, uint8_t now)
{
	return now == TP_CLEAN_KEPT ? NULL
	       : now < TP_RULES     ? tp_rules[now].name
				    : w->reason[now - TP_CLEAN_OTHERS];
}

static tp_catalog_value number_or_none(float v)
{
	return (tp_catalog_value){ .kind = isnan(v) ? TP_VALUE_NONE : TP_VALUE_NUMBER, .d = (double)v };
}

/* The number of the photo's group of copies; 0 when it has none. sizes: members by the group's first. */
static int64_t group_of(const tp_clean_work *w, const uint32_t *sizes, size_t i)
{
	return sizes[w->group[i]] > 1 ? w->p[w->group[i]].id : 0;
}

static tp_code put_photo(tp_clean_work *w, tp_clean_batch *b, size_t i, int64_t group, tp_err *err)
{
	const tp_clean_photo *p = &w->p[i];
	const char *reason = reason_of(w, p->now);
	const tp_catalog_value v[] = { { .kind = reason ? TP_VALUE_TEXT : TP_VALUE_NONE, .p = reason },
		{ .kind = group ? TP_VALUE_INT : TP_VALUE_NONE, .i = group }, number_or_none(p->background),
		number_or_none(p->doubt) };
	return tp_clean_put(b, w->c, p->id, v, err);
}

static tp_code put_photos(tp_clean_work *w, tp_clean_batch *b, uint32_t *sizes, tp_err *err)
{
	tp_code rc = TP_OK;
	tp_unite_finish(w->group, w->n);
	for (size_t i = 0; i < w->n; i++)
		sizes[w->group[i]]++;
	for (size_t i = 0; i < w->n && !rc; i++) {
		const tp_clean_photo *p = &w->p[i];
		int64_t group = group_of(w, sizes, i);
		if (p->now != p->was || group != p->was_group || p->is_new)
			rc = put_photo(w, b, i, group, err);
	}
	return rc ? rc : tp_clean_flush(b, w->c, err);
}

static tp_code write_photos(tp_clean_work *w, tp_err *err)
{
	static const int columns[] = { TP_SET_EXCLUDED, TP_SET_DUPLICATES, TP_SET_MEASURE + TP_BACKGROUND,
		TP_SET_MEASURE + TP_DOUBT };
	uint32_t *sizes = tp_calloc(w->n + 1, sizeof *sizes);
	tp_clean_batch *b = tp_calloc(1, sizeof *b);
	tp_code rc = sizes && b ? TP_OK : tp_nomem(err, w->n * sizeof *sizes + sizeof *b);
	if (!rc) {
		b->columns = columns;
		b->n_columns = sizeof columns / sizeof *columns;
		rc = put_photos(w, b, sizes, err);
	}
	tp_free(b);
	tp_free(sizes);
	return rc;
}

static tp_code write_findings(tp_clean_work *w, tp_err *err)
{
	tp_code rc = TP_OK;
	for (int r = 0; r < TP_RULES && !rc; r++)
		rc = tp_catalog_forget_rule(w->c, tp_rules[r].name, err);
	for (size_t i = 0; i < w->n_f && !rc; i++) {
		const tp_clean_finding *f = &w->f[i];
		rc = tp_catalog_find(w->c,
			&(tp_catalog_finding){ .photo = w->p[f->photo].id,
				.rule = tp_rules[f->rule].name,
				.value = (double)f->value,
				.other = f->other == TP_CLEAN_NONE ? 0 : w->p[f->other].id },
			err);
	}
	return rc;
}

tp_code tp_clean_write(tp_clean_work *w, tp_err *err)
{
	tp_code rc = tp_catalog_begin(w->c, err);
	if (!rc)
		rc = write_findings(w, err);
	if (!rc)
		rc = write_photos(w, err);
	if (!rc)
		return tp_catalog_commit(w->c, err);
	tp_catalog_rollback(w->c);
	return rc;
}
