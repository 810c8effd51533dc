/* Training a network: gradients against differences of the loss, on a made-up network that has every op; what freezing
 * leaves alone; that a step repeats bit for bit. Golden numbers of whole networks: test_zoo_learn.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "nn/learn.h"
#include "nn/net_int.h"
#include "t.h"

enum { SIDE = 32, BATCH = 4, CLASSES = 5, IMAGE = 3 * SIDE * SIDE };

static int conv_bn(tp_net *net, int x, const char *name, int channels, tp_window win, int groups, bool bias)
{
	char bn[48];
	snprintf(bn, sizeof bn, "%s_bn", name);
	x = tp_net_conv(net, x, name, channels, win, groups, bias);
	return tp_net_batch_norm(net, x, bn, 1e-3f, 0.1f);
}

/* Without kinks differences of the loss tell gradients exactly; the kinked ops are held against their plain twins in
 * test_kernels.c and against PyTorch in test_zoo_learn.c. */
static bool smooth;

static int relu(tp_net *net, int x)
{
	return smooth ? x : tp_net_relu(net, x);
}

static int relu6(tp_net *net, int x)
{
	return smooth ? x : tp_net_relu6(net, x);
}

static int max_pool(tp_net *net, int x, tp_window win)
{
	return smooth ? tp_net_avg_pool(net, x, win) : tp_net_max_pool(net, x, win);
}

/* A stem, a residual block with a shortcut of its own, a depthwise block, and an inception block of four branches. */
static tp_code build(tp_net *net, int n_classes, tp_err *err)
{
	int x = tp_net_input(net), y, branch[4];
	(void)err;
	x = relu(net, conv_bn(net, x, "stem", 16, TP_SQUARE(3, 2, 1), 1, true));
	x = max_pool(net, x, (tp_window){ .kh = 3, .kw = 3, .stride = 2, .ceil = true });
	tp_net_stage(net, "stage1");
	y = conv_bn(net, x, "short", 32, TP_SQUARE(1, 1, 0), 1, false);
	x = relu(net, conv_bn(net, x, "a", 16, TP_SQUARE(3, 1, 1), 1, false));
	x = relu(net, tp_net_add(net, conv_bn(net, x, "b", 32, TP_SQUARE(1, 1, 0), 1, false), y));
	y = relu6(net, conv_bn(net, x, "dw", 32, TP_SAME(5, 1), 32, false));
	x = tp_net_add(net, conv_bn(net, y, "pw", 32, TP_SQUARE(1, 1, 0), 1, false), x);
	tp_net_stage(net, "stage2");
	branch[0] = relu(net, conv_bn(net, x, "i1", 16, TP_SQUARE(1, 1, 0), 1, true));
	branch[1] = relu(net,
		conv_bn(net, x, "i7", 32, (tp_window){ .kh = 1, .kw = 7, .stride = 1, .pw = 3 }, 2, false));
	y = tp_net_avg_pool(
		net, x, (tp_window){ .kh = 3, .kw = 3, .stride = 1, .ph = 1, .pw = 1, .count_pad = true });
	branch[2] = relu(net, conv_bn(net, y, "ip", 32, TP_SQUARE(1, 1, 0), 1, false));
	branch[3] = max_pool(net, x, TP_SQUARE(3, 1, 1));
	x = tp_net_concat(net, branch, 4);
	x = tp_net_avg_pool(net, x, TP_SAME(2, 2));
	tp_net_stage(net, "head");
	x = relu(net, tp_net_conv(net, x, "head", 48, TP_SAME(3, 2), 1, true));
	net->features = tp_net_global_pool(net, x);
	tp_net_stage(net, "classifier");
	if (n_classes)
		net->logits = tp_net_linear(net, tp_net_dropout(net, net->features, 0.25f), "fc", n_classes);
	return TP_OK;
}

static const tp_arch arch = { .name = "made-up", .n_features = 48, .side = SIDE, .build = build };

typedef struct {
	tp_net *net;
	tp_params p;
	tp_learner *l;
	float *in;
	float logits[BATCH * CLASSES], weight[BATCH * CLASSES];
} fixture;

