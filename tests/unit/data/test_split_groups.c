/* Splits by groups: no leak, shares kept, the same whatever the order, few photos move when others come. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/split_groups.h"
#include "t.h"

enum { N = 6000, SPECIES = 40, MORE = 600 };

static uint32_t species[N + MORE];
static uint64_t name[N + MORE], observation[N + MORE], near[N + MORE];
static uint64_t country[N + MORE], author[N + MORE];
static float lat[N + MORE], lon[N + MORE];
static int year[N + MORE];
static uint8_t split[N + MORE], again[N + MORE], given[N + MORE];
static const uint64_t *const keys[] = { observation, near };
static const char *const key_names[] = { "observation", "near duplicate" };

/* Observations of 1 to 6 photos, some near duplicates across them, of which a few across species. */
static tp_split_photos photos(size_t n, uint64_t seed)
{
	tp_rng r = tp_rng_seed(seed);
	size_t left = 0;
	for (size_t i = 0; i < N + MORE; i++) {
		double u = tp_rng_unit(&r);
		bool goes_on = left > 0;
		left = goes_on ? left - 1 : tp_rng_below(&r, 6);
		species[i] = goes_on ? species[i - 1] : (uint32_t)(SPECIES * u * u);
		observation[i] = goes_on ? observation[i - 1] : tp_rng_u64(&r) | 1;
		near[i] = i > 50 && tp_rng_below(&r, 20) == 0 ? near[i - 50] = i : 0;
		name[i] = tp_rng_u64(&r);
		author[i] = goes_on ? author[i - 1] : 1 + tp_rng_below(&r, 100);
		country[i] = 1 + author[i] % 10;
		lat[i] = (float)(tp_rng_unit(&r) * 180 - 90);
		lon[i] = (float)(tp_rng_unit(&r) * 360 - 180);
		year[i] = 2000 + (int)(author[i] % 20);
	}
	return (tp_split_photos){ .n = n,
		.n_species = SPECIES,
		.species = species,
		.name = name,
		.keys = keys,
		.key_names = key_names,
		.n_keys = 2,
		.lat = lat,
		.lon = lon,
		.year = year,
		.country = country,
		.author = author };
}

static int no_leak(const tp_split_photos *p, const tp_split_opts *o)
{
	tp_leak leak;
	tp_err err = { 0 };
	size_t n = 1;
	char text[160] = "";
	CHECK_OK(tp_split_check(&n, &leak, 1, split, p, o, &err), err);
	if (n)
		tp_leak_text(text, sizeof text, &leak, p);
	CHECK(!n, "%zu leaks: %s", n, text);
	return 0;
}

static int test_no_leak_and_the_shares(void)
{
	tp_split_photos p = photos(N, 1);
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_split_stats s;
	tp_err err = { 0 };
	CHECK_OK(tp_split_groups(split, &p, &o, &s, &err), err);
	CHECK(!no_leak(&p, &o), "leaks");
	CHECK(s.n[TP_TRAIN] + s.n[TP_VAL] + s.n[TP_TEST] == N && !s.n[TP_HELD_OUT] && !s.conflicts, "sums");
	CHECK(fabs((double)s.n[TP_TEST] / N - 0.1) < 0.005 && fabs((double)s.n[TP_VAL] / N - 0.1) < 0.005,
		"%zu and %zu of %d", s.n[TP_TEST], s.n[TP_VAL], N);
	CHECK(s.mixed > 10 && s.groups > 1000 && s.max_off <= 6, "%zu mixed of %zu, off by %g", s.mixed,
		s.groups, s.max_off);
	for (int c = 0; c < SPECIES; c++) {
		size_t n[3] = { 0 };
		for (size_t i = 0; i < N; i++)
			n[split[i]] += species[i] == (uint32_t)c;
		double all = (double)(n[0] + n[1] + n[2]);
		CHECK(fabs((double)n[TP_TEST] - all / 10) <= s.max_off + 0.5, "species %d: %zu of %g", c,
			n[TP_TEST], all);
	}
	return 0;
}

