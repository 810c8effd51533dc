/* Augmentation: what is drawn, and what each step does to pixels. Colours against tests/golden/gen_jitter.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/augment.h"
#include "image/image_int.h"
#include "t.h"

enum { SIDE = 64, FLOATS = 3 * SIDE * SIDE };
static const tp_prep prep = { .side = SIDE,
	.resize = 72,
	.fit = TP_FIT_CROP,
	.filter = TP_BICUBIC,
	.mean = { 127, 120, 110 },
	.std = { 128, 64, 32 } };

/* Smooth, so that a turn and a blur change little, with a different slope in each channel. */
static tp_image *drawn(int w, int h)
{
	tp_image *img = NULL;
	if (tp_image_new(&img, w, h, NULL))
		return NULL;
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++) {
			uint8_t *p = img->px + ((size_t)y * (size_t)w + (size_t)x) * 3;
			p[0] = (uint8_t)(20 + 200 * x / w);
			p[1] = (uint8_t)(230 - 180 * y / h);
			p[2] = (uint8_t)(128 + 100 * sin(0.13 * x) * cos(0.09 * y));
		}
	return img;
}

static tp_image *noise(int w, int h)
{
	tp_image *img = NULL;
	if (tp_image_new(&img, w, h, NULL))
		return NULL;
	for (size_t i = 0; i < (size_t)w * (size_t)h * 3; i++)
		img->px[i] = (uint8_t)((i * 2654435761u) >> 13);
	return img;
}

static tp_augment preset(const char *name)
{
	tp_augment a = TP_AUGMENT_INIT;
	if (tp_augment_preset(&a, name, NULL))
		abort();
	return a;
}

/* ---- draws ---------------------------------------------------------------------------------------------- */

static int test_a_key_is_a_view(void)
{
	tp_augment a = preset("strong");
	tp_augment_params first, again, other;
	tp_augment_key key = { 1, 2, 3, 0 };
	tp_augment_draw(&first, &a, &key, 640, 480);
	tp_augment_draw(&again, &a, &key, 640, 480);
	char one[200], two[200];
	tp_augment_describe(one, sizeof one, &first);
	tp_augment_describe(two, sizeof two, &again);
	CHECK_STR(one, two);
	CHECK(first.x == again.x && first.hue == again.hue, "%s", one);
	for (int i = 0; i < 4; i++) {
		tp_augment_key k = { 1 + (i == 0), 2 + (i == 1), 3 + (i == 2), i == 3 };
		tp_augment_draw(&other, &a, &k, 640, 480);
		CHECK(other.hue != first.hue && other.brightness != first.brightness, "part %d of the key",
			i);
	}
	tp_augment_key swapped = { 1, 3, 2, 0 };
	tp_augment_draw(&other, &a, &swapped, 640, 480);
	CHECK(other.hue != first.hue, "epoch and sample are one");
	return 0;
}

static int test_options_do_not_move_each_other(void)
{
	tp_augment a = preset("strong"), b = a;
	b.hflip = b.rotate = b.hue = b.blur = b.jpeg = b.brightness = 0;
	for (uint64_t i = 0; i < 100; i++) {
		tp_augment_key key = { 9, 0, i, 0 };
		tp_augment_params p, q;
		tp_augment_draw(&p, &a, &key, 300, 200);
		tp_augment_draw(&q, &b, &key, 300, 200);
		CHECK(p.x == q.x && p.y == q.y && p.w == q.w && p.h == q.h, "crop of %d", (int)i);
		CHECK(p.contrast == q.contrast && p.vflip == q.vflip, "contrast of %d", (int)i);
		CHECK(!q.hflip && q.degrees == 0 && q.hue == 0 && q.blur == 0 && !q.quality &&
				q.brightness == 1,
			"not off");
	}
	return 0;
}

typedef struct {
	double area, log_shape, hflip, vflip, turned, blurred, jpeg, left;
	double min_area, max_area;
	double orders[256]; /* by two bits a step */
} seen;

