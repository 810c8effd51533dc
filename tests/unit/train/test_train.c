/* The head's gradient and minimum, calibration, metrics. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "t.h"
#include "train/train.h"

enum { N = 60, D = 7, C = 3 };

/* Three overlapping clouds. */
static void draw(float *x, int *y)
{
	tp_rng r = tp_rng_seed(5);
	for (int i = 0; i < N; i++) {
		y[i] = i % C;
		for (int k = 0; k < D; k++)
			x[i * D + k] = (float)tp_rng_normal(&r) + (k == y[i] ? 1.5f : 0);
	}
}

static int test_gradient(void)
{
	float x[N * D], w[C * D], b[C], gw[C * D], gb[C], unused_w[C * D], unused_b[C];
	int y[N];
	draw(x, y);
	tp_rng r = tp_rng_seed(9);
	for (int i = 0; i < C * D; i++)
		w[i] = (float)tp_rng_normal(&r);
	for (int i = 0; i < C; i++)
		b[i] = (float)tp_rng_normal(&r);
	tp_samples s = { x, y, N, D, C };
	tp_head h = { .w = w, .b = b };
	tp_err err = { 0 };
	double loss, up, down;
	CHECK_OK(tp_head_loss(&loss, gw, gb, &h, &s, 2, 1, &err), err);
	for (int i = 0; i < C * D + C; i++) {
		float *v = i < C * D ? &w[i] : &b[i - C * D], old = *v;
		double got = (double)(i < C * D ? gw[i] : gb[i - C * D]);
		*v = old + 1e-2f;
		CHECK_OK(tp_head_loss(&up, unused_w, unused_b, &h, &s, 2, 1, &err), err);
		*v = old - 1e-2f;
		CHECK_OK(tp_head_loss(&down, unused_w, unused_b, &h, &s, 2, 1, &err), err);
		*v = old;
		CHECK(fabs(got - (up - down) / 2e-2) < 1e-3, "component %d: %g, by differences %g", i, got,
			(up - down) / 2e-2);
	}
	return 0;
}

static int test_converges(void)
{
	float x[N * D];
	int y[N];
	draw(x, y);
	tp_samples s = { x, y, N, D, C };
	tp_head a = { 0 }, b = { 0 };
	tp_err err = { 0 };
	CHECK_OK(tp_head_fit(&a, &s, 1, 1, &err), err);
	CHECK_OK(tp_head_fit(&b, &s, 1, 1, &err), err);
	CHECK(a.gradient <= tp_head_goal(a.loss), "gradient %g after %d steps", a.gradient, a.iterations);
	CHECK(!memcmp(a.w, b.w, sizeof(float) * C * D), "two runs differ");
	tp_head_free(&a);
	tp_head_free(&b);
	return 0;
}

/* Features that all point the same way, as pooled ReLUs do: the minimum is the same as without their mean, and it is
 * found. */
static int test_converges_far_from_the_origin(void)
{
	float x[N * D], far[N * D], z[N * C], z_far[N * C];
	int y[N];
	tp_head a = { 0 }, b = { 0 };
	tp_err err = { 0 };
	draw(x, y);
	for (int i = 0; i < N * D; i++)
		far[i] = x[i] + 50 + i % D;
	tp_samples near_by = { x, y, N, D, C }, far_off = { far, y, N, D, C };
	CHECK_OK(tp_head_fit(&a, &near_by, 1, 1, &err), err);
	CHECK_OK(tp_head_fit(&b, &far_off, 1, 1, &err), err);
	CHECK(b.iterations <= 2 * a.iterations + 5, "%d steps, %d at the origin", b.iterations, a.iterations);
	CHECK(fabs(a.loss - b.loss) < 1e-6, "loss %g, %g at the origin", b.loss, a.loss);
	CHECK_OK(tp_head_logits(z, &a, x, N, D, C, 1, &err), err);
	CHECK_OK(tp_head_logits(z_far, &b, far, N, D, C, 1, &err), err);
	for (int i = 0; i < N; i++) /* logits are equal but for what all classes share */
		for (int c = 1; c < C; c++) {
			float d = z[i * C + c] - z[i * C], d_far = z_far[i * C + c] - z_far[i * C];
			CHECK(fabsf(d - d_far) < 2e-3f, "photo %d: %g against %g", i, (double)d_far,
				(double)d);
		}
	tp_head_free(&a);
	tp_head_free(&b);
	return 0;
}

/* Labels drawn from softmax(z / 2): the fitted temperature is 2. */
static int test_temperature(void)
{
	enum { M = 20000 };
	static float z[M * C];
	static int y[M];
	tp_rng r = tp_rng_seed(3);
	for (int i = 0; i < M; i++) {
		double p[C], sum = 0;
		for (int c = 0; c < C; c++) {
			z[i * C + c] = (float)(4 * tp_rng_normal(&r));
			sum += p[c] = exp((double)z[i * C + c] / 2);
		}
		double u = tp_rng_unit(&r) * sum;
		for (y[i] = 0; y[i] < C - 1 && u > p[y[i]]; y[i]++)
			u -= p[y[i]];
	}
	double t = tp_fit_temperature(z, y, M, C);
	CHECK(fabs(t - 2) < 0.1, "temperature %g", t);
	return 0;
}

static int test_metrics(void)
{
	const float p[] = { .7f, .2f, .1f, .1f, .6f, .3f, .5f, .3f, .2f, .2f, .2f, .6f };
	const int y[] = { 0, 1, 1, 2 };
	const uint8_t allowed[] = { 0, 1, 1 };
	tp_metrics m;
	tp_measure(&m, p, y, 4, C, NULL);
	CHECK(fabs(m.top1 - 0.75) < 1e-12, "top-1 %g", m.top1);
	CHECK(fabs(m.macro_top1 - (1 + 0.5 + 1) / 3) < 1e-12, "macro %g", m.macro_top1);
	CHECK(fabs(m.low - 0.3006) < 1e-3 && fabs(m.high - 0.9544) < 1e-3, "%g to %g", m.low, m.high);
	tp_measure(&m, p + C, y + 1, 3, C, allowed); /* without class 0 the third is right too */
	CHECK(m.top1 == 1, "restricted top-1 %g", m.top1);
	return 0;
}

static int test_novelty(void)
{
	const float s[] = { .9f, .8f, .7f, .3f, .6f, .1f, .2f, .4f };
	const uint8_t known[] = { 1, 1, 1, 1, 0, 0, 0, 0 };
	double a = 0, b = 0;
	tp_fit_logistic(&a, &b, s, known, 8);
	CHECK(b > 0 && isfinite(a), "a %g b %g", a, b);
	CHECK(a + b * 0.9 > 0 && a + b * 0.1 < 0, "a %g b %g", a, b);
	return 0;
}

int main(void)
{
	return RUN(T(test_gradient), T(test_converges), T(test_converges_far_from_the_origin),
		T(test_temperature), T(test_metrics), T(test_novelty));
}
