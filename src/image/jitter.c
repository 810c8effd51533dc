/* Brightness, contrast, saturation and hue, in any order, as torchvision 0.14's adjust_* on float pictures
 * (transforms/functional_tensor.py), on 0..255 instead of 0..1. tests/golden/jitter.bin, made by gen_jitter.py.
 * Strips of planar floats stay in the first cache and are what a compiler vectorises. Only contrast asks for all
 * pixels (their mean grey), so the picture is walked once, or twice when contrast moves; what comes before
 * contrast is then computed again instead of kept. Its loops are in pixels.inc. */
#include "image/pixels.h"

void tp_jitter(tp_image *img, const tp_augment_params *d)
{
	if (d->brightness != 1 || d->contrast != 1 || d->saturation != 1 || d->hue != 0)
		tp_pixels()->jitter(img, d);
}
