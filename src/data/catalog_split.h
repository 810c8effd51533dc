/* Splits of a catalog's photos: tp_split_groups() over its columns, written back, and the leak test.
 *
 * Photos of one observation, of one group of duplicates, or with the same bytes always stay together; `by` adds more. Photos
 * that are excluded get the split of their group, so that a rule of cleaning may be changed later; they count for nothing.
 * How a split was made is kept in the catalog (docs/formats.md), so the leak test knows what to look for.
 * 2.9 million photos take about 150 bytes each. Threads: as the catalog. */
#ifndef TP_DATA_CATALOG_SPLIT_H
#define TP_DATA_CATALOG_SPLIT_H

#include "data/catalog.h"
#include "data/split_groups.h"

typedef struct {
	/* Besides: "author"; "day" (one author, one day); "place" (the same thousandth of a degree) */
	const char *const *by;
	int n_by;
	/* "species=NAME", "author=NAME", either with a file of names, one a line; "years=2020-2024"; "box=S,W,N,E" in
	 * degrees. A species is named as its taxon or as any of its names. */
	const char *const *hold_out;
	int n_hold_out;
	double val, test; /* shares, 0..1 */
	uint64_t seed;
	bool ignore_given; /* deal also photos whose source says where they belong */
	/* Told of names in a file that no photo has, and of the first leaks; NULL: nobody listens. */
	void (*unknown)(void *ud, const char *what, const char *name);
	void (*leak)(void *ud, const char *text);
	void *ud;
} tp_catalog_split_opts;
#define TP_CATALOG_SPLIT_OPTS_INIT                                                                           \
	{                                                                                                    \
		.val = 0.1, .test = 0.1, .seed = 1                                                           \
	}

enum { TP_LEAKS_TOLD = 10 };

typedef struct {
	size_t kept, excluded, changed; /* photos; changed: whose split is another one now */
	size_t species, no_test, no_val,
		no_train; /* species with photos not held out; without one to test, ... */
	tp_split_stats split;
	char worst[128]; /* the species of split.worst; "" */
	size_t leaks;    /* that the test found afterwards */
} tp_catalog_splitted;

/* Writes the splits, all or none. Errors: TP_EINVAL (shares, a rule that is none, no photo with what a rule asks for),
 * TP_ENOTFOUND (a species or author named by itself), those of the catalog. */
TP_CHECKED tp_code tp_catalog_split(
	tp_catalog_splitted *out, tp_catalog *c, const tp_catalog_split_opts *o, tp_err *err);

/* The leak test alone, of the splits decided, or else given: by the rules the catalog was split with, and those in o. The
 * shares, the seed and ignore_given are not looked at. TP_EINVAL: a photo that is kept has no split. A leak is no error. */
TP_CHECKED tp_code tp_catalog_split_check(
	size_t *leaks, tp_catalog *c, const tp_catalog_split_opts *o, tp_err *err);

#endif
