/* How good scores are: see train.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/train.h"

enum { BINS = 15 };

/* How many allowed species score higher than the right one (ties: the lower number first). */
static int rank_of(const float *p, int y, int classes, const uint8_t *allowed)
{
	int rank = 0;
	for (int c = 0; c < classes; c++)
		if (c != y && (!allowed || allowed[c]))
			rank += p[c] > p[y] || (p[c] == p[y] && c < y);
	return rank;
}

static void wilson(tp_metrics *m)
{
	const double z = 1.959963984540054;
	double n = (double)m->n, p = m->top1, d = 1 + z * z / n;
	double mid = (p + z * z / (2 * n)) / d, half = z / d * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
	m->low = mid - half;
	m->high = mid + half;
}

void tp_measure(
	tp_metrics *out, const float *scores, const int *y, size_t n, int classes, const uint8_t *allowed)
{
	double conf[BINS] = { 0 }, hits[BINS] = { 0 }, macro = 0;
	size_t count[BINS] = { 0 }, right[2] = { 0 }, present = 0;
	size_t *of = tp_calloc((size_t)classes * 2, sizeof *of);
	*out = (tp_metrics){ .n = n };
	for (size_t i = 0; i < n; i++) {
		const float *p = scores + i * (size_t)classes;
		int rank = rank_of(p, y[i], classes, allowed);
		float best = 0;
		for (int c = 0; c < classes; c++)
			best = p[c] > best ? p[c] : best;
		int bin = (int)(best * BINS);
		bin = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
		count[bin]++;
		conf[bin] += best;
		hits[bin] += rank == 0;
		right[0] += rank == 0;
		right[1] += rank < 5;
		out->nll -= log(fmax(p[y[i]], 1e-12));
		if (of) {
			of[2 * y[i]]++;
			of[2 * y[i] + 1] += rank == 0;
		}
	}
	for (int c = 0; of && c < classes; c++)
		if (of[2 * c]) {
			present++;
			macro += (double)of[2 * c + 1] / (double)of[2 * c];
		}
	tp_free(of);
	if (!n)
		return;
	for (int b = 0; b < BINS; b++)
		out->ece += fabs(conf[b] - hits[b]) / (double)n;
	out->top1 = (double)right[0] / (double)n;
	out->top5 = (double)right[1] / (double)n;
	out->macro_top1 = present ? macro / (double)present : 0;
	out->nll /= (double)n;
	wilson(out);
}

static tp_code unit_rows(float **out, const tp_samples *s, tp_err *err)
{
	size_t dim = (size_t)s->dim;
	float *v = tp_alloc_aligned(s->n * dim * sizeof *v);
	if (!v)
		return tp_nomem(err, s->n * dim * sizeof *v);
	for (size_t i = 0; i < s->n; i++) {
		double sq = 0;
		for (size_t k = 0; k < dim; k++)
			sq += (double)s->x[i * dim + k] * s->x[i * dim + k];
		for (size_t k = 0; k < dim; k++)
			v[i * dim + k] = (float)(s->x[i * dim + k] / sqrt(sq > 0 ? sq : 1));
	}
	*out = v;
	return TP_OK;
}

/* The class most of the k nearest have; of equals, the one whose first member is nearest. */
static int vote(const float *sim, const int *y, size_t n, int k)
{
	size_t near[64];
	int len = 0, best = 0, best_votes = 0;
	for (size_t i = 0; i < n; i++) {
		if (len == k && sim[i] <= sim[near[len - 1]])
			continue;
		int j = len < k ? len++ : len - 1;
		for (; j > 0 && sim[i] > sim[near[j - 1]]; j--)
			near[j] = near[j - 1];
		near[j] = i;
	}
	for (int i = 0; i < len; i++) {
		int votes = 0;
		for (int j = 0; j < len; j++)
			votes += y[near[j]] == y[near[i]];
		if (votes > best_votes) {
			best_votes = votes;
			best = y[near[i]];
		}
	}
	return best;
}

tp_code tp_knn_accuracy(
	double *out, const tp_samples *train, const tp_samples *x, int k, int threads, tp_err *err)
{
	float *a = NULL, *b = NULL, *sim = NULL;
	size_t right = 0;
	tp_code rc = unit_rows(&a, train, err);
	if (!rc)
		rc = unit_rows(&b, x, err);
	if (!rc && !(sim = tp_alloc_aligned(x->n * train->n * sizeof *sim)))
		rc = tp_nomem(err, x->n * train->n * sizeof *sim);
	if (!rc)
		rc = tp_gemm(sim, b, a, (int)x->n, (int)train->n, x->dim, false, true, 1, 0, threads, err);
	for (size_t i = 0; i < x->n && !rc; i++)
		right += vote(sim + i * train->n, train->y, train->n, k < 64 ? k : 64) == x->y[i];
	*out = x->n ? (double)right / (double)x->n : 0;
	tp_free_aligned(a);
	tp_free_aligned(b);
	tp_free_aligned(sim);
	return rc;
}
