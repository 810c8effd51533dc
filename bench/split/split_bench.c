/* The split of a set of Pl@ntNet's size: time, memory, how far species are from their shares, how many photos move.
 *
 *   split_bench N SPECIES [by-author]
 *
 * Photos of made-up observations (1 to 10 photos), 5 % near duplicates of which a tenth across species, species with
 * a long tail, authors with one (1 to 20,000 observations). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "data/split_groups.h"

typedef struct {
	uint32_t *species;
	uint64_t *name, *observation, *near, *author;
} columns;

static void make(columns *c, size_t n, size_t n_species)
{
	tp_rng r = tp_rng_seed(1);
	size_t left = 0;
	for (size_t i = 0; i < n; i++) {
		bool goes_on = left > 0;
		double u = tp_rng_unit(&r), v = tp_rng_unit(&r);
		left = goes_on ? left - 1 : tp_rng_below(&r, tp_rng_below(&r, 10) + 1);
		/* a third of the species have hardly any photos */
		c->species[i] = goes_on ? c->species[i - 1] : (uint32_t)((double)n_species * u * u * u);
		c->observation[i] = goes_on ? c->observation[i - 1] : tp_rng_u64(&r) | 1;
		c->author[i] = goes_on ? c->author[i - 1] : 1 + (uint64_t)(200000 * v * v * v * v);
		c->name[i] = tp_rng_u64(&r);
		c->near[i] = 0;
		if (i > 1000 && tp_rng_below(&r, 20) == 0) {
			size_t other = tp_rng_below(&r, 10) ? i - 1 : i - 1 - tp_rng_below(&r, 1000);
			c->near[other] = c->near[i] = c->near[other] ? c->near[other] : i;
		}
	}
}

static int run(const tp_split_photos *p, uint8_t *split, const char *what)
{
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	tp_split_stats s;
	tp_err err = { 0 };
	size_t leaks = 0;
	struct rusage u;
	double t = tp_now(), checked;
	if (tp_split_groups(split, p, &o, &s, &err)) {
		fprintf(stderr, "split_bench: %s\n", err.msg);
		return 1;
	}
	t = tp_now() - t;
	checked = tp_now();
	if (tp_split_check(&leaks, NULL, 0, split, p, &o, &err))
		return 1;
	checked = tp_now() - checked;
	getrusage(RUSAGE_SELF, &u);
	printf("%s: %zu photos, %zu groups (%zu of several species): %.2f s, check %.2f s, peak %.0f MiB "
	       "with "
	       "the columns\n"
	       "  train %.2f %%, val %.2f %%, test %.2f %%; leaks %zu; furthest from its quota: %.0f photos; "
	       "%.1f %% of a species' photos\n",
		what, p->n, s.groups, s.mixed, t, checked, (double)u.ru_maxrss / 1024,
		100.0 * (double)s.n[TP_TRAIN] / (double)p->n, 100.0 * (double)s.n[TP_VAL] / (double)p->n,
		100.0 * (double)s.n[TP_TEST] / (double)p->n, leaks, s.max_off, 100 * s.max_off_share);
	return leaks > 0;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: split_bench N SPECIES [by-author]\n");
		return 2;
	}
	size_t n = strtoull(argv[1], NULL, 10), n_species = strtoull(argv[2], NULL, 10), moved = 0;
	columns c = { tp_alloc(n * 4), tp_alloc(n * 8), tp_alloc(n * 8), tp_alloc(n * 8), tp_alloc(n * 8) };
	uint8_t *split = tp_alloc(n), *fewer = tp_alloc(n);
	const uint64_t *const keys[] = { c.observation, c.near, c.author };
	if (!n || !n_species || !split || !fewer || !c.species || !c.name || !c.observation || !c.near ||
		!c.author)
		return 2;
	make(&c, n, n_species);
	tp_split_photos p = { .n = n,
		.n_species = n_species,
		.species = c.species,
		.name = c.name,
		.keys = keys,
		.n_keys = argc > 3 ? 3 : 2 };
	if (run(&p, split, "all"))
		return 1;
	p.n = n - n / 100;
	if (run(&p, fewer, "without the last 1 %"))
		return 1;
	for (size_t i = 0; i < p.n; i++)
		moved += split[i] != fewer[i];
	printf("  %zu photos of %zu (%.3f %%) are in another split when 1 %% are added\n", moved, p.n,
		100.0 * (double)moved / (double)p.n);
	tp_free(c.species), tp_free(c.name), tp_free(c.observation), tp_free(c.near), tp_free(c.author);
	tp_free(split);
	tp_free(fewer);
	return 0;
}
