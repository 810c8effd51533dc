/* Photos: bytes from outside in, an 8-bit sRGB picture or the tensor a network reads out.
 * There is one decoder, one resize and one normalisation; training, evaluation, CLI and server all call
 * tp_prep_photo() with the tp_prep that the model file carries.
 * Threads: every function here is pure; any thread. */
#ifndef TP_IMAGE_IMAGE_H
#define TP_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* px: u8 sRGB, HWC, rows without gaps, w * h * 3 bytes. Owned by the image. */
typedef struct {
	int w, h;
	uint8_t *px;
} tp_image;

void tp_image_free(tp_image *img); /* NULL is fine */
TP_CHECKED tp_code tp_image_new(
	tp_image **out, int w, int h, tp_err *err); /* zeroed; 1..TP_MAX_SIDE a side */

typedef enum { TP_KIND_UNKNOWN, TP_KIND_JPEG, TP_KIND_PNG, TP_KIND_WEBP, TP_KIND_HEIC } tp_image_kind;
tp_image_kind tp_image_sniff(const void *bytes, size_t len); /* looks at the first bytes, never fails */
const char *tp_image_kind_name(tp_image_kind kind);          /* "JPEG", ...; "unknown" */

/* What the header says, before any pixel is allocated. w and h are as stored; orientation (EXIF, 1..8) is not
 * applied. TP_EFORMAT when the kind is unknown or the header is broken; HEIC without libheif is TP_EBACKEND. */
typedef struct {
	tp_image_kind kind;
	int w, h, orientation;
	bool progressive; /* JPEG: needs all coefficients in memory */
} tp_image_info;
TP_CHECKED tp_code tp_image_probe(tp_image_info *out, const void *bytes, size_t len, tp_err *err);

typedef struct {
	int min_side; /* JPEG: decode at 1/2, 1/4 or 1/8 while the short side stays >= this; 0 = full size */
	size_t max_bytes;   /* memory the decode may take, output included; default TP_MAX_DECODE */
	bool allow_partial; /* a truncated photo gives the rows that could be read (the rest is grey 128) */
} tp_decode_opts;
#define TP_DECODE_OPTS_INIT                                                                                  \
	{                                                                                                    \
		.max_bytes = 256u << 20                                                                      \
	}

/* Decodes JPEG (grey, YCbCr, CMYK, YCCK; any coding), PNG (all colour types; alpha over white), WebP, HEIC;
 * applies the EXIF orientation. The kind comes from the bytes.
 * out   the caller frees with tp_image_free(). Untouched on error.
 * opts  NULL: the defaults.
 * Errors  TP_EFORMAT (not an image; damaged, with the row it broke off at), TP_ELIMIT (would need more than
 *         max_bytes: said from the header), TP_EBACKEND (HEIC and no libheif), TP_ENOMEM. */
TP_CHECKED tp_code tp_image_decode(
	tp_image **out, const void *bytes, size_t len, const tp_decode_opts *opts, tp_err *err);

typedef enum { TP_BILINEAR, TP_BICUBIC } tp_filter;

/* Antialiased resize of a part of src (x0, y0, x1, y1 in source pixels, may be fractional) to w x h: what
 * Pillow's resize((w, h), filter, box) gives. Source: Pillow 9.4, src/libImaging/Resample.c describes the sums;
 * tests/golden/resize_* come from it. */
typedef struct {
	double x0, y0, x1, y1;
} tp_box;
TP_CHECKED tp_code tp_image_resize(
	tp_image **out, const tp_image *src, int w, int h, tp_filter filter, const tp_box *box, tp_err *err);

/* JPEG without any metadata, appended to buf. quality 1..100. */
TP_CHECKED tp_code tp_image_encode_jpeg(tp_buf *buf, const tp_image *img, int quality, tp_err *err);
/* PNG, 8-bit RGB, without any metadata, appended to buf. */
TP_CHECKED tp_code tp_image_encode_png(tp_buf *buf, const tp_image *img, tp_err *err);

/* The preprocessing of a model: a value, stored in the model file and read back from it.
 * TP_FIT_CROP     scale so that the short side is `resize`, then cut the centre side x side.
 * TP_FIT_STRETCH  scale to side x side whatever the shape. */
typedef enum { TP_FIT_CROP, TP_FIT_STRETCH } tp_fit;
typedef struct {
	int side;   /* pixels the network reads, 32..1024 */
	int resize; /* short side before the crop; >= side (TP_FIT_CROP only) */
	tp_fit fit;
	tp_filter filter;
	float mean[3], std[3]; /* on 0..255: (x - mean) / std, RGB order */
	bool bgr;              /* the planes are blue, green, red */
} tp_prep;

/* TP_EINVAL, naming the member, for a preparation that cannot be. The functions below ask it too. */
TP_CHECKED tp_code tp_prep_check(const tp_prep *p, tp_err *err);
/* Picture to tensor. out: float, CHW, 3 * side * side values. */
TP_CHECKED tp_code tp_prep_image(float *out, const tp_prep *p, const tp_image *img, tp_err *err);
/* Bytes to tensor: decode (scaled where that is cheap), orient, resize, crop, normalise. */
TP_CHECKED tp_code tp_prep_photo(float *out, const tp_prep *p, const void *bytes, size_t len, tp_err *err);

#endif