static int setup(fixture *f, const tp_learn_opts *o)
{
	tp_err err = { 0 };
	tp_rng r = tp_rng_seed(7);
	*f = (fixture){ 0 };
	CHECK_OK(tp_net_new(&f->net, &arch, CLASSES, &err), err);
	CHECK_OK(tp_params_init(&f->p, f->net, &err), err);
	for (size_t i = 0; i < f->net->n_params; i++) {
		const tp_net_param *q = &f->net->param[i];
		size_t n = 1, fan = 1;
		for (int d = 0; d < q->ndim; d++) {
			n *= (size_t)q->dim[d];
			fan *= d ? (size_t)q->dim[d] : 1;
		}
		for (size_t k = 0; k < n && !q->buffer; k++)
			f->p.w[f->p.off[i] + k] =
				(float)tp_rng_normal(&r) * (q->ndim > 1 ? sqrtf(2.0f / (float)fan) : 0.1f) +
				(strstr(q->name, "_bn.weight") ? 1.0f : 0.0f);
	}
	for (size_t i = 0; i < f->net->n_params && o->running_stat; i++) {
		const tp_net_param *q = &f->net->param[i];
		for (int k = 0; k < q->dim[0] && q->buffer; k++)
			f->p.buf[f->p.off[i] + (size_t)k] =
				(float)(strstr(q->name, "var") ? 0.5 + tp_rng_unit(&r)
							       : 0.3 * tp_rng_normal(&r));
	}
	f->in = tp_alloc_aligned(BATCH * IMAGE * sizeof(float));
	CHECK(f->in, "no memory");
	for (int i = 0; i < BATCH * IMAGE; i++)
		f->in[i] = (float)tp_rng_normal(&r);
	for (int i = 0; i < BATCH * CLASSES; i++)
		f->weight[i] = (float)tp_rng_normal(&r);
	CHECK_OK(tp_learner_new(&f->l, f->net, &f->p, o, &err), err);
	return 0;
}

static void teardown(fixture *f)
{
	tp_learner_free(f->l);
	tp_params_dispose(&f->p);
	tp_net_free(f->net);
	tp_free_aligned(f->in);
}

/* Batch-norms by running statistics instead of the batch's. */
static bool running;

static tp_learn_opts opts(bool plain, int threads)
{
	return (tp_learn_opts){
		.batch = BATCH, .side = SIDE, .threads = threads, .plain = plain, .running_stat = running
	};
}

/* The loss is a fixed weighting of the logits. */
static double loss_of(fixture *f, tp_err *err)
{
	double sum = 0;
	if (tp_learner_forward(f->l, f->in, f->logits, 3, err))
		return NAN;
	for (int i = 0; i < BATCH * CLASSES; i++)
		sum += (double)f->logits[i] * f->weight[i];
	return sum;
}

/* Along one random direction a parameter; the middle of the two sides, so that curvature cancels. What is left are
 * third-order terms and float sums (largest seen: 4e-4 of the scale). */
static int test_gradients_are_differences(void)
{
	fixture f;
	tp_err err = { 0 };
	tp_learn_opts o = opts(true, 1);
	tp_rng r = tp_rng_seed(11);
	smooth = true;
	int bad = setup(&f, &o);
	smooth = false;
	if (bad)
		return 1;
	CHECK(isfinite(loss_of(&f, &err)), "%s", err.msg);
	CHECK_OK(tp_learner_backward(f.l, f.weight, true, &err), err);
	for (size_t i = 0; i < f.net->n_params; i++) {
		const tp_net_param *q = &f.net->param[i];
		size_t n = 1;
		double slope = 0, step = 1e-2, size = 0;
		for (int d = 0; d < q->ndim; d++)
			n *= (size_t)q->dim[d];
		if (q->buffer)
			continue;
		float *w = f.p.w + f.p.off[i], *dir = tp_alloc(n * sizeof *dir),
		      *old = tp_alloc(n * sizeof *old);
		CHECK(dir && old, "no memory");
		memcpy(old, w, n * sizeof *w);
		for (size_t k = 0; k < n; k++) {
			dir[k] = (float)tp_rng_normal(&r);
			slope += (double)dir[k] * f.p.g[f.p.off[i] + k];
			size += (double)dir[k] * dir[k];
		}
		step /= sqrt(size / (double)n) * sqrt(n > 64 ? (double)n / 64 : 1);
		for (size_t k = 0; k < n; k++)
			w[k] = old[k] + (float)step * dir[k];
		double up = loss_of(&f, &err);
		for (size_t k = 0; k < n; k++)
			w[k] = old[k] - (float)step * dir[k];
		double down = loss_of(&f, &err);
		memcpy(w, old, n * sizeof *w);
		double got = (up - down) / (2 * step), scale = fabs(slope) + sqrt(size) * 0.02;
		CHECK(fabs(got - slope) < 2e-3 * scale, "%s: slope %g, by differences %g", q->name, slope,
			got);
		tp_free(dir);
		tp_free(old);
	}
	teardown(&f);
	return 0;
}

