/* Decoding: every way a photo may be stored against Pillow's pixels (tests/golden/gen_pictures.py), damage,
 * giants, orientation, JPEG out, and real photos where TEPAL_PHOTOS names their folder. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "image/image.h"
#include "t.h"

#define CORPUS TP_TESTS_DIR "/fuzz/corpus/decode"

static tp_code read_file(uint8_t **p, size_t *n, const char *dir, const char *name, tp_err *err)
{
	char *path = tp_path_join(dir, name);
	if (!path)
		return tp_nomem(err, strlen(dir));
	tp_code rc = tp_file_read(p, n, path, TP_MAX_PHOTO_FILE, err);
	tp_free(path);
	return rc;
}

static tp_code load(
	tp_image **out, const char *dir, const char *name, const tp_decode_opts *opts, tp_err *err)
{
	uint8_t *p = NULL;
	size_t n = 0;
	tp_code rc = read_file(&p, &n, dir, name, err);
	if (!rc)
		rc = tp_image_decode(out, p, n, opts, err);
	tp_free(p);
	return rc;
}

/* HEIC may be left out of a build; then it must say so. */
static bool left_out(const char *name, tp_code rc)
{
	return strstr(name, ".heic") && rc == TP_EBACKEND;
}

static double mean_diff(const tp_image *a, const uint8_t *want, int *most)
{
	size_t n = (size_t)a->w * (size_t)a->h * 3;
	double sum = 0;
	*most = 0;
	for (size_t i = 0; i < n; i++) {
		int d = abs(a->px[i] - want[i]);
		sum += d;
		*most = d > *most ? d : *most;
	}
	return sum / (double)n;
}

typedef struct {
	char name[48];
	int32_t most, mean, w, h; /* mean in hundredths; 0: not asked */
} golden;
_Static_assert(sizeof(golden) == 64, "as gen_pictures.py packs it");

static int one_golden(const golden *g, const uint8_t *want)
{
	tp_image *img = NULL;
	tp_err err = { 0 };
	tp_code rc = load(&img, CORPUS, g->name, NULL, &err);
	if (left_out(g->name, rc))
		return 0;
	CHECK(!rc, "%s: %s", g->name, err.msg);
	CHECK(img->w == g->w && img->h == g->h, "%s: %d x %d", g->name, img->w, img->h);
	int most;
	double mean = mean_diff(img, want, &most);
	tp_image_free(img);
	CHECK(most <= g->most, "%s: a sample differs by %d", g->name, most);
	CHECK(!g->mean || mean <= g->mean / 100.0, "%s: samples differ by %.2f", g->name, mean);
	return 0;
}

static int test_every_kind_like_pillow(void)
{
	tp_map m = { 0 };
	tp_err err = { 0 };
	int cases = 0, bad = 0;
	CHECK_OK(tp_map_open(&m, TP_TESTS_DIR "/golden/decode.bin", &err), err);
	for (size_t at = 0; at < m.len; cases++) {
		golden g;
		CHECK(m.len - at >= sizeof g, "cut off at %zu", at);
		memcpy(&g, m.ptr + at, sizeof g);
		at += sizeof g;
		size_t size = (size_t)g.w * (size_t)g.h * 3;
		CHECK(m.len - at >= size && !g.name[47], "cut off at %zu", at);
		bad += one_golden(&g, m.ptr + at);
		at += size;
	}
	tp_map_close(&m);
	CHECK(cases >= 73, "%d cases", cases);
	CHECK(!bad, "%d of %d", bad, cases);
	return 0;
}

