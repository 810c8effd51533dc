/* The loops of this processor against the plain ones: every result has the same bits. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "image/pixels.h"
#include "t.h"

enum { W = 61, H = 61, MOST = W * 3 };

static const tp_pixel_loops *plain, *fast;
static tp_rng rng;

static bool both(void)
{
	plain = tp_pixels_find("c");
	fast = tp_pixels();
	rng = tp_rng_seed(20261124);
	return fast != plain;
}

/* Exactly as many bytes as are asked for, so that a sanitizer sees a read beyond them. Ends of the range are common. */
static uint8_t *noise(size_t n)
{
	uint8_t *p = tp_alloc(n);
	for (size_t i = 0; p && i < n; i++) {
		uint64_t r = tp_rng_u64(&rng);
		p[i] = (uint8_t)(r >> 8 & 3 ? r : r & 4 ? 255 : 0);
	}
	return p;
}

/* One of n weights of either sign, with which no sum leaves 32 bits. */
static int32_t weight(int n)
{
	int32_t most = (1 << 23) / n - 1;
	return (int32_t)tp_rng_below(&rng, 2 * (uint64_t)most + 1) - most;
}

/* Any weights over any inputs. */
static void draw_taps(tp_taps *t, int in, int most)
{
	for (int i = 0; i < t->len; i++) {
		t->n[i] = 1 + (int)tp_rng_below(&rng, (uint64_t)most);
		t->first[i] = (int)tp_rng_below(&rng, (uint64_t)(in - t->n[i] + 1));
		if (i % 7 == 0)
			t->first[i] =
				in - t->n[i]; /* the last pixels, where there is nothing to read behind */
		for (int j = 0; j < t->ksize; j++)
			t->k[i * t->ksize + j] = weight(most);
	}
	tp_taps_pair(t);
}

static int test_across(void)
{
	tp_scratch s = { 0 };
	tp_taps t;
	tp_err err = { 0 };
	uint8_t a[MOST], b[MOST];
	if (!both())
		return SKIP("plain loops are all there is");
	for (int round = 0; round < 400; round++) {
		int in = 1 + (int)tp_rng_below(&rng, 200), most = 1 + (int)tp_rng_below(&rng, (uint64_t)in);
		int rows = 1 + round % 2;
		uint8_t *px = noise((size_t)in * 3 * (size_t)rows);
		CHECK(px, "no memory");
		CHECK_OK(tp_taps_room(&t, &s, TP_BLOCK_TAPS_X, W, most, &err), err);
		draw_taps(&t, in, most);
		for (int y = 0; y < rows; y++) {
			const uint8_t *row = px + (size_t)y * (size_t)in * 3;
			plain->across(a, row, (size_t)(rows - y) * (size_t)in * 3, &t);
			fast->across(b, row, (size_t)(rows - y) * (size_t)in * 3, &t);
			CHECK(!memcmp(a, b, (size_t)W * 3), "round %d, %d of %d pixels a tap", round, most,
				in);
		}
		tp_free(px);
	}
	tp_scratch_dispose(&s);
	return 0;
}

static int test_down(void)
{
	uint8_t a[500], b[500];
	int32_t k[40];
	if (!both())
		return SKIP("plain loops are all there is");
	for (int round = 0; round < 200; round++) {
		int n = 1 + (int)tp_rng_below(&rng, 40);
		size_t width = 1 + (size_t)tp_rng_below(&rng, 500);
		uint8_t *px = noise(width * (size_t)n);
		CHECK(px, "no memory");
		for (int j = 0; j < n; j++)
			k[j] = weight(n);
		plain->down(a, px, width, width, k, n);
		fast->down(b, px, width, width, k, n);
		CHECK(!memcmp(a, b, width), "round %d: %zu samples, %d rows", round, width, n);
		tp_free(px);
	}
	return 0;
}

static int test_turned(void)
{
	uint8_t a[MOST], b[MOST];
	if (!both())
		return SKIP("plain loops are all there is");
	for (int round = 0; round < 400; round++) {
		int n = 2 + (int)tp_rng_below(&rng, W - 1);
		uint8_t *px = noise((size_t)n * (size_t)n * 3);
		CHECK(px, "no memory");
		/* from a little outside to a little outside, as tp_rotate() asks */
		int edge = n * 65536;
		int sx = (int)tp_rng_below(&rng, (uint64_t)edge) / 3 - edge / 6,
		    sy = (int)tp_rng_below(&rng, (uint64_t)edge);
		int co = 60000, si = (int)tp_rng_below(&rng, 20000) - 10000;
		plain->turned(a, px, n, sx, sy, co, si);
		fast->turned(b, px, n, sx, sy, co, si);
		CHECK(!memcmp(a, b, (size_t)n * 3), "round %d", round);
		tp_free(px);
	}
	return 0;
}

static int test_jitter(void)
{
	if (!both())
		return SKIP("plain loops are all there is");
	for (int round = 0; round < 60; round++) {
		tp_augment_params d = TP_AUGMENT_PARAMS_INIT;
		size_t n = (size_t)W * H * 3;
		tp_image a = { W, H, noise(n) }, b = { W, H, tp_alloc(n) };
		CHECK(a.px && b.px, "no memory");
		memcpy(b.px, a.px, n);
		d.brightness = (float)(0.5 + tp_rng_unit(&rng));
		d.contrast = (float)(0.5 + tp_rng_unit(&rng));
		d.saturation = (float)(0.5 + tp_rng_unit(&rng));
		d.hue = (float)(tp_rng_unit(&rng) - 0.5);
		for (uint64_t i = TP_JITTERS - 1; i > 0; i--) {
			uint64_t j = tp_rng_below(&rng, i + 1);
			uint8_t was = d.order[i];
			d.order[i] = d.order[j];
			d.order[j] = was;
		}
		plain->jitter(&a, &d);
		fast->jitter(&b, &d);
		CHECK(!memcmp(a.px, b.px, n), "round %d", round);
		tp_free(a.px);
		tp_free(b.px);
	}
	return 0;
}

static int test_planes(void)
{
	enum { N = 1001 };
	static float value[3][256], a[3][N], b[3][N];
	if (!both())
		return SKIP("plain loops are all there is");
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < 256; i++)
			value[c][i] = (float)tp_rng_normal(&rng);
	uint8_t *px = noise((size_t)N * 3);
	CHECK(px, "no memory");
	plain->planes(a[0], a[1], a[2], px, N, value);
	fast->planes(b[0], b[1], b[2], px, N, value);
	CHECK(!memcmp(a, b, sizeof a), "floats differ");
	CHECK(a[1][7] == value[1][px[22]], "not the value of the sample");
	tp_free(px);
	return 0;
}

int main(void)
{
	return RUN(T(test_across), T(test_down), T(test_turned), T(test_jitter), T(test_planes));
}
