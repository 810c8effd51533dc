/* Contact sheet: see sheet.h. */
#include "image/sheet.h"

#include <math.h>
#include <string.h>

#include "image/image_int.h"

static tp_code check(const tp_sheet_opts *o, size_t n, tp_err *err)
{
	if (!n)
		return tp_fail(err, TP_EINVAL, "a sheet of no pictures");
	if (o->columns < 1 || o->columns > 64)
		return tp_fail(err, TP_EINVAL, "sheet.columns %d: 1..64", o->columns);
	if (o->cell < 16 || o->cell > 1024)
		return tp_fail(err, TP_EINVAL, "sheet.cell %d: 16..1024", o->cell);
	if (o->margin < 0 || o->margin > 64)
		return tp_fail(err, TP_EINVAL, "sheet.margin %d: 0..64", o->margin);
	if (o->kind != TP_KIND_JPEG && o->kind != TP_KIND_PNG)
		return tp_fail(err, TP_EINVAL, "sheet.kind %s: JPEG or PNG", tp_image_kind_name(o->kind));
	return TP_OK;
}

static tp_code blank(tp_image **out, const tp_sheet_opts *o, size_t n, tp_err *err)
{
	size_t columns = (size_t)o->columns, pitch = (size_t)(o->cell + o->margin);
	size_t rows = (n + columns - 1) / columns;
	columns = n < columns ? n : columns;
	if (rows > TP_MAX_SIDE / pitch - 1 || rows * columns * pitch * pitch * 3 > TP_MAX_DECODE)
		return tp_fail(err, TP_ELIMIT, "a sheet of %zu pictures of %d pixels: the limit is %d bytes",
			n, o->cell, TP_MAX_DECODE);
	size_t w = columns * pitch + (size_t)o->margin, h = rows * pitch + (size_t)o->margin;
	tp_code rc = tp_image_new(out, (int)w, (int)h, err);
	if (!rc)
		memset((*out)->px, o->grey, w * h * 3);
	return rc;
}

/* src into the cell whose corner is x, y. */
static tp_code place(tp_image *sheet, const tp_image *src, int x, int y, int cell, tp_image *small,
	tp_scratch *s, tp_err *err)
{
	double scale = fmin(1, (double)cell / (src->w > src->h ? src->w : src->h));
	int w = (int)fmax(1, rint(src->w * scale)), h = (int)fmax(1, rint(src->h * scale));
	tp_region r = { w, h, 0, 0, w, h };
	tp_code rc = tp_resize_into(small, src, &r, TP_BICUBIC, NULL, s, err);
	if (rc)
		return rc;
	x += (cell - w) / 2;
	y += (cell - h) / 2;
	for (int i = 0; i < h; i++)
		memcpy(sheet->px + ((size_t)(y + i) * (size_t)sheet->w + (size_t)x) * 3,
			small->px + (size_t)i * (size_t)w * 3, (size_t)w * 3);
	return TP_OK;
}

static tp_code fill(
	tp_image *sheet, const tp_image *const *cells, size_t n, const tp_sheet_opts *o, tp_err *err)
{
	tp_scratch *s = NULL;
	tp_image *small = NULL;
	tp_code rc = tp_scratch_new(&s, err);
	if (!rc)
		rc = tp_image_new(&small, 1, 1, err);
	for (size_t i = 0; i < n && !rc; i++) {
		int column = (int)(i % (size_t)o->columns), row = (int)(i / (size_t)o->columns);
		int x = o->margin + column * (o->cell + o->margin),
		    y = o->margin + row * (o->cell + o->margin);
		if (cells[i])
			rc = place(sheet, cells[i], x, y, o->cell, small, s, err);
	}
	tp_image_free(small);
	tp_scratch_free(s);
	return rc;
}

tp_code tp_contact_sheet(
	tp_buf *buf, const tp_image *const *cells, size_t n, const tp_sheet_opts *opts, tp_err *err)
{
	tp_sheet_opts o = TP_SHEET_OPTS_INIT;
	tp_image *sheet = NULL;
	if (opts)
		o = *opts;
	tp_code rc = check(&o, n, err);
	if (!rc)
		rc = blank(&sheet, &o, n, err);
	if (!rc)
		rc = fill(sheet, cells, n, &o, err);
	if (!rc && o.kind == TP_KIND_JPEG)
		rc = tp_image_encode_jpeg(buf, sheet, o.quality, err);
	else if (!rc)
		rc = tp_image_encode_png(buf, sheet, err);
	tp_image_free(sheet);
	return rc;
}
