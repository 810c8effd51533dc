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
uint64_t tp_rng_u64(tp_rng *r);
double tp_rng_unit(tp_rng *r);                /* [0, 1), 53 bits */
uint64_t tp_rng_below(tp_rng *r, uint64_t n); /* [0, n), without bias; n > 0 */
double tp_rng_normal(tp_rng *r);              /* mean 0, variance 1 */
void tp_rng_shuffle(tp_rng *r, uint32_t *v, size_t n);

#endif
