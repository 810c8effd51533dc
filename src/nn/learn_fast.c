/* Training by oneDNN's convolutions and kernels of ours, in one blocked layout from end to end. See learn_int.h.
 *
 * Every thread works on its own photos with primitives made for one thread and for that many photos; it meets the others
 * at batch-norms, whose sums are over the whole batch, and at the end, where weight gradients are summed in the order of
 * the threads. Weights lie row-major in the slab; what the primitives want is laid out anew at the start of each pass. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "nn/dnnl_shim.h"
#include "nn/learn_int.h"

enum { SIZES = 2 }; /* shares of a batch differ by one photo at most */
enum { FORWARD = TP_PASS_FORWARD, DATA = TP_PASS_DATA, WEIGHTS = TP_PASS_WEIGHTS, PASSES = TP_PASSES };

/* A convolution's primitives for one number of photos. */
typedef struct {
	tp_md src, dst, bias;
	dnnl_primitive_desc_t pd[PASSES];
	dnnl_primitive_t prim[PASSES];
} conv_size;

/* A thread's memories of a convolution. */
typedef struct {
	dnnl_memory_t src, again, dst, diff_src, diff_dst, dw, db, scratch[PASSES];
	float *partial, *partial_b; /* its share of the weight gradient, as the primitive writes it */
} conv_thread;

typedef struct {
	conv_size size[SIZES];
	tp_md w_plain;
	dnnl_memory_t plain,
		w[PASSES];            /* weights as they lie in the slab, and as FORWARD and DATA want them */
	float *laid;                  /* of the pass that runs */
	dnnl_primitive_t lay[PASSES]; /* WEIGHTS: the summed gradient back to rows */
	dnnl_memory_t grad_plain;
	size_t grad_floats; /* of a partial */
	bool depthwise;     /* the weight gradient is a kernel of ours, in rows */
	bool wino
		[PASSES]; /* Winograd's kernels instead of a primitive; the weight gradient is in rows then */
	float *u;         /* the weights as they want them, of the pass that runs */
	conv_thread *t;
	char impl[PASSES][48];
} fast_conv;

typedef struct {
	double *sum, *sq; /* per thread, c each: this pass's sums over its photos */
	float *mean, *rstd;
} fast_norm;

typedef struct {
	float *partial; /* linear: out x in weights, then out biases */
} fast_linear;

typedef struct {
	fast_conv *conv;
	fast_norm *norm;     /* one a thread; sums of all threads are read by all */
	fast_linear *linear; /* one a thread */
} fast_step;

typedef struct {
	dnnl_engine_t engine;
	const tp_kernels *k;
	dnnl_format_tag_t tag;
	fast_step *step;
	dnnl_stream_t *stream; /* one a thread */
	uint8_t **scratch;
	float **flat; /* one a thread: a weight gradient in rows, on its way into the slab */
	size_t scratch_bytes, flat_floats;
	int photos[SIZES];
} fast;

bool tp_twin_fast_here(void)
{
	return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_sse41) == dnnl_cpu_isa_sse41;
}

static void note(tp_learner *l, int worker, dnnl_status_t st, const char *what)
{
	if (st && !l->rc[worker])
		l->rc[worker] = tp_dnnl_fail(&l->err[worker], st, what);
}

static int blocks_of(const fast *f, int channels)
{
	return (channels + f->k->block - 1) / f->k->block;
}

/* Behind the global pool values are plain rows. */
static bool is_flat(const tp_net *net, int node)
{
	const tp_node *v = &net->v[node];
	return v->kind == TP_OP_GLOBAL_POOL || v->kind == TP_OP_LINEAR ||
	       (v->kind == TP_OP_DROPOUT && is_flat(net, v->in[0]));
}

