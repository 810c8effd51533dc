/* The softmax head: loss, gradient, L-BFGS. See train.h. The heavy work is two matrix products a step.
 * The solver works on centred features: with z = W (x - mean) + c the minimum is the same, because the bias is free,
 * and the problem is far better conditioned (features are means of ReLUs: all of them point the same way). The photos
 * are not copied for it: b = c - W mean, and the chain rule takes mean times the bias's gradient off the weights'. */
#include <math.h>
#include <string.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "train/train.h"

enum { HISTORY = TP_HEAD_HISTORY, MAX_STEPS = 1000 };
/* The goal for the largest gradient component, relative to the loss: a weak penalty ends at a small loss, where the
 * same gradient means a longer way still to go. Below the second, float sums are noise. */
static const double GOAL_OF_LOSS = 1e-4, GOAL_MOST = 1e-5, GOAL_LEAST = 1e-6;
/* A step may raise the loss by this share of it, which is rounding, as long as it flattens the slope (the approximate
 * Wolfe condition of Hager & Zhang 2005). */
static const double ROUNDING = 1e-6, FLATTER = 0.9;

void tp_head_free(tp_head *h)
{
	tp_free_aligned(h->w);
	tp_free_aligned(h->b);
	*h = (tp_head){ 0 };
}

tp_code tp_head_logits(float *logits, const tp_head *h, const float *x, size_t n, int dim, int classes,
	int threads, tp_err *err)
{
	for (size_t i = 0; i < n; i++)
		memcpy(logits + i * (size_t)classes, h->b, (size_t)classes * sizeof *logits);
	return tp_gemm(logits, x, h->w, (int)n, classes, dim, false, true, 1, 1, threads, err);
}

/* Logits become (softmax - one-hot) / n, row by row; the sum of the rows' losses is returned. */
static double softmax_rows(float *z, const int *y, size_t n, int classes)
{
	double loss = 0;
	for (size_t i = 0; i < n; i++, z += classes) {
		float top = z[0];
		double sum = 0, right = z[y[i]];
		for (int c = 1; c < classes; c++)
			top = z[c] > top ? z[c] : top;
		for (int c = 0; c < classes; c++)
			sum += z[c] = expf(z[c] - top);
		loss += log(sum) + top - right;
		for (int c = 0; c < classes; c++)
			z[c] = (float)(z[c] / sum / (double)n);
		z[y[i]] -= 1 / (float)n;
	}
	return loss;
}

static tp_code loss_at(double *loss, float *gw, float *gb, float *z, const tp_head *h, const tp_samples *s,
	double penalty, int threads, tp_err *err)
{
	size_t nw = (size_t)s->classes * (size_t)s->dim;
	double l2 = penalty / (double)s->n, sq = 0;
	tp_code rc = tp_head_logits(z, h, s->x, s->n, s->dim, s->classes, threads, err);
	if (rc)
		return rc;
	*loss = softmax_rows(z, s->y, s->n, s->classes) / (double)s->n;
	for (size_t i = 0; i < nw; i++) {
		sq += (double)h->w[i] * h->w[i];
		gw[i] = (float)(l2 * h->w[i]);
	}
	*loss += l2 / 2 * sq;
	for (int c = 0; c < s->classes; c++) {
		double sum = 0;
		for (size_t i = 0; i < s->n; i++)
			sum += z[i * (size_t)s->classes + (size_t)c];
		gb[c] = (float)sum;
	}
	return tp_gemm(gw, z, s->x, s->classes, s->dim, (int)s->n, true, false, 1, 1, threads, err);
}

tp_code tp_head_loss(double *loss, float *gw, float *gb, const tp_head *h, const tp_samples *s,
	double penalty, int threads, tp_err *err)
{
	float *z = tp_alloc_aligned(s->n * (size_t)s->classes * sizeof *z);
	if (!z)
		return tp_nomem(err, s->n * (size_t)s->classes * sizeof *z);
	tp_code rc = loss_at(loss, gw, gb, z, h, s, penalty, threads, err);
	tp_free_aligned(z);
	return rc;
}

/* ---- L-BFGS over one flat vector: weights, then biases of centred features ----------------------------- */

