/* Histograms, inequality, the best of many, counts by text: see report_int.h. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "data/report_int.h"

/* ---- histograms ---- */

void tp_hist_init(tp_hist *h, bool log, double limit)
{
	*h = (tp_hist){
		.log = log, .limit = limit, .width = ldexp(1, -10), .min = INFINITY, .max = -INFINITY
	};
}

static void widen(tp_hist *h)
{
	for (int i = 0; i < TP_HIST_BINS; i++)
		for (int side = 0; side < 2; side++) {
			uint64_t n = 2 * i < TP_HIST_BINS ? h->bin[2 * i][side] + h->bin[2 * i + 1][side] : 0;
			h->bin[i][side] = n;
		}
	h->width *= 2;
}

void tp_hist_add(tp_hist *h, double v, int side)
{
	if (isnan(v)) {
		h->unknown[side]++;
		return;
	}
	h->known++;
	h->min = fmin(h->min, v);
	h->max = fmax(h->max, v);
	if (v < (h->log ? 1 : 0)) {
		h->under[side]++;
	} else if (v >= h->limit) {
		h->over[side]++;
	} else if (h->log) {
		int i = (int)floor(TP_HIST_PER_OCTAVE * log2(v) + 1e-9);
		h->bin[i < TP_HIST_BINS ? i : TP_HIST_BINS - 1][side]++;
	} else {
		while (v >= h->width * TP_HIST_BINS)
			widen(h);
		h->bin[(int)(v / h->width)][side]++;
	}
}

double tp_hist_edge(const tp_hist *h, int i)
{
	return h->log ? exp2((double)i / TP_HIST_PER_OCTAVE) : i * h->width;
}

/* ---- inequality ---- */

double tp_gini(const uint32_t *ascending, size_t n)
{
	double sum = 0, weighted = 0;
	for (size_t i = 0; i < n; i++) {
		sum += ascending[i];
		weighted += (double)(i + 1) * ascending[i];
	}
	return sum > 0 ? 2 * weighted / ((double)n * sum) - ((double)n + 1) / (double)n : 0;
}

double tp_share_of_largest(const uint32_t *ascending, size_t n, double share)
{
	double sum = 0, top = 0;
	size_t k = (size_t)ceil(share * (double)n - 1e-9);
	for (size_t i = 0; i < n; i++) {
		sum += ascending[i];
		if (i + k >= n)
			top += ascending[i];
	}
	return sum > 0 ? top / sum : 0;
}

/* ---- the best of many ---- */

tp_code tp_best_init(tp_best *b, size_t k, tp_err *err)
{
	*b = (tp_best){ .k = k, .v = k ? tp_calloc(k, sizeof *b->v) : NULL };
	return k && !b->v ? tp_nomem(err, k * sizeof *b->v) : TP_OK;
}

static bool is_worse(const tp_best_item *a, const tp_best_item *b)
{
	if (a->key != b->key)
		return a->key > b->key;
	return a->lot != b->lot ? a->lot > b->lot : a->id > b->id;
}

static void swap(tp_best_item *a, tp_best_item *b)
{
	tp_best_item x = *a;
	*a = *b;
	*b = x;
}

static void sift_down(tp_best_item *v, size_t n)
{
	for (size_t i = 0, child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && is_worse(&v[child + 1], &v[child]))
			child++;
		if (!is_worse(&v[child], &v[i]))
			return;
		swap(&v[child], &v[i]);
	}
}

void tp_best_add(tp_best *b, tp_best_item x)
{
	if (b->n < b->k) {
		b->v[b->n] = x;
		for (size_t i = b->n++; i && is_worse(&b->v[i], &b->v[(i - 1) / 2]); i = (i - 1) / 2)
			swap(&b->v[i], &b->v[(i - 1) / 2]);
	} else if (b->k && is_worse(b->v, &x)) {
		b->v[0] = x;
		sift_down(b->v, b->n);
	}
}

