/* Batch normalisation in training (Ioffe & Szegedy 2015, arXiv 1502.03167), the plain truth: statistics of the batch,
 * kept for the gradient; running statistics as PyTorch keeps them (the variance that is normalised with is the batch's,
 * the one that is remembered is the unbiased estimate). */
#include <math.h>

#include "nn/net_int.h"

void tp_batch_norm_plain(float *y, float *mean, float *rstd, float *running_mean, float *running_var,
	const float *x, const float *gamma, const float *beta, const tp_geo *g, float eps, float momentum)
{
	size_t area = (size_t)g->h * (size_t)g->w, count = (size_t)g->n * area;
	for (int c = 0; c < g->c; c++) {
		double sum = 0, sq = 0;
		for (int n = 0; n < g->n; n++) {
			const float *p = x + ((size_t)n * (size_t)g->c + (size_t)c) * area;
			for (size_t i = 0; i < area; i++)
				sum += p[i];
		}
		double m = sum / (double)count;
		for (int n = 0; n < g->n; n++) {
			const float *p = x + ((size_t)n * (size_t)g->c + (size_t)c) * area;
			for (size_t i = 0; i < area; i++)
				sq += (p[i] - m) * (p[i] - m);
		}
		double var = sq / (double)count;
		mean[c] = (float)m;
		rstd[c] = (float)(1 / sqrt(var + eps));
		double unbiased = count > 1 ? sq / (double)(count - 1) : var;
		running_mean[c] = (float)((1 - momentum) * running_mean[c] + momentum * m);
		running_var[c] = (float)((1 - momentum) * running_var[c] + momentum * unbiased);
		for (int n = 0; n < g->n; n++) {
			size_t at = ((size_t)n * (size_t)g->c + (size_t)c) * area;
			for (size_t i = 0; i < area; i++)
				y[at + i] = (x[at + i] - mean[c]) * rstd[c] * gamma[c] + beta[c];
		}
	}
}

/* dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat)). dgamma and dbeta are added to. */
void tp_batch_norm_plain_back(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
	const float *mean, const float *rstd, const float *gamma, const tp_geo *g)
{
	size_t area = (size_t)g->h * (size_t)g->w, count = (size_t)g->n * area;
	for (int c = 0; c < g->c; c++) {
		double sum = 0, with_x = 0;
		for (int n = 0; n < g->n; n++) {
			size_t at = ((size_t)n * (size_t)g->c + (size_t)c) * area;
			for (size_t i = 0; i < area; i++) {
				sum += dy[at + i];
				with_x += (double)dy[at + i] * ((x[at + i] - mean[c]) * rstd[c]);
			}
		}
		dbeta[c] += (float)sum;
		dgamma[c] += (float)with_x;
		float a = (float)(sum / (double)count), b = (float)(with_x / (double)count);
		for (int n = 0; n < g->n; n++) {
			size_t at = ((size_t)n * (size_t)g->c + (size_t)c) * area;
			for (size_t i = 0; i < area; i++)
				dx[at + i] = gamma[c] * rstd[c] *
					     (dy[at + i] - a - (x[at + i] - mean[c]) * rstd[c] * b);
		}
	}
}

/* By running statistics: a scale and a shift. y may be x. */
void tp_batch_norm_plain_running(float *y, const float *x, const float *gamma, const float *beta,
	const float *mean, const float *var, const tp_geo *g, float eps)
{
	size_t area = (size_t)g->h * (size_t)g->w;
	for (int n = 0; n < g->n; n++)
		for (int c = 0; c < g->c; c++) {
			float scale = (float)(gamma[c] / sqrt((double)var[c] + eps));
			for (size_t i = 0; i < area; i++, x++, y++)
				*y = (*x - mean[c]) * scale + beta[c];
		}
}

/* Linear: dx is dy scaled, and may be dy. dgamma and dbeta are added to; without them (a frozen one) x is not read. */
void tp_batch_norm_plain_running_back(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
	const float *gamma, const float *mean, const float *var, const tp_geo *g, float eps)
{
	size_t area = (size_t)g->h * (size_t)g->w;
	for (int c = 0; c < g->c; c++) {
		double rstd = 1 / sqrt((double)var[c] + eps), sum = 0, with_x = 0;
		float scale = (float)(gamma[c] * rstd);
		for (int n = 0; n < g->n; n++) {
			size_t at = ((size_t)n * (size_t)g->c + (size_t)c) * area;
			for (size_t i = at; i < at + area; i++) {
				if (dgamma) {
					sum += dy[i];
					with_x += dy[i] * (((double)x[i] - mean[c]) * rstd);
				}
				dx[i] = dy[i] * scale;
			}
		}
		if (dgamma) {
			dgamma[c] += (float)with_x;
			dbeta[c] += (float)sum;
		}
	}
}
