/* Every name of a catalog looked up in a backbone: synonyms become their accepted names, families are filled, and what
 * cannot be matched is kept as it is and told of with its nearest name. The one place where src/data and src/taxonomy meet.
 * Threads: as the catalog. */
#ifndef TP_CLI_MATCH_CATALOG_H
#define TP_CLI_MATCH_CATALOG_H

#include "data/catalog.h"
#include "taxonomy/match.h"

typedef enum {
	TP_NAME_EXACT,   /* the accepted name itself, with its authors or none */
	TP_NAME_VARIANT, /* it but for an ending, a hyphen, a mark */
	TP_NAME_SYNONYM, /* a name that is a synonym of it */
	TP_NAME_FUZZY,   /* misspelt */
	TP_NAME_PARENT,  /* not listed itself: the species of a variety, the genus of a cultivar */
	TP_NAME_UNMATCHED,
	TP_NAME_KINDS,
} tp_name_kind;
extern const char *const tp_name_kinds[TP_NAME_KINDS]; /* as the catalog has them in `matched` */

/* One that is not matched; borrowed for the call. nearest is "" when there is none; why says more than "not listed". */
typedef struct {
	const char *text, *nearest, *why;
	int64_t photos;
	int distance; /* letters between the two */
} tp_unmatched;

typedef struct {
	bool fuzzy;                                                         /* may names be misspelt? */
	tp_code (*unmatched)(void *ud, const tp_unmatched *u, tp_err *err); /* NULL: nobody listens */
	void *ud;
} tp_match_catalog_opts;

typedef struct {
	size_t names, photos, by[TP_NAME_KINDS], photos_by[TP_NAME_KINDS]; /* sums agree */
	size_t species_before, species;                                    /* taxa that a name is of */
	size_t no_family;                                                  /* of these */
} tp_catalog_matched;

/* All or nothing. Run again with the same list it changes nothing; with another list, names that are not matched any more
 * are taxa of their own again. A taxon is called by its accepted name without authors, with them where the list has two
 * accepted taxa of that name. Errors: those of the catalog and the callback. */
TP_CHECKED tp_code tp_match_catalog(tp_catalog_matched *out, tp_catalog *c, const tp_backbone *b,
	const tp_match_catalog_opts *o, tp_err *err);

#endif
