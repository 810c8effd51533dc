/* Weights to begin training with: see nn.h, and each zoo_*.c for its rules. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "nn/net_int.h"
#include "nn/weights_int.h"

/* FNV-1a: every parameter has random numbers of its own, whatever stands beside it. */
static tp_rng stream_of(uint64_t seed, const char *name)
{
	uint64_t h = 14695981039346656037u;
	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 1099511628211u;
	return tp_rng_seed(seed ^ h);
}

static double fan_of(const tp_node *node, const tp_net_param *weight, tp_fan fan)
{
	double in = 1, kernel = 1;
	for (int d = 1; d < weight->ndim; d++) {
		in *= (double)weight->dim[d];
		kernel *= d > 1 ? (double)weight->dim[d] : 1;
	}
	switch (fan) {
	case TP_FAN_IN:
		return in;
	case TP_FAN_OUT:
		return kernel * (double)weight->dim[0];
	case TP_FAN_OUT_OF_GROUP:
		return kernel * (double)weight->dim[0] / node->groups;
	default:
		return 1;
	}
}

static void fill(float *v, size_t n, const tp_filler *f, double fan, tp_rng *r)
{
	double spread = sqrt((double)f->scale / fan);
	memset(v, 0, n * sizeof *v);
	for (size_t i = 0; i < n && spread > 0; i++) {
		double x = f->fill == TP_FILL_UNIFORM ? 2 * tp_rng_unit(r) - 1 : tp_rng_normal(r);
		while (f->fill == TP_FILL_TRUNCATED && fabs(x) > 2)
			x = tp_rng_normal(r);
		v[i] = (float)(spread * x);
	}
}

static size_t count_of(const tp_net_param *p)
{
	size_t n = 1;
	for (int d = 0; d < p->ndim; d++)
		n *= (size_t)p->dim[d];
	return n;
}

/* The first parameter of an op is its weight, the second its bias; a batch-norm has its statistics behind them. */
static void fill_param(float *v, const tp_net *net, const tp_node *node, int which, uint64_t seed)
{
	const tp_net_param *p = &net->param[node->param + which], *weight = &net->param[node->param];
	const tp_init *init = net->arch->init;
	tp_rng r = stream_of(seed, p->name);
	size_t n = count_of(p);
	if (node->kind == TP_OP_BATCH_NORM) { /* weight and variance 1, bias and mean 0 */
		for (size_t i = 0; i < n; i++)
			v[i] = which == 0 || which == 3;
		return;
	}
	const tp_filler *f = node->kind == TP_OP_LINEAR ? (which ? &init->linear_bias : &init->linear)
							: (which ? &init->conv_bias : &init->conv);
	fill(v, n, f, fan_of(node, weight, f->fan), &r);
}

static int params_of(const tp_node *node)
{
	if (node->param < 0)
		return 0;
	return node->kind == TP_OP_BATCH_NORM ? 4 : node->bias ? 2 : 1;
}

tp_code tp_net_init(tp_weights **out, const tp_net *net, uint64_t seed, tp_err *err)
{
	size_t total = 0, at = 0;
	tp_weights *w = tp_calloc(1, sizeof *w);
	if (!w)
		return tp_nomem(err, sizeof *w);
	for (size_t i = 0; i < net->n_params; i++)
		total += count_of(&net->param[i]) * sizeof(float);
	w->heap = tp_alloc(total);
	tp_code rc = w->heap ? TP_OK : tp_nomem(err, total);
	for (int i = 0; i < net->n; i++)
		for (int k = 0; k < params_of(&net->v[i]) && !rc; k++) {
			const tp_net_param *p = &net->param[net->v[i].param + k];
			tp_tensor t = { .name = p->name,
				.dtype = TP_F32,
				.ndim = p->ndim,
				.data = w->heap + at,
				.size = count_of(p) * sizeof(float) };
			memcpy(t.dim, p->dim, sizeof p->dim);
			fill_param((float *)(void *)(w->heap + at), net, &net->v[i], k, seed);
			at += t.size;
			rc = tp_weights_add(w, &t, err);
		}
	if (!rc)
		rc = tp_weights_seal(w, err);
	if (rc) {
		tp_weights_free(w);
		return rc;
	}
	*out = w;
	return TP_OK;
}
