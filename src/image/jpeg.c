/* JPEG through libjpeg-turbo: baseline, progressive, arithmetic; grey, YCbCr, RGB, CMYK and YCCK.
 * libjpeg leaves by longjmp. All that a step changes lives in jpeg_dec, which belongs to the caller of the
 * function that calls setjmp, so nothing is lost or freed twice.
 * Full-size results are those of libjpeg's defaults (exact integer transform, smooth chroma upsampling). */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h> /* after jpeglib.h: its list depends on what the library was built with */

#include "base/mem.h"
#include "image/image_int.h"

enum {
	MAX_SCANS = 100, /* ordinary progressive photos have about 10 */
	ROW_COST = 256,  /* bytes of libjpeg's row buffers a pixel of width, generously */
};

typedef struct {
	struct jpeg_error_mgr mgr; /* first: libjpeg's err pointer is ours */
	struct jpeg_decompress_struct c;
	struct jpeg_progress_mgr progress;
	jmp_buf jump;
	const uint8_t *p;
	size_t n;
	const tp_image_info *info;
	const tp_decode_opts *opts;
	tp_image *img;
	uint8_t *cmyk; /* one row */
	tp_planes *planes;
	tp_image_info own_info;
	bool started; /* past the header */
	bool damaged;
	int rows; /* rows that are whole: all until damage says otherwise */
	char why[128];
	tp_code rc;
	tp_err *err;
} jpeg_dec;

static void leave(jpeg_dec *d, tp_code rc)
{
	d->rc = rc;
	longjmp(d->jump, 1);
}

static void on_error(j_common_ptr c)
{
	jpeg_dec *d = (jpeg_dec *)c->err;
	char msg[JMSG_LENGTH_MAX];
	c->err->format_message(c, msg);
	switch (c->err->msg_code) {
	case JERR_OUT_OF_MEMORY:
		leave(d, tp_fail(d->err, TP_ENOMEM, "%s", msg));
		break;
	case JERR_NO_BACKING_STORE:
		leave(d, tp_fail(d->err, TP_ELIMIT, "needs more than the limit of %ld bytes",
				 c->mem->max_memory_to_use));
		break;
	default:
		leave(d, tp_fail(d->err, TP_EFORMAT, "%s", msg));
	}
}

/* Which warnings mean that pixels are missing. Stray bytes before a marker harm nothing. */
static bool is_damage(jpeg_dec *d, int code)
{
	switch (code) {
	case JWRN_HIT_MARKER:
	case JWRN_HUFF_BAD_CODE:
	case JWRN_ARITH_BAD_CODE:
	case JWRN_MUST_RESYNC:
		return true;
	case JWRN_JPEG_EOF: /* a missing end marker alone harms a photo of one scan not at all */
		return jpeg_has_multiple_scans(&d->c);
	default:
		return false;
	}
}

static void on_message(j_common_ptr c, int level)
{
	jpeg_dec *d = (jpeg_dec *)c->err;
	if (level >= 0 || !d->started || d->damaged || !is_damage(d, c->err->msg_code))
		return;
	d->damaged = true;
	bool cut = c->err->msg_code == JWRN_HIT_MARKER || c->err->msg_code == JWRN_JPEG_EOF;
	char msg[JMSG_LENGTH_MAX];
	c->err->format_message(c, msg);
	int tall = d->c.max_v_samp_factor * d->c.min_DCT_scaled_size;
	int rows = (int)d->c.input_iMCU_row * tall;
	if (d->c.max_v_samp_factor > 1 && rows > 0)
		rows--; /* smooth upsampling lets the missing chroma below into the last row */
	if (d->c.input_scan_number > 1 && jpeg_has_multiple_scans(&d->c)) {
		rows = (int)d->c.output_height;
		snprintf(d->why, sizeof d->why, "%s in scan %d, coarse pixels only",
			cut ? "truncated" : "damaged", d->c.input_scan_number);
	} else {
		snprintf(d->why, sizeof d->why, "%s%s%.80s%s", cut ? "truncated" : "damaged", cut ? "" : " (",
			cut ? "" : msg, cut ? "" : ")");
	}
	d->rows = rows < (int)d->c.output_height ? rows : (int)d->c.output_height;
	if (!d->opts || !d->opts->allow_partial)
		leave(d, tp_image_cut(d->err, d->why, d->rows, (int)d->c.output_height));
}

