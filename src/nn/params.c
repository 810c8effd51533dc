/* The floats of a network in slabs: see learn.h. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "nn/learn.h"
#include "nn/net_int.h"

/* Each parameter begins at a cache line, so that threads never share one. */
enum { ALIGN = 16 };

static size_t count_of(const tp_net_param *p)
{
	size_t n = 1;
	for (int d = 0; d < p->ndim; d++)
		n *= (size_t)p->dim[d];
	return n;
}

static bool is_variance(const char *name)
{
	size_t n = strlen(name), k = strlen("running_var");
	return n > k && !strcmp(name + n - k, "running_var");
}

tp_code tp_params_init(tp_params *p, const tp_net *net, tp_err *err)
{
	size_t n = 0, n_buf = 0;
	*p = (tp_params){ .net = net, .off = tp_calloc(net->n_params, sizeof(size_t)) };
	if (!p->off)
		return tp_nomem(err, net->n_params * sizeof(size_t));
	for (size_t i = 0; i < net->n_params; i++) {
		size_t *end = net->param[i].buffer ? &n_buf : &n;
		p->off[i] = *end;
		*end += (count_of(&net->param[i]) + ALIGN - 1) / ALIGN * ALIGN;
	}
	p->n = n;
	p->n_buf = n_buf;
	p->w = tp_alloc_aligned(n * sizeof(float));
	p->g = tp_alloc_aligned(n * sizeof(float));
	p->buf = tp_alloc_aligned((n_buf + 1) * sizeof(float));
	if (!p->w || !p->g || !p->buf) {
		tp_params_dispose(p);
		return tp_nomem(err, n * sizeof(float));
	}
	memset(p->w, 0, n * sizeof(float));
	memset(p->g, 0, n * sizeof(float));
	memset(p->buf, 0, n_buf * sizeof(float));
	for (size_t i = 0; i < net->n_params; i++)
		for (size_t k = 0; k < count_of(&net->param[i]) && is_variance(net->param[i].name); k++)
			p->buf[p->off[i] + k] = 1;
	return TP_OK;
}

void tp_params_dispose(tp_params *p)
{
	tp_free_aligned(p->w);
	tp_free_aligned(p->g);
	tp_free_aligned(p->buf);
	tp_free(p->off);
	*p = (tp_params){ 0 };
}

tp_code tp_params_load(tp_params *p, const tp_weights *w, bool skip_classifier, tp_err *err)
{
	tp_code rc = TP_OK;
	for (size_t i = 0; i < p->net->n_params && !rc; i++) {
		const tp_net_param *q = &p->net->param[i];
		const tp_tensor *t = tp_weights_find(w, q->name);
		if (skip_classifier && q->stage == p->net->n_stages - 1)
			continue;
		if (!t)
			return tp_fail(err, TP_EFORMAT, "tensor \"%s\" of %s is missing", q->name,
				p->net->arch->name);
		bool same = t->ndim == q->ndim;
		for (int d = 0; same && d < q->ndim; d++)
			same = t->dim[d] == q->dim[d];
		if (!same)
			return tp_fail(err, TP_EFORMAT, "tensor \"%s\" has another shape than %s has",
				q->name, p->net->arch->name);
		rc = tp_tensor_floats((q->buffer ? p->buf : p->w) + p->off[i], count_of(q), t, err);
	}
	return rc;
}

tp_code tp_params_copy(tp_weights **out, const tp_params *p, tp_err *err)
{
	tp_tensor *t = tp_calloc(p->net->n_params, sizeof *t);
	if (!t)
		return tp_nomem(err, p->net->n_params * sizeof *t);
	for (size_t i = 0; i < p->net->n_params; i++) {
		const tp_net_param *q = &p->net->param[i];
		t[i] = (tp_tensor){ .name = q->name,
			.dtype = TP_F32,
			.ndim = q->ndim,
			.data = (q->buffer ? p->buf : p->w) + p->off[i],
			.size = count_of(q) * sizeof(float) };
		memcpy(t[i].dim, q->dim, sizeof q->dim);
	}
	tp_code rc = tp_weights_copy(out, t, p->net->n_params, err);
	tp_free(t);
	return rc;
}
