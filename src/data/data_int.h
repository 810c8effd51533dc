/* Building a manifest; for the importers of this folder. */
#ifndef TP_DATA_DATA_INT_H
#define TP_DATA_DATA_INT_H

#include "data/data.h"
#include "data/idset.h"
#include "data/row.h"

/* A manifest under construction: arrays that grow. */
typedef struct {
	tp_manifest m;
	size_t cap_photos, cap_taxa;
	bool has_split; /* the source said which photo is in which split */
} tp_builder;

/* The number of a species, added when it is new. */
TP_CHECKED tp_code tp_builder_taxon(tp_builder *b, int *out, const char *name, tp_err *err);

/* Adds a species that is known to be new. */
TP_CHECKED tp_code tp_builder_new_taxon(tp_builder *b, int *out, const char *name, tp_err *err);

void tp_taxon_dispose(tp_taxon *t);

/* Adds a photo; the texts are copied. TP_EFORMAT for a path that leaves the root. */
typedef struct {
	const char *path, *organ, *source, *licence, *author;
	int species;
	tp_split split;
} tp_photo_row;
TP_CHECKED tp_code tp_builder_photo(tp_builder *b, const tp_photo_row *row, tp_err *err);

/* One more photo that a rule excludes. */
TP_CHECKED tp_code tp_builder_excluded(tp_builder *b, const char *rule, size_t n, tp_err *err);

/* Replaces *slot by a copy of text, when text is not empty. */
TP_CHECKED tp_code tp_set_text(char **slot, const char *text, tp_err *err);

bool tp_is_photo_name(const char *name); /* by its ending: jpg jpeg png webp heic heif */
bool tp_is_inside(const char *path);     /* a path that does not leave its folder */
bool tp_is_organ(const char *s, size_t n);

TP_CHECKED tp_code tp_import_shards(tp_builder *b, const char *dir, tp_err *err);
TP_CHECKED tp_code tp_import_catalog(tp_builder *b, const char *dir, tp_err *err); /* the kept photos */

/* What an importer's rows go to. Dispose when it is done; the builder stays. */
typedef struct {
	tp_sink sink; /* first: the sink's functions are given this */
	tp_builder *b;
	tp_idset taxa; /* of b, by name; number 1 is taxon 0 */
	size_t with_split, without_split;
} tp_manifest_sink;
void tp_manifest_sink_init(tp_manifest_sink *x, tp_builder *b);
void tp_manifest_sink_dispose(tp_manifest_sink *x);

/* Stratified 80/10/10 by species, each photo a group of its own: see split_groups.h. Which photos are taken depends on
 * their paths and the seed; photos that are added move few others. */
TP_CHECKED tp_code tp_make_split(tp_manifest *m, uint64_t seed, tp_err *err);

#endif
