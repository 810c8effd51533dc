/* Compiling a network for training and running it: see learn.h and learn_int.h.
 *
 * Time runs from the first step forward to the first step's backward: step i of n runs at i, and back at 2n - 1 - i. A
 * piece lives from its first write to its last read on that axis, and pieces share the arena where they never live
 * together. What only the backward pass reads is kept; what nothing reads any more gives its place away. */
#include "nn/learn_int.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"

enum { NONE = -1 };

/* ---- steps ---------------------------------------------------------------------------------------------- */

static int only_reader(const tp_net *net, int node)
{
	int found = NONE;
	for (int i = node + 1; i < net->n; i++)
		for (int k = 0; k < net->v[i].n_in; k++)
			if (net->v[i].in[k] == node) {
				if (found != NONE)
					return NONE;
				found = i;
			}
	return found;
}

/* At which rate an addition's branch is left out: it rises with depth, as in EfficientNet. */
static float drop_of(const tp_learner *l, const tp_node *node)
{
	bool drops = node->kind == TP_OP_ADD && node->block > 0 && !l->opts.frozen[node->stage];
	return drops ? l->opts.drop_path * (float)node->block / (float)l->net->n_blocks : 0;
}

/* A shortcut that is there already when the batch-norm runs; not where photos differ in what is added to it. */
static void take_shortcut(const tp_learner *l, tp_lstep *s)
{
	const tp_net *net = l->net;
	int next = only_reader(net, s->out);
	if (s->kind != TP_OP_BATCH_NORM || next == NONE || net->v[next].kind != TP_OP_ADD ||
		drop_of(l, &net->v[next]) > 0)
		return;
	const tp_node *add = &net->v[next];
	int other = add->in[0] == s->out ? add->in[1] : add->in[0];
	if (other < s->in[0] && net->v[other].kind != TP_OP_INPUT) {
		s->in[s->n_in++] = other;
		s->out = next;
	}
}

static void take_activation(const tp_net *net, tp_lstep *s)
{
	int next = only_reader(net, s->out);
	if (next == NONE || (s->kind != TP_OP_BATCH_NORM && s->kind != TP_OP_ADD))
		return;
	if (net->v[next].kind == TP_OP_RELU || net->v[next].kind == TP_OP_RELU6) {
		s->act = net->v[next].kind == TP_OP_RELU ? TP_ACT_RELU : TP_ACT_RELU6;
		s->out = next;
	}
}

static void make_steps(tp_learner *l, bool *taken)
{
	const tp_net *net = l->net;
	for (int i = 0; i < net->n; i++) {
		const tp_node *node = &net->v[i];
		if (node->kind == TP_OP_INPUT || taken[i])
			continue;
		tp_lstep *s = &l->step[l->n_steps++];
		*s = (tp_lstep){ .kind = node->kind, .node = node, .n_in = node->n_in, .out = i };
		memcpy(s->in, node->in, sizeof s->in);
		s->geo = tp_node_geo(net, l->plane, i, l->opts.batch);
		s->trains = node->param >= 0 && !l->opts.frozen[node->stage];
		s->batch_stat = node->kind == TP_OP_BATCH_NORM && s->trains && !l->opts.running_stat;
		s->momentum = l->opts.bn_momentum > 0 ? l->opts.bn_momentum : node->momentum;
		s->drop = drop_of(l, node);
		take_shortcut(l, s);
		taken[s->out] = true;
		take_activation(net, s);
		taken[s->out] = true;
	}
}

/* ---- liveness ------------------------------------------------------------------------------------------- */

static int back_time(const tp_learner *l, int step)
{
	return 2 * l->n_steps - 1 - step;
}

static int new_piece(tp_learner *l, int node, int time)
{
	l->piece[l->n_pieces] =
		(tp_lpiece){ .floats = l->twin->floats(l, node), .first = time, .last = time };
	return l->n_pieces++;
}

static void touch(tp_learner *l, int piece, int time)
{
	if (piece != NONE && l->piece[piece].last < time)
		l->piece[piece].last = time;
}

/* Which gradients are wanted: those that a trained parameter lies behind. */
static void find_gradients(tp_learner *l, bool *wanted)
{
	for (int i = 0; i < l->n_steps; i++) {
		tp_lstep *s = &l->step[i];
		s->back = s->trains;
		for (int k = 0; k < s->n_in; k++) {
			s->want[k] = wanted[s->in[k]];
			s->back = s->back || s->want[k];
		}
		wanted[s->out] = s->back;
	}
}

static int step_of(const tp_learner *l, int node)
{
	for (int i = 0; i < l->n_steps; i++)
		if (l->step[i].out == node)
			return i;
	return NONE;
}

