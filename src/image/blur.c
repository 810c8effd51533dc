/* Gaussian blur with the two passes of the resize. Beyond a border the picture goes on mirrored, its edge twice:
 * then every pixel's weights sum to one over the outputs too, and the mean stays. */
#include <math.h>

#include "base/mem.h"
#include "image/image_int.h"

static int mirrored(int i, int n)
{
	return i < 0 ? -1 - i : i >= n ? 2 * n - 1 - i : i;
}

/* Half of the kernel, from the middle, whose whole sums to exactly one. */
static int kernel(int32_t *k, float sigma, int most)
{
	int radius = (int)ceil(3 * (double)sigma);
	double sum = 0, s = (double)sigma;
	radius = radius > most ? most : radius;
	for (int i = -radius; i <= radius; i++)
		sum += exp(-0.5 * i * i / (s * s));
	k[0] = 1 << TP_TAP_BITS;
	for (int i = 1; i <= radius; i++) {
		k[i] = (int32_t)rint(exp(-0.5 * i * i / (s * s)) / sum * (1 << TP_TAP_BITS));
		k[0] -= 2 * k[i];
	}
	return radius;
}

static tp_code taps_blur(tp_taps *t, tp_scratch *s, tp_block block, int len, float sigma, tp_err *err)
{
	enum { MOST = 64 };
	int32_t half[MOST + 1];
	int radius = kernel(half, sigma, len - 1 < MOST ? len - 1 : MOST);
	tp_code rc = tp_taps_room(t, s, block, len, 2 * radius + 1, err);
	for (int i = 0; i < len && !rc; i++) {
		int32_t *k = t->k + (size_t)i * (size_t)t->ksize;
		int lo = i > radius ? i - radius : 0, hi = i + radius < len ? i + radius + 1 : len;
		t->first[i] = lo;
		t->n[i] = hi - lo;
		for (int j = 0; j < hi - lo; j++)
			k[j] = 0;
		for (int j = -radius; j <= radius; j++)
			k[mirrored(i + j, len) - lo] += half[j < 0 ? -j : j];
	}
	return rc;
}

tp_code tp_blur(tp_image *img, float sigma, tp_scratch *s, tp_err *err)
{
	tp_taps h, v;
	size_t row = (size_t)img->w * 3;
	uint8_t *strip = tp_scratch_get(s, TP_BLOCK_STRIP, row * (size_t)img->h);
	tp_code rc = strip ? TP_OK : tp_nomem(err, row * (size_t)img->h);
	if (!rc)
		rc = taps_blur(&h, s, TP_BLOCK_TAPS_X, img->w, sigma, err);
	if (!rc)
		rc = taps_blur(&v, s, TP_BLOCK_TAPS_Y, img->h, sigma, err);
	if (rc)
		return rc;
	tp_pass_across(strip, img, &h, 0, img->h);
	tp_pass_down(img->px, strip, row, row, &v, 0);
	return TP_OK;
}
