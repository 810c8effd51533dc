/* Which loops over pixels this processor runs: see pixels.h. */
#include "image/pixels.h"

#include <string.h>

extern const tp_pixel_loops tp_pixels_c;
#ifdef __x86_64__
extern const tp_pixel_loops tp_pixels_avx2;
#endif

const tp_pixel_loops *tp_pixels(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return &tp_pixels_avx2;
#endif
	return &tp_pixels_c;
}

const tp_pixel_loops *tp_pixels_find(const char *isa)
{
	if (!strcmp(isa, tp_pixels()->isa))
		return tp_pixels();
	return strcmp(isa, tp_pixels_c.isa) ? NULL : &tp_pixels_c;
}
