/* Features on disk, row by row; for features.c. A photo that is added, changed or taken away costs its own row and no
 * other; train, eval and index share the rows of one network. docs/formats.md describes the file. */
#ifndef TP_TRAIN_CACHE_H
#define TP_TRAIN_CACHE_H

#include "train/train.h"

/* Starts as {0}. */
typedef struct {
	char *path;   /* NULL: nothing is kept */
	char **stamp; /* "SIZE MTIME PATH" of each row */
	size_t rows;  /* the manifest's photos, then photos of other runs that still lie there */
} tp_cache;

/* Allocates f->v and f->state with c->rows rows, and fills in what is known; the rest is TP_FEATURE_MISSING. A
 * folder that cannot be made: a warning, f->unkept, and nothing is known. */
TP_CHECKED tp_code tp_cache_load(
	tp_cache *c, tp_features *f, const tp_manifest *m, const tp_feature_opts *o, tp_err *err);

/* Writes all rows, whole or not at all, and takes away the caches that were used least lately. */
TP_CHECKED tp_code tp_cache_save(const tp_cache *c, const tp_features *f, tp_err *err);

void tp_cache_dispose(tp_cache *c);

#endif
