/* Which photos train, which validate, which test: whole groups go one way, so that what is tested was never seen.
 *
 * Photos that share any key (observation, near-duplicate group, author, ...: any number of columns) are one group,
 * also through others. The order in which groups are dealt is a hash of the group's smallest key and the seed, so it
 * depends neither on the order of the photos nor on which other photos there are: adding photos moves few others.
 * Each species has a quota of photos for test and for validation; a group goes to the first of the two that still
 * needs all of its photos; a second round gives groups to the one that needs most of them, the rest train. Groups of
 * several species are dealt first, because those of one species can still even out what they did.
 *
 * Rare species, counted in groups: with 1 or 2 all train; with 3 or 4 one photo at least is asked for validation and
 * none for test; from 5 on one at least for each. The last training photo of a species is never taken.
 *
 * 2.9 million photos take about 60 bytes each here besides the caller's columns. Threads: one call, one thread. */
#ifndef TP_DATA_SPLIT_GROUPS_H
#define TP_DATA_SPLIT_GROUPS_H

#include "data/data.h"

enum { TP_HELD_OUT = TP_SPLITS, TP_SPLIT_FREE = 255 };

/* Columns of n values, borrowed. A key of 0 is "not known" and joins nothing. */
typedef struct {
	size_t n, n_species;
	const uint32_t *species;
	const uint64_t *name; /* a key of each photo itself: tp_key_of(its path) */
	const uint64_t *const
		*keys; /* n_keys columns: photos with an equal key in one of them stay together */
	const char *const *key_names; /* of the columns, for messages */
	size_t n_keys;
	const uint8_t *given; /* NULL, or a tp_split that is already decided, or TP_SPLIT_FREE */
	/* NULL, or 1 for photos that are not used: they still tie others together (the photo that an excluded one is a
	 * copy of, and the rest of the excluded one's observation, are one plant) and go with their group, but count for
	 * nothing, and what was given to them does not matter. */
	const uint8_t *excluded;
	/* For holding out; each NULL when not known. lat and lon in degrees, NAN when a photo has none; year 0 */
	const float *lat, *lon;
	const int *year;
	const uint64_t *country, *author;
} tp_split_photos;

/* Photos that are neither for training nor for the ordinary test: whatever a rule finds, and all photos of their
 * groups. A box may cross the date line (west > east). */
typedef struct {
	enum { TP_HOLD_SPECIES, TP_HOLD_AUTHOR, TP_HOLD_COUNTRY, TP_HOLD_YEARS, TP_HOLD_BOX } kind;
	uint64_t key; /* species number, author or country */
	int from, to; /* years, both included */
	double south, west, north, east;
} tp_hold;

typedef struct {
	double val, test; /* shares, 0..1, together less than 1 */
	uint64_t seed;
	const tp_hold *hold;
	size_t n_hold;
} tp_split_opts;
#define TP_SPLIT_OPTS_INIT                                                                                   \
	{                                                                                                    \
		.val = 0.1, .test = 0.1                                                                      \
	}

typedef struct {
	size_t groups, mixed; /* mixed: groups with more than one species */
	/* Groups whose photos are given to different splits: each keeps what it was given, the others follow the
	 * most held out of them, and tp_split_check() names the leak. */
	size_t conflicts;
	size_t n[TP_SPLITS + 1]; /* photos */
	/* The largest difference from a species' quota, in photos and as a share of its photos, among species that
	 * have 10 groups and more; photos held out do not count. */
	double max_off, max_off_share;
	uint32_t worst; /* the species of max_off_share */
} tp_split_stats;

/* split: n values out, TP_TRAIN, TP_VAL, TP_TEST or TP_HELD_OUT. stats: NULL or filled.
 * Errors: TP_EINVAL (shares, a hold rule whose column is not there, a species number), TP_ELIMIT, TP_ENOMEM. */
TP_CHECKED tp_code tp_split_groups(uint8_t *split, const tp_split_photos *p, const tp_split_opts *opts,
	tp_split_stats *stats, tp_err *err);

/* The leak test: no key of any column is in two splits, and nothing that a hold rule finds is outside TP_HELD_OUT. Photos
 * that are excluded are not asked for their split; those they tie together must be in one.
 * leaks    NULL, or room for max_leaks; the first ones are put there.
 * Returns through *n_leaks how many photos are in another split than the first photo with their key (or should have
 * been held out). Errors: TP_EINVAL, TP_ELIMIT, TP_ENOMEM; a leak is a result, not an error. */
typedef struct {
	size_t column; /* of keys; n_keys for a photo that should have been held out, n_keys + 1 for two that only
			  excluded photos tie together */
	uint32_t a, b; /* photos; a == b for the latter */
	uint8_t split_a, split_b;
} tp_leak;
TP_CHECKED tp_code tp_split_check(size_t *n_leaks, tp_leak *leaks, size_t max_leaks, const uint8_t *split,
	const tp_split_photos *p, const tp_split_opts *opts, tp_err *err);
/* "photos 4 and 9 share a value of observation, but are in train and test". */
void tp_leak_text(char *out, size_t size, const tp_leak *leak, const tp_split_photos *p);
/* The same with names of the photos a and b. */
void tp_leak_text_of(
	char *out, size_t size, const tp_leak *leak, const tp_split_photos *p, const char *a, const char *b);
extern const char *const tp_split_words[TP_SPLITS + 1]; /* "train", "val", "test", "held out" */

/* A key from a text; never 0, which "" alone has. */
uint64_t tp_key_of(const char *text);

#endif
