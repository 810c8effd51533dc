/* Faults planted in real photos: what each rule finds of them, and what it finds in photos that nobody touched.
 *
 *   planted PHOTOS [EVERY] [THREADS]
 *
 * PHOTOS is what tepal train takes. Every EVERY-th photo (8) is copied with each fault, written as JPEG and measured as
 * a photo from outside. Prints Markdown: recall by rule and threshold, precision when as many photos are faulty as
 * are not, and the share of all untouched photos that the rule takes. An untouched photo counts as good, so the
 * precision of a rule that finds bad photos in the set itself is better than said here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/rng.h"
#include "data/data.h"
#include "data/near.h"
#include "data/rules.h"

typedef enum {
	JPEG30,
	HALF,
	BRIGHTER,
	DARKER,
	NOISE,
	SOFT,
	CROP4,
	CROP10,
	TILT3,
	MIRROR,
	TURN90,
	TURN180, /* up to here copies that must be found as such; faults follow */
	BLACKISH,
	WHITISH,
	FLAT,
	BLUR4,
	BLUR8,
	NARROW,
	TINY,
	PAGE,
	DRAWING,
	KINDS
} kind;
static const char *const kind_name[KINDS] = { "JPEG quality 30", "half the size", "40 % brighter",
	"40 % darker", "noise, sigma 20", "blurred, sigma 3", "cut by up to 4 % a side",
	"cut by up to 10 % a side", "tilted by 3 degrees", "mirrored", "turned by 90 degrees",
	"turned by 180 degrees", "a tenth of the light", "nine tenths washed out", "a tenth of the contrast",
	"blurred, sigma 4", "blurred, sigma 8", "cut to 4 : 1", "shrunk to 100 pixels", "drawn page of print",
	"drawn shapes in five colours" };

typedef struct {
	tp_manifest m;
	size_t n, every;
	tp_measures *orig;
	uint8_t *bad; /* could not be read */
	tp_measures *fault[KINDS];
	tp_sha256 *sha;
} set;

static tp_image *blank(int w, int h)
{
	tp_image *img = NULL;
	if (tp_image_new(&img, w, h, NULL))
		abort();
	return img;
}

static uint8_t clip(double v)
{
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
}

static tp_image *levels(const tp_image *src, double mul, double add, double noise, tp_rng *r)
{
	tp_image *img = blank(src->w, src->h);
	size_t n = (size_t)src->w * (size_t)src->h * 3;
	for (size_t i = 0; i < n; i++)
		img->px[i] = clip(src->px[i] * mul + add + (noise > 0 ? noise * tp_rng_normal(r) : 0));
	return img;
}

static tp_image *part(const tp_image *src, int x0, int y0, int w, int h)
{
	tp_image *img = blank(w, h);
	for (int y = 0; y < h; y++)
		memcpy(img->px + (size_t)y * (size_t)w * 3,
			src->px + ((size_t)(y0 + y) * (size_t)src->w + (size_t)x0) * 3, (size_t)w * 3);
	return img;
}

static tp_image *cut(const tp_image *src, double most, tp_rng *r)
{
	int l = (int)(src->w * most * tp_rng_unit(r)), t = (int)(src->h * most * tp_rng_unit(r));
	int right = (int)(src->w * most * tp_rng_unit(r)), b = (int)(src->h * most * tp_rng_unit(r));
	return part(src, l, t, src->w - l - right, src->h - t - b);
}

static tp_image *sized(const tp_image *src, int w, int h)
{
	tp_image *img = NULL;
	if (tp_image_resize(&img, src, w < 1 ? 1 : w, h < 1 ? 1 : h, TP_BICUBIC, NULL, NULL))
		abort();
	return img;
}

