/* From a picture to the numbers a network reads, as the model's tp_prep says. */
#include <math.h>

#include "image/pixels.h"

tp_code tp_prep_check(const tp_prep *p, tp_err *err)
{
	if (p->side < 32 || p->side > 1024)
		return tp_fail(err, TP_EINVAL, "prep.side %d: 32..1024", p->side);
	if (p->fit == TP_FIT_CROP && (p->resize < p->side || p->resize > TP_MAX_SIDE))
		return tp_fail(err, TP_EINVAL, "prep.resize %d: side (%d) or more", p->resize, p->side);
	for (int c = 0; c < 3; c++)
		if (!(p->std[c] > 0) || !isfinite(p->std[c]) || !isfinite(p->mean[c]))
			return tp_fail(err, TP_EINVAL, "prep.mean %g, prep.std %g: std is above 0",
				(double)p->mean[c], (double)p->std[c]);
	return TP_OK;
}

/* Scaled so that the short side is `resize` (the other side rounded half to even), the middle cut out. The scaled
 * picture may be wider than an image can be; only the region is ever made. */
static tp_region crop_region(const tp_prep *p, const tp_image *img)
{
	double scale = (double)p->resize / (img->w < img->h ? img->w : img->h);
	int w = (int)rint(img->w * scale), h = (int)rint(img->h * scale);
	return (tp_region){ w, h, (w - p->side) / 2, (h - p->side) / 2, p->side, p->side };
}

tp_region tp_prep_region(const tp_prep *p, const tp_image *img)
{
	tp_region all = { p->side, p->side, 0, 0, p->side, p->side };
	return p->fit == TP_FIT_CROP ? crop_region(p, img) : all;
}

void tp_prep_floats(float *restrict out, const tp_prep *p, const tp_image *view)
{
	size_t n = (size_t)p->side * (size_t)p->side;
	float value[3][256];
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < 256; i++)
			value[c][i] = ((float)i - p->mean[c]) / p->std[c];
	tp_pixels()->planes(
		out + (p->bgr ? 2 * n : 0), out + n, out + (p->bgr ? 0 : 2 * n), view->px, n, value);
}

tp_code tp_prep_image(float *out, const tp_prep *p, const tp_image *img, tp_err *err)
{
	tp_code rc = tp_prep_check(p, err);
	if (rc)
		return rc;
	tp_region r = tp_prep_region(p, img);
	tp_image *view = NULL;
	rc = tp_resize_region(&view, img, &r, p->filter, NULL, err);
	if (rc)
		return rc;
	tp_prep_floats(out, p, view);
	tp_image_free(view);
	return TP_OK;
}

tp_code tp_prep_photo(float *out, const tp_prep *p, const void *bytes, size_t len, tp_err *err)
{
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_image *img = NULL;
	tp_code rc = tp_prep_check(p, err);
	if (rc)
		return rc;
	o.min_side = 2 * (p->fit == TP_FIT_CROP ? p->resize : p->side);
	rc = tp_image_decode(&img, bytes, len, &o, err);
	if (!rc)
		rc = tp_prep_image(out, p, img, err);
	tp_image_free(img);
	return rc;
}
