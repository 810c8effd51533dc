/* Which sample comes when. An epoch's order is a pure function of (seed, epoch): every rank computes the same one and
 * takes its share, and a run may be resumed at any position of any epoch. */
#ifndef TP_TRAIN_SAMPLER_H
#define TP_TRAIN_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct tp_sampler tp_sampler; /* opaque: samples by class */

/* label     class of each of n samples, 0..classes-1; borrowed for the call
 * power     a class's share of an epoch goes with (its samples)^power: 1 every sample once, 0.5 square root, 0 all
 *           classes alike
 * Errors    TP_EINVAL (power outside 0..1, a label out of range), TP_ELIMIT (n over TP_MAX_SAMPLES), TP_ENOMEM. */
TP_CHECKED tp_code tp_sampler_new(
	tp_sampler **out, const int *label, size_t n, int classes, double power, uint64_t seed, tp_err *err);
void tp_sampler_free(tp_sampler *s);

/* The n samples of an epoch, in order. A class comes as often as its share of n says, rounded up or down by chance;
 * within a class all samples come equally often, or some once more. Power 1: a permutation.
 * Threads: pure; any thread. TP_ENOMEM. */
TP_CHECKED tp_code tp_sampler_order(uint32_t *order, const tp_sampler *s, uint64_t epoch, tp_err *err);

/* Rank's i-th sample of an epoch: an index into the one order that all ranks compute from one seed. */
static inline size_t tp_shard_at(size_t i, int rank, int size)
{
	return i * (size_t)size + (size_t)rank;
}

/* How many of an order of n are rank's; ranks differ by one at most. */
static inline size_t tp_shard_len(size_t n, int rank, int size)
{
	return n / (size_t)size + ((size_t)rank < n % (size_t)size ? 1 : 0);
}

#endif
