/* Convolution and its gradients, the plain truth: one multiply-add at a time. Also what folding a batch-norm into a
 * convolution means. */
#include <math.h>
#include <string.h>

#include "nn/net_int.h"

/* The rows ky (or columns) of a window that begins at `from` and lie inside 0..in-1: first to last + 1. */
static void inside(int *first, int *end, int from, int k, int in)
{
	*first = from < 0 ? -from : 0;
	*end = from + k > in ? in - from : k;
}

static float conv_at(const float *x, const float *w, const tp_geo *g, int y0, int x0)
{
	float sum = 0;
	int ky0, ky1, kx0, kx1;
	inside(&ky0, &ky1, y0, g->kh, g->h);
	inside(&kx0, &kx1, x0, g->kw, g->w);
	for (int c = 0; c < g->c / g->groups; c++)
		for (int ky = ky0; ky < ky1; ky++)
			for (int kx = kx0; kx < kx1; kx++)
				sum += x[((size_t)c * (size_t)g->h + (size_t)(y0 + ky)) * (size_t)g->w +
					       (size_t)(x0 + kx)] *
				       w[(c * g->kh + ky) * g->kw + kx];
	return sum;
}

static size_t per_oc(const tp_geo *g)
{
	return (size_t)(g->c / g->groups) * (size_t)g->kh * (size_t)g->kw;
}

/* Where the input channels that feed output channel o begin. */
static size_t source(const tp_geo *g, int n, int o)
{
	int icg = g->c / g->groups, ocg = g->oc / g->groups;
	return ((size_t)n * (size_t)g->c + (size_t)(o / ocg * icg)) * (size_t)g->h * (size_t)g->w;
}

void tp_conv_plain(float *y, const float *x, const float *w, const float *b, const tp_geo *g)
{
	for (int n = 0; n < g->n; n++)
		for (int o = 0; o < g->oc; o++)
			for (int i = 0; i < g->oh; i++)
				for (int j = 0; j < g->ow; j++)
					*y++ = (b ? b[o] : 0) +
					       conv_at(x + source(g, n, o), w + (size_t)o * per_oc(g), g,
						       i * g->stride - g->top, j * g->stride - g->left);
}

/* What one output value's gradient d gives to the inputs and weights it came from. */
static void back_at(
	float *dx, float *dw, float d, const float *x, const float *w, const tp_geo *g, int y0, int x0)
{
	int ky0, ky1, kx0, kx1;
	inside(&ky0, &ky1, y0, g->kh, g->h);
	inside(&kx0, &kx1, x0, g->kw, g->w);
	for (int c = 0; c < g->c / g->groups; c++)
		for (int ky = ky0; ky < ky1; ky++)
			for (int kx = kx0; kx < kx1; kx++) {
				size_t at = ((size_t)c * (size_t)g->h + (size_t)(y0 + ky)) * (size_t)g->w +
					    (size_t)(x0 + kx);
				int k = (c * g->kh + ky) * g->kw + kx;
				if (dx)
					dx[at] += d * w[k];
				if (dw)
					dw[k] += d * x[at];
			}
}

void tp_conv_plain_back(
	float *dx, float *dw, float *db, const float *dy, const float *x, const float *w, const tp_geo *g)
{
	if (dx)
		memset(dx, 0, (size_t)g->n * (size_t)g->c * (size_t)g->h * (size_t)g->w * sizeof *dx);
	for (int n = 0; n < g->n; n++)
		for (int o = 0; o < g->oc; o++)
			for (int i = 0; i < g->oh; i++)
				for (int j = 0; j < g->ow; j++, dy++) {
					size_t from = source(g, n, o), k = (size_t)o * per_oc(g);
					back_at(dx ? dx + from : NULL, dw ? dw + k : NULL, *dy, x + from,
						w + k, g, i * g->stride - g->top, j * g->stride - g->left);
					if (db)
						db[o] += *dy;
				}
}

void tp_fold_batch_norm(float *w, float *b, int oc, size_t n, const float *gamma, const float *beta,
	const float *mean, const float *var, float eps)
{
	for (int o = 0; o < oc; o++) {
		double scale = gamma[o] / sqrt((double)var[o] + eps);
		for (size_t i = 0; i < n; i++)
			w[(size_t)o * n + i] = (float)(w[(size_t)o * n + i] * scale);
		b[o] = (float)(beta[o] + ((double)b[o] - mean[o]) * scale);
	}
}
