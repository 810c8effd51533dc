/* The network as a whole: golden numbers from PyTorch (tests/golden/gen_lite0.py), fast twin against plain twin, workers
 * against each other, and that no op fell back to a slow implementation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/net_int.h"
#include "t.h"
#include "unit/nn/made_up.h"

enum { SIDE = 96, BATCH = 2, CLASSES = 10, IMAGE = 3 * SIDE * SIDE, F = 1280, KEPT = 32 };

typedef struct {
	tp_net *net;
	tp_weights *w;
	float in[BATCH * IMAGE];
} fixture;

static fixture fx;

static int setup(void)
{
	tp_err err = { 0 };
	CHECK_OK(tp_net_new(&fx.net, tp_arch_find("efficientnet-lite0"), CLASSES, &err), err);
	CHECK_OK(made_up_weights(&fx.w, fx.net, 2, &err), err);
	made_up_photos(fx.in, BATCH * IMAGE);
	return 0;
}

typedef struct {
	float logits[BATCH * CLASSES], features[BATCH * F];
} answer;

static tp_code run(answer *a, int batch, int threads, bool plain, tp_err *err)
{
	tp_plan_opts o = { .batch = batch, .side = SIDE, .threads = threads, .plain = plain };
	tp_plan *p = NULL;
	tp_exec *x = NULL;
	tp_code rc = tp_plan_new(&p, fx.net, fx.w, &o, err);
	if (!rc)
		rc = tp_exec_new(&x, p, err);
	if (!rc)
		rc = tp_exec_run(x, fx.in, a->features, a->logits, err);
	tp_exec_free(x);
	tp_plan_free(p);
	return rc;
}

static int read_golden(float *logits, float *features)
{
	FILE *f = fopen(TP_TESTS_DIR "/golden/lite0.txt", "r");
	CHECK(f, "no golden numbers");
	for (int i = 0; i < BATCH * (CLASSES + KEPT); i++) {
		float *to = i < BATCH * CLASSES ? &logits[i] : &features[i - BATCH * CLASSES];
		CHECK(fscanf(f, "%f", to) == 1, "number %d is missing", i);
	}
	fclose(f);
	return 0;
}

/* PyTorch's answer, both twins. 1e-4 is what users are promised; 2e-6 is what is seen. */
static int test_both_twins_agree_with_pytorch(void)
{
	float logits[BATCH * CLASSES], kept[BATCH * KEPT];
	static answer a;
	tp_err err = { 0 };
	if (read_golden(logits, kept))
		return 1;
	for (int plain = 0; plain < 2; plain++) {
		CHECK_OK(run(&a, BATCH, 1, plain, &err), err);
		double d = made_up_apart(a.logits, logits, BATCH * CLASSES);
		printf("%s twin: logits differ by %.1e\n", plain ? "plain" : "fast", d);
		CHECK(d <= 1e-4, "logits differ by %g", d);
		for (int i = 0; i < BATCH; i++)
			CHECK(made_up_apart(a.features + i * F, kept + i * KEPT, KEPT) <= 1e-4,
				"features of photo %d", i);
	}
	return 0;
}

static int test_batch_and_threads_do_not_change_the_answer(void)
{
	static answer one, two, threads;
	tp_err err = { 0 };
	CHECK_OK(run(&one, 1, 1, false, &err), err);
	CHECK_OK(run(&two, BATCH, 1, false, &err), err);
	CHECK_OK(run(&threads, BATCH, 2, false, &err), err);
	CHECK(made_up_apart(one.logits, two.logits, CLASSES) <= 1e-6, "batch 1 and 2 differ");
	CHECK(made_up_apart(threads.logits, two.logits, BATCH * CLASSES) <= 1e-6, "1 and 2 threads differ");
	return 0;
}

static int test_two_workers_give_the_same_bits(void)
{
	tp_plan_opts o = { .batch = 1, .side = SIDE, .threads = 1 };
	tp_plan *p = NULL;
	tp_exec *x[2] = { 0 };
	float logits[2][CLASSES];
	tp_err err = { 0 };
	CHECK_OK(tp_plan_new(&p, fx.net, fx.w, &o, &err), err);
	for (int i = 0; i < 2; i++)
		CHECK_OK(tp_exec_new(&x[i], p, &err), err);
	long before = tp_mem_live();
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 2; i++)
			CHECK_OK(tp_exec_run(x[i], fx.in, NULL, logits[i], &err), err);
	CHECK(tp_mem_live() == before, "running allocates");
	CHECK(!memcmp(logits[0], logits[1], sizeof logits[0]), "workers differ");
	for (int i = 0; i < 2; i++)
		tp_exec_free(x[i]);
	tp_plan_free(p);
	return 0;
}

