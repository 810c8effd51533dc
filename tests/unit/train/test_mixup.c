/* Mixup, cutmix, random erasing: what is mixed adds up, what is drawn has the right moments, what is left stays. */
#include <math.h>
#include <string.h>

#include "t.h"
#include "train/mixup.h"

enum { N = 5, C = 3, H = 12, W = 10, PLANE = H * W, SAMPLE = C * PLANE };
static const int classes[N] = { 4, 7, 4, 1, 9 };

static float value(int i, int k)
{
	return (float)(i * 1000 + k); /* tells where a pixel came from */
}

static void fill(float *x)
{
	for (int i = 0; i < N; i++)
		for (int k = 0; k < SAMPLE; k++)
			x[i * SAMPLE + k] = value(i, k);
}

static int check_targets(const int *other, const float *weight)
{
	for (int i = 0; i < N; i++) {
		CHECK(other[i] == classes[N - 1 - i], "sample %d with class %d", i, other[i]);
		CHECK(weight[i] >= 0 && weight[i] <= 1, "weight %g", (double)weight[i]);
		CHECK(i == N / 2 ? weight[i] == 1 : weight[i] == weight[0], "weight %d: %g", i,
			(double)weight[i]);
	}
	return 0;
}

static int test_mixup_is_the_weighted_sum(void)
{
	float x[N * SAMPLE], again[N * SAMPLE], weight[N];
	int other[N];
	tp_mix_opts o = TP_MIX_OPTS_INIT;
	o.mixup = 0.4;
	for (uint64_t step = 0; step < 20; step++) {
		fill(x);
		fill(again);
		CHECK(tp_mix(x, N, C, H, W, classes, other, weight, &o, 1, step) == TP_MIX_MIXUP,
			"not mixed");
		CHECK(!check_targets(other, weight), "step %d", (int)step);
		for (int i = 0; i < N; i++)
			for (int k = 0; k < SAMPLE; k++) {
				double share = (double)weight[i];
				double want = share * (double)value(i, k) +
					      (1 - share) * (double)value(N - 1 - i, k);
				CHECK(fabs((double)x[i * SAMPLE + k] - want) < 2e-3,
					"sample %d at %d: %g, not %g", i, k, (double)x[i * SAMPLE + k], want);
			}
		(void)tp_mix(again, N, C, H, W, classes, other, weight, &o, 1, step);
		CHECK(!memcmp(x, again, sizeof x), "the same step mixes differently");
	}
	return 0;
}

/* Every pixel is the sample's own or its partner's, the same pixels in each channel, as many as the weight says, and they
 * fill a rectangle. */
static int one_cut(const float *x, int i, double weight)
{
	int top = H, bottom = -1, left = W, right = -1, swapped = 0;
	for (int k = 0; k < SAMPLE; k++) {
		bool own = x[i * SAMPLE + k] == value(i, k),
		     first = x[i * SAMPLE + k % PLANE] == value(i, k % PLANE);
		int row = k % PLANE / W, column = k % W;
		CHECK(own || x[i * SAMPLE + k] == value(N - 1 - i, k), "pixel %d is of neither", k);
		CHECK(own == first, "channels are cut differently at %d", k);
		if (own || k >= PLANE)
			continue;
		swapped++;
		top = row < top ? row : top;
		bottom = row > bottom ? row : bottom;
		left = column < left ? column : left;
		right = column > right ? column : right;
	}
	CHECK(swapped == 0 || swapped == (bottom - top + 1) * (right - left + 1),
		"%d pixels in rows %d to %d, "
		"columns %d to %d",
		swapped, top, bottom, left, right);
	CHECK(fabs(weight - (1 - swapped / (double)PLANE)) < 1e-6, "weight %g, %d swapped", weight, swapped);
	return 0;
}

static int test_cutmix_swaps_a_rectangle(void)
{
	float x[N * SAMPLE], weight[N];
	int other[N], cut = 0;
	tp_mix_opts o = TP_MIX_OPTS_INIT;
	o.cutmix = 1;
	for (uint64_t step = 0; step < 200; step++) {
		fill(x);
		CHECK(tp_mix(x, N, C, H, W, classes, other, weight, &o, 2, step) == TP_MIX_CUTMIX, "not cut");
		CHECK(!check_targets(other, weight), "step %d", (int)step);
		for (int i = 0; i < N; i++)
			CHECK(i == N - 1 - i || !one_cut(x, i, (double)weight[i]), "step %d", (int)step);
		cut += weight[0] < 0.7f;
	}
	CHECK(cut > 50 && cut < 150, "%d of 200 were cut by 30 %% or more", cut);
	return 0;
}