/* Three box filters each way are nearly a Gaussian. */
static tp_image *blurred(const tp_image *src, double sigma)
{
	int radius = (int)(sqrt(4 * sigma * sigma + 1) / 2 + 0.5);
	tp_image *a = part(src, 0, 0, src->w, src->h), *b = blank(src->w, src->h);
	for (int pass = 0; pass < 6; pass++) {
		bool down = pass % 2;
		int len = down ? a->h : a->w, lines = down ? a->w : a->h;
		size_t step = down ? (size_t)a->w * 3 : 3, next = down ? 3 : (size_t)a->w * 3;
		for (int l = 0; l < lines; l++)
			for (size_t c = 0; c < 3; c++) {
				const uint8_t *p = a->px + (size_t)l * next + c;
				uint8_t *q = b->px + (size_t)l * next + c;
				int sum = 0;
				for (int i = -radius; i <= radius; i++)
					sum += p[(size_t)(i < 0 ? 0 : i >= len ? len - 1 : i) * step];
				for (int i = 0; i < len; i++) {
					int in = i + radius + 1 < len ? i + radius + 1 : len - 1;
					int out = i - radius > 0 ? i - radius : 0;
					q[(size_t)i * step] = (uint8_t)(sum / (2 * radius + 1));
					sum += p[(size_t)in * step] - p[(size_t)out * step];
				}
			}
		tp_image *t = a;
		a = b, b = t;
	}
	tp_image_free(b);
	return a;
}

static tp_image *tilted(const tp_image *src, double degrees)
{
	tp_image *img = blank(src->w, src->h);
	double s = sin(degrees * 0.0174532925), c = cos(degrees * 0.0174532925);
	for (int y = 0; y < img->h; y++)
		for (int x = 0; x < img->w; x++) {
			double u = x - img->w / 2.0, v = y - img->h / 2.0;
			int sx = (int)(c * u - s * v + img->w / 2.0),
			    sy = (int)(s * u + c * v + img->h / 2.0);
			if (sx >= 0 && sy >= 0 && sx < img->w && sy < img->h)
				memcpy(img->px + ((size_t)y * (size_t)img->w + (size_t)x) * 3,
					src->px + ((size_t)sy * (size_t)src->w + (size_t)sx) * 3, 3);
		}
	return img;
}

static tp_image *turned(const tp_image *src, kind k)
{
	tp_image *img = k == TURN90 ? blank(src->h, src->w) : blank(src->w, src->h);
	for (int y = 0; y < img->h; y++)
		for (int x = 0; x < img->w; x++) {
			int sx = k == TURN90 ? y : src->w - 1 - x;
			int sy = k == TURN90 ? src->h - 1 - x : k == TURN180 ? src->h - 1 - y : y;
			memcpy(img->px + ((size_t)y * (size_t)img->w + (size_t)x) * 3,
				src->px + ((size_t)sy * (size_t)src->w + (size_t)sx) * 3, 3);
		}
	return img;
}

static void box(tp_image *img, int x0, int y0, int w, int h, const uint8_t *rgb)
{
	for (int y = y0 < 0 ? 0 : y0; y < y0 + h && y < img->h; y++)
		for (int x = x0 < 0 ? 0 : x0; x < x0 + w && x < img->w; x++)
			memcpy(img->px + ((size_t)y * (size_t)img->w + (size_t)x) * 3, rgb, 3);
}

/* Lines of strokes on paper that is not quite white nor evenly lit, a little out of focus. */
static tp_image *page(tp_rng *r)
{
	tp_image *img = blank(360, 480);
	int paper = 200 + (int)tp_rng_below(r, 50), line = 9 + (int)tp_rng_below(r, 10);
	for (int y = 0; y < img->h; y++)
		for (int x = 0; x < img->w; x++) {
			uint8_t v = clip(paper - 15.0 * x / img->w + 3 * tp_rng_normal(r));
			uint8_t rgb[3] = { v, v, clip(v - 8.0) };
			box(img, x, y, 1, 1, rgb);
		}
	for (int y = line; y + line < img->h; y += line * 2) {
		int end = 120 + (int)tp_rng_below(r, 220);
		for (int x = 20; x < end; x += 2 + (int)tp_rng_below(r, 5)) {
			uint8_t ink = (uint8_t)(20 + tp_rng_below(r, 60)), rgb[3] = { ink, ink, ink };
			int w = 1 + (int)tp_rng_below(r, 2),
			    h = line / 2 + (int)tp_rng_below(r, (uint64_t)line / 2);
			if (tp_rng_below(r, 8))
				box(img, x, y + line - h, w, h, rgb);
			else
				x += 4;
		}
	}
	return img;
}

