/* A photo as a network in training sees it: another part of it, turned, with other colours, every time.
 *
 * What is drawn depends on the key alone, never on thread, order or batch, so that any view can be made again.
 * First draw (numbers that can be printed), then apply. The steps, in this order: a part of the photo scaled to
 * side x side, flips, a turn, colours, blur, JPEG, then the floats of tp_prep.
 * Threads: pure; any thread. A tp_scratch belongs to one thread at a time. */
#ifndef TP_IMAGE_AUGMENT_H
#define TP_IMAGE_AUGMENT_H

#include <jansson.h>

#include "image/image.h"

/* All off: what tp_prep_image() gives. Probabilities are 0..1, `x_min` and `x_max` bound a uniform draw. */
typedef struct {
	float crop_min,
		crop_max; /* share of the photo's area that is cut out; crop_max 0: tp_prep's own fit */
	float aspect_min, aspect_max; /* width / height of the part, drawn log-uniform */
	float hflip, vflip;           /* probability of left for right; of upside down (flat-lays) */
	float rotate, rotate_max;     /* probability; degrees either way */
	float brightness, contrast,
		saturation;             /* b: a factor of 1 - b .. 1 + b, as torchvision's ColorJitter */
	float hue;                      /* 0..0.5: turns of the colour circle, either way */
	float blur, blur_min, blur_max; /* probability; standard deviation in pixels of the view */
	float jpeg, jpeg_min, jpeg_max; /* probability; quality 1..100 */
} tp_augment;
#define TP_AUGMENT_INIT                                                                                      \
	{                                                                                                    \
		.aspect_min = 3.f / 4, .aspect_max = 4.f / 3, .rotate_max = 15, .blur_min = 0.1f,            \
		.blur_max = 2, .jpeg_min = 40, .jpeg_max = 95                                                \
	}

/* "none", "light", "standard" or "strong"; TP_ENOTFOUND names them. */
TP_CHECKED tp_code tp_augment_preset(tp_augment *out, const char *name, tp_err *err);
extern const char *const tp_augment_presets[]; /* their names, weakest first; ends with NULL */

/* TP_EINVAL, naming the option and what it may be. The functions below expect options that pass. */
TP_CHECKED tp_code tp_augment_check(const tp_augment *a, tp_err *err);

/* An object with a member for each option, as a model's training record keeps it. NULL: out of memory. From JSON a
 * missing member is off (a record of an older version), a wrong one TP_EFORMAT. */
json_t *tp_augment_to_json(const tp_augment *a);
TP_CHECKED tp_code tp_augment_from_json(tp_augment *out, const json_t *j, const char *where, tp_err *err);

/* Which view: the run, the pass over the photos, the photo's number, and which time it is that a sampler gives
 * the photo in this pass (0: the first). */
typedef struct {
	uint64_t seed, epoch, sample, repeat;
} tp_augment_key;

enum { TP_JITTER_BRIGHTNESS, TP_JITTER_CONTRAST, TP_JITTER_SATURATION, TP_JITTER_HUE, TP_JITTERS };

/* What was drawn. Open: a test or a caller may write one by hand. */
typedef struct {
	int photo_w, photo_h; /* the upright photo it was drawn for, at full size */
	int x, y, w, h;       /* the part of it; w 0: no crop, tp_prep's own fit */
	bool hflip, vflip;
	float degrees;                          /* anticlockwise; 0: not turned */
	float brightness, contrast, saturation; /* factors; 1: as they are */
	float hue;                              /* turns; 0: as it is */
	uint8_t order[TP_JITTERS];              /* TP_JITTER_x, first to last */
	float blur;                             /* standard deviation; 0: none */
	int quality;                            /* of the JPEG; 0: none */
} tp_augment_params;
#define TP_AUGMENT_PARAMS_INIT                                                                               \
	{                                                                                                    \
		.brightness = 1, .contrast = 1, .saturation = 1, .order = { 0, 1, 2, 3 }                     \
	}

/* w, h: of the upright photo, at full size (tp_image_probe(), sides swapped for orientations over 4), whatever
 * size it will be decoded to. An option switched on or off leaves what is drawn for the others as it is.
 * Source of the crop: torchvision's RandomResizedCrop.get_params(). */
void tp_augment_draw(tp_augment_params *out, const tp_augment *a, const tp_augment_key *key, int w, int h);

/* One line: "crop=12,30,200x180 flip=h turn=-7.5 brightness=1.10 ...", only what is not off. Cut off at cap. */
void tp_augment_describe(char *out, size_t cap, const tp_augment_params *d);

/* Memory that a worker keeps from photo to photo. */
typedef struct tp_scratch tp_scratch;
TP_CHECKED tp_code tp_scratch_new(tp_scratch **out, tp_err *err);
void tp_scratch_free(tp_scratch *s); /* NULL is fine */

/* Seconds spent with this scratch so far, by step. */
typedef struct {
	double decode, resize, turn, colour, blur, jpeg, floats;
} tp_augment_times;
const tp_augment_times *tp_scratch_times(const tp_scratch *s);

/* The short side at which a photo of this draw has pixels enough, for tp_decode_opts.min_side: the part cut out
 * keeps twice what the network reads, as in tp_prep_photo(). */
int tp_augment_min_side(const tp_prep *p, const tp_augment_params *d);

/* A decoded photo (of any scale: the part is taken in proportion) to the tensor.
 * out   float, CHW, 3 * side * side values; undefined on error.
 * Errors  TP_EINVAL (prep), TP_ENOMEM, TP_EBACKEND (JPEG). */
TP_CHECKED tp_code tp_augment_apply(float *out, const tp_prep *p, const tp_augment_params *d,
	const tp_image *img, tp_scratch *s, tp_err *err);
/* The same as a picture, before normalisation. *out belongs to the scratch and is valid until its next use. */
TP_CHECKED tp_code tp_augment_view(const tp_image **out, const tp_prep *p, const tp_augment_params *d,
	const tp_image *img, tp_scratch *s, tp_err *err);

/* Bytes to tensor: probe, draw, decode at the scale the crop allows, apply. drawn (may be NULL) tells what. */
TP_CHECKED tp_code tp_augment_photo(float *out, tp_augment_params *drawn, const tp_prep *p,
	const tp_augment *a, const tp_augment_key *key, const void *bytes, size_t len, tp_scratch *s,
	tp_err *err);

/* A photo to keep in memory: upright, shrunk so that its short side is `side` (a smaller one stays as it is).
 * out           the caller frees with tp_image_free().
 * photo_w, _h   the photo's full size, for tp_augment_draw(). */
TP_CHECKED tp_code tp_augment_load(tp_image **out, int *photo_w, int *photo_h, int side, tp_filter filter,
	const void *bytes, size_t len, tp_scratch *s, tp_err *err);

#endif
