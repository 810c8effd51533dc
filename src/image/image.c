/* The image itself, the table of formats, and what is the same for all of them: limits, damage, turning. */
#include <string.h>

#include "base/mem.h"
#include "image/image_int.h"

static const tp_decoder *const decoders[] = {
	&tp_decode_jpeg,
	&tp_decode_png,
	&tp_decode_webp,
	&tp_decode_heif,
};
enum { N_DECODERS = sizeof decoders / sizeof *decoders };

void tp_image_free(tp_image *img)
{
	if (img)
		tp_free(img->px);
	tp_free(img);
}

tp_code tp_image_new(tp_image **out, int w, int h, tp_err *err)
{
	if (w < 1 || h < 1 || w > TP_MAX_SIDE || h > TP_MAX_SIDE)
		return tp_fail(err, TP_EINVAL, "image of %d x %d pixels: sides are 1..%d", w, h, TP_MAX_SIDE);
	size_t size = (size_t)w * (size_t)h * 3;
	tp_image *img = tp_calloc(1, sizeof *img);
	if (!img)
		return tp_nomem(err, sizeof *img);
	img->w = w;
	img->h = h;
	img->px = tp_calloc(size, 1);
	if (!img->px) {
		tp_image_free(img);
		return tp_nomem(err, size);
	}
	*out = img;
	return TP_OK;
}

tp_code tp_image_fit(tp_image *img, int w, int h, tp_err *err)
{
	if (img->px && img->w == w && img->h == h)
		return TP_OK;
	tp_image *fresh = NULL;
	tp_code rc = tp_image_new(&fresh, w, h, err);
	if (rc)
		return rc;
	tp_free(img->px);
	*img = *fresh;
	tp_free(fresh);
	return TP_OK;
}

static const tp_decoder *find(const void *bytes, size_t len)
{
	for (int i = 0; bytes && i < N_DECODERS; i++)
		if (decoders[i]->sniff(bytes, len))
			return decoders[i];
	return NULL;
}

tp_image_kind tp_image_sniff(const void *bytes, size_t len)
{
	const tp_decoder *d = find(bytes, len);
	return d ? d->kind : TP_KIND_UNKNOWN;
}

const char *tp_image_kind_name(tp_image_kind kind)
{
	for (int i = 0; i < N_DECODERS; i++)
		if (decoders[i]->kind == kind)
			return decoders[i]->name;
	return "unknown";
}

static tp_code probe(const tp_decoder **dec, tp_image_info *info, const void *bytes, size_t len, tp_err *err)
{
	const tp_decoder *d = find(bytes, len);
	if (!d)
		return tp_fail(err, TP_EFORMAT, "not a JPEG, PNG, WebP or HEIC image (%zu bytes)", len);
	*info = (tp_image_info){ .kind = d->kind, .orientation = 1 };
	tp_code rc = d->probe(info, bytes, len, err);
	if (rc)
		return tp_context(err, rc, "%s: ", d->name);
	if (info->w < 1 || info->h < 1)
		return tp_fail(err, TP_EFORMAT, "%s: size %d x %d", d->name, info->w, info->h);
	*dec = d;
	return TP_OK;
}

tp_code tp_image_probe(tp_image_info *out, const void *bytes, size_t len, tp_err *err)
{
	const tp_decoder *d;
	tp_image_info info;
	tp_code rc = probe(&d, &info, bytes, len, err);
	if (!rc)
		*out = info;
	return rc;
}

tp_code tp_image_check_need(const tp_image_info *info, int out_w, int out_h, uint64_t need,
	const tp_decode_opts *opts, tp_err *err)
{
	uint64_t rgb = (uint64_t)out_w * (uint64_t)out_h * 3;
	/* Mirrors and half turns happen in place; quarter turns need the picture twice, but by then the
	 * decoder's own memory is gone. */
	if (info->orientation > 4 && need < 2 * rgb)
		need = 2 * rgb;
	if (need > opts->max_bytes)
		return tp_fail(err, TP_ELIMIT, "%d x %d pixels need %llu bytes, the limit is %zu", info->w,
			info->h, (unsigned long long)need, opts->max_bytes);
	if (info->w > TP_MAX_SIDE || info->h > TP_MAX_SIDE)
		return tp_fail(err, TP_ELIMIT, "%d x %d pixels: the limit is %d a side", info->w, info->h,
			TP_MAX_SIDE);
	return TP_OK;
}

