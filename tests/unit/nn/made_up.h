/* Made-up weights and pictures, the same ones that the scripts of tests/golden/ compute. */
#ifndef TP_TESTS_MADE_UP_H
#define TP_TESTS_MADE_UP_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "nn/nn.h"

/* A counter hashed to [-0.5, 0.5). */
static inline void made_up_unit(float *out, const char *name, size_t n)
{
	uint32_t seed = 2166136261u;
	for (const char *c = name; *c; c++)
		seed = (seed ^ (uint8_t)*c) * 16777619u;
	for (size_t i = 0; i < n; i++) {
		uint32_t x = (uint32_t)i * 0x9e3779b1u + seed;
		x = (x ^ x >> 16) * 0x85ebca6bu;
		x = (x ^ x >> 13) * 0xc2b2ae35u;
		x ^= x >> 16;
		out[i] = (float)((double)(x >> 8) / 16777216 - 0.5);
	}
}

static inline bool made_up_ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n >= k && !strcmp(s + n - k, end);
}

/* gain: the variance of weights is gain / fan_in. */
static inline void made_up_param(float *v, const tp_net_param *p, double gain)
{
	size_t n = 1, fan_in = 1;
	for (int d = 0; d < p->ndim; d++) {
		n *= (size_t)p->dim[d];
		fan_in *= d ? (size_t)p->dim[d] : 1;
	}
	made_up_unit(v, p->name, n);
	bool around_one = made_up_ends_with(p->name, "running_var") ||
			  (p->ndim == 1 && made_up_ends_with(p->name, ".weight"));
	float scale = p->ndim > 1 ? (float)sqrt(12 * gain / (double)fan_in) : 1;
	for (size_t i = 0; i < n; i++)
		v[i] = around_one ? 1 + v[i] : v[i] * scale;
}

static inline tp_code made_up_weights(tp_weights **out, const tp_net *net, double gain, tp_err *err)
{
	size_t n = tp_net_params(net);
	tp_tensor *t = tp_calloc(n, sizeof *t);
	for (size_t i = 0; i < n; i++) {
		const tp_net_param *p = tp_net_param_at(net, i);
		size_t count = 1;
		for (int d = 0; d < p->ndim; d++)
			count *= (size_t)(t[i].dim[d] = p->dim[d]);
		t[i].name = p->name;
		t[i].ndim = p->ndim;
		t[i].size = count * 4;
		float *v = tp_alloc(t[i].size);
		made_up_param(v, p, gain);
		t[i].data = v;
	}
	tp_code rc = tp_weights_copy(out, t, n, err);
	for (size_t i = 0; i < n; i++)
		tp_free((void *)(uintptr_t)t[i].data);
	tp_free(t);
	return rc;
}

static inline void made_up_photos(float *in, size_t n)
{
	made_up_unit(in, "input", n);
	for (size_t i = 0; i < n; i++)
		in[i] *= 4;
}

/* Largest difference, relative to the largest value. */
static inline double made_up_apart(const float *a, const float *b, size_t n)
{
	double worst = 0, top = 0;
	for (size_t i = 0; i < n; i++) {
		worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
		top = fmax(top, fabs((double)b[i]));
	}
	return worst / top;
}

#endif
