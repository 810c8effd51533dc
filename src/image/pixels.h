/* The loops over pixels that cost the most, for the processor at hand. Inside src/image/ only. Every set of them gives the
 * same bits. */
#ifndef TP_IMAGE_PIXELS_H
#define TP_IMAGE_PIXELS_H

#include "image/image_int.h"

typedef struct {
	const char *isa;
	/* A row of t->len pixels; room: bytes that may be read from src on. */
	void (*across)(uint8_t *dst, const uint8_t *src, size_t room, const tp_taps *t);
	/* A row of `width` samples from n rows. */
	void (*down)(uint8_t *restrict dst, const uint8_t *restrict src, size_t stride, size_t width,
		const int32_t *restrict k, int n);
	/* n pixels of a picture n x n, from sx, sy on in steps of co, si, all in 1/65536 pixels. */
	void (*turned)(uint8_t *dst, const uint8_t *px, int n, int sx, int sy, int co, int si);
	void (*jitter)(tp_image *img, const tp_augment_params *d);
	void (*planes)(float *restrict red, float *restrict green, float *restrict blue,
		const uint8_t *restrict px, size_t n, float value[3][256]);
} tp_pixel_loops;

const tp_pixel_loops *tp_pixels(void);
/* By name; NULL: there are none of that name, or they do not run here. */
const tp_pixel_loops *tp_pixels_find(const char *isa);

#endif
