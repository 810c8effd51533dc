/* Drawing and applying an augmentation: see augment.h. */
#include "image/augment.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/progress.h"
#include "base/rng.h"
#include "image/image_int.h"

/* ---- draw ---------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	uint64_t z = (h ^ v) + 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static double uniform(tp_rng *r, double lo, double hi)
{
	return lo + (hi - lo) * tp_rng_unit(r);
}

static float jitter(tp_rng *r, float b)
{
	double low = 1 - (double)b;
	return (float)uniform(r, low < 0 ? 0 : low, 1 + (double)b);
}

/* No part of the asked shape was found: the largest in the middle whose shape is allowed. */
static void middle(tp_augment_params *d, const tp_augment *a)
{
	double shape = (double)d->photo_w / d->photo_h;
	d->w = d->photo_w;
	d->h = d->photo_h;
	if (shape < (double)a->aspect_min)
		d->h = (int)rint(d->w / (double)a->aspect_min);
	else if (shape > (double)a->aspect_max)
		d->w = (int)rint(d->h * (double)a->aspect_max);
	d->w = d->w < 1 ? 1 : d->w;
	d->h = d->h < 1 ? 1 : d->h;
	d->x = (d->photo_w - d->w) / 2;
	d->y = (d->photo_h - d->h) / 2;
}

static void draw_crop(tp_augment_params *d, const tp_augment *a, tp_rng *r)
{
	enum { TRIES = 10 };
	double area = (double)d->photo_w * d->photo_h;
	double log_min = log((double)a->aspect_min), log_max = log((double)a->aspect_max);
	for (int i = 0; i < TRIES; i++) {
		double want = area * uniform(r, (double)a->crop_min, (double)a->crop_max);
		double shape = exp(uniform(r, log_min, log_max));
		double w = rint(sqrt(want * shape)), h = rint(sqrt(want / shape));
		if (w < 1 || w > d->photo_w || h < 1 || h > d->photo_h)
			continue;
		d->w = (int)w;
		d->h = (int)h;
		d->y = (int)tp_rng_below(r, (uint64_t)(d->photo_h - d->h) + 1);
		d->x = (int)tp_rng_below(r, (uint64_t)(d->photo_w - d->w) + 1);
		return;
	}
	middle(d, a);
}

/* Every number is drawn whether it is used or not, and the crop, which takes as many as it needs, comes last. */
void tp_augment_draw(tp_augment_params *out, const tp_augment *a, const tp_augment_key *key, int w, int h)
{
	tp_augment_params d = TP_AUGMENT_PARAMS_INIT;
	tp_rng r = tp_rng_seed(mix(mix(mix(mix(0, key->seed), key->epoch), key->sample), key->repeat));
	d.photo_w = w;
	d.photo_h = h;
	d.hflip = tp_rng_unit(&r) < (double)a->hflip;
	d.vflip = tp_rng_unit(&r) < (double)a->vflip;
	bool turn = tp_rng_unit(&r) < (double)a->rotate;
	double degrees = uniform(&r, -(double)a->rotate_max, (double)a->rotate_max);
	d.degrees = turn ? (float)degrees : 0;
	d.brightness = jitter(&r, a->brightness);
	d.contrast = jitter(&r, a->contrast);
	d.saturation = jitter(&r, a->saturation);
	d.hue = (float)uniform(&r, -(double)a->hue, (double)a->hue);
	for (uint64_t i = TP_JITTERS - 1; i > 0; i--) {
		uint64_t j = tp_rng_below(&r, i + 1);
		uint8_t was = d.order[i];
		d.order[i] = d.order[j];
		d.order[j] = was;
	}
	bool blur = tp_rng_unit(&r) < (double)a->blur;
	double sigma = uniform(&r, (double)a->blur_min, (double)a->blur_max);
	d.blur = blur ? (float)sigma : 0;
	bool jpeg = tp_rng_unit(&r) < (double)a->jpeg;
	double quality = uniform(&r, (double)a->jpeg_min, (double)a->jpeg_max);
	d.quality = jpeg ? (int)rint(quality) : 0;
	if (a->crop_max > 0)
		draw_crop(&d, a, &r);
	*out = d;
}