typedef struct {
	size_t n;                   /* of the vector */
	float *mean, *b;            /* of the features; biases as the features stand */
	float *x, *g, *x2, *g2, *d; /* point, gradient, trial point and gradient, direction */
	float *s[HISTORY], *y[HISTORY];
	double rho[HISTORY];
	int len, next;
	float *z;
	const tp_samples *data;
	double penalty;
	int threads;
} solver;

static double dot(const float *a, const float *b, size_t n)
{
	double lane[8] = { 0 }, sum = 0;
	size_t i = 0;
	for (; i + 8 <= n; i += 8)
		for (int k = 0; k < 8; k++)
			lane[k] += (double)a[i + (size_t)k] * b[i + (size_t)k];
	for (; i < n; i++)
		sum += (double)a[i] * b[i];
	for (int k = 0; k < 8; k++)
		sum += lane[k];
	return sum;
}

static void add_scaled(float *y, double a, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += (float)a * x[i];
}

/* sign -1: biases of centred features to those of features as they stand; +1: back. */
static void shift_biases(float *out, const float *in, const solver *s, const float *w, int sign)
{
	size_t dim = (size_t)s->data->dim;
	for (int c = 0; c < s->data->classes; c++)
		out[c] = (float)(in[c] + sign * dot(w + (size_t)c * dim, s->mean, dim));
}

static tp_code evaluate(solver *s, double *loss, float *x, float *g, tp_err *err)
{
	size_t dim = (size_t)s->data->dim, nw = (size_t)s->data->classes * dim;
	tp_head h = { .w = x, .b = s->b };
	shift_biases(s->b, x + nw, s, x, -1);
	tp_code rc = loss_at(loss, g, g + nw, s->z, &h, s->data, s->penalty, s->threads, err);
	for (int c = 0; c < s->data->classes && !rc; c++)
		add_scaled(g + (size_t)c * dim, -(double)g[nw + (size_t)c], s->mean, dim);
	if (!rc && !isfinite(*loss))
		rc = tp_fail(err, TP_EINVAL, "the loss is not a number: are the features finite?");
	return rc ? rc : tp_cancel_check(err);
}

/* The two-loop recursion: d = -H g. */
static void direction(solver *s)
{
	double alpha[HISTORY];
	for (size_t i = 0; i < s->n; i++)
		s->d[i] = -s->g[i];
	for (int j = 0; j < s->len; j++) {
		int i = (s->next - 1 - j + 2 * HISTORY) % HISTORY;
		alpha[i] = s->rho[i] * dot(s->s[i], s->d, s->n);
		add_scaled(s->d, -alpha[i], s->y[i], s->n);
	}
	if (s->len) {
		int i = (s->next - 1 + HISTORY) % HISTORY;
		double scale = 1 / (s->rho[i] * dot(s->y[i], s->y[i], s->n));
		for (size_t k = 0; k < s->n; k++)
			s->d[k] *= (float)scale;
	}
	for (int j = s->len - 1; j >= 0; j--) {
		int i = (s->next - 1 - j + 2 * HISTORY) % HISTORY;
		add_scaled(s->d, alpha[i] - s->rho[i] * dot(s->y[i], s->d, s->n), s->s[i], s->n);
	}
}

static void remember(solver *s)
{
	float *ds = s->s[s->next], *dy = s->y[s->next];
	for (size_t i = 0; i < s->n; i++) {
		ds[i] = s->x2[i] - s->x[i];
		dy[i] = s->g2[i] - s->g[i];
	}
	double sy = dot(ds, dy, s->n);
	if (!(sy > 0)) /* no curvature to learn from: rounding, at the very end */
		return;
	s->rho[s->next] = 1 / sy;
	s->next = (s->next + 1) % HISTORY;
	if (s->len < HISTORY)
		s->len++;
}

static double largest(const float *v, size_t n)
{
	double m = 0;
	for (size_t i = 0; i < n; i++)
		m = fabs(v[i]) > m ? fabs(v[i]) : m;
	return m;
}

