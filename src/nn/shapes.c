/* Sizes of what flows through a network: see net_int.h. */
#include "base/mem.h"
#include "nn/net_int.h"

int tp_window_out(int in, int k, int pad, const tp_window *w)
{
	if (w->same)
		return (in + w->stride - 1) / w->stride;
	int span = in + 2 * pad - k;
	if (span < 0)
		return 0;
	int out = (w->ceil ? span + w->stride - 1 : span) / w->stride + 1;
	/* as PyTorch: a window that would begin in the padding behind is none */
	return w->ceil && (out - 1) * w->stride >= in + pad ? out - 1 : out;
}

int tp_window_pad(int in, int k, int pad, const tp_window *w)
{
	if (!w->same)
		return pad;
	int total = (tp_window_out(in, k, pad, w) - 1) * w->stride + k - in;
	return total > 0 ? total / 2 : 0; /* the rest, if odd, goes behind */
}

tp_code tp_net_shapes(tp_plane *out, const tp_net *net, int side, tp_err *err)
{
	for (int i = 0; i < net->n; i++) {
		const tp_node *node = &net->v[i];
		tp_plane in = node->n_in ? out[node->in[0]] : (tp_plane){ side, side };
		out[i] = in;
		if (node->kind == TP_OP_CONV || node->kind == TP_OP_MAX_POOL ||
			node->kind == TP_OP_AVG_POOL) {
			out[i].h = tp_window_out(in.h, node->win.kh, node->win.ph, &node->win);
			out[i].w = tp_window_out(in.w, node->win.kw, node->win.pw, &node->win);
		} else if (node->kind == TP_OP_GLOBAL_POOL) {
			out[i] = (tp_plane){ 1, 1 };
		}
		if (out[i].h < 1 || out[i].w < 1)
			return tp_fail(err, TP_EINVAL, "%d pixels are too few for %s", side, net->arch->name);
		for (int k = 1; k < node->n_in; k++)
			if (out[node->in[k]].h != in.h || out[node->in[k]].w != in.w)
				return tp_fail(err, TP_EINVAL,
					"branches of %s differ in size at %d pixels; a multiple of 32 suits "
					"it",
					net->arch->name, side);
	}
	return TP_OK;
}

tp_geo tp_node_geo(const tp_net *net, const tp_plane *planes, int i, int batch)
{
	const tp_node *node = &net->v[i];
	int from = node->n_in ? node->in[0] : i;
	tp_plane in = planes[from];
	return (tp_geo){ .n = batch,
		.c = net->v[from].channels,
		.h = in.h,
		.w = in.w,
		.oc = node->channels,
		.oh = planes[i].h,
		.ow = planes[i].w,
		.kh = node->win.kh,
		.kw = node->win.kw,
		.stride = node->win.stride,
		.top = tp_window_pad(in.h, node->win.kh, node->win.ph, &node->win),
		.left = tp_window_pad(in.w, node->win.kw, node->win.pw, &node->win),
		.groups = node->groups,
		.count_pad = node->win.count_pad };
}

tp_code tp_net_macs(uint64_t *out, const tp_net *net, int side, tp_err *err)
{
	tp_plane *planes = tp_calloc((size_t)net->n, sizeof *planes);
	if (!planes)
		return tp_nomem(err, (size_t)net->n * sizeof *planes);
	tp_code rc = tp_net_shapes(planes, net, side, err);
	uint64_t sum = 0;
	for (int i = 0; i < net->n && !rc; i++) {
		tp_geo g = tp_node_geo(net, planes, i, 1);
		if (net->v[i].kind == TP_OP_CONV || net->v[i].kind == TP_OP_LINEAR)
			sum += (uint64_t)g.oh * (uint64_t)g.ow * (uint64_t)g.oc * (uint64_t)(g.c / g.groups) *
			       (uint64_t)(g.kh * g.kw);
	}
	tp_free(planes);
	if (!rc)
		*out = sum;
	return rc;
}