static int by_key(const void *a, const void *b)
{
	const tp_best_item *x = a, *y = b;
	return is_worse(x, y) ? 1 : is_worse(y, x) ? -1 : 0;
}

void tp_best_sort(tp_best *b)
{
	if (b->n)
		qsort(b->v, b->n, sizeof *b->v, by_key);
}

void tp_best_dispose(tp_best *b)
{
	tp_free(b->v);
	*b = (tp_best){ 0 };
}

/* ---- counts by text ---- */

void tp_text_counts_init(tp_text_counts *t, size_t most)
{
	*t = (tp_text_counts){ .most = most };
	tp_hash_key(t->key);
}

static void put_slot(tp_text_counts *t, size_t index)
{
	size_t at = t->v[index].hash & (t->n_slots - 1);
	while (t->slot[at])
		at = (at + 1) & (t->n_slots - 1);
	t->slot[at] = (uint32_t)index + 1;
}

/* Room for one more, and half of the slots free. */
static tp_code grow(tp_text_counts *t, tp_err *err)
{
	if (t->len < t->cap)
		return TP_OK;
	size_t cap = t->cap ? 2 * t->cap : 16;
	tp_text_count *v = tp_realloc(t->v, cap * sizeof *v);
	if (!v)
		return tp_nomem(err, cap * sizeof *v);
	t->v = v;
	uint32_t *slot = tp_calloc(2 * cap, sizeof *slot);
	if (!slot)
		return tp_nomem(err, 2 * cap * sizeof *slot);
	tp_free(t->slot);
	t->slot = slot;
	t->cap = cap;
	t->n_slots = 2 * cap;
	for (size_t i = 0; i < t->len; i++)
		put_slot(t, i);
	return TP_OK;
}

static tp_text_count *look_up(const tp_text_counts *t, int64_t group, const char *text, uint64_t hash)
{
	size_t mask = t->n_slots - 1;
	for (size_t at = hash & mask; t->n_slots && t->slot[at]; at = (at + 1) & mask) {
		tp_text_count *x = &t->v[t->slot[at] - 1];
		if (x->hash == hash && x->group == group && !strcmp(x->text, text))
			return x;
	}
	return NULL;
}

tp_code tp_text_counts_get(
	tp_text_count **out, tp_text_counts *t, int64_t group, const char *text, tp_err *err)
{
	*out = NULL;
	if (!*text)
		return TP_OK;
	uint64_t hash = tp_hash64(text, strlen(text), t->key) + (uint64_t)group;
	*out = look_up(t, group, text, hash);
	if (*out || t->len >= t->most)
		return TP_OK;
	tp_code rc = grow(t, err);
	if (rc)
		return rc;
	char *copy = tp_strdup(text);
	if (!copy)
		return tp_nomem(err, strlen(text));
	t->v[t->len] = (tp_text_count){ .text = copy, .group = group, .hash = hash };
	*out = &t->v[t->len];
	put_slot(t, t->len++);
	return TP_OK;
}

static int by_count(const void *a, const void *b)
{
	const tp_text_count *x = a, *y = b;
	uint64_t nx = x->n[0] + x->n[1], ny = y->n[0] + y->n[1];
	if (nx != ny)
		return nx < ny ? 1 : -1;
	int c = strcmp(x->text, y->text);
	return c ? c : x->group < y->group ? -1 : x->group > y->group;
}

void tp_text_counts_sort(tp_text_counts *t)
{
	if (t->len)
		qsort(t->v, t->len, sizeof *t->v, by_count);
	tp_free(t->slot); /* has the old places */
	t->slot = NULL;
	t->n_slots = 0;
	t->most = 0;
}

void tp_text_counts_dispose(tp_text_counts *t)
{
	for (size_t i = 0; i < t->len; i++) {
		tp_free(t->v[i].text);
		tp_free(t->v[i].example);
	}
	tp_free(t->v);
	tp_free(t->slot);
	*t = (tp_text_counts){ 0 };
}
