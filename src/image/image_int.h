/* Inside src/image/ only: what a decoder is, and the pieces that decoders share. */
#ifndef TP_IMAGE_INT_H
#define TP_IMAGE_INT_H

#include "base/limits.h"
#include "image/augment.h"
#include "image/image.h"

/* One format: a file of its own and a line in the table of image.c.
 * sniff   looks at the first bytes, never fails.
 * probe   fills w, h, orientation (it starts as 1) and progressive; kind is set already.
 * decode  gives the picture as stored: the orientation of the probe is applied by the caller, who has checked
 *         that the turned copy fits into max_bytes. */
typedef struct {
	tp_image_kind kind;
	const char *name;
	bool (*sniff)(const uint8_t *p, size_t n);
	tp_code (*probe)(tp_image_info *info, const uint8_t *p, size_t n, tp_err *err);
	tp_code (*decode)(tp_image **out, const uint8_t *p, size_t n, const tp_image_info *info,
		const tp_decode_opts *opts, tp_err *err);
} tp_decoder;

extern const tp_decoder tp_decode_jpeg, tp_decode_png, tp_decode_webp, tp_decode_heif;

/* A JPEG as it is stored: luma and two planes of colour (or luma alone, when it is grey), full size or less, without the
 * upsampling and the conversion that make pixels of them. A pixel x, y has its colour at x * across / of, y * down / of.
 * n 0: it is not stored so (CMYK, RGB, luma of lower resolution, an EXIF orientation): decode it. Free px with
 * tp_free(). */
typedef struct {
	int n, w, h, full_w, full_h;
	struct {
		const uint8_t *px;
		size_t stride;
		int across, down, of_w, of_h;
	} plane[3];
	uint8_t *px; /* of all planes */
} tp_planes;
/* Errors, also for what is cut off or damaged: those of tp_image_decode() in other words. */
TP_CHECKED tp_code tp_jpeg_planes(
	tp_planes *out, const uint8_t *p, size_t n, const tp_decode_opts *opts, tp_err *err);

/* TP_ELIMIT, naming size, need and limit, when `need` bytes (or the turn after it) do not fit; out_w x out_h is
 * the picture that comes out. */
TP_CHECKED tp_code tp_image_check_need(const tp_image_info *info, int out_w, int out_h, uint64_t need,
	const tp_decode_opts *opts, tp_err *err);

/* TP_EFORMAT that says how far a damaged photo could be read: rows 0..rows-1 of h. */
tp_code tp_image_cut(tp_err *err, const char *why, int rows, int h);
/* What could not be read is grey 128. */
void tp_image_grey_from(tp_image *img, int row);

/* One row of RGBA over white. */
void tp_image_over_white(uint8_t *rgb, const uint8_t *rgba, size_t n_pixels);

/* Orientation 1..8 from a TIFF block (what follows "Exif\0\0"); 1 when there is none or it is nonsense. */
int tp_exif_orientation(const uint8_t *p, size_t n);

/* What a worker keeps from photo to photo so that a photo costs no allocation: blocks that only grow, the view
 * being made, the bytes of the JPEG step. Starts as {0}. */
typedef enum { TP_BLOCK_WEIGHTS, TP_BLOCK_TAPS_X, TP_BLOCK_TAPS_Y, TP_BLOCK_STRIP, TP_BLOCKS } tp_block;
struct tp_scratch {
	struct {
		void *p;
		size_t cap;
	} block[TP_BLOCKS];
	tp_image view;
	tp_buf jpeg;
	tp_augment_times times;
};
void *tp_scratch_get(tp_scratch *s, tp_block block, size_t size); /* NULL: out of memory. Not zeroed */
void tp_scratch_dispose(tp_scratch *s);

/* A separable filter along one axis: for output i, weights k[i * ksize ..] with TP_TAP_BITS fractional bits over
 * n[i] inputs from first[i]. The memory is a block of the scratch. */
enum { TP_TAP_BITS = 32 - 8 - 2 };
typedef struct {
	int ksize, len;
	int *first, *n;
	int32_t *k;
	int16_t *q; /* k once more, in halves: what tp_pass_across() fills in for its loop */
} tp_taps;
TP_CHECKED tp_code tp_taps_room(tp_taps *t, tp_scratch *s, tp_block block, int len, int ksize, tp_err *err);
/* Fills in q from k. */
void tp_taps_pair(const tp_taps *t);
/* Rows y0..y1-1 of src to dst, whose rows are t->len pixels. */
void tp_pass_across(uint8_t *dst, const tp_image *src, const tp_taps *t, int y0, int y1);
/* Rows of `width` samples, the first of them being row y0, to t->len rows. */
void tp_pass_down(
	uint8_t *dst, const uint8_t *src, size_t src_stride, size_t width, const tp_taps *t, int y0);

/* The part x, y, w x h of what resizing `box` of src (NULL: all of it) to full_w x full_h would give; only that
 * is computed. */
typedef struct {
	int full_w, full_h, x, y, w, h;
} tp_region;
TP_CHECKED tp_code tp_resize_region(tp_image **out, const tp_image *src, const tp_region *r, tp_filter filter,
	const tp_box *box, tp_err *err);
/* The same into an image that is there: its pixels are kept when they have the size, else made anew. */
TP_CHECKED tp_code tp_resize_into(tp_image *dst, const tp_image *src, const tp_region *r, tp_filter filter,
	const tp_box *box, tp_scratch *s, tp_err *err);
TP_CHECKED tp_code tp_image_fit(tp_image *img, int w, int h, tp_err *err);

/* The steps of tp_prep_image(): the region its fit asks for, and side x side pixels to floats. */
tp_region tp_prep_region(const tp_prep *p, const tp_image *img);
void tp_prep_floats(float *out, const tp_prep *p, const tp_image *view);

void tp_image_mirror(tp_image *img);    /* left for right */
void tp_image_half_turn(tp_image *img); /* upside down */

/* Colours as torchvision's adjust_* on float pictures, in the order given; results rounded to 8 bits once. */
void tp_jitter(tp_image *img, const tp_augment_params *d);
/* Gaussian of a standard deviation in pixels, borders mirrored. */
TP_CHECKED tp_code tp_blur(tp_image *img, float sigma, tp_scratch *s, tp_err *err);
/* A square turned anticlockwise by degrees about its centre, bilinear, borders mirrored. */
TP_CHECKED tp_code tp_rotate(tp_image *img, float degrees, tp_scratch *s, tp_err *err);

#endif
