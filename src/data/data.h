/* Photos with labels, from where people have them. A manifest is the list; what was left out is counted by reason. */
#ifndef TP_DATA_DATA_H
#define TP_DATA_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef enum { TP_TRAIN, TP_VAL, TP_TEST, TP_SPLITS } tp_split;

typedef struct {
	char *path;                      /* relative to the manifest's root */
	int species;                     /* index into classes */
	char *organ;                     /* "leaf", "flower", "fruit", "bark", "habit", "other" or "" */
	char *source, *licence, *author; /* "" when unknown */
	tp_split split;
	size_t at; /* in the shards, when the photo lies there */
} tp_photo;

typedef struct {
	char *name, *family; /* scientific name without author; "" when unknown */
	char *authorship, *powo;
	char *common[8][2]; /* language, name; ends at the first NULL */
} tp_taxon;

typedef struct {
	char *rule;
	size_t n;
} tp_rule_count;

struct tp_shards;
typedef struct {
	char *root;               /* folder the paths are relative to */
	struct tp_shards *shards; /* where the photos lie (shard.h); NULL: in files of their own */
	tp_taxon *taxa;
	size_t n_taxa;
	tp_photo *photos; /* sorted by path */
	size_t n_photos;
	/* seen = n_photos + the skipped ones */
	size_t seen, skipped_not_photo, skipped_no_species, skipped_listed_twice;
	size_t skipped_unreadable; /* when the shards were packed */
	size_t skipped_excluded;   /* by a rule, in the catalog; excluded_by says which, sorted */
	size_t skipped_not_here;   /* only a URL is known */
	size_t skipped_held_out;   /* neither to train with nor for the ordinary test */
	tp_rule_count *excluded_by;
	size_t n_excluded_by;
} tp_manifest;

/* Folder of class folders ("Mangifera_indica/x.jpg"; underscores are spaces), or a folder that holds split.csv
 * (columns path, species and, where present, family, organ, source, split, licence, author), or the CSV itself, or a
 * folder of shards (pack.h), which brings its species and splits along, or a folder with a catalog (catalog.h), of
 * which it takes the photos that are kept.
 * classes.csv beside it (folder, scientific_name, family, common_xx) adds names. Without a split column a
 * stratified split 80/10/10 is made from `seed`. The caller frees with tp_manifest_free(). */
TP_CHECKED tp_code tp_manifest_open(tp_manifest *out, const char *path, uint64_t seed, tp_err *err);
void tp_manifest_free(tp_manifest *m);

/* The bytes of photo i, from its file or its shard; freed with tp_free(). Any thread. */
TP_CHECKED tp_code tp_photo_read(uint8_t **bytes, size_t *len, const tp_manifest *m, size_t i, tp_err *err);
/* A text that changes when the photo does: two words and the path. The caller frees with tp_free(); NULL when out of
 * memory. */
char *tp_photo_stamp(const tp_manifest *m, size_t i);
char *tp_photo_file_stamp(const char *root, const char *path); /* of a file that no manifest need name */

/* A CSV text, RFC 4180: quotes, doubled quotes, CRLF. Calls fn for each record; fields are borrowed for the call.
 * The first record is a record like any other. Errors name the line. */
typedef tp_code (*tp_csv_fn)(void *ud, size_t line, char **field, size_t n, tp_err *err);
TP_CHECKED tp_code tp_csv_each(const char *text, size_t len, tp_csv_fn fn, void *ud, tp_err *err);

#endif
