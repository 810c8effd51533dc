/* A network is a list of named ops in the order they run: see nn.h and net_int.h. */
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
	net->v[net->n] = node;
	return net->n++;
}

static void add_param(tp_net *net, const char *op, const char *field, int ndim, const int64_t *dim)
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
	*p = (tp_net_param){ .name = name, .ndim = ndim };
	memcpy(p->dim, dim, (size_t)ndim * sizeof *dim);
}

static tp_node named(tp_op_kind kind, int in, const char *name, int channels)
{
	tp_node n = {
		.kind = kind, .in = { in, -1 }, .channels = channels, .kernel = 1, .stride = 1, .groups = 1
	};
	snprintf(n.name, sizeof n.name, "%s", name);
	return n;
}

static int channels_of(const tp_net *net, int node)
{
	return net->rc ? 1 : net->v[node].channels;
}

int tp_net_input(tp_net *net)
{
	return add_node(net, named(TP_OP_INPUT, -1, "", 3));
}

int tp_net_conv(tp_net *net, int in, const char *name, int channels, int kernel, int stride, int groups)
{
	tp_node n = named(TP_OP_CONV, in, name, channels);
	n.kernel = kernel;
	n.stride = stride;
	n.groups = groups;
	int64_t dim[] = { channels, channels_of(net, in) / groups, kernel, kernel };
	add_param(net, name, "weight", 4, dim);
	return add_node(net, n);
}

int tp_net_batch_norm(tp_net *net, int in, const char *name, float eps)
{
	tp_node n = named(TP_OP_BATCH_NORM, in, name, channels_of(net, in));
	int64_t dim[] = { n.channels };
	n.eps = eps;
	add_param(net, name, "weight", 1, dim);
	add_param(net, name, "bias", 1, dim);
	add_param(net, name, "running_mean", 1, dim);
	add_param(net, name, "running_var", 1, dim);
	return add_node(net, n);
}

int tp_net_relu6(tp_net *net, int in)
{
	return add_node(net, named(TP_OP_RELU6, in, "", channels_of(net, in)));
}

int tp_net_add(tp_net *net, int a, int b)
{
	tp_node n = named(TP_OP_ADD, a, "", channels_of(net, a));
	n.in[1] = b;
	return add_node(net, n);
}

int tp_net_avg_pool(tp_net *net, int in)
{
	return add_node(net, named(TP_OP_AVG_POOL, in, "", channels_of(net, in)));
}

int tp_net_linear(tp_net *net, int in, const char *name, int channels)
{
	int64_t dim[] = { channels, channels_of(net, in) };
	add_param(net, name, "weight", 2, dim);
	add_param(net, name, "bias", 1, dim);
	return add_node(net, named(TP_OP_LINEAR, in, name, channels));
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
