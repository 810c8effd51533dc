/* Calibration: one temperature, and how much to believe that a plant is a known one. See train.h, docs/scores.md. */
#include <math.h>
#include <string.h>

#include "train/train.h"

double tp_nll(const float *logits, const int *y, size_t n, int classes, double temperature)
{
	double loss = 0;
	for (size_t i = 0; i < n; i++) {
		const float *z = logits + i * (size_t)classes;
		double top = z[0], sum = 0;
		for (int c = 1; c < classes; c++)
			top = z[c] > top ? z[c] : top;
		for (int c = 0; c < classes; c++)
			sum += exp((z[c] - top) / temperature);
		loss += log(sum) + (top - z[y[i]]) / temperature;
	}
	return n ? loss / (double)n : 0;
}

/* Golden section over log T in 0.05..20: the loss is convex in 1 / T, so it has one valley. */
double tp_fit_temperature(const float *logits, const int *y, size_t n, int classes)
{
	const double r = 0.6180339887498949;
	double lo = log(0.05), hi = log(20), a = hi - r * (hi - lo), b = lo + r * (hi - lo);
	double fa = tp_nll(logits, y, n, classes, exp(a)), fb = tp_nll(logits, y, n, classes, exp(b));
	if (!n)
		return 1;
	while (hi - lo > 1e-4) {
		if (fa < fb) {
			hi = b;
			b = a;
			fb = fa;
			a = hi - r * (hi - lo);
			fa = tp_nll(logits, y, n, classes, exp(a));
		} else {
			lo = a;
			a = b;
			fa = fb;
			b = lo + r * (hi - lo);
			fb = tp_nll(logits, y, n, classes, exp(b));
		}
	}
	return exp((lo + hi) / 2);
}

/* Newton's method on two parameters, with a whisper of a penalty so that separable data have an end too. */
void tp_fit_logistic(double *a, double *b, const float *s, const uint8_t *known, size_t n)
{
	size_t count[2] = { 0 };
	double p[2] = { 0, 0 };
	for (size_t i = 0; i < n; i++)
		count[known[i] != 0]++;
	for (int step = 0; step < 100 && count[0] && count[1]; step++) {
		double g[2] = { 1e-4 * p[0], 1e-4 * p[1] }, h[3] = { 1e-4, 0, 1e-4 };
		for (size_t i = 0; i < n; i++) {
			double w = 0.5 / (double)count[known[i] != 0], x = s[i];
			double q = 1 / (1 + exp(-(p[0] + p[1] * x))), d = w * (q - (known[i] != 0)),
			       c = w * q * (1 - q);
			g[0] += d;
			g[1] += d * x;
			h[0] += c;
			h[1] += c * x;
			h[2] += c * x * x;
		}
		double det = h[0] * h[2] - h[1] * h[1];
		double da = (h[2] * g[0] - h[1] * g[1]) / det, db = (h[0] * g[1] - h[1] * g[0]) / det;
		double longest = fmax(fabs(da), fabs(db) / 5), cut = longest > 2 ? 2 / longest : 1;
		p[0] -= cut * da;
		p[1] -= cut * db;
		if (longest < 1e-9)
			break;
	}
	*a = p[0];
	*b = p[1];
}

void tp_class_means(float *means, float *centre, const tp_samples *s, const uint8_t *use)
{
	size_t dim = (size_t)s->dim, n = 0;
	memset(means, 0, (size_t)s->classes * dim * sizeof *means);
	memset(centre, 0, dim * sizeof *centre);
	for (size_t i = 0; i < s->n; i++) {
		if (use && !use[s->y[i]])
			continue;
		n++;
		for (size_t k = 0; k < dim; k++)
			centre[k] += s->x[i * dim + k];
	}
	for (size_t k = 0; k < dim; k++)
		centre[k] /= (float)(n ? n : 1);
	/* Directions, not lengths: each photo counts the same for its class. */
	for (size_t i = 0; i < s->n; i++) {
		float *m = means + (size_t)s->y[i] * dim;
		double sq = 0;
		if (use && !use[s->y[i]])
			continue;
		for (size_t k = 0; k < dim; k++)
			sq += (double)(s->x[i * dim + k] - centre[k]) * (s->x[i * dim + k] - centre[k]);
		for (size_t k = 0; k < dim && sq > 0; k++)
			m[k] += (s->x[i * dim + k] - centre[k]) / (float)sqrt(sq);
	}
	for (int c = 0; c < s->classes; c++) {
		float *m = means + (size_t)c * dim;
		double sq = 0;
		for (size_t k = 0; k < dim; k++)
			sq += (double)m[k] * m[k];
		for (size_t k = 0; k < dim && sq > 0; k++)
			m[k] /= (float)sqrt(sq);
	}
}

float tp_nearest_mean(const float *f, const float *means, const float *centre, int dim, int classes)
{
	double norm = 0, best = -1;
	for (int k = 0; k < dim; k++)
		norm += (double)(f[k] - centre[k]) * (f[k] - centre[k]);
	if (!(norm > 0))
		return 0;
	for (int c = 0; c < classes; c++) {
		const float *m = means + (size_t)c * (size_t)dim;
		double sum = 0;
		for (int k = 0; k < dim; k++)
			sum += (double)(f[k] - centre[k]) * m[k];
		best = fmax(best, sum / sqrt(norm));
	}
	return (float)best;
}
