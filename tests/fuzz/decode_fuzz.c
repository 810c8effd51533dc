/* Fuzz target: bytes of a photo, decoded whole, in part, and small. What comes out keeps the limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "image/measure.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MAX_BYTES = 16 << 20 }; /* small, so that a run is quick */

static void decode(const uint8_t *p, size_t n, const tp_image_info *info, int min_side, bool partial)
{
	tp_decode_opts o = { .min_side = min_side, .max_bytes = MAX_BYTES, .allow_partial = partial };
	tp_image *img = NULL;
	tp_err err = { 0 };
	tp_code rc = tp_image_decode(&img, p, n, &o, &err);
	if (rc) {
		if (img || err.code != rc || !err.msg[0])
			abort();
		return;
	}
	bool turned = info->orientation > 4;
	int w = turned ? info->h : info->w, h = turned ? info->w : info->h;
	if (!img || img->w < 1 || img->h < 1 || img->w > w || img->h > h)
		abort();
	size_t size = (size_t)img->w * (size_t)img->h * 3;
	if (size > MAX_BYTES)
		abort();
	if (!min_side && (img->w != w || img->h != h))
		abort();
	uint8_t *copy = malloc(size); /* reads every pixel, for the memory checkers */
	if (copy)
		memcpy(copy, img->px, size);
	free(copy);
	tp_image_free(img);
}

/* Taken as it is stored or decoded, a photo is refused or measured alike. */
static void measure(const uint8_t *p, size_t n)
{
	tp_measures a, b;
	tp_code x = tp_measure_photo(&a, p, n, NULL), y = tp_measure_decoded(&b, p, n, NULL);
	if (x != y || (!x && (a.w != b.w || a.h != b.h || !(a.brightness >= 0 && a.brightness <= 255))))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	tp_image_info info = { 0 };
	if (tp_image_probe(&info, p, n, NULL)) {
		tp_image *img = NULL;
		if (!tp_image_decode(&img, p, n, NULL, NULL))
			abort();
		return 0;
	}
	if (info.kind != tp_image_sniff(p, n) || info.w < 1 || info.h < 1 || info.orientation < 1 ||
		info.orientation > 8)
		abort();
	decode(p, n, &info, 0, false);
	decode(p, n, &info, 0, true);
	if (info.kind == TP_KIND_JPEG)
		decode(p, n, &info, 4, true);
	if ((int64_t)info.w * info.h <= MAX_BYTES / 3)
		measure(p, n);
	return 0;
}
