/* Resize against Pillow's results (tests/golden/gen_resize.py) and against what must always be true. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/image.h"
#include "t.h"

typedef struct {
	int32_t filter, w, h;
	float box[4];
	int32_t new_w, new_h;
} golden;
_Static_assert(sizeof(golden) == 36, "as gen_resize.py packs it");

typedef struct {
	size_t exact, near, all;
} score;

static int one_case(const golden *g, const uint8_t *src_px, const uint8_t *want, score *s)
{
	tp_image *src = NULL, *got = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_image_new(&src, g->w, g->h, &err), err);
	memcpy(src->px, src_px, (size_t)g->w * (size_t)g->h * 3);
	tp_box box = { (double)g->box[0], (double)g->box[1], (double)g->box[2], (double)g->box[3] };
	CHECK_OK(tp_image_resize(
			 &got, src, g->new_w, g->new_h, g->filter ? TP_BICUBIC : TP_BILINEAR, &box, &err),
		err);
	size_t n = (size_t)g->new_w * (size_t)g->new_h * 3, far = 0;
	for (size_t i = 0; i < n; i++) {
		int d = abs(got->px[i] - want[i]);
		s->exact += d == 0;
		s->near += d <= 1;
		far += d > 1;
	}
	s->all += n;
	if (far)
		printf("%dx%d to %dx%d filter %d: %zu of %zu differ\n", g->w, g->h, g->new_w, g->new_h,
			g->filter, far, n);
	tp_image_free(src);
	tp_image_free(got);
	return 0;
}

static int test_like_pillow(void)
{
	tp_map m = { 0 };
	tp_err err = { 0 };
	score s = { 0 };
	int cases = 0;
	CHECK_OK(tp_map_open(&m, TP_TESTS_DIR "/golden/resize.bin", &err), err);
	for (size_t at = 0; at < m.len; cases++) {
		golden g;
		CHECK(m.len - at >= sizeof g, "cut off at %zu", at);
		memcpy(&g, m.ptr + at, sizeof g);
		at += sizeof g;
		size_t in = (size_t)g.w * (size_t)g.h * 3, out = (size_t)g.new_w * (size_t)g.new_h * 3;
		CHECK(m.len - at >= in + out, "cut off at %zu", at);
		CHECK(!one_case(&g, m.ptr + at, m.ptr + at + in, &s), "case %d", cases);
		at += in + out;
	}
	tp_map_close(&m);
	printf("%d cases: exact %.4f %%, within 1 %.4f %%\n", cases, 100.0 * (double)s.exact / (double)s.all,
		100.0 * (double)s.near / (double)s.all);
	CHECK(cases >= 20, "%d cases", cases);
	CHECK((double)s.near >= 0.999 * (double)s.all, "%zu of %zu", s.near, s.all);
	return 0;
}

static tp_image *drawn(int w, int h)
{
	tp_image *img = NULL;
	if (tp_image_new(&img, w, h, NULL))
		return NULL;
	for (size_t i = 0; i < (size_t)w * (size_t)h * 3; i++)
		img->px[i] = (uint8_t)((i * 2654435761u) >> 13);
	return img;
}

static int test_one_colour_stays(void)
{
	static const uint8_t levels[] = { 0, 1, 127, 254, 255 };
	for (size_t l = 0; l < sizeof levels; l++) {
		for (int size = 1; size < 90; size += 11) {
			tp_image *src = NULL, *got = NULL;
			tp_err err = { 0 };
			CHECK_OK(tp_image_new(&src, 31, 17, &err), err);
			memset(src->px, levels[l], 31 * 17 * 3);
			CHECK_OK(tp_image_resize(&got, src, size, 90 - size, TP_BICUBIC, NULL, &err), err);
			CHECK(got->w == size && got->h == 90 - size, "%d x %d", got->w, got->h);
			for (int i = 0; i < size * (90 - size) * 3; i++)
				CHECK(got->px[i] == levels[l], "%d became %d", levels[l], got->px[i]);
			tp_image_free(src);
			tp_image_free(got);
		}
	}
	return 0;
}

static int test_same_size_is_a_copy(void)
{
	tp_image *src = drawn(29, 13), *got = NULL;
	tp_err err = { 0 };
	CHECK(src, "no memory");
	CHECK_OK(tp_image_resize(&got, src, 29, 13, TP_BICUBIC, NULL, &err), err);
	CHECK(!memcmp(src->px, got->px, 29 * 13 * 3), "not the same");
	tp_image_free(got);
	/* a whole-pixel box of its own size is a cut */
	tp_box box = { 4, 3, 14, 9 };
	CHECK_OK(tp_image_resize(&got, src, 10, 6, TP_BILINEAR, &box, &err), err);
	for (size_t y = 0; y < 6; y++)
		CHECK(!memcmp(got->px + y * 30, src->px + ((y + 3) * 29 + 4) * 3, 30), "row %zu", y);
	tp_image_free(src);
	tp_image_free(got);
	return 0;
}

