/* What a photo is like, in numbers that rules can be made of, and a hash that near copies share. Measured on the
 * photo as it is shown (EXIF orientation applied), shrunk so that its short side is 256..511 pixels (a smaller photo
 * as it is): the numbers mean the same for a 12-megapixel photo and for its thumbnail. Which values are bad is not
 * decided here (data/rules.h).
 * Threads: every function is pure; any thread. */
#ifndef TP_IMAGE_MEASURE_H
#define TP_IMAGE_MEASURE_H

#include "image/image.h"

enum { TP_MEASURE_SIDE = 256 }; /* the least short side that pixels are shrunk to */

typedef struct {
	int w, h;         /* pixels of the photo as shown, before any shrinking */
	float aspect;     /* long side by short side, 1 and more */
	float brightness; /* mean luma, 0 (black)..255 (white) */
	float contrast;   /* standard deviation of luma, 0..127.5 */
	/* Root mean square of the Laplacian (4 c - its neighbours) of luma in the sharpest 8 of 8 x 8 tiles: 0 is
	 * one colour or no detail at all, a sharp photo has 15 to 100, noise counts as detail. The sharpest tiles,
	 * because a flower in focus before a soft background is sharp. */
	float sharpness;
	float colour; /* colourfulness of Hasler & Suesstrunk 2003: 0 grey, 15 slight, 45 average, 100 extreme */
	float saturation; /* mean of the pixels' saturation, 0..1: largest less smallest channel, by the largest */
	float entropy; /* of the histogram of luma, 0..8 bits, on the pixels that colours are counted on */
	float paper;   /* share of pixels that are near white and without colour, 0..1 */
	/* Share of rows with at least 8 strokes, 0..1: dark runs narrower than 1/32 of the photo between paper. A
	 * page of print has more than 0.3, a leaf on paper next to nothing. */
	float text;
	/* Share of pixels that are as their right and lower neighbours (luma within 1), 0..1. Drawings and
	 * placeholders have more than 0.9; so have some soft or overexposed photos. */
	float flat;
	/* Signs of the DCT of 32 x 32 mean lumas (a "pHash") at frequencies 1..8 across and down: bit
	 * (v - 1) * 8 + u - 1 is frequency u across, v down. Photos whose hashes differ in few bits are copies. 0 for
	 * a picture of one colour. Signs rather than "above the median", because they say what a mirrored or
	 * turned copy has. */
	uint64_t hash;
} tp_measures;

/* Decodes (JPEG at a reduced scale) and measures. Errors: those of tp_image_decode(). The luma of a JPEG is taken as it is
 * stored; tp_measure_decoded() makes it of decoded pixels, which takes longer and is the same but for rounding: the twin
 * it is tested against. */
TP_CHECKED tp_code tp_measure_photo(tp_measures *out, const void *bytes, size_t len, tp_err *err);
TP_CHECKED tp_code tp_measure_decoded(tp_measures *out, const void *bytes, size_t len, tp_err *err);
/* img: as decoded; w and h of the result are its own. TP_ENOMEM. */
TP_CHECKED tp_code tp_measure_image(tp_measures *out, const tp_image *img, tp_err *err);

/* The hash that the photo would have mirrored or turned, from its hash alone: a mirrored picture has the signs of
 * its odd frequencies turned, a transposed one swaps u and v. Exact but for rounding in the pixels. */
typedef enum {
	TP_TURN_NONE,
	TP_TURN_MIRROR,    /* left for right */
	TP_TURN_FLIP,      /* top for bottom */
	TP_TURN_HALF,      /* by 180 degrees */
	TP_TURN_TRANSPOSE, /* rows become columns */
	TP_TURN_ANTI,      /* the same about the other diagonal */
	TP_TURN_RIGHT,     /* by 90 degrees, clockwise */
	TP_TURN_LEFT,
	TP_TURNS
} tp_turn;
uint64_t tp_hash_turn(uint64_t hash, tp_turn turn);

#endif
