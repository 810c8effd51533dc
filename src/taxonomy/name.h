/* Scientific plant names: a text taken apart into genus, epithets, hybrid sign, rank, authors and the remarks people add.
 *
 * What a name may be follows the International Code of Nomenclature (ICN, Madrid/Shenzhen) and, for cultivars, the ICNCP;
 * how people write it follows what name lists hold. Every byte is treated as hostile, nothing is allocated, and all
 * functions are pure: any thread. */
#ifndef TP_TAXONOMY_NAME_H
#define TP_TAXONOMY_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	TP_NAME_MAX = 1024, /* bytes of a text that is read as a name */
	TP_NAME_WORD =
		64, /* bytes of one word of it, with the NUL; the longest known epithet has 29 letters */
	TP_NAME_AUTHOR = 512, /* bytes of an authorship, with the NUL; longer ones are refused */
	TP_NAME_CANONICAL = 5 * TP_NAME_WORD + TP_NAME_AUTHOR + 64,
};

typedef enum {
	TP_RANK_UNKNOWN,
	TP_RANK_HIGHER, /* family, order, tribe: whatever stands above genus */
	TP_RANK_GENUS,
	TP_RANK_SUBGENUS, /* from here to series: a genus and a second capitalised word */
	TP_RANK_SECTION,
	TP_RANK_SUBSECTION,
	TP_RANK_SERIES,
	TP_RANK_SPECIES,
	TP_RANK_SUBSPECIES,
	TP_RANK_VARIETY,
	TP_RANK_SUBVARIETY,
	TP_RANK_FORM,
	TP_RANK_SUBFORM,
	TP_RANK_INFRASPECIFIC, /* below species, the rank is not said: "Microsorum pustulatum pustulatum", prol., lusus */
	TP_RANK_CULTIVAR,
	TP_RANKS
} tp_rank;

/* Where a hybrid sign stands. */
enum {
	TP_HYBRID_GENUS = 1,   /* × Agropogon littoralis */
	TP_HYBRID_SPECIES = 2, /* Fragaria × ananassa */
	TP_HYBRID_INFRA = 4,   /* nothosubsp., nothovar. */
	TP_HYBRID_FORMULA = 8, /* Salix alba × fragilis: not a name but its parents */
	TP_HYBRID_GRAFT = 16,  /* + Laburnocytisus: a graft-chimaera */
};

/* What a determiner adds. */
enum {
	TP_QUAL_CF = 1,       /* cf.: to be compared */
	TP_QUAL_AFF = 2,      /* aff.: near, but another */
	TP_QUAL_SP = 4,       /* sp., spp., spec., indet.: species not determined; rank is genus */
	TP_QUAL_AGG = 8,      /* agg., Group */
	TP_QUAL_LATO = 16,    /* s.l. */
	TP_QUAL_STRICTO = 32, /* s.str. */
	TP_QUAL_SENSU = 64,  /* auct., sensu, non: the name as somebody used it, not as its author meant it */
	TP_QUAL_DOUBT = 128, /* ? */
	TP_QUAL_STATUS = 256, /* nom. illeg., comb. ined., pro sp.: what the name's standing is said to be */
};

typedef struct {
	char genus[TP_NAME_WORD];      /* "Rosa"; of a higher rank: that name */
	char infragenus[TP_NAME_WORD]; /* "Caninae", or "" */
	char species[TP_NAME_WORD];    /* "canina", or "" */
	char infra[TP_NAME_WORD];      /* the last epithet below species, or "" */
	char cultivar[TP_NAME_WORD];   /* without quotes, or "" */
	char author
		[TP_NAME_AUTHOR]; /* of the last epithet, as written, blanks collapsed; "" when not given */
	char species_author[TP_NAME_AUTHOR]; /* of the species, where an epithet below it follows */
	/* of a formula: the other parents, genus written out, joined with " × "; "" otherwise */
	char parents[TP_NAME_AUTHOR];
	tp_rank rank;
	unsigned hybrid;    /* TP_HYBRID_* */
	unsigned qualifier; /* TP_QUAL_* */
	bool recased;       /* it was written in capitals or without one */
	bool remark;        /* something that is no part of a name stood behind it and was left out */
} tp_name;

/* Underscores are blanks, blanks of any kind are one, letters with combining marks are joined (NFC).
 * len   bytes of text, which needs no NUL.
 * Errors   TP_EFORMAT says what is wrong: not UTF-8, control characters, HTML, another script, no genus, an abbreviated
 *          genus; TP_ELIMIT over TP_NAME_MAX, or a word or authorship longer than its field. *out is all zero then. */
TP_CHECKED tp_code tp_name_parse(tp_name *out, const char *text, size_t len, tp_err *err);

/* The name without authors: "Fragaria × ananassa", "Juncus tenuis subsp. dudleyi", "Rosa 'Hollandica'",
 * "Salix alba × Salix fragilis". Returns the length. Reading it again gives the same words. */
size_t tp_name_canonical(char out[TP_NAME_CANONICAL], const tp_name *n);

/* "subsp." for TP_RANK_SUBSPECIES, "" where no marker is written. */
const char *tp_rank_marker(tp_rank r);
/* "subspecies" and so on. */
const char *tp_rank_name(tp_rank r);
/* From a list's own word, any case: "SUBSPECIES", "Variety", "subsp.", "nothovar."; TP_RANK_UNKNOWN otherwise. */
tp_rank tp_rank_from(const char *word);

/* How far two authorships are the same people's. Blanks, dots, marks, "&" or "et", years and "in ..." make no difference:
 * "(L.) Link in Buch" is TP_AUTHOR_SAME as "(L.) Link". */
typedef enum {
	TP_AUTHOR_UNKNOWN, /* one of them is not given */
	TP_AUTHOR_SAME,
	TP_AUTHOR_ALIKE, /* abbreviated otherwise, or without the author in brackets, or before "ex" */
	TP_AUTHOR_OTHER,
} tp_author_fit;
tp_author_fit tp_author_compare(const char *a, const char *b);

#endif
