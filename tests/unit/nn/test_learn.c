/* Training a network: gradients against differences of the loss, on a made-up network that has every op; what freezing
 * leaves alone; that a step repeats bit for bit. Golden numbers of whole networks: test_zoo_learn.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "nn/learn_int.h"
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
	tp_net_block(
		net); /* one without an addition: stochastic depth would never leave out the first one's branch */
	x = relu(net, conv_bn(net, x, "stem", 16, TP_SQUARE(3, 2, 1), 1, true));
	x = max_pool(net, x, (tp_window){ .kh = 3, .kw = 3, .stride = 2, .ceil = true });
	tp_net_stage(net, "stage1");
	tp_net_block(net);
	y = conv_bn(net, x, "short", 32, TP_SQUARE(1, 1, 0), 1, false);
	x = relu(net, conv_bn(net, x, "a", 16, TP_SQUARE(3, 1, 1), 1, false));
	x = relu(net, tp_net_add(net, conv_bn(net, x, "b", 32, TP_SQUARE(1, 1, 0), 1, false), y));
	tp_net_block(net);
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

/* Stochastic depth: the two additions' branches are left out at a third and at two thirds of this. */
static float drop_path;

static tp_learn_opts opts(bool plain, int threads)
{
	return (tp_learn_opts){ .batch = BATCH,
		.side = SIDE,
		.threads = threads,
		.plain = plain,
		.running_stat = running,
		.drop_path = drop_path };
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

/* ---- stochastic depth --------------------------------------------------------------------------------------- */

static int with_drop_path(int test(void))
{
	drop_path = 0.9f; /* by the seed of loss_of() some of both branches are left out, and some stay */
	int failed = test();
	drop_path = 0;
	return failed;
}

static int test_gradients_with_drop_path(void)
{
	return with_drop_path(test_gradients_are_differences) ||
	       with_drop_path(test_gradients_by_running_statistics);
}

static int test_steps_repeat_with_drop_path(void)
{
	return with_drop_path(test_steps_repeat) || with_drop_path(test_frozen_stages_stay);
}

static int test_twins_agree_with_drop_path(void)
{
	return with_drop_path(test_twins_agree) || with_drop_path(test_twins_agree_by_running_statistics);
}

/* By running statistics and without kinks the loss is a linear function of each parameter alone: what its gradient says of
 * a direction is what a step along it does, however large (largest difference seen: 6e-7 of the scale). */
static int test_the_gradient_is_the_adjoint(void)
{
	for (int plain = 0; plain < 2; plain++) {
		fixture f;
		tp_err err = { 0 };
		tp_rng r = tp_rng_seed(13);
		running = smooth = true;
		drop_path = 0.9f;
		tp_learn_opts o = opts(plain, plain ? 1 : 3);
		int bad = setup(&f, &o);
		running = smooth = false;
		drop_path = 0;
		if (bad)
			return 1;
		double at = loss_of(&f, &err);
		CHECK_OK(tp_learner_backward(f.l, f.weight, false, &err), err);
		for (size_t i = 0; i < f.net->n_params; i++) {
			const tp_net_param *q = &f.net->param[i];
			double slope = 0, size = 0;
			size_t n = 1;
			for (int d = 0; d < q->ndim; d++)
				n *= (size_t)q->dim[d];
			if (q->buffer)
				continue;
			float *w = f.p.w + f.p.off[i], *old = tp_alloc(n * sizeof *old);
			CHECK(old, "no memory");
			memcpy(old, w, n * sizeof *w);
			for (size_t k = 0; k < n; k++) {
				w[k] += (float)tp_rng_normal(&r);
				slope += (double)(w[k] - old[k]) * f.p.g[f.p.off[i] + k];
				size += fabs((double)(w[k] - old[k]) * f.p.g[f.p.off[i] + k]);
			}
			double got = loss_of(&f, &err) - at;
			memcpy(w, old, n * sizeof *w);
			CHECK(fabs(got - slope) < 4e-6 * (size + fabs(at) + 1),
				"%s: %g, the gradient says %g", q->name, got, slope);
			tp_free(old);
		}
		teardown(&f);
	}
	return 0;
}

static const tp_lstep *addition(const tp_learner *l, int which)
{
	for (int i = 0; i < l->n_steps; i++)
		if (l->step[i].kind == TP_OP_ADD && !which--)
			return &l->step[i];
	return NULL;
}

/* Each branch is left out at its rate, what stays is enlarged so that the mean stays, and whether one block's branch is left
 * out for one photo says nothing of another block's or another photo's. */
static int test_branches_are_left_out_at_their_rate(void)
{
	enum { DRAWS = 20000 };
	static const double rate[] = { 0.6 / 3, 1.2 / 3 };
	fixture f;
	tp_learn_opts o = opts(false, 2);
	o.drop_path = 0.6f;
	int out[2][2] = { { 0 } }, both = 0, photos = 0;
	if (setup(&f, &o))
		return 1;
	for (int k = 0; k < DRAWS; k++) {
		bool gone[2][2];
		f.l->seed = (uint64_t)1 << 32 ^ (uint64_t)k; /* as a run draws them, step by step */
		for (int b = 0; b < 2; b++)
			for (int p = 0; p < 2; p++) {
				const tp_lstep *s = addition(f.l, b);
				CHECK(s && fabs((double)s->drop - rate[b]) < 1e-6, "branch %d", b);
				float scale = tp_branch_scale(f.l, s, p);
				gone[b][p] = scale == 0;
				CHECK(gone[b][p] || fabs((double)scale * (1 - rate[b]) - 1) < 1e-6, "%g",
					(double)scale);
				out[b][p] += gone[b][p];
			}
		both += gone[0][0] && gone[1][0];
		photos += gone[1][0] && gone[1][1];
	}
	/* five standard deviations of a count */
	for (int b = 0; b < 2; b++)
		for (int p = 0; p < 2; p++)
			CHECK(fabs(out[b][p] - DRAWS * rate[b]) < 5 * sqrt(DRAWS * rate[b] * (1 - rate[b])),
				"branch %d of photo %d: %d times", b, p, out[b][p]);
	double joint = rate[0] * rate[1], twice = rate[1] * rate[1];
	CHECK(fabs(both - DRAWS * joint) < 5 * sqrt(DRAWS * joint), "two blocks: %d times", both);
	CHECK(fabs(photos - DRAWS * twice) < 5 * sqrt(DRAWS * twice), "two photos: %d times", photos);
	teardown(&f);
	return 0;
}

/* A photo whose branches are left out is one the network without them sees: by running statistics its logits do not change
 * with the branch's weights, those of another photo do. */
static int test_a_left_out_branch_is_not_there(void)
{
	for (int plain = 0; plain < 2; plain++) {
		fixture f;
		tp_err err = { 0 };
		float before[BATCH * CLASSES];
		int stayed = 0, moved = 0;
		tp_learn_opts o = opts(plain, plain ? 1 : 2);
		o.running_stat = true;
		o.drop_path = 0.75f;
		if (setup(&f, &o))
			return 1;
		CHECK(isfinite(loss_of(&f, &err)), "%s", err.msg);
		memcpy(before, f.logits, sizeof before);
		for (size_t i = 0; i < f.net->n_params; i++)
			if (!strcmp(f.net->param[i].name, "pw_bn.bias"))
				for (int c = 0; c < 32; c++)
					f.p.w[f.p.off[i] + (size_t)c] += 1;
		CHECK(isfinite(loss_of(&f, &err)), "%s", err.msg);
		for (int p = 0; p < BATCH; p++) {
			bool gone = tp_branch_scale(f.l, addition(f.l, 1), p) == 0;
			bool same = !memcmp(
				before + p * CLASSES, f.logits + p * CLASSES, CLASSES * sizeof *before);
			CHECK(gone == same, "photo %d: left out %d, the same %d", p, gone, same);
			*(gone ? &stayed : &moved) += 1;
		}
		CHECK(stayed && moved, "%d stayed, %d moved: the seed shows nothing", stayed, moved);
		teardown(&f);
	}
	return 0;
}

/* What is not trained is as in evaluation: nothing is left out, and nothing is planned for it. */
static int test_frozen_branches_stay(void)
{
	fixture a, b;
	tp_err err = { 0 };
	tp_learn_opts o = opts(false, 2);
	for (int i = 0; i < TP_MAX_STAGES; i++)
		o.frozen[i] = i < 4;
	if (setup(&a, &o))
		return 1;
	o.drop_path = 0.9f;
	if (setup(&b, &o))
		return 1;
	CHECK(loss_of(&a, &err) == loss_of(&b, &err), "a frozen branch was left out");
	CHECK(!memcmp(a.logits, b.logits, sizeof a.logits), "other logits");
	CHECK(tp_learner_ops(a.l) == tp_learner_ops(b.l) &&
			tp_learner_arena_bytes(a.l) == tp_learner_arena_bytes(b.l),
		"another plan");
	teardown(&a);
	teardown(&b);
	return 0;
}

/* Which networks have residual blocks, all counted, and that the others refuse. */
static int test_residual_blocks(void)
{
	static const struct {
		const char *name;
		int blocks, additions, first; /* the first addition's block */
	} nets[] = { { "efficientnet-lite0", 16, 9, 2 }, { "efficientnet-lite1", 21, 14, 2 },
		{ "efficientnet-lite2", 21, 14, 2 }, { "mobilenet-v2", 17, 10, 2 }, { "resnet18", 8, 8, 0 },
		{ "resnet50", 16, 16, 0 }, { "bn-inception", 0, 0, 0 }, { "inception-v3", 0, 0, 0 } };
	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
		tp_err err = { 0 };
		tp_net *net = NULL;
		int n = 0, last = 0;
		CHECK_OK(tp_net_new(&net, tp_arch_find(nets[i].name), CLASSES, &err), err);
		for (int k = 0; k < net->n; k++)
			if (net->v[k].kind == TP_OP_ADD) {
				CHECK(n || net->v[k].block == nets[i].first, "%s: first in %d", nets[i].name,
					net->v[k].block);
				CHECK(!n || net->v[k].block > last, "%s: one after the other", nets[i].name);
				CHECK(net->v[net->v[k].in[0]].kind == TP_OP_BATCH_NORM,
					"%s: the branch comes first", nets[i].name);
				last = net->v[k].block;
				n++;
			}
		CHECK(tp_net_blocks(net) == nets[i].blocks && n == nets[i].additions,
			"%s: %d blocks, %d additions", nets[i].name, tp_net_blocks(net), n);
		if (!nets[i].blocks) {
			tp_params p = { 0 };
			tp_learner *l = NULL;
			tp_learn_opts o = { .batch = 1, .side = 64, .threads = 1, .drop_path = 0.2f };
			CHECK_OK(tp_params_init(&p, net, &err), err);
			CHECK(tp_learner_new(&l, net, &p, &o, &err) == TP_EINVAL &&
					strstr(err.msg, nets[i].name),
				"%s: %s", nets[i].name, err.msg);
			tp_params_dispose(&p);
		}
		tp_net_free(net);
	}
	return 0;
}

int main(void)
{
	return RUN(T(test_gradients_are_differences), T(test_gradients_by_running_statistics),
		T(test_frozen_stages_stay), T(test_steps_repeat), T(test_twins_agree),
		T(test_twins_agree_by_running_statistics), T(test_running_statistics_stay),
		T(test_gradients_with_drop_path), T(test_steps_repeat_with_drop_path),
		T(test_twins_agree_with_drop_path), T(test_the_gradient_is_the_adjoint),
		T(test_branches_are_left_out_at_their_rate), T(test_a_left_out_branch_is_not_there),
		T(test_frozen_branches_stay), T(test_residual_blocks));
}
