/* The loops over pixels for any processor: see pixels.h. */
#include "image/pixels.inc"

extern const tp_pixel_loops tp_pixels_c;
const tp_pixel_loops tp_pixels_c = { "c", row_across, row_down, row_turned, jitter, planes };
