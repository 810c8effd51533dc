/* Near hashes: the same pairs as comparing all with all, each once, identical ones as groups. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/near.h"
#include "data/unite.h"
#include "t.h"

enum { N = 1200 };

static uint64_t hash[N];
static uint8_t found[N][N]; /* bits of a pair told, 255 when told twice */
static uint32_t same_as[N]; /* smallest item of an identical hash, as told */
static size_t calls;

static tp_code on_same(void *ud, const uint32_t *items, size_t n, tp_err *err)
{
	(void)ud, (void)err;
	for (size_t i = 0; i < n; i++)
		same_as[items[i]] = items[0];
	return TP_OK;
}

static tp_code on_pairs(void *ud, const tp_near_pair *p, size_t n, tp_err *err)
{
	(void)ud, (void)err;
	calls++;
	for (size_t i = 0; i < n; i++)
		found[p[i].a][p[i].b] = found[p[i].a][p[i].b] ? 255 : p[i].bits;
	return TP_OK;
}

static const tp_near_sink sink = { on_same, on_pairs, NULL };

/* Kinds: 0 spread out, 1 bursts, 2 crowded around a few points (full paths are crowded too), 3 few different. */
static void make(int kind, uint64_t seed)
{
	tp_rng r = tp_rng_seed(seed);
	uint64_t centre = 0;
	for (size_t i = 0; i < N; i++) {
		if (kind == 0 || (kind == 1 && i % 5 == 0) || (kind == 2 && i % 600 == 0) || i == 0)
			centre = tp_rng_u64(&r);
		hash[i] = kind == 3 ? tp_rng_below(&r, 40) * 0x0101010101u : centre;
		for (int k = kind == 1 || kind == 2 ? (int)tp_rng_below(&r, 7) : 0; k > 0; k--)
			hash[i] ^= UINT64_C(1) << tp_rng_below(&r, 64);
	}
}

static void forget(void)
{
	memset(found, 0, sizeof found);
	for (size_t i = 0; i < N; i++)
		same_as[i] = (uint32_t)i;
	calls = 0;
}

static int as_brute_force(int bits)
{
	static uint32_t first[N];
	for (uint32_t i = 0; i < N; i++) {
		first[i] = i;
		for (uint32_t j = 0; j < i && first[i] == i; j++)
			if (hash[i] == hash[j])
				first[i] = j;
		CHECK(same_as[i] == first[i], "item %u is the same as %u, told %u", i, first[i], same_as[i]);
	}
	for (uint32_t i = 0; i < N; i++)
		for (uint32_t j = 0; j < N; j++) {
			int d = tp_near_distance(hash[i], hash[j]);
			int want = i < j && first[i] == i && first[j] == j && d <= bits ? d : 0;
			CHECK(found[i][j] == want, "pair %u %u: %d bits, told %d", i, j, d, found[i][j]);
		}
	return 0;
}

static int test_the_pairs_of_brute_force(void)
{
	static const int bits[] = { 6, 0, 1, 3, 9, 12 };
	tp_err err = { 0 };
	for (int kind = 0; kind < 4; kind++)
		for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
			tp_near_opts o = { bits[b], 1 + (kind + (int)b) % 3, false };
			make(kind, b + 1);
			forget();
			CHECK_OK(tp_near_each(hash, N, &o, &sink, &err), err);
			CHECK(!as_brute_force(bits[b]), "kind %d, %d bits, %d threads", kind, bits[b],
				o.threads);
			CHECK(kind != 2 || bits[b] < 6 || calls > 1,
				"the crowd is too small to fill a batch");
		}
	return 0;
}

static uint8_t turned[TP_TURNS][N][N]; /* bits + 1 of a pair told */

static tp_code on_turned(void *ud, const tp_near_pair *p, size_t n, tp_err *err)
{
	(void)ud, (void)err;
	for (size_t i = 0; i < n; i++) {
		uint8_t *t = &turned[p[i].turn][p[i].a][p[i].b];
		*t = *t ? 255 : (uint8_t)(p[i].bits + 1);
	}
	return TP_OK;
}