static int layout_block(void)
{
	bool wide = (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
	return wide ? 16 : 8;
}

static size_t floats(const tp_learner *l, int node)
{
	int b = layout_block(), c = l->net->v[node].channels;
	size_t area = (size_t)l->plane[node].h * (size_t)l->plane[node].w;
	return is_flat(l->net, node) ? (size_t)c : (size_t)((c + b - 1) / b * b) * area;
}

/* ---- convolutions -------------------------------------------------------------------------------------- */

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

static void grow(size_t *at, size_t n)
{
	if (n > *at)
		*at = n;
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
static dnnl_status_t bind(const tp_learner *l, fast_conv *c, const tp_lstep *s, int worker)
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

static tp_code conv_open(tp_learner *l, int i, tp_err *err)
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

static void conv_close(fast_conv *c, int threads)
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

static void conv_forward(tp_learner *l, int i, int worker)
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
	note(l, worker, st, s->node->name);
}

static void norm_again(tp_learner *l, const tp_lstep *conv, int worker);

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

static void conv_backward(tp_learner *l, int i, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	conv_thread *t = &c->t[worker];
	conv_size *z = size_of(l, c, worker);
	tp_share share = tp_share_of(l, worker);
	dnnl_status_t st = dnnl_success;
	double t0 = tp_now();
	if (s->again >= 0)
		norm_again(l, s, worker);
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
	note(l, worker, st, s->node->name);
}

/* Lays the weights out for the passes that will want them. */
static void lay_weights(tp_learner *l, int i, int worker, int pass)
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
	note(l, worker, dnnl_primitive_execute(c->lay[pass], f->stream[worker], 2, arg),
		l->step[i].node->name);
}