static int by_running_statistics(int test(void))
{
	running = true;
	int failed = test();
	running = false;
	return failed;
}

static int test_gradients_by_running_statistics(void)
{
	return by_running_statistics(test_gradients_are_differences);
}

static double norm_of(const tp_params *p, size_t i)
{
	size_t n = 1;
	double sq = 0;
	for (int d = 0; d < p->net->param[i].ndim; d++)
		n *= (size_t)p->net->param[i].dim[d];
	for (size_t k = 0; k < n; k++)
		sq += (double)p->g[p->off[i] + k] * p->g[p->off[i] + k];
	return sqrt(sq);
}

/* Frozen stages get no gradient and keep their running statistics; the others get one. */
static int test_frozen_stages_stay(void)
{
	for (int plain = 0; plain < 2; plain++) {
		fixture f;
		tp_err err = { 0 };
		tp_learn_opts o = opts(plain, 2);
		o.frozen[0] = o.frozen[1] = true;
		if (setup(&f, &o))
			return 1;
		CHECK(isfinite(loss_of(&f, &err)), "%s", err.msg);
		CHECK_OK(tp_learner_backward(f.l, f.weight, true, &err), err);
		for (size_t i = 0; i < f.net->n_params; i++) {
			const tp_net_param *q = &f.net->param[i];
			const float *buf = f.p.buf + f.p.off[i];
			if (!q->buffer)
				CHECK((norm_of(&f.p, i) == 0) == (q->stage < 2), "%s: gradient %g", q->name,
					norm_of(&f.p, i));
			else if (strstr(q->name, "mean"))
				CHECK((buf[0] == 0) == (q->stage < 2), "%s moved to %g", q->name,
					(double)buf[0]);
		}
		teardown(&f);
	}
	return 0;
}

/* Gradients add up over backward passes, and a step repeats bit for bit. */
static int test_steps_repeat(void)
{
	for (int threads = 0; threads <= 3; threads++) {
		fixture a, b;
		tp_err err = { 0 };
		tp_learn_opts o = opts(!threads, threads ? threads : 1);
		if (setup(&a, &o) || setup(&b, &o))
			return 1;
		double la = loss_of(&a, &err), lb = loss_of(&b, &err);
		CHECK(la == lb, "losses %.9g and %.9g", la, lb);
		CHECK_OK(tp_learner_backward(a.l, a.weight, true, &err), err);
		CHECK_OK(tp_learner_backward(b.l, b.weight, true, &err), err);
		CHECK(!memcmp(a.p.g, b.p.g, a.p.n * sizeof(float)), "gradients differ");
		CHECK(!memcmp(a.p.buf, b.p.buf, a.p.n_buf * sizeof(float)), "running statistics differ");
		CHECK_OK(tp_learner_forward(b.l, b.in, b.logits, 3, &err), err);
		CHECK_OK(tp_learner_backward(b.l, b.weight, true, &err), err);
		/* written over, not added to: what was there does not matter */
		for (size_t i = 0; i < a.p.n; i++) /* zeros between two parameters stay */
			a.p.g[i] = a.p.g[i] != 0 ? NAN : 0;
		CHECK_OK(tp_learner_forward(a.l, a.in, a.logits, 3, &err), err);
		CHECK_OK(tp_learner_backward(a.l, a.weight, false, &err), err);
		for (size_t i = 0; i < a.p.n; i++)
			CHECK(fabsf(b.p.g[i] - 2 * a.p.g[i]) <= 1e-4f * fabsf(a.p.g[i]) + 1e-5f,
				"gradient %zu: %g, twice %g", i, (double)b.p.g[i], (double)a.p.g[i]);
		teardown(&a);
		teardown(&b);
	}
	return 0;
}

