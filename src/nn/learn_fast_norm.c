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
		n->sum = tp_alloc_aligned(4 * c * sizeof(double));
		n->mean = tp_alloc_aligned(2 * c * sizeof(float));
		if (!n->sum || !n->mean)
			return tp_nomem(err, c * sizeof(double));
		n->sq = n->sum + c;
		n->all_sum = n->sq + c;
		n->all_sq = n->all_sum + c;
		n->rstd = n->mean + c;
	}
	return TP_OK;
}

void tp_fast_norm_close(fast_norm *n, int threads)
{
	for (int t = 0; n && t < threads; t++) {
		tp_free_aligned(n[t].sum);
		tp_free_aligned(n[t].mean);
	}
	tp_free(n);
}

/* The sums of all threads, added in their order; each thread computes them for itself. */
static void total(const tp_learner *l, fast_norm *n, int c, int worker)
{
	double *sum = n[worker].all_sum, *sq = n[worker].all_sq;
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

void tp_fast_norm_no_sums(tp_learner *l, int i, int worker)
{
	const fast *f = l->fast;
	fast_norm *n = &f->step[i].norm[worker];
	memset(n->sum, 0, (size_t)(n->all_sum - n->sum) * sizeof(double));
}

void tp_fast_norm_sums(tp_learner *l, int i, int worker, int first, int photos)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_norm *n = &f->step[i].norm[worker];
	f->k->norm_sums(
		n->sum, n->sq, tp_value_at(l, s->in[0], first), &s->geo, 0, photos * blocks_of(f, s->geo.c));
}

void tp_fast_norm_apply(tp_learner *l, int i, int worker, int first, int photos)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	tp_norm v = norm_of(l, s, &f->step[i].norm[worker]);
	f->k->norm_apply(tp_value_at(l, s->out, first), tp_value_at(l, s->in[0], first),
		s->n_in == 2 ? tp_value_at(l, s->in[1], first) : NULL, &v, s->act, &s->geo, 0,
		photos * blocks_of(f, s->geo.c));
}

void tp_fast_norm_forward(tp_learner *l, int i, int worker)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	const tp_geo *g = &s->geo;
	fast_norm *n = f->step[i].norm, *mine = &n[worker];
	tp_share share = tp_share_of(l, worker);
	float *mean = tp_param_at(l, s, 2), *var = tp_param_at(l, s, 3);
	if (s->batch_stat) {
		if (s->from < 0 || l->step[s->from].sums != i) {
			tp_fast_norm_no_sums(l, i, worker);
			tp_fast_norm_sums(l, i, worker, share.first, share.n);
		}
		tp_team_barrier(l->team);
		total(l, n, g->c, worker);
		tp_norm_finish(mine->mean, mine->rstd, worker ? NULL : mean, worker ? NULL : var,
			mine->all_sum, mine->all_sq, g->c, count_of(g), s->node->eps, s->momentum);
	} else {
		for (int c = 0; c < g->c; c++) {
			mine->mean[c] = mean[c];
			mine->rstd[c] = (float)(1 / sqrt((double)var[c] + s->node->eps));
		}
	}
	if (!s->late)
		tp_fast_norm_apply(l, i, worker, share.first, share.n);
}

void tp_fast_norm_again(tp_learner *l, const tp_lstep *conv, int worker, int first, int photos)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[conv->from];
	tp_norm v = norm_of(l, s, &f->step[conv->from].norm[worker]);
	f->k->norm_apply(tp_again_at(l, conv, tp_share_of(l, worker).first), tp_value_at(l, s->in[0], first),
		NULL, &v, s->act, &s->geo, 0, photos * blocks_of(f, s->geo.c));
}

/* The output, where the gradient cannot compute it again. */
static const float *output_of(const tp_learner *l, const tp_lstep *s, int photo)
{
	return s->n_in == 2 && s->act ? tp_value_at(l, s->out, photo) : NULL;
}

void tp_fast_norm_back_sums(tp_learner *l, int i, int worker, int first, int photos)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_norm *n = &f->step[i].norm[worker];
	tp_norm v = norm_of(l, s, n);
	f->k->norm_back_sums(n->sum, n->sq, tp_grad_at(l, s->out, first), output_of(l, s, first),
		tp_value_at(l, s->in[0], first), &v, s->act, &s->geo, 0, photos * blocks_of(f, s->geo.c));
}

void tp_fast_norm_back(tp_learner *l, int i, int worker, int first, int photos)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	const fast_norm *n = &f->step[i].norm[worker];
	float *dy = tp_grad_at(l, s->out, first);
	tp_norm v = norm_of(l, s, n);
	float *shortcut = s->n_in == 2 && s->want[1] ? (s->same[1] ? dy : tp_grad_out(l, s, 1, first)) : NULL;
	f->k->norm_back(tp_grad_out(l, s, 0, first), shortcut, dy, output_of(l, s, first),
		tp_value_at(l, s->in[0], first), &v, n->all_sum, n->all_sq, count_of(&s->geo), s->act,
		&s->geo, 0, photos * blocks_of(f, s->geo.c));
}

void tp_fast_norm_backward(tp_learner *l, int i, int worker)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_norm *n = f->step[i].norm, *mine = &n[worker];
	tp_share share = tp_share_of(l, worker);
	bool taken = i + 1 < l->n_steps && l->step[i + 1].back_sums == i;
	if (s->trains && !taken) {
		tp_fast_norm_no_sums(l, i, worker);
		tp_fast_norm_back_sums(l, i, worker, share.first, share.n);
	}
	if (s->trains) {
		tp_team_barrier(l->team);
		tp_fast_met(l, worker);
		total(l, n, s->geo.c, worker);
	}
	float *dgamma = tp_param_grad(l, s, 0), *dbeta = tp_param_grad(l, s, 1);
	for (int c = 0; c < s->geo.c && s->trains && !worker; c++) {
		dgamma[c] = (l->add ? dgamma[c] : 0) + (float)mine->all_sq[c];
		dbeta[c] = (l->add ? dbeta[c] : 0) + (float)mine->all_sum[c];
	}
	if (!s->batch_stat) { /* by running statistics it is linear: the sums are the parameters' alone */
		memset(mine->all_sum, 0, (size_t)s->geo.c * sizeof(double));
		memset(mine->all_sq, 0, (size_t)s->geo.c * sizeof(double));
	}
	if (s->want[0] && !s->late_back)
		tp_fast_norm_back(l, i, worker, share.first, share.n);
}