static int test_chances(void)
{
	float x[2 * SAMPLE] = { 0 }, weight[2];
	int other[2], kinds[3] = { 0 };
	double sum = 0, squares = 0;
	tp_mix_opts o = TP_MIX_OPTS_INIT;
	o.mixup = 0.4;
	o.cutmix = 1;
	o.chance = 0.8;
	o.cutmix_share = 0.25;
	for (uint64_t step = 0; step < 4000; step++) {
		tp_mix_kind kind = tp_mix(x, 2, C, H, W, classes, other, weight, &o, 3, step);
		kinds[kind]++;
		sum += kind == TP_MIX_MIXUP ? (double)weight[0] : 0;
		squares += kind == TP_MIX_MIXUP ? (double)weight[0] * (double)weight[0] : 0;
		CHECK(kind != TP_MIX_NONE || (weight[0] == 1 && weight[1] == 1), "unmixed weight");
	}
	CHECK(abs(kinds[TP_MIX_NONE] - 800) < 125 && abs(kinds[TP_MIX_CUTMIX] - 800) < 125,
		"%d unmixed, %d cut", kinds[TP_MIX_NONE], kinds[TP_MIX_CUTMIX]);
	double n = kinds[TP_MIX_MIXUP], mean = sum / n, var = squares / n - mean * mean;
	CHECK(fabs(mean - 0.5) < 0.035, "mean of the shares %g", mean); /* five standard errors */
	CHECK(fabs(var - 1 / (4 * (2 * 0.4 + 1))) < 0.012, "variance of the shares %g", var);
	return 0;
}

/* Rows and columns of what was overwritten in an H x W x 3 tensor of ones. */
static int erased(int *height, int *width, const float *x, float fill0)
{
	int rows[H] = { 0 }, count = 0, h = 0;
	for (int k = 0; k < PLANE; k++) {
		bool gone = x[k] != 1;
		CHECK(gone == (x[PLANE + k] != 1) && gone == (x[2 * PLANE + k] != 1), "channels differ at %d",
			k);
		CHECK(!gone || isnan(fill0) || x[k] == fill0, "filled with %g", (double)x[k]);
		rows[k / W] += gone;
		count += gone;
	}
	for (int i = 0; i < H; i++)
		h += rows[i] > 0;
	*height = h;
	*width = h ? count / h : 0;
	CHECK(count == *height * *width, "%d pixels in %d rows", count, h);
	return 0;
}

static int test_erasing(void)
{
	static float x[SAMPLE], again[SAMPLE];
	int hit = 0;
	tp_erase_opts o = TP_ERASE_OPTS_INIT;
	o.chance = 0.5;
	o.fill[0] = 0.25f;
	for (uint64_t i = 0; i < 2000; i++) {
		int height, width;
		for (int k = 0; k < SAMPLE; k++)
			x[k] = again[k] = 1;
		o.noise = i % 2;
		bool did = tp_erase(x, H, W, &o, 4, i / 50, i % 50);
		CHECK(did == tp_erase(again, H, W, &o, 4, i / 50, i % 50) && !memcmp(x, again, sizeof x),
			"sample %d is erased differently", (int)i);
		CHECK(!erased(&height, &width, x, o.noise ? NAN : 0.25f), "sample %d", (int)i);
		double area = height * width / (double)PLANE;
		CHECK(did == (height > 0), "says %d, erased %d rows", did, height);
		CHECK(!did || (area > 0.005 && area < 0.45), "erased %g",
			area); /* sides are rounded to pixels */
		hit += did;
	}
	CHECK(abs(hit - 1000) < 112, "%d of 2000 erased", hit); /* five standard deviations */
	return 0;
}

static int test_bad_options(void)
{
	tp_mix_opts m = TP_MIX_OPTS_INIT;
	tp_erase_opts e = TP_ERASE_OPTS_INIT;
	tp_err err = { 0 };
	CHECK_OK(tp_mix_check(&m, &err), err);
	CHECK_OK(tp_erase_check(&e, &err), err);
	m.mixup = -1;
	CHECK(tp_mix_check(&m, &err) == TP_EINVAL && strstr(err.msg, "alpha"), "%s", err.msg);
	m = (tp_mix_opts)TP_MIX_OPTS_INIT;
	m.chance = NAN;
	CHECK(tp_mix_check(&m, &err) == TP_EINVAL, "a chance of nan");
	e.area_min = 0.5;
	CHECK(tp_erase_check(&e, &err) == TP_EINVAL && strstr(err.msg, "0.5"), "%s", err.msg);
	e = (tp_erase_opts)TP_ERASE_OPTS_INIT;
	e.aspect_min = 0;
	CHECK(tp_erase_check(&e, &err) == TP_EINVAL, "aspect 0");
	return 0;
}

int main(void)
{
	return RUN(T(test_mixup_is_the_weighted_sum), T(test_cutmix_swaps_a_rectangle), T(test_chances),
		T(test_erasing), T(test_bad_options));
}
