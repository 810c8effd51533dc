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

/* Are there as many photos in a group of some share? */
static bool is_group(const fast *f, const fast_conv *c, int photos)
{
	for (int k = 0; k < SHARES; k++) {
		int n = f->photos[k], groups = (n + c->group - 1) / c->group;
		if (groups && (photos == n / groups || photos == (n + groups - 1) / groups))
			return true;
	}
	return false;
}

/* Does a primitive do this pass? */
static bool wanted(const fast_conv *c, const tp_lstep *s, int pass)
{
	if (c->wino[pass])
		return false;
	return pass == FORWARD || (pass == DATA ? s->want[0] : s->trains && !c->depthwise);
}

static tp_cmd laid_of(const fast_conv *c, int pass)
{
	return dnnl_primitive_desc_query_md(c->first[pass]->pd[pass],
		pass == WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
}

/* The primitives for z->photos photos. The weights' layout is the library's choice for the first size, and the same for
 * the others. */
static dnnl_status_t make_size(fast *f, fast_conv *c, conv_size *z, const tp_lstep *s, bool from_input)
{
	tp_md any = { 0 };
	dnnl_status_t rc = describe(z, &any, f, s, z->photos, from_input, dnnl_format_tag_any);
	for (int pass = 0; pass < PASSES && !rc; pass++) {
		bool run = wanted(c, s, pass);
		if (!run && pass != FORWARD) /* the other two want to know the forward pass */
			continue;
		rc = tp_conv_train_pd(&z->pd[pass], f->engine, (tp_pass)pass, TP_CMD(&z->src),
			run && c->first[pass] ? laid_of(c, pass) : TP_CMD(&any),
			s->node->bias && pass != DATA ? TP_CMD(&z->bias) : NULL, TP_CMD(&z->dst), &s->geo,
			z->pd[FORWARD]);
		if (rc || !run)
			continue;
		rc = dnnl_primitive_create(&z->prim[pass], z->pd[pass]);
		if (rc)
			break;
		if (!c->first[pass])
			c->first[pass] = z;
		const char *impl = "?";
		dnnl_primitive_desc_query(z->pd[pass], dnnl_query_impl_info_str, 0, (void *)&impl);
		snprintf(c->impl[pass], sizeof c->impl[pass], "%s", impl);
		tp_cmd scratch = dnnl_primitive_desc_query_md(z->pd[pass], dnnl_query_scratchpad_md, 0);
		grow(&f->scratch_bytes, scratch ? dnnl_memory_desc_get_size(scratch) : 0);
	}
	tp_md_free(&any);
	return rc;
}

/* Every number of photos that is a group. */
static dnnl_status_t make_sizes(fast *f, fast_conv *c, const tp_lstep *s, bool from_input)
{
	dnnl_status_t st = dnnl_success;
	int n = 0;
	for (int photos = f->photos[0]; photos > 0 && !st; photos--)
		if (is_group(f, c, photos)) {
			c->size[n].photos = photos;
			st = make_size(f, c, &c->size[n++], s, from_input);
		}
	return st;
}

/* What the larger of the two layouts takes: only one of them is needed at a time. */
static size_t laid_bytes(const fast_conv *c)
{
	size_t most = 0;
	for (int pass = FORWARD; pass <= DATA; pass++)
		if (c->first[pass])
			grow(&most, dnnl_memory_desc_get_size(laid_of(c, pass)));
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
	for (int pass = 0; pass < PASSES && !rc; pass++) {
		if (!c->first[pass])
			continue;
		tp_cmd laid = laid_of(c, pass);
		dnnl_primitive_desc_t pd = NULL;
		if (pass == WEIGHTS) {
			c->grad_floats = dnnl_memory_desc_get_size(laid) / sizeof(float);
			continue;
		}
		if (!c->laid && !(c->laid = tp_alloc_aligned(laid_bytes(c))))
			return dnnl_out_of_memory;
		rc = dnnl_memory_create(&c->w[pass], laid, f->engine, c->laid);
		if (!rc)
			rc = tp_reorder_pd(&pd, f->engine, TP_CMD(&c->w_plain), laid);
		if (!rc)
			rc = dnnl_primitive_create(&c->lay[pass], pd);
		if (pd)
			dnnl_primitive_desc_destroy(pd);
	}
	return rc;
}

/* Where among the sizes that of so many photos is. */
static int size_of(const fast_conv *c, int photos)
{
	int i = 0;
	while (c->size[i].photos != photos)
		i++;
	return i;
}

static dnnl_status_t memory(dnnl_memory_t *out, const fast *f, const tp_md *md, void *at)
{
	return dnnl_memory_create(out, TP_CMD(md), f->engine, at);
}

/* Winograd where it can and pays: what was measured is in docs/benchmarks.md. */
static void choose_wino(tp_learner *l, fast_conv *c, const tp_lstep *s)
{
	fast *f = l->fast;
	tp_geo g = s->geo;
	g.n = f->photos[1] ? f->photos[1] : f->photos[0];
	if (l->opts.direct || !f->k->native || l->net->v[s->in[0]].kind == TP_OP_INPUT ||
		!tp_wino_can(&g, f->k->block) || !tp_wino_pays(&g))
		return;
	g.n = f->photos[0];
	tp_geo back = g.stride == 2 ? g : tp_wino_back_geo(&g);
	c->wino[FORWARD] = true;
	c->wino[DATA] = s->want[0] && (g.stride == 2 || tp_wino_can(&back, f->k->block));
	c->wino[WEIGHTS] = s->trains;
	grow(&f->u_floats, 36 * (size_t)g.c * (size_t)g.oc);
	grow(&f->scratch_bytes, f->k->wino_scratch(&g) * sizeof(float));
	grow(&f->scratch_bytes, f->k->wino_scratch(&back) * sizeof(float));
	grow(&f->scratch_bytes, f->k->wino_dw_scratch(&g, g.c / f->k->block) * sizeof(float));
	for (int pass = 0; pass < PASSES; pass++)
		if (c->wino[pass])
			snprintf(c->impl[pass], sizeof c->impl[pass], "kernel:%s winograd", f->k->isa);
}

/* A thread's memories; the input's place is set when it is known. */
/* The output channels (or groups) whose weight gradient a worker adds to the slab. */
static tp_share slice_of(const tp_learner *l, const tp_lstep *s, int worker)
{
	const fast *f = l->fast;
	int all = s->geo.groups > 1 ? s->geo.groups : s->geo.oc, block = f->k->block;
	int blocks = (all + block - 1) / block, threads = l->opts.threads;
	int first = worker * blocks / threads * block, end = (worker + 1) * blocks / threads * block;
	return (tp_share){ first, (end < all ? end : all) - first };
}

/* Floats of one of those. */
static size_t slice_floats(const tp_geo *g)
{
	size_t of_one = (size_t)(g->c / g->groups) * (size_t)(g->kh * g->kw);
	return g->groups > 1 ? of_one * (size_t)(g->oc / g->groups) : of_one;
}

static dnnl_status_t bind_slice(const tp_learner *l, fast_conv *c, const tp_lstep *s, int worker)
{
	const fast *f = l->fast;
	const tp_geo *g = &s->geo;
	conv_thread *t = &c->t[worker];
	tp_share slice = slice_of(l, s, worker);
	bool grouped = g->groups > 1;
	dnnl_dims_t wd = { g->oc, g->c, g->kh, g->kw };
	dnnl_dims_t wg = { g->groups, g->oc / g->groups, g->c / g->groups, g->kh, g->kw };
	dnnl_primitive_desc_t pd = NULL;
	if (slice.n <= 0)
		return dnnl_success;
	dnnl_status_t rc = tp_md_slice(
		&t->slice_md, laid_of(c, WEIGHTS), grouped ? 5 : 4, grouped ? wg : wd, slice.first, slice.n);
	wd[0] = wg[0] = slice.n;
	if (!rc)
		rc = tp_md_init(
			&t->rows_md, grouped ? 5 : 4, grouped ? wg : wd, grouped ? dnnl_goihw : dnnl_oihw);
	if (!rc)
		rc = memory(&t->slice, f, &t->slice_md, l->arena);
	if (!rc)
		rc = memory(&t->rows, f, &t->rows_md,
			tp_param_grad(l, s, 0) + (size_t)slice.first * slice_floats(g));
	if (!rc)
		rc = tp_reorder_add_pd(&pd, f->engine, TP_CMD(&t->slice_md), TP_CMD(&t->rows_md));
	if (!rc)
		rc = dnnl_primitive_create(&t->add, pd);
	if (pd)
		dnnl_primitive_desc_destroy(pd);
	pd = NULL;
	if (!rc)
		rc = tp_reorder_pd(&pd, f->engine, TP_CMD(&t->slice_md), TP_CMD(&t->rows_md));
	if (!rc)
		rc = dnnl_primitive_create(&t->write, pd);
	if (pd)
		dnnl_primitive_desc_destroy(pd);
	return rc;
}

dnnl_status_t tp_fast_conv_bind(const tp_learner *l, fast_conv *c, const tp_lstep *s, int worker)
{
	const fast *f = l->fast;
	conv_thread *t = &c->t[worker];
	void *nowhere = l->arena;
	dnnl_status_t rc = dnnl_success;
	for (int k = 0; k < SIZES && c->size[k].photos && !rc; k++) {
		const conv_size *z = &c->size[k];
		rc = memory(&t->src[k], f, &z->src, nowhere);
		if (!rc)
			rc = memory(&t->dst[k], f, &z->dst, nowhere);
		for (int pass = 0; pass < PASSES && !rc; pass++)
			if (z->prim[pass])
				rc = dnnl_memory_create(&t->scratch[k][pass],
					dnnl_primitive_desc_query_md(
						z->pd[pass], dnnl_query_scratchpad_md, 0),
					f->engine, f->scratch[worker]);
	}
	if (!rc && s->node->bias)
		rc = memory(&t->bias, f, &c->size[0].bias, tp_param_at(l, s, 1));
	if (rc || !s->trains)
		return rc;
	if (c->first[WEIGHTS])
		rc = dnnl_memory_create(&t->dw, laid_of(c, WEIGHTS), f->engine, nowhere);
	if (!rc && s->node->bias)
		rc = memory(&t->db, f, &c->size[0].bias, nowhere);
	return rc || !c->first[WEIGHTS] ? rc : bind_slice(l, c, s, worker);
}

/* Photos that go through at once: so many that what they read and write stays in the caches for the batch-norms before
 * and behind. */
static int group_of(const tp_learner *l, const tp_lstep *s)
{
	enum { BYTES = 4 << 20 };
	const fast *f = l->fast;
	size_t photo = (tp_fast_floats(l, s->in[0]) + tp_fast_floats(l, s->out)) * sizeof(float);
	int n = (int)(BYTES / photo), most = f->photos[0];
	return n < 1 ? 1 : n < most ? n : most;
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
	c->group = group_of(l, s);
	choose_wino(l, c, s);
	dnnl_status_t st = make_sizes(f, c, s, l->net->v[s->in[0]].kind == TP_OP_INPUT);
	if (!st)
		st = make_layouts(f, c, s, tp_param_at(l, s, 0));
	if (c->depthwise) {
		c->grad_floats = (size_t)g->oc * (size_t)(g->kh * g->kw);
		snprintf(c->impl[WEIGHTS], sizeof c->impl[WEIGHTS], "kernel:%s", f->k->isa);
		grow(&f->scratch_bytes, f->k->depthwise_scratch(g) * sizeof(float));
	}
	if (c->wino[WEIGHTS])
		c->grad_floats = (size_t)g->oc * (size_t)g->c * 9;
	if (s->trains)
		grow(&f->slot_floats, c->grad_floats + (size_t)g->oc);
	return st ? tp_dnnl_fail(err, st, s->node->name) : TP_OK;
}

static void forget(dnnl_memory_t m)
{
	if (m)
		dnnl_memory_destroy(m);
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
		conv_thread *t = &c->t[i];
		dnnl_memory_t m[] = { t->bias, t->dw, t->db, t->slice, t->rows };
		for (size_t k = 0; k < sizeof m / sizeof *m; k++)
			forget(m[k]);
		for (int k = 0; k < SIZES; k++) {
			forget(t->src[k]);
			forget(t->dst[k]);
			for (int pass = 0; pass < PASSES; pass++)
				forget(t->scratch[k][pass]);
		}
		if (t->add)
			dnnl_primitive_destroy(t->add);
		if (t->write)
			dnnl_primitive_destroy(t->write);
		tp_md_free(&t->slice_md);
		tp_md_free(&t->rows_md);
	}
	tp_free_aligned(c->laid);
	if (c->plain)
		dnnl_memory_destroy(c->plain);
	tp_md_free(&c->w_plain);
	tp_free(c->t);
	tp_free(c);
}