static void on_progress(j_common_ptr c)
{
	jpeg_dec *d = (jpeg_dec *)c->err;
	if (d->c.input_scan_number > MAX_SCANS)
		leave(d, tp_fail(d->err, TP_ELIMIT, "more than %d scans", MAX_SCANS));
}

static bool guarded(jpeg_dec *d, void (*step)(jpeg_dec *))
{
	if (setjmp(d->jump))
		return false;
	step(d);
	return true;
}

static void read_header(jpeg_dec *d)
{
	jpeg_create_decompress(&d->c);
	jpeg_mem_src(&d->c, d->p, (unsigned long)d->n);
	jpeg_read_header(&d->c, TRUE);
}

/* Walks the markers before the picture; libjpeg would have to store whole APP1 segments for us. */
static int orientation(const uint8_t *p, size_t n)
{
	size_t at = 2;
	while (at + 4 <= n && p[at] == 0xff) {
		unsigned m = p[at + 1];
		if (m == 0xff) { /* fill byte */
			at++;
			continue;
		}
		size_t len = (size_t)p[at + 2] << 8 | p[at + 3];
		if (m == 0xda || m == 0xd9 || len < 2 || len > n - at - 2)
			return 1;
		if (m == 0xe1 && len >= 8 && !memcmp(p + at + 4, "Exif\0", 6))
			return tp_exif_orientation(p + at + 10, len - 8);
		at += 2 + len;
	}
	return 1;
}

static bool sniff(const uint8_t *p, size_t n)
{
	return n >= 3 && p[0] == 0xff && p[1] == 0xd8 && p[2] == 0xff;
}

static void init(jpeg_dec *d, const uint8_t *p, size_t n, tp_err *err)
{
	d->p = p;
	d->n = n;
	d->err = err;
	d->c.err = jpeg_std_error(&d->mgr);
	d->mgr.error_exit = on_error;
	d->mgr.emit_message = on_message;
}

static tp_code probe(tp_image_info *info, const uint8_t *p, size_t n, tp_err *err)
{
	jpeg_dec d = { 0 };
	init(&d, p, n, err);
	if (guarded(&d, read_header)) {
		info->w = (int)d.c.image_width;
		info->h = (int)d.c.image_height;
		info->progressive = d.c.progressive_mode;
		info->orientation = orientation(p, n);
	}
	jpeg_destroy_decompress(&d.c);
	return d.rc;
}

static uint64_t need_of(jpeg_dec *d)
{
	struct jpeg_decompress_struct *c = &d->c;
	uint64_t need =
		(uint64_t)c->output_width * c->output_height * 3 + (uint64_t)c->image_width * ROW_COST;
	if (!jpeg_has_multiple_scans(c))
		return need;
	for (int i = 0; i < c->num_components; i++) {
		const jpeg_component_info *k = &c->comp_info[i];
		/* whole interleaved units are stored */
		uint64_t wide = k->width_in_blocks + (unsigned)k->h_samp_factor;
		uint64_t tall = k->height_in_blocks + (unsigned)k->v_samp_factor;
		need += wide * tall * sizeof(JBLOCK);
	}
	return need;
}

/* The smallest of 1/8, 1/4, 1/2, 1 whose short side is still min_side. */
static void choose_scale(jpeg_dec *d)
{
	unsigned min = d->opts->min_side > 0 ? (unsigned)d->opts->min_side : 0;
	d->c.scale_num = 1;
	for (unsigned s = min ? 8 : 1; s >= 1; s /= 2) {
		d->c.scale_denom = s;
		jpeg_calc_output_dimensions(&d->c);
		if (d->c.output_width >= min && d->c.output_height >= min)
			break;
	}
}