static void count(seen *s, const tp_augment_params *d, double n)
{
	double area = (double)d->w * d->h / ((double)d->photo_w * d->photo_h);
	s->area += area / n;
	s->min_area = fmin(s->min_area, area);
	s->max_area = fmax(s->max_area, area);
	s->log_shape += log((double)d->w / d->h) / n;
	s->hflip += d->hflip / n;
	s->vflip += d->vflip / n;
	s->turned += (d->degrees != 0) / n;
	s->blurred += (d->blur > 0) / n;
	s->jpeg += (d->quality > 0) / n;
	s->orders[d->order[0] << 6 | d->order[1] << 4 | d->order[2] << 2 | d->order[3]] += 1 / n;
	s->left += d->x / (double)(d->photo_w - d->w + 1) / n;
}

/* 20,000 draws: a share of p has a standard deviation below 0.0036, so 0.015 is over four of them. */
static int test_draws_are_spread_as_asked(void)
{
	enum { N = 20000 };
	tp_augment a = preset("strong");
	seen s = { .min_area = 2 };
	a.crop_min = 0.1f;
	a.crop_max = 0.5f; /* never too large for a square photo: no try is refused */
	for (uint64_t i = 0; i < N; i++) {
		tp_augment_key key = { 5, i / 1000, i % 1000, 0 };
		tp_augment_params d;
		tp_augment_draw(&d, &a, &key, 900, 900);
		CHECK(d.x >= 0 && d.y >= 0 && d.x + d.w <= 900 && d.y + d.h <= 900, "outside");
		double shape = (double)d.w / d.h;
		CHECK(shape > 0.745 && shape < 1.345, "shape %g", shape);
		CHECK(d.brightness >= 0.6f && d.brightness <= 1.4f && fabsf(d.hue) <= 0.05f, "jitter");
		CHECK(fabsf(d.degrees) <= 45 && (!d.quality || (d.quality >= 30 && d.quality <= 95)), "turn");
		count(&s, &d, N);
	}
	CHECK(fabs(s.area - 0.3) < 0.004 && s.min_area > 0.098 && s.max_area < 0.502, "area %g, %g..%g",
		s.area, s.min_area, s.max_area);
	CHECK(fabs(s.log_shape) < 0.006, "log shape %g", s.log_shape);
	CHECK(fabs(s.hflip - 0.5) < 0.015 && fabs(s.vflip - 0.5) < 0.015, "flips %g %g", s.hflip, s.vflip);
	CHECK(fabs(s.turned - 0.75) < 0.015 && fabs(s.blurred - 0.3) < 0.015, "%g %g", s.turned, s.blurred);
	CHECK(fabs(s.jpeg - 0.3) < 0.015, "%g", s.jpeg);
	int orders = 0;
	for (int i = 0; i < 256; i++) {
		CHECK(s.orders[i] == 0 || fabs(s.orders[i] - 1.0 / 24) < 0.007, "order %x: %g", (unsigned)i,
			s.orders[i]);
		orders += s.orders[i] > 0;
	}
	CHECK(orders == 24, "%d orders of the colours", orders);
	CHECK(fabs(s.left - 0.5) < 0.015, "left %g", s.left);
	return 0;
}

static int test_crops_that_cannot_be_come_from_the_middle(void)
{
	tp_augment a = preset("light");
	a.crop_min = a.crop_max = 1;
	tp_augment_key key = { 0 };
	tp_augment_params d;
	tp_augment_draw(&d, &a, &key, 1000, 100);
	CHECK(d.w == 133 && d.h == 100 && d.x == 433 && d.y == 0, "%d,%d,%dx%d", d.x, d.y, d.w, d.h);
	tp_augment_draw(&d, &a, &key, 90, 1000);
	CHECK(d.w == 90 && d.h == 120 && d.x == 0 && d.y == 440, "%d,%d,%dx%d", d.x, d.y, d.w, d.h);
	tp_augment_draw(&d, &a, &key, 1, 1);
	CHECK(d.w == 1 && d.h == 1, "%dx%d", d.w, d.h);
	return 0;
}

static int test_describes(void)
{
	tp_augment_params d = TP_AUGMENT_PARAMS_INIT;
	char s[200];
	tp_augment_describe(s, sizeof s, &d);
	CHECK_STR(s, "");
	d.w = 30, d.h = 20, d.x = 1, d.vflip = true, d.contrast = 1.25f, d.hue = -0.02f, d.quality = 70;
	tp_augment_describe(s, sizeof s, &d);
	CHECK_STR(s, "crop=1,0,30x20 flip=v contrast=1.25 hue=-0.020 jpeg=70");
	tp_augment_describe(s, 9, &d);
	CHECK_STR(s, "crop=1,");
	return 0;
}

