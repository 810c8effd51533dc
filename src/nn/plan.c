/* Compiling a network: shapes, folding, fusing, one arena. See nn.h.
 *
 * Fusing: a convolution takes the batch-norm behind it into its weights, then ReLU6 or the addition of a shortcut.
 * The fast twin adds in place, so the sum lives where the shortcut lived; that is right only when the addition is
 * the shortcut's last reader, which the compiler checks. */
#include "nn/plan_int.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

typedef struct {
	const tp_net *net;
	const tp_weights *w;
	tp_plan *p;
	int *piece_of, *side_of; /* per node: the piece that holds its output (-1: the input), its height */
	int *uses;               /* per node: readers still to come */
} compiler;

static tp_code load_param(
	float **out, const compiler *c, const char *op, const char *field, size_t n, tp_err *err)
{
	char name[64];
	snprintf(name, sizeof name, "%s.%s", op, field);
	const tp_tensor *t = tp_weights_find(c->w, name);
	if (!t)
		return tp_fail(err, TP_EFORMAT, "tensor \"%s\" of %s is missing", name, c->net->arch->name);
	float *v = tp_alloc_aligned(n * sizeof *v);
	if (!v)
		return tp_nomem(err, n * sizeof *v);
	tp_code rc = tp_tensor_floats(v, n, t, err);
	if (rc) {
		tp_free_aligned(v);
		return tp_context(err, TP_EFORMAT, "%s: ", c->net->arch->name);
	}
	*out = v;
	return TP_OK;
}

/* Shapes count, not only sizes: a transposed weight must not slip through. */
static tp_code check_shapes(const compiler *c, tp_err *err)
{
	for (size_t i = 0; i < c->net->n_params; i++) {
		const tp_net_param *p = &c->net->param[i];
		const tp_tensor *t = tp_weights_find(c->w, p->name);
		if (!t)
			return tp_fail(err, TP_EFORMAT, "tensor \"%s\" of %s is missing", p->name,
				c->net->arch->name);
		bool same = t->ndim == p->ndim;
		for (int d = 0; same && d < p->ndim; d++)
			same = t->dim[d] == p->dim[d];
		if (!same)
			return tp_fail(err, TP_EFORMAT, "tensor \"%s\" has another shape than %s has",
				p->name, c->net->arch->name);
	}
	return TP_OK;
}

static int new_piece(compiler *c, size_t floats)
{
	tp_plan *p = c->p;
	p->piece[p->n_pieces] =
		(tp_piece){ .bytes = floats * sizeof(float), .first = p->n_steps, .last = p->n_steps };
	return p->n_pieces++;
}

static void reads(compiler *c, int piece)
{
	if (piece >= 0)
		c->p->piece[piece].last = c->p->n_steps;
}

/* The node after `node` that is its only reader and of this kind; -1 when there is none. */
static int only_reader(const compiler *c, int node, tp_op_kind kind)
{
	if (c->uses[node] != 1)
		return -1;
	for (int i = node + 1; i < c->net->n; i++)
		if (c->net->v[i].in[0] == node || c->net->v[i].in[1] == node)
			return c->net->v[i].kind == kind ? i : -1;
	return -1;
}

static tp_code fold(const compiler *c, tp_step *s, const tp_node *bn, size_t per_oc, tp_err *err)
{
	size_t n = (size_t)s->geo.oc;
	float *v[4] = { 0 };
	static const char *const field[] = { "weight", "bias", "running_mean", "running_var" };
	tp_code rc = TP_OK;
	for (int i = 0; i < 4 && !rc; i++)
		rc = load_param(&v[i], c, bn->name, field[i], n, err);
	if (!rc)
		tp_fold_batch_norm(s->w, s->b, s->geo.oc, per_oc, v[0], v[1], v[2], v[3], bn->eps);
	for (int i = 0; i < 4; i++)
		tp_free_aligned(v[i]);
	return rc;
}

/* Takes in what follows the convolution at node i; *end is the node whose output the step makes. */
static tp_code fuse(compiler *c, tp_step *s, int i, size_t per_oc, int *end, tp_err *err)
{
	int next = only_reader(c, i, TP_OP_BATCH_NORM);
	*end = i;
	if (next >= 0) {
		tp_code rc = fold(c, s, &c->net->v[next], per_oc, err);
		if (rc)
			return rc;
		*end = next;
	}
	next = only_reader(c, *end, TP_OP_RELU6);
	if (next >= 0) {
		s->relu6 = true;
		*end = next;
		return TP_OK;
	}
	next = only_reader(c, *end, TP_OP_ADD);
	if (next < 0)
		return TP_OK;
	const tp_node *add = &c->net->v[next];
	int other = add->in[0] == *end ? add->in[1] : add->in[0];
	/* computed already, read by nobody later, and not what the convolution itself still reads */
	if (other < i && c->uses[other] == 1 && c->piece_of[other] >= 0 && other != c->net->v[i].in[0]) {
		s->add = c->piece_of[other];
		c->uses[other]--;
		*end = next;
	}
	return TP_OK;
}