static int test_sniff_and_probe(void)
{
	static const struct {
		const char *name, *kind;
		int w, h, orientation;
		bool progressive;
	} cases[] = {
		{ "base_420.jpg", "JPEG", 37, 23, 1, false },
		{ "prog_444.jpg", "JPEG", 37, 23, 1, true },
		{ "turn_6.jpg", "JPEG", 37, 23, 6, false },
		{ "turn_big_endian.jpg", "JPEG", 37, 23, 6, false },
		{ "turned.png", "PNG", 37, 23, 6, false },
		{ "turned.webp", "WebP", 37, 23, 8, false },
		{ "arith_prog.jpg", "JPEG", 37, 23, 1, true },
		{ "ycck.jpg", "JPEG", 37, 23, 1, false },
		{ "rgba16.png", "PNG", 37, 23, 1, false },
		{ "plain.heic", "HEIC", 96, 64, 1, false },
		{ "rot_1.heic", "HEIC", 64, 96, 1, false },
		{ "rot_2.heic", "HEIC", 96, 64, 1, false },
		{ "rot_and_exif.heic", "HEIC", 64, 96, 1, false },
		{ "giant.png", "PNG", 60000, 60000, 1, false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t *p = NULL;
		size_t n = 0;
		tp_image_info info = { 0 };
		tp_err err = { 0 };
		CHECK_OK(read_file(&p, &n, CORPUS, cases[i].name, &err), err);
		CHECK_STR(tp_image_kind_name(tp_image_sniff(p, n)), cases[i].kind);
		tp_code rc = tp_image_probe(&info, p, n, &err);
		tp_free(p);
		if (left_out(cases[i].name, rc))
			continue;
		CHECK(!rc, "%s: %s", cases[i].name, err.msg);
		CHECK(info.w == cases[i].w && info.h == cases[i].h, "%s: %d x %d", cases[i].name, info.w,
			info.h);
		CHECK(info.orientation == cases[i].orientation, "%s: %d", cases[i].name, info.orientation);
		CHECK(info.progressive == cases[i].progressive, "%s: %d", cases[i].name, info.progressive);
	}
	CHECK(tp_image_sniff(NULL, 0) == TP_KIND_UNKNOWN, "nothing is something");
	return 0;
}

static int test_what_is_no_photo(void)
{
	static const char *const names[] = { "empty", "text", "anim.gif", "anim.webp", "plain.bmp",
		"cut_header.jpg", "cut_header.png", "cut_header.webp", "no_size.jpg" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		tp_image *img = NULL;
		tp_err err = { 0 };
		tp_code rc = load(&img, CORPUS, names[i], NULL, &err);
		CHECK(rc == TP_EFORMAT, "%s: %s %s", names[i], tp_code_name(rc), err.msg);
		CHECK(!img && err.msg[0], "%s: no message", names[i]);
		CHECK(strcmp(names[i], "anim.webp") || strstr(err.msg, "an animation"), "%s", err.msg);
	}
	return 0;
}

static int test_giants_are_refused_by_their_header(void)
{
	static const char *const names[] = { "giant.png", "giant_prog.jpg" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		for (int min_side = 0; min_side < 300; min_side += 224) {
			tp_decode_opts o = TP_DECODE_OPTS_INIT;
			tp_image *img = NULL;
			tp_err err = { 0 };
			o.min_side = min_side;
			o.allow_partial = true;
			tp_code rc = load(&img, CORPUS, names[i], &o, &err);
			CHECK(rc == TP_ELIMIT, "%s: %s %s", names[i], tp_code_name(rc), err.msg);
			CHECK(!img && strstr(err.msg, "limit"), "%s: %s", names[i], err.msg);
		}
	}
	/* the limit is the caller's: a turned copy counts too */
	tp_decode_opts o = { .max_bytes = 37 * 23 * 3 };
	tp_image *img = NULL;
	CHECK(load(&img, CORPUS, "turn_6.jpg", &o, NULL) == TP_ELIMIT, "small limit");
	return 0;
}

/* A few kilobytes that would be decoded over and over. */
static int test_too_many_scans_are_refused(void)
{
	tp_image *img = NULL;
	tp_err err = { 0 };
	tp_code rc = load(&img, CORPUS, "many_scans.jpg", NULL, &err);
	CHECK(rc == TP_ELIMIT && !img && strstr(err.msg, "100 scans"), "%s: %s", tp_code_name(rc), err.msg);
	return 0;
}

/* The rows that are said to be whole are. */
static int starts_as(const char *name, const tp_image *img, size_t n)
{
	tp_image *whole = NULL;
	tp_err err = { 0 };
	CHECK_OK(load(&whole, CORPUS, name, NULL, &err), err);
	size_t same = 0;
	while (same < n && whole->px[same] == img->px[same])
		same++;
	tp_image_free(whole);
	CHECK(same == n, "%s: byte %zu of %zu is another", name, same, n);
	return 0;
}

static int test_truncated_says_where(void)
{
	static const struct {
		const char *name, *whole; /* without a whole: all rows are there, none of them fine */
	} cases[] = { { "cut.jpg", "tall.jpg" }, { "cut.png", "tall.png" }, { "cut.webp", "tall.webp" },
		{ "cut_prog.jpg", NULL }, { "cut_adam7.png", NULL } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *name = cases[i].name;
		tp_decode_opts o = TP_DECODE_OPTS_INIT;
		tp_image *img = NULL;
		tp_err err = { 0 };
		tp_code rc = load(&img, CORPUS, name, &o, &err);
		const char *rows = strstr(err.msg, "rows 0..");
		CHECK(rc == TP_EFORMAT && !img, "%s: %s %s", name, tp_code_name(rc), err.msg);
		CHECK(rows && strstr(err.msg, "truncated"), "%s: %s", name, err.msg);
		int last = (int)strtol(rows + 8, NULL, 10);
		CHECK(cases[i].whole ? last > 5 && last < 95 : last == 95, "%s: %s", name, err.msg);
		o.allow_partial = true;
		CHECK_OK(load(&img, CORPUS, name, &o, &err), err);
		CHECK(img->w == 64 && img->h == 96, "%s: %d x %d", name, img->w, img->h);
		size_t below = (size_t)(last + 1) * 64 * 3, all = 96 * 64 * 3;
		CHECK(img->px[2] > 200, "%s: the first row is not blue", name);
		if (cases[i].whole)
			CHECK(!starts_as(cases[i].whole, img, below), "%s", name);
		for (size_t b = below; b < all; b++)
			CHECK(img->px[b] == 128, "%s: byte %zu is %d", name, b, img->px[b]);
		tp_image_free(img);
	}
	return 0;
}

/* Where restart markers say that a part is missing, the photo is refused as damaged, with where. */
static int test_lost_restart_interval_says_where(void)
{
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_image *img = NULL;
	tp_err err = { 0 };
	tp_code rc = load(&img, CORPUS, "restart_lost.jpg", &o, &err);
	CHECK(rc == TP_EFORMAT && !img, "%s", tp_code_name(rc));
	CHECK(strstr(err.msg, "damaged") && strstr(err.msg, "of 23 could be read"), "%s", err.msg);
	o.allow_partial = true;
	CHECK_OK(load(&img, CORPUS, "restart_lost.jpg", &o, &err), err);
	CHECK(img->w == 37 && img->h == 23 && img->px[37 * 23 * 3 - 1] == 128, "the last row is not grey");
	tp_image_free(img);
	return 0;
}

static int test_scaled_jpeg(void)
{
	static const struct {
		int min_side, w, h;
	} cases[] = { { 0, 37, 23 }, { 23, 37, 23 }, { 12, 19, 12 }, { 6, 10, 6 }, { 3, 5, 3 }, { 1, 5, 3 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tp_decode_opts o = TP_DECODE_OPTS_INIT;
		tp_image *img = NULL;
		tp_err err = { 0 };
		o.min_side = cases[i].min_side;
		CHECK_OK(load(&img, CORPUS, "base_420.jpg", &o, &err), err);
		CHECK(img->w == cases[i].w && img->h == cases[i].h, "%d: %d x %d", o.min_side, img->w,
			img->h);
		tp_image_free(img);
	}
	return 0;
}

static bool has(const char *p, size_t n, const char *what)
{
	for (size_t i = 0, len = strlen(what); i + len <= n; i++)
		if (!memcmp(p + i, what, len))
			return true;
	return false;
}

static int test_jpeg_out_and_in(void)
{
	tp_image *img = NULL, *back = NULL;
	tp_image_info info;
	tp_err err = { 0 };
	tp_buf buf;
	int most;
	tp_buf_init(&buf, 1 << 20);
	CHECK_OK(load(&img, CORPUS, "turn_6.jpg", NULL, &err), err);
	CHECK_OK(tp_image_encode_jpeg(&buf, img, 95, &err), err);
	CHECK_OK(tp_image_probe(&info, buf.ptr, buf.len, &err), err);
	CHECK(info.orientation == 1 && info.w == 23 && info.h == 37, "%d: %d x %d", info.orientation, info.w,
		info.h);
	CHECK(!has(buf.ptr, buf.len, "Exif"), "EXIF goes out");
	CHECK_OK(tp_image_decode(&back, buf.ptr, buf.len, NULL, &err), err);
	double mean = mean_diff(back, img->px, &most);
	CHECK(mean < 8, "differs by %.2f", mean);
	CHECK(tp_image_encode_jpeg(&buf, img, 0, &err) == TP_EINVAL, "quality 0");
	tp_buf_dispose(&buf);
	tp_buf_init(&buf, 100); /* too small: nothing half done */
	CHECK_OK(tp_buf_adds(&buf, "before", &err), err);
	CHECK(tp_image_encode_jpeg(&buf, img, 95, &err) == TP_ELIMIT, "%s", err.msg);
	CHECK_STR(buf.ptr, "before");
	tp_buf_dispose(&buf);
	tp_image_free(img);
	tp_image_free(back);
	return 0;
}

static int fail_each(const char *name)
{
	uint8_t *p = NULL;
	size_t len = 0;
	tp_err err = { 0 };
	CHECK_OK(read_file(&p, &len, CORPUS, name, &err), err);
	long live = tp_mem_live();
	for (int n = 1;; n++) {
		tp_image *img = NULL;
		tp_mem_fail_at(n);
		tp_code rc = tp_image_decode(&img, p, len, NULL, &err);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		if (left_out(name, rc))
			break;
		CHECK(rc == (failed ? TP_ENOMEM : TP_OK), "%s, %d: %s", name, n, tp_code_name(rc));
		CHECK(!failed || !img, "%s, %d: set on error", name, n);
		tp_image_free(img);
		CHECK(tp_mem_live() == live, "%s, %d: %ld left", name, n, tp_mem_live() - live);
		if (!failed)
			break;
	}
	tp_free(p);
	return 0;
}

static int test_survives_any_failed_allocation(void)
{
	static const char *const names[] = { "turn_6.jpg", "cmyk.jpg", "prog_420.jpg", "palette_alpha.png",
		"rgba_adam7.png", "turned.png", "lossy_alpha.webp", "lossless.webp", "plain.heic", "ycck.jpg",
		"arith_prog.jpg", "restart_prog.jpg", "rgba16_adam7.png", "rot_and_exif.heic" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		CHECK(!fail_each(names[i]), "%s", names[i]);
	return 0;
}

static const char *photos(char *dir, size_t cap)
{
	const char *root = getenv("TEPAL_PHOTOS");
	if (!root)
		return NULL;
	snprintf(dir, cap, "%s/originals", root);
	return dir;
}

/* Refused: what is damaged, and kinds that are not taken. */
static bool must_fail(const char *name)
{
	return !strncmp(name, "bad_", 4) || strstr(name, ".gif") || strstr(name, ".bmp") ||
	       strstr(name, ".tif");
}

static int test_real_photos(void)
{
	char dir[512];
	tp_names names = { 0 };
	tp_err err = { 0 };
	size_t good = 0, refused = 0;
	if (!photos(dir, sizeof dir))
		return SKIP("TEPAL_PHOTOS is not set");
	CHECK_OK(tp_dir_list(&names, dir, &err), err);
	for (size_t i = 0; i < names.len; i++) {
		tp_image *img = NULL;
		if (!strcmp(names.v[i], "MANIFEST.csv") || !strcmp(names.v[i], "derived_108mp_flat.jpg"))
			continue;
		tp_code rc = load(&img, dir, names.v[i], NULL, &err);
		if (must_fail(names.v[i])) {
			CHECK(rc == TP_EFORMAT, "%s: %s", names.v[i], tp_code_name(rc));
			refused++;
		} else {
			CHECK(!rc, "%s: %s", names.v[i], err.msg);
			good++;
		}
		tp_image_free(img);
	}
	tp_names_free(&names);
	CHECK(good >= 60 && refused >= 5, "%zu decoded, %zu refused", good, refused);
	return 0;
}

static int test_108_megapixels(void)
{
	char dir[512];
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_image *img = NULL;
	tp_err err = { 0 };
	if (!photos(dir, sizeof dir))
		return SKIP("TEPAL_PHOTOS is not set");
	CHECK(load(&img, dir, "derived_108mp_flat.jpg", &o, &err) == TP_ELIMIT, "%s", err.msg);
	o.min_side = 224;
	CHECK_OK(load(&img, dir, "derived_108mp_flat.jpg", &o, &err), err);
	CHECK(img->w == 1500 && img->h == 1125, "%d x %d", img->w, img->h);
	tp_image_free(img);
	return 0;
}

/* The same view stored in eight ways; half of libvips' are of another size, so all come to one. */
static int same_views(const char *dir, const char *stem)
{
	tp_image *first = NULL;
	tp_err err = { 0 };
	for (int i = 1; i <= 8; i++) {
		char name[64];
		tp_image *img = NULL, *small = NULL;
		int most;
		snprintf(name, sizeof name, "%s%d.jpg", stem, i);
		CHECK_OK(load(&img, dir, name, NULL, &err), err);
		if (!first)
			CHECK_OK(tp_image_resize(&first, img, img->w / 4, img->h / 4, TP_BICUBIC, NULL, &err),
				err);
		CHECK((img->w < img->h) == (first->w < first->h), "%s: %d x %d", name, img->w, img->h);
		CHECK_OK(tp_image_resize(&small, img, first->w, first->h, TP_BICUBIC, NULL, &err), err);
		double mean = mean_diff(small, first->px, &most);
		tp_image_free(img);
		tp_image_free(small);
		CHECK(mean < 8, "%s differs by %.2f", name, mean);
	}
	tp_image_free(first);
	return 0;
}

static int test_photos_of_every_orientation(void)
{
	char dir[512];
	if (!photos(dir, sizeof dir))
		return SKIP("TEPAL_PHOTOS is not set");
	CHECK(!same_views(dir, "libvips_rotation_"), "libvips");
	CHECK(!same_views(dir, "derived_exif_orientation_"), "derived");
	return 0;
}

int main(void)
{
	return RUN(T(test_every_kind_like_pillow), T(test_sniff_and_probe), T(test_what_is_no_photo),
		T(test_giants_are_refused_by_their_header), T(test_too_many_scans_are_refused),
		T(test_truncated_says_where), T(test_lost_restart_interval_says_where), T(test_scaled_jpeg),
		T(test_jpeg_out_and_in), T(test_survives_any_failed_allocation), T(test_real_photos),
		T(test_108_megapixels), T(test_photos_of_every_orientation));
}
