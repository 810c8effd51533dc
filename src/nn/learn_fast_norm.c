/* Batch-norms of the fast twin, with the shortcut and the activation behind them. See learn_fast_int.h. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "nn/learn_fast_int.h"

tp_code tp_fast_norm_open(tp_learner *l, int i, tp_err *err)
{
	fast *f = l->fast;
	size_t c = (size_t)blocks_of(f, l->step[i].geo.c) * (size_t)f->k->block;
	f->step[i].norm = tp_calloc((size_t)l->opts.threads, sizeof(fast_norm));
	if (!f->step[i].norm)
		return tp_nomem(err, sizeof(fast_norm));
	for (int t = 0; t < l->opts.threads; t++) {
		fast_norm *n = &f->step[i].norm[t];
		n->sum = tp_alloc_aligned(c * sizeof(double));
		n->sq = tp_alloc_aligned(c * sizeof(double));
		n->mean = tp_alloc_aligned(c * sizeof(float));
		n->rstd = tp_alloc_aligned(c * sizeof(float));
		if (!n->sum || !n->sq || !n->mean || !n->rstd)
			return tp_nomem(err, c * sizeof(double));
	}
	return TP_OK;
}

/* The sums of all threads, added in their order; each thread computes them for itself. */
static void total(const tp_learner *l, const fast_norm *n, int c, double *sum, double *sq)
{
	for (int k = 0; k < c; k++) {
		sum[k] = sq[k] = 0;
		for (int t = 0; t < l->opts.threads; t++) {
			sum[k] += n[t].sum[k];
			sq[k] += n[t].sq[k];
		}
	}
}

static tp_norm norm_of(const tp_learner *l, const tp_lstep *s, const fast_norm *n)
{
	return (tp_norm){
		.mean = n->mean, .rstd = n->rstd, .gamma = tp_param_at(l, s, 0), .beta = tp_param_at(l, s, 1)
	};
}

static double count_of(const tp_geo *g)
{
	return (double)g->n * g->h * g->w;
}

void tp_fast_norm_forward(tp_learner *l, int i, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	const tp_geo *g = &s->geo;
	fast_norm *n = f->step[i].norm, *mine = &n[worker];
	tp_share share = tp_share_of(l, worker);
	int b = blocks_of(f, g->c), end = share.n * b;
	const float *x = tp_value_at(l, s->in[0], share.first);
	float *mean = tp_param_at(l, s, 2), *var = tp_param_at(l, s, 3);
	if (s->batch_stat) {
		double *sum = (double *)(void *)f->scratch[worker], *sq = sum + b * f->k->block;
		memset(mine->sum, 0, (size_t)(b * f->k->block) * sizeof(double));
		memset(mine->sq, 0, (size_t)(b * f->k->block) * sizeof(double));
		f->k->norm_sums(mine->sum, mine->sq, x, g, 0, end);
		tp_team_barrier(l->team);
		total(l, n, g->c, sum, sq);
		tp_norm_finish(mine->mean, mine->rstd, worker ? NULL : mean, worker ? NULL : var, sum, sq,
			g->c, count_of(g), s->node->eps, s->momentum);
	} else {
		for (int c = 0; c < g->c; c++) {
			mine->mean[c] = mean[c];
			mine->rstd[c] = (float)(1 / sqrt((double)var[c] + s->node->eps));
		}
	}
	tp_norm v = norm_of(l, s, mine);
	f->k->norm_apply(tp_value_at(l, s->out, share.first), x,
		s->n_in == 2 ? tp_value_at(l, s->in[1], share.first) : NULL, &v, s->act, g, 0, end);
}

/* What a convolution read, computed once more from the batch-norm's input: keeping it would cost more memory than this
 * costs time. */
void tp_fast_norm_again(tp_learner *l, const tp_lstep *conv, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[conv->from];
	tp_share share = tp_share_of(l, worker);
	tp_norm v = norm_of(l, s, &f->step[conv->from].norm[worker]);
	f->k->norm_apply(tp_again_at(l, conv, share.first), tp_value_at(l, s->in[0], share.first), NULL, &v,
		s->act, &s->geo, 0, share.n * blocks_of(f, s->geo.c));
}

void tp_fast_norm_backward(tp_learner *l, int i, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	const tp_geo *g = &s->geo;
	fast_norm *n = f->step[i].norm, *mine = &n[worker];
	tp_share share = tp_share_of(l, worker);
	int b = blocks_of(f, g->c), end = share.n * b;
	const float *x = tp_value_at(l, s->in[0], share.first);
	float *dy = tp_grad_at(l, s->out, share.first);
	const float *y = s->n_in == 2 && s->act ? tp_value_at(l, s->out, share.first) : NULL;
	double *sum = (double *)(void *)f->scratch[worker], *with_x = sum + b * f->k->block;
	tp_norm v = norm_of(l, s, mine);
	memset(sum, 0, (size_t)(2 * b * f->k->block) * sizeof(double));
	if (s->trains) {
		memset(mine->sum, 0, (size_t)(b * f->k->block) * sizeof(double));
		memset(mine->sq, 0, (size_t)(b * f->k->block) * sizeof(double));
		f->k->norm_back_sums(mine->sum, mine->sq, dy, y, x, &v, s->act, g, 0, end);
		tp_team_barrier(l->team);
		total(l, n, g->c, sum, with_x);
	}
	for (int c = 0; c < g->c && s->trains && !worker; c++) {
		tp_param_grad(l, s, 0)[c] += (float)with_x[c];
		tp_param_grad(l, s, 1)[c] += (float)sum[c];
	}
	float *shortcut =
		s->n_in == 2 && s->want[1] ? (s->same[1] ? dy : tp_grad_out(l, s, 1, share.first)) : NULL;
	if (!s->batch_stat) /* by running statistics it is linear: the sums are the parameters' alone */
		memset(sum, 0, (size_t)(2 * b * f->k->block) * sizeof(double));
	if (s->want[0])
		f->k->norm_back(tp_grad_out(l, s, 0, share.first), shortcut, dy, y, x, &v, sum, with_x,
			count_of(g), s->act, g, 0, end);
}