static tp_code compile_conv(compiler *c, int i, int *end, tp_err *err)
{
	const tp_node *node = &c->net->v[i];
	tp_step *s = &c->p->step[c->p->n_steps];
	int in = node->in[0], side = c->side_of[in], out = tp_same_out(side, node->stride);
	*s = (tp_step){ .kind = TP_OP_CONV, .name = node->name, .src = c->piece_of[in], .add = -1 };
	s->geo = (tp_conv_geo){ c->p->opts.batch, c->net->v[in].channels, side, side, node->channels,
		node->kernel, node->stride, node->groups };
	size_t per_oc = (size_t)(s->geo.c / s->geo.groups) * (size_t)(node->kernel * node->kernel);
	s->b = tp_alloc_aligned((size_t)node->channels * sizeof *s->b);
	if (!s->b)
		return tp_nomem(err, (size_t)node->channels * sizeof *s->b);
	tp_code rc = load_param(&s->w, c, node->name, "weight", (size_t)node->channels * per_oc, err);
	if (!rc)
		rc = fuse(c, s, i, per_oc, end, err);
	if (rc)
		return rc;
	c->side_of[*end] = out;
	s->dst = s->add >= 0 ? s->add
			     : new_piece(c, (size_t)c->p->opts.batch * (size_t)node->channels *
						    (size_t)(out * out));
	reads(c, s->src);
	reads(c, s->dst);
	return TP_OK;
}

static tp_code compile_pool_or_linear(compiler *c, int i, tp_err *err)
{
	const tp_node *node = &c->net->v[i];
	tp_step *s = &c->p->step[c->p->n_steps];
	int in = node->in[0], side = c->side_of[in];
	*s = (tp_step){ .kind = node->kind, .src = c->piece_of[in], .add = -1 };
	s->name = node->kind == TP_OP_LINEAR ? node->name : "avg_pool";
	s->geo = (tp_conv_geo){ c->p->opts.batch, c->net->v[in].channels, side, side, node->channels, 1, 1,
		1 };
	s->dst = new_piece(c, (size_t)c->p->opts.batch * (size_t)node->channels);
	c->side_of[i] = 1;
	reads(c, s->src);
	if (node->kind != TP_OP_LINEAR)
		return TP_OK;
	tp_code rc =
		load_param(&s->w, c, node->name, "weight", (size_t)node->channels * (size_t)s->geo.c, err);
	return rc ? rc : load_param(&s->b, c, node->name, "bias", (size_t)node->channels, err);
}

static tp_code compile(compiler *c, tp_err *err)
{
	const tp_net *net = c->net;
	tp_code rc = check_shapes(c, err);
	for (int i = 0; i < net->n; i++)
		for (int k = 0; k < 2; k++)
			if (net->v[i].in[k] >= 0)
				c->uses[net->v[i].in[k]]++;
	for (int i = 0; i < net->n && !rc; i++) {
		int end = i;
		if (c->piece_of[i] != -2) /* fused into a step already */
			continue;
		if (net->v[i].kind == TP_OP_INPUT) {
			c->piece_of[i] = -1;
			c->side_of[i] = c->p->opts.side;
			continue;
		}
		c->uses[net->v[i].in[0]]--;
		if (net->v[i].kind == TP_OP_CONV)
			rc = compile_conv(c, i, &end, err);
		else if (net->v[i].kind == TP_OP_AVG_POOL || net->v[i].kind == TP_OP_LINEAR)
			rc = compile_pool_or_linear(c, i, err);
		else
			rc = tp_fail(err, TP_EINVAL, "%s: op %d follows no convolution", net->arch->name, i);
		/* the nodes from i to end are one step now; nodes between belong to it, as chains are laid in order */
		for (int k = i; k <= end && !rc; k++)
			c->piece_of[k] = c->p->step[c->p->n_steps].dst;
		c->p->n_steps++; /* counted even when it failed, so that its weights are freed */
	}
	if (rc)
		return rc;
	c->p->features = c->piece_of[net->features];
	c->p->logits = net->logits >= 0 ? c->piece_of[net->logits] : -1;
	c->p->piece[c->p->features].last = c->p->n_steps; /* read after the run */
	if (c->p->logits >= 0)
		c->p->piece[c->p->logits].last = c->p->n_steps;
	return TP_OK;
}