/* The fast twin, with one thread and with three of uneven shares, against the plain one. */
static int test_twins_agree(void)
{
	fixture a, b;
	tp_err err = { 0 };
	for (int threads = 1; threads <= 3; threads += 2) {
		tp_learn_opts plain = opts(true, 1), fast = opts(false, threads);
		if (setup(&a, &plain) || setup(&b, &fast))
			return 1;
		CHECK(isfinite(loss_of(&a, &err)) && isfinite(loss_of(&b, &err)), "%s", err.msg);
		CHECK_OK(tp_learner_backward(a.l, a.weight, true, &err), err);
		CHECK_OK(tp_learner_backward(b.l, b.weight, true, &err), err);
		for (int i = 0; i < BATCH * CLASSES; i++)
			CHECK(fabsf(a.logits[i] - b.logits[i]) < 2e-4f, "logit %d: %g and %g", i,
				(double)a.logits[i], (double)b.logits[i]);
		for (size_t i = 0; i < a.net->n_params; i++) {
			double n = norm_of(&a.p, i), d = 0;
			size_t end = i + 1 < a.net->n_params ? a.p.off[i + 1] : a.p.n;
			if (a.net->param[i].buffer)
				continue;
			size_t count = 1;
			for (int k = 0; k < a.net->param[i].ndim; k++)
				count *= (size_t)a.net->param[i].dim[k];
			(void)end;
			for (size_t k = a.p.off[i]; k < a.p.off[i] + count; k++)
				d += (double)(a.p.g[k] - b.p.g[k]) * (a.p.g[k] - b.p.g[k]);
			CHECK(sqrt(d) < 2e-4 * n + 2e-4, "%s: gradients differ by %g of %g",
				a.net->param[i].name, sqrt(d), n);
		}
		for (size_t i = 0; i < a.p.n_buf; i++)
			CHECK(fabsf(a.p.buf[i] - b.p.buf[i]) < 1e-5f, "running statistic %zu", i);
		teardown(&a);
		teardown(&b);
	}
	return 0;
}

static int test_twins_agree_by_running_statistics(void)
{
	return by_running_statistics(test_twins_agree);
}

/* By running statistics a photo's logits do not depend on the others in its batch, and the statistics stay. */
static int test_running_statistics_stay(void)
{
	for (int plain = 0; plain < 2; plain++) {
		fixture f;
		tp_err err = { 0 };
		tp_learn_opts o = opts(plain, 2);
		o.running_stat = o.whole = true;
		if (setup(&f, &o))
			return 1;
		float *before = tp_alloc(f.p.n_buf * sizeof *before), first[CLASSES];
		CHECK(before, "no memory");
		memcpy(before, f.p.buf, f.p.n_buf * sizeof *before);
		CHECK(isfinite(loss_of(&f, &err)), "%s", err.msg);
		memcpy(first, f.logits, sizeof first);
		for (size_t i = IMAGE; i < BATCH * IMAGE; i++)
			f.in[i] = 3 - f.in[i];
		CHECK(isfinite(loss_of(&f, &err)), "%s", err.msg);
		CHECK(!memcmp(first, f.logits, sizeof first),
			"the other photos changed the first one's logits");
		CHECK_OK(tp_learner_backward(f.l, f.weight, true, &err), err);
		CHECK(!memcmp(before, f.p.buf, f.p.n_buf * sizeof *before), "running statistics moved");
		tp_free(before);
		teardown(&f);
	}
	return 0;
}

int main(void)
{
	return RUN(T(test_gradients_are_differences), T(test_gradients_by_running_statistics),
		T(test_frozen_stages_stay), T(test_steps_repeat), T(test_twins_agree),
		T(test_twins_agree_by_running_statistics), T(test_running_statistics_stay));
}
