/* All pairs of 64-bit hashes that differ in few bits, among millions. Exact and complete: no pair is missed, none
 * is told twice.
 *
 * Identical hashes are one point of the search: a thousand black pictures are one group told once, not half a
 * million pairs. Points are compared only when they agree in some blocks of bits, found by repeated sorting
 * (Tabei, Uno, Sugiyama, Tsuda 2010, "Single versus multiple sorting in all pairs similarity search"): of
 * bits + k blocks, two hashes that differ in at most `bits` bits agree in k or more.
 *
 * n hashes take about 40 * n bytes of memory here, and 12 * n for each level of a sort whose parts are large
 * (docs/data.md has what was measured). */
#ifndef TP_DATA_NEAR_H
#define TP_DATA_NEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/measure.h"

enum {
	TP_NEAR_MAX_BITS = 12, /* beyond it nearly everything is near */
	TP_NEAR_MAX_ITEMS = 1 << 30,
};

/* Two photos whose hashes are near: hash[a] and tp_hash_turn(hash[b], turn). */
typedef struct {
	uint32_t a, b; /* a < b: the smallest items that have the two hashes */
	uint8_t bits;  /* in how many they differ, 0..opts.bits; 0 only when turned */
	uint8_t turn;  /* tp_turn */
} tp_near_pair;

/* Where results go as they are found. Calls come from several threads, but one at a time; a failure stops the
 * search and is what it returns. NULL: not wanted.
 * same   n >= 2 items, ascending, that have one hash; borrowed for the call. In order of their hashes.
 * pairs  some of the pairs, in no fixed order; borrowed for the call. */
typedef struct {
	tp_code (*same)(void *ud, const uint32_t *items, size_t n, tp_err *err);
	tp_code (*pairs)(void *ud, const tp_near_pair *p, size_t n, tp_err *err);
	void *ud;
} tp_near_sink;

typedef struct {
	int bits;    /* differing bits that still are near, 0..TP_NEAR_MAX_BITS */
	int threads; /* at least 1 */
	bool turned; /* find also mirrored and turned copies: six more searches, each of twice the points. A pair
			is told for each turn that makes it near */
} tp_near_opts;
#define TP_NEAR_OPTS_INIT                                                                                    \
	{                                                                                                    \
		.bits = 6, .threads = 1                                                                      \
	}

/* Errors: TP_EINVAL (bits), TP_ELIMIT (n), TP_ENOMEM, what the sink returned. */
TP_CHECKED tp_code tp_near_each(
	const uint64_t *hash, size_t n, const tp_near_opts *opts, const tp_near_sink *sink, tp_err *err);

/* Groups of items that a chain of near pairs joins. group: n values out; group[i] is the smallest item of i's
 * group, so an item that has nothing near is its own. n_pairs, NULL or: pairs of different hashes found. */
TP_CHECKED tp_code tp_near_groups(uint32_t *group, const uint64_t *hash, size_t n, const tp_near_opts *opts,
	size_t *n_pairs, tp_err *err);

/* How many bits differ. */
static inline int tp_near_distance(uint64_t a, uint64_t b)
{
	return __builtin_popcountll(a ^ b);
}

#endif