static tp_image *drawing(tp_rng *r)
{
	tp_image *img = blank(320, 320);
	for (int k = 0; k < 5; k++) {
		uint8_t rgb[3] = { (uint8_t)tp_rng_below(r, 256), (uint8_t)tp_rng_below(r, 256),
			(uint8_t)tp_rng_below(r, 256) };
		box(img, k ? (int)tp_rng_below(r, 250) : 0, k ? (int)tp_rng_below(r, 250) : 0,
			k ? 30 + (int)tp_rng_below(r, 90) : 320, k ? 30 + (int)tp_rng_below(r, 90) : 320,
			rgb);
	}
	return img;
}

static tp_image *plant_fault(const tp_image *src, kind k, tp_rng *r)
{
	int short_side = src->w < src->h ? src->w : src->h;
	switch (k) {
	case HALF:
		return sized(src, src->w / 2, src->h / 2);
	case BRIGHTER:
		return levels(src, 1.4, 0, 0, r);
	case DARKER:
		return levels(src, 0.6, 0, 0, r);
	case NOISE:
		return levels(src, 1, 0, 20, r);
	case SOFT:
		return blurred(src, 3);
	case CROP4:
		return cut(src, 0.04, r);
	case CROP10:
		return cut(src, 0.1, r);
	case TILT3:
		return tilted(src, 3);
	case MIRROR:
	case TURN90:
	case TURN180:
		return turned(src, k);
	case BLACKISH:
		return levels(src, 0.1, 0, 1.5, r);
	case WHITISH:
		return levels(src, 0.1, 229.5, 1, r);
	case FLAT:
		return levels(src, 0.1, 110, 1, r);
	case BLUR4:
		return blurred(src, 4);
	case BLUR8:
		return blurred(src, 8);
	case NARROW:
		return part(src, 0, src->h / 2, src->w, src->w / 4 < src->h / 2 ? src->w / 4 : src->h / 2);
	case TINY:
		return sized(src, src->w * 100 / short_side, src->h * 100 / short_side);
	case PAGE:
		return page(r);
	case DRAWING:
		return drawing(r);
	default:
		return part(src, 0, 0, src->w, src->h);
	}
}

static tp_code faults(set *s, size_t i, const tp_image *img, tp_err *err)
{
	tp_code rc = TP_OK;
	for (int k = 0; k < KINDS && !rc; k++) {
		tp_rng r = tp_rng_stream(1, 1, i, (uint64_t)k);
		tp_image *copy = plant_fault(img, (kind)k, &r);
		tp_buf buf;
		tp_buf_init(&buf, 16 << 20);
		rc = tp_image_encode_jpeg(&buf, copy, k == JPEG30 ? 30 : 85, err);
		if (!rc)
			rc = tp_measure_photo(&s->fault[k][i / s->every], buf.ptr, buf.len, err);
		tp_buf_dispose(&buf);
		tp_image_free(copy);
	}
	return rc;
}

static tp_code one(void *ud, size_t i, int worker, tp_err *err)
{
	set *s = ud;
	tp_image *img = NULL;
	uint8_t *bytes = NULL;
	size_t len;
	char *path = tp_path_join(s->m.root, s->m.photos[i].path);
	(void)worker;
	tp_code rc = path ? tp_file_read(&bytes, &len, path, 64 << 20, err) : tp_nomem(err, 1);
	if (!rc) {
		s->sha[i] = tp_sha256_of(bytes, len);
		s->bad[i] = tp_measure_photo(&s->orig[i], bytes, len, NULL) != TP_OK;
		if (!s->bad[i] && i % s->every == 0) {
			rc = tp_image_decode(&img, bytes, len, NULL, err);
			if (!rc)
				rc = faults(s, i, img, err);
		}
	}
	tp_image_free(img);
	tp_free(bytes);
	tp_free(path);
	return rc;
}

