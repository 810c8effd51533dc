/* PNG through libpng: every colour type to 8-bit RGB. 16-bit samples keep their high byte; transparency goes
 * over white; gamma and colour profiles are not applied (photos are taken as sRGB).
 * libpng leaves by longjmp; all state lives in png_dec, which belongs to the caller of the function that calls
 * setjmp. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

#include "base/mem.h"
#include "image/image_int.h"

enum {
	MAX_CHUNKS = 64,           /* ancillary chunks kept; ordinary photos have a handful */
	MAX_CHUNK_BYTES = 1 << 20, /* memory one ancillary chunk may take, unpacked */
	READ_BYTES = 256,          /* of pixels at once */
	FIXED_COST = 1 << 18,      /* bytes for zlib's window and libpng's structures */
};

typedef struct {
	jmp_buf jump;
	png_structp png;
	png_infop head;
	const uint8_t *p;
	size_t n, at;
	const tp_image_info *info;
	const tp_decode_opts *opts;
	tp_image *img;
	uint8_t *rgba; /* a row, or all rows when interlaced; only with transparency */
	bool alpha, interlaced, eof, nomem, reading;
	int rows; /* rows that are whole */
	char why[128];
	tp_code rc;
	tp_err *err;
} png_dec;

static void leave(png_dec *d, tp_code rc)
{
	d->rc = rc;
	longjmp(d->jump, 1);
}

static void on_error(png_structp png, png_const_charp msg)
{
	png_dec *d = png_get_error_ptr(png);
	if (d->nomem)
		leave(d, tp_fail(d->err, TP_ENOMEM, "out of memory"));
	if (d->eof)
		snprintf(d->why, sizeof d->why, "truncated");
	else
		snprintf(d->why, sizeof d->why, "damaged (%.100s)", msg);
	if (d->reading)
		leave(d, tp_image_cut(d->err, d->why, d->rows, d->info->h));
	leave(d, tp_fail(d->err, TP_EFORMAT, "%s in the header", d->why));
}

static void on_warning(png_structp png, png_const_charp msg)
{
	(void)png;
	(void)msg;
}

static void *on_alloc(png_structp png, png_alloc_size_t size)
{
	png_dec *d = png_get_mem_ptr(png);
	void *p = tp_alloc(size);
	if (!p)
		d->nomem = true;
	return p;
}

static void on_free(png_structp png, void *p)
{
	(void)png;
	tp_free(p);
}

static void on_read(png_structp png, uint8_t *dst, size_t n)
{
	png_dec *d = png_get_io_ptr(png);
	if (n > d->n - d->at) {
		d->eof = true;
		png_error(png, "no more bytes");
	}
	memcpy(dst, d->p + d->at, n);
	d->at += n;
}

static bool guarded(png_dec *d, void (*step)(png_dec *))
{
	if (setjmp(d->jump))
		return false;
	step(d);
	if (d->nomem) /* libpng goes on without a chunk that found no memory; a photo is whole or refused */
		d->rc = tp_fail(d->err, TP_ENOMEM, "out of memory");
	return !d->rc;
}

