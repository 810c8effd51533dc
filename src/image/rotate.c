/* A square turned about its centre in steps of 1/65536 pixel. The corners show what lies beyond the border: the
 * picture mirrored, its edge twice. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "image/pixels.h"

enum { ONE = 1 << 16 };

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
	uint8_t *dst = img->px; /* rows */
	for (int y = 0; y < n; y++) {
		/* from the centre in half pixels: x = 2 * column - (n - 1) */
		int64_t hx = 1 - n, hy = 2 * y - (n - 1);
		int sx = (int)((hx * co - hy * si) / 2) + centre,
		    sy = (int)((hx * si + hy * co) / 2) + centre;
		tp_pixels()->turned(dst + (size_t)y * (size_t)n * 3, was, n, sx, sy, co, si);
	}
	return TP_OK;
}