static int test_mirrored_and_turned(void)
{
	tp_near_sink to = { NULL, on_turned, NULL };
	tp_near_opts o = { 5, 2, true };
	tp_err err = { 0 };
	tp_rng r = tp_rng_seed(9);
	size_t n[TP_TURNS] = { 0 };
	make(1, 3);
	for (size_t i = 0; i < N; i++) {
		hash[i] = tp_hash_turn(hash[i], (tp_turn)tp_rng_below(&r, TP_TURNS));
		for (size_t j = 0; j < i; j++)
			if (hash[i] == hash[j])
				hash[i] = tp_rng_u64(&r); /* no identical ones here */
	}
	CHECK_OK(tp_near_each(hash, N, &o, &to, &err), err);
	for (int t = 0; t < TP_TURNS; t++)
		for (size_t i = 0; i < N; i++)
			for (size_t j = 0; j < N; j++) {
				int d = tp_near_distance(hash[i], tp_hash_turn(hash[j], (tp_turn)t));
				int want = i < j && d <= 5 ? d + 1 : 0;
				CHECK(turned[t][i][j] == want, "turn %d, pair %zu %zu: %d bits, told %d - 1",
					t, i, j, d, turned[t][i][j]);
				n[t] += want > 0;
			}
	for (int t = 0; t < TP_TURNS; t++)
		CHECK(n[t] > 20, "turn %d has only %zu pairs to find", t, n[t]);
	return 0;
}

static int test_groups(void)
{
	static uint32_t group[N], want[N];
	tp_near_opts o = { 3, 2, false };
	tp_err err = { 0 };
	size_t pairs = 0, n = 0;
	make(1, 5);
	CHECK_OK(tp_near_groups(group, hash, N, &o, &pairs, &err), err);
	tp_unite_init(want, N);
	for (uint32_t i = 0; i < N; i++)
		for (uint32_t j = 0; j < i; j++)
			if (tp_near_distance(hash[i], hash[j]) <= 3)
				tp_unite(want, i, j);
	tp_unite_finish(want, N);
	for (size_t i = 0; i < N; i++) {
		CHECK(group[i] == want[i], "item %zu is in %u, should be %u", i, group[i], want[i]);
		n += group[i] == i;
	}
	CHECK(n > 240 && n < N && pairs > 100, "%zu groups, %zu pairs", n, pairs);
	CHECK_OK(tp_near_groups(group, hash, 0, &o, &pairs, &err), err);
	CHECK_OK(tp_near_groups(group, hash, 1, &o, &pairs, &err), err);
	CHECK(group[0] == 0 && pairs == 0, "one item");
	return 0;
}

static tp_code refuse(void *ud, const tp_near_pair *p, size_t n, tp_err *err)
{
	(void)ud, (void)p, (void)n;
	calls++;
	return tp_fail(err, TP_EIO, "the disk is full");
}

static int test_what_is_refused(void)
{
	tp_near_sink bad = { NULL, refuse, NULL };
	tp_near_opts o = TP_NEAR_OPTS_INIT;
	tp_err err = { 0 };
	make(2, 1);
	calls = 0;
	CHECK(tp_near_each(hash, N, &o, &bad, &err) == TP_EIO && strstr(err.msg, "full"), "%s", err.msg);
	CHECK(calls == 1, "told %zu times after a failure", calls);
	o.bits = 13;
	CHECK(tp_near_each(hash, N, &o, &sink, &err) == TP_EINVAL && strstr(err.msg, "13"), "%s", err.msg);
	o.bits = 6;
	CHECK(tp_near_each(hash, (size_t)TP_NEAR_MAX_ITEMS + 1, &o, &sink, &err) == TP_ELIMIT, "%s", err.msg);
	return 0;
}

static int test_every_failed_allocation_is_reported(void)
{
	tp_near_opts o = { 6, 2, true };
	make(2, 1);
	for (int n = 1;; n++) {
		long before = tp_mem_live();
		tp_mem_fail_at(n);
		tp_code rc = tp_near_each(hash, N, &o, &sink, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == before, "allocation %d leaks", n);
		if (!failed)
			return rc ? 1 : 0;
		CHECK(rc == TP_ENOMEM, "allocation %d: code %d", n, rc);
	}
}

int main(void)
{
	return RUN(T(test_the_pairs_of_brute_force), T(test_mirrored_and_turned), T(test_groups),
		T(test_what_is_refused), T(test_every_failed_allocation_is_reported));
}
