/* Shrunk photos kept in memory, for the loader. Threads: any; a photo that is kept stays where it is. */
#ifndef TP_DATA_CACHE_INT_H
#define TP_DATA_CACHE_INT_H

#include "image/augment.h"

typedef struct tp_photo_cache tp_photo_cache;
TP_CHECKED tp_code tp_cache_new(
	tp_photo_cache **out, size_t n_samples, int side, size_t max_bytes, tp_err *err);
void tp_cache_free(tp_photo_cache *c); /* NULL is fine */

bool tp_cache_has(tp_photo_cache *c, size_t sample);
void tp_cache_size(tp_photo_cache *c, size_t *n, size_t *bytes);

/* tp_augment_photo() by way of the cache: a photo that is not there comes from bytes, and is kept when it fits. */
TP_CHECKED tp_code tp_cache_photo(float *out, tp_photo_cache *c, size_t sample, const tp_prep *p,
	const tp_augment *a, const tp_augment_key *key, const void *bytes, size_t len, tp_scratch *s,
	tp_err *err);

#endif