/* The weights as Winograd's kernels want them for a pass, made by all threads. */
static const float *wino_lay(tp_learner *l, int i, int worker, int pass)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	const tp_geo *g = &s->geo;
	float *u = f->u[f->turn[worker]++ % 2];
	int blocks = (pass == DATA ? g->c : g->oc) / f->k->block, threads = l->opts.threads;
	f->k->wino_weights(u, tp_param_at(l, s, 0), g->oc, g->c, g->stride, pass == DATA,
		worker * blocks / threads, (worker + 1) * blocks / threads);
	tp_team_barrier(l->team);
	tp_fast_met(l, worker);
	return u;
}

/* A thread's photos through Winograd's forward kernel: the convolution itself, or the one that makes dx of dy. */
static void run_wino(const fast *f, const float *u, float *y, const float *x, const float *bias,
	const tp_geo *g, int worker)
{
	f->k->wino_conv(y, x, u, bias, false, TP_ACT_NONE, g, 0, tp_wino_tiles(g), 0, g->oc / f->k->block,
		(float *)(void *)f->scratch[worker]);
}

/* A pass of oneDNN's over n photos; x and y are theirs, or their gradients'. */
static dnnl_status_t run_pass(const fast *f, fast_conv *c, int pass, float *x, float *y, int n, int worker)
{
	static const int from[] = { DNNL_ARG_SRC, DNNL_ARG_DIFF_SRC, DNNL_ARG_SRC };
	static const int to[] = { DNNL_ARG_DST, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_DST };
	conv_thread *t = &c->t[worker];
	int k = size_of(c, n);
	dnnl_memory_t bias = pass == FORWARD ? t->bias : pass == WEIGHTS ? t->db : NULL;
	dnnl_exec_arg_t arg[] = { { from[pass], t->src[k] }, { to[pass], t->dst[k] },
		{ pass == WEIGHTS ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS,
			pass == WEIGHTS ? t->dw : c->w[pass] },
		{ DNNL_ARG_SCRATCHPAD, t->scratch[k][pass] },
		{ pass == WEIGHTS ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS, bias } };
	dnnl_status_t st = dnnl_memory_set_data_handle(t->src[k], x);
	if (!st)
		st = dnnl_memory_set_data_handle(t->dst[k], y);
	return st ? st : dnnl_primitive_execute(c->size[k].prim[pass], f->stream[worker], bias ? 5 : 4, arg);
}

