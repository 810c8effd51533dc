/* A backbone: the list of plant names that others are matched to, with what is accepted and what is a synonym of what.
 *
 * Read from one or more tables as they are published: World Flora Online (classification.csv, tabs), WCVP
 * (wcvp_names.csv, '|'), Darwin Core Taxon files, The Plant List, or any CSV with a name. The separator is taken from the
 * first line, columns are found by name (docs/taxonomy.md lists them). Files are streamed; what is kept is some 100 bytes a
 * name. A backbone does not change once it is open: any number of threads may use it. */
#ifndef TP_TAXONOMY_BACKBONE_H
#define TP_TAXONOMY_BACKBONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "taxonomy/name.h"

typedef enum {
	TP_STATUS_ACCEPTED,
	TP_STATUS_SYNONYM,
	TP_STATUS_MISAPPLIED, /* the name was used for this plant by mistake */
	TP_STATUS_UNPLACED,   /* nobody has decided, or it is a synonym of a name that is not there */
	TP_STATUS_IMPLIED,    /* a genus that has no line of its own */
	TP_STATUSES
} tp_status;

/* Why a line is not in the backbone. seen is the sum of by[]. */
typedef enum {
	TP_LINE_KEPT,
	TP_LINE_NO_NAME,    /* the name is not one: by[] counts, the first is kept as `example` */
	TP_LINE_FORMULA,    /* parents of a hybrid, not a name */
	TP_LINE_OTHER_RANK, /* above genus, or between genus and species; cultivars */
	TP_LINE_FEW_FIELDS, /* fewer fields than the first line has columns */
	TP_LINE_TWICE,      /* the id was there before */
	TP_LINES
} tp_line;

typedef struct {
	size_t seen, by[TP_LINES];
	size_t dangling,
		loops; /* synonyms whose accepted name is not there, or leads back: they are unplaced */
	size_t unknown_status; /* words in the status column that we do not know: unplaced */
	size_t first_bad;      /* line of the first one that is no name; 0: none */
	char example[256];     /* what was wrong with it */
} tp_backbone_stats;

typedef struct tp_backbone tp_backbone;

#define TP_NO_NAME UINT32_MAX

/* One name. Texts are borrowed from the backbone. */
typedef struct {
	const char *genus, *species, *infra; /* "" where there is none */
	const char *author, *family, *id;    /* family by its modern name: Compositae is Asteraceae */
	tp_rank rank;
	unsigned hybrid; /* TP_HYBRID_* */
	tp_status status;
	uint32_t
		accepted; /* the name to use: itself when accepted or unplaced. At the end of any chain of synonyms */
	int source; /* which of the files */
} tp_listed;

/* Reads `n` files, at most 16; a name of an earlier one is preferred. stats: n of them, or NULL.
 * Errors   TP_EFORMAT (no column for a name, no names at all), TP_ELIMIT (over TP_MAX_LISTED names or TP_MAX_CSV_LINE
 *          bytes a line), and what reading gives. Each names the file. Free with tp_backbone_free(). */
TP_CHECKED tp_code tp_backbone_open(
	tp_backbone **out, const char *const *paths, size_t n, tp_backbone_stats *stats, tp_err *err);
/* The same from a text in memory. */
TP_CHECKED tp_code tp_backbone_parse(
	tp_backbone **out, const char *text, size_t len, tp_backbone_stats *stats, tp_err *err);
void tp_backbone_free(tp_backbone *b);

/* Names are numbered from 0, grouped by genus. */
uint32_t tp_backbone_count(const tp_backbone *b);
tp_listed tp_backbone_at(const tp_backbone *b, uint32_t i); /* i < count */
/* "Fragaria × ananassa", and with its authors when `authors`. Returns the length. */
size_t tp_backbone_text(char out[TP_NAME_CANONICAL], const tp_backbone *b, uint32_t i, bool authors);
size_t tp_backbone_bytes(const tp_backbone *b); /* of memory it holds */

const char *tp_status_name(tp_status s);
/* The modern name of one of the families that ICN art. 18.5 allows to be called otherwise; the same text for others. */
const char *tp_family_modern(const char *family);

#endif
