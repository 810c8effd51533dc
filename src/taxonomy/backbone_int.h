/* What a backbone is made of, for those who search it. Not for other modules. */
#ifndef TP_TAXONOMY_BACKBONE_INT_H
#define TP_TAXONOMY_BACKBONE_INT_H

#include "taxonomy/backbone.h"
#include "taxonomy/pool_int.h"

typedef struct {
	uint32_t genus, species, infra; /* words; epithet 0 is "" */
	uint32_t author, id, accepted;  /* accepted: while reading an id + 1, then a row */
	uint16_t family;
	uint8_t rank, hybrid, status, source;
} tp_row;

/* A word as approximate search sees it: without marks and hyphens, which letters it has, how long it is. */
typedef struct {
	uint32_t letters; /* bit 0..25; 26 for all else */
	uint32_t stem;    /* hash of it without what varies: see tp_stem() */
	uint8_t len;
} tp_shape;

struct tp_backbone {
	tp_pool genera, epithets, authors, ids, families;
	tp_row *row; /* by genus, species, infra, source */
	uint32_t n, cap;
	uint32_t *genus_start;                /* first row of each genus; one more at the end */
	uint32_t *species_start, *by_species; /* rows of each species epithet */
	tp_shape *genus_shape, *epithet_shape;
};

/* Letters only, for distances: "filix-mas" is "filixmas", "Isoëtes" is "isoetes". Returns the length. */
size_t tp_plain_word(char out[TP_NAME_WORD], const char *word);
/* What spelling variants of one epithet have in common: gender endings, -ii and -i, i and j, u and v, hyphens, marks.
 * Returns the length. */
size_t tp_stem(char out[TP_NAME_WORD], const char *word);
tp_shape tp_shape_of(const char *word, bool epithet);

#endif
