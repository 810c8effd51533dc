/* Training by oneDNN's convolutions and kernels of ours, in one blocked layout from end to end. See learn_int.h.
 *
 * Every thread works on its own photos with primitives made for one thread and for that many photos; it meets the others
 * at batch-norms, whose sums are over the whole batch, and at the end, where weight gradients are summed in the order of
 * the threads. Weights lie row-major in the slab; what the primitives want is laid out anew at the start of each pass. */
#include <string.h>

#include "base/mem.h"
#include "nn/learn_fast_int.h"

bool tp_twin_fast_here(void)
{
	return tp_dnnl_block() != 0;
}

void tp_fast_note(tp_learner *l, int worker, dnnl_status_t st, const char *what)
{
	if (st && !l->rc[worker])
		l->rc[worker] = tp_dnnl_fail(&l->err[worker], st, what);
}

/* Behind the global pool values are plain rows. */
static bool is_flat(const tp_net *net, int node)
{
	const tp_node *v = &net->v[node];
	return v->kind == TP_OP_GLOBAL_POOL || v->kind == TP_OP_LINEAR ||
	       (v->kind == TP_OP_DROPOUT && is_flat(net, v->in[0]));
}

size_t tp_fast_floats(const tp_learner *l, int node)
{
	int b = tp_dnnl_block(), c = l->net->v[node].channels;
	size_t area = (size_t)l->plane[node].h * (size_t)l->plane[node].w;
	return is_flat(l->net, node) ? (size_t)c : (size_t)((c + b - 1) / b * b) * area;
}

static void activate(const fast *f, const tp_lstep *s, float *y, size_t n)
{
	if (s->act)
		(s->act == TP_ACT_RELU ? f->k->relu : f->k->relu6)(y, y, n);
}

/* The branch times what each photo's is multiplied by, to the place it goes to; with the shortcut, or alone. */
static void scale_branch(tp_learner *l, const tp_lstep *s, tp_share share, bool back)
{
	const fast *f = l->fast;
	size_t n = tp_fast_floats(l, s->out);
	for (int i = share.first; i < share.first + share.n; i++)
		if (back)
			f->k->add_scaled(tp_grad_out(l, s, 0, i), tp_grad_at(l, s->out, i),
				tp_branch_scale(l, s, i), NULL, n);
		else
			f->k->add_scaled(tp_value_at(l, s->out, i), tp_value_at(l, s->in[0], i),
				tp_branch_scale(l, s, i), tp_value_at(l, s->in[1], i), n);
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
	size_t n = tp_fast_floats(l, s->out) * (size_t)share.n;
	g.n = share.n;
	switch (s->kind) {
	case TP_OP_CONV:
		tp_fast_conv_forward(l, i, worker);
		break;
	case TP_OP_BATCH_NORM:
		tp_fast_norm_forward(l, i, worker);
		break;
	case TP_OP_RELU:
		f->k->relu(y, x, n);
		break;
	case TP_OP_RELU6:
		f->k->relu6(y, x, n);
		break;
	case TP_OP_ADD:
		if (s->drop > 0)
			scale_branch(l, s, share, false);
		else
			f->k->add(y, x, tp_value_at(l, s->in[1], share.first), n);
		activate(f, s, y, n);
		break;
	case TP_OP_CONCAT:
		tp_fast_concat(l, s, share, false);
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
		tp_fast_linear_forward(l, s, share, worker);
	}
}

static void add_backward(tp_learner *l, const tp_lstep *s, tp_share share, float *dy, size_t n)
{
	const fast *f = l->fast;
	if (s->act)
		(s->act == TP_ACT_RELU ? f->k->relu_back : f->k->relu6_back)(
			dy, dy, tp_value_at(l, s->out, share.first), n);
	for (int k = 0; k < s->n_in; k++)
		if (s->want[k] && !k && s->drop > 0)
			scale_branch(l, s, share, true);
		else if (s->want[k] && !s->same[k])
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
	size_t n = tp_fast_floats(l, s->out) * (size_t)share.n;
	g.n = share.n;
	switch (s->kind) {
	case TP_OP_CONV:
		tp_fast_conv_backward(l, i, worker);
		break;
	case TP_OP_BATCH_NORM:
		tp_fast_norm_backward(l, i, worker);
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
		tp_fast_concat(l, s, share, true);
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
		tp_fast_linear_backward(l, i, share, worker);
	}
}

