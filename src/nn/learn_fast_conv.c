/* Convolutions of the fast twin: oneDNN's primitives, Winograd's kernels, the depthwise weight gradient. See
 * learn_fast_int.h. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "nn/learn_fast_int.h"

static dnnl_status_t describe(conv_size *z, tp_md *w, const fast *f, const tp_lstep *s, int photos,
	bool from_input, dnnl_format_tag_t w_tag)
{
	const tp_geo *g = &s->geo;
	bool grouped = g->groups > 1;
	dnnl_dims_t src = { photos, g->c, g->h, g->w }, dst = { photos, g->oc, g->oh, g->ow }, b = { g->oc };
	dnnl_dims_t wd = { g->oc, g->c, g->kh, g->kw };
	dnnl_dims_t wg = { g->groups, g->oc / g->groups, g->c / g->groups, g->kh, g->kw };
	dnnl_status_t rc = tp_md_init(&z->src, 4, src, from_input ? dnnl_nchw : f->tag);
	if (!rc)
		rc = tp_md_init(&z->dst, 4, dst, f->tag);
	if (!rc)
		rc = tp_md_init(&z->bias, 1, b, dnnl_x);
	if (!rc)
		rc = tp_md_init(w, grouped ? 5 : 4, grouped ? wg : wd, w_tag);
	return rc;
}

/* The primitives for `photos` photos. The weights' layout is the library's choice for the first size, and the same for
 * the second. */
static dnnl_status_t make_size(fast *f, fast_conv *c, int which, const tp_lstep *s, bool from_input)
{
	conv_size *z = &c->size[which];
	tp_md any = { 0 };
	dnnl_status_t rc = describe(z, &any, f, s, f->photos[which], from_input, dnnl_format_tag_any);
	for (int pass = 0; pass < PASSES && !rc; pass++) {
		bool wanted = pass == FORWARD || (pass == DATA ? s->want[0] : s->trains && !c->depthwise);
		tp_cmd laid = which && c->size[0].pd[pass]
				      ? dnnl_primitive_desc_query_md(c->size[0].pd[pass],
						pass == WEIGHTS ? dnnl_query_diff_weights_md
								: dnnl_query_weights_md,
						0)
				      : TP_CMD(&any);
		if (!wanted)
			continue;
		rc = tp_conv_train_pd(&z->pd[pass], f->engine, (tp_pass)pass, TP_CMD(&z->src), laid,
			s->node->bias && pass != DATA ? TP_CMD(&z->bias) : NULL, TP_CMD(&z->dst), &s->geo,
			z->pd[FORWARD]);
		if (!rc && !c->wino[pass])
			rc = dnnl_primitive_create(&z->prim[pass], z->pd[pass]);
		if (rc)
			break;
		if (c->wino[pass])
			continue;
		const char *impl = "?";
		dnnl_primitive_desc_query(z->pd[pass], dnnl_query_impl_info_str, 0, (void *)&impl);
		snprintf(c->impl[pass], sizeof c->impl[pass], "%s", impl);
		tp_cmd scratch = dnnl_primitive_desc_query_md(z->pd[pass], dnnl_query_scratchpad_md, 0);
		grow(&f->scratch_bytes, scratch ? dnnl_memory_desc_get_size(scratch) : 0);
	}
	tp_md_free(&any);
	return rc;
}

/* What the larger of the two layouts takes: only one of them is needed at a time. */
static size_t laid_bytes(const fast_conv *c)
{
	size_t most = 0;
	for (int pass = FORWARD; pass <= DATA; pass++)
		if (c->size[0].pd[pass])
			grow(&most, dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(
					    c->size[0].pd[pass], dnnl_query_weights_md, 0)));
	return most;
}