/* --- tables --- */

static int distance(const tp_measures *a, const tp_measures *b, bool turned_too)
{
	int best = 64;
	for (int t = turned_too ? TP_TURN_MIRROR : TP_TURN_NONE; t < (turned_too ? TP_TURNS : TP_TURN_MIRROR);
		t++) {
		int d = tp_near_distance(a->hash, tp_hash_turn(b->hash, (tp_turn)t));
		best = d < best ? d : best;
	}
	return best;
}

/* Copies found by distance; a false one is a copy as near to a photo of another species. */
static void copies(const set *s, int from, int to, bool turned_too)
{
	static const int at[] = { 0, 2, 4, 6, 8, 10 };
	size_t samples = (s->n + s->every - 1) / s->every;
	printf("\n| %s copies |", turned_too ? "turned" : "near");
	for (int t = 0; t < 6; t++)
		printf(" %d bits |", at[t]);
	printf("\n|---|---:|---:|---:|---:|---:|---:|\n");
	double all_true[6] = { 0 }, all_false[6] = { 0 };
	for (int k = from; k <= to; k++) {
		size_t hit[6] = { 0 };
		for (size_t j = 0; j < samples; j++)
			for (int t = 0; t < 6; t++)
				hit[t] += distance(&s->fault[k][j], &s->orig[j * s->every], turned_too) <=
					  at[t];
		for (size_t j = 0; j < samples; j++)
			for (size_t i = 0; i < s->n; i++)
				if (s->m.photos[i].species != s->m.photos[j * s->every].species) {
					int d = distance(&s->fault[k][j], &s->orig[i], turned_too);
					for (int t = 0; t < 6; t++)
						all_false[t] += d <= at[t];
				}
		printf("| %s |", kind_name[k]);
		for (int t = 0; t < 6; t++) {
			printf(" %.1f %% |", 100.0 * (double)hit[t] / (double)samples);
			all_true[t] += (double)hit[t];
		}
		printf("\n");
	}
	printf("| precision |");
	for (int t = 0; t < 6; t++)
		printf(" %.1f %% |", 100 * all_true[t] / (all_true[t] + all_false[t]));
	printf("\n");
}

typedef struct {
	tp_rule_id rule;
	kind fault[2];
	float at[5];
} trial;

static void rule_table(const set *s)
{
	static const trial trials[] = { { TP_RULE_SMALL, { TINY, TINY }, { 64, 96, 128, 192, 256 } },
		{ TP_RULE_ASPECT, { NARROW, NARROW }, { 2, 2.5f, 3, 3.5f, 4 } },
		{ TP_RULE_DARK, { BLACKISH, BLACKISH }, { 10, 15, 20, 25, 40 } },
		{ TP_RULE_BRIGHT, { WHITISH, WHITISH }, { 220, 230, 235, 240, 245 } },
		{ TP_RULE_CONTRAST, { FLAT, FLAT }, { 4, 8, 12, 16, 24 } },
		{ TP_RULE_BLURRED, { BLUR4, BLUR8 }, { 2, 3, 4.5f, 6, 8 } },
		{ TP_RULE_TEXT, { PAGE, PAGE }, { 0.05f, 0.1f, 0.15f, 0.2f, 0.3f } },
		{ TP_RULE_SYNTHETIC, { DRAWING, DRAWING }, { 0.7f, 0.8f, 0.85f, 0.9f, 0.95f } } };
	size_t samples = (s->n + s->every - 1) / s->every;
	printf("\n| rule | fault | threshold | recall | precision | of untouched photos |\n"
	       "|---|---|---:|---:|---:|---:|\n");
	for (size_t k = 0; k < sizeof trials / sizeof *trials; k++)
		for (int f = 0; f < (trials[k].fault[0] == trials[k].fault[1] ? 1 : 2); f++)
			for (int t = 0; t < 5; t++) {
				tp_rule_set rules = { { false }, { 0 } };
				size_t hit = 0, wrong = 0;
				rules.on[trials[k].rule] = true;
				rules.threshold[trials[k].rule] = trials[k].at[t];
				for (size_t j = 0; j < samples; j++)
					hit += tp_rules_measured(&rules, &s->fault[trials[k].fault[f]][j]) !=
					       0;
				for (size_t i = 0; i < s->n; i++)
					wrong += tp_rules_measured(&rules, &s->orig[i]) != 0;
				double r = (double)hit / (double)samples, w = (double)wrong / (double)s->n;
				printf("| %s | %s | %g%s | %.1f %% | %.1f %% | %.2f %% |\n",
					tp_rules[trials[k].rule].name, kind_name[trials[k].fault[f]],
					trials[k].at[t],
					trials[k].at[t] == tp_rules[trials[k].rule].threshold ? " *" : "",
					100 * r, 100 * r / (r + w > 0 ? r + w : 1), 100 * w);
			}
}

