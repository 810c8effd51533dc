/* Losses: against PyTorch (tests/golden/gen_loss.py), their gradients by differences, and what the papers say. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "t.h"
#include "train/loss.h"

typedef struct {
	int n, classes, mixed, shift;
	double smoothing, tau, beta, loss;
} golden;
_Static_assert(sizeof(golden) == 48, "as gen_loss.py packs it");
enum { MOST_ROWS = 16, MOST_CLASSES = 512, MOST = MOST_ROWS * 300 };

typedef struct {
	golden g;
	int32_t counts[MOST_CLASSES];
	int a[MOST_ROWS], b[MOST_ROWS];
	float logits[MOST], share[MOST_ROWS], shift[MOST_CLASSES], weights[MOST_CLASSES];
	double gradient[MOST];
} example;

static const uint8_t *take(void *to, const uint8_t *p, size_t n)
{
	memcpy(to, p, n);
	return p + n;
}

static const uint8_t *read_example(example *e, const uint8_t *p)
{
	size_t n, classes, counts[MOST_CLASSES];
	p = take(&e->g, p, sizeof e->g);
	n = (size_t)e->g.n;
	classes = (size_t)e->g.classes;
	p = take(e->counts, p, classes * 4);
	p = take(e->logits, p, n * classes * 4);
	p = take(e->a, p, n * 4);
	p = take(e->b, p, n * 4);
	p = take(e->share, p, n * 4);
	for (size_t c = 0; c < classes; c++)
		counts[c] = (size_t)e->counts[c];
	tp_loss_prior_shift(e->shift, counts, e->g.classes, e->g.tau);
	if (e->g.beta >= 0)
		tp_loss_balanced_weights(e->weights, counts, e->g.classes, e->g.beta);
	return take(e->gradient, p, n * classes * 8);
}

static tp_code loss_of(double *mean, float *gradient, const example *e, int threads, tp_err *err)
{
	double rows[MOST_ROWS];
	tp_targets y = { e->a, e->g.mixed ? e->b : NULL, e->g.mixed ? e->share : NULL };
	tp_loss_opts o = { e->g.smoothing, e->g.shift ? e->shift : NULL, e->g.beta >= 0 ? e->weights : NULL,
		threads };
	return tp_loss_softmax(mean, rows, gradient, e->logits, (size_t)e->g.n, e->g.classes, &y, &o, err);
}

static int one_golden(example *e)
{
	static float gradient[MOST], again[MOST];
	size_t all = (size_t)e->g.n * (size_t)e->g.classes;
	double mean, mean2;
	tp_err err = { 0 };
	CHECK_OK(loss_of(&mean, gradient, e, 1, &err), err);
	CHECK(fabs(mean - e->g.loss) <= 1e-6 * fmax(1, e->g.loss), "loss %.9g, not %.9g", mean, e->g.loss);
	for (size_t i = 0; i < all; i++)
		CHECK(fabs((double)gradient[i] - e->gradient[i]) < 1e-6, "gradient %zu: %.9g, not %.9g", i,
			(double)gradient[i], e->gradient[i]);
	CHECK_OK(loss_of(&mean2, again, e, 4, &err), err);
	CHECK(mean == mean2 && !memcmp(gradient, again, all * sizeof *again), "four threads disagree");
	memcpy(again, e->logits, all * sizeof *again);
	CHECK_OK(loss_of(&mean, e->logits, e, 1, &err), err);
	CHECK(mean == mean2 && !memcmp(gradient, e->logits, all * sizeof *again), "in place is different");
	memcpy(e->logits, again, all * sizeof *again);
	return 0;
}

static int by_differences(example *e)
{
	static float gradient[MOST], unused[MOST];
	double mean, up, down;
	tp_err err = { 0 };
	CHECK_OK(loss_of(&mean, gradient, e, 1, &err), err);
	for (size_t i = 0; i < (size_t)e->g.n * (size_t)e->g.classes; i++) {
		float was = e->logits[i], high = was + 0.01f, low = was - 0.01f;
		e->logits[i] = high;
		CHECK_OK(loss_of(&up, unused, e, 1, &err), err);
		e->logits[i] = low;
		CHECK_OK(loss_of(&down, unused, e, 1, &err), err);
		e->logits[i] = was;
		double slope = (up - down) / (double)(high - low);
		CHECK(fabs(slope - (double)gradient[i]) < 5e-5, "gradient %zu: %g, by differences %g", i,
			(double)gradient[i], slope);
	}
	return 0;
}

static int each_example(int (*check)(example *), int classes_most)
{
	static example e;
	tp_map m = { 0 };
	tp_err err = { 0 };
	int cases = 0;
	CHECK_OK(tp_map_open(&m, TP_TESTS_DIR "/golden/loss.bin", &err), err);
	for (const uint8_t *p = m.ptr; p < m.ptr + m.len; cases++) {
		p = read_example(&e, p);
		CHECK(e.g.classes > classes_most || !check(&e), "case %d", cases);
	}
	tp_map_close(&m);
	CHECK(cases == 12, "%d cases", cases);
	return 0;
}

static int test_like_pytorch(void)
{
	return each_example(one_golden, MOST_CLASSES);
}

static int test_gradient_is_the_slope(void)
{
	return each_example(by_differences, 20); /* logits of a thousand have no slope a float could show */
}

