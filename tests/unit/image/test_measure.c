/* Measures of drawn pictures whose values are known, and hashes of copies. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "image/measure.h"
#include "t.h"

static tp_image *blank(int w, int h, uint8_t r, uint8_t g, uint8_t b)
{
	tp_image *img = NULL;
	if (tp_image_new(&img, w, h, NULL))
		abort();
	for (size_t i = 0; i < (size_t)w * (size_t)h; i++)
		img->px[3 * i] = r, img->px[3 * i + 1] = g, img->px[3 * i + 2] = b;
	return img;
}

static void dot(tp_image *img, int x, int y, uint8_t v)
{
	if (x >= 0 && y >= 0 && x < img->w && y < img->h)
		memset(img->px + ((size_t)y * (size_t)img->w + (size_t)x) * 3, v, 3);
}

/* Soft blobs, as a photo has them: every frequency in it. */
static tp_image *scene(int w, int h, uint64_t seed)
{
	tp_image *img = blank(w, h, 0, 0, 0);
	double at[12][4];
	tp_rng r = tp_rng_seed(seed);
	for (int k = 0; k < 12; k++) {
		at[k][0] = tp_rng_unit(&r), at[k][1] = tp_rng_unit(&r);
		at[k][2] = 0.05 + 0.2 * tp_rng_unit(&r), at[k][3] = 200 * tp_rng_unit(&r) - 100;
	}
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++) {
			double v = 128;
			for (int k = 0; k < 12; k++) {
				double dx = (x + 0.5) / w - at[k][0], dy = (y + 0.5) / h - at[k][1];
				v += at[k][3] * exp(-(dx * dx + dy * dy) / (at[k][2] * at[k][2]));
			}
			dot(img, x, y, (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v));
		}
	return img;
}

static tp_measures of(tp_image *img)
{
	tp_measures m = { 0 };
	if (tp_measure_image(&m, img, NULL))
		abort();
	tp_image_free(img);
	return m;
}

static bool near(double a, double b, double tol)
{
	return fabs(a - b) <= tol;
}

static int test_one_colour(void)
{
	static const int sizes[][2] = { { 300, 400 }, { 1, 1 }, { 2, 700 }, { 1100, 17 }, { 33, 31 } };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		tp_measures m = of(blank(sizes[i][0], sizes[i][1], 90, 90, 90));
		CHECK(m.w == sizes[i][0] && m.h == sizes[i][1], "%d x %d", m.w, m.h);
		CHECK(near(m.brightness, 90, 0) && near(m.contrast, 0, 0.01) && near(m.sharpness, 0, 0),
			"size %zu: %g %g %g", i, m.brightness, m.contrast, m.sharpness);
		CHECK(near(m.colour, 0, 0) && m.flat == 1 && m.paper == 0 && m.text == 0 && m.hash == 0,
			"size %zu: colour %g, flat %g", i, m.colour, m.flat);
	}
	tp_measures m = of(blank(100, 50, 200, 100, 0));
	/* rg = 100, yb = 150: no deviation, 0.3 of the length of the mean */
	CHECK(near(m.colour, 0.3 * sqrt(100.0 * 100 + 150 * 150), 1e-3), "colour %g", m.colour);
	CHECK(near(m.brightness, (77 * 200 + 150 * 100 + 128) / 256, 0), "brightness %g", m.brightness);
	CHECK(near(m.aspect, 2, 0), "aspect %g", m.aspect);
	return 0;
}

static int test_halves(void)
{
	tp_image *img = blank(256, 256, 0, 0, 0);
	for (int y = 0; y < 256; y++)
		for (int x = 128; x < 256; x++)
			dot(img, x, y, 200);
	tp_measures m = of(img);
	CHECK(near(m.brightness, 100, 1e-3) && near(m.contrast, 100, 1e-3), "%g %g", m.brightness,
		m.contrast);
	CHECK(near(m.paper, 0.5, 0.02) && m.flat == 1 && m.text == 0, "%g %g", m.paper, m.flat);
	/* the step: two of 32 columns of 8 + 8 tiles beside it; the 8 sharpest hold one column of 200^2 */
	CHECK(near(m.sharpness, 200 / sqrt(32), 1e-3), "sharpness %g", m.sharpness);
	return 0;
}

/* 64 pixels of a checkerboard have a Laplacian of 4 times the step. */
static int test_sharpness_of_a_board(void)
{
	tp_image *img = blank(64, 64, 0, 0, 0);
	for (int y = 0; y < 64; y++)
		for (int x = 0; x < 64; x++)
			dot(img, x, y, (x + y) % 2 ? 60 : 50);
	tp_measures m = of(img);
	CHECK(near(m.sharpness, 40, 1e-3) && m.flat == 0, "sharpness %g, flat %g", m.sharpness, m.flat);
	return 0;
}

