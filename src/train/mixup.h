/* Augmentation of whole batches and of finished tensors, in place: mixup, cutmix, random erasing. Pure functions of their
 * arguments; any thread. */
#ifndef TP_TRAIN_MIXUP_H
#define TP_TRAIN_MIXUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

typedef struct {
	double mixup, cutmix; /* alpha of Beta(alpha, alpha), where a batch's share comes from; 0: off */
	double chance;        /* that a batch is mixed at all */
	double cutmix_share;  /* how often it is cutmix, where both are on */
} tp_mix_opts;
#define TP_MIX_OPTS_INIT                                                                                     \
	{                                                                                                    \
		.chance = 1, .cutmix_share = 0.5                                                             \
	}
TP_CHECKED tp_code tp_mix_check(const tp_mix_opts *o, tp_err *err); /* TP_EINVAL names the option */

typedef enum { TP_MIX_NONE, TP_MIX_MIXUP, TP_MIX_CUTMIX } tp_mix_kind;

/* Mixes sample i of a batch with sample n-1-i; batches are in random order already. The targets are then class y[i] with
 * weight[i] and class y[n-1-i] with the rest.
 * x         n x c x h x w
 * other     n, out: y[n-1-i]
 * weight    n, out: how much of i is left (1 when nothing was mixed, or i was its own partner)
 * step      of the run; ranks that should draw apart bring seeds of their own
 * Source    mixup (Zhang et al. 2018): share x_i + (1 - share) x_j. cutmix (Yun et al. 2019): a rectangle of side
 *           sqrt(1 - share) around a uniform centre, cut off at the edges, the weight being what is really left. */
tp_mix_kind tp_mix(float *x, int n, int c, int h, int w, const int *y, int *other, float *weight,
	const tp_mix_opts *o, uint64_t seed, uint64_t step);

typedef struct {
	double chance;
	double area_min, area_max; /* shares of the picture */
	double aspect_min;         /* height over width, from this to its inverse */
	bool noise;                /* normal noise in each value, instead of one colour */
	float fill[3];             /* the colour; 0 is the mean where tensors are normalised */
} tp_erase_opts;
#define TP_ERASE_OPTS_INIT                                                                                   \
	{                                                                                                    \
		.chance = 0.25, .area_min = 0.02, .area_max = 1.0 / 3, .aspect_min = 0.3                     \
	}
TP_CHECKED tp_code tp_erase_check(const tp_erase_opts *o, tp_err *err); /* TP_EINVAL names the option */

/* Overwrites a rectangle of a 3 x h x w tensor, with o->chance; false when it was left alone (by chance, or because ten
 * rectangles in a row did not fit). Source: random erasing (Zhong et al. 2020), with torchvision's log-uniform aspect. */
bool tp_erase(float *x, int h, int w, const tp_erase_opts *o, uint64_t seed, uint64_t epoch, uint64_t sample);

#endif
