/* Learning rates against PyTorch's schedulers (tests/golden/gen_schedule.py); early stopping as a state machine. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "t.h"
#include "train/early_stop.h"
#include "train/schedule.h"

static int one_case(FILE *f, int kind, int total, int epoch)
{
	tp_lr_opts o = TP_LR_OPTS_INIT;
	tp_err err = { 0 };
	double want;
	o.kind = kind == 0 ? TP_LR_CONSTANT : kind == 1 ? TP_LR_COSINE : TP_LR_STEP;
	o.lr = 0.4;
	o.n_drops = kind == 2 ? 2 : 0;
	CHECK(fscanf(f, "%lf%lf%lf%lf%lf%lf", &o.warmup_epochs, &o.warmup_from, &o.floor, &o.factor,
		      &o.drop[0], &o.drop[1]) == 6,
		"cut off");
	CHECK_OK(tp_lr_check(&o, (uint64_t)total, (uint64_t)epoch, &err), err);
	for (int s = 0; s < total; s++) {
		double got = tp_lr_at(&o, (uint64_t)s, (uint64_t)total, (uint64_t)epoch);
		CHECK(fscanf(f, "%lf", &want) == 1, "cut off at step %d", s);
		CHECK(fabs(got - want) <= 1e-10, "step %d: %.12g, not %.12g", s, got, want);
	}
	double after = tp_lr_at(&o, (uint64_t)total + 5, (uint64_t)total, (uint64_t)epoch);
	CHECK(kind != 1 || after == o.floor, "after the end %g", after);
	return 0;
}

static int test_like_pytorch(void)
{
	FILE *f = fopen(TP_TESTS_DIR "/golden/schedule.txt", "r");
	int cases = 0, kind, total, epoch;
	CHECK(f, "no schedule.txt");
	for (; fscanf(f, "%d%d%d", &kind, &total, &epoch) == 3; cases++)
		CHECK(!one_case(f, kind, total, epoch), "case %d", cases);
	fclose(f);
	CHECK(cases == 6, "%d cases", cases);
	return 0;
}

static int test_bad_schedules(void)
{
	tp_lr_opts ok = TP_LR_OPTS_INIT, o = ok;
	tp_err err = { 0 };
	CHECK_OK(tp_lr_check(&ok, 100, 10, &err), err);
	o.warmup_epochs = 11;
	CHECK(tp_lr_check(&o, 100, 10, &err) == TP_EINVAL && strstr(err.msg, "11 epochs"), "%s", err.msg);
	o = ok;
	o.lr = NAN;
	CHECK(tp_lr_check(&o, 100, 10, &err) == TP_EINVAL, "a rate of nan");
	o = ok;
	o.floor = 1;
	CHECK(tp_lr_check(&o, 100, 10, &err) == TP_EINVAL, "a floor above the rate");
	o = ok;
	o.n_drops = TP_LR_DROPS + 1;
	CHECK(tp_lr_check(&o, 100, 10, &err) == TP_EINVAL, "too many drops");
	o = ok;
	o.warmup_epochs = 10; /* nothing but warm-up: no division by the steps that are left */
	CHECK_OK(tp_lr_check(&o, 100, 10, &err), err);
	CHECK(isfinite(tp_lr_at(&o, 100, 100, 10)), "after the warm-up");
	return 0;
}

/* One letter a value: b better, w wait, n now. */
static int follow(const tp_stop_opts *o, const double *v, const char *want)
{
	tp_stop s = TP_STOP_INIT;
	for (int i = 0; want[i]; i++) {
		char got = "bwn"[tp_stop_next(&s, o, v[i])];
		CHECK(got == want[i], "value %d of %s, %g: %c, not %c", i, o->metric, v[i], got, want[i]);
	}
	return 0;
}

static int test_early_stop(void)
{
	tp_stop_opts o = TP_STOP_OPTS_INIT;
	tp_err err = { 0 };
	o.patience = 2;
	CHECK_OK(tp_stop_check(&o, &err), err);
	int bad = follow(&o, (const double[]){ .5, .6, .6, .7, .1, .7 }, "bbwbwn");
	bad += follow(&o, (const double[]){ NAN, .1, NAN, NAN }, "wbwn");
	bad += follow(&o, (const double[]){ NAN, NAN }, "wn");
	o.min_delta = 0.1;
	bad += follow(&o, (const double[]){ .5, .55, .65, .7, .74 }, "bwbwn");
	o.patience = 0;
	bad += follow(&o, (const double[]){ .5, .4, .3, .2, .1 }, "bwwww");
	o = (tp_stop_opts){ "loss", 1, 0 };
	bad += follow(&o, (const double[]){ 2, 1, 0.5, 0.6 }, "bbbn");
	CHECK(!bad, "%d sequences", bad);
	o.metric = "accuracy";
	CHECK(tp_stop_check(&o, &err) == TP_EINVAL && strstr(err.msg, "accuracy"), "%s", err.msg);
	return 0;
}

int main(void)
{
	return RUN(T(test_like_pytorch), T(test_bad_schedules), T(test_early_stop));
}
