/* Convolution, the plain truth: one multiply-add at a time, padded as TensorFlow's SAME. Also what folding a
 * batch-norm into it means. */
#include <math.h>

#include "nn/net_int.h"

int tp_same_out(int in, int stride)
{
	return (in + stride - 1) / stride;
}

int tp_same_pad(int in, int kernel, int stride)
{
	int total = (tp_same_out(in, stride) - 1) * stride + kernel - in;
	return total > 0 ? total / 2 : 0;
}

static float conv_at(const float *x, const float *w, const tp_conv_geo *g, int icg, int y0, int x0)
{
	float sum = 0;
	for (int c = 0; c < icg; c++)
		for (int ky = 0; ky < g->kernel; ky++)
			for (int kx = 0; kx < g->kernel; kx++) {
				int iy = y0 + ky, ix = x0 + kx;
				if (iy >= 0 && iy < g->h && ix >= 0 && ix < g->w)
					sum += x[((size_t)c * (size_t)g->h + (size_t)iy) * (size_t)g->w +
						       (size_t)ix] *
					       w[(c * g->kernel + ky) * g->kernel + kx];
			}
	return sum;
}

void tp_conv_plain(float *y, const float *x, const float *w, const float *b, const tp_conv_geo *g)
{
	int oh = tp_same_out(g->h, g->stride), ow = tp_same_out(g->w, g->stride);
	int py = tp_same_pad(g->h, g->kernel, g->stride), px = tp_same_pad(g->w, g->kernel, g->stride);
	int icg = g->c / g->groups, ocg = g->oc / g->groups;
	size_t plane = (size_t)g->h * (size_t)g->w,
	       per_oc = (size_t)icg * (size_t)g->kernel * (size_t)g->kernel;
	for (int n = 0; n < g->n; n++)
		for (int o = 0; o < g->oc; o++) {
			const float *xg = x + ((size_t)n * (size_t)g->c + (size_t)(o / ocg * icg)) * plane;
			for (int i = 0; i < oh; i++)
				for (int j = 0; j < ow; j++)
					*y++ = b[o] + conv_at(xg, w + (size_t)o * per_oc, g, icg,
							      i * g->stride - py, j * g->stride - px);
		}
}

void tp_fold_batch_norm(float *w, float *b, int oc, size_t per_oc, const float *gamma, const float *beta,
	const float *mean, const float *var, float eps)
{
	for (int o = 0; o < oc; o++) {
		double scale = gamma[o] / sqrt((double)var[o] + eps);
		for (size_t i = 0; i < per_oc; i++)
			w[(size_t)o * per_oc + i] = (float)(w[(size_t)o * per_oc + i] * scale);
		b[o] = (float)(beta[o] + ((double)b[o] - mean[o]) * scale);
	}
}