/* Group k of a share, as even as can be. */
static tp_share group_at(const fast_conv *c, tp_share share, int k)
{
	int groups = (share.n + c->group - 1) / c->group, first = k * share.n / groups;
	return (tp_share){ share.first + first, (k + 1) * share.n / groups - first };
}

void tp_fast_conv_forward(tp_learner *l, int i, int worker)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	tp_share share = tp_share_of(l, worker);
	dnnl_status_t st = dnnl_success;
	const float *u = c->wino[FORWARD] ? wino_lay(l, i, worker, FORWARD) : NULL;
	if (s->sums >= 0)
		tp_fast_norm_no_sums(l, s->sums, worker);
	for (int k = 0; k * c->group < share.n && !st; k++) {
		tp_share p = group_at(c, share, k);
		float *x = tp_value_at(l, s->in[0], p.first), *y = tp_value_at(l, s->out, p.first);
		tp_geo g = s->geo;
		g.n = p.n;
		if (i && l->step[i - 1].late)
			tp_fast_norm_apply(l, i - 1, worker, p.first, p.n);
		if (c->wino[FORWARD])
			run_wino(f, u, y, x, s->node->bias ? tp_param_at(l, s, 1) : NULL, &g, worker);
		else
			st = run_pass(f, c, FORWARD, x, y, p.n, worker);
		if (s->sums >= 0)
			tp_fast_norm_sums(l, s->sums, worker, p.first, p.n);
	}
	tp_fast_note(l, worker, st, s->node->name);
}

