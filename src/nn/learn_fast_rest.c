/* Linear layers and concatenations of the fast twin. See learn_fast_int.h. */
#include <string.h>

#include "base/mem.h"
#include "nn/learn_fast_int.h"

size_t tp_fast_linear_floats(const tp_lstep *s)
{
	return ((size_t)s->geo.c + 1) * (size_t)s->geo.oc;
}

void tp_fast_linear_forward(tp_learner *l, const tp_lstep *s, tp_share share, int worker)
{
	const tp_geo *g = &s->geo;
	float *y = tp_value_at(l, s->out, share.first);
	for (int k = 0; k < share.n; k++)
		memcpy(y + (size_t)k * (size_t)g->oc, tp_param_at(l, s, 1), (size_t)g->oc * sizeof *y);
	tp_err err = { 0 };
	tp_code rc = tp_gemm(y, tp_value_at(l, s->in[0], share.first), tp_param_at(l, s, 0), share.n, g->oc,
		g->c, false, true, 1, 1, 1, &err);
	if (rc && !l->rc[worker]) {
		l->rc[worker] = rc;
		l->err[worker] = err;
	}
}

void tp_fast_linear_backward(tp_learner *l, int i, tp_share share, int worker)
{
	const tp_lstep *s = &l->step[i];
	const tp_geo *g = &s->geo;
	const fast *f = l->fast;
	const float *dy = tp_grad_at(l, s->out, share.first);
	tp_err err = { 0 };
	tp_code rc = TP_OK;
	if (s->trains) {
		float *dw = tp_fast_slot(l, i, worker), *db = dw + (size_t)g->c * (size_t)g->oc;
		rc = tp_gemm(dw, dy, tp_value_at(l, s->in[0], share.first), g->oc, g->c, share.n, true, false,
			1, 0, 1, &err);
		memset(db, 0, (size_t)g->oc * sizeof *db);
		for (int k = 0; k < share.n; k++)
			f->k->accumulate(db, dy + (size_t)k * (size_t)g->oc, (size_t)g->oc);
	}
	if (!rc && s->want[0])
		rc = tp_gemm(tp_grad_out(l, s, 0, share.first), dy, tp_param_at(l, s, 0), share.n, g->c,
			g->oc, false, false, 1, 0, 1, &err);
	if (rc && !l->rc[worker]) {
		l->rc[worker] = rc;
		l->err[worker] = err;
	}
}

void tp_fast_linear_sum(tp_learner *l, int i, int worker)
{
	const tp_lstep *s = &l->step[i];
	size_t c = (size_t)s->geo.c, oc = (size_t)s->geo.oc, threads = (size_t)l->opts.threads;
	size_t first = oc * (size_t)worker / threads, end = oc * ((size_t)worker + 1) / threads;
	for (int t = 0; t < l->opts.threads; t++) {
		const float *dw = tp_fast_slot_of(l, i, t), *db = dw + c * oc;
		tp_fast_to_slab(l, t, tp_param_grad(l, s, 0) + first * c, dw + first * c, (end - first) * c);
		tp_fast_to_slab(l, t, tp_param_grad(l, s, 1) + first, db + first, end - first);
	}
}

/* A channel's place in a photo of so many channels. */
static size_t channel_at(int c, int area, int block)
{
	return (size_t)(c / block) * (size_t)area * (size_t)block + (size_t)(c % block);
}

/* Copies n channels; whole blocks at once. */
static void copy_channels(
	float *to, int to_channel, const float *from, int from_channel, int n, int area, int block)
{
	if (to_channel % block == 0 && from_channel % block == 0 && n % block == 0) {
		memcpy(to + channel_at(to_channel, area, block), from + channel_at(from_channel, area, block),
			(size_t)n * (size_t)area * sizeof *to);
		return;
	}
	for (int c = 0; c < n; c++) {
		float *t = to + channel_at(to_channel + c, area, block);
		const float *f = from + channel_at(from_channel + c, area, block);
		for (int i = 0; i < area; i++)
			t[(size_t)i * (size_t)block] = f[(size_t)i * (size_t)block];
	}
}

void tp_fast_concat(tp_learner *l, const tp_lstep *s, tp_share share, bool back)
{
	const fast *f = l->fast;
	int area = s->geo.oh * s->geo.ow, block = f->k->block;
	for (int photo = share.first; photo < share.first + share.n; photo++) {
		if (!back && s->geo.oc % block) /* channels past the last */
			memset(tp_value_at(l, s->out, photo), 0, tp_fast_floats(l, s->out) * sizeof(float));
		for (int k = 0, at = 0; k < s->n_in; k++) {
			int n = l->net->v[s->in[k]].channels;
			if (!back)
				copy_channels(tp_value_at(l, s->out, photo), at,
					tp_value_at(l, s->in[k], photo), 0, n, area, block);
			else if (s->want[k])
				copy_channels(tp_grad_out(l, s, k, photo), 0, tp_grad_at(l, s->out, photo),
					at, n, area, block);
			at += n;
		}
	}
}