/* Can what step `from` made be computed again when a convolution's weights want it? A batch-norm without a shortcut can,
 * from an input that its own backward pass keeps longer than that. */
static bool can_repeat(const tp_learner *l, int from)
{
	const tp_lstep *s = from == NONE ? NULL : &l->step[from];
	return s && !l->opts.plain && s->kind == TP_OP_BATCH_NORM && s->n_in == 1 && s->trains;
}

/* What a step's backward reads of the forward pass. */
static void keep_values(tp_learner *l, int i)
{
	const tp_lstep *s = &l->step[i];
	/* a batch-norm's mask is computed again from its input, but for a shortcut in it */
	bool again = s->kind == TP_OP_BATCH_NORM && s->n_in == 1 && !l->opts.plain;
	bool input = false, output = s->act != TP_ACT_NONE && !again;
	switch (s->kind) {
	case TP_OP_CONV:
		input = s->trains && !can_repeat(l, s->from);
		break;
	case TP_OP_LINEAR:
		input = s->trains;
		break;
	case TP_OP_BATCH_NORM:
		input = true;
		break;
	case TP_OP_MAX_POOL:
		input = true;
		break;
	case TP_OP_RELU:
	case TP_OP_RELU6:
		output = true;
		break;
	default:
		break;
	}
	if (s->back && input)
		touch(l, l->value[s->in[0]], back_time(l, i));
	if (s->back && output)
		touch(l, l->value[s->out], back_time(l, i));
}

/* Which of its neighbours' work a convolution does along with its own. */
static void pair_with_norms(tp_learner *l)
{
	for (int i = 0; i < l->n_steps; i++)
		l->step[i].sums = l->step[i].back_sums = NONE;
	for (int i = 0; i < l->n_steps && !l->opts.plain; i++) {
		tp_lstep *s = &l->step[i], *from = s->from == NONE ? NULL : &l->step[s->from];
		if (!from)
			continue;
		if (s->kind == TP_OP_BATCH_NORM && s->batch_stat && from->kind == TP_OP_CONV)
			from->sums = i;
		if (s->kind != TP_OP_CONV || from->kind != TP_OP_BATCH_NORM || s->from != i - 1)
			continue;
		from->late = true;
		if (from->trains && s->want[0])
			s->back_sums = i - 1;
	}
}

static void plan_values(tp_learner *l)
{
	for (int i = 0; i < l->n_steps; i++) {
		const tp_lstep *s = &l->step[i];
		for (int k = 0; k < s->n_in; k++)
			touch(l, l->value[s->in[k]], s->late ? i + 1 : i);
		if (s->out != l->net->logits)
			l->value[s->out] = new_piece(l, s->out, i);
		keep_values(l, i);
	}
}

/* May the gradient of an addition serve as that of its input k, unchanged? The input's own step must not mask it in
 * place, and nobody else may add to it. */
static bool can_share(const tp_learner *l, const tp_lstep *s, int k)
{
	int node = s->in[k];
	bool added = (s->kind == TP_OP_ADD && (k || s->drop == 0)) || (s->kind == TP_OP_BATCH_NORM && k == 1);
	if (!added || only_reader(l->net, node) == NONE)
		return false;
	int from = step_of(l, node);
	return from != NONE && l->step[from].act == TP_ACT_NONE;
}

/* A batch-norm's gradient that the convolution before it may write: not when it is one of several parts. */
static void plan_late_back(tp_learner *l, int i, int now)
{
	tp_lstep *s = &l->step[i];
	if (l->opts.plain || s->kind != TP_OP_BATCH_NORM || s->from == NONE || s->from != i - 1 ||
		!s->want[0] || l->step[i - 1].kind != TP_OP_CONV || s->part[0] != NONE ||
		(s->n_in == 2 && s->want[1] && s->part[1] != NONE))
		return;
	s->late_back = true;
	touch(l, l->grad[s->out], now + 1);
	touch(l, l->value[s->in[0]], now + 1);
	if (s->n_in == 2 && s->act)
		touch(l, l->value[s->out], now + 1);
}

