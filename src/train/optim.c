/* Optimisers: see optim.h. The groups are cut into pieces of a fixed size, which threads share out: a piece's sum of
 * squares does not depend on who computes it, and the sums are added in the order of the slab. Arithmetic is float in
 * PyTorch's order, scalars are double until they meet an array, as PyTorch's are. */
#include "train/optim.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "base/par.h"

enum { PIECE = 1 << 16 }; /* floats: 256 KB of weights, and as much of gradients, stay in a core's cache */

typedef struct {
	size_t group, offset, count;
	double squares; /* of its gradients */
} piece;

struct tp_optim {
	tp_optim_opts opts;
	const tp_param_group *groups;
	size_t n_groups, n;
	piece *pieces;
	size_t n_pieces;
	float *state;                        /* the slab; what follows points into it */
	float *first, *second, *group_steps; /* momentum or exp_avg, exp_avg_sq; NULL when there is none */
	uint64_t step;
};

static tp_code check_options(const tp_optim_opts *o, tp_err *err)
{
	if (!(o->momentum >= 0 && o->momentum < 1))
		return tp_fail(err, TP_EINVAL, "momentum is %g, not in [0, 1)", o->momentum);
	if (o->kind == TP_SGD && o->nesterov && o->momentum == 0)
		return tp_fail(err, TP_EINVAL, "Nesterov's step needs a momentum");
	if (!(o->beta1 >= 0 && o->beta1 < 1))
		return tp_fail(err, TP_EINVAL, "beta1 is %g, not in [0, 1)", o->beta1);
	if (!(o->beta2 >= 0 && o->beta2 < 1))
		return tp_fail(err, TP_EINVAL, "beta2 is %g, not in [0, 1)", o->beta2);
	if (!(o->eps > 0))
		return tp_fail(err, TP_EINVAL, "eps is %g, not above 0", o->eps);
	if (!(o->clip_norm >= 0))
		return tp_fail(err, TP_EINVAL, "the norm to clip at is %g, below 0", o->clip_norm);
	return TP_OK;
}

/* Checks the table and counts the pieces it will be cut into. */
static tp_code check_groups(
	size_t *n_pieces, size_t n, const tp_param_group *groups, size_t n_groups, tp_err *err)
{
	size_t end = 0;
	*n_pieces = 0;
	for (size_t i = 0; i < n_groups; i++) {
		const tp_param_group *p = &groups[i];
		if (p->offset < end || p->offset > n || p->count > n - p->offset)
			return tp_fail(err, TP_EINVAL,
				"group %s: %zu floats at %zu, after %zu and within %zu", p->name, p->count,
				p->offset, end, n);
		if (!(p->lr_scale >= 0 && p->weight_decay >= 0))
			return tp_fail(err, TP_EINVAL,
				"group %s: learning rate scale %g or weight decay %g is below 0", p->name,
				p->lr_scale, p->weight_decay);
		end = p->offset + p->count;
		*n_pieces += p->count / PIECE + (p->count % PIECE != 0);
	}
	return TP_OK;
}

static void cut(tp_optim *o)
{
	size_t k = 0;
	for (size_t i = 0; i < o->n_groups; i++)
		for (size_t at = 0; at < o->groups[i].count; at += PIECE) {
			size_t left = o->groups[i].count - at;
			o->pieces[k++] = (piece){ .group = i,
				.offset = o->groups[i].offset + at,
				.count = left < PIECE ? left : PIECE };
		}
	assert(k == o->n_pieces);
}

/* Floats remembered of each parameter. */
static size_t arrays_of(const tp_optim_opts *o)
{
	return o->kind == TP_ADAMW ? 2 : o->momentum > 0 ? 1 : 0;
}

