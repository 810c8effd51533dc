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
} tp_photo;

typedef struct {
	char *name, *family; /* scientific name without author; "" when unknown */
	char *authorship, *powo;
	char *common[8][2]; /* language, name; ends at the first NULL */
} tp_taxon;

typedef struct {
	char *root; /* folder the paths are relative to */
	tp_taxon *taxa;
	size_t n_taxa;
	tp_photo *photos; /* sorted by path */
	size_t n_photos;
	/* seen = n_photos + the skipped ones */
	size_t seen, skipped_not_photo, skipped_no_species, skipped_listed_twice;
} tp_manifest;

/* Folder of class folders ("Mangifera_indica/x.jpg"; underscores are spaces), or a folder that holds split.csv
 * (columns path, species and, where present, family, organ, source, split, licence, author), or the CSV itself.
 * classes.csv beside it (folder, scientific_name, family, common_xx) adds names. Without a split column a
 * stratified split 80/10/10 is made from `seed`. The caller frees with tp_manifest_free(). */
TP_CHECKED tp_code tp_manifest_open(tp_manifest *out, const char *path, uint64_t seed, tp_err *err);
void tp_manifest_free(tp_manifest *m);

/* A CSV text, RFC 4180: quotes, doubled quotes, CRLF. Calls fn for each record; fields are borrowed for the call.
 * The first record is a record like any other. Errors name the line. */
typedef tp_code (*tp_csv_fn)(void *ud, size_t line, char **field, size_t n, tp_err *err);
TP_CHECKED tp_code tp_csv_each(const char *text, size_t len, tp_csv_fn fn, void *ud, tp_err *err);

#endif
