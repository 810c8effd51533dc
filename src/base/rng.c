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

/* Each number goes through the mixer before the next is added: streams of neighbours have nothing in common. */
tp_rng tp_rng_stream(uint64_t seed, uint64_t use, uint64_t a, uint64_t b)
{
	uint64_t x = seed;
	x = splitmix(&x) + use;
	x = splitmix(&x) + a;
	x = splitmix(&x) + b;
	return tp_rng_seed(splitmix(&x));
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

/* By rejection from a normal's cube: hardly one in twenty is drawn again. */
static double gamma_from_1(tp_rng *r, double shape)
{
	double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
	for (;;) {
		double x = tp_rng_normal(r), t = 1 + c * x, v = t * t * t, u = 1 - tp_rng_unit(r);
		if (t > 0 && log(u) < x * x / 2 + d - d * v + d * log(v))
			return d * v;
	}
}

/* Below shape 1 a gamma is one of shape + 1 times a power of a uniform number, and may be less than any double. */
static double log_gamma(tp_rng *r, double shape)
{
	assert(shape > 0);
	if (shape >= 1)
		return log(gamma_from_1(r, shape));
	double g = gamma_from_1(r, shape + 1);
	return log(g) + log(1 - tp_rng_unit(r)) / shape;
}

double tp_rng_gamma(tp_rng *r, double shape)
{
	return exp(log_gamma(r, shape));
}

double tp_rng_beta(tp_rng *r, double a, double b)
{
	double x = log_gamma(r, a), y = log_gamma(r, b);
	return 1 / (1 + exp(y - x));
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