tp_code tp_optim_new(tp_optim **out, size_t n, const tp_param_group *groups, size_t n_groups,
	const tp_optim_opts *opts, tp_err *err)
{
	size_t n_pieces, arrays = arrays_of(opts), total = arrays * n + n_groups;
	tp_code rc = check_options(opts, err);
	if (!rc)
		rc = check_groups(&n_pieces, n, groups, n_groups, err);
	if (rc)
		return rc;
	tp_optim *o = tp_calloc(1, sizeof *o);
	if (!o)
		return tp_nomem(err, sizeof *o);
	*o = (tp_optim){
		.opts = *opts, .groups = groups, .n_groups = n_groups, .n = n, .n_pieces = n_pieces
	};
	o->pieces = tp_calloc(n_pieces ? n_pieces : 1, sizeof *o->pieces);
	o->state = tp_alloc_aligned((total ? total : 1) * sizeof *o->state);
	if (!o->pieces || !o->state) {
		tp_optim_free(o);
		return tp_nomem(err, total * sizeof *o->state);
	}
	o->first = arrays > 0 ? o->state : NULL;
	o->second = arrays > 1 ? o->state + n : NULL;
	o->group_steps = o->state + arrays * n;
	cut(o);
	*out = o;
	return TP_OK;
}

void tp_optim_free(tp_optim *o)
{
	if (!o)
		return;
	tp_free(o->pieces);
	tp_free_aligned(o->state);
	tp_free(o);
}

tp_optim_view tp_optim_state(tp_optim *o)
{
	tp_optim_view v = { .step = &o->step };
	bool adam = o->opts.kind == TP_ADAMW;
	if (o->first) {
		v.array[v.len].name = adam ? "exp_avg" : "momentum";
		v.array[v.len].n = o->n;
		v.array[v.len++].v = o->first;
	}
	if (o->second) {
		v.array[v.len].name = "exp_avg_sq";
		v.array[v.len].n = o->n;
		v.array[v.len++].v = o->second;
	}
	v.array[v.len].name = "group_steps";
	v.array[v.len].n = o->n_groups;
	v.array[v.len++].v = o->group_steps;
	return v;
}

/* ---- the gradient's norm ------------------------------------------------------------------------------------ */

typedef struct {
	tp_optim *o;
	float *w;
	const float *g;
	double lr;
	float clip; /* what gradients are multiplied with */
} step;

/* Of floats, in double: no sum of finite squares can overflow, so the sum is finite when all gradients are. */
static double squares(const float *g, size_t n)
{
	double lane[8] = { 0 }, sum = 0;
	size_t i = 0;
	for (; i + 8 <= n; i += 8)
		for (size_t k = 0; k < 8; k++)
			lane[k] += (double)g[i + k] * g[i + k];
	for (; i < n; i++)
		sum += (double)g[i] * g[i];
	for (size_t k = 0; k < 8; k++)
		sum += lane[k];
	return sum;
}

static tp_code measure_piece(void *ud, size_t i, int worker, tp_err *err)
{
	step *s = ud;
	piece *p = &s->o->pieces[i];
	(void)worker;
	(void)err;
	p->squares = s->o->groups[p->group].frozen ? 0 : squares(s->g + p->offset, p->count);
	return TP_OK;
}

static tp_code check_finite(const tp_optim *o, double loss, tp_err *err)
{
	unsigned long long at = (unsigned long long)o->step + 1; /* the one under way, as the log counts */
	const char *name = NULL;
	for (size_t i = 0; i < o->n_pieces && !name; i++)
		if (!isfinite(o->pieces[i].squares))
			name = o->groups[o->pieces[i].group].name;
	if (!isfinite(loss))
		return tp_fail(err, TP_EINVAL, "step %llu: the loss is %g, and the first gradient like it %s",
			at, fabs(loss), name ? name : "none");
	return name ? tp_fail(err, TP_EINVAL, "step %llu: the gradient of %s is not finite", at, name)
		    : TP_OK;
}

/* ---- the updates -------------------------------------------------------------------------------------------- */

static void sgd(float *restrict w, const float *restrict g, size_t n, float clip, float decay, float lr)
{
	for (size_t i = 0; i < n; i++)
		w[i] -= lr * (g[i] * clip + decay * w[i]);
}

