/* Inside src/image/ only: what a decoder is, and the pieces that decoders share. */
#ifndef TP_IMAGE_INT_H
#define TP_IMAGE_INT_H

#include "base/limits.h"
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

/* The part rx, ry, rw x rh of what resizing `box` of src to full_w x full_h would give; only that is computed. */
typedef struct {
	int full_w, full_h, x, y, w, h;
} tp_region;
TP_CHECKED tp_code tp_resize_region(tp_image **out, const tp_image *src, const tp_region *r, tp_filter filter,
	const tp_box *box, tp_err *err);

#endif