static int test_the_check_finds_what_is_planted(void)
{
	tp_split_photos p = photos(N, 2);
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_err err = { 0 };
	tp_leak leaks[4];
	char text[160];
	size_t n = 0, i = 1;
	CHECK_OK(tp_split_groups(split, &p, &o, NULL, &err), err);
	while (observation[i] != observation[i - 1] || near[i] || near[i - 1])
		i++;
	split[i] = (uint8_t)(split[i - 1] == TP_TEST ? TP_TRAIN : TP_TEST);
	CHECK_OK(tp_split_check(&n, leaks, 4, split, &p, &o, &err), err);
	CHECK(n >= 1 && leaks[0].column == 0, "%zu leaks", n);
	tp_leak_text(text, sizeof text, &leaks[0], &p);
	CHECK(strstr(text, "observation") && strstr(text, "test"), "%s", text);
	split[i] = split[i - 1];
	for (i = 51; !near[i]; i++)
		;
	split[i] = (uint8_t)((split[i] + 1) % 3);
	CHECK_OK(tp_split_check(&n, leaks, 4, split, &p, &o, &err), err);
	bool told = false;
	for (size_t k = 0; k < n && k < 4; k++)
		told |= leaks[k].column == 1;
	CHECK(told, "%zu leaks, none of near duplicates", n);
	return 0;
}

static int test_whatever_the_order(void)
{
	static uint32_t order[N];
	static uint64_t b_name[N], b_obs[N], b_near[N];
	static uint32_t b_species[N];
	const uint64_t *const b_keys[] = { b_obs, b_near };
	tp_split_photos p = photos(N, 3), b = p;
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_err err = { 0 };
	tp_rng r = tp_rng_seed(4);
	size_t other = 0;
	for (uint32_t i = 0; i < N; i++)
		order[i] = i;
	tp_rng_shuffle(&r, order, N);
	for (size_t i = 0; i < N; i++) {
		b_name[i] = name[order[i]], b_obs[i] = observation[order[i]], b_near[i] = near[order[i]];
		b_species[i] = species[order[i]];
	}
	b.name = b_name, b.keys = b_keys, b.species = b_species;
	CHECK_OK(tp_split_groups(split, &p, &o, NULL, &err), err);
	CHECK_OK(tp_split_groups(again, &b, &o, NULL, &err), err);
	for (size_t i = 0; i < N; i++)
		CHECK(again[i] == split[order[i]], "photo %u: %d and %d", (unsigned)order[i], split[order[i]],
			again[i]);
	o.seed = 1;
	CHECK_OK(tp_split_groups(again, &p, &o, NULL, &err), err);
	for (size_t i = 0; i < N; i++)
		other += split[i] != again[i];
	CHECK(other > N / 5, "another seed moves only %zu", other);
	return 0;
}

static int test_more_photos_move_few(void)
{
	tp_split_photos p = photos(N, 5), more = photos(N + MORE, 5);
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_err err = { 0 };
	size_t moved = 0;
	CHECK_OK(tp_split_groups(split, &p, &o, NULL, &err), err);
	CHECK_OK(tp_split_groups(again, &more, &o, NULL, &err), err);
	for (size_t i = 0; i < N; i++)
		moved += split[i] != again[i];
	/* dealing all anew would move about 34 % */
	CHECK(moved < N * 8 / 100, "%zu of %d photos moved when %d came", moved, N, MORE);
	return 0;
}

static int test_given_splits_stay(void)
{
	tp_split_photos p = photos(N, 6);
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_split_stats s;
	tp_err err = { 0 };
	tp_rng r = tp_rng_seed(7);
	size_t n = 0;
	for (size_t i = 0; i < N; i++)
		given[i] = i && observation[i] == observation[i - 1]
				   ? given[i - 1]
				   : (uint8_t)(tp_rng_below(&r, 3) ? TP_SPLIT_FREE : tp_rng_below(&r, 3));
	p.given = given;
	p.n_keys = 1;
	CHECK_OK(tp_split_groups(split, &p, &o, &s, &err), err);
	for (size_t i = 0; i < N; i++)
		CHECK(given[i] == TP_SPLIT_FREE || split[i] == given[i], "photo %zu", i);
	CHECK(!no_leak(&p, &o) && !s.conflicts, "leaks");
	p.n_keys = 2; /* near duplicates cross what was given */
	CHECK_OK(tp_split_groups(split, &p, &o, &s, &err), err);
	for (size_t i = 0; i < N; i++)
		CHECK(given[i] == TP_SPLIT_FREE || split[i] == given[i], "photo %zu", i);
	CHECK_OK(tp_split_check(&n, NULL, 0, split, &p, &o, &err), err);
	CHECK(s.conflicts > 0 && n > 0, "%zu conflicts, %zu leaks", s.conflicts, n);
	return 0;
}

