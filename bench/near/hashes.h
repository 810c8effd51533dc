/* Hashes as those of a big photo set: most have nothing near; bursts of one plant differ in a few bits; one photo in a
 * hundred is among a few identical pictures (black, white, "image not found"); nearly black ones crowd around a point;
 * scans of one layout lie loosely around templates. */
#ifndef TP_BENCH_HASHES_H
#define TP_BENCH_HASHES_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

static inline uint64_t flip(tp_rng *r, uint64_t h, int most)
{
	int k = (int)tp_rng_below(r, (uint64_t)most + 1);
	while (k--)
		h ^= UINT64_C(1) << tp_rng_below(r, 64);
	return h;
}

/* Sizes with a long tail: 2 half of the time, 10 seldom, 50 at most. */
static inline size_t burst(tp_rng *r)
{
	size_t n = 2;
	while (n < 50 && tp_rng_below(r, 2))
		n++;
	return n;
}

static inline void make_hashes(uint64_t *h, size_t n, uint64_t seed)
{
	tp_rng r = tp_rng_seed(seed);
	uint64_t same[5], layout[200];
	for (size_t i = 0; i < 5; i++)
		same[i] = tp_rng_u64(&r);
	for (size_t i = 0; i < 200; i++)
		layout[i] = tp_rng_u64(&r);
	for (size_t i = 0; i < n;) {
		unsigned kind = (unsigned)tp_rng_below(&r, 1000);
		uint64_t x = tp_rng_u64(&r);
		if (kind < 10)
			h[i++] = same[tp_rng_below(&r, 5)];
		else if (kind < 15)
			h[i++] = flip(&r, same[0], 4);
		else if (kind < 45)
			h[i++] = flip(&r, layout[tp_rng_below(&r, 200)], 14);
		else if (kind < 200)
			for (size_t k = burst(&r); k && i < n; k--)
				h[i++] = flip(&r, x, 8);
		else
			h[i++] = x;
	}
}

#endif
