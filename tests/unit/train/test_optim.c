/* Optimisers and the running mean of weights: against PyTorch over 14 steps (tests/golden/gen_optim.py), the same bits
 * from any number of threads, interrupted or not, and nothing changed by a step that must not be taken. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "t.h"
#include "train/ema.h"
#include "train/optim.h"

typedef struct {
	int kind, nesterov, steps, n, n_groups;
	double momentum, beta1, beta2, eps, clip;
} golden;
typedef struct {
	int offset, count, thaw, unused;
	double lr_scale, decay;
} golden_group;
enum { GROUPS = 5, FLOATS = 95 }; /* of gen_optim.py */

/* Of max(1, |value|). Both sides round to float after each operation, not always in the same order; weights that pass
 * near 0 keep the absolute error. Measured over the six cases: at most 3.0e-7. */
static const double TOLERANCE = 1e-6;

static double worst(const float *got, const float *want, size_t n)
{
	double w = 0;
	for (size_t i = 0; i < n; i++)
		w = fmax(w, fabs((double)got[i] - (double)want[i]) / fmax(1, fabs((double)want[i])));
	return w;
}

static const uint8_t *take(void *to, const uint8_t *p, size_t n)
{
	memcpy(to, p, n);
	return p + n;
}

static const uint8_t *read_case(golden *g, tp_param_group *groups, int *thaw, float *w, const uint8_t *p)
{
	p = take(&g->kind, p, 5 * sizeof(int));
	p = take(&g->momentum, p, 5 * sizeof(double));
	for (int i = 0; i < g->n_groups; i++) {
		golden_group q;
		p = take(&q, p, sizeof q);
		groups[i] = (tp_param_group){ "p", (size_t)q.offset, (size_t)q.count, q.lr_scale, q.decay,
			false };
		thaw[i] = q.thaw;
	}
	return take(w, p, FLOATS * sizeof *w);
}

static int one_case(const uint8_t **p, int number, int *clipped)
{
	golden g;
	tp_param_group groups[GROUPS];
	int thaw[GROUPS];
	float w[FLOATS], grad[FLOATS], want[FLOATS], state[FLOATS];
	double head[2], norm;
	tp_optim *o = NULL;
	tp_err err = { 0 };
	*p = read_case(&g, groups, thaw, w, *p);
	CHECK(g.n == FLOATS && g.n_groups == GROUPS, "%d floats, %d groups", g.n, g.n_groups);
	tp_optim_opts opts = { g.kind ? TP_ADAMW : TP_SGD, g.momentum, g.nesterov != 0, g.beta1, g.beta2,
		g.eps, g.clip, 2 };
	CHECK_OK(tp_optim_new(&o, FLOATS, groups, GROUPS, &opts, &err), err);
	for (int s = 0; s < g.steps; s++) {
		*p = take(head, *p, sizeof head);
		*p = take(grad, *p, sizeof grad);
		*p = take(want, *p, sizeof want);
		for (int i = 0; i < GROUPS; i++)
			groups[i].frozen = s < thaw[i];
		CHECK_OK(tp_optim_step(o, w, grad, 0, head[0], &norm, &err), err);
		CHECK(fabs(norm / head[1] - 1) < 1e-6, "case %d step %d: norm %.9g, not %.9g", number, s,
			norm, head[1]);
		CHECK(worst(w, want, FLOATS) < TOLERANCE, "case %d step %d: off by %g", number, s,
			worst(w, want, FLOATS));
		clipped[g.clip > 0 && norm > g.clip]++;
	}
	tp_optim_view v = tp_optim_state(o);
	CHECK(*v.step == (uint64_t)g.steps && v.len == (g.kind                  ? 3
							       : g.momentum > 0 ? 2
										: 1),
		"%zu arrays", v.len);
	for (size_t i = 0; i + 1 < v.len; i++) {
		*p = take(state, *p, sizeof state);
		CHECK(worst(v.array[i].v, state, FLOATS) < TOLERANCE, "case %d: %s off by %g", number,
			v.array[i].name, worst(v.array[i].v, state, FLOATS));
	}
	tp_optim_free(o);
	return 0;
}