/* ---- options -------------------------------------------------------------------------------------------- */

static int test_json_both_ways(void)
{
	tp_err err = { 0 };
	for (int i = 0; tp_augment_presets[i]; i++) {
		tp_augment a = preset(tp_augment_presets[i]), back = { 0 };
		CHECK_OK(tp_augment_check(&a, &err), err);
		json_t *j = tp_augment_to_json(&a);
		CHECK_OK(tp_augment_from_json(&back, j, "record", &err), err);
		json_decref(j);
		CHECK(!memcmp(&a, &back, sizeof a), "%s", tp_augment_presets[i]);
	}
	tp_augment a;
	CHECK(tp_augment_preset(&a, "mild", &err) == TP_ENOTFOUND && strstr(err.msg, "standard"), "%s",
		err.msg);
	return 0;
}

static int test_refuses_options(void)
{
	static const char *const bad[] = { "{\"hflip\": 1.5}", "{\"crop_min\": 0.5, \"crop_max\": 0.4}",
		"{\"hue\": \"blue\"}", "{\"jpeg_min\": 0}", "{\"aspect_min\": 0}", "[]" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		json_t *j = NULL;
		tp_augment a;
		tp_err err = { 0 };
		CHECK_OK(tp_json_parse(&j, bad[i], strlen(bad[i]), "record", &err), err);
		CHECK(tp_augment_from_json(&a, j, "record", &err) == TP_EFORMAT, "%s", bad[i]);
		CHECK(!strncmp(err.msg, "record: ", 8), "%s", err.msg);
		json_decref(j);
	}
	tp_augment a = TP_AUGMENT_INIT;
	tp_err err = { 0 };
	a.blur_min = NAN;
	CHECK(tp_augment_check(&a, &err) == TP_EINVAL && strstr(err.msg, "blur_min"), "%s", err.msg);
	return 0;
}

/* ---- pixels --------------------------------------------------------------------------------------------- */

static float got[FLOATS], want[FLOATS];

static int test_all_off_is_prep(void)
{
	static const int sizes[][2] = { { 150, 100 }, { 72, 72 }, { 64, 64 }, { 40, 300 } };
	tp_augment off = TP_AUGMENT_INIT;
	tp_scratch *s = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_scratch_new(&s, &err), err);
	for (int i = 0; i < 8; i++) {
		tp_prep p = prep;
		p.fit = i < 4 ? TP_FIT_CROP : TP_FIT_STRETCH;
		tp_image *img = noise(sizes[i % 4][0], sizes[i % 4][1]);
		tp_augment_key key = { 0, 0, (uint64_t)i, 0 };
		tp_augment_params d;
		CHECK(img, "no memory");
		tp_augment_draw(&d, &off, &key, img->w, img->h);
		CHECK_OK(tp_augment_apply(got, &p, &d, img, s, &err), err);
		CHECK_OK(tp_prep_image(want, &p, img, &err), err);
		CHECK(!memcmp(got, want, sizeof got), "case %d", i);
		tp_image_free(img);
	}
	tp_scratch_free(s);
	return 0;
}

/* From bytes: the decoder's scaling is that of tp_prep_photo() too. */
static int test_all_off_is_prep_from_bytes(void)
{
	static const char *const names[] = { "turn_6.jpg", "turned.png", "base_420.jpg" };
	tp_augment off = TP_AUGMENT_INIT;
	tp_augment_key key = { 0 };
	tp_scratch *s = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_scratch_new(&s, &err), err);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[300];
		tp_map m = { 0 };
		tp_augment_params d;
		snprintf(path, sizeof path, "%s/fuzz/corpus/decode/%s", TP_TESTS_DIR, names[i]);
		CHECK_OK(tp_map_open(&m, path, &err), err);
		CHECK_OK(tp_augment_photo(got, &d, &prep, &off, &key, m.ptr, m.len, s, &err), err);
		CHECK_OK(tp_prep_photo(want, &prep, m.ptr, m.len, &err), err);
		CHECK(!memcmp(got, want, sizeof got), "%s", names[i]);
		CHECK(i == 2 || (d.photo_w == 23 && d.photo_h == 37), "%s: %d x %d", names[i], d.photo_w,
			d.photo_h);
		tp_map_close(&m);
	}
	tp_scratch_free(s);
	return 0;
}