/* What a convolution read: kept, or computed again in one place for all groups, which stays in the caches. */
static float *input_of(const tp_learner *l, const tp_lstep *s, int worker, tp_share p)
{
	return s->again >= 0 ? tp_again_at(l, s, tp_share_of(l, worker).first)
			     : tp_value_at(l, s->in[0], p.first);
}

/* The weight gradient by a kernel of ours, in rows, added to dw: depthwise or Winograd's. */
static void weights_by_kernel(tp_learner *l, int i, int worker, tp_share p, float *dw)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	const float *x = input_of(l, s, worker, p);
	const float *dy = tp_grad_at(l, s->out, p.first);
	float *scratch = (float *)(void *)f->scratch[worker];
	tp_geo g = s->geo;
	g.n = p.n;
	if (c->depthwise)
		f->k->depthwise_dw(dw, x, dy, &g, 0, blocks_of(f, g.c), scratch);
	else
		f->k->wino_dw(dw, x, dy, &g, 0, g.c / f->k->block, scratch);
	if (!s->node->bias)
		return;
	double *sum = (double *)(void *)scratch, *sq = sum + g.oc;
	tp_geo out = g; /* the bias's gradient is a sum over dy */
	out.c = g.oc;
	out.h = g.oh;
	out.w = g.ow;
	memset(sum, 0, 2 * (size_t)g.oc * sizeof *sum);
	f->k->norm_sums(sum, sq, dy, &out, 0, blocks_of(f, g.oc) * p.n);
	for (int k = 0; k < g.oc; k++)
		dw[c->grad_floats + (size_t)k] += (float)sum[k];
}