static void plan(jpeg_dec *d)
{
	struct jpeg_decompress_struct *c = &d->c;
	read_header(d);
	bool four = c->num_components == 4;
	c->out_color_space = four ? JCS_CMYK : JCS_RGB;
	c->dct_method = JDCT_ISLOW;
	c->do_fancy_upsampling = TRUE;
	choose_scale(d);
	int w = (int)c->output_width, h = (int)c->output_height;
	tp_code rc = tp_image_check_need(d->info, w, h, need_of(d), d->opts, d->err);
	if (!rc)
		rc = tp_image_new(&d->img, w, h, d->err);
	if (!rc && four && !(d->cmyk = tp_alloc((size_t)w * 4)))
		rc = tp_nomem(d->err, (size_t)w * 4);
	if (rc)
		leave(d, rc);
	d->rows = h;
	c->mem->max_memory_to_use = (long)d->opts->max_bytes;
	d->progress.progress_monitor = on_progress;
	c->progress = &d->progress;
}

/* Photos store CMYK inverted, as Adobe does: 255 is no ink. */
static void cmyk_row(uint8_t *rgb, const uint8_t *cmyk, int w)
{
	for (int x = 0; x < w; x++, rgb += 3, cmyk += 4) {
		unsigned light = cmyk[3];
		for (int i = 0; i < 3; i++) {
			unsigned t = (255u - cmyk[i]) * light + 128;
			rgb[i] = (uint8_t)(light - (((t >> 8) + t) >> 8));
		}
	}
}

static void read_rows(jpeg_dec *d)
{
	struct jpeg_decompress_struct *c = &d->c;
	d->started = true;
	jpeg_start_decompress(c);
	while ((int)c->output_scanline < d->rows) {
		JSAMPROW dst = d->img->px + (size_t)c->output_scanline * (size_t)d->img->w * 3;
		JSAMPROW row = d->cmyk ? d->cmyk : dst;
		if (jpeg_read_scanlines(c, &row, 1) == 1 && d->cmyk)
			cmyk_row(dst, d->cmyk, d->img->w);
	}
}

/* After a fatal error in the middle: what was read stands, when the caller wants it. */
static tp_code after_failure(jpeg_dec *d)
{
	int rows = (int)d->c.output_scanline;
	if (d->rc != TP_EFORMAT || d->damaged || !rows)
		return d->rc;
	if (d->opts->allow_partial) {
		d->rows = rows;
		d->damaged = true;
		return d->rc = TP_OK;
	}
	char msg[JMSG_LENGTH_MAX];
	d->mgr.format_message((j_common_ptr)&d->c, msg);
	return tp_image_cut(d->err, msg, rows, (int)d->c.output_height);
}

static tp_code decode(tp_image **out, const uint8_t *p, size_t n, const tp_image_info *info,
	const tp_decode_opts *opts, tp_err *err)
{
	jpeg_dec d = { .info = info, .opts = opts };
	init(&d, p, n, err);
	if (guarded(&d, plan) && !guarded(&d, read_rows))
		d.rc = after_failure(&d);
	if (!d.rc) {
		tp_image_grey_from(d.img, d.rows);
		*out = d.img;
		d.img = NULL;
	}
	jpeg_destroy_decompress(&d.c);
	tp_free(d.cmyk);
	tp_image_free(d.img);
	return d.rc;
}

/* ---- planes ---- */

/* Luma with a value for each pixel, and colours in planes of their own. */
static bool is_plain(const struct jpeg_decompress_struct *c)
{
	const jpeg_component_info *y = &c->comp_info[0];
	bool grey = c->num_components == 1 && c->jpeg_color_space == JCS_GRAYSCALE;
	bool colour = c->num_components == 3 && c->jpeg_color_space == JCS_YCbCr;
	return (grey || colour) && y->h_samp_factor == c->max_h_samp_factor &&
	       y->v_samp_factor == c->max_v_samp_factor && y->DCT_scaled_size == c->min_DCT_scaled_size;
}

/* Whole blocks, as the decoder writes them. */
static size_t wide_of(const jpeg_component_info *k)
{
	return (size_t)k->width_in_blocks * (size_t)k->DCT_scaled_size;
}

static size_t tall_of(const struct jpeg_decompress_struct *c, const jpeg_component_info *k)
{
	return (size_t)c->total_iMCU_rows * (size_t)(k->v_samp_factor * k->DCT_scaled_size);
}

