/* HEIC (phones' HEIF) through libheif, where it was there at build time. libheif turns and mirrors by itself, so
 * orientation stays 1 and w, h are those of the turned picture; the EXIF inside is not asked.
 * A HEIC photo is all or nothing: there are no rows to save from a damaged one. */
#include <string.h>

#include "base/mem.h"
#include "image/image_int.h"
#ifdef TP_HAVE_HEIF
#include <libheif/heif.h>
#endif

static bool sniff(const uint8_t *p, size_t n)
{
	static const char brands[][5] = { "heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1" };
	if (n < 12 || memcmp(p + 4, "ftyp", 4) != 0)
		return false;
	for (size_t i = 0; i < sizeof brands / sizeof *brands; i++)
		if (!memcmp(p + 8, brands[i], 4))
			return true;
	return false;
}

#ifdef TP_HAVE_HEIF

static tp_code heif_failed(tp_err *err, struct heif_error e)
{
	tp_code rc = e.code == heif_error_Memory_allocation_error ? TP_ENOMEM : TP_EFORMAT;
	if (e.code == heif_error_Unsupported_feature || e.code == heif_error_Unsupported_filetype)
		rc = TP_EBACKEND;
	if (e.subcode == heif_suberror_Security_limit_exceeded)
		rc = TP_ELIMIT;
	return tp_fail(err, rc, "%s", e.message);
}

static tp_code open_first(
	struct heif_context **ctx, struct heif_image_handle **h, const uint8_t *p, size_t n, tp_err *err)
{
	*ctx = heif_context_alloc();
	if (!*ctx)
		return tp_fail(err, TP_ENOMEM, "out of memory");
	heif_context_set_maximum_image_size_limit(*ctx, 1 << 14);
	heif_context_set_max_decoding_threads(*ctx, 0); /* callers bring their own threads */
	struct heif_error e = heif_context_read_from_memory_without_copy(*ctx, p, n, NULL);
	if (!e.code)
		e = heif_context_get_primary_image_handle(*ctx, h);
	return e.code ? heif_failed(err, e) : TP_OK;
}

static void drop(struct heif_context *ctx, struct heif_image_handle *h)
{
	if (h)
		heif_image_handle_release(h);
	if (ctx)
		heif_context_free(ctx);
}

static tp_code probe(tp_image_info *info, const uint8_t *p, size_t n, tp_err *err)
{
	struct heif_context *ctx = NULL;
	struct heif_image_handle *h = NULL;
	tp_code rc = open_first(&ctx, &h, p, n, err);
	if (!rc) {
		info->w = heif_image_handle_get_width(h);
		info->h = heif_image_handle_get_height(h);
	}
	drop(ctx, h);
	return rc;
}

static tp_code copy_pixels(
	tp_image **out, const struct heif_image *pic, const tp_image_info *info, bool alpha, tp_err *err)
{
	int stride = 0;
	const uint8_t *px = heif_image_get_plane_readonly(pic, heif_channel_interleaved, &stride);
	int w = heif_image_get_width(pic, heif_channel_interleaved);
	int h = heif_image_get_height(pic, heif_channel_interleaved);
	if (!px || w != info->w || h != info->h || stride < w * (alpha ? 4 : 3))
		return tp_fail(err, TP_EFORMAT, "%d x %d pixels where %d x %d were promised", w, h, info->w,
			info->h);
	tp_image *img = NULL;
	tp_code rc = tp_image_new(&img, w, h, err);
	if (rc)
		return rc;
	for (int y = 0; y < h; y++, px += stride) {
		uint8_t *dst = img->px + (size_t)y * (size_t)w * 3;
		if (alpha)
			tp_image_over_white(dst, px, (size_t)w);
		else
			memcpy(dst, px, (size_t)w * 3);
	}
	*out = img;
	return TP_OK;
}

static tp_code decode_handle(tp_image **out, struct heif_image_handle *h, const tp_image_info *info,
	const tp_decode_opts *opts, tp_err *err)
{
	bool alpha = heif_image_handle_has_alpha_channel(h);
	int bits = heif_image_handle_get_luma_bits_per_pixel(h);
	/* planes, their RGB and our copy: 8 bytes a pixel, doubled above 8 bits */
	uint64_t each = (alpha ? 10 : 8) * (bits > 8 ? 2 : 1);
	uint64_t need = (uint64_t)info->w * (uint64_t)info->h * each;
	tp_code rc = tp_image_check_need(info, info->w, info->h, need, opts, err);
	if (rc)
		return rc;
	struct heif_image *pic = NULL;
	struct heif_error e = heif_decode_image(h, &pic, heif_colorspace_RGB,
		alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, NULL);
	rc = e.code ? heif_failed(err, e) : copy_pixels(out, pic, info, alpha, err);
	if (pic)
		heif_image_release(pic);
	return rc;
}

static tp_code decode(tp_image **out, const uint8_t *p, size_t n, const tp_image_info *info,
	const tp_decode_opts *opts, tp_err *err)
{
	struct heif_context *ctx = NULL;
	struct heif_image_handle *h = NULL;
	tp_code rc = open_first(&ctx, &h, p, n, err);
	if (!rc)
		rc = decode_handle(out, h, info, opts, err);
	drop(ctx, h);
	return rc;
}

#else

static tp_code no_heif(tp_err *err)
{
	return tp_fail(err, TP_EBACKEND, "this build has no libheif; send a JPEG");
}

static tp_code probe(tp_image_info *info, const uint8_t *p, size_t n, tp_err *err)
{
	(void)info;
	(void)p;
	(void)n;
	return no_heif(err);
}

static tp_code decode(tp_image **out, const uint8_t *p, size_t n, const tp_image_info *info,
	const tp_decode_opts *opts, tp_err *err)
{
	(void)out;
	(void)p;
	(void)n;
	(void)info;
	(void)opts;
	return no_heif(err);
}

#endif

const tp_decoder tp_decode_heif = { TP_KIND_HEIC, "HEIC", sniff, probe, decode };