/* The weight gradient of some photos of a worker's: the first ones write the slot, the others' is added. */
static dnnl_status_t weights_backward(tp_learner *l, int i, int worker, tp_share p, float *slot)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	conv_thread *t = &c->t[worker];
	bool first = p.first == tp_share_of(l, worker).first;
	size_t n = c->grad_floats + (s->node->bias ? (size_t)s->geo.oc : 0);
	float *dw = first ? slot : f->part[worker];
	if (s->again >= 0)
		tp_fast_norm_again(l, s, worker, p.first, p.n);
	if (!c->first[WEIGHTS]) {
		if (first)
			memset(slot, 0, n * sizeof *slot);
		weights_by_kernel(l, i, worker, p, slot);
		return dnnl_success;
	}
	dnnl_status_t st = dnnl_memory_set_data_handle(t->dw, dw);
	if (!st && t->db)
		st = dnnl_memory_set_data_handle(t->db, dw + c->grad_floats);
	if (!st)
		st = run_pass(f, c, WEIGHTS, input_of(l, s, worker, p), tp_grad_at(l, s->out, p.first), p.n,
			worker);
	if (!st && !first)
		f->k->accumulate(slot, dw, n);
	return st;
}

/* The gradient of the input, of some photos of a worker's: what other readers gave included when it is to be summed. u
 * are Winograd's weights, where it is them that do it. */
