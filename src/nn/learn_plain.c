/* Training by the plain truth, one thread: NCHW throughout. See learn_int.h. */
#include <string.h>

#include "nn/learn_int.h"

static size_t floats(const tp_learner *l, int node)
{
	return (size_t)l->net->v[node].channels * (size_t)l->plane[node].h * (size_t)l->plane[node].w;
}

static tp_code open(tp_learner *l, tp_err *err)
{
	(void)l;
	(void)err;
	return TP_OK;
}

static void close(tp_learner *l)
{
	(void)l;
}

/* The ops add their gradients. */
static void begin(tp_learner *l, bool is_forward, int worker)
{
	(void)worker;
	for (int i = 0; i < l->n_steps && !is_forward && !l->add; i++)
		for (int k = 0; k < 2 && l->step[i].trains; k++) {
			size_t param = (size_t)(l->step[i].node->param + k), n = 1;
			bool has = l->step[i].kind != TP_OP_CONV || l->step[i].node->bias || !k;
			for (int d = 0; has && d < l->net->param[param].ndim; d++)
				n *= (size_t)l->net->param[param].dim[d];
			if (has)
				memset(l->params->g + l->params->off[param], 0, n * sizeof(float));
		}
}

static void end(tp_learner *l, bool is_forward, int worker)
{
	(void)l;
	(void)is_forward;
	(void)worker;
}

static size_t out_floats(const tp_lstep *s)
{
	const tp_geo *g = &s->geo;
	return (size_t)g->n * (size_t)g->oc * (size_t)g->oh * (size_t)g->ow;
}

static void activate(const tp_lstep *s, float *y, size_t n)
{
	if (s->act == TP_ACT_RELU)
		tp_relu_plain(y, y, n);
	else if (s->act == TP_ACT_RELU6)
		tp_relu6_plain(y, y, n);
}

static void activate_back(const tp_lstep *s, float *d, const float *y, size_t n)
{
	if (s->act == TP_ACT_RELU)
		tp_relu_plain_back(d, d, y, n);
	else if (s->act == TP_ACT_RELU6)
		tp_relu6_plain_back(d, d, y, n);
}

static void batch_norm(tp_learner *l, tp_lstep *s, float *y, const float *x)
{
	const float *gamma = tp_param_at(l, s, 0), *beta = tp_param_at(l, s, 1);
	float *mean = tp_param_at(l, s, 2), *var = tp_param_at(l, s, 3);
	if (s->batch_stat)
		tp_batch_norm_plain(
			y, s->mean, s->rstd, mean, var, x, gamma, beta, &s->geo, s->node->eps, s->momentum);
	else
		tp_batch_norm_plain_running(y, x, gamma, beta, mean, var, &s->geo, s->node->eps);
	if (s->n_in == 2)
		tp_add_plain(y, y, tp_value_at(l, s->in[1], 0), out_floats(s));
}

/* Channels side by side, photo by photo; back: apart again. */
static void concat(tp_learner *l, const tp_lstep *s, bool back)
{
	size_t area = (size_t)s->geo.oh * (size_t)s->geo.ow, whole = (size_t)s->geo.oc * area;
	float *y = back ? tp_grad_at(l, s->out, 0) : tp_value_at(l, s->out, 0);
	for (int k = 0; k < s->n_in; k++) {
		size_t part = (size_t)l->net->v[s->in[k]].channels * area;
		for (int n = 0; n < s->geo.n; n++) {
			float *at = y + (size_t)n * whole;
			if (!back)
				memcpy(at, tp_value_at(l, s->in[k], n), part * sizeof *at);
			else if (s->want[k])
				memcpy(tp_grad_out(l, s, k, n), at, part * sizeof *at);
		}
		y += part;
	}
}

static void add(tp_learner *l, const tp_lstep *s)
{
	size_t n = floats(l, s->out);
	for (int i = 0; i < s->geo.n; i++)
		tp_add_scaled_plain(tp_value_at(l, s->out, i), tp_value_at(l, s->in[0], i),
			tp_branch_scale(l, s, i), tp_value_at(l, s->in[1], i), n);
}