static int test_text(void)
{
	tp_image *img = blank(320, 240, 230, 230, 230), *leaf = blank(320, 240, 230, 230, 230);
	for (int y = 0; y < 240; y++)
		for (int x = 0; x < 320; x++) {
			if (y % 16 < 8 && x % 12 < 3)
				dot(img, x, y, 30);
			if ((x - 160) * (x - 160) + (y - 120) * (y - 120) < 80 * 80 || x % 40 == 0)
				dot(leaf, x, y, x % 40 ? 80 : 200);
		}
	tp_measures page = of(img), plant = of(leaf);
	CHECK(near(page.text, 0.5, 0.01) && near(page.paper, 7.0 / 8, 0.15), "text %g, paper %g", page.text,
		page.paper);
	CHECK(plant.text == 0 && plant.paper > 0.5, "text %g, paper %g", plant.text, plant.paper);
	return 0;
}

static tp_image *turned(const tp_image *src, tp_turn t)
{
	bool lies = t >= TP_TURN_TRANSPOSE;
	int w = lies ? src->h : src->w, h = lies ? src->w : src->h;
	tp_image *img = blank(w, h, 0, 0, 0);
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++) {
			int u = lies ? y : x, v = lies ? x : y;
			bool back_x = t == TP_TURN_MIRROR || t == TP_TURN_HALF || t == TP_TURN_ANTI ||
				      t == TP_TURN_LEFT;
			bool back_y = t == TP_TURN_FLIP || t == TP_TURN_HALF || t == TP_TURN_ANTI ||
				      t == TP_TURN_RIGHT;
			u = back_x ? src->w - 1 - u : u;
			v = back_y ? src->h - 1 - v : v;
			memcpy(img->px + ((size_t)y * (size_t)w + (size_t)x) * 3,
				src->px + ((size_t)v * (size_t)src->w + (size_t)u) * 3, 3);
		}
	return img;
}

static int test_hashes_of_turned_pictures(void)
{
	static const int sizes[][2] = { { 256, 320 }, { 97, 131 } };
	for (uint64_t seed = 1; seed <= 10; seed++)
		for (int t = 0; t < TP_TURNS; t++) {
			tp_image *img = scene(sizes[seed % 2][0], sizes[seed % 2][1], seed);
			tp_measures turn = of(turned(img, (tp_turn)t)), plain = of(img);
			int d = __builtin_popcountll(turn.hash ^ tp_hash_turn(plain.hash, (tp_turn)t));
			/* odd sides have a middle pixel that one of two cells gets */
			CHECK(d <= (seed % 2 ? 3 : 0), "seed %d, turn %d: %d bits", (int)seed, t, d);
			CHECK(!t || __builtin_popcountll(turn.hash ^ plain.hash) > 8,
				"turn %d changes nothing", t);
		}
	return 0;
}

static int test_copies_are_near_and_others_are_not(void)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		tp_image *img = scene(600, 800, seed), *half = NULL;
		tp_buf jpeg;
		tp_measures a, b, c, d;
		CHECK(!tp_image_resize(&half, img, 300, 400, TP_BILINEAR, NULL, NULL), "resize");
		tp_buf_init(&jpeg, 1 << 20);
		CHECK(!tp_image_encode_jpeg(&jpeg, img, 50, NULL), "encode");
		CHECK(!tp_measure_photo(&c, jpeg.ptr, jpeg.len, NULL), "measure");
		tp_buf_dispose(&jpeg);
		a = of(img), b = of(half), d = of(scene(600, 800, seed + 100));
		CHECK(c.w == 600 && c.h == 800 && near(c.brightness, a.brightness, 1.5), "%d x %d", c.w, c.h);
		CHECK(__builtin_popcountll(a.hash ^ b.hash) <= 1, "half the size");
		CHECK(__builtin_popcountll(a.hash ^ c.hash) <= 2, "quality 50");
		CHECK(__builtin_popcountll(a.hash ^ d.hash) > 10, "another picture");
	}
	return 0;
}

