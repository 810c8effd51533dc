/* Which number has this text? A hash table that keeps no texts: 8 bytes an entry and half of them empty, so that millions
 * of keys are held while a table grows. Whoever keeps the texts (a database) is asked whether a candidate is the one.
 * The hash is keyed with random bits: nobody can prepare texts that collide. Threads: one at a time. */
#ifndef TP_DATA_IDSET_H
#define TP_DATA_IDSET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct {
	uint32_t (*slot)[2]; /* part of the hash, number; number 0: empty */
	size_t cap, len;     /* cap is 0 or a power of two */
	uint8_t key[16];
} tp_idset; /* starts as {0} */

/* Is `id` the number of this text? Sets *same. */
typedef tp_code (*tp_idset_same)(void *ud, uint32_t id, const char *text, size_t len, int *same, tp_err *err);

/* *id is 0 when the text is not there. */
TP_CHECKED tp_code tp_idset_find(
	uint32_t *id, tp_idset *s, const char *text, size_t len, tp_idset_same same, void *ud, tp_err *err);
/* Adds a text that is not there. id 1..2^32-1, else TP_ELIMIT. */
TP_CHECKED tp_code tp_idset_add(tp_idset *s, const char *text, size_t len, int64_t id, tp_err *err);
void tp_idset_dispose(tp_idset *s);

#endif