/* Weights are laid out by all threads, layers each. */
static void begin(tp_learner *l, bool is_forward, int worker)
{
	const fast *f = l->fast;
	tp_dnnl_threads(1);
	f->waiting[worker].step = -1;
	for (int i = 0; i < l->n_steps; i++)
		if (l->step[i].kind == TP_OP_CONV && f->step[i].owner == worker)
			tp_fast_conv_lay(l, i, worker, is_forward ? FORWARD : DATA);
	tp_team_barrier(l->team);
}

static void end(tp_learner *l, bool is_forward, int worker)
{
	if (!is_forward)
		tp_fast_sum_waiting(l, worker);
}

/* ---- weight gradients -------------------------------------------------------------------------------------- */

float *tp_fast_slot_of(const tp_learner *l, int i, int worker)
{
	const fast *f = l->fast;
	return f->slot[2 * worker + f->step[i].slot];
}

void tp_fast_sum_waiting(tp_learner *l, int worker)
{
	const fast *f = l->fast;
	fast_sum *w = &f->waiting[worker];
	if (w->step < 0)
		return;
	if (!w->met)
		tp_team_barrier(l->team);
	if (l->step[w->step].kind == TP_OP_CONV)
		tp_fast_conv_sum(l, w->step, worker);
	else
		tp_fast_linear_sum(l, w->step, worker);
	w->step = -1;
}

void tp_fast_to_slab(const tp_learner *l, int thread, float *g, const float *x, size_t n)
{
	const fast *f = l->fast;
	if (thread || l->add)
		f->k->accumulate(g, x, n);
	else
		memcpy(g, x, n * sizeof *g);
}

void tp_fast_met(tp_learner *l, int worker)
{
	const fast *f = l->fast;
	f->waiting[worker].met = true;
}

float *tp_fast_slot(tp_learner *l, int i, int worker)
{
	const fast *f = l->fast;
	tp_fast_sum_waiting(l, worker);
	f->waiting[worker] = (fast_sum){ .step = i };
	return tp_fast_slot_of(l, i, worker);
}

/* ---- opening and closing ------------------------------------------------------------------------------------ */

static tp_code open_steps(tp_learner *l, tp_err *err)
{
	fast *f = l->fast;
	tp_code rc = TP_OK;
	int before = tp_dnnl_threads(1), trained = 0;
	for (int i = 0; i < l->n_steps && !rc; i++) {
		if (l->step[i].kind == TP_OP_CONV)
			rc = tp_fast_conv_open(l, i, err);
		else if (l->step[i].kind == TP_OP_BATCH_NORM)
			rc = tp_fast_norm_open(l, i, err);
		else if (l->step[i].kind == TP_OP_LINEAR)
			grow(&f->slot_floats, tp_fast_linear_floats(&l->step[i]));
		if (l->step[i].trains && l->step[i].kind != TP_OP_BATCH_NORM)
			f->step[i].slot = trained++ % 2;
		/* the gradient of a bias */
		grow(&f->scratch_bytes, 2 * sizeof(double) * (size_t)(l->step[i].geo.oc + 16));
	}
	tp_dnnl_threads(before);
	return rc;
}

/* Who lays out which layer's weights: everybody about as many floats. */
static void share_out_layers(const tp_learner *l)
{
	const fast *f = l->fast;
	for (int i = 0; i < l->n_steps; i++) {
		const tp_geo *g = &l->step[i].geo;
		if (l->step[i].kind != TP_OP_CONV)
			continue;
		int least = 0;
		for (int t = 1; t < l->opts.threads; t++)
			if (f->load[t] < f->load[least])
				least = t;
		f->step[i].owner = least;
		if (f->step[i].conv->laid)
			f->load[least] +=
				(size_t)g->oc * (size_t)(g->c / g->groups) * (size_t)(g->kh * g->kw);
	}
}