static dnnl_status_t data_backward(tp_learner *l, int i, int worker, tp_share p, const float *u)
{
	fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	fast_conv *c = f->step[i].conv;
	float *dx = tp_grad_out(l, s, 0, p.first), *dy = tp_grad_at(l, s->out, p.first);
	dnnl_status_t st = dnnl_success;
	tp_geo g = s->geo;
	g.n = p.n;
	tp_geo back = tp_wino_back_geo(&g);
	if (c->wino[DATA] && g.stride == 2)
		f->k->wino_back(dx, dy, u, &g, 0, g.c / f->k->block, (float *)(void *)f->scratch[worker]);
	else if (c->wino[DATA])
		run_wino(f, u, dx, dy, NULL, &back, worker);
	else
		st = run_pass(f, c, DATA, dx, dy, p.n, worker);
	if (st || s->back_sums < 0)
		return st;
	if (s->part[0] >= 0)
		f->k->accumulate(
			tp_grad_at(l, s->in[0], p.first), dx, tp_fast_floats(l, s->in[0]) * (size_t)p.n);
	tp_fast_norm_back_sums(l, s->back_sums, worker, p.first, p.n);
	return st;
}

void tp_fast_conv_backward(tp_learner *l, int i, int worker)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	const fast_conv *c = f->step[i].conv;
	tp_share share = tp_share_of(l, worker);
	bool late = i + 1 < l->n_steps && l->step[i + 1].late_back;
	dnnl_status_t st = dnnl_success;
	/* all threads meet here, which what waits to be summed would want next */
	const float *u = c->wino[DATA] ? wino_lay(l, i, worker, DATA) : NULL;
	float *slot = s->trains ? tp_fast_slot(l, i, worker) : NULL;
	if (s->back_sums >= 0)
		tp_fast_norm_no_sums(l, s->back_sums, worker);
	for (int k = 0; k * c->group < share.n && !st; k++) {
		tp_share p = group_at(c, share, k);
		if (late)
			tp_fast_norm_back(l, i + 1, worker, p.first, p.n);
		/* what the caller will count as the data's gradient is taken off it here */
		double from = tp_thread_seconds();
		if (slot)
			st = weights_backward(l, i, worker, p, slot);
		double weights = tp_learner_spent(l, i, WEIGHTS, worker, from) - from;
		if (!worker)
			l->spent[3 * i + DATA] -= weights;
		if (!st && s->want[0])
			st = data_backward(l, i, worker, p, u);
	}
	tp_fast_note(l, worker, st, s->node->name);
}

/* Lays the weights out for the passes that will want them. */
void tp_fast_conv_lay(tp_learner *l, int i, int worker, int pass)
{
	fast *f = l->fast;
	fast_conv *c = f->step[i].conv;
	if (!c->lay[pass])
		return;
	dnnl_exec_arg_t arg[] = { { DNNL_ARG_FROM, c->plain }, { DNNL_ARG_TO, c->w[pass] } };
	tp_fast_note(l, worker, dnnl_primitive_execute(c->lay[pass], f->stream[worker], 2, arg),
		l->step[i].node->name);
}

/* A slice of all threads' weight gradients into the slab, in the order of the threads. */
void tp_fast_conv_sum(tp_learner *l, int i, int worker)
{
	const fast *f = l->fast;
	const tp_lstep *s = &l->step[i];
	const fast_conv *c = f->step[i].conv;
	const conv_thread *mine = &c->t[worker];
	tp_share slice = slice_of(l, s, worker);
	size_t at = (size_t)slice.first * slice_floats(&s->geo), n = (size_t)slice.n * slice_floats(&s->geo);
	dnnl_status_t st = dnnl_success;
	for (int t = 0; t < l->opts.threads && !st; t++) {
		float *dw = tp_fast_slot_of(l, i, t);
		if (s->node->bias && !worker)
			tp_fast_to_slab(l, t, tp_param_grad(l, s, 1), dw + c->grad_floats, (size_t)s->geo.oc);
		if (slice.n <= 0)
			continue;
		if (!c->first[WEIGHTS]) {
			tp_fast_to_slab(l, t, tp_param_grad(l, s, 0) + at, dw + at, n);
			continue;
		}
		dnnl_exec_arg_t arg[] = { { DNNL_ARG_FROM, mine->slice }, { DNNL_ARG_TO, mine->rows } };
		st = dnnl_memory_set_data_handle(mine->slice, dw);
		if (!st)
			st = dnnl_primitive_execute(
				t || l->add ? mine->add : mine->write, f->stream[worker], 2, arg);
	}
	tp_fast_note(l, worker, st, s->node->name);
}