static int test_refuses(void)
{
	static const tp_box bad[] = { { -1, 0, 5, 5 }, { 0, 0, 0, 5 }, { 0, 0, 11, 5 }, { 5, 5, 4, 6 } };
	tp_image *src = drawn(10, 10), *got = NULL;
	tp_err err = { 0 };
	CHECK(src, "no memory");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(tp_image_resize(&got, src, 5, 5, TP_BILINEAR, &bad[i], &err) == TP_EINVAL, "box %zu",
			i);
	CHECK(tp_image_resize(&got, src, 0, 5, TP_BILINEAR, NULL, &err) == TP_EINVAL, "0 x 5");
	CHECK(tp_image_resize(&got, src, 65535, 65535, TP_BILINEAR, NULL, &err) == TP_ELIMIT, "giant");
	CHECK(!got, "set on error");
	tp_image_free(src);
	return 0;
}

/* The region that tp_prep_image() makes must be the middle of the whole resize. */
static int test_prep_is_resize_crop_normalise(void)
{
	tp_prep p = { .side = 32,
		.resize = 40,
		.fit = TP_FIT_CROP,
		.filter = TP_BICUBIC,
		.mean = { 127, 120, 110 },
		.std = { 128, 64, 32 } };
	static float got[3 * 32 * 32];
	tp_image *src = drawn(150, 100), *whole = NULL;
	tp_err err = { 0 };
	CHECK(src, "no memory");
	CHECK_OK(tp_prep_image(got, &p, src, &err), err);
	CHECK_OK(tp_image_resize(&whole, src, 60, 40, TP_BICUBIC, NULL, &err), err);
	for (int c = 0; c < 3; c++)
		for (int y = 0; y < 32; y++)
			for (int x = 0; x < 32; x++) {
				int v = whole->px[((y + 4) * 60 + x + 14) * 3 + c];
				float want = ((float)v - p.mean[c]) / p.std[c];
				float is = got[(c * 32 + y) * 32 + x];
				CHECK(is == want, "%d,%d,%d: %g, want %g", c, y, x, (double)is, (double)want);
			}
	tp_image_free(src);
	tp_image_free(whole);
	return 0;
}

static int test_prep_takes_any_side_and_puts_blue_first(void)
{
	tp_prep p = { .side = 33, .fit = TP_FIT_STRETCH, .mean = { 1, 2, 3 }, .std = { 4, 5, 6 } };
	static float rgb[3][33 * 33], bgr[3][33 * 33];
	tp_image *src = drawn(50, 40);
	tp_err err = { 0 };
	CHECK(src, "no memory");
	CHECK_OK(tp_prep_image(rgb[0], &p, src, &err), err);
	p.bgr = true;
	CHECK_OK(tp_prep_image(bgr[0], &p, src, &err), err);
	for (int c = 0; c < 3; c++)
		CHECK(!memcmp(rgb[c], bgr[2 - c], sizeof rgb[c]), "plane %d", c);
	p.side = 31;
	CHECK(tp_prep_image(rgb[0], &p, src, &err) == TP_EINVAL, "31 pixels");
	tp_image_free(src);
	return 0;
}

static int test_survives_any_failed_allocation(void)
{
	tp_image *src = drawn(40, 30);
	CHECK(src, "no memory");
	long live = tp_mem_live();
	for (int n = 1;; n++) {
		tp_image *got = NULL;
		tp_mem_fail_at(n);
		tp_code rc = tp_image_resize(&got, src, 17, 50, TP_BICUBIC, NULL, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(rc == (failed ? TP_ENOMEM : TP_OK), "%d: %s", n, tp_code_name(rc));
		CHECK(!failed || !got, "%d: set on error", n);
		tp_image_free(got);
		CHECK(tp_mem_live() == live, "%d: %ld left", n, tp_mem_live() - live);
		if (!failed)
			break;
	}
	tp_image_free(src);
	return 0;
}

int main(void)
{
	return RUN(T(test_like_pillow), T(test_one_colour_stays), T(test_same_size_is_a_copy),
		T(test_refuses), T(test_prep_is_resize_crop_normalise),
		T(test_prep_takes_any_side_and_puts_blue_first), T(test_survives_any_failed_allocation));
}