/* Every tenth photo is excluded: counted nowhere, in the split of its group, and the others are dealt by their shares. */
static int test_excluded_photos_go_along(void)
{
	static uint8_t excluded[N];
	tp_split_photos p = photos(N, 11);
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_split_stats s;
	tp_err err = { 0 };
	size_t n = 0, at = 0;
	for (size_t i = 0; i < N; i++)
		n += excluded[i] = i % 10 == 3;
	p.excluded = excluded;
	CHECK_OK(tp_split_groups(split, &p, &o, &s, &err), err);
	CHECK(s.n[0] + s.n[1] + s.n[2] == N - n && s.max_off <= 6, "sums, off by %g", s.max_off);
	CHECK(fabs((double)s.n[TP_TEST] / (double)(N - n) - 0.1) < 0.005, "%zu to test", s.n[TP_TEST]);
	for (size_t i = 1; i < N; i++)
		CHECK(observation[i] != observation[i - 1] || split[i] == split[i - 1], "photo %zu", i);
	CHECK(!no_leak(&p, &o), "leaks");
	for (size_t i = 1; i + 1 < N && !at; i++) /* the middle one of an observation */
		if (excluded[i] && observation[i - 1] == observation[i] &&
			observation[i] == observation[i + 1] &&
			(i < 2 || observation[i - 2] != observation[i]) && !near[i - 1] && !near[i] &&
			!near[i + 1] && observation[i + 2] != observation[i])
			at = i;
	CHECK(at, "no such observation");
	split[at] = (uint8_t)((split[at] + 1) % 3);
	CHECK(!no_leak(&p, &o), "nobody asks where an excluded photo is");
	near[at] = near[at - 1] = 77, observation[at - 1] = 1234567; /* now only the excluded one ties them */
	split[at - 1] = (uint8_t)((split[at + 1] + 1) % 3);
	tp_leak leak;
	CHECK_OK(tp_split_check(&n, &leak, 1, split, &p, &o, &err), err);
	CHECK(n == 1 && leak.column == p.n_keys + 1 && leak.a == at - 1 && leak.b == at + 1, "%zu leaks", n);
	return 0;
}

static int held(const tp_split_photos *p, const tp_hold *h, size_t least)
{
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_split_stats s;
	tp_err err = { 0 };
	size_t n = 0;
	o.hold = h;
	o.n_hold = 1;
	CHECK_OK(tp_split_groups(split, p, &o, &s, &err), err);
	CHECK(!no_leak(p, &o), "leaks");
	CHECK(s.n[TP_HELD_OUT] >= least && s.n[TP_HELD_OUT] < p->n / 2, "%zu held out", s.n[TP_HELD_OUT]);
	for (size_t i = 0; i < p->n; i++)
		if (split[i] == TP_HELD_OUT)
			n = i;
	split[n] = TP_TRAIN;
	CHECK_OK(tp_split_check(&n, NULL, 0, split, p, &o, &err), err);
	CHECK(n > 0, "a photo that is not held out was not found");
	return 0;
}