static int view_of(const tp_image **out, const tp_augment_params *d, const tp_image *img, tp_scratch *s)
{
	tp_err err = { 0 };
	CHECK_OK(tp_augment_view(out, &prep, d, img, s, &err), err);
	return 0;
}

static int test_crop_is_a_resized_part(void)
{
	tp_image *img = noise(200, 150), *part = NULL;
	tp_augment_params d = TP_AUGMENT_PARAMS_INIT;
	const tp_image *view;
	tp_scratch *s = NULL;
	tp_err err = { 0 };
	CHECK(img, "no memory");
	CHECK_OK(tp_scratch_new(&s, &err), err);
	d.photo_w = 400, d.photo_h = 300; /* the photo was decoded at half its size */
	d.x = 30, d.y = 50, d.w = 250, d.h = 221;
	tp_box box = { 15, 25, 140, 135.5 };
	CHECK_OK(tp_image_resize(&part, img, SIDE, SIDE, prep.filter, &box, &err), err);
	CHECK(!view_of(&view, &d, img, s), "view");
	CHECK(!memcmp(view->px, part->px, FLOATS), "another part");
	CHECK(tp_augment_min_side(&prep, &d) == (int)ceil(2.0 * SIDE * 300 / 221), "%d",
		tp_augment_min_side(&prep, &d));
	tp_image_free(part);
	tp_image_free(img);
	tp_scratch_free(s);
	return 0;
}

static const uint8_t *at(const tp_image *img, int x, int y)
{
	return img->px + ((size_t)y * (size_t)img->w + (size_t)x) * 3;
}

static int test_flips_and_right_angles(void)
{
	static const struct {
		bool h, v;
		float degrees;
	} cases[] = { { true, false, 0 }, { false, true, 0 }, { true, true, 0 }, { false, false, 90 },
		{ false, false, 180 }, { false, false, -90 }, { false, false, 360 }, { false, false, 270 } };
	tp_image *img = noise(SIDE, SIDE);
	tp_scratch *s = NULL;
	CHECK(img && !tp_scratch_new(&s, NULL), "no memory");
	tp_prep p = prep;
	p.resize = SIDE;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tp_augment_params d = TP_AUGMENT_PARAMS_INIT;
		const tp_image *view;
		d.hflip = cases[i].h, d.vflip = cases[i].v, d.degrees = cases[i].degrees;
		CHECK(!tp_augment_view(&view, &p, &d, img, s, NULL), "case %zu", i);
		for (int y = 0; y < SIDE; y++)
			for (int x = 0; x < SIDE; x++) {
				int X = SIDE - 1 - x, Y = SIDE - 1 - y;
				/* 90 degrees anticlockwise: the right side comes to the top */
				int from[][2] = { { X, y }, { x, Y }, { X, Y }, { Y, x }, { X, Y }, { y, X },
					{ x, y }, { y, X } };
				CHECK(!memcmp(at(view, x, y), at(img, from[i][0], from[i][1]), 3),
					"case %zu at %d,%d", i, x, y);
			}
	}
	tp_image_free(img);
	tp_scratch_free(s);
	return 0;
}

/* Away from the corners a turn undone gives the picture back, near enough for two bilinear steps. */
static int test_a_turn_undone(void)
{
	tp_image *img = drawn(SIDE, SIDE), *turned = drawn(SIDE, SIDE);
	tp_scratch *s = NULL;
	int most = 0, moved = 0;
	CHECK(img && turned && !tp_scratch_new(&s, NULL), "no memory");
	CHECK(!tp_rotate(turned, 33, s, NULL), "turn");
	for (int y = 16; y < 48; y++)
		for (int x = 16; x < 48; x++)
			moved = abs(at(img, x, y)[0] - at(turned, x, y)[0]) > moved
					? abs(at(img, x, y)[0] - at(turned, x, y)[0])
					: moved;
	CHECK(moved > 20, "moved by %d only", moved);
	CHECK(!tp_rotate(turned, -33, s, NULL), "back");
	for (int y = 16; y < 48; y++)
		for (int x = 16; x < 48; x++)
			for (int c = 0; c < 3; c++) {
				int d = abs(at(img, x, y)[c] - at(turned, x, y)[c]);
				most = d > most ? d : most;
			}
	CHECK(most <= 4, "differs by %d", most);
	tp_image_free(img);
	tp_image_free(turned);
	tp_scratch_free(s);
	return 0;
}

