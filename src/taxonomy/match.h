/* A name as somebody wrote it, matched to a backbone. Nothing is allocated; any thread. Thresholds and how they were chosen:
 * docs/taxonomy.md. */
#ifndef TP_TAXONOMY_MATCH_H
#define TP_TAXONOMY_MATCH_H

#include "taxonomy/backbone.h"

typedef enum {
	TP_HOW_NONE,    /* not matched: see nearest */
	TP_HOW_EXACT,   /* the same words, and the authors agree */
	TP_HOW_NAME,    /* the same words; authors are not given, or others */
	TP_HOW_VARIANT, /* the same but for a gender ending, -ii or -i, a hyphen, a mark, a hybrid sign */
	TP_HOW_FUZZY,   /* misspelt, by `distance` letters */
	TP_HOWS
} tp_how;

typedef struct {
	bool fuzzy; /* may it be TP_HOW_FUZZY? */
} tp_match_opts;
#define TP_MATCH_OPTS_INIT                                                                                   \
	{                                                                                                    \
		.fuzzy = true                                                                                \
	}

enum { TP_MATCH_CANDIDATES = 8 };

/* Names are numbers in the backbone, TP_NO_NAME where there is none. */
typedef struct {
	tp_how how;
	uint32_t matched; /* the name in the list */
	uint32_t
		accepted; /* what is to be used for it; TP_NO_NAME when ambiguous and none is better than the others */
	bool synonym;   /* matched is not accepted */
	bool parent;    /* only the species (of a variety, a cultivar) or the genus is in the list */
	bool ambiguous; /* several taxa have this name; `candidate` are their accepted names */
	tp_author_fit author;
	int distance; /* letters to add, drop, change, or swap, between what was given and matched or nearest */
	uint32_t
		nearest; /* when nothing matches: the closest name there is; TP_NO_NAME for what is above genus */
	uint32_t candidate[TP_MATCH_CANDIDATES];
	int n_candidates; /* not counted beyond the room for them */
} tp_match;

void tp_match_name(tp_match *out, const tp_backbone *b, const tp_name *given, tp_match_opts o);

const char *tp_how_name(tp_how h);

/* Edits allowed in a word of n letters: chosen by measurement, so that tests can hold it. */
int tp_match_tolerance(size_t n);

/* Letters to add, drop, change, or swap with their neighbour (optimal string alignment); more than `most` is most + 1. */
int tp_word_distance(const char *a, size_t n, const char *b, size_t m, int most);

#endif