/* The step is the momentum, or with Nesterov where the momentum would be after one more step. */
static void sgd_momentum(float *restrict w, const float *restrict g, float *restrict m, size_t n, float clip,
	float decay, float lr, float momentum, bool nesterov)
{
	float of_d = nesterov ? 1 : 0, of_m = nesterov ? momentum : 1;
	for (size_t i = 0; i < n; i++) {
		float d = g[i] * clip + decay * w[i];
		m[i] = momentum * m[i] + d;
		w[i] -= lr * (of_d * d + of_m * m[i]);
	}
}

typedef struct {
	float keep; /* of the weight, after decay */
	float beta1, rest1, beta2, rest2, root2, eps, size;
} adam_rates;

static adam_rates adam_at(const tp_optim_opts *o, double lr, double decay, double t)
{
	return (adam_rates){
		.keep = (float)(1 - lr * decay),
		.beta1 = (float)o->beta1,
		.rest1 = (float)(1 - o->beta1),
		.beta2 = (float)o->beta2,
		.rest2 = (float)(1 - o->beta2),
		.root2 = (float)sqrt(1 - pow(o->beta2, t)),
		.eps = (float)o->eps,
		.size = (float)(lr / (1 - pow(o->beta1, t))),
	};
}

static void adamw(float *restrict w, const float *restrict g, float *restrict m, float *restrict v, size_t n,
	float clip, adam_rates r)
{
	for (size_t i = 0; i < n; i++) {
		float d = g[i] * clip;
		m[i] = r.beta1 * m[i] + r.rest1 * d;
		v[i] = r.beta2 * v[i] + r.rest2 * d * d;
		w[i] = r.keep * w[i] - r.size * m[i] / (sqrtf(v[i]) / r.root2 + r.eps);
	}
}

static tp_code update_piece(void *ud, size_t i, int worker, tp_err *err)
{
	const step *s = ud;
	const tp_optim *o = s->o;
	const piece *p = &o->pieces[i];
	const tp_param_group *group = &o->groups[p->group];
	float *w = s->w + p->offset;
	const float *g = s->g + p->offset;
	double lr = s->lr * group->lr_scale;
	(void)worker;
	(void)err;
	if (group->frozen)
		return TP_OK;
	if (o->opts.kind == TP_ADAMW)
		adamw(w, g, o->first + p->offset, o->second + p->offset, p->count, s->clip,
			adam_at(&o->opts, lr, group->weight_decay, (double)o->group_steps[p->group] + 1));
	else if (o->first)
		sgd_momentum(w, g, o->first + p->offset, p->count, s->clip, (float)group->weight_decay,
			(float)lr, (float)o->opts.momentum, o->opts.nesterov);
	else
		sgd(w, g, p->count, s->clip, (float)group->weight_decay, (float)lr);
	return TP_OK;
}

tp_code tp_optim_step(
	tp_optim *o, float *w, const float *g, double loss, double lr, double *norm, tp_err *err)
{
	step s = { .o = o, .w = w, .g = g, .lr = lr, .clip = 1 };
	double sum = 0, limit = o->opts.clip_norm;
	tp_code rc = tp_par_for(o->n_pieces, o->opts.threads, measure_piece, &s, err);
	if (!rc)
		rc = check_finite(o, loss, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < o->n_pieces; i++)
		sum += o->pieces[i].squares;
	if (limit > 0 && limit < sqrt(sum) + 1e-6) /* PyTorch's guard against a norm of 0 */
		s.clip = (float)(limit / (sqrt(sum) + 1e-6));
	rc = tp_par_for(o->n_pieces, o->opts.threads, update_piece, &s, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < o->n_groups; i++)
		o->group_steps[i] += o->groups[i].frozen ? 0 : 1;
	o->step++;
	if (norm)
		*norm = sqrt(sum);
	return TP_OK;
}
