/* Random numbers that are the same on every machine: xoshiro256** (Blackman & Vigna 2018), seeded by splitmix64.
 * A generator is a value: pass a pointer, copy it to fork a stream. Threads: one generator, one thread. */
#ifndef TP_BASE_RNG_H
#define TP_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
	uint64_t s[4];
} tp_rng;

tp_rng tp_rng_seed(uint64_t seed);
/* One of many generators of a seed, for the a-th epoch's b-th sample, say: any of them can be had without the others.
 * `use` is a constant of the caller's, so that two uses of the same numbers draw apart. */
tp_rng tp_rng_stream(uint64_t seed, uint64_t use, uint64_t a, uint64_t b);
uint64_t tp_rng_u64(tp_rng *r);
double tp_rng_unit(tp_rng *r);                /* [0, 1), 53 bits */
uint64_t tp_rng_below(tp_rng *r, uint64_t n); /* [0, n), without bias; n > 0 */
double tp_rng_normal(tp_rng *r);              /* mean 0, variance 1 */
/* Shapes above 0, scale 1 (Marsaglia & Tsang 2000). Beta is right also where both gammas would be 0 as doubles. */
double tp_rng_gamma(tp_rng *r, double shape);
double tp_rng_beta(tp_rng *r, double a, double b); /* [0, 1] */
void tp_rng_shuffle(tp_rng *r, uint32_t *v, size_t n);

#endif
