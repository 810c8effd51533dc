/* JPEG out: pixels and nothing else, no metadata. 4:2:0, optimised Huffman tables. */
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h> /* after jpeglib.h: its list depends on what the library was built with */

#include "image/image_int.h"

enum { CHUNK = 1 << 14 };

typedef struct {
	struct jpeg_error_mgr mgr; /* first: libjpeg's err pointer is ours */
	struct jpeg_compress_struct c;
	struct jpeg_destination_mgr dest;
	jmp_buf jump;
	tp_buf *buf;
	const tp_image *img;
	int quality;
	tp_code rc;
	tp_err *err;
	uint8_t chunk[CHUNK];
} jpeg_enc;

static void leave(jpeg_enc *e, tp_code rc)
{
	e->rc = rc;
	longjmp(e->jump, 1);
}

static void on_error(j_common_ptr c)
{
	jpeg_enc *e = (jpeg_enc *)c->err;
	char msg[JMSG_LENGTH_MAX];
	c->err->format_message(c, msg);
	tp_code code = c->err->msg_code == JERR_OUT_OF_MEMORY ? TP_ENOMEM : TP_EBACKEND;
	leave(e, tp_fail(e->err, code, "JPEG: %s", msg));
}

static void on_message(j_common_ptr c, int level)
{
	(void)c;
	(void)level;
}

static void dest_init(j_compress_ptr c)
{
	jpeg_enc *e = (jpeg_enc *)c->err;
	c->dest->next_output_byte = e->chunk;
	c->dest->free_in_buffer = CHUNK;
}

static void flush(jpeg_enc *e, size_t n)
{
	tp_code rc = tp_buf_add(e->buf, e->chunk, n, e->err);
	if (rc)
		leave(e, rc);
}

static boolean dest_full(j_compress_ptr c)
{
	flush((jpeg_enc *)c->err, CHUNK);
	dest_init(c);
	return TRUE;
}

static void dest_end(j_compress_ptr c)
{
	flush((jpeg_enc *)c->err, CHUNK - c->dest->free_in_buffer);
}

static void write_all(jpeg_enc *e)
{
	jpeg_create_compress(&e->c);
	e->dest = (struct jpeg_destination_mgr){
		.init_destination = dest_init, .empty_output_buffer = dest_full, .term_destination = dest_end
	};
	e->c.dest = &e->dest;
	e->c.image_width = (JDIMENSION)e->img->w;
	e->c.image_height = (JDIMENSION)e->img->h;
	e->c.input_components = 3;
	e->c.in_color_space = JCS_RGB;
	jpeg_set_defaults(&e->c); /* 4:2:0 */
	jpeg_set_quality(&e->c, e->quality, TRUE);
	e->c.optimize_coding = TRUE;
	jpeg_start_compress(&e->c, TRUE);
	while (e->c.next_scanline < e->c.image_height) {
		JSAMPROW row = e->img->px + (size_t)e->c.next_scanline * (size_t)e->img->w * 3;
		jpeg_write_scanlines(&e->c, &row, 1);
	}
	jpeg_finish_compress(&e->c);
}

static bool guarded(jpeg_enc *e)
{
	if (setjmp(e->jump))
		return false;
	write_all(e);
	return true;
}

tp_code tp_image_encode_jpeg(tp_buf *buf, const tp_image *img, int quality, tp_err *err)
{
	if (quality < 1 || quality > 100)
		return tp_fail(err, TP_EINVAL, "JPEG quality %d: 1..100", quality);
	if (img->w > JPEG_MAX_DIMENSION || img->h > JPEG_MAX_DIMENSION)
		return tp_fail(err, TP_EINVAL, "JPEG of %d x %d pixels: sides are 1..%ld", img->w, img->h,
			JPEG_MAX_DIMENSION);
	size_t start = buf->len;
	jpeg_enc e = { .buf = buf, .img = img, .quality = quality, .err = err };
	e.c.err = jpeg_std_error(&e.mgr);
	e.mgr.error_exit = on_error;
	e.mgr.emit_message = on_message;
	if (!guarded(&e) && buf->ptr) { /* half a photo is none */
		buf->len = start;
		buf->ptr[start] = 0;
	}
	jpeg_destroy_compress(&e.c);
	return e.rc;
}