static void plan_gradients(tp_learner *l)
{
	for (int i = l->n_steps - 1; i >= 0; i--) {
		tp_lstep *s = &l->step[i];
		int now = back_time(l, i);
		s->again = NONE;
		if (!s->back)
			continue;
		if (s->kind == TP_OP_CONV && s->trains && can_repeat(l, s->from))
			s->again = new_piece(l, s->in[0], now);
		touch(l, l->grad[s->out], now);
		for (int k = 0; k < s->n_in; k++) {
			int *g = &l->grad[s->in[k]];
			s->part[k] = NONE;
			if (!s->want[k])
				continue;
			if (*g != NONE) {
				s->part[k] = new_piece(l, s->in[k], now);
				touch(l, *g, now);
			} else if (can_share(l, s, k)) {
				*g = l->grad[s->out];
				s->same[k] = true;
			} else {
				*g = new_piece(l, s->in[k], now);
			}
		}
		plan_late_back(l, i, now);
	}
}

static bool together(const tp_lpiece *a, const tp_lpiece *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* The largest first, each at the lowest place that is free as long as it lives. Planned for one photo: every thread has
 * an arena of its own, the plan times its photos, for threads are not at the same step at the same time. */
static tp_code place(tp_learner *l, tp_err *err)
{
	size_t *bytes = tp_calloc((size_t)l->n_pieces, sizeof *bytes);
	bool *done = tp_calloc((size_t)l->n_pieces, sizeof *done);
	if (!bytes || !done) {
		tp_free(bytes);
		tp_free(done);
		return tp_nomem(err, (size_t)l->n_pieces * sizeof *bytes);
	}
	for (int i = 0; i < l->n_pieces; i++)
		bytes[i] = (l->piece[i].floats * sizeof(float) + 63) & ~(size_t)63;
	for (int round = 0; round < l->n_pieces; round++) {
		int a = NONE;
		for (int i = 0; i < l->n_pieces; i++)
			if (!done[i] && (a == NONE || bytes[i] > bytes[a]))
				a = i;
		size_t at = 0;
		for (bool moved = true; moved;) {
			moved = false;
			for (int b = 0; b < l->n_pieces; b++) {
				size_t from = l->piece[b].offset;
				if (done[b] && together(&l->piece[a], &l->piece[b]) && at < from + bytes[b] &&
					from < at + bytes[a]) {
					at = from + bytes[b];
					moved = true;
				}
			}
		}
		l->piece[a].offset = at;
		done[a] = true;
		if (at + bytes[a] > l->photo_bytes)
			l->photo_bytes = at + bytes[a];
	}
	l->arena_bytes = l->photo_bytes * (size_t)l->opts.batch;
	tp_free(bytes);
	tp_free(done);
	return TP_OK;
}

static tp_code compile(tp_learner *l, tp_err *err)
{
	size_t n = (size_t)l->net->n;
	bool *wanted = tp_calloc(n, sizeof *wanted), *taken = tp_calloc(n, sizeof *taken);
	tp_code rc = wanted && taken ? tp_net_shapes(l->plane, l->net, l->opts.side, err) : tp_nomem(err, n);
	if (!rc) {
		for (size_t i = 0; i < n; i++)
			l->value[i] = l->grad[i] = NONE;
		make_steps(l, taken);
		for (int i = 0; i < l->n_steps; i++)
			l->step[i].from = step_of(l, l->step[i].in[0]);
		find_gradients(l, wanted);
		pair_with_norms(l);
		plan_values(l);
		plan_gradients(l);
		rc = place(l, err);
	}
	for (int i = 0; i < l->n_steps && !rc; i++) {
		tp_lstep *s = &l->step[i];
		if (s->kind != TP_OP_BATCH_NORM)
			continue;
		s->mean = tp_alloc_aligned(((size_t)s->geo.c + 16) * sizeof *s->mean);
		s->rstd = tp_alloc_aligned(((size_t)s->geo.c + 16) * sizeof *s->rstd);
		if (!s->mean || !s->rstd)
			rc = tp_nomem(err, (size_t)s->geo.c * sizeof *s->mean);
	}
	tp_free(wanted);
	tp_free(taken);
	return rc;
}

/* ---- making one ------------------------------------------------------------------------------------------- */

static tp_code alloc(tp_learner *l, tp_err *err)
{
	size_t n = (size_t)l->net->n;
	l->plane = tp_calloc(n, sizeof *l->plane);
	l->step = tp_calloc(n, sizeof *l->step);
	/* a value, a gradient and a value again a node, and a part an edge */
	l->piece = tp_calloc(n * (3 + TP_MAX_IN), sizeof *l->piece);
	l->value = tp_calloc(n, sizeof *l->value);
	l->grad = tp_calloc(n, sizeof *l->grad);
	l->spent = tp_calloc(3 * n, sizeof *l->spent);
	l->rc = tp_calloc((size_t)l->opts.threads, sizeof *l->rc);
	l->err = tp_calloc((size_t)l->opts.threads, sizeof *l->err);
	if (!l->plane || !l->step || !l->piece || !l->value || !l->grad || !l->spent || !l->rc || !l->err)
		return tp_nomem(err, n * sizeof *l->step);
	return tp_team_new(&l->team, l->opts.threads, err);
}

tp_code tp_learner_new(
	tp_learner **out, const tp_net *net, tp_params *params, const tp_learn_opts *opts, tp_err *err)
{
	if (net->logits < 0)
		return tp_fail(err, TP_EINVAL, "%s has no classifier to train", net->arch->name);
	if (opts->batch < 1 || opts->batch > 4096 || opts->threads < 1 || opts->threads > 1024)
		return tp_fail(
			err, TP_EINVAL, "batch %d, %d threads: out of range", opts->batch, opts->threads);
	if (!(opts->drop_path >= 0 && opts->drop_path < 1) || (opts->drop_path > 0 && !net->n_blocks))
		return tp_fail(err, TP_EINVAL, "drop_path %g of %s with %d residual blocks",
			(double)opts->drop_path, net->arch->name, net->n_blocks);
	tp_learner *l = tp_calloc(1, sizeof *l);
	if (!l)
		return tp_nomem(err, sizeof *l);
	l->net = net;
	l->params = params;
	l->opts = *opts;
	l->opts.plain = opts->plain || !tp_twin_fast_here();
	l->twin = l->opts.plain ? &tp_twin_plain : &tp_twin_fast;
	if (l->opts.plain)
		l->opts.threads = 1;
	if (l->opts.threads > l->opts.batch)
		l->opts.threads = l->opts.batch;
	tp_code rc = alloc(l, err);
	if (!rc)
		rc = compile(l, err);
	if (!rc && !(l->arena = tp_alloc_aligned(l->arena_bytes)))
		rc = tp_nomem(err, l->arena_bytes);
	if (!rc)
		rc = l->twin->open(l, err);
	if (rc) {
		tp_learner_free(l);
		return rc;
	}
	*out = l;
	return TP_OK;
}

void tp_learner_free(tp_learner *l)
{
	if (!l)
		return;
	l->twin->close(l);
	for (int i = 0; l->step && i < l->n_steps; i++) {
		tp_free_aligned(l->step[i].mean);
		tp_free_aligned(l->step[i].rstd);
	}
	tp_team_free(l->team);
	tp_free_aligned(l->arena);
	tp_free(l->plane);
	tp_free(l->step);
	tp_free(l->piece);
	tp_free(l->value);
	tp_free(l->grad);
	tp_free(l->spent);
	tp_free(l->rc);
	tp_free(l->err);
	tp_free(l);
}

size_t tp_learner_arena_bytes(const tp_learner *l)
{
	return l->arena_bytes;
}

size_t tp_learner_ops(const tp_learner *l)
{
	return 3 * (size_t)l->n_steps;
}

const char *tp_learner_op_name(const tp_learner *l, size_t i)
{
	const tp_lstep *s = &l->step[i / 3];
	return tp_node_label(s->node);
}

const char *tp_learner_op_impl(const tp_learner *l, size_t i)
{
	return l->twin->impl(l, (int)(i / 3), (int)(i % 3));
}

double tp_learner_op_seconds(const tp_learner *l, size_t i)
{
	return l->spent[i];
}

double tp_learner_spent(tp_learner *l, int step, int pass, int worker, double from)
{
	double now = tp_thread_seconds();
	if (!worker)
		l->spent[3 * step + pass] += now - from;
	return now;
}

/* ---- where things lie -------------------------------------------------------------------------------------- */

tp_share tp_share_of(const tp_learner *l, int worker)
{
	int n = l->opts.batch, t = l->opts.threads;
	int first = worker * n / t;
	return (tp_share){ first, (worker + 1) * n / t - first };
}

/* Photos first..first + n - 1 are one thread's, and its pieces lie in its own part of the arena. */
static float *piece_at(const tp_learner *l, int piece, int photo)
{
	const tp_lpiece *p = &l->piece[piece];
	int worker = ((photo + 1) * l->opts.threads - 1) / l->opts.batch;
	tp_share s = tp_share_of(l, worker);
	uint8_t *base = l->arena + l->photo_bytes * (size_t)s.first + p->offset * (size_t)s.n;
	return (float *)(void *)base + p->floats * (size_t)(photo - s.first);
}

float *tp_value_at(const tp_learner *l, int node, int photo)
{
	size_t image = 3 * (size_t)l->opts.side * (size_t)l->opts.side;
	if (node == l->net->logits)
		return l->logits + (size_t)photo * (size_t)l->net->n_classes;
	if (l->value[node] == NONE)
		return (float *)(uintptr_t)l->in + (size_t)photo * image;
	return piece_at(l, l->value[node], photo);
}

float *tp_grad_at(const tp_learner *l, int node, int photo)
{
	if (node == l->net->logits)
		return (float *)(uintptr_t)l->dlogits + (size_t)photo * (size_t)l->net->n_classes;
	return piece_at(l, l->grad[node], photo);
}

float *tp_grad_out(const tp_learner *l, const tp_lstep *s, int k, int photo)
{
	return s->part[k] != NONE ? piece_at(l, s->part[k], photo) : tp_grad_at(l, s->in[k], photo);
}

float *tp_again_at(const tp_learner *l, const tp_lstep *s, int photo)
{
	return piece_at(l, s->again, photo);
}

float *tp_param_at(const tp_learner *l, const tp_lstep *s, int field)
{
	size_t at = l->params->off[s->node->param + field];
	return (field < 2 ? l->params->w : l->params->buf) + at;
}

float *tp_param_grad(const tp_learner *l, const tp_lstep *s, int field)
{
	return l->params->g + l->params->off[s->node->param + field];
}

/* 0, or 1 / (1 - rate): a hash of what names the value (splitmix64, Steele et al. 2014), so that the order of work does
 * not matter. */
static float keep(uint64_t seed, int node, int photo, int channel, float rate)
{
	uint64_t x = seed ^ (uint64_t)node << 48 ^ (uint64_t)photo << 24 ^ (uint64_t)channel;
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	x ^= x >> 31;
	return (double)(x >> 11) / 9007199254740992.0 < (double)rate ? 0 : 1 / (1 - rate);
}

float tp_branch_scale(const tp_learner *l, const tp_lstep *s, int photo)
{
	return s->drop > 0 ? keep(l->seed, s->out, photo, 0, s->drop) : 1;
}

void tp_drop(const tp_learner *l, const tp_lstep *s, float *y, const float *x, int first, int n)
{
	float rate = l->opts.whole ? 0 : s->node->rate;
	for (int i = first; i < first + n; i++)
		for (int c = 0; c < s->geo.c; c++)
			*y++ = *x++ * keep(l->seed, s->out, i, c, rate);
}

/* ---- running ------------------------------------------------------------------------------------------------ */

/* What other readers of the node gave, and this step's part of it. */
static void add_parts(tp_learner *l, const tp_lstep *s, int worker)
{
	tp_share share = tp_share_of(l, worker);
	for (int k = 0; k < s->n_in; k++)
		if (s->want[k] && s->part[k] != NONE) {
			float *sum = tp_grad_at(l, s->in[k], share.first);
			const float *part = piece_at(l, s->part[k], share.first);
			size_t n = l->piece[s->part[k]].floats * (size_t)share.n;
			for (size_t i = 0; i < n; i++)
				sum[i] += part[i];
		}
}

static void forward(void *ud, int worker)
{
	tp_learner *l = ud;
	l->twin->begin(l, true, worker);
	double t = tp_thread_seconds();
	for (int i = 0; i < l->n_steps; i++) {
		l->twin->forward(l, i, worker);
		t = tp_learner_spent(l, i, 0, worker, t);
	}
	l->twin->end(l, true, worker);
}

static void backward(void *ud, int worker)
{
	tp_learner *l = ud;
	l->twin->begin(l, false, worker);
	double t = tp_thread_seconds();
	for (int i = l->n_steps - 1; i >= 0; i--)
		if (l->step[i].back) {
			l->twin->backward(l, i, worker);
			if (l->step[i].back_sums == NONE)
				add_parts(l, &l->step[i], worker);
			t = tp_learner_spent(l, i, 1, worker, t);
		}
	l->twin->end(l, false, worker);
}

static tp_code run(tp_learner *l, tp_team_fn fn, tp_err *err)
{
	for (int i = 0; i < l->opts.threads; i++)
		l->rc[i] = TP_OK;
	tp_team_run(l->team, fn, l);
	for (int i = 0; i < l->opts.threads; i++)
		if (l->rc[i]) {
			if (err)
				*err = l->err[i];
			return l->rc[i];
		}
	return TP_OK;
}

tp_code tp_learner_forward(tp_learner *l, const float *in, float *logits, uint64_t seed, tp_err *err)
{
	l->in = in;
	l->logits = logits;
	l->seed = seed;
	return run(l, forward, err);
}

tp_code tp_learner_backward(tp_learner *l, const float *dlogits, bool add, tp_err *err)
{
	l->add = add;
	l->dlogits = dlogits;
	return run(l, backward, err);
}