/* Balanced softmax: equal logits give the prior. Logit adjustment, tau 1, is the same thing. */
static int test_shift_is_the_prior(void)
{
	const size_t count[] = { 90, 9, 0, 0 };
	float shift[4];
	tp_loss_prior_shift(shift, count, 4, 1);
	CHECK(fabs((double)shift[0] - log(90.0 / 101)) < 1e-7, "%g", (double)shift[0]);
	CHECK(fabs((double)shift[3] - log(1.0 / 101)) < 1e-6, "an unseen class: %g", (double)shift[3]);
	tp_loss_prior_shift(shift, count, 4, 0);
	CHECK(shift[0] == 0 && shift[3] == 0, "tau 0 shifts");
	return 0;
}

static int test_balanced_weights(void)
{
	const size_t count[] = { 1, 10, 100000, 0 };
	float w[4];
	tp_loss_balanced_weights(w, count, 4, 0);
	for (int c = 0; c < 4; c++)
		CHECK(w[c] == 1, "beta 0: weight %g", (double)w[c]);
	tp_loss_balanced_weights(w, count, 4, 0.999);
	CHECK(fabs((double)w[0] + (double)w[1] + (double)w[2] + (double)w[3] - 4) < 1e-6, "mean is not 1");
	CHECK(fabs((double)(w[0] / w[2]) - 1000) < 1e-2, "the effective number is at most 1000: %g",
		(double)(w[0] / w[2]));
	tp_loss_balanced_weights(w, count, 4, 1 - 1e-12);
	CHECK(fabs((double)(w[0] / w[1]) - 10) < 1e-4, "towards inverse frequency: %g",
		(double)(w[0] / w[1]));
	return 0;
}

static int test_bad_targets(void)
{
	float z[] = { 0, 0, 0, 0 }, g[4], share[] = { 0.5f, 1.5f };
	int a[] = { 0, 2 }, b[] = { 1, -1 }, good[] = { 0, 1 };
	double mean, rows[2];
	tp_loss_opts o = TP_LOSS_OPTS_INIT;
	tp_err err = { 0 };
	tp_targets y = { a, NULL, NULL };
	CHECK(tp_loss_softmax(&mean, rows, g, z, 2, 2, &y, &o, &err) == TP_EINVAL, "class 2 of 2");
	CHECK_STR(err.msg, "row 1 is of class 2 of 2");
	y = (tp_targets){ good, b, share };
	CHECK(tp_loss_softmax(&mean, rows, g, z, 2, 2, &y, &o, &err) == TP_EINVAL, "class -1");
	y = (tp_targets){ good, good, share };
	CHECK(tp_loss_softmax(&mean, rows, g, z, 2, 2, &y, &o, &err) == TP_EINVAL && strstr(err.msg, "1.5"),
		"%s", err.msg);
	y = (tp_targets){ good, NULL, NULL };
	z[1] = NAN;
	CHECK_OK(tp_loss_softmax(&mean, rows, g, z, 2, 2, &y, &o, &err), err);
	CHECK(isnan(mean) && isnan(rows[0]) && fabs(rows[1] - log(2)) < 1e-7, "%g %g %g", mean, rows[0],
		rows[1]);
	o.smoothing = 1;
	CHECK(tp_loss_softmax(&mean, rows, g, z, 2, 2, &y, &o, &err) == TP_EINVAL, "smoothing 1");
	return 0;
}

int main(void)
{
	return RUN(T(test_like_pytorch), T(test_gradient_is_the_slope), T(test_shift_is_the_prior),
		T(test_balanced_weights), T(test_bad_targets));
}
