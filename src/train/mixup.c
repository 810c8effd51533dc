/* Mixup, cutmix, random erasing: see mixup.h. */
#include "train/mixup.h"

#include <math.h>
#include <stddef.h>

#include "base/rng.h"

enum { STREAM_MIX = 0x3f1d, STREAM_ERASE = 0xe7a5, TRIES = 10 }; /* uses of a seed, see tp_rng_stream() */

typedef struct {
	int top, left, height, width;
} box;

static bool is_share(double v)
{
	return v >= 0 && v <= 1;
}

tp_code tp_mix_check(const tp_mix_opts *o, tp_err *err)
{
	if (!(o->mixup >= 0 && o->cutmix >= 0))
		return tp_fail(err, TP_EINVAL, "alpha is %g for mixup and %g for cutmix, not 0 or more",
			o->mixup, o->cutmix);
	if (!is_share(o->chance) || !is_share(o->cutmix_share))
		return tp_fail(err, TP_EINVAL, "the chance to mix is %g, cutmix's share of it %g, not 0..1",
			o->chance, o->cutmix_share);
	return TP_OK;
}

tp_code tp_erase_check(const tp_erase_opts *o, tp_err *err)
{
	if (!is_share(o->chance))
		return tp_fail(err, TP_EINVAL, "the chance to erase is %g, not 0..1", o->chance);
	if (!(is_share(o->area_min) && is_share(o->area_max) && o->area_min <= o->area_max))
		return tp_fail(err, TP_EINVAL, "the area to erase is %g to %g, not a range within 0..1",
			o->area_min, o->area_max);
	if (!(o->aspect_min > 0 && o->aspect_min <= 1))
		return tp_fail(
			err, TP_EINVAL, "the aspect to erase is from %g, not in (0, 1]", o->aspect_min);
	return TP_OK;
}

/* Both samples become mixtures of what both were. */
static void blend(float *restrict a, float *restrict b, size_t n, float share)
{
	for (size_t i = 0; i < n; i++) {
		float x = a[i], y = b[i];
		a[i] = share * x + (1 - share) * y;
		b[i] = share * y + (1 - share) * x;
	}
}

static void swap_box(float *a, float *b, int c, int h, int w, box r)
{
	for (int k = 0; k < c; k++)
		for (int y = r.top; y < r.top + r.height; y++) {
			size_t row = ((size_t)k * (size_t)h + (size_t)y) * (size_t)w;
			for (int x = r.left; x < r.left + r.width; x++) {
				float t = a[row + (size_t)x];
				a[row + (size_t)x] = b[row + (size_t)x];
				b[row + (size_t)x] = t;
			}
		}
}

static int clamp(int v, int most)
{
	return v < 0 ? 0 : v > most ? most : v;
}

/* A rectangle with 1 - share of the area, around a uniform centre; what sticks out is cut off. */
static box box_for(double share, int h, int w, tp_rng *r)
{
	int height = (int)(h * sqrt(1 - share)), width = (int)(w * sqrt(1 - share));
	int y = (int)tp_rng_below(r, (uint64_t)h), x = (int)tp_rng_below(r, (uint64_t)w);
	int top = clamp(y - height / 2, h), left = clamp(x - width / 2, w);
	return (box){ top, left, clamp(y - height / 2 + height, h) - top,
		clamp(x - width / 2 + width, w) - left };
}

static tp_mix_kind choose(const tp_mix_opts *o, tp_rng *r)
{
	bool mixed = tp_rng_unit(r) < o->chance, cut = tp_rng_unit(r) < o->cutmix_share;
	if (!mixed || (o->mixup == 0 && o->cutmix == 0))
		return TP_MIX_NONE;
	return o->mixup == 0 || (cut && o->cutmix > 0) ? TP_MIX_CUTMIX : TP_MIX_MIXUP;
}

tp_mix_kind tp_mix(float *x, int n, int c, int h, int w, const int *y, int *other, float *weight,
	const tp_mix_opts *o, uint64_t seed, uint64_t step)
{
	tp_rng r = tp_rng_stream(seed, STREAM_MIX, step, 0);
	tp_mix_kind kind = choose(o, &r);
	size_t plane = (size_t)h * (size_t)w, sample = (size_t)c * plane;
	double alpha = kind == TP_MIX_CUTMIX ? o->cutmix : o->mixup, share = 1;
	box cut = { 0 };
	if (kind != TP_MIX_NONE)
		share = tp_rng_beta(&r, alpha, alpha);
	if (kind == TP_MIX_CUTMIX) {
		cut = box_for(share, h, w, &r);
		share = 1 - (double)cut.height * cut.width / (double)plane;
	}
	for (int i = 0; i < n; i++) {
		int j = n - 1 - i;
		float *a = x + (size_t)i * sample, *b = x + (size_t)j * sample;
		other[i] = y[j];
		weight[i] = i == j ? 1 : (float)share;
		if (i < j && kind == TP_MIX_MIXUP)
			blend(a, b, sample, (float)share);
		if (i < j && kind == TP_MIX_CUTMIX)
			swap_box(a, b, c, h, w, cut);
	}
	return kind;
}

static bool draw_box(box *out, int h, int w, const tp_erase_opts *o, tp_rng *r)
{
	for (int i = 0; i < TRIES; i++) {
		double area = o->area_min + (o->area_max - o->area_min) * tp_rng_unit(r);
		double aspect = exp(log(o->aspect_min) * (1 - 2 * tp_rng_unit(r)));
		double pixels = area * h * w;
		int height = (int)round(sqrt(pixels * aspect)), width = (int)round(sqrt(pixels / aspect));
		if (height < 1 || width < 1 || height > h || width > w)
			continue;
		*out = (box){ (int)tp_rng_below(r, (uint64_t)(h - height) + 1),
			(int)tp_rng_below(r, (uint64_t)(w - width) + 1), height, width };
		return true;
	}
	return false;
}

bool tp_erase(float *x, int h, int w, const tp_erase_opts *o, uint64_t seed, uint64_t epoch, uint64_t sample)
{
	tp_rng r = tp_rng_stream(seed, STREAM_ERASE, epoch, sample);
	box at;
	if (tp_rng_unit(&r) >= o->chance || !draw_box(&at, h, w, o, &r))
		return false;
	for (int c = 0; c < 3; c++)
		for (int i = at.top; i < at.top + at.height; i++) {
			float *row = x + ((size_t)c * (size_t)h + (size_t)i) * (size_t)w;
			for (int k = at.left; k < at.left + at.width; k++)
				row[k] = o->noise ? (float)tp_rng_normal(&r) : o->fill[c];
		}
	return true;
}