static int test_no_op_runs_a_reference_implementation(void)
{
	tp_plan_opts o = { .batch = 1, .side = 224, .threads = 1 };
	tp_plan *p = NULL;
	tp_err err = { 0 };
	int jit = 0;
	CHECK_OK(tp_plan_new(&p, fx.net, fx.w, &o, &err), err);
	for (size_t i = 0; i < tp_plan_ops(p); i++) {
		const char *impl = tp_plan_op_impl(p, i);
		jit += !strncmp(impl, "jit", 3);
		CHECK(!strstr(impl, "ref"), "%s runs %s", tp_plan_op_name(p, i), impl);
	}
	if (strstr(tp_nn_backend(), "oneDNN"))
		CHECK(jit == 49, "%d of 49 convolutions are compiled", jit);
	tp_plan_free(p);
	return 0;
}

enum { WINO_C = 64 };

/* 3x3 convolutions of stride 1 with all that is fused: activations, a shortcut, a slice of a concatenation. */
static tp_code build_threes(tp_net *net, int n_classes, tp_err *err)
{
	(void)n_classes;
	(void)err;
	int x = tp_net_input(net);
	x = tp_net_relu(net, tp_net_conv(net, x, "stem", 32, TP_SQUARE(3, 2, 1), 1, true));
	int a = tp_net_relu6(net, tp_net_conv(net, x, "a", 48, TP_SQUARE(3, 1, 1), 1, true));
	int b = tp_net_relu(net, tp_net_conv(net, x, "b", 16, TP_SQUARE(3, 1, 1), 1, false));
	x = tp_net_concat(net, (int[]){ a, b }, 2);
	int y = tp_net_relu(net, tp_net_conv(net, x, "c", WINO_C, TP_SAME(3, 1), 1, true));
	y = tp_net_conv(net, y, "d", WINO_C, TP_SQUARE(3, 1, 1), 1, true);
	y = tp_net_relu(net, tp_net_add(net, x, tp_net_batch_norm(net, y, "bn", 1e-3f, 0.1f)));
	net->features = tp_net_global_pool(net, y);
	return TP_OK;
}

static tp_code run_threes(
	float *features, int *winograds, const tp_net *net, const tp_weights *w, tp_plan_opts o, tp_err *err)
{
	tp_plan *p = NULL;
	tp_exec *x = NULL;
	tp_code rc = tp_plan_new(&p, net, w, &o, err);
	*winograds = 0;
	for (size_t i = 0; !rc && i < tp_plan_ops(p); i++)
		*winograds += strstr(tp_plan_op_impl(p, i), "winograd") != NULL;
	if (!rc)
		rc = tp_exec_new(&x, p, err);
	if (!rc)
		rc = tp_exec_run(x, fx.in, features, NULL, err);
	tp_exec_free(x);
	tp_plan_free(p);
	return rc;
}

/* 1.6e-6 of the largest feature seen, by the direct convolutions as well (the pool adds in floats), times 4. */
static int test_winograd_agrees_with_the_plain_twin(void)
{
	static const tp_arch threes = { .name = "threes", .n_features = WINO_C, .build = build_threes };
	tp_plan_opts o = { .batch = BATCH, .side = SIDE, .threads = 1 };
	float want[BATCH * WINO_C], got[BATCH * WINO_C];
	tp_net *net = NULL;
	tp_weights *w = NULL;
	tp_err err = { 0 };
	int n;
	CHECK_OK(tp_net_new(&net, &threes, 0, &err), err);
	CHECK_OK(made_up_weights(&w, net, 2, &err), err);
	o.plain = true;
	CHECK_OK(run_threes(want, &n, net, w, o, &err), err);
	o.plain = false;
	for (int direct = 0; direct < 2; direct++) {
		o.direct = direct;
		CHECK_OK(run_threes(got, &n, net, w, o, &err), err);
		if (strstr(tp_nn_backend(), "oneDNN"))
			CHECK(n == (direct ? 0 : 4), "%d convolutions by Winograd", n);
		double d = made_up_apart(got, want, BATCH * WINO_C);
		printf("%s: features differ by %.1e\n", direct ? "direct" : "winograd", d);
		CHECK(d <= 6.4e-6, "features differ by %g", d);
	}
	tp_weights_free(w);
	tp_net_free(net);
	return 0;
}

static int test_a_missing_or_wrong_parameter_is_named(void)
{
	tp_plan_opts o = TP_PLAN_OPTS_INIT;
	tp_net *other = NULL;
	tp_plan *p = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_net_new(&other, tp_arch_find("efficientnet-lite0"), CLASSES + 1, &err), err);
	CHECK(tp_plan_new(&p, other, fx.w, &o, &err) == TP_EFORMAT, "another shape was taken");
	CHECK(strstr(err.msg, "classifier.weight"), "%s", err.msg);
	tp_net_free(other);
	return 0;
}

static int teardown(void)
{
	tp_weights_free(fx.w);
	tp_net_free(fx.net);
	CHECK(tp_mem_live() == 0, "%ld allocations are left", tp_mem_live());
	return 0;
}

int main(void)
{
	return RUN(T(setup), T(test_both_twins_agree_with_pytorch),
		T(test_batch_and_threads_do_not_change_the_answer), T(test_two_workers_give_the_same_bits),
		T(test_no_op_runs_a_reference_implementation), T(test_winograd_agrees_with_the_plain_twin),
		T(test_a_missing_or_wrong_parameter_is_named), T(teardown));
}
