/* Random numbers: see rng.h. */
#include "base/rng.h"

#include <assert.h>
#include <math.h>

static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

tp_rng tp_rng_seed(uint64_t seed)
{
	tp_rng r;
	for (int i = 0; i < 4; i++)
		r.s[i] = splitmix(&seed);
	return r;
}

uint64_t tp_rng_u64(tp_rng *r)
{
	uint64_t *s = r->s, out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

double tp_rng_unit(tp_rng *r)
{
	return (double)(tp_rng_u64(r) >> 11) * 0x1p-53;
}

uint64_t tp_rng_below(tp_rng *r, uint64_t n)
{
	assert(n > 0);
	uint64_t reject = (0 - n) % n; /* 2^64 mod n: values below it would be drawn once too often */
	for (;;) {
		uint64_t x = tp_rng_u64(r);
		if (x >= reject)
			return x % n;
	}
}

double tp_rng_normal(tp_rng *r)
{
	double u = 1 - tp_rng_unit(r), v = tp_rng_unit(r);
	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

void tp_rng_shuffle(tp_rng *r, uint32_t *v, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)tp_rng_below(r, i);
		uint32_t t = v[i - 1];
		v[i - 1] = v[j];
		v[j] = t;
	}
}
