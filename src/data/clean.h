/* Cleaning a catalog: every photo is read once, its measures are kept in the catalog, and the rules (rules.h) are asked
 * over what is kept. A photo ends as kept or as excluded for one named reason; every rule that hit it is a finding.
 * Nothing is deleted. docs/data.md says which rule decides and which of several copies is kept.
 *
 * Reading may be stopped (tp_cancel()) or killed: what was measured until the last commit stays, and the next run goes on
 * from there. Verdicts and findings are written in one piece, or not at all.
 * Memory: about 200 bytes a photo, 30 for each pair of near hashes, and what the network needs. */
#ifndef TP_DATA_CLEAN_H
#define TP_DATA_CLEAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/data.h"
#include "data/rules.h"

/* What a network says of photos; given by whoever knows networks, which this folder does not. Photos are numbers of the
 * manifest that look() was given. Calls come one at a time. */
typedef struct {
	void *ud;
	tp_code (*look)(void *ud, const tp_manifest *m, tp_err *err); /* before the others; m is borrowed */
	bool (*has)(void *ud, size_t photo);                          /* false: it could not be read */
	float (*cosine)(void *ud, size_t a, size_t b);                /* of their vectors, -1..1 */
	float (*background)(
		void *ud, size_t photo); /* probability of "no plant"; NULL: it has no such class */
	/* Probabilities p, n x classes, of photo[i] by a classifier that was trained on those photos whose fold is another
	 * than fold[i], 0..folds - 1. */
	tp_code (*predict)(void *ud, float *p, const uint32_t *photo, const uint32_t *label,
		const uint8_t *fold, size_t n, size_t classes, int folds, tp_err *err);
} tp_clean_network;

typedef struct {
	tp_rule_set rules;
	float cosine; /* near pairs with a smaller one are none; asked only with a network */
	const tp_clean_network *network; /* NULL: what an earlier run with one found out is still used */
	double commit_every;             /* seconds between two commits of measures */
	int threads;
	bool quiet, dry_run; /* dry_run: measures are kept, verdicts and findings stay as they were */
} tp_clean_opts;
/* .rules is for tp_rule_set_init(). */
#define TP_CLEAN_OPTS_INIT                                                                                   \
	{                                                                                                    \
		.cosine = 0.8f, .commit_every = 2, .threads = 1                                              \
	}

enum { TP_CLEAN_REASONS = 32 };
typedef struct {
	int64_t photos, kept, excluded; /* photos = kept + excluded */
	int64_t read, known,
		changed;        /* photos decoded now, as they were before; verdicts that are others now */
	int64_t looked, judged; /* by the network: photos; labels */
	struct {
		int64_t found, decided;
	} rule[TP_RULES];
	/* Reasons that are none of the rules, which stay: "two_names" of an import. */
	struct {
		char name[64];
		int64_t photos;
	} other[TP_CLEAN_REASONS];
	int n_other;
} tp_cleaned;

/* dir: of the catalog. *out is filled as far as it went, also on error.
 * Errors: those of tp_catalog_open(); TP_EINVAL (an option); TP_ELIMIT (more than 2^32 - 2 photos, 2^26 pairs of near
 * hashes, 8 GiB of probabilities); TP_ECANCEL; what the network returned. A bad photo is a finding and no error. */
TP_CHECKED tp_code tp_clean(tp_cleaned *out, const char *dir, const tp_clean_opts *o, tp_err *err);

/* The rule of this name, or -1. */
int tp_rule_named(const char *name);

#endif
