/* Compiling a network: shapes, folding, fusing, one arena. See nn.h and plan_int.h.
 *
 * Fusing: a convolution takes the batch-norm behind it into its weights, then the addition of a shortcut and an
 * activation. The fast twin adds in place, so the sum lives where the shortcut lived; that is right only when the
 * addition is the shortcut's last reader, which the compiler checks. Branches of a concatenation are written into
 * slices of it where their channels allow. */
#include "nn/plan_int.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Slices begin and end at a multiple of this, the largest block of a layout. */
enum { SLICE = 16 };

typedef struct {
	const tp_net *net;
	const tp_weights *w;
	tp_plan *p;
	tp_plane *plane;
	int *piece_of; /* per node: the piece that holds its output; INPUT, NOWHERE */
	int *uses;     /* per node: readers still to come */
	int *home;     /* per node: the concatenation it is a branch of, -1: none */
	int *home_at;  /* and its first channel there */
} compiler;
enum { INPUT = -1, NOWHERE = -2 };

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

static int add_piece(compiler *c, int node)
{
	tp_plan *p = c->p;
	p->piece[p->n_pieces] = (tp_piece){ .channels = c->net->v[node].channels,
		.area = c->plane[node].h * c->plane[node].w,
		.first = p->n_steps,
		.last = p->n_steps,
		.parent = -1 };
	return p->n_pieces++;
}

/* The piece for a node's output: a slice of its concatenation where it has one. */
static int new_piece(compiler *c, int node)
{
	int home = c->home[node];
	if (home >= 0 && c->piece_of[home] == NOWHERE)
		c->piece_of[home] = add_piece(c, home);
	int piece = add_piece(c, node);
	if (home >= 0) {
		c->p->piece[piece].parent = c->piece_of[home];
		c->p->piece[piece].at = c->home_at[node];
	}
	return piece;
}

/* The step being compiled reads or writes it: whatever it lies in stays alive. */
static void touch(compiler *c, int piece)
{
	for (; piece >= 0; piece = c->p->piece[piece].parent)
		c->p->piece[piece].last = c->p->n_steps;
}

static bool reads(const tp_node *n, int node)
{
	for (int k = 0; k < n->n_in; k++)
		if (n->in[k] == node)
			return true;
	return false;
}

