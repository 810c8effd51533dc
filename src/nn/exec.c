/* Running a plan: see nn.h and plan_int.h. One arena and, for the fast twin, one scratchpad a thread; nothing is
 * allocated here once they are made, but for the threads a batch is shared out to. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "nn/plan_int.h"

static tp_code worker_init(tp_worker *w, const tp_plan *p, tp_err *err)
{
	w->arena = tp_alloc_aligned(p->arena_bytes);
	if (!w->arena)
		return tp_nomem(err, p->arena_bytes);
	return p->fast ? tp_fast_exec_new(&w->fast, p, w->arena, err) : TP_OK;
}

tp_code tp_exec_new(tp_exec **out, const tp_plan *p, tp_err *err)
{
	tp_exec *x = tp_calloc(1, sizeof *x);
	if (!x)
		return tp_nomem(err, sizeof *x);
	tp_code rc = TP_OK;
	int batch = p->opts.batch, threads = p->opts.threads;
	x->plan = p;
	x->n_workers = batch < threads ? batch : threads;
	if (batch == 1)
		x->n_workers = 1;
	x->worker = tp_calloc((size_t)x->n_workers, sizeof *x->worker);
	x->features = tp_alloc_aligned((size_t)batch * (size_t)p->n_features * sizeof *x->features);
	if (!x->worker || !x->features)
		rc = tp_nomem(err, (size_t)batch * (size_t)p->n_features * sizeof *x->features);
	for (int i = 0; i < x->n_workers && !rc; i++)
		rc = worker_init(&x->worker[i], p, err);
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
	for (int i = 0; x->worker && i < x->n_workers; i++) {
		tp_fast_exec_free(x->worker[i].fast);
		tp_free_aligned(x->worker[i].arena);
	}
	tp_free(x->worker);
	tp_free_aligned(x->features);
	tp_free(x);
}

static void run_plain_conv(const tp_plan *p, uint8_t *arena, const tp_step *s, const float *src, float *dst)
{
	size_t n = (size_t)s->geo.oc * (size_t)s->geo.oh * (size_t)s->geo.ow;
	/* With a shortcut dst holds it: the convolution goes to a piece of its own first. */
	float *y = s->add >= 0 ? tp_piece_at(p, arena, p->spare) : dst;
	tp_conv_plain(y, src, s->w, s->b, &s->geo);
	if (s->add >= 0)
		tp_add_plain(dst, y, dst, n);
}

static void run_plain_step(const tp_plan *p, uint8_t *arena, const tp_step *s, const float *in)
{
	const tp_geo *g = &s->geo;
	const float *src = s->src < 0 ? in : tp_piece_at(p, arena, s->src);
	float *dst = tp_piece_at(p, arena, s->dst);
	size_t area = (size_t)g->oh * (size_t)g->ow, n = (size_t)g->oc * area;
	switch (s->kind) {
	case TP_OP_CONV:
		run_plain_conv(p, arena, s, src, dst);
		break;
	case TP_OP_MAX_POOL:
		tp_max_pool_plain(dst, src, g);
		break;
	case TP_OP_AVG_POOL:
		tp_avg_pool_plain(dst, src, g);
		break;
	case TP_OP_GLOBAL_POOL:
		tp_global_pool_plain(dst, src, g->c, g->h * g->w);
		break;
	case TP_OP_ADD:
		tp_add_plain(dst, src, tp_piece_at(p, arena, s->add), n);
		break;
	case TP_OP_CONCAT:
		memcpy(dst + (size_t)s->at * area, src, (size_t)g->c * area * sizeof *dst);
		break;
	default:
		(s->kind == TP_OP_RELU ? tp_relu_plain : tp_relu6_plain)(dst, src, n);
	}
	if (s->act == TP_ACT_RELU)
		tp_relu_plain(dst, dst, n);
	else if (s->act == TP_ACT_RELU6)
		tp_relu6_plain(dst, dst, n);
}

typedef struct {
	tp_exec *x;
	const float *in;
} run;

static tp_code run_photo(void *ud, size_t i, int worker, tp_err *err)
{
	run *r = ud;
	const tp_plan *p = r->x->plan;
	tp_worker *w = &r->x->worker[worker];
	size_t image = 3 * (size_t)p->opts.side * (size_t)p->opts.side, f = (size_t)p->n_features;
	const float *in = r->in + i * image;
	tp_code rc = TP_OK;
	if (w->fast)
		rc = tp_fast_run(w->fast, p, w->arena, in, err);
	else
		for (int k = 0; k < p->n_steps; k++)
			run_plain_step(p, w->arena, &p->step[k], in);
	if (!rc)
		memcpy(r->x->features + i * f, tp_piece_at(p, w->arena, p->features), f * sizeof(float));
	return rc;
}

tp_code tp_exec_run(tp_exec *x, const float *in, float *features, float *logits, tp_err *err)
{
	const tp_plan *p = x->plan;
	size_t n = (size_t)p->opts.batch;
	run r = { x, in };
	assert(!logits || p->head_w);
	tp_code rc = TP_OK;
	if (x->n_workers > 1)
		rc = tp_par_for(n, x->n_workers, run_photo, &r, err);
	else
		for (size_t i = 0; i < n && !rc; i++)
			rc = run_photo(&r, i, 0, err);
	if (rc)
		return rc;
	if (features)
		memcpy(features, x->features, n * (size_t)p->n_features * sizeof *features);
	if (logits)
		tp_linear_plain(
			logits, x->features, p->head_w, p->head_b, (int)n, p->n_features, p->n_classes);
	return TP_OK;
}