/* ---- describe ------------------------------------------------------------------------------------------- */

typedef struct {
	char *p;
	size_t cap, len;
} line;

static void TP_PRINTF(2, 3) say(line *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(l->p + l->len, l->cap - l->len, fmt, ap);
	va_end(ap);
	l->len += n > 0 ? (size_t)n : 0;
	if (l->len >= l->cap)
		l->len = l->cap - 1;
}

void tp_augment_describe(char *out, size_t cap, const tp_augment_params *d)
{
	line l = { out, cap, 0 };
	if (!cap)
		return;
	out[0] = 0;
	if (d->w)
		say(&l, " crop=%d,%d,%dx%d", d->x, d->y, d->w, d->h);
	if (d->hflip || d->vflip)
		say(&l, " flip=%s%s", d->hflip ? "h" : "", d->vflip ? "v" : "");
	if (d->degrees != 0)
		say(&l, " turn=%.1f", (double)d->degrees);
	for (int i = 0; i < TP_JITTERS; i++) {
		if (d->order[i] == TP_JITTER_BRIGHTNESS && d->brightness != 1)
			say(&l, " brightness=%.2f", (double)d->brightness);
		if (d->order[i] == TP_JITTER_CONTRAST && d->contrast != 1)
			say(&l, " contrast=%.2f", (double)d->contrast);
		if (d->order[i] == TP_JITTER_SATURATION && d->saturation != 1)
			say(&l, " saturation=%.2f", (double)d->saturation);
		if (d->order[i] == TP_JITTER_HUE && d->hue != 0)
			say(&l, " hue=%.3f", (double)d->hue);
	}
	if (d->blur > 0)
		say(&l, " blur=%.2f", (double)d->blur);
	if (d->quality)
		say(&l, " jpeg=%d", d->quality);
	for (size_t i = 0; i < l.len; i++) /* the space before the first */
		out[i] = out[i + 1];
}

/* ---- apply ---------------------------------------------------------------------------------------------- */

int tp_augment_min_side(const tp_prep *p, const tp_augment_params *d)
{
	if (!d->w)
		return 2 * (p->fit == TP_FIT_CROP ? p->resize : p->side);
	int part = d->w < d->h ? d->w : d->h, photo = d->photo_w < d->photo_h ? d->photo_w : d->photo_h;
	double side = ceil(2.0 * p->side * photo / part);
	return side < TP_MAX_SIDE ? (int)side : TP_MAX_SIDE;
}

/* Adds the seconds since *t to *sum and sets *t to now. */
static void lap(double *sum, double *t)
{
	double now = tp_now();
	*sum += now - *t;
	*t = now;
}

static tp_code cut_out(
	const tp_prep *p, const tp_augment_params *d, const tp_image *img, tp_scratch *s, tp_err *err)
{
	if (!d->w) {
		tp_region r = tp_prep_region(p, img);
		return tp_resize_into(&s->view, img, &r, p->filter, NULL, s, err);
	}
	tp_region r = { p->side, p->side, 0, 0, p->side, p->side };
	double sx = (double)img->w / d->photo_w, sy = (double)img->h / d->photo_h;
	tp_box box = { d->x * sx, d->y * sy, fmin(img->w, (d->x + d->w) * sx),
		fmin(img->h, (d->y + d->h) * sy) };
	return tp_resize_into(&s->view, img, &r, p->filter, &box, s, err);
}

static void flip(tp_image *view, bool h, bool v)
{
	if (h != v) /* upside down is a half turn and left for right */
		tp_image_mirror(view);
	if (v)
		tp_image_half_turn(view);
}

static tp_code through_jpeg(tp_scratch *s, int quality, tp_err *err)
{
	tp_image *back = NULL;
	s->jpeg.len = 0;
	tp_code rc = tp_image_encode_jpeg(&s->jpeg, &s->view, quality, err);
	if (!rc)
		rc = tp_image_decode(&back, s->jpeg.ptr, s->jpeg.len, NULL, err);
	if (!rc) {
		tp_image was = s->view;
		s->view = *back;
		*back = was;
	}
	tp_image_free(back);
	return rc;
}