/* The node after `node` that is its only reader and of this kind; -1 when there is none. */
static int only_reader(const compiler *c, int node, tp_op_kind kind)
{
	if (c->uses[node] != 1)
		return -1;
	for (int i = node + 1; i < c->net->n; i++)
		if (reads(&c->net->v[i], node))
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

/* Can the convolution at node i add node `other` in place? Computed already, read by nobody later, not what the
 * convolution itself still reads, no slice of anything. */
static bool can_add(const compiler *c, int i, int other)
{
	int piece = c->piece_of[other];
	return other < i && c->uses[other] == 1 && piece >= 0 && c->p->piece[piece].parent < 0 &&
	       other != c->net->v[i].in[0];
}

static void fuse_activation(const compiler *c, tp_step *s, int *end)
{
	int relu = only_reader(c, *end, TP_OP_RELU), relu6 = only_reader(c, *end, TP_OP_RELU6);
	if (relu >= 0 || relu6 >= 0) {
		s->act = relu >= 0 ? TP_ACT_RELU : TP_ACT_RELU6;
		*end = relu >= 0 ? relu : relu6;
	}
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
	next = only_reader(c, *end, TP_OP_ADD);
	if (next >= 0) {
		const tp_node *add = &c->net->v[next];
		int other = add->in[0] == *end ? add->in[1] : add->in[0];
		if (!can_add(c, i, other))
			return TP_OK;
		s->add = c->piece_of[other];
		c->uses[other]--;
		*end = next;
	}
	fuse_activation(c, s, end);
	return TP_OK;
}

static tp_step *new_step(compiler *c, int i)
{
	const tp_node *node = &c->net->v[i];
	tp_step *s = &c->p->step[c->p->n_steps];
	*s = (tp_step){ .kind = node->kind,
		.name = tp_node_label(node),
		.geo = tp_node_geo(c->net, c->plane, i, 1),
		.src = c->piece_of[node->in[0]],
		.add = -1 };
	return s;
}

static tp_code compile_conv(compiler *c, int i, int *end, tp_err *err)
{
	const tp_node *node = &c->net->v[i];
	tp_step *s = new_step(c, i);
	size_t n = (size_t)node->channels;
	size_t per_oc = (size_t)(s->geo.c / s->geo.groups) * (size_t)(s->geo.kh * s->geo.kw);
	tp_code rc = load_param(&s->w, c, node->name, "weight", n * per_oc, err);
	if (!rc && node->bias)
		rc = load_param(&s->b, c, node->name, "bias", n, err);
	if (!rc && !s->b && !(s->b = tp_alloc_aligned(n * sizeof *s->b)))
		rc = tp_nomem(err, n * sizeof *s->b);
	if (!rc)
		rc = fuse(c, s, i, per_oc, end, err);
	if (rc)
		return rc;
	s->dst = s->add >= 0 ? s->add : new_piece(c, *end);
	return TP_OK;
}

/* Branches that are no slice are copied in, a step each but the last, which the caller counts. */
static void compile_concat(compiler *c, int i)
{
	const tp_node *node = &c->net->v[i];
	int copies = 0;
	if (c->piece_of[i] == NOWHERE)
		c->piece_of[i] = add_piece(c, i);
	for (int k = 0, at = 0; k < node->n_in; at += c->net->v[node->in[k]].channels, k++) {
		if (c->home[node->in[k]] == i)
			continue;
		if (copies++)
			c->p->n_steps++;
		tp_step *s = new_step(c, i);
		s->src = c->piece_of[node->in[k]];
		s->geo.c = c->net->v[node->in[k]].channels;
		s->at = at;
		s->dst = c->piece_of[i];
		touch(c, s->src);
		touch(c, s->dst);
	}
	if (!copies)
		c->p->n_steps--; /* nothing to do at run time */
}

static tp_code compile_node(compiler *c, int i, int *end, tp_err *err)
{
	const tp_node *node = &c->net->v[i];
	tp_step *s;
	tp_code rc = TP_OK;
	switch (node->kind) {
	case TP_OP_CONV:
		rc = compile_conv(c, i, end, err);
		break;
	case TP_OP_ADD:
		s = new_step(c, i);
		s->add = c->piece_of[node->in[1]];
		fuse_activation(c, s, end);
		s->dst = new_piece(c, *end);
		break;
	case TP_OP_RELU:
	case TP_OP_RELU6:
	case TP_OP_MAX_POOL:
	case TP_OP_AVG_POOL:
	case TP_OP_GLOBAL_POOL:
		new_step(c, i)->dst = new_piece(c, i);
		break;
	default:
		return tp_fail(err, TP_EINVAL, "%s: op %d follows no convolution", c->net->arch->name, i);
	}
	s = &c->p->step[c->p->n_steps];
	if (!rc) {
		touch(c, s->src);
		touch(c, s->dst);
		touch(c, s->add);
	}
	return rc;
}

/* A branch that only its concatenation reads (or that nothing overwrites) and that fits the blocks of the layouts. */
static void find_homes(compiler *c)
{
	for (int i = 0; i < c->net->n; i++)
		c->home[i] = -1;
	for (int i = 0; i < c->net->n; i++) {
		const tp_node *node = &c->net->v[i];
		for (int k = 0, at = 0; k < node->n_in && node->kind == TP_OP_CONCAT; k++) {
			const tp_node *in = &c->net->v[node->in[k]];
			bool made = in->kind != TP_OP_INPUT && in->kind != TP_OP_CONCAT &&
				    in->kind != TP_OP_DROPOUT;
			if (made && c->home[node->in[k]] < 0 && at % SLICE == 0 &&
				in->channels % SLICE == 0) {
				c->home[node->in[k]] = i;
				c->home_at[node->in[k]] = at;
			}
			at += in->channels;
		}
	}
}

static tp_code compile_head(compiler *c, tp_err *err)
{
	const tp_node *node = &c->net->v[c->net->logits];
	size_t n = (size_t)node->channels;
	tp_code rc = load_param(
		&c->p->head_w, c, node->name, "weight", n * (size_t)c->net->v[node->in[0]].channels, err);
	return rc ? rc : load_param(&c->p->head_b, c, node->name, "bias", n, err);
}

/* Everything up to the features; the nodes from i to end become one step, as chains are laid in order. */
static tp_code compile(compiler *c, tp_err *err)
{
	const tp_net *net = c->net;
	tp_code rc = check_shapes(c, err);
	if (!rc)
		rc = tp_net_shapes(c->plane, net, c->p->opts.side, err);
	for (int i = 0; i < net->n; i++)
		for (int k = 0; k < net->v[i].n_in; k++)
			c->uses[net->v[i].in[k]]++;
	find_homes(c);
	for (int i = 0; i <= net->features && !rc; i++) {
		int end = i;
		if (net->v[i].kind == TP_OP_INPUT) {
			c->piece_of[i] = INPUT;
			continue;
		}
		if (c->piece_of[i] != NOWHERE && net->v[i].kind != TP_OP_CONCAT) /* fused already */
			continue;
		for (int k = 0; k < net->v[i].n_in; k++)
			c->uses[net->v[i].in[k]]--;
		if (net->v[i].kind == TP_OP_DROPOUT) {
			c->piece_of[i] = c->piece_of[net->v[i].in[0]];
			continue;
		}
		if (net->v[i].kind == TP_OP_CONCAT)
			compile_concat(c, i);
		else
			rc = compile_node(c, i, &end, err);
		for (int k = i; k <= end && !rc && net->v[i].kind != TP_OP_CONCAT; k++)
			c->piece_of[k] = c->p->step[c->p->n_steps].dst;
		c->p->n_steps++; /* counted even when it failed, so that its weights are freed */
	}
	if (rc)
		return rc;
	c->p->features = c->piece_of[net->features];
	c->p->piece[c->p->features].last = c->p->n_steps; /* read after the run */
	return net->logits >= 0 ? compile_head(c, err) : TP_OK;
}

static int root_of(const tp_plan *p, int piece)
{
	while (p->piece[piece].parent >= 0)
		piece = p->piece[piece].parent;
	return piece;
}

/* First fit in the order of creation: each piece takes the lowest place that no piece alive with it holds. */
static void place_one(tp_plan *p, int i)
{
	tp_piece *a = &p->piece[i];
	a->bytes = (a->bytes + 63) & ~(size_t)63;
	a->offset = 0;
	for (bool moved = true; moved;) {
		moved = false;
		for (int j = 0; j < i; j++) {
			const tp_piece *b = &p->piece[j];
			bool together = b->parent < 0 && a->first <= b->last && b->first <= a->last;
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

static void place(tp_plan *p)
{
	for (int i = 0; i < p->n_pieces; i++) /* a slice keeps its parent alive from its own first step on */
		if (p->piece[i].parent >= 0 && p->piece[i].first < p->piece[root_of(p, i)].first)
			p->piece[root_of(p, i)].first = p->piece[i].first;
	for (int i = 0; i < p->n_pieces; i++)
		if (p->piece[i].parent < 0)
			place_one(p, i);
	for (int i = 0; i < p->n_pieces; i++) {
		tp_piece *a = &p->piece[i];
		if (a->parent >= 0)
			a->offset =
				p->piece[a->parent].offset + (size_t)a->at * (size_t)a->area * sizeof(float);
	}
}

/* The plain twin computes a convolution beside its shortcut before it adds them. */
static void add_spare(tp_plan *p)
{
	tp_piece *spare = &p->piece[p->n_pieces];
	*spare = (tp_piece){ .first = 0, .last = p->n_steps, .parent = -1 };
	for (int i = 0; i < p->n_steps && p->opts.plain; i++)
		if (p->step[i].add >= 0 && p->piece[p->step[i].dst].bytes > spare->bytes)
			spare->bytes = p->piece[p->step[i].dst].bytes;
	p->spare = p->n_pieces++;
}

static tp_code compiler_init(compiler *c, tp_err *err)
{
	size_t n = (size_t)c->net->n;
	/* a concatenation may take a step a branch, and a piece of its own */
	size_t most = n * 2;
	c->plane = tp_calloc(n, sizeof *c->plane);
	c->piece_of = tp_calloc(n, sizeof(int));
	c->uses = tp_calloc(n, sizeof(int));
	c->home = tp_calloc(n, sizeof(int));
	c->home_at = tp_calloc(n, sizeof(int));
	c->p->step = tp_calloc(most, sizeof *c->p->step);
	c->p->piece = tp_calloc(most + 1, sizeof *c->p->piece);
	if (!c->plane || !c->piece_of || !c->uses || !c->home || !c->home_at || !c->p->step || !c->p->piece)
		return tp_nomem(err, most * sizeof *c->p->step);
	for (size_t i = 0; i < n; i++)
		c->piece_of[i] = NOWHERE;
	return TP_OK;
}

static void compiler_dispose(compiler *c)
{
	tp_free(c->plane);
	tp_free(c->piece_of);
	tp_free(c->uses);
	tp_free(c->home);
	tp_free(c->home_at);
}

static tp_code add_twin(tp_plan *p, tp_err *err)
{
	for (int i = 0; i < p->n_steps; i++)
		snprintf(p->step[i].impl, sizeof p->step[i].impl, "plain");
	for (int i = 0; i < p->n_pieces; i++)
		p->piece[i].bytes = (size_t)p->piece[i].channels * (size_t)p->piece[i].area * sizeof(float);
	if (p->opts.plain)
		return TP_OK;
	tp_code rc = tp_fast_new(&p->fast, p, err);
	if (rc != TP_EBACKEND)
		return rc;
	p->opts.plain = true; /* this build or machine has no fast twin: tp_plan_op_impl() says so */
	return TP_OK;
}

tp_code tp_plan_new(
	tp_plan **out, const tp_net *net, const tp_weights *w, const tp_plan_opts *opts, tp_err *err)
{
	if (opts->batch < 1 || opts->batch > 1024 || opts->side < 32 || opts->side > 1024 ||
		opts->threads < 1 || opts->threads > 1024)
		return tp_fail(err, TP_EINVAL, "batch %d, side %d, %d threads: out of range", opts->batch,
			opts->side, opts->threads);
	tp_plan *p = tp_calloc(1, sizeof *p);
	if (!p)
		return tp_nomem(err, sizeof *p);
	compiler c = { .net = net, .w = w, .p = p };
	p->opts = *opts;
	p->op_threads = opts->batch == 1 ? opts->threads : 1;
	p->n_features = net->arch->n_features;
	p->n_classes = net->n_classes;
	tp_code rc = compiler_init(&c, err);
	if (!rc)
		rc = compile(&c, err);
	if (!rc)
		rc = add_twin(p, err);
	if (!rc) {
		add_spare(p);
		place(p);
	}
	compiler_dispose(&c);
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
	tp_free_aligned(p->head_w);
	tp_free_aligned(p->head_b);
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