static tp_code open_threads(tp_learner *l, tp_err *err)
{
	fast *f = l->fast;
	dnnl_status_t st = dnnl_success;
	for (int k = 0; k < 2 && f->u_floats; k++)
		if (!(f->u[k] = tp_alloc_aligned(f->u_floats * sizeof(float))))
			return tp_nomem(err, f->u_floats * sizeof(float));
	for (int t = 0; t < l->opts.threads && !st; t++) {
		f->scratch[t] = tp_alloc_aligned(f->scratch_bytes + 64);
		for (int k = 0; k < 2; k++)
			f->slot[2 * t + k] = tp_alloc_aligned((f->slot_floats + 16) * sizeof(float));
		f->part[t] = tp_alloc_aligned((f->slot_floats + 16) * sizeof(float));
		if (!f->scratch[t] || !f->slot[2 * t] || !f->slot[2 * t + 1] || !f->part[t])
			return tp_nomem(err, f->scratch_bytes + 3 * f->slot_floats * sizeof(float));
		st = dnnl_stream_create(&f->stream[t], f->engine, dnnl_stream_default_flags);
		for (int i = 0; i < l->n_steps && !st; i++)
			if (l->step[i].kind == TP_OP_CONV)
				st = tp_fast_conv_bind(l, f->step[i].conv, &l->step[i], t);
	}
	return st ? tp_dnnl_fail(err, st, "learner") : TP_OK;
}

static tp_code open(tp_learner *l, tp_err *err)
{
	fast *f = l->fast = tp_calloc(1, sizeof *f);
	size_t threads = (size_t)l->opts.threads;
	if (!f)
		return tp_nomem(err, sizeof *f);
	f->k = tp_kernels_best(tp_dnnl_block());
	f->tag = tp_dnnl_tag(tp_dnnl_block());
	f->step = tp_calloc((size_t)l->n_steps, sizeof *f->step);
	f->stream = tp_calloc(threads, sizeof *f->stream);
	f->scratch = tp_calloc(threads, sizeof *f->scratch);
	f->slot = tp_calloc(2 * threads, sizeof *f->slot);
	f->load = tp_calloc(threads, sizeof *f->load);
	f->turn = tp_calloc(threads, sizeof *f->turn);
	f->part = tp_calloc(threads, sizeof *f->part);
	f->waiting = tp_calloc(threads, sizeof *f->waiting);
	if (!f->step || !f->stream || !f->scratch || !f->slot || !f->part || !f->load || !f->waiting ||
		!f->turn)
		return tp_nomem(err, (size_t)l->n_steps * sizeof *f->step);
	f->photos[0] = tp_share_of(l, l->opts.threads - 1).n;
	if (tp_share_of(l, 0).n != f->photos[0])
		f->photos[1] = tp_share_of(l, 0).n;
	memset(l->arena, 0, l->arena_bytes); /* channels past the last are 0, and stay 0 */
	dnnl_status_t st = dnnl_engine_create(&f->engine, dnnl_cpu, 0);
	if (st)
		return tp_dnnl_fail(err, st, "engine");
	tp_code rc = open_steps(l, err);
	if (rc)
		return rc;
	share_out_layers(l);
	return open_threads(l, err);
}

static void close(tp_learner *l)
{
	fast *f = l->fast;
	if (!f)
		return;
	for (int i = 0; f->step && i < l->n_steps; i++) {
		tp_fast_conv_close(f->step[i].conv, l->opts.threads);
		tp_fast_norm_close(f->step[i].norm, l->opts.threads);
	}
	for (int t = 0; t < l->opts.threads; t++) {
		if (f->stream && f->stream[t])
			dnnl_stream_destroy(f->stream[t]);
		if (f->scratch)
			tp_free_aligned(f->scratch[t]);
		if (f->part)
			tp_free_aligned(f->part[t]);
		for (int k = 0; f->slot && k < 2; k++)
			tp_free_aligned(f->slot[2 * t + k]);
	}
	if (f->engine)
		dnnl_engine_destroy(f->engine);
	tp_free(f->step);
	tp_free(f->stream);
	tp_free(f->scratch);
	tp_free(f->slot);
	tp_free(f->part);
	tp_free(f->load);
	tp_free(f->turn);
	tp_free_aligned(f->u[0]);
	tp_free_aligned(f->u[1]);
	tp_free(f->waiting);
	tp_free(f);
	l->fast = NULL;
}

static const char *impl(const tp_learner *l, int i, int pass)
{
	const fast *f = l->fast;
	const fast_conv *c = f->step[i].conv;
	return c ? c->impl[pass] : pass == FORWARD || l->step[i].back ? f->k->isa : "";
}

const tp_twin tp_twin_fast = { tp_fast_floats, open, close, begin, end, forward, backward, impl };