static void accumulate(float *y, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

/* All threads' partial gradients into the slab, by one of them. */
static void sum_conv(tp_learner *l, int i, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	size_t bias = s->node->bias ? (size_t)s->geo.oc : 0;
	size_t n = (size_t)s->geo.oc * (size_t)(s->geo.c / s->geo.groups) * (size_t)(s->geo.kh * s->geo.kw);
	float *sum = c->t[0].partial;
	for (int t = 1; t < l->opts.threads; t++)
		accumulate(sum, c->t[t].partial, c->grad_floats + bias);
	if (bias)
		accumulate(tp_param_grad(l, s, 1), sum + c->grad_floats, bias);
	if (c->depthwise || c->wino[WEIGHTS]) {
		accumulate(tp_param_grad(l, s, 0), sum, n);
		return;
	}
	dnnl_status_t st = dnnl_memory_set_data_handle(c->grad_plain, f->flat[worker]);
	dnnl_exec_arg_t arg[] = { { DNNL_ARG_FROM, c->t[0].dw }, { DNNL_ARG_TO, c->grad_plain } };
	if (!st)
		st = dnnl_primitive_execute(c->lay[WEIGHTS], f->stream[worker], 2, arg);
	accumulate(tp_param_grad(l, s, 0), f->flat[worker], n);
	note(l, worker, st, s->node->name);
}

/* ---- batch-norm ------------------------------------------------------------------------------------------ */

static tp_code norm_open(tp_learner *l, int i, tp_err *err)
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

static void norm_forward(tp_learner *l, int i, int worker)
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
static void norm_again(tp_learner *l, const tp_lstep *conv, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[conv->from];
	tp_share share = tp_share_of(l, worker);
	tp_norm v = norm_of(l, s, &f->step[conv->from].norm[worker]);
	f->k->norm_apply(tp_again_at(l, conv, share.first), tp_value_at(l, s->in[0], share.first), NULL, &v,
		s->act, &s->geo, 0, share.n * blocks_of(f, s->geo.c));
}

static void norm_backward(tp_learner *l, int i, int worker)
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

/* ---- the rest ---------------------------------------------------------------------------------------------- */

static tp_code linear_open(tp_learner *l, int i, tp_err *err)
{
	fast *f = l->fast;
	const tp_geo *g = &l->step[i].geo;
	size_t n = ((size_t)g->c + 1) * (size_t)g->oc;
	f->step[i].linear = tp_calloc((size_t)l->opts.threads, sizeof(fast_linear));
	if (!f->step[i].linear)
		return tp_nomem(err, sizeof(fast_linear));
	for (int t = 0; t < l->opts.threads; t++)
		if (!(f->step[i].linear[t].partial = tp_alloc_aligned(n * sizeof(float))))
			return tp_nomem(err, n * sizeof(float));
	return TP_OK;
}

static void linear_forward(tp_learner *l, const tp_lstep *s, tp_share share, int worker)
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

static void linear_backward(tp_learner *l, int i, tp_share share, int worker)
{
	const tp_lstep *s = &l->step[i];
	const tp_geo *g = &s->geo;
	const fast *f = l->fast;
	const float *dy = tp_grad_at(l, s->out, share.first);
	tp_err err = { 0 };
	tp_code rc = TP_OK;
	if (s->trains) {
		float *dw = f->step[i].linear[worker].partial, *db = dw + (size_t)g->c * (size_t)g->oc;
		rc = tp_gemm(dw, dy, tp_value_at(l, s->in[0], share.first), g->oc, g->c, share.n, true, false,
			1, 0, 1, &err);
		memset(db, 0, (size_t)g->oc * sizeof *db);
		for (int k = 0; k < share.n; k++)
			accumulate(db, dy + (size_t)k * (size_t)g->oc, (size_t)g->oc);
	}
	if (!rc && s->want[0])
		rc = tp_gemm(tp_grad_out(l, s, 0, share.first), dy, tp_param_at(l, s, 0), share.n, g->c,
			g->oc, false, false, 1, 0, 1, &err);
	if (rc && !l->rc[worker]) {
		l->rc[worker] = rc;
		l->err[worker] = err;
	}
}

static void sum_linear(tp_learner *l, int i)
{
	const tp_lstep *s = &l->step[i];
	const fast *f = l->fast;
	size_t n = (size_t)s->geo.c * (size_t)s->geo.oc;
	for (int t = 0; t < l->opts.threads; t++) {
		accumulate(tp_param_grad(l, s, 0), f->step[i].linear[t].partial, n);
		accumulate(tp_param_grad(l, s, 1), f->step[i].linear[t].partial + n, (size_t)s->geo.oc);
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

static void concat(tp_learner *l, const tp_lstep *s, tp_share share, bool back)
{
	const fast *f = l->fast;
	int area = s->geo.oh * s->geo.ow, block = f->k->block;
	for (int photo = share.first; photo < share.first + share.n; photo++) {
		if (!back && s->geo.oc % block) /* channels past the last */
			memset(tp_value_at(l, s->out, photo), 0, floats(l, s->out) * sizeof(float));
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

static void activate(const fast *f, const tp_lstep *s, float *y, size_t n)
{
	if (s->act)
		(s->act == TP_ACT_RELU ? f->k->relu : f->k->relu6)(y, y, n);
}

static void forward(tp_learner *l, int i, int worker)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	tp_share share = tp_share_of(l, worker);
	tp_geo g = s->geo;
	const float *x = tp_value_at(l, s->in[0], share.first);
	float *y = tp_value_at(l, s->out, share.first);
	int blocks = blocks_of(f, g.c) * share.n;
	size_t n = floats(l, s->out) * (size_t)share.n;
	g.n = share.n;
	switch (s->kind) {
	case TP_OP_CONV:
		conv_forward(l, i, worker);
		break;
	case TP_OP_BATCH_NORM:
		norm_forward(l, i, worker);
		break;
	case TP_OP_RELU:
		f->k->relu(y, x, n);
		break;
	case TP_OP_RELU6:
		f->k->relu6(y, x, n);
		break;
	case TP_OP_ADD:
		f->k->add(y, x, tp_value_at(l, s->in[1], share.first), n);
		activate(f, s, y, n);
		break;
	case TP_OP_CONCAT:
		concat(l, s, share, false);
		break;
	case TP_OP_MAX_POOL:
		f->k->max_pool(y, x, &g, 0, blocks);
		break;
	case TP_OP_AVG_POOL:
		f->k->avg_pool(y, x, &g, 0, blocks);
		break;
	case TP_OP_GLOBAL_POOL:
		f->k->global_pool(y, x, &g);
		break;
	case TP_OP_DROPOUT:
		tp_drop(l, s, y, x, share.first, share.n);
		break;
	default:
		linear_forward(l, s, share, worker);
	}
}

static void add_backward(tp_learner *l, const tp_lstep *s, tp_share share, float *dy, size_t n)
{
	const fast *f = l->fast;
	if (s->act)
		(s->act == TP_ACT_RELU ? f->k->relu_back : f->k->relu6_back)(
			dy, dy, tp_value_at(l, s->out, share.first), n);
	for (int k = 0; k < s->n_in; k++)
		if (s->want[k] && !s->same[k])
			memcpy(tp_grad_out(l, s, k, share.first), dy, n * sizeof *dy);
}

static void backward(tp_learner *l, int i, int worker)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	tp_share share = tp_share_of(l, worker);
	tp_geo g = s->geo;
	float *dy = tp_grad_at(l, s->out, share.first);
	float *dx = s->want[0] && !s->same[0] ? tp_grad_out(l, s, 0, share.first) : NULL;
	const float *x = tp_value_at(l, s->in[0], share.first);
	int blocks = blocks_of(f, g.c) * share.n;
	size_t n = floats(l, s->out) * (size_t)share.n;
	g.n = share.n;
	switch (s->kind) {
	case TP_OP_CONV:
		conv_backward(l, i, worker);
		break;
	case TP_OP_BATCH_NORM:
		norm_backward(l, i, worker);
		break;
	case TP_OP_RELU:
		f->k->relu_back(dx, dy, tp_value_at(l, s->out, share.first), n);
		break;
	case TP_OP_RELU6:
		f->k->relu6_back(dx, dy, tp_value_at(l, s->out, share.first), n);
		break;
	case TP_OP_ADD:
		add_backward(l, s, share, dy, n);
		break;
	case TP_OP_CONCAT:
		concat(l, s, share, true);
		break;
	case TP_OP_MAX_POOL:
		f->k->max_pool_back(dx, dy, x, &g, 0, blocks);
		break;
	case TP_OP_AVG_POOL:
		f->k->avg_pool_back(dx, dy, &g, 0, blocks);
		break;
	case TP_OP_GLOBAL_POOL:
		f->k->global_pool_back(dx, dy, &g, 0, blocks);
		break;
	case TP_OP_DROPOUT:
		tp_drop(l, s, dx, dy, share.first, share.n);
		break;
	default:
		linear_backward(l, i, share, worker);
	}
}

/* Weights are laid out by all threads, a layer each in turn. */
static void begin(tp_learner *l, bool is_forward, int worker)
{
	tp_dnnl_threads(1);
	for (int i = 0; i < l->n_steps; i++)
		if (l->step[i].kind == TP_OP_CONV && i % l->opts.threads == worker)
			lay_weights(l, i, worker, is_forward ? FORWARD : DATA);
	tp_team_barrier(l->team);
}

static void end(tp_learner *l, bool is_forward, int worker)
{
	if (is_forward)
		return;
	tp_team_barrier(l->team);
	for (int i = 0; i < l->n_steps; i++) {
		if (!l->step[i].trains || i % l->opts.threads != worker)
			continue;
		if (l->step[i].kind == TP_OP_CONV)
			sum_conv(l, i, worker);
		else if (l->step[i].kind == TP_OP_LINEAR)
			sum_linear(l, i);
	}
}

/* ---- opening and closing ------------------------------------------------------------------------------------ */

static tp_code open_steps(tp_learner *l, tp_err *err)
{
	fast *f = l->fast;
	tp_code rc = TP_OK;
	int before = tp_dnnl_threads(1);
	for (int i = 0; i < l->n_steps && !rc; i++) {
		if (l->step[i].kind == TP_OP_CONV)
			rc = conv_open(l, i, err);
		else if (l->step[i].kind == TP_OP_BATCH_NORM)
			rc = norm_open(l, i, err);
		else if (l->step[i].kind == TP_OP_LINEAR)
			rc = linear_open(l, i, err);
		/* batch-norm's totals */
		grow(&f->scratch_bytes, 2 * sizeof(double) * (size_t)(l->step[i].geo.c + 16));
	}
	tp_dnnl_threads(before);
	return rc;
}

static tp_code open_threads(tp_learner *l, tp_err *err)
{
	fast *f = l->fast;
	dnnl_status_t st = dnnl_success;
	for (int t = 0; t < l->opts.threads && !st; t++) {
		f->scratch[t] = tp_alloc_aligned(f->scratch_bytes + 64);
		f->flat[t] = tp_alloc_aligned((f->flat_floats + 16) * sizeof(float));
		if (!f->scratch[t] || !f->flat[t])
			return tp_nomem(err, f->scratch_bytes + f->flat_floats * sizeof(float));
		st = dnnl_stream_create(&f->stream[t], f->engine, dnnl_stream_default_flags);
		for (int i = 0; i < l->n_steps && !st; i++)
			if (l->step[i].kind == TP_OP_CONV)
				st = bind(l, f->step[i].conv, &l->step[i], t);
	}
	return st ? tp_dnnl_fail(err, st, "learner") : TP_OK;
}

static tp_code open(tp_learner *l, tp_err *err)
{
	fast *f = l->fast = tp_calloc(1, sizeof *f);
	size_t threads = (size_t)l->opts.threads;
	if (!f)
		return tp_nomem(err, sizeof *f);
	f->k = tp_kernels_best(layout_block());
	f->tag = layout_block() == 16 ? dnnl_nChw16c : dnnl_nChw8c;
	f->step = tp_calloc((size_t)l->n_steps, sizeof *f->step);
	f->stream = tp_calloc(threads, sizeof *f->stream);
	f->scratch = tp_calloc(threads, sizeof *f->scratch);
	f->flat = tp_calloc(threads, sizeof *f->flat);
	if (!f->step || !f->stream || !f->scratch || !f->flat)
		return tp_nomem(err, (size_t)l->n_steps * sizeof *f->step);
	f->photos[0] = tp_share_of(l, 0).n;
	for (int t = 1; t < l->opts.threads; t++)
		if (tp_share_of(l, t).n != f->photos[0])
			f->photos[1] = tp_share_of(l, t).n;
	memset(l->arena, 0, l->arena_bytes); /* channels past the last are 0, and stay 0 */
	dnnl_status_t st = dnnl_engine_create(&f->engine, dnnl_cpu, 0);
	if (st)
		return tp_dnnl_fail(err, st, "engine");
	tp_code rc = open_steps(l, err);
	return rc ? rc : open_threads(l, err);
}

static void close(tp_learner *l)
{
	fast *f = l->fast;
	if (!f)
		return;
	for (int i = 0; f->step && i < l->n_steps; i++) {
		conv_close(f->step[i].conv, l->opts.threads);
		for (int t = 0; t < l->opts.threads; t++) {
			if (f->step[i].norm) {
				tp_free_aligned(f->step[i].norm[t].sum);
				tp_free_aligned(f->step[i].norm[t].sq);
				tp_free_aligned(f->step[i].norm[t].mean);
				tp_free_aligned(f->step[i].norm[t].rstd);
			}
			if (f->step[i].linear)
				tp_free_aligned(f->step[i].linear[t].partial);
		}
		tp_free(f->step[i].norm);
		tp_free(f->step[i].linear);
	}
	for (int t = 0; t < l->opts.threads; t++) {
		if (f->stream && f->stream[t])
			dnnl_stream_destroy(f->stream[t]);
		if (f->scratch)
			tp_free_aligned(f->scratch[t]);
		if (f->flat)
			tp_free_aligned(f->flat[t]);
	}
	if (f->engine)
		dnnl_engine_destroy(f->engine);
	tp_free(f->step);
	tp_free(f->stream);
	tp_free(f->scratch);
	tp_free(f->flat);
	tp_free(f);
	l->fast = NULL;
}

static const char *impl(const tp_learner *l, int i, int pass)
{
	const fast *f = l->fast;
	const fast_conv *c = f->step[i].conv;
	return c ? c->impl[pass] : pass == FORWARD || l->step[i].back ? f->k->isa : "";
}

const tp_twin tp_twin_fast = { floats, open, close, begin, end, forward, backward, impl };