static void forward(tp_learner *l, int step, int worker)
{
	tp_lstep *s = &l->step[step];
	const tp_geo *g = &s->geo;
	const float *x = tp_value_at(l, s->in[0], 0);
	float *y = tp_value_at(l, s->out, 0);
	size_t n = out_floats(s);
	(void)worker;
	switch (s->kind) {
	case TP_OP_CONV:
		tp_conv_plain(y, x, tp_param_at(l, s, 0), s->node->bias ? tp_param_at(l, s, 1) : NULL, g);
		break;
	case TP_OP_BATCH_NORM:
		batch_norm(l, s, y, x);
		break;
	case TP_OP_RELU:
		tp_relu_plain(y, x, n);
		break;
	case TP_OP_RELU6:
		tp_relu6_plain(y, x, n);
		break;
	case TP_OP_ADD:
		add(l, s);
		break;
	case TP_OP_CONCAT:
		concat(l, s, false);
		break;
	case TP_OP_MAX_POOL:
		tp_max_pool_plain(y, x, g);
		break;
	case TP_OP_AVG_POOL:
		tp_avg_pool_plain(y, x, g);
		break;
	case TP_OP_GLOBAL_POOL:
		tp_global_pool_plain(y, x, g->n * g->c, g->h * g->w);
		break;
	case TP_OP_DROPOUT:
		tp_drop(l, s, y, x, 0, g->n);
		break;
	default:
		tp_linear_plain(y, x, tp_param_at(l, s, 0), tp_param_at(l, s, 1), g->n, g->c, g->oc);
	}
	activate(s, y, n);
}

static void batch_norm_back(tp_learner *l, const tp_lstep *s, float *dx, const float *dy)
{
	const tp_geo *g = &s->geo;
	if (s->n_in == 2 && s->want[1] && !s->same[1])
		memcpy(tp_grad_out(l, s, 1, 0), dy, out_floats(s) * sizeof *dy);
	const float *gamma = tp_param_at(l, s, 0);
	if (s->batch_stat) {
		tp_batch_norm_plain_back(dx, tp_param_grad(l, s, 0), tp_param_grad(l, s, 1), dy,
			tp_value_at(l, s->in[0], 0), s->mean, s->rstd, gamma, g);
		return;
	}
	tp_batch_norm_plain_running_back(dx, s->trains ? tp_param_grad(l, s, 0) : NULL,
		s->trains ? tp_param_grad(l, s, 1) : NULL, dy, tp_value_at(l, s->in[0], 0), gamma,
		tp_param_at(l, s, 2), tp_param_at(l, s, 3), g, s->node->eps);
}

static void add_back(tp_learner *l, const tp_lstep *s, const float *dy)
{
	size_t n = floats(l, s->out);
	for (int k = 0; k < s->n_in; k++)
		for (int i = 0; i < s->geo.n && s->want[k] && !s->same[k]; i++)
			tp_add_scaled_plain(tp_grad_out(l, s, k, i), dy + (size_t)i * n,
				k ? 1 : tp_branch_scale(l, s, i), NULL, n);
}

static void backward(tp_learner *l, int step, int worker)
{
	tp_lstep *s = &l->step[step];
	const tp_geo *g = &s->geo;
	float *dy = tp_grad_at(l, s->out, 0);
	float *dx = s->want[0] && !s->same[0] ? tp_grad_out(l, s, 0, 0) : NULL;
	size_t n = out_floats(s);
	(void)worker;
	if (s->act != TP_ACT_NONE)
		activate_back(s, dy, tp_value_at(l, s->out, 0), n);
	switch (s->kind) {
	case TP_OP_CONV:
		tp_conv_plain_back(dx, s->trains ? tp_param_grad(l, s, 0) : NULL,
			s->trains && s->node->bias ? tp_param_grad(l, s, 1) : NULL, dy,
			tp_value_at(l, s->in[0], 0), tp_param_at(l, s, 0), g);
		break;
	case TP_OP_BATCH_NORM:
		batch_norm_back(l, s, dx ? dx : dy, dy);
		break;
	case TP_OP_RELU:
		tp_relu_plain_back(dx, dy, tp_value_at(l, s->out, 0), n);
		break;
	case TP_OP_RELU6:
		tp_relu6_plain_back(dx, dy, tp_value_at(l, s->out, 0), n);
		break;
	case TP_OP_ADD:
		add_back(l, s, dy);
		break;
	case TP_OP_CONCAT:
		concat(l, s, true);
		break;
	case TP_OP_MAX_POOL:
		tp_max_pool_plain_back(dx, dy, tp_value_at(l, s->in[0], 0), g);
		break;
	case TP_OP_AVG_POOL:
		tp_avg_pool_plain_back(dx, dy, g);
		break;
	case TP_OP_GLOBAL_POOL:
		tp_global_pool_plain_back(dx, dy, g->n * g->c, g->h * g->w);
		break;
	case TP_OP_DROPOUT:
		tp_drop(l, s, dx, dy, 0, g->n);
		break;
	default:
		tp_linear_plain_back(dx, s->trains ? tp_param_grad(l, s, 0) : NULL,
			s->trains ? tp_param_grad(l, s, 1) : NULL, dy, tp_value_at(l, s->in[0], 0),
			tp_param_at(l, s, 0), g->n, g->c, g->oc);
	}
}

static const char *impl(const tp_learner *l, int step, int pass)
{
	return !pass || l->step[step].back ? "plain" : "";
}

const tp_twin tp_twin_plain = { floats, open, close, begin, end, forward, backward, impl };