/* A single float step of 255 may fall on the other side of a half: 1. */
static int test_colours_like_numpy(void)
{
	tp_map m = { 0 };
	tp_err err = { 0 };
	int32_t size[2];
	size_t other = 0, all = 0;
	CHECK_OK(tp_map_open(&m, TP_TESTS_DIR "/golden/jitter.bin", &err), err);
	memcpy(size, m.ptr, sizeof size);
	size_t n = (size_t)size[0] * (size_t)size[1] * 3, each = 20 + n;
	CHECK((m.len - 8 - n) / each == 24 && (m.len - 8 - n) % each == 0, "%zu bytes", m.len);
	for (const uint8_t *p = m.ptr + 8 + n; p < m.ptr + m.len; p += each) {
		tp_augment_params d = TP_AUGMENT_PARAMS_INIT;
		tp_image *img = NULL;
		float f[4];
		memcpy(f, p, sizeof f);
		memcpy(d.order, p + 16, 4);
		d.brightness = f[0], d.contrast = f[1], d.saturation = f[2], d.hue = f[3];
		CHECK_OK(tp_image_new(&img, size[0], size[1], &err), err);
		memcpy(img->px, m.ptr + 8, n);
		tp_jitter(img, &d);
		for (size_t i = 0; i < n; i++) {
			int diff = abs(img->px[i] - p[20 + i]);
			CHECK(diff <= 1, "byte %zu: %d, want %d", i, img->px[i], p[20 + i]);
			other += diff;
		}
		all += n;
		tp_image_free(img);
	}
	tp_map_close(&m);
	printf("%zu of %zu differ by 1\n", other, all);
	CHECK(other * 2000 < all, "%zu of %zu differ", other, all);
	return 0;
}

static double mean_of(const tp_image *img)
{
	double sum = 0;
	for (size_t i = 0; i < FLOATS; i++)
		sum += img->px[i];
	return sum / FLOATS;
}

/* Rounding to 8 bits twice moves a mean over 12,288 samples by little. */
static int test_blur_keeps_the_mean_and_flat_colours(void)
{
	static const float sigmas[] = { 0.1f, 0.5f, 1, 2, 8, 30 };
	tp_scratch *s = NULL;
	CHECK(!tp_scratch_new(&s, NULL), "no memory");
	double before_step = 1e9;
	for (size_t i = 0; i < sizeof sigmas / sizeof *sigmas; i++) {
		tp_image *img = noise(SIDE, SIDE), *flat = noise(SIDE, SIDE);
		CHECK(img && flat, "no memory");
		double was = mean_of(img), step = 0;
		CHECK(!tp_blur(img, sigmas[i], s, NULL), "blur");
		CHECK(fabs(mean_of(img) - was) < 0.1, "sigma %g: %g, was %g", (double)sigmas[i], mean_of(img),
			was);
		for (size_t k = 3; k < FLOATS; k++)
			step += abs(img->px[k] - img->px[k - 3]);
		CHECK(step < before_step, "sigma %g is no smoother", (double)sigmas[i]);
		before_step = step;
		memset(flat->px, 251, FLOATS);
		CHECK(!tp_blur(flat, sigmas[i], s, NULL), "blur");
		for (size_t k = 0; k < FLOATS; k++)
			CHECK(flat->px[k] == 251, "251 became %d", flat->px[k]);
		tp_image_free(img);
		tp_image_free(flat);
	}
	tp_scratch_free(s);
	return 0;
}