static void read_header(png_dec *d)
{
	static const uint8_t unread[] = "iCCP\0iTXt\0zTXt\0tEXt\0sPLT"; /* may unpack to anything */
	d->png = png_create_read_struct_2(
		PNG_LIBPNG_VER_STRING, d, on_error, on_warning, d, on_alloc, on_free);
	if (!d->png)
		leave(d, tp_fail(d->err, TP_ENOMEM, "out of memory"));
	d->head = png_create_info_struct(d->png);
	if (!d->head)
		leave(d, tp_fail(d->err, TP_ENOMEM, "out of memory"));
	png_set_read_fn(d->png, d, on_read);
	/* A read that does not fit into the file is lost: in small reads, little of a truncated photo is. */
	png_set_compression_buffer_size(d->png, READ_BYTES);
	png_set_user_limits(d->png, 0x7fffffff, 0x7fffffff); /* check_need() says it better */
	png_set_chunk_cache_max(d->png, MAX_CHUNKS);
	png_set_chunk_malloc_max(d->png, MAX_CHUNK_BYTES);
	png_set_keep_unknown_chunks(d->png, PNG_HANDLE_CHUNK_NEVER, unread, 5);
	png_set_crc_action(d->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
	png_read_info(d->png, d->head);
}

static void drop(png_dec *d)
{
	png_destroy_read_struct(&d->png, d->head ? &d->head : NULL, NULL);
	tp_free(d->rgba);
	tp_image_free(d->img);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* eXIf may also stand behind the pixels, where reading the header does not come. */
static int orientation(const uint8_t *p, size_t n)
{
	for (size_t at = 8; n - at >= 12;) {
		size_t len = be32(p + at);
		if (len > n - at - 12)
			break;
		if (!memcmp(p + at + 4, "eXIf", 4))
			return tp_exif_orientation(p + at + 8, len);
		at += 12 + len;
	}
	return 1;
}

static bool sniff(const uint8_t *p, size_t n)
{
	return n >= 8 && !memcmp(p, "\x89PNG\r\n\x1a\n", 8);
}

static tp_code probe(tp_image_info *info, const uint8_t *p, size_t n, tp_err *err)
{
	png_dec d = { .p = p, .n = n, .err = err };
	if (guarded(&d, read_header)) {
		info->w = (int)png_get_image_width(d.png, d.head);
		info->h = (int)png_get_image_height(d.png, d.head);
		info->orientation = orientation(p, n);
	}
	drop(&d);
	return d.rc;
}

static void to_rgb8(png_dec *d)
{
	int type = png_get_color_type(d->png, d->head);
	bool trns = png_get_valid(d->png, d->head, PNG_INFO_tRNS);
	d->alpha = trns || (type & PNG_COLOR_MASK_ALPHA);
	png_set_expand(d->png);
	png_set_strip_16(d->png);
	if (!(type & PNG_COLOR_MASK_COLOR))
		png_set_gray_to_rgb(d->png);
	d->interlaced = png_get_interlace_type(d->png, d->head) != PNG_INTERLACE_NONE;
	if (d->interlaced)
		png_set_interlace_handling(d->png);
}

static void plan(png_dec *d)
{
	read_header(d);
	to_rgb8(d);
	uint64_t w = (uint64_t)d->info->w, h = (uint64_t)d->info->h;
	uint64_t extra = !d->alpha ? 0 : d->interlaced ? w * h * 4 : w * 4;
	/* libpng keeps three rows of up to 8 bytes a pixel */
	uint64_t need = w * h * 3 + extra + w * 24 + FIXED_COST;
	tp_code rc = tp_image_check_need(d->info, (int)w, (int)h, need, d->opts, d->err);
	if (!rc)
		rc = tp_image_new(&d->img, (int)w, (int)h, d->err);
	if (!rc && extra && !(d->rgba = tp_calloc(extra, 1)))
		rc = tp_nomem(d->err, extra);
	if (rc)
		leave(d, rc);
	png_read_update_info(d->png, d->head);
	if (png_get_rowbytes(d->png, d->head) != w * (d->alpha ? 4 : 3))
		leave(d, tp_fail(d->err, TP_EFORMAT, "%zu bytes in a row of %d pixels",
				 (size_t)png_get_rowbytes(d->png, d->head), (int)w));
}

static void read_rows(png_dec *d)
{
	size_t w = (size_t)d->img->w;
	d->reading = true;
	for (int y = 0; y < d->img->h; y++, d->rows = y) {
		uint8_t *dst = d->img->px + (size_t)y * w * 3;
		png_read_row(d->png, d->alpha ? d->rgba : dst, NULL);
		if (d->alpha)
			tp_image_over_white(dst, d->rgba, w);
	}
	png_read_end(d->png, NULL);
}

/* Seven passes; each fills what it knows as blocks, so after the first there is a coarse whole. */
static void read_passes(png_dec *d)
{
	size_t stride = (size_t)d->img->w * (d->alpha ? 4 : 3);
	uint8_t *all = d->alpha ? d->rgba : d->img->px;
	d->reading = true;
	for (int pass = 0; pass < 7; pass++) {
		for (int y = 0; y < d->img->h; y++) {
			png_read_row(d->png, NULL, all + (size_t)y * stride);
			if (!pass)
				d->rows = y + 1;
		}
	}
	png_read_end(d->png, NULL);
}

static tp_code decode(tp_image **out, const uint8_t *p, size_t n, const tp_image_info *info,
	const tp_decode_opts *opts, tp_err *err)
{
	png_dec d = { .p = p, .n = n, .info = info, .opts = opts, .err = err };
	if (guarded(&d, plan) && !guarded(&d, d.interlaced ? read_passes : read_rows) && d.rc == TP_EFORMAT &&
		opts->allow_partial)
		d.rc = TP_OK;
	if (!d.rc) {
		if (d.alpha && d.interlaced)
			tp_image_over_white(d.img->px, d.rgba, (size_t)d.img->w * (size_t)d.rows);
		tp_image_grey_from(d.img, d.rows);
		*out = d.img;
		d.img = NULL;
	}
	drop(&d);
	return d.rc;
}

const tp_decoder tp_decode_png = { TP_KIND_PNG, "PNG", sniff, probe, decode };