tp_code tp_augment_view(const tp_image **out, const tp_prep *p, const tp_augment_params *d,
	const tp_image *img, tp_scratch *s, tp_err *err)
{
	double t = tp_now();
	tp_code rc = tp_prep_check(p, err);
	if (!rc)
		rc = cut_out(p, d, img, s, err);
	lap(&s->times.resize, &t);
	if (!rc && (d->hflip || d->vflip))
		flip(&s->view, d->hflip, d->vflip);
	if (!rc && d->degrees != 0)
		rc = tp_rotate(&s->view, d->degrees, s, err);
	lap(&s->times.turn, &t);
	if (!rc)
		tp_jitter(&s->view, d);
	lap(&s->times.colour, &t);
	if (!rc && d->blur > 0)
		rc = tp_blur(&s->view, d->blur, s, err);
	lap(&s->times.blur, &t);
	if (!rc && d->quality)
		rc = through_jpeg(s, d->quality, err);
	lap(&s->times.jpeg, &t);
	if (!rc)
		*out = &s->view;
	return rc;
}

tp_code tp_augment_apply(float *out, const tp_prep *p, const tp_augment_params *d, const tp_image *img,
	tp_scratch *s, tp_err *err)
{
	const tp_image *view;
	tp_code rc = tp_augment_view(&view, p, d, img, s, err);
	double t = tp_now();
	if (!rc)
		tp_prep_floats(out, p, view);
	lap(&s->times.floats, &t);
	return rc;
}

static tp_code upright_size(int *w, int *h, const void *bytes, size_t len, tp_err *err)
{
	tp_image_info info;
	tp_code rc = tp_image_probe(&info, bytes, len, err);
	if (rc)
		return rc;
	*w = info.orientation > 4 ? info.h : info.w;
	*h = info.orientation > 4 ? info.w : info.h;
	return TP_OK;
}

tp_code tp_augment_photo(float *out, tp_augment_params *drawn, const tp_prep *p, const tp_augment *a,
	const tp_augment_key *key, const void *bytes, size_t len, tp_scratch *s, tp_err *err)
{
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_augment_params d;
	tp_image *img = NULL;
	int w, h;
	double t = tp_now();
	tp_code rc = tp_prep_check(p, err);
	if (!rc)
		rc = upright_size(&w, &h, bytes, len, err);
	if (!rc) {
		tp_augment_draw(&d, a, key, w, h);
		o.min_side = tp_augment_min_side(p, &d);
		rc = tp_image_decode(&img, bytes, len, &o, err);
	}
	lap(&s->times.decode, &t);
	if (!rc)
		rc = tp_augment_apply(out, p, &d, img, s, err);
	tp_image_free(img);
	if (!rc && drawn)
		*drawn = d;
	return rc;
}

static tp_code shrink(tp_image **img, int side, tp_filter filter, tp_err *err)
{
	int w = (*img)->w, h = (*img)->h, least = w < h ? w : h;
	if (least <= side)
		return TP_OK;
	tp_image *small = NULL;
	double scale = (double)side / least;
	tp_code rc =
		tp_image_resize(&small, *img, (int)rint(w * scale), (int)rint(h * scale), filter, NULL, err);
	if (rc)
		return rc;
	tp_image_free(*img);
	*img = small;
	return TP_OK;
}

tp_code tp_augment_load(tp_image **out, int *photo_w, int *photo_h, int side, tp_filter filter,
	const void *bytes, size_t len, tp_scratch *s, tp_err *err)
{
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_image *img = NULL;
	double t = tp_now();
	tp_code rc = upright_size(photo_w, photo_h, bytes, len, err);
	o.min_side = side;
	if (!rc)
		rc = tp_image_decode(&img, bytes, len, &o, err);
	if (!rc)
		rc = shrink(&img, side, filter, err);
	lap(&s->times.decode, &t);
	if (rc)
		tp_image_free(img);
	else
		*out = img;
	return rc;
}
