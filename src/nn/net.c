/* A network is a list of named ops in the order they run: see nn.h and net_int.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "nn/net_int.h"

static int add_node(tp_net *net, tp_node node)
{
	if (net->rc)
		return 0;
	if (net->n == net->cap) {
		int cap = net->cap ? 2 * net->cap : 64;
		tp_node *v = tp_realloc(net->v, (size_t)cap * sizeof *v);
		if (!v) {
			net->rc = TP_ENOMEM;
			return 0;
		}
		net->v = v;
		net->cap = cap;
	}
	node.stage = net->n_stages - 1;
	node.block = net->n_blocks - 1;
	net->v[net->n] = node;
	return net->n++;
}

static void add_param(
	tp_net *net, const char *op, const char *field, int ndim, const int64_t *dim, bool buffer)
{
	if (net->rc)
		return;
	tp_net_param *v = tp_realloc(net->param, (net->n_params + 1) * sizeof *v);
	char *name = tp_alloc(strlen(op) + strlen(field) + 2);
	if (v)
		net->param = v;
	if (!v || !name) {
		tp_free(name);
		net->rc = TP_ENOMEM;
		return;
	}
	snprintf(name, strlen(op) + strlen(field) + 2, "%s.%s", op, field);
	tp_net_param *p = &net->param[net->n_params++];
	*p = (tp_net_param){ .name = name, .ndim = ndim, .buffer = buffer, .stage = net->n_stages - 1 };
	memcpy(p->dim, dim, (size_t)ndim * sizeof *dim);
}

static tp_node node_on(tp_op_kind kind, int in, int channels)
{
	return (tp_node){ .kind = kind,
		.in = { in },
		.n_in = 1,
		.channels = channels,
		.win = TP_SQUARE(1, 1, 0),
		.groups = 1,
		.param = -1 };
}

static tp_node named(const tp_net *net, tp_op_kind kind, int in, const char *name, int channels)
{
	tp_node n = node_on(kind, in, channels);
	snprintf(n.name, sizeof n.name, "%s", name);
	n.param = (int)net->n_params;
	return n;
}

static int channels_of(const tp_net *net, int node)
{
	return net->rc ? 1 : net->v[node].channels;
}

void tp_net_stage(tp_net *net, const char *fmt, ...)
{
	va_list ap;
	assert(net->n_stages < TP_MAX_STAGES);
	va_start(ap, fmt);
	vsnprintf(net->stage[net->n_stages++], sizeof net->stage[0], fmt, ap);
	va_end(ap);
}

void tp_net_block(tp_net *net)
{
	net->n_blocks++;
}

int tp_net_input(tp_net *net)
{
	tp_node n = node_on(TP_OP_INPUT, 0, 3);
	n.n_in = 0;
	if (!net->n_stages)
		tp_net_stage(net, "stem");
	return add_node(net, n);
}

int tp_net_conv(tp_net *net, int in, const char *name, int channels, tp_window win, int groups, bool bias)
{
	tp_node n = named(net, TP_OP_CONV, in, name, channels);
	n.win = win;
	n.groups = groups;
	n.bias = bias;
	int64_t dim[] = { channels, channels_of(net, in) / groups, win.kh, win.kw };
	add_param(net, name, "weight", 4, dim, false);
	if (bias)
		add_param(net, name, "bias", 1, dim, false);
	return add_node(net, n);
}

int tp_net_batch_norm(tp_net *net, int in, const char *name, float eps, float momentum)
{
	tp_node n = named(net, TP_OP_BATCH_NORM, in, name, channels_of(net, in));
	int64_t dim[] = { n.channels };
	n.eps = eps;
	n.momentum = momentum;
	add_param(net, name, "weight", 1, dim, false);
	add_param(net, name, "bias", 1, dim, false);
	add_param(net, name, "running_mean", 1, dim, true);
	add_param(net, name, "running_var", 1, dim, true);
	return add_node(net, n);
}

int tp_net_relu(tp_net *net, int in)
{
	return add_node(net, node_on(TP_OP_RELU, in, channels_of(net, in)));
}

int tp_net_relu6(tp_net *net, int in)
{
	return add_node(net, node_on(TP_OP_RELU6, in, channels_of(net, in)));
}

int tp_net_add(tp_net *net, int branch, int shortcut)
{
	tp_node n = node_on(TP_OP_ADD, branch, channels_of(net, branch));
	n.in[1] = shortcut;
	n.n_in = 2;
	return add_node(net, n);
}

int tp_net_concat(tp_net *net, const int *in, int n)
{
	assert(n >= 2 && n <= TP_MAX_IN);
	tp_node node = node_on(TP_OP_CONCAT, in[0], 0);
	node.n_in = n;
	for (int i = 0; i < n; i++) {
		node.in[i] = in[i];
		node.channels += channels_of(net, in[i]);
	}
	return add_node(net, node);
}

static int pool(tp_net *net, tp_op_kind kind, int in, tp_window win)
{
	tp_node n = node_on(kind, in, channels_of(net, in));
	n.win = win;
	return add_node(net, n);
}

int tp_net_max_pool(tp_net *net, int in, tp_window win)
{
	return pool(net, TP_OP_MAX_POOL, in, win);
}

int tp_net_avg_pool(tp_net *net, int in, tp_window win)
{
	return pool(net, TP_OP_AVG_POOL, in, win);
}

int tp_net_global_pool(tp_net *net, int in)
{
	return add_node(net, node_on(TP_OP_GLOBAL_POOL, in, channels_of(net, in)));
}

int tp_net_dropout(tp_net *net, int in, float rate)
{
	tp_node n = node_on(TP_OP_DROPOUT, in, channels_of(net, in));
	n.rate = rate;
	return add_node(net, n);
}

int tp_net_linear(tp_net *net, int in, const char *name, int channels)
{
	int64_t dim[] = { channels, channels_of(net, in) };
	tp_node n = named(net, TP_OP_LINEAR, in, name, channels);
	n.bias = true;
	add_param(net, name, "weight", 2, dim, false);
	add_param(net, name, "bias", 1, dim, false);
	return add_node(net, n);
}

tp_code tp_net_new(tp_net **out, const tp_arch *arch, int n_classes, tp_err *err)
{
	tp_net *net = tp_calloc(1, sizeof *net);
	if (!net)
		return tp_nomem(err, sizeof *net);
	net->arch = arch;
	net->n_classes = n_classes;
	net->logits = -1;
	tp_code rc = arch->build(net, n_classes, err);
	if (!rc && net->rc)
		rc = tp_fail(err, net->rc, "out of memory for the graph of %s", arch->name);
	if (rc) {
		tp_net_free(net);
		return rc;
	}
	*out = net;
	return TP_OK;
}

void tp_net_free(tp_net *net)
{
	if (!net)
		return;
	for (size_t i = 0; i < net->n_params; i++)
		tp_free((void *)(uintptr_t)net->param[i].name);
	tp_free(net->param);
	tp_free(net->v);
	tp_free(net);
}

size_t tp_net_params(const tp_net *net)
{
	return net->n_params;
}

const tp_net_param *tp_net_param_at(const tp_net *net, size_t i)
{
	return i < net->n_params ? &net->param[i] : NULL;
}

const char *tp_net_stage_name(const tp_net *net, int stage)
{
	return stage >= 0 && stage < net->n_stages ? net->stage[stage] : NULL;
}

int tp_net_blocks(const tp_net *net)
{
	return net->n_blocks;
}

size_t tp_net_weights(const tp_net *net)
{
	size_t sum = 0;
	for (size_t i = 0; i < net->n_params; i++) {
		size_t n = 1;
		for (int d = 0; d < net->param[i].ndim; d++)
			n *= (size_t)net->param[i].dim[d];
		sum += net->param[i].buffer ? 0 : n;
	}
	return sum;
}

const char *tp_node_label(const tp_node *node)
{
	static const char *const kinds[] = { [TP_OP_INPUT] = "input",
		[TP_OP_CONV] = "conv",
		[TP_OP_BATCH_NORM] = "batch_norm",
		[TP_OP_RELU] = "relu",
		[TP_OP_RELU6] = "relu6",
		[TP_OP_ADD] = "add",
		[TP_OP_CONCAT] = "concat",
		[TP_OP_MAX_POOL] = "max_pool",
		[TP_OP_AVG_POOL] = "avg_pool",
		[TP_OP_GLOBAL_POOL] = "global_pool",
		[TP_OP_DROPOUT] = "dropout",
		[TP_OP_LINEAR] = "linear" };
	return *node->name ? node->name : kinds[node->kind];
}