static int test_like_pytorch(void)
{
	tp_map m = { 0 };
	tp_err err = { 0 };
	int cases = 0, clipped[2] = { 0 };
	CHECK_OK(tp_map_open(&m, TP_TESTS_DIR "/golden/optim.bin", &err), err);
	for (const uint8_t *p = m.ptr; p < m.ptr + m.len; cases++)
		CHECK(!one_case(&p, cases, clipped), "case %d", cases);
	tp_map_close(&m);
	CHECK(cases == 6, "%d cases", cases);
	CHECK(clipped[0] > 56 && clipped[1] > 5, "%d steps clipped, %d not", clipped[1], clipped[0]);
	return 0;
}

enum { BIG = 200000 }; /* three pieces and a bit, cut by groups where no piece ends */
static const tp_param_group big_groups[] = {
	{ "conv.weight", 0, 150001, 0.5, 0.01, false },
	{ "conv.bias", 150001, 7, 1, 0, false },
	{ "frozen.weight", 150008, 9992, 1, 0.01, true },
	{ "head.weight", 160000, 40000, 1, 0.01, false },
};

static void draw(float *v, size_t n, uint64_t seed)
{
	tp_rng r = tp_rng_seed(seed);
	for (size_t i = 0; i < n; i++)
		v[i] = (float)tp_rng_normal(&r);
}

/* Five steps and a running mean; the state goes through memory into a new optimiser after step `restart`. */
static int run(float *w, float *ema, tp_optim_kind kind, int threads, int restart)
{
	static float grad[BIG], saved[2 * BIG + 4];
	tp_optim_opts opts = TP_OPTIM_OPTS_INIT;
	tp_optim *o = NULL;
	tp_err err = { 0 };
	opts.kind = kind;
	opts.threads = threads;
	opts.clip_norm = 100;
	draw(w, BIG, 1);
	memcpy(ema, w, BIG * sizeof *w);
	CHECK_OK(tp_optim_new(&o, BIG, big_groups, 4, &opts, &err), err);
	for (int s = 0; s < 5; s++) {
		draw(grad, BIG, 10 + (uint64_t)s);
		CHECK_OK(tp_optim_step(o, w, grad, 1, 0.01, NULL, &err), err);
		CHECK_OK(tp_ema_update(ema, w, BIG, 0.9, threads, &err), err);
		if (s != restart)
			continue;
		tp_optim_view v = tp_optim_state(o);
		size_t n = (v.len - 1) * BIG + 4;
		uint64_t step = *v.step;
		memcpy(saved, v.array[0].v, n * sizeof *saved);
		tp_optim_free(o);
		CHECK_OK(tp_optim_new(&o, BIG, big_groups, 4, &opts, &err), err);
		v = tp_optim_state(o);
		memcpy(v.array[0].v, saved, n * sizeof *saved);
		*v.step = step;
	}
	tp_optim_free(o);
	return 0;
}

static int test_threads_and_restarts_change_no_bit(void)
{
	static float w[BIG], ema[BIG], w2[BIG], ema2[BIG];
	static const struct {
		int threads, restart;
	} ways[] = { { 2, -1 }, { 3, -1 }, { 8, 1 }, { 1, 3 } };
	for (int kind = TP_SGD; kind <= TP_ADAMW; kind++) {
		CHECK(!run(w, ema, (tp_optim_kind)kind, 1, -1), "kind %d", kind);
		for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
			CHECK(!run(w2, ema2, (tp_optim_kind)kind, ways[i].threads, ways[i].restart),
				"way %zu", i);
			CHECK(!memcmp(w, w2, sizeof w), "kind %d way %zu: other weights", kind, i);
			CHECK(!memcmp(ema, ema2, sizeof ema), "kind %d way %zu: another mean", kind, i);
		}
	}
	return 0;
}