static int test_jpeg_is_the_encoder_and_back(void)
{
	tp_image *img = drawn(SIDE, SIDE), *back = NULL;
	tp_augment_params d = TP_AUGMENT_PARAMS_INIT;
	const tp_image *view;
	tp_scratch *s = NULL;
	tp_err err = { 0 };
	tp_buf buf;
	tp_prep p = prep;
	p.resize = SIDE;
	d.quality = 35;
	CHECK(img, "no memory");
	CHECK_OK(tp_scratch_new(&s, &err), err);
	tp_buf_init(&buf, 1 << 20);
	CHECK_OK(tp_image_encode_jpeg(&buf, img, 35, &err), err);
	CHECK_OK(tp_image_decode(&back, buf.ptr, buf.len, NULL, &err), err);
	for (int i = 0; i < 2; i++) { /* the second time with a scratch in use */
		CHECK_OK(tp_augment_view(&view, &p, &d, img, s, &err), err);
		CHECK(!memcmp(view->px, back->px, FLOATS), "other pixels");
	}
	CHECK(memcmp(view->px, img->px, FLOATS), "nothing happened");
	tp_buf_dispose(&buf);
	tp_image_free(img);
	tp_image_free(back);
	tp_scratch_free(s);
	return 0;
}

/* The scratch carries nothing from photo to photo. */
static int test_a_used_scratch_is_a_new_one(void)
{
	tp_augment a = preset("strong");
	tp_scratch *used = NULL;
	tp_err err = { 0 };
	a.blur = a.jpeg = a.rotate = 1;
	CHECK_OK(tp_scratch_new(&used, &err), err);
	for (int i = 0; i < 20; i++) {
		tp_image *img = noise(30 + 37 * (i % 5), 200 - 9 * i);
		tp_scratch *fresh = NULL;
		tp_augment_key key = { 3, 0, (uint64_t)i, 0 };
		tp_augment_params d;
		CHECK(img && !tp_scratch_new(&fresh, &err), "no memory");
		tp_augment_draw(&d, &a, &key, img->w, img->h);
		CHECK_OK(tp_augment_apply(got, &prep, &d, img, used, &err), err);
		CHECK_OK(tp_augment_apply(want, &prep, &d, img, fresh, &err), err);
		CHECK(!memcmp(got, want, sizeof got), "photo %d", i);
		tp_scratch_free(fresh);
		tp_image_free(img);
	}
	tp_scratch_free(used);
	return 0;
}

static int test_survives_any_failed_allocation(void)
{
	tp_image *img = noise(90, 70);
	tp_augment_params d = TP_AUGMENT_PARAMS_INIT;
	CHECK(img, "no memory");
	d.degrees = 10, d.blur = 1, d.quality = 50, d.contrast = 1.2f;
	long live = tp_mem_live();
	for (int n = 1;; n++) {
		tp_scratch *s = NULL;
		tp_mem_fail_at(n);
		tp_code rc = tp_scratch_new(&s, NULL);
		if (!rc)
			rc = tp_augment_apply(got, &prep, &d, img, s, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(rc == (failed ? TP_ENOMEM : TP_OK), "%d: %s", n, tp_code_name(rc));
		if (s && failed) /* the scratch is as good as before */
			CHECK(!tp_augment_apply(got, &prep, &d, img, s, NULL), "%d: not again", n);
		tp_scratch_free(s);
		CHECK(tp_mem_live() == live, "%d: %ld left", n, tp_mem_live() - live);
		if (!failed)
			break;
	}
	tp_image_free(img);
	return 0;
}

int main(void)
{
	return RUN(T(test_a_key_is_a_view), T(test_options_do_not_move_each_other),
		T(test_draws_are_spread_as_asked), T(test_crops_that_cannot_be_come_from_the_middle),
		T(test_describes), T(test_json_both_ways), T(test_refuses_options), T(test_all_off_is_prep),
		T(test_all_off_is_prep_from_bytes), T(test_crop_is_a_resized_part),
		T(test_flips_and_right_angles), T(test_a_turn_undone), T(test_colours_like_numpy),
		T(test_blur_keeps_the_mean_and_flat_colours), T(test_jpeg_is_the_encoder_and_back),
		T(test_a_used_scratch_is_a_new_one), T(test_survives_any_failed_allocation));
}