/* Memories and reorders between the slab's rows and what a pass wants. */
static dnnl_status_t make_layouts(fast *f, fast_conv *c, const tp_lstep *s, float *w)
{
	const tp_geo *g = &s->geo;
	bool grouped = g->groups > 1;
	dnnl_dims_t wd = { g->oc, g->c, g->kh, g->kw };
	dnnl_dims_t wg = { g->groups, g->oc / g->groups, g->c / g->groups, g->kh, g->kw };
	dnnl_status_t rc =
		tp_md_init(&c->w_plain, grouped ? 5 : 4, grouped ? wg : wd, grouped ? dnnl_goihw : dnnl_oihw);
	if (!rc)
		rc = dnnl_memory_create(&c->plain, TP_CMD(&c->w_plain), f->engine, w);
	if (!rc) /* its place is set when a thread needs it */
		rc = dnnl_memory_create(&c->grad_plain, TP_CMD(&c->w_plain), f->engine, w);
	for (int pass = 0; pass < PASSES && !rc; pass++) {
		if (!c->size[0].pd[pass] || c->wino[pass])
			continue;
		tp_cmd laid = dnnl_primitive_desc_query_md(c->size[0].pd[pass],
			pass == WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
		size_t bytes = dnnl_memory_desc_get_size(laid);
		dnnl_primitive_desc_t pd = NULL;
		if (pass == WEIGHTS) {
			c->grad_floats = bytes / sizeof(float);
			rc = tp_reorder_pd(&pd, f->engine, laid, TP_CMD(&c->w_plain));
		} else {
			if (!c->laid && !(c->laid = tp_alloc_aligned(laid_bytes(c))))
				return dnnl_out_of_memory;
			rc = dnnl_memory_create(&c->w[pass], laid, f->engine, c->laid);
			if (!rc)
				rc = tp_reorder_pd(&pd, f->engine, TP_CMD(&c->w_plain), laid);
		}
		if (!rc)
			rc = dnnl_primitive_create(&c->lay[pass], pd);
		if (pd)
			dnnl_primitive_desc_destroy(pd);
	}
	return rc;
}

static conv_size *size_of(const tp_learner *l, fast_conv *c, int worker)
{
	const fast *f = l->fast;
	return &c->size[tp_share_of(l, worker).n == f->photos[0] ? 0 : 1];
}

static dnnl_status_t memory(dnnl_memory_t *out, const fast *f, const tp_md *md, void *at)
{
	return dnnl_memory_create(out, TP_CMD(md), f->engine, at);
}

/* Winograd where it can and pays: what was measured is in docs/benchmarks.md. */
static tp_code choose_wino(tp_learner *l, fast_conv *c, const tp_lstep *s, tp_err *err)
{
	fast *f = l->fast;
	tp_geo g = s->geo;
	size_t n = 36 * (size_t)g.c * (size_t)g.oc;
	g.n = f->photos[1] ? f->photos[1] : f->photos[0];
	if (l->opts.direct || !f->k->native || l->net->v[s->in[0]].kind == TP_OP_INPUT ||
		!tp_wino_can(&g, f->k->block) || !tp_wino_pays(&g))
		return TP_OK;
	g.n = f->photos[0];
	tp_geo back = tp_wino_back_geo(&g);
	c->wino[FORWARD] = true;
	c->wino[DATA] = s->want[0] && tp_wino_can(&back, f->k->block);
	c->wino[WEIGHTS] = s->trains;
	c->u = tp_alloc_aligned(n * sizeof(float));
	if (!c->u)
		return tp_nomem(err, n * sizeof(float));
	grow(&f->scratch_bytes, f->k->wino_scratch(&g) * sizeof(float));
	grow(&f->scratch_bytes, f->k->wino_scratch(&back) * sizeof(float));
	grow(&f->scratch_bytes, f->k->wino_dw_scratch(&g, g.c / f->k->block) * sizeof(float));
	for (int pass = 0; pass < PASSES; pass++)
		if (c->wino[pass])
			snprintf(c->impl[pass], sizeof c->impl[pass], "kernel:%s winograd", f->k->isa);
	return TP_OK;
}

/* A thread's memories; the input's place is set when it is known. */
dnnl_status_t tp_fast_conv_bind(const tp_learner *l, fast_conv *c, const tp_lstep *s, int worker)
{
	const fast *f = l->fast;
	conv_thread *t = &c->t[worker];
	conv_size *z = size_of(l, c, worker);
	int first = tp_share_of(l, worker).first;
	bool input = l->net->v[s->in[0]].kind == TP_OP_INPUT;
	void *x = input ? (void *)l->arena : tp_value_at(l, s->in[0], first);
	dnnl_status_t rc = memory(&t->src, f, &z->src, x);
	if (!rc && s->again >= 0)
		rc = memory(&t->again, f, &z->src, tp_again_at(l, s, first));
	if (!rc)
		rc = memory(&t->dst, f, &z->dst, tp_value_at(l, s->out, first));
	if (!rc && s->want[0])
		rc = memory(&t->diff_src, f, &z->src, tp_grad_out(l, s, 0, first));
	if (!rc && s->back)
		rc = memory(&t->diff_dst, f, &z->dst, tp_grad_at(l, s->out, first));
	for (int pass = 0; pass < PASSES && !rc; pass++)
		if (z->prim[pass])
			rc = dnnl_memory_create(&t->scratch[pass],
				dnnl_primitive_desc_query_md(z->pd[pass], dnnl_query_scratchpad_md, 0),
				f->engine, f->scratch[worker]);
	if (rc || !s->trains)
		return rc;
	size_t n = c->grad_floats;
	t->partial = tp_alloc_aligned((n + (size_t)s->geo.oc) * sizeof *t->partial);
	if (!t->partial)
		return dnnl_out_of_memory;
	t->partial_b = t->partial + n;
	if (z->prim[WEIGHTS])
		rc = dnnl_memory_create(&t->dw,
			dnnl_primitive_desc_query_md(z->pd[WEIGHTS], dnnl_query_diff_weights_md, 0),
			f->engine, t->partial);
	if (!rc && s->node->bias)
		rc = memory(&t->db, f, &z->bias, t->partial_b);
	return rc;
}

tp_code tp_fast_conv_open(tp_learner *l, int i, tp_err *err)
{
	fast *f = l->fast;
	tp_lstep *s = &l->step[i];
	const tp_geo *g = &s->geo;
	fast_conv *c = f->step[i].conv = tp_calloc(1, sizeof *c);
	if (!c || !(c->t = tp_calloc((size_t)l->opts.threads, sizeof *c->t)))
		return tp_nomem(err, sizeof *c);
	/* oneDNN has only a reference for windows wider than 3 */
	c->depthwise = g->groups == g->c && g->groups == g->oc && g->kh <= 5 && g->kw > 3 && g->kw <= 5 &&
		       !s->node->bias;
	tp_code rc = choose_wino(l, c, s, err);
	if (rc)
		return rc;
	dnnl_status_t st = dnnl_success;
	for (int which = 0; which < SIZES && !st; which++)
		if (f->photos[which])
			st = make_size(f, c, which, s, l->net->v[s->in[0]].kind == TP_OP_INPUT);
	if (!st)
		st = make_layouts(f, c, s, tp_param_at(l, s, 0));
	if (c->depthwise) {
		c->grad_floats = (size_t)g->oc * (size_t)(g->kh * g->kw);
		snprintf(c->impl[WEIGHTS], sizeof c->impl[WEIGHTS], "kernel:%s", f->k->isa);
		grow(&f->scratch_bytes, f->k->depthwise_scratch(g) * sizeof(float));
	}
	if (c->wino[WEIGHTS])
		c->grad_floats = (size_t)g->oc * (size_t)g->c * 9;
	grow(&f->flat_floats, (size_t)g->oc * (size_t)(g->c / g->groups) * (size_t)(g->kh * g->kw));
	return st ? tp_dnnl_fail(err, st, s->node->name) : TP_OK;
}

void tp_fast_conv_close(fast_conv *c, int threads)
{
	if (!c)
		return;
	for (int z = 0; z < SIZES; z++) {
		for (int pass = 0; pass < PASSES; pass++) {
			if (c->size[z].prim[pass])
				dnnl_primitive_destroy(c->size[z].prim[pass]);
			if (c->size[z].pd[pass])
				dnnl_primitive_desc_destroy(c->size[z].pd[pass]);
		}
		tp_md_free(&c->size[z].src);
		tp_md_free(&c->size[z].dst);
		tp_md_free(&c->size[z].bias);
	}
	for (int pass = 0; pass < PASSES; pass++) {
		if (c->w[pass])
			dnnl_memory_destroy(c->w[pass]);
		if (c->lay[pass])
			dnnl_primitive_destroy(c->lay[pass]);
	}
	for (int i = 0; c->t && i < threads; i++) {
		dnnl_memory_t m[] = { c->t[i].src, c->t[i].again, c->t[i].dst, c->t[i].diff_src,
			c->t[i].diff_dst, c->t[i].dw, c->t[i].db, c->t[i].scratch[0], c->t[i].scratch[1],
			c->t[i].scratch[2] };
		for (size_t k = 0; k < sizeof m / sizeof *m; k++)
			if (m[k])
				dnnl_memory_destroy(m[k]);
		tp_free_aligned(c->t[i].partial);
	}
	tp_free_aligned(c->u);
	tp_free_aligned(c->laid);
	if (c->plain)
		dnnl_memory_destroy(c->plain);
	if (c->grad_plain)
		dnnl_memory_destroy(c->grad_plain);
	tp_md_free(&c->w_plain);
	tp_free(c->t);
	tp_free(c);
}

/* A thread's photos through Winograd's forward kernel: the convolution itself, or the one that makes dx of dy. */
static void run_wino(const fast *f, const fast_conv *c, float *y, const float *x, const float *bias,
	const tp_geo *g, int worker)
{
	f->k->wino_conv(y, x, c->u, bias, false, TP_ACT_NONE, g, 0, tp_wino_tiles(g), 0, g->oc / f->k->block,
		(float *)(void *)f->scratch[worker]);
}

void tp_fast_conv_forward(tp_learner *l, int i, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	conv_thread *t = &c->t[worker];
	tp_share share = tp_share_of(l, worker);
	dnnl_status_t st = dnnl_success;
	if (c->wino[FORWARD]) {
		tp_geo g = s->geo;
		g.n = share.n;
		run_wino(f, c, tp_value_at(l, s->out, share.first), tp_value_at(l, s->in[0], share.first),
			s->node->bias ? tp_param_at(l, s, 1) : NULL, &g, worker);
		return;
	}
	dnnl_memory_t bias = NULL;
	if (l->net->v[s->in[0]].kind == TP_OP_INPUT)
		st = dnnl_memory_set_data_handle(
			t->src, tp_value_at(l, s->in[0], tp_share_of(l, worker).first));
	if (!st && s->node->bias)
		st = memory(&bias, f, &size_of(l, c, worker)->bias, tp_param_at(l, s, 1));
	dnnl_exec_arg_t arg[] = { { DNNL_ARG_SRC, t->src }, { DNNL_ARG_WEIGHTS, c->w[FORWARD] },
		{ DNNL_ARG_DST, t->dst }, { DNNL_ARG_SCRATCHPAD, t->scratch[FORWARD] },
		{ DNNL_ARG_BIAS, bias } };
	if (!st)
		st = dnnl_primitive_execute(
			size_of(l, c, worker)->prim[FORWARD], f->stream[worker], bias ? 5 : 4, arg);
	if (bias)
		dnnl_memory_destroy(bias);
	tp_fast_note(l, worker, st, s->node->name);
}

/* The weight gradient by a kernel of ours, in rows: depthwise or Winograd's. */
static void weights_by_kernel(tp_learner *l, int i, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	conv_thread *t = &c->t[worker];
	tp_share share = tp_share_of(l, worker);
	const float *x =
		s->again >= 0 ? tp_again_at(l, s, share.first) : tp_value_at(l, s->in[0], share.first);
	const float *dy = tp_grad_at(l, s->out, share.first);
	float *scratch = (float *)(void *)f->scratch[worker];
	tp_geo g = s->geo;
	g.n = share.n;
	memset(t->partial, 0, c->grad_floats * sizeof *t->partial);
	if (c->depthwise)
		f->k->depthwise_dw(t->partial, x, dy, &g, 0, blocks_of(f, g.c), scratch);
	else
		f->k->wino_dw(t->partial, x, dy, &g, 0, g.c / f->k->block, scratch);
	if (!s->node->bias)
		return;
	double *sum = (double *)(void *)scratch, *sq = sum + g.oc;
	tp_geo out = g; /* the bias's gradient is a sum over dy */
	out.c = g.oc;
	out.h = g.oh;
	out.w = g.ow;
	memset(sum, 0, 2 * (size_t)g.oc * sizeof *sum);
	f->k->norm_sums(sum, sq, dy, &out, 0, blocks_of(f, g.oc) * share.n);
	for (int k = 0; k < g.oc; k++)
		t->partial_b[k] = (float)sum[k];
}

void tp_fast_conv_backward(tp_learner *l, int i, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	conv_thread *t = &c->t[worker];
	conv_size *z = size_of(l, c, worker);
	tp_share share = tp_share_of(l, worker);
	dnnl_status_t st = dnnl_success;
	double t0 = tp_thread_seconds();
	if (s->again >= 0)
		tp_fast_norm_again(l, s, worker);
	if (s->trains && (c->depthwise || c->wino[WEIGHTS])) {
		weights_by_kernel(l, i, worker);
	} else if (s->trains) {
		dnnl_exec_arg_t arg[] = { { DNNL_ARG_SRC, s->again >= 0 ? t->again : t->src },
			{ DNNL_ARG_DIFF_DST, t->diff_dst }, { DNNL_ARG_DIFF_WEIGHTS, t->dw },
			{ DNNL_ARG_SCRATCHPAD, t->scratch[WEIGHTS] }, { DNNL_ARG_DIFF_BIAS, t->db } };
		st = dnnl_primitive_execute(z->prim[WEIGHTS], f->stream[worker], s->node->bias ? 5 : 4, arg);
	}
	/* what the caller will count as the data's gradient is taken off it here */
	double weights = tp_learner_spent(l, i, WEIGHTS, worker, t0) - t0;
	if (!worker)
		l->spent[3 * i + DATA] -= weights;
	if (!st && c->wino[DATA]) {
		tp_geo g = s->geo;
		g.n = share.n;
		tp_geo back = tp_wino_back_geo(&g);
		run_wino(f, c, tp_grad_out(l, s, 0, share.first), tp_grad_at(l, s->out, share.first), NULL,
			&back, worker);
	} else if (!st && s->want[0]) {
		dnnl_exec_arg_t arg[] = { { DNNL_ARG_DIFF_DST, t->diff_dst },
			{ DNNL_ARG_WEIGHTS, c->w[DATA] }, { DNNL_ARG_DIFF_SRC, t->diff_src },
			{ DNNL_ARG_SCRATCHPAD, t->scratch[DATA] } };
		st = dnnl_primitive_execute(z->prim[DATA], f->stream[worker], 4, arg);
	}
	tp_fast_note(l, worker, st, s->node->name);
}

/* Lays the weights out for the passes that will want them. */
void tp_fast_conv_lay(tp_learner *l, int i, int worker, int pass)
{
	fast *f = l->fast;
	fast_conv *c = f->step[i].conv;
	const tp_geo *g = &l->step[i].geo;
	if (c->wino[pass])
		f->k->wino_weights(c->u, tp_param_at(l, &l->step[i], 0), g->oc, g->c, pass == DATA, 0,
			(pass == DATA ? g->c : g->oc) / f->k->block);
	if (!c->lay[pass])
		return;
	dnnl_exec_arg_t arg[] = { { DNNL_ARG_FROM, c->plain }, { DNNL_ARG_TO, c->w[pass] } };
	tp_fast_note(l, worker, dnnl_primitive_execute(c->lay[pass], f->stream[worker], 2, arg),
		l->step[i].node->name);
}

/* All threads' partial gradients into the slab, by one of them. */
void tp_fast_conv_sum(tp_learner *l, int i, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	size_t bias = s->node->bias ? (size_t)s->geo.oc : 0;
	size_t n = (size_t)s->geo.oc * (size_t)(s->geo.c / s->geo.groups) * (size_t)(s->geo.kh * s->geo.kw);
	float *sum = c->t[0].partial;
	for (int t = 1; t < l->opts.threads; t++)
		tp_fast_add(sum, c->t[t].partial, c->grad_floats + bias);
	if (bias)
		tp_fast_add(tp_param_grad(l, s, 1), sum + c->grad_floats, bias);
	if (c->depthwise || c->wino[WEIGHTS]) {
		tp_fast_add(tp_param_grad(l, s, 0), sum, n);
		return;
	}
	dnnl_status_t st = dnnl_memory_set_data_handle(c->grad_plain, f->flat[worker]);
	dnnl_exec_arg_t arg[] = { { DNNL_ARG_FROM, c->t[0].dw }, { DNNL_ARG_TO, c->grad_plain } };
	if (!st)
		st = dnnl_primitive_execute(c->lay[WEIGHTS], f->stream[worker], 2, arg);
	tp_fast_add(tp_param_grad(l, s, 0), f->flat[worker], n);
	tp_fast_note(l, worker, st, s->node->name);
}
