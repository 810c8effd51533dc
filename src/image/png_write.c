/* PNG out: 8-bit RGB and nothing else, no metadata. libpng leaves by longjmp: see png.c. */
#include <setjmp.h>
#include <stdio.h>

#include <png.h>

#include "base/mem.h"
#include "image/image_int.h"

typedef struct {
	jmp_buf jump;
	png_structp png;
	png_infop head;
	tp_buf *buf;
	const tp_image *img;
	bool nomem;
	tp_code rc;
	tp_err *err;
} png_enc;

static void leave(png_enc *e, tp_code rc)
{
	e->rc = rc;
	longjmp(e->jump, 1);
}

static void on_error(png_structp png, png_const_charp msg)
{
	png_enc *e = png_get_error_ptr(png);
	if (e->nomem)
		leave(e, tp_fail(e->err, TP_ENOMEM, "out of memory"));
	leave(e, tp_fail(e->err, TP_EBACKEND, "PNG: %.100s", msg));
}

static void on_warning(png_structp png, png_const_charp msg)
{
	(void)png;
	(void)msg;
}

/* NULL and not a jump: zlib frees what it had before it fails. */
static void *on_alloc(png_structp png, png_alloc_size_t size)
{
	png_enc *e = png_get_mem_ptr(png);
	void *p = tp_alloc(size);
	if (!p)
		e->nomem = true;
	return p;
}

static void on_free(png_structp png, void *p)
{
	(void)png;
	tp_free(p);
}

static void on_write(png_structp png, uint8_t *p, size_t n)
{
	png_enc *e = png_get_io_ptr(png);
	tp_code rc = tp_buf_add(e->buf, p, n, e->err);
	if (rc)
		leave(e, rc);
}

static void on_flush(png_structp png)
{
	(void)png;
}

static void write_all(png_enc *e)
{
	const tp_image *img = e->img;
	e->png = png_create_write_struct_2(
		PNG_LIBPNG_VER_STRING, e, on_error, on_warning, e, on_alloc, on_free);
	if (e->png)
		e->head = png_create_info_struct(e->png);
	if (!e->head)
		leave(e, tp_fail(e->err, TP_ENOMEM, "out of memory"));
	png_set_write_fn(e->png, e, on_write, on_flush);
	png_set_IHDR(e->png, e->head, (png_uint_32)img->w, (png_uint_32)img->h, 8, PNG_COLOR_TYPE_RGB,
		PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(e->png, e->head);
	for (int y = 0; y < img->h; y++)
		png_write_row(e->png, img->px + (size_t)y * (size_t)img->w * 3);
	png_write_end(e->png, e->head);
}

static bool guarded(png_enc *e)
{
	if (setjmp(e->jump))
		return false;
	write_all(e);
	return true;
}

tp_code tp_image_encode_png(tp_buf *buf, const tp_image *img, tp_err *err)
{
	size_t start = buf->len;
	png_enc e = { .buf = buf, .img = img, .err = err };
	if (!guarded(&e) && buf->ptr) { /* half a picture is none */
		buf->len = start;
		buf->ptr[start] = 0;
	}
	png_destroy_write_struct(&e.png, e.head ? &e.head : NULL);
	return e.rc;
}