static void lay_planes(jpeg_dec *d)
{
	struct jpeg_decompress_struct *c = &d->c;
	tp_planes *out = d->planes;
	size_t size = 0;
	for (int i = 0; i < c->num_components; i++)
		size += wide_of(&c->comp_info[i]) * tall_of(c, &c->comp_info[i]);
	if (!(out->px = tp_alloc(size)))
		leave(d, tp_nomem(d->err, size));
	size = 0;
	for (int i = 0; i < c->num_components; i++) {
		const jpeg_component_info *k = &c->comp_info[i];
		out->plane[i].px = out->px + size;
		out->plane[i].stride = wide_of(k);
		out->plane[i].across = k->h_samp_factor * k->DCT_scaled_size;
		out->plane[i].down = k->v_samp_factor * k->DCT_scaled_size;
		out->plane[i].of_w = c->max_h_samp_factor * c->min_DCT_scaled_size;
		out->plane[i].of_h = c->max_v_samp_factor * c->min_DCT_scaled_size;
		size += wide_of(k) * tall_of(c, k);
	}
	out->n = c->num_components;
	out->w = (int)c->output_width, out->h = (int)c->output_height;
	out->full_w = (int)c->image_width, out->full_h = (int)c->image_height;
}

static void plan_planes(jpeg_dec *d)
{
	struct jpeg_decompress_struct *c = &d->c;
	read_header(d);
	if (orientation(d->p, d->n) != 1)
		return;
	c->out_color_space = c->jpeg_color_space;
	c->dct_method = JDCT_ISLOW;
	c->raw_data_out = TRUE;
	choose_scale(d);
	if (!is_plain(c))
		return;
	d->own_info = (tp_image_info){ .kind = TP_KIND_JPEG,
		.w = (int)c->image_width,
		.h = (int)c->image_height,
		.orientation = 1,
		.progressive = c->progressive_mode };
	tp_code rc = tp_image_check_need(
		&d->own_info, (int)c->output_width, (int)c->output_height, need_of(d), d->opts, d->err);
	if (rc)
		leave(d, rc);
	d->rows = (int)c->output_height;
	c->mem->max_memory_to_use = (long)d->opts->max_bytes;
	d->progress.progress_monitor = on_progress;
	c->progress = &d->progress;
	lay_planes(d);
}

static void read_planes(jpeg_dec *d)
{
	enum { MAX_ROWS = 4 * 16 }; /* of a component in one step: sampling factors go to 4, blocks to 16 */
	struct jpeg_decompress_struct *c = &d->c;
	JSAMPROW row[3][MAX_ROWS];
	JSAMPARRAY array[3] = { row[0], row[1], row[2] };
	tp_planes *out = d->planes;
	d->started = true;
	jpeg_start_decompress(c);
	for (size_t step = 0; c->output_scanline < c->output_height; step++) {
		for (int i = 0; i < out->n; i++) {
			size_t n = (size_t)out->plane[i].down;
			for (size_t k = 0; k < n && k < MAX_ROWS; k++)
				row[i][k] = (JSAMPROW)(uintptr_t)(out->plane[i].px +
								  (step * n + k) * out->plane[i].stride);
		}
		jpeg_read_raw_data(c, array, (JDIMENSION)(c->max_v_samp_factor * c->min_DCT_scaled_size));
	}
}

tp_code tp_jpeg_planes(tp_planes *out, const uint8_t *p, size_t n, const tp_decode_opts *opts, tp_err *err)
{
	jpeg_dec d = { .opts = opts, .planes = out };
	*out = (tp_planes){ 0 };
	init(&d, p, n, err);
	d.info = &d.own_info;
	if (guarded(&d, plan_planes) && out->n && !guarded(&d, read_planes))
		d.rc = after_failure(&d);
	jpeg_destroy_decompress(&d.c);
	if (d.rc) {
		tp_free(out->px);
		*out = (tp_planes){ 0 };
	}
	return d.rc;
}

const tp_decoder tp_decode_jpeg = { TP_KIND_JPEG, "JPEG", sniff, probe, decode };