static tp_code tell_pairs(void *ud, const tp_near_pair *p, size_t n, tp_err *err)
{
	size_t *count = ud;
	(void)err;
	for (size_t i = 0; i < n; i++)
		count[p[i].turn > 0]++;
	return TP_OK;
}

static void whole_set(const set *s)
{
	uint64_t *hash = tp_alloc(s->n * sizeof *hash);
	size_t bytes = 0, across = 0, count[2] = { 0 };
	tp_near_opts o = { 6, 1, true };
	tp_near_sink sink = { NULL, tell_pairs, count };
	for (size_t i = 0; hash && i < s->n; i++) {
		hash[i] = s->orig[i].hash;
		for (size_t j = 0; j < i; j++)
			if (!strcmp(s->sha[i].hex, s->sha[j].hex)) {
				bytes++;
				across += s->m.photos[i].split != s->m.photos[j].split;
				if (s->m.photos[i].split != s->m.photos[j].split)
					printf("same bytes in two splits: %s, %s\n", s->m.photos[j].path,
						s->m.photos[i].path);
			}
	}
	if (hash && !tp_near_each(hash, s->n, &o, &sink, NULL))
		printf("\n%zu photos: %zu pairs with the same bytes, %zu of them across splits; %zu near "
		       "pairs of "
		       "different hashes, %zu turned ones\n",
			s->n, bytes, across, count[0], count[1]);
	tp_free(hash);
}

int main(int argc, char **argv)
{
	set s = { .every = argc > 2 ? strtoull(argv[2], NULL, 10) : 8 };
	tp_err err = { 0 };
	if (argc < 2 || !s.every) {
		fprintf(stderr, "usage: planted PHOTOS [EVERY] [THREADS]\n");
		return 2;
	}
	tp_code rc = tp_manifest_open(&s.m, argv[1], 1, &err);
	s.n = s.m.n_photos;
	if (!rc) {
		s.orig = tp_calloc(s.n, sizeof *s.orig);
		s.bad = tp_calloc(s.n, 1);
		s.sha = tp_calloc(s.n, sizeof *s.sha);
		for (int k = 0; k < KINDS; k++)
			s.fault[k] = tp_calloc(s.n / s.every + 1, sizeof *s.fault[k]);
		rc = tp_par_for(s.n, argc > 3 ? (int)strtol(argv[3], NULL, 10) : 2, one, &s, &err);
	}
	if (rc) {
		fprintf(stderr, "planted: %s\n", err.msg);
		return 1;
	}
	copies(&s, JPEG30, TILT3, false);
	copies(&s, MIRROR, TURN180, true);
	rule_table(&s);
	whole_set(&s);
	return 0;
}
