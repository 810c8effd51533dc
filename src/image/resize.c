/* Antialiased resize, horizontal pass then vertical, 8 bits between them: the sums of Pillow 9.4
 * (src/libImaging/Resample.c), so that its models see the same pixels here. Weights are normalised as doubles,
 * then rounded to 22 fractional bits; with 8-bit pixels and overshoot they fit 32 bits. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "image/pixels.h"

enum { BITS = TP_TAP_BITS };

static double bilinear(double x)
{
	x = fabs(x);
	return x < 1 ? 1 - x : 0;
}

static double bicubic(double x)
{
	const double a = -0.5;
	x = fabs(x);
	if (x < 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	if (x < 2)
		return (((x - 5) * x + 8) * x - 4) * a;
	return 0;
}

typedef struct {
	double (*fn)(double);
	double support; /* at scale 1 */
	int in;         /* pixels of the source side */
	double x0, x1;  /* the part of it that is read */
	int out;        /* pixels of the whole result side */
} axis;

static int taps_one(int32_t *k, double *w, int *n, const axis *a, int i)
{
	double scale = (a->x1 - a->x0) / a->out, wide = scale < 1 ? 1 : scale;
	double support = a->support * wide, center = a->x0 + (i + 0.5) * scale, sum = 0, inv = 1 / wide;
	int lo = (int)(center - support + 0.5), hi = (int)(center + support + 0.5);
	lo = lo < 0 ? 0 : lo;
	hi = hi > a->in ? a->in : hi;
	for (int x = lo; x < hi; x++) {
		w[x - lo] = a->fn((x - center + 0.5) * inv);
		sum += w[x - lo];
	}
	for (int x = 0; x < hi - lo; x++) {
		double v = (sum != 0 ? w[x] / sum : w[x]) * (1 << BITS);
		k[x] = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
	}
	*n = hi - lo;
	return lo;
}

tp_code tp_taps_room(tp_taps *t, tp_scratch *s, tp_block block, int len, int ksize, tp_err *err)
{
	size_t all = (size_t)len * (size_t)ksize, halves = (size_t)len * (size_t)((ksize + 3) / 4 * 8);
	size_t size =
		all * sizeof *t->k + (size_t)len * (sizeof *t->first + sizeof *t->n) + halves * sizeof *t->q;
	int32_t *p = tp_scratch_get(s, block, size);
	if (!p)
		return tp_nomem(err, size);
	*t = (tp_taps){ .ksize = ksize, .len = len, .k = p, .first = p + all, .n = p + all + len };
	t->q = (int16_t *)(p + all + 2 * len);
	return TP_OK;
}

/* Weights for outputs from .. from + len - 1 of the axis. */
static tp_code taps_make(
	tp_taps *t, tp_scratch *s, tp_block block, const axis *a, int from, int len, tp_err *err)
{
	double scale = (a->x1 - a->x0) / a->out, wide = scale < 1 ? 1 : scale;
	int ksize = (int)ceil(a->support * wide) * 2 + 1;
	double *w = tp_scratch_get(s, TP_BLOCK_WEIGHTS, (size_t)ksize * sizeof *w);
	if (!w)
		return tp_nomem(err, (size_t)ksize * sizeof *w);
	tp_code rc = tp_taps_room(t, s, block, len, ksize, err);
	for (int i = 0; i < len && !rc; i++)
		t->first[i] = taps_one(t->k + (size_t)i * (size_t)ksize, w, &t->n[i], a, from + i);
	return rc;
}

/* The weights in halves of 15 bits, in fours: what vector loops of 16-bit products take. */
void tp_taps_pair(const tp_taps *t)
{
	int groups = (t->ksize + 3) / 4;
	int16_t *q = t->q;
	for (int i = 0; i < t->len; i++)
		for (int j = 0; j < groups * 4; j++) {
			int32_t k = j < t->n[i] ? t->k[i * t->ksize + j] : 0;
			int16_t *at = q + ((size_t)i * (size_t)groups + (size_t)j / 4) * 8 + j % 4;
			at[0] = (int16_t)(k & 32767);
			at[4] = (int16_t)(k >> 15);
		}
}

void tp_pass_down(uint8_t *dst, const uint8_t *src, size_t src_stride, size_t width, const tp_taps *t, int y0)
{
	for (int i = 0; i < t->len; i++)
		tp_pixels()->down(dst + (size_t)i * width, src + (size_t)(t->first[i] - y0) * src_stride,
			src_stride, width, t->k + (size_t)i * (size_t)t->ksize, t->n[i]);
}

/* Rows y0..y1-1 of src to `dst`, whose rows are t->len pixels. */
void tp_pass_across(uint8_t *dst, const tp_image *src, const tp_taps *t, int y0, int y1)
{
	const tp_pixel_loops *p = tp_pixels();
	size_t row = (size_t)src->w * 3;
	tp_taps_pair(t);
	for (int y = y0; y < y1; y++, dst += (size_t)t->len * 3)
		p->across(dst, src->px + (size_t)y * row, row * (size_t)(src->h - y), t);
}

/* Rows of src that the vertical taps read. */
static void rows_read(const tp_taps *v, int *y0, int *y1)
{
	*y0 = v->first[0];
	*y1 = v->first[v->len - 1] + v->n[v->len - 1];
}

