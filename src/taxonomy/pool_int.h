/* Words kept once each and numbered from 0 in the order they came. Not for other modules. */
#ifndef TP_TAXONOMY_POOL_INT_H
#define TP_TAXONOMY_POOL_INT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct {
	char *chars; /* each word ends with NUL */
	size_t used, room;
	uint32_t *off, *hash, *slot;
	uint32_t n, cap, mask;
} tp_pool; /* {0} is empty */

/* The number of the n bytes at s, which hold no NUL; new when it was not there. */
TP_CHECKED tp_code tp_pool_add(uint32_t *out, tp_pool *p, const char *s, size_t n, tp_err *err);
/* UINT32_MAX when it is not there. */
uint32_t tp_pool_find(const tp_pool *p, const char *s, size_t n);
/* Nothing is added or looked for any more: only what tp_pool_get() needs is kept. */
void tp_pool_close(tp_pool *p);
size_t tp_pool_bytes(const tp_pool *p);
void tp_pool_dispose(tp_pool *p);

static inline const char *tp_pool_get(const tp_pool *p, uint32_t i)
{
	return p->chars + p->off[i];
}

#endif