tp_code tp_image_cut(tp_err *err, const char *why, int rows, int h)
{
	if (rows <= 0)
		return tp_fail(err, TP_EFORMAT, "%s: no row of %d could be read", why, h);
	return tp_fail(err, TP_EFORMAT, "%s: rows 0..%d of %d could be read", why, rows - 1, h);
}

void tp_image_grey_from(tp_image *img, int row)
{
	size_t stride = (size_t)img->w * 3;
	if (row < img->h)
		memset(img->px + (size_t)row * stride, 128, (size_t)(img->h - row) * stride);
}

void tp_image_over_white(uint8_t *rgb, const uint8_t *rgba, size_t n_pixels)
{
	for (size_t i = 0; i < n_pixels; i++, rgb += 3, rgba += 4) {
		unsigned a = rgba[3];
		for (int c = 0; c < 3; c++)
			rgb[c] = (uint8_t)((rgba[c] * a + 255 * (255 - a) + 127) / 255);
	}
}

static void swap_pixels(uint8_t *a, uint8_t *b)
{
	for (int c = 0; c < 3; c++) {
		uint8_t t = a[c];
		a[c] = b[c];
		b[c] = t;
	}
}

void tp_image_mirror(tp_image *img)
{
	for (int y = 0; y < img->h; y++) {
		uint8_t *l = img->px + (size_t)y * (size_t)img->w * 3, *r = l + ((size_t)img->w - 1) * 3;
		for (; l < r; l += 3, r -= 3)
			swap_pixels(l, r);
	}
}

void tp_image_half_turn(tp_image *img)
{
	uint8_t *l = img->px, *r = l + ((size_t)img->w * (size_t)img->h - 1) * 3;
	for (; l < r; l += 3, r -= 3)
		swap_pixels(l, r);
}

/* dst(x, y) = src(y, x) */
static tp_code transpose(tp_image **img, tp_err *err)
{
	tp_image *src = *img, *dst = NULL;
	tp_code rc = tp_image_new(&dst, src->h, src->w, err);
	if (rc)
		return rc;
	enum { TILE = 16 }; /* both sides of the copy stay in the first cache */
	for (int y0 = 0; y0 < src->h; y0 += TILE) {
		for (int x = 0; x < src->w; x++) {
			const uint8_t *s = src->px + ((size_t)y0 * (size_t)src->w + (size_t)x) * 3;
			uint8_t *d = dst->px + ((size_t)x * (size_t)dst->w + (size_t)y0) * 3;
			for (int y = y0; y < src->h && y < y0 + TILE; y++, d += 3, s += (size_t)src->w * 3)
				memcpy(d, s, 3);
		}
	}
	tp_image_free(src);
	*img = dst;
	return TP_OK;
}

/* EXIF: 2 mirrored, 3 half turn, 4 upside down mirrored, 5 transposed, 6 to be turned clockwise, 7 transposed
 * over the other diagonal, 8 to be turned anticlockwise. */
static tp_code turn(tp_image **img, int orientation, tp_err *err)
{
	if (orientation > 4) {
		tp_code rc = transpose(img, err);
		if (rc)
			return rc;
	}
	switch (orientation) {
	case 2:
	case 6:
		tp_image_mirror(*img);
		break;
	case 3:
	case 7:
		tp_image_half_turn(*img);
		break;
	case 4:
	case 8:
		tp_image_mirror(*img);
		tp_image_half_turn(*img);
		break;
	default:
		break;
	}
	return TP_OK;
}

tp_code tp_image_decode(
	tp_image **out, const void *bytes, size_t len, const tp_decode_opts *opts, tp_err *err)
{
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	const tp_decoder *d;
	tp_image_info info;
	tp_image *img = NULL;
	if (opts)
		o = *opts;
	tp_code rc = probe(&d, &info, bytes, len, err);
	if (rc)
		return rc;
	rc = d->decode(&img, bytes, len, &info, &o, err);
	if (!rc)
		rc = turn(&img, info.orientation, err);
	if (rc) {
		tp_image_free(img);
		return tp_context(err, rc, "%s: ", d->name);
	}
	*out = img;
	return TP_OK;
}