/* Luma as a JPEG holds it and luma of decoded pixels: the same but for rounding and for colours between pixels. */
static int test_two_ways_to_measure_a_jpeg(void)
{
	static const int sizes[][2] = { { 300, 280 }, { 257, 411 }, { 1100, 1300 }, { 17, 3000 }, { 5, 7 },
		{ 1, 1 }, { 2300, 700 } };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		tp_image *img = scene(sizes[i][0], sizes[i][1], i + 1);
		tp_buf jpeg;
		tp_measures a, b;
		for (int k = 0; k < img->w * img->h; k++) { /* some colour */
			img->px[3 * k] = (uint8_t)(img->px[3 * k] / 2 + 60);
			img->px[3 * k + 2] = (uint8_t)(255 - img->px[3 * k + 2]);
		}
		tp_buf_init(&jpeg, 1 << 22);
		CHECK(!tp_image_encode_jpeg(&jpeg, img, 90, NULL), "encode");
		CHECK(!tp_measure_photo(&a, jpeg.ptr, jpeg.len, NULL), "planes");
		CHECK(!tp_measure_decoded(&b, jpeg.ptr, jpeg.len, NULL), "pixels");
		CHECK(a.w == b.w && a.h == b.h && a.w == sizes[i][0] && a.h == sizes[i][1] &&
				a.aspect == b.aspect,
			"%d x %d, %d x %d", a.w, a.h, b.w, b.h);
		CHECK(near(a.brightness, b.brightness, 0.7) && near(a.contrast, b.contrast, 0.7),
			"%g %g, %g %g", a.brightness, b.brightness, a.contrast, b.contrast);
		CHECK(near(a.sharpness, b.sharpness, 0.5 + 0.05 * b.sharpness), "%g %g", a.sharpness,
			b.sharpness);
		CHECK(a.w < 32 || /* one pixel of the grid, between two values of colour */
				(near(a.colour, b.colour, 2) && near(a.saturation, b.saturation, 0.02) &&
					near(a.entropy, b.entropy, 0.1) && near(a.paper, b.paper, 0.03) &&
					near(a.flat, b.flat, 0.15) && near(a.text, b.text, 0.02)),
			"%zu: %g %g, %g %g, %g %g, %g %g", i, a.colour, b.colour, a.saturation, b.saturation,
			a.entropy, b.entropy, a.flat, b.flat);
		CHECK(__builtin_popcountll(a.hash ^ b.hash) <= 2 || a.w < 32, "%zu: %d bits", i,
			__builtin_popcountll(a.hash ^ b.hash));
		/* cut off, they are refused in the same words */
		for (size_t cut = jpeg.len / 3; cut < jpeg.len - 2; cut += jpeg.len / 3) {
			tp_err x = { 0 }, y = { 0 };
			tp_code p = tp_measure_photo(&a, jpeg.ptr, cut, &x),
				q = tp_measure_decoded(&b, jpeg.ptr, cut, &y);
			CHECK(p == q && !strcmp(x.msg, y.msg), "%s, %s", x.msg, y.msg);
		}
		tp_buf_dispose(&jpeg);
		tp_image_free(img);
	}
	return 0;
}

/* Values of a picture that can be told without the program. */
static int test_saturation_and_entropy(void)
{
	tp_measures m = of(blank(120, 120, 200, 100, 50));
	CHECK(near(m.saturation, 0.75, 1e-6) && near(m.entropy, 0, 1e-6), "%g %g", m.saturation, m.entropy);
	tp_image *img = blank(96, 96, 0, 0, 0);
	for (int y = 0; y < 96; y++)
		for (int x = 0; x < 96; x++)
			dot(img, x, y,
				(uint8_t)(x / 6 *
					  10)); /* each of the grid's 16 columns has a luma of its own */
	m = of(img);
	CHECK(near(m.saturation, 0, 0) && near(m.entropy, 4, 1e-4), "%g %g", m.saturation, m.entropy);
	return 0;
}

static int test_every_failed_allocation_is_reported(void)
{
	tp_image *img = scene(600, 520, 1);
	for (int n = 1;; n++) {
		tp_measures m;
		long before = tp_mem_live();
		tp_mem_fail_at(n);
		tp_code rc = tp_measure_image(&m, img, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == before, "allocation %d leaks", n);
		if (!failed) {
			tp_image_free(img);
			return rc ? 1 : 0;
		}
		CHECK(rc == TP_ENOMEM, "allocation %d: code %d", n, rc);
	}
}

int main(void)
{
	return RUN(T(test_one_colour), T(test_halves), T(test_sharpness_of_a_board), T(test_text),
		T(test_hashes_of_turned_pictures), T(test_copies_are_near_and_others_are_not),
		T(test_two_ways_to_measure_a_jpeg), T(test_saturation_and_entropy),
		T(test_every_failed_allocation_is_reported));
}
