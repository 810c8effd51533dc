/* All near pairs among made-up hashes: time, memory, and whether the search is complete.
 *
 *   near_bench N BITS THREADS [SEED [turned]]
 *
 * The hashes are those of hashes.h. A sample of points is compared with all others one by one; their pairs must be the
 * ones that were found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "data/near.h"
#include "hashes.h"

enum { SAMPLE = 2000 };

typedef struct {
	uint64_t *hash;
	uint32_t *slot; /* of an item in the sample, + 1 */
	size_t pairs, same, in_same, largest;
	size_t n[SAMPLE];
	uint64_t sum[SAMPLE]; /* of the hashes found near */
	uint8_t *has_same;
} result;

static tp_code on_same(void *ud, const uint32_t *items, size_t n, tp_err *err)
{
	result *r = ud;
	(void)err, (void)items;
	r->same++;
	r->in_same += n;
	r->largest = n > r->largest ? n : r->largest;
	for (size_t i = 1; i < n; i++)
		r->has_same[items[i]] = 1;
	return TP_OK;
}

static void note(result *r, uint32_t a, uint32_t b, tp_turn turn)
{
	if (!r->slot[a])
		return;
	r->n[r->slot[a] - 1]++;
	r->sum[r->slot[a] - 1] += tp_hash_turn(r->hash[b], turn);
}

static tp_turn inverse(tp_turn t)
{
	return t == TP_TURN_LEFT ? TP_TURN_RIGHT : t == TP_TURN_RIGHT ? TP_TURN_LEFT : t;
}

static tp_code on_pairs(void *ud, const tp_near_pair *p, size_t n, tp_err *err)
{
	result *r = ud;
	(void)err;
	for (size_t i = 0; i < n; i++) {
		note(r, p[i].a, p[i].b, (tp_turn)p[i].turn);
		note(r, p[i].b, p[i].a, inverse((tp_turn)p[i].turn));
	}
	r->pairs += n;
	return TP_OK;
}

/* Every sampled item against all: only the first item of a hash counts, as pairs name it. */
static size_t check(const result *r, const uint32_t *sample, size_t n, const tp_near_opts *o)
{
	size_t wrong = 0, total = 0;
	for (size_t s = 0; s < SAMPLE; s++) {
		size_t near = 0;
		uint64_t sum = 0, x = r->hash[sample[s]];
		for (int t = 0; t < (o->turned ? TP_TURNS : 1); t++) {
			uint64_t back =
				tp_hash_turn(x, inverse((tp_turn)t)); /* compares as x with the turned */
			for (size_t i = 0; i < n; i++) {
				int d = tp_near_distance(back, r->hash[i]);
				if (d <= o->bits && r->hash[i] != x && !r->has_same[i]) {
					near++;
					sum += tp_hash_turn(r->hash[i], (tp_turn)t);
				}
			}
		}
		bool repeat = r->has_same[sample[s]];
		wrong += repeat ? r->n[s] != 0 : near != r->n[s] || sum != r->sum[s];
		total += repeat ? 0 : near;
	}
	printf("complete: %d points against all %zu, %zu near pairs: %zu points wrong\n", SAMPLE, n, total,
		wrong);
	return wrong;
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: near_bench N BITS THREADS [SEED [turned]]\n");
		return 2;
	}
	size_t n = strtoull(argv[1], NULL, 10);
	tp_near_opts o = { (int)strtol(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10), argc > 5 };
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	result r = { .hash = tp_alloc(n * 8), .slot = tp_calloc(n, 4), .has_same = tp_calloc(n, 1) };
	uint32_t sample[SAMPLE];
	tp_near_sink sink = { on_same, on_pairs, &r };
	tp_err err = { 0 };
	if (n < SAMPLE || !r.hash || !r.slot || !r.has_same)
		return 2;
	make_hashes(r.hash, n, seed);
	tp_rng pick = tp_rng_seed(seed + 1);
	for (size_t s = 0; s < SAMPLE;) {
		uint32_t i = (uint32_t)tp_rng_below(&pick, n);
		if (!r.slot[i]) {
			sample[s++] = i;
			r.slot[i] = (uint32_t)s;
		}
	}
	double t = tp_now();
	if (tp_near_each(r.hash, n, &o, &sink, &err)) {
		fprintf(stderr, "near_bench: %s\n", err.msg);
		return 1;
	}
	t = tp_now() - t;
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("%zu hashes, %d bits%s, %d threads, seed %llu: %.2f s, peak %.0f MiB (hashes and bench "
	       "included)\n"
	       "%zu pairs; %zu groups of identical hashes hold %zu items, the largest %zu\n",
		n, o.bits, o.turned ? " (mirrored and turned ones too)" : "", o.threads,
		(unsigned long long)seed, t, (double)u.ru_maxrss / 1024, r.pairs, r.same, r.in_same,
		r.largest);
	size_t wrong = check(&r, sample, n, &o);
	tp_free(r.hash);
	tp_free(r.slot);
	tp_free(r.has_same);
	return wrong > 0;
}
