/* Contact sheets and PNG out. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "image/sheet.h"
#include "t.h"

static tp_image *filled(int w, int h, uint8_t r, uint8_t g, uint8_t b)
{
	tp_image *img = NULL;
	if (tp_image_new(&img, w, h, NULL))
		return NULL;
	for (int i = 0; i < w * h; i++) {
		img->px[i * 3] = r;
		img->px[i * 3 + 1] = g;
		img->px[i * 3 + 2] = b;
	}
	return img;
}

static int is(const tp_image *img, int x, int y, int r, int g, int b)
{
	const uint8_t *p = img->px + (y * img->w + x) * 3;
	CHECK(p[0] == r && p[1] == g && p[2] == b, "at %d,%d: %d %d %d, want %d %d %d", x, y, p[0], p[1],
		p[2], r, g, b);
	return 0;
}

static int test_png_out_and_in(void)
{
	tp_image *img = filled(37, 23, 0, 0, 0), *back = NULL;
	tp_err err = { 0 };
	tp_buf buf;
	CHECK(img, "no memory");
	for (int i = 0; i < 37 * 23 * 3; i++)
		img->px[i] = (uint8_t)((unsigned)i * 2654435761u >> 13);
	tp_buf_init(&buf, 1 << 20);
	CHECK_OK(tp_image_encode_png(&buf, img, &err), err);
	CHECK_OK(tp_image_decode(&back, buf.ptr, buf.len, NULL, &err), err);
	CHECK(back->w == 37 && back->h == 23 && !memcmp(back->px, img->px, 37 * 23 * 3), "other pixels");
	tp_image_free(back);
	tp_buf_dispose(&buf);
	tp_buf_init(&buf, 100); /* too small: nothing half done */
	CHECK_OK(tp_buf_adds(&buf, "before", &err), err);
	CHECK(tp_image_encode_png(&buf, img, &err) == TP_ELIMIT, "%s", err.msg);
	CHECK(buf.len == 6, "%zu bytes", buf.len);
	tp_buf_dispose(&buf);
	tp_image_free(img);
	return 0;
}

/* Two columns of 20 with a margin of 3: red fills its cell, blue is wide, green small, the last is missing. */
static int test_places(void)
{
	tp_image *red = filled(40, 40, 255, 0, 0), *blue = filled(40, 20, 0, 0, 255);
	tp_image *green = filled(4, 6, 0, 255, 0), *sheet = NULL;
	const tp_image *cells[] = { red, NULL, blue, green, red };
	tp_sheet_opts o = TP_SHEET_OPTS_INIT;
	tp_err err = { 0 };
	tp_buf buf;
	o.columns = 2, o.cell = 20, o.margin = 3, o.kind = TP_KIND_PNG;
	tp_buf_init(&buf, 1 << 20);
	CHECK(red && blue && green, "no memory");
	CHECK_OK(tp_contact_sheet(&buf, cells, 5, &o, &err), err);
	CHECK_OK(tp_image_decode(&sheet, buf.ptr, buf.len, NULL, &err), err);
	CHECK(sheet->w == 3 + 2 * 23 && sheet->h == 3 + 3 * 23, "%d x %d", sheet->w, sheet->h);
	CHECK(!is(sheet, 2, 2, 255, 255, 255) && !is(sheet, 3, 3, 255, 0, 0), "corner");
	CHECK(!is(sheet, 22, 22, 255, 0, 0) && !is(sheet, 23, 22, 255, 255, 255), "far corner");
	CHECK(!is(sheet, 36, 13, 255, 255, 255), "nothing");
	CHECK(!is(sheet, 3, 30, 255, 255, 255) && !is(sheet, 3, 31, 0, 0, 255), "above blue");
	CHECK(!is(sheet, 22, 40, 0, 0, 255) && !is(sheet, 22, 41, 255, 255, 255), "below blue");
	CHECK(!is(sheet, 34, 33, 0, 255, 0) && !is(sheet, 37, 38, 0, 255, 0), "green");
	CHECK(!is(sheet, 33, 33, 255, 255, 255) && !is(sheet, 38, 33, 255, 255, 255), "beside green");
	CHECK(!is(sheet, 3, 49, 255, 0, 0), "last row");
	tp_buf_dispose(&buf);
	tp_buf_init(&buf, 1 << 20);
	o.kind = TP_KIND_JPEG;
	CHECK_OK(tp_contact_sheet(&buf, cells, 5, &o, &err), err);
	CHECK(tp_image_sniff(buf.ptr, buf.len) == TP_KIND_JPEG, "no JPEG");
	tp_buf_dispose(&buf);
	tp_image_free(red);
	tp_image_free(blue);
	tp_image_free(green);
	tp_image_free(sheet);
	return 0;
}

static int test_refuses(void)
{
	tp_image *img = filled(8, 8, 1, 2, 3);
	const tp_image *cells[] = { img };
	tp_sheet_opts bad[4] = { TP_SHEET_OPTS_INIT, TP_SHEET_OPTS_INIT, TP_SHEET_OPTS_INIT,
		TP_SHEET_OPTS_INIT };
	tp_err err = { 0 };
	tp_buf buf;
	bad[0].columns = 0, bad[1].cell = 15, bad[2].margin = 65, bad[3].kind = TP_KIND_WEBP;
	tp_buf_init(&buf, 1 << 20);
	for (int i = 0; i < 4; i++)
		CHECK(tp_contact_sheet(&buf, cells, 1, &bad[i], &err) == TP_EINVAL, "case %d", i);
	CHECK(tp_contact_sheet(&buf, cells, 0, NULL, &err) == TP_EINVAL, "no cells");
	CHECK(tp_contact_sheet(&buf, NULL, 1000000, NULL, &err) == TP_ELIMIT, "giant");
	CHECK(!buf.len, "%zu bytes", buf.len);
	tp_image_free(img);
	return 0;
}

static int test_survives_any_failed_allocation(void)
{
	tp_image *img = filled(50, 40, 1, 2, 3);
	const tp_image *cells[] = { img, img };
	tp_sheet_opts o = TP_SHEET_OPTS_INIT;
	o.cell = 16, o.kind = TP_KIND_PNG;
	CHECK(img, "no memory");
	long live = tp_mem_live();
	for (int n = 1;; n++) {
		tp_buf buf;
		tp_buf_init(&buf, 1 << 20);
		tp_mem_fail_at(n);
		tp_code rc = tp_contact_sheet(&buf, cells, 2, &o, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(rc == (failed ? TP_ENOMEM : TP_OK), "%d: %s", n, tp_code_name(rc));
		tp_buf_dispose(&buf);
		CHECK(tp_mem_live() == live, "%d: %ld left", n, tp_mem_live() - live);
		if (!failed)
			break;
	}
	tp_image_free(img);
	return 0;
}

int main(void)
{
	return RUN(T(test_png_out_and_in), T(test_places), T(test_refuses),
		T(test_survives_any_failed_allocation));
}