/* What is frozen may hold anything; what is not may hold numbers only. */
static int test_what_is_not_finite_changes_nothing(void)
{
	static float w[BIG], before[BIG], grad[BIG];
	tp_optim_opts opts = TP_OPTIM_OPTS_INIT;
	tp_optim *o = NULL;
	tp_err err = { 0 };
	draw(w, BIG, 1);
	draw(grad, BIG, 2);
	grad[150008] = NAN;
	CHECK_OK(tp_optim_new(&o, BIG, big_groups, 4, &opts, &err), err);
	CHECK_OK(tp_optim_step(o, w, grad, 1, 0.01, NULL, &err), err);
	memcpy(before, w, sizeof w);
	tp_optim_view v = tp_optim_state(o);
	double moment = (double)v.array[0].v[0];
	CHECK(tp_optim_step(o, w, grad, NAN, 0.01, NULL, &err) == TP_EINVAL, "took a loss of nan");
	CHECK(strstr(err.msg, "step 2: ") && strstr(err.msg, "loss") && strstr(err.msg, "none"), "%s",
		err.msg);
	grad[199999] = INFINITY;
	CHECK(tp_optim_step(o, w, grad, 1, 0.01, NULL, &err) == TP_EINVAL, "took an infinite gradient");
	CHECK(strstr(err.msg, "step 2: ") && strstr(err.msg, "head.weight"), "%s", err.msg);
	grad[150003] = NAN;
	CHECK(tp_optim_step(o, w, grad, INFINITY, 0.01, NULL, &err) == TP_EINVAL, "took it all");
	CHECK(strstr(err.msg, "conv.bias"), "%s", err.msg);
	CHECK(!memcmp(before, w, sizeof w) && *v.step == 1 && moment == (double)v.array[0].v[0], "changed");
	tp_optim_free(o);
	return 0;
}

static int refused(const tp_param_group *groups, size_t n, const tp_optim_opts *opts, const char *says)
{
	tp_optim *o = NULL;
	tp_err err = { 0 };
	CHECK(tp_optim_new(&o, 10, groups, n, opts, &err) == TP_EINVAL, "taken: %s", says);
	CHECK(strstr(err.msg, says), "\"%s\" says nothing of %s", err.msg, says);
	return 0;
}

static int test_bad_tables_and_options(void)
{
	static const tp_param_group overlap[] = { { "a", 0, 5, 1, 0, false }, { "b", 4, 2, 1, 0, false } },
				    outside[] = { { "a", 8, 3, 1, 0, false } },
				    negative[] = { { "a", 0, 3, 1, -1, false } };
	tp_optim_opts ok = TP_OPTIM_OPTS_INIT, o = ok;
	int bad = refused(overlap, 2, &ok, "group b") + refused(outside, 1, &ok, "group a") +
		  refused(negative, 1, &ok, "decay -1");
	o.beta2 = 1;
	bad += refused(NULL, 0, &o, "beta2");
	o = ok;
	o.clip_norm = NAN;
	bad += refused(NULL, 0, &o, "clip");
	o = ok;
	o.kind = TP_SGD;
	o.nesterov = true;
	o.momentum = 0;
	bad += refused(NULL, 0, &o, "momentum");
	return bad;
}

static int test_survives_failed_allocations(void)
{
	tp_optim_opts opts = TP_OPTIM_OPTS_INIT;
	long before = tp_mem_live();
	for (int n = 1;; n++) {
		static float w[BIG], grad[BIG];
		tp_optim *o = NULL;
		tp_mem_fail_at(n);
		tp_code rc = tp_optim_new(&o, BIG, big_groups, 4, &opts, NULL);
		if (!rc)
			rc = tp_optim_step(o, w, grad, 1, 0.01, NULL, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		tp_optim_free(o);
		CHECK(tp_mem_live() == before, "allocation %d leaks", n);
		if (!failed)
			return n < 4;
		CHECK(rc == TP_ENOMEM, "allocation %d: %s", n, tp_code_name(rc));
	}
}

static int test_running_mean(void)
{
	float ema[] = { 1, 2 };
	const float w[] = { 3, -2 };
	tp_err err = { 0 };
	CHECK_OK(tp_ema_update(ema, w, 2, 0.75, 1, &err), err);
	CHECK(ema[0] == 1.5f && ema[1] == 1, "%g %g", (double)ema[0], (double)ema[1]);
	CHECK(tp_ema_decay(0.99, false, 0) == 0.99, "warmed up unasked");
	CHECK(tp_ema_decay(0.99, true, 0) == 0.1 && tp_ema_decay(0.99, true, 8) == 0.5, "the first updates");
	CHECK(tp_ema_decay(0.99, true, 10000) == 0.99, "never arrives");
	return 0;
}

int main(void)
{
	return RUN(T(test_like_pytorch), T(test_threads_and_restarts_change_no_bit),
		T(test_what_is_not_finite_changes_nothing), T(test_bad_tables_and_options),
		T(test_survives_failed_allocations), T(test_running_mean));
}
