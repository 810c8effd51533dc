/* WebP through libwebp, lossy and lossless; transparency over white. Animations are refused by name. */
#include <string.h>

#include <webp/decode.h>

#include "base/mem.h"
#include "image/image_int.h"

enum { ROW_COST = 256 }; /* bytes of libwebp's row caches a pixel of width, generously */

static bool sniff(const uint8_t *p, size_t n)
{
	return n >= 12 && !memcmp(p, "RIFF", 4) && !memcmp(p + 8, "WEBP", 4);
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static int orientation(const uint8_t *p, size_t n)
{
	for (size_t at = 12; n - at >= 8;) {
		size_t len = le32(p + at + 4);
		if (len > n - at - 8)
			break;
		if (!memcmp(p + at, "EXIF", 4)) {
			const uint8_t *tiff = p + at + 8;
			bool named =
				len >= 6 && !memcmp(tiff, "Exif\0", 6); /* some writers keep JPEG's prefix */
			return tp_exif_orientation(tiff + (named ? 6 : 0), len - (named ? 6 : 0));
		}
		len += len & 1;
		if (len > n - at - 8)
			break;
		at += 8 + len;
	}
	return 1;
}

static tp_code features(WebPBitstreamFeatures *f, const uint8_t *p, size_t n, tp_err *err)
{
	VP8StatusCode s = WebPGetFeatures(p, n, f);
	if (s == VP8_STATUS_NOT_ENOUGH_DATA)
		return tp_fail(err, TP_EFORMAT, "truncated in the header (%zu bytes)", n);
	if (s != VP8_STATUS_OK)
		return tp_fail(err, TP_EFORMAT, "broken header (status %d)", (int)s);
	if (f->has_animation)
		return tp_fail(err, TP_EFORMAT, "an animation, not a photo");
	return TP_OK;
}

static tp_code probe(tp_image_info *info, const uint8_t *p, size_t n, tp_err *err)
{
	WebPBitstreamFeatures f;
	tp_code rc = features(&f, p, n, err);
	if (rc)
		return rc;
	info->w = f.width;
	info->h = f.height;
	info->orientation = orientation(p, n);
	return TP_OK;
}

/* Rows that are whole come back in *rows; TP_EFORMAT when that is not all of them. */
static tp_code read_pixels(uint8_t *px, size_t stride, int *rows, const uint8_t *p, size_t n,
	const WebPBitstreamFeatures *f, tp_err *err)
{
	WebPDecoderConfig c;
	if (!WebPInitDecoderConfig(&c))
		return tp_fail(err, TP_EBACKEND, "libwebp is of another version than its header");
	c.output.colorspace = f->has_alpha ? MODE_RGBA : MODE_RGB;
	c.output.is_external_memory = 1;
	c.output.u.RGBA.rgba = px;
	c.output.u.RGBA.stride = (int)stride;
	c.output.u.RGBA.size = stride * (size_t)f->height;
	WebPIDecoder *dec = WebPIDecode(NULL, 0, &c);
	if (!dec)
		return tp_fail(err, TP_ENOMEM, "out of memory");
	VP8StatusCode s = WebPIUpdate(dec, p, n);
	tp_code rc = TP_OK;
	int last = 0;
	if (s == VP8_STATUS_OUT_OF_MEMORY) {
		rc = tp_fail(err, TP_ENOMEM, "out of memory");
	} else if (s != VP8_STATUS_OK) {
		if (!WebPIDecGetRGB(dec, &last, NULL, NULL, NULL))
			last = 0;
		rc = tp_image_cut(err, s == VP8_STATUS_SUSPENDED ? "truncated" : "damaged", last, f->height);
	}
	*rows = rc ? last : f->height;
	WebPIDelete(dec);
	WebPFreeDecBuffer(&c.output);
	return rc;
}

static uint64_t need_of(const WebPBitstreamFeatures *f)
{
	uint64_t w = (uint64_t)f->width, area = w * (uint64_t)f->height;
	uint64_t need = area * 3 + w * ROW_COST;
	if (f->has_alpha)
		need += area * 4;
	/* Lossless pixels and the alpha plane are unpacked whole: 4 bytes a pixel and a little. */
	if (f->has_alpha || f->format != 1)
		need += area * 5;
	return need;
}

static tp_code decode(tp_image **out, const uint8_t *p, size_t n, const tp_image_info *info,
	const tp_decode_opts *opts, tp_err *err)
{
	WebPBitstreamFeatures f;
	tp_image *img = NULL;
	uint8_t *rgba = NULL;
	int rows = 0;
	tp_code rc = features(&f, p, n, err);
	if (!rc)
		rc = tp_image_check_need(info, f.width, f.height, need_of(&f), opts, err);
	if (!rc)
		rc = tp_image_new(&img, f.width, f.height, err);
	if (rc)
		return rc;
	size_t stride = (size_t)f.width * (f.has_alpha ? 4 : 3), size = stride * (size_t)f.height;
	if (f.has_alpha && !(rgba = tp_calloc(size, 1)))
		rc = tp_nomem(err, size);
	if (!rc)
		rc = read_pixels(rgba ? rgba : img->px, stride, &rows, p, n, &f, err);
	if (rc == TP_EFORMAT && opts->allow_partial)
		rc = TP_OK;
	if (!rc) {
		if (rgba)
			tp_image_over_white(img->px, rgba, (size_t)img->w * (size_t)rows);
		tp_image_grey_from(img, rows);
		*out = img;
		img = NULL;
	}
	tp_free(rgba);
	tp_image_free(img);
	return rc;
}

const tp_decoder tp_decode_webp = { TP_KIND_WEBP, "WebP", sniff, probe, decode };