/* First fit in the order of creation: each piece takes the lowest place that no piece alive with it holds. */
static void place(tp_plan *p)
{
	for (int i = 0; i < p->n_pieces; i++) {
		tp_piece *a = &p->piece[i];
		a->bytes = (a->bytes + 63) & ~(size_t)63;
		a->offset = 0;
		for (bool moved = true; moved;) {
			moved = false;
			for (int j = 0; j < i; j++) {
				const tp_piece *b = &p->piece[j];
				bool together = a->first <= b->last && b->first <= a->last;
				if (together && a->offset < b->offset + b->bytes &&
					b->offset < a->offset + a->bytes) {
					a->offset = b->offset + b->bytes;
					moved = true;
				}
			}
		}
		if (a->offset + a->bytes > p->arena_bytes)
			p->arena_bytes = a->offset + a->bytes;
	}
}

/* The plain twin computes a convolution beside its shortcut before it adds them. */
static void add_spare(tp_plan *p)
{
	tp_piece *spare = &p->piece[p->n_pieces];
	*spare = (tp_piece){ .first = 0, .last = p->n_steps };
	for (int i = 0; i < p->n_steps && p->opts.plain; i++)
		if (p->step[i].add >= 0 && p->piece[p->step[i].dst].bytes > spare->bytes)
			spare->bytes = p->piece[p->step[i].dst].bytes;
	p->spare = p->n_pieces++;
}

static tp_code compiler_init(compiler *c, tp_err *err)
{
	size_t n = (size_t)c->net->n;
	c->piece_of = tp_calloc(n, sizeof(int));
	c->side_of = tp_calloc(n, sizeof(int));
	c->uses = tp_calloc(n, sizeof(int));
	c->p->step = tp_calloc(n, sizeof *c->p->step);
	c->p->piece = tp_calloc(n + 1, sizeof *c->p->piece);
	if (!c->piece_of || !c->side_of || !c->uses || !c->p->step || !c->p->piece)
		return tp_nomem(err, n * sizeof *c->p->step);
	for (size_t i = 0; i < n; i++)
		c->piece_of[i] = -2;
	return TP_OK;
}

tp_code tp_plan_new(
	tp_plan **out, const tp_net *net, const tp_weights *w, const tp_plan_opts *opts, tp_err *err)
{
	if (opts->batch < 1 || opts->batch > 1024 || opts->side < 32 || opts->side > 1024 ||
		opts->side % 32 || opts->threads < 1 || opts->threads > 1024)
		return tp_fail(err, TP_EINVAL, "batch %d, side %d, %d threads: out of range", opts->batch,
			opts->side, opts->threads);
	tp_plan *p = tp_calloc(1, sizeof *p);
	if (!p)
		return tp_nomem(err, sizeof *p);
	compiler c = { .net = net, .w = w, .p = p };
	p->opts = *opts;
	p->n_features = net->arch->n_features;
	p->n_classes = net->n_classes;
	tp_code rc = compiler_init(&c, err);
	if (!rc)
		rc = compile(&c, err);
	for (int i = 0; i < p->n_steps; i++)
		snprintf(p->step[i].impl, sizeof p->step[i].impl, "plain");
	if (!rc && !opts->plain) {
		rc = tp_fast_new(&p->fast, p, err);
		if (rc ==
			TP_EBACKEND) { /* this build or machine has no fast twin: tp_plan_op_impl() says so */
			p->opts.plain = true;
			rc = TP_OK;
		}
	}
	if (!rc) {
		add_spare(p);
		place(p);
	}
	tp_free(c.piece_of);
	tp_free(c.side_of);
	tp_free(c.uses);
	if (rc) {
		tp_plan_free(p);
		return rc;
	}
	*out = p;
	return TP_OK;
}

void tp_plan_free(tp_plan *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->n_steps; i++) {
		tp_free_aligned(p->step[i].w);
		tp_free_aligned(p->step[i].b);
	}
	tp_fast_free(p->fast);
	tp_free(p->step);
	tp_free(p->piece);
	tp_free(p);
}

size_t tp_plan_ops(const tp_plan *p)
{
	return (size_t)p->n_steps;
}

const char *tp_plan_op_name(const tp_plan *p, size_t i)
{
	return p->step[i].name;
}

const char *tp_plan_op_impl(const tp_plan *p, size_t i)
{
	return p->step[i].impl;
}

size_t tp_plan_arena_bytes(const tp_plan *p)
{
	return p->arena_bytes;
}
