/* The index of reference photos: unit embeddings grouped by species, and what is needed to show each photo.
 * Search inside one species is exact and short. Threads: read-only once open. */
#ifndef TP_RETRIEVE_INDEX_H
#define TP_RETRIEVE_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct {
	const char *id;   /* 40 hex digits: the first 160 bits of the file's SHA-256; what a URL names */
	const char *path; /* the file, below the photo root; never from a client */
	const char *organ, *author, *licence, *source; /* "" when unknown; NULL will do for writing */
} tp_ref;

typedef struct tp_index tp_index;
/* Checks the whole file, embeddings included; docs/formats.md lists what is refused (TP_EFORMAT). */
TP_CHECKED tp_code tp_index_open(tp_index **out, const char *path, tp_err *err);
void tp_index_close(tp_index *x);
const char *tp_index_model_sha256(const tp_index *x); /* the model whose features these are */
size_t tp_index_count(const tp_index *x);
int tp_index_dim(const tp_index *x);
const tp_ref *tp_index_ref(const tp_index *x, size_t row);
/* Row of an id, -1 when there is none; one of them when the photo stands under several species. */
long tp_index_find(const tp_index *x, const char *id);
/* Path of a row's photo, to be freed with tp_free(): below the photo root, which is absolute or relative to the index
 * file's folder. row < tp_index_count(). */
TP_CHECKED tp_code tp_index_photo_path(char **out, const tp_index *x, size_t row, tp_err *err);

typedef struct {
	uint32_t row;
	float similarity;
} tp_hit; /* cosine, -1..1 */
enum { TP_MAX_HITS = 64 };
/* The k photos (at most TP_MAX_HITS) of `species` (scientific name) closest to `feature` (dim floats, any length),
 * best first; photos of organ `prefer` (NULL or "auto": no preference) before others. Returns how many (0 for an
 * unknown species). */
int tp_index_search(
	tp_hit *out, int k, const tp_index *x, const char *species, const float *feature, const char *prefer);

/* Writing: rows in any order; features dim floats each, normalised here. The same id twice under one species is
 * written once. TP_EINVAL for what the reader would refuse: names the photo. */
typedef struct {
	tp_ref ref;
	const char *species;
	const float *feature;
} tp_index_row;
TP_CHECKED tp_code tp_index_save(const char *path, const char *model_sha256, int dim,
	const tp_index_row *rows, size_t n, const char *photo_root, tp_err *err);

#endif