/* One step; *stuck when no shorter step makes the loss smaller, which float arithmetic ends in. */
static tp_code step(solver *s, double *loss, bool *stuck, tp_err *err)
{
	direction(s);
	double slope = dot(s->d, s->g, s->n), next, t = s->len ? 1 : 1 / (1 + largest(s->g, s->n));
	for (int tries = 0; tries < 30; tries++, t /= 2) {
		memcpy(s->x2, s->x, s->n * sizeof *s->x);
		add_scaled(s->x2, t, s->d, s->n);
		tp_code rc = evaluate(s, &next, s->x2, s->g2, err);
		if (rc)
			return rc;
		bool lower = next <= *loss + 1e-4 * t * slope;
		if (!lower && next <= *loss * (1 + ROUNDING))
			lower = fabs(dot(s->d, s->g2, s->n)) <= FLATTER * fabs(slope);
		if (lower) {
			remember(s);
			float *x = s->x, *g = s->g;
			s->x = s->x2;
			s->g = s->g2;
			s->x2 = x;
			s->g2 = g;
			*loss = next;
			return TP_OK;
		}
	}
	*stuck = true;
	return TP_OK;
}

static void mean_features(float *mean, const tp_samples *d)
{
	for (int k = 0; k < d->dim; k++) {
		double sum = 0;
		for (size_t i = 0; i < d->n; i++)
			sum += d->x[i * (size_t)d->dim + (size_t)k];
		mean[k] = (float)(sum / (double)d->n);
	}
}

static tp_code solver_init(solver *s, const tp_head *h, tp_err *err)
{
	float **v[] = { &s->x, &s->g, &s->x2, &s->g2, &s->d };
	size_t nw = (size_t)s->data->classes * (size_t)s->data->dim, bytes = s->n * sizeof(float);
	bool ok = true;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++)
		ok = (*v[i] = tp_alloc_aligned(bytes)) && ok;
	for (int i = 0; i < HISTORY; i++) {
		s->s[i] = tp_alloc_aligned(bytes);
		s->y[i] = tp_alloc_aligned(bytes);
		ok = ok && s->s[i] && s->y[i];
	}
	s->z = tp_alloc_aligned(s->data->n * (size_t)s->data->classes * sizeof(float));
	s->mean = tp_alloc_aligned((size_t)s->data->dim * sizeof(float));
	s->b = tp_alloc_aligned((size_t)s->data->classes * sizeof(float));
	if (!ok || !s->z || !s->mean || !s->b)
		return tp_nomem(err, bytes);
	mean_features(s->mean, s->data);
	if (h->w) {
		memcpy(s->x, h->w, nw * sizeof(float));
		shift_biases(s->x + nw, h->b, s, h->w, 1);
	}
	return TP_OK;
}

static void solver_dispose(solver *s)
{
	float *v[] = { s->x, s->g, s->x2, s->g2, s->d, s->z, s->mean, s->b };
	for (size_t i = 0; i < sizeof v / sizeof *v; i++)
		tp_free_aligned(v[i]);
	for (int i = 0; i < HISTORY; i++) {
		tp_free_aligned(s->s[i]);
		tp_free_aligned(s->y[i]);
	}
}

static tp_code take(tp_head *h, const solver *s, tp_err *err)
{
	size_t nw = (size_t)s->data->classes * (size_t)s->data->dim, nb = (size_t)s->data->classes;
	if (!h->w) {
		h->w = tp_alloc_aligned(nw * sizeof(float));
		h->b = tp_alloc_aligned(nb * sizeof(float));
		if (!h->w || !h->b)
			return tp_nomem(err, nw * sizeof(float));
	}
	memcpy(h->w, s->x, nw * sizeof(float));
	shift_biases(h->b, s->x + nw, s, s->x, -1);
	return TP_OK;
}

double tp_head_goal(double loss)
{
	return fmin(GOAL_MOST, fmax(GOAL_LEAST, GOAL_OF_LOSS * loss));
}

tp_code tp_head_fit(tp_head *h, const tp_samples *data, double penalty, int threads, tp_err *err)
{
	solver s = { .data = data, .penalty = penalty, .threads = threads };
	double loss = 0;
	bool stuck = false;
	int steps = 0;
	s.n = (size_t)data->classes * ((size_t)data->dim + 1);
	tp_code rc = solver_init(&s, h, err);
	if (!rc)
		rc = evaluate(&s, &loss, s.x, s.g, err);
	while (!rc && !stuck && steps < MAX_STEPS && largest(s.g, s.n) > tp_head_goal(loss)) {
		rc = step(&s, &loss, &stuck, err);
		steps++;
	}
	if (!rc)
		rc = take(h, &s, err);
	if (!rc) {
		h->iterations = steps;
		h->loss = loss;
		h->gradient = largest(s.g, s.n);
	}
	solver_dispose(&s);
	return rc;
}
