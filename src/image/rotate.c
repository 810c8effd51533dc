/* A square turned about its centre in steps of 1/65536 pixel. The corners show what lies beyond the border: the
 * picture mirrored, its edge twice. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "image/image_int.h"

enum { ONE = 1 << 16 };

static int mirrored(int i, int n)
{
	i = i < 0 ? -1 - i : i;
	return i >= n ? 2 * n - 1 - i : i;
}

static void blend(uint8_t *dst, const uint8_t *const p[4], int fx, int fy)
{
	int w3 = fx * fy, w2 = (256 - fx) * fy, w1 = fx * (256 - fy), w0 = (256 - fx) * (256 - fy);
	for (int c = 0; c < 3; c++)
		dst[c] = (uint8_t)((p[0][c] * w0 + p[1][c] * w1 + p[2][c] * w2 + p[3][c] * w3 + (1 << 15)) >>
				   16);
}

/* The colour at sx, sy, in 1/65536 pixels. */
static void sample(uint8_t *dst, const uint8_t *px, int n, int sx, int sy)
{
	int x0 = sx >> 16, y0 = sy >> 16, x1 = x0 + 1, y1 = y0 + 1;
	if (x0 < 0 || y0 < 0 || x1 >= n || y1 >= n) {
		x0 = mirrored(x0, n);
		x1 = mirrored(x1, n);
		y0 = mirrored(y0, n);
		y1 = mirrored(y1, n);
	}
	const uint8_t *top = px + (size_t)y0 * (size_t)n * 3, *low = px + (size_t)y1 * (size_t)n * 3;
	const uint8_t *p[4] = { top + x0 * 3, top + x1 * 3, low + x0 * 3, low + x1 * 3 };
	blend(dst, p, (sx >> 8) & 255, (sy >> 8) & 255);
}

tp_code tp_rotate(tp_image *img, float degrees, tp_scratch *s, tp_err *err)
{
	int n = img->w;
	size_t size = (size_t)n * (size_t)n * 3;
	uint8_t *was = tp_scratch_get(s, TP_BLOCK_STRIP, size);
	if (!was)
		return tp_nomem(err, size);
	memcpy(was, img->px, size);
	double a = (double)degrees * 3.14159265358979323846 / 180;
	int co = (int)rint(cos(a) * ONE), si = (int)rint(sin(a) * ONE);
	int centre = (n - 1) * (ONE / 2);
	uint8_t *dst = img->px;
	for (int y = 0; y < n; y++) {
		/* from the centre in half pixels: x = 2 * column - (n - 1) */
		int64_t hx = 1 - n, hy = 2 * y - (n - 1);
		int sx = (int)((hx * co - hy * si) / 2) + centre,
		    sy = (int)((hx * si + hy * co) / 2) + centre;
		for (int x = 0; x < n; x++, dst += 3, sx += co, sy += si)
			sample(dst, was, n, sx, sy);
	}
	return TP_OK;
}