/* An axis that keeps its size is only an offset: its pass is left out. */
static tp_code both_passes(tp_image *dst, const tp_image *src, const tp_taps *h, const tp_taps *v,
	const tp_region *r, tp_scratch *s, tp_err *err)
{
	int y0 = r->y, y1 = r->y + r->h;
	if (v->len)
		rows_read(v, &y0, &y1);
	const uint8_t *rows = src->px + ((size_t)y0 * (size_t)src->w + (size_t)(h->len ? 0 : r->x)) * 3;
	size_t stride = (size_t)src->w * 3, width = (size_t)r->w * 3;
	if (h->len) {
		size_t size = (size_t)(y1 - y0) * width;
		uint8_t *to = v->len ? tp_scratch_get(s, TP_BLOCK_STRIP, size) : dst->px;
		if (!to)
			return tp_nomem(err, size);
		tp_pass_across(to, src, h, y0, y1);
		rows = to;
		stride = width;
	}
	if (v->len)
		tp_pass_down(dst->px, rows, stride, width, v, y0);
	for (int y = 0; !h->len && !v->len && y < r->h; y++)
		memcpy(dst->px + (size_t)y * width, rows + (size_t)y * stride, width);
	return TP_OK;
}

/* Output, the strip between the passes and the weights: none of them may grow past what a photo may take. */
static tp_code check_size(
	const tp_image *src, const tp_region *r, const axis *ax, const axis *ay, tp_err *err)
{
	double kx = 2 * ax->support * fmax(1, (ax->x1 - ax->x0) / ax->out) + 3;
	double ky = 2 * ay->support * fmax(1, (ay->x1 - ay->x0) / ay->out) + 3;
	double rows = fmin(src->h, r->h * fmax(1, (ay->x1 - ay->x0) / ay->out) + ky);
	double need = 3.0 * r->w * r->h + 3.0 * r->w * rows + 8 * (kx * r->w + ky * r->h);
	if (need > TP_MAX_DECODE)
		return tp_fail(err, TP_ELIMIT,
			"resize of %d x %d to %d x %d needs %.0f bytes, the limit is %d", src->w, src->h,
			r->full_w, r->full_h, need, TP_MAX_DECODE);
	return TP_OK;
}

tp_code tp_resize_into(tp_image *dst, const tp_image *src, const tp_region *r, tp_filter filter,
	const tp_box *box, tp_scratch *s, tp_err *err)
{
	tp_box b = box ? *box : (tp_box){ 0, 0, src->w, src->h };
	if (!(b.x0 >= 0 && b.y0 >= 0 && b.x1 <= src->w && b.y1 <= src->h && b.x0 < b.x1 && b.y0 < b.y1))
		return tp_fail(err, TP_EINVAL, "box %g,%g,%g,%g is not inside %d x %d pixels", b.x0, b.y0,
			b.x1, b.y1, src->w, src->h);
	double (*fn)(double) = filter == TP_BICUBIC ? bicubic : bilinear;
	double support = filter == TP_BICUBIC ? 2 : 1;
	/* Pillow keeps its box as floats */
	axis ax = { fn, support, src->w, (float)b.x0, (double)((float)b.x1), r->full_w };
	axis ay = { fn, support, src->h, (float)b.y0, (double)((float)b.y1), r->full_h };
	bool same_h = src->w == r->full_w && b.x0 == 0 && b.x1 == src->w;
	bool same_v = src->h == r->full_h && b.y0 == 0 && b.y1 == src->h;
	tp_taps h = { 0 }, v = { 0 };
	tp_code rc = check_size(src, r, &ax, &ay, err);
	if (!rc)
		rc = tp_image_fit(dst, r->w, r->h, err);
	if (!rc && !same_h)
		rc = taps_make(&h, s, TP_BLOCK_TAPS_X, &ax, r->x, r->w, err);
	if (!rc && !same_v)
		rc = taps_make(&v, s, TP_BLOCK_TAPS_Y, &ay, r->y, r->h, err);
	return rc ? rc : both_passes(dst, src, &h, &v, r, s, err);
}

tp_code tp_resize_region(tp_image **out, const tp_image *src, const tp_region *r, tp_filter filter,
	const tp_box *box, tp_err *err)
{
	tp_scratch s = { 0 };
	tp_image *img = tp_calloc(1, sizeof *img);
	tp_code rc = img ? tp_resize_into(img, src, r, filter, box, &s, err) : tp_nomem(err, sizeof *img);
	tp_scratch_dispose(&s);
	if (rc)
		tp_image_free(img);
	else
		*out = img;
	return rc;
}

tp_code tp_image_resize(
	tp_image **out, const tp_image *src, int w, int h, tp_filter filter, const tp_box *box, tp_err *err)
{
	if (w < 1 || h < 1 || w > TP_MAX_SIDE || h > TP_MAX_SIDE)
		return tp_fail(
			err, TP_EINVAL, "resize to %d x %d pixels: sides are 1..%d", w, h, TP_MAX_SIDE);
	tp_region r = { .full_w = w, .full_h = h, .w = w, .h = h };
	return tp_resize_region(out, src, &r, filter, box, err);
}
