/* Running a plan: see nn.h. One arena and, for the fast twin, one scratchpad a worker; nothing is allocated here
 * once it is made. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "nn/plan_int.h"

tp_code tp_exec_new(tp_exec **out, const tp_plan *p, tp_err *err)
{
	tp_exec *x = tp_calloc(1, sizeof *x);
	if (!x)
		return tp_nomem(err, sizeof *x);
	tp_code rc = TP_OK;
	x->plan = p;
	x->arena = tp_alloc_aligned(p->arena_bytes);
	if (!x->arena)
		rc = tp_nomem(err, p->arena_bytes);
	if (!rc && p->fast)
		rc = tp_fast_exec_new(&x->fast, p, x->arena, err);
	if (rc) {
		tp_exec_free(x);
		return rc;
	}
	*out = x;
	return TP_OK;
}

void tp_exec_free(tp_exec *x)
{
	if (!x)
		return;
	tp_fast_exec_free(x->fast);
	tp_free_aligned(x->arena);
	tp_free(x);
}

static float *at(const tp_exec *x, int piece)
{
	return (float *)(void *)(x->arena + x->plan->piece[piece].offset);
}

static void run_plain_step(const tp_exec *x, const tp_step *s, const float *in)
{
	const float *src = s->src < 0 ? in : at(x, s->src);
	const tp_conv_geo *g = &s->geo;
	float *dst = at(x, s->dst);
	if (s->kind == TP_OP_AVG_POOL) {
		tp_avg_pool_plain(dst, src, g->n * g->c, g->h * g->w);
	} else if (s->kind == TP_OP_LINEAR) {
		tp_linear_plain(dst, src, s->w, s->b, g->n, g->c, g->oc);
	} else {
		size_t n = (size_t)g->n * (size_t)g->oc * (size_t)tp_same_out(g->h, g->stride) *
			   (size_t)tp_same_out(g->w, g->stride);
		/* With a shortcut dst holds it: the sum goes to a piece of its own first. */
		float *y = s->add >= 0 ? at(x, x->plan->spare) : dst;
		tp_conv_plain(y, src, s->w, s->b, g);
		if (s->add >= 0)
			tp_add_plain(dst, y, dst, n);
		if (s->relu6)
			tp_relu6_plain(dst, dst, n);
	}
}

tp_code tp_exec_run(tp_exec *x, const float *in, float *features, float *logits, tp_err *err)
{
	const tp_plan *p = x->plan;
	size_t n = (size_t)p->opts.batch;
	assert(!logits || p->logits >= 0);
	if (x->fast) {
		tp_code rc = tp_fast_run(x->fast, p, x->arena, in, err);
		if (rc)
			return rc;
	} else {
		for (int i = 0; i < p->n_steps; i++)
			run_plain_step(x, &p->step[i], in);
	}
	if (features)
		memcpy(features, at(x, p->features), n * (size_t)p->n_features * sizeof *features);
	if (logits)
		memcpy(logits, at(x, p->logits), n * (size_t)p->n_classes * sizeof *logits);
	return TP_OK;
}