static int test_holding_out(void)
{
	static const tp_hold rules[] = { { .kind = TP_HOLD_SPECIES, .key = 3 },
		{ .kind = TP_HOLD_AUTHOR, .key = 7 }, { .kind = TP_HOLD_COUNTRY, .key = 2 },
		{ .kind = TP_HOLD_YEARS, .from = 2018, .to = 2019 },
		{ .kind = TP_HOLD_BOX, .south = -10, .north = 10, .west = 170, .east = -170 } };
	tp_split_photos p = photos(N, 8);
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_err err = { 0 };
	p.n_keys = 1;
	for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
		CHECK(!held(&p, &rules[k], 30), "rule %zu", k);
	for (size_t i = 0; i < N; i++) { /* of the box, which was last */
		bool in = lat[i] >= -10 && lat[i] <= 10 && (lon[i] >= 170 || lon[i] <= -170);
		CHECK(!in || split[i] != TP_VAL, "photo %zu", i);
	}
	p.year = NULL;
	o.hold = &rules[3];
	o.n_hold = 1;
	CHECK(tp_split_groups(split, &p, &o, NULL, &err) == TP_EINVAL && strstr(err.msg, "year"), "%s",
		err.msg);
	return 0;
}

/* 1..12 photos of a species, each a group: how many go where. */
static int test_rare_species(void)
{
	static const uint8_t want[13][3] = { { 0, 0, 0 }, { 1, 0, 0 }, { 2, 0, 0 }, { 2, 1, 0 }, { 3, 1, 0 },
		{ 3, 1, 1 }, { 4, 1, 1 }, { 5, 1, 1 }, { 6, 1, 1 }, { 7, 1, 1 }, { 8, 1, 1 }, { 9, 1, 1 },
		{ 10, 1, 1 } };
	tp_split_photos p = { .n_species = 13, .species = species, .name = name };
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_err err = { 0 };
	size_t n[13][3] = { { 0 } };
	for (uint32_t c = 1; c < 13; c++)
		for (uint32_t k = 0; k < c; k++, p.n++)
			species[p.n] = c, name[p.n] = p.n * 77 + 5;
	CHECK_OK(tp_split_groups(split, &p, &o, NULL, &err), err);
	for (size_t i = 0; i < p.n; i++)
		n[species[i]][split[i]]++;
	for (int c = 0; c < 13; c++)
		for (int s = 0; s < 3; s++)
			CHECK(n[c][s] == want[c][s], "%d photos: %zu in split %d", c, n[c][s], s);
	/* one group of many photos is never taken from training */
	observation[0] = 9;
	for (size_t i = 0; i < 20; i++)
		species[i] = 0, observation[i] = 9;
	p.n = 20, p.keys = keys, p.n_keys = 1;
	CHECK_OK(tp_split_groups(split, &p, &o, NULL, &err), err);
	CHECK(split[0] == TP_TRAIN && split[19] == TP_TRAIN, "the only group of a species");
	return 0;
}

static int test_what_is_refused(void)
{
	tp_split_photos p = photos(N, 9);
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_err err = { 0 };
	o.val = 0.5, o.test = 0.5;
	CHECK(tp_split_groups(split, &p, &o, NULL, &err) == TP_EINVAL && strstr(err.msg, "0.5"), "%s",
		err.msg);
	o.val = NAN;
	CHECK(tp_split_groups(split, &p, &o, NULL, &err) == TP_EINVAL, "%s", err.msg);
	o = (tp_split_opts)TP_SPLIT_OPTS_INIT;
	species[17] = SPECIES;
	CHECK(tp_split_groups(split, &p, &o, NULL, &err) == TP_EINVAL && strstr(err.msg, "17"), "%s",
		err.msg);
	p.n = 0;
	CHECK_OK(tp_split_groups(split, &p, &o, NULL, &err), err);
	for (int n = 1;; n++) {
		p = photos(N, 9);
		tp_mem_fail_at(n);
		tp_code rc = tp_split_groups(split, &p, &o, NULL, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		if (!failed)
			return rc ? 1 : 0;
		CHECK(rc == TP_ENOMEM && !tp_mem_live(), "allocation %d: code %d", n, rc);
	}
}

int main(void)
{
	return RUN(T(test_no_leak_and_the_shares), T(test_the_check_finds_what_is_planted),
		T(test_whatever_the_order), T(test_more_photos_move_few), T(test_given_splits_stay),
		T(test_holding_out), T(test_excluded_photos_go_along), T(test_rare_species),
		T(test_what_is_refused));
}
