/* See pool_int.h. Open addressing; a slot holds a number + 1. */
#include <string.h>

#include "base/mem.h"
#include "taxonomy/pool_int.h"

static uint32_t hash_of(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, folded */
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

static uint32_t *slot_of(const tp_pool *p, const char *s, size_t n, uint32_t hash)
{
	for (uint32_t i = hash & p->mask;; i = (i + 1) & p->mask) {
		uint32_t k = p->slot[i];
		if (!k || (p->hash[k - 1] == hash && !strncmp(p->chars + p->off[k - 1], s, n) &&
				  !p->chars[p->off[k - 1] + n]))
			return &p->slot[i];
	}
}

static tp_code more_slots(tp_pool *p, tp_err *err)
{
	size_t n = p->slot ? 2 * ((size_t)p->mask + 1) : 1024;
	uint32_t *slot = tp_calloc(n, sizeof *slot);
	if (!slot)
		return tp_nomem(err, n * sizeof *slot);
	for (uint32_t k = 0; k < p->n; k++) {
		uint32_t i = p->hash[k] & (uint32_t)(n - 1);
		while (slot[i])
			i = (i + 1) & (uint32_t)(n - 1);
		slot[i] = k + 1;
	}
	tp_free(p->slot);
	p->slot = slot;
	p->mask = (uint32_t)(n - 1);
	return TP_OK;
}

static tp_code more_room(tp_pool *p, size_t bytes, tp_err *err)
{
	if (p->used + bytes > p->room) {
		size_t room = p->room + p->room / 2 + bytes + 4096;
		char *chars = room <= UINT32_MAX ? tp_realloc(p->chars, room) : NULL;
		if (!chars)
			return tp_nomem(err, room);
		p->chars = chars;
		p->room = room;
	}
	if (p->n == p->cap) {
		size_t cap = p->cap + p->cap / 2 + 256;
		uint32_t *off = tp_realloc(p->off, cap * sizeof *off), *hash;
		p->off = off ? off : p->off;
		hash = off ? tp_realloc(p->hash, cap * sizeof *hash) : NULL;
		p->hash = hash ? hash : p->hash;
		if (!hash)
			return tp_nomem(err, cap * sizeof *off);
		p->cap = (uint32_t)cap;
	}
	return !p->slot || (uint64_t)p->n * 2 > p->mask ? more_slots(p, err) : TP_OK;
}

tp_code tp_pool_add(uint32_t *out, tp_pool *p, const char *s, size_t n, tp_err *err)
{
	tp_code rc = more_room(p, n + 1, err);
	if (rc)
		return rc;
	uint32_t hash = hash_of(s, n), *slot = slot_of(p, s, n, hash);
	if (!*slot) {
		p->off[p->n] = (uint32_t)p->used;
		p->hash[p->n] = hash;
		memcpy(p->chars + p->used, s, n);
		p->chars[p->used + n] = 0;
		p->used += n + 1;
		*slot = ++p->n;
	}
	*out = *slot - 1;
	return TP_OK;
}

uint32_t tp_pool_find(const tp_pool *p, const char *s, size_t n)
{
	return p->slot ? *slot_of(p, s, n, hash_of(s, n)) - 1 : UINT32_MAX;
}

void tp_pool_close(tp_pool *p)
{
	char *chars = tp_realloc(p->chars, p->used ? p->used : 1);
	uint32_t *off = tp_realloc(p->off, (p->n ? p->n : 1) * sizeof *off);
	p->chars = chars ? chars : p->chars;
	p->off = off ? off : p->off;
	p->room = p->used;
	p->cap = p->n;
	tp_free(p->slot);
	tp_free(p->hash);
	p->slot = p->hash = NULL;
}

size_t tp_pool_bytes(const tp_pool *p)
{
	return p->room + p->cap * sizeof *p->off + (p->hash ? p->cap * sizeof *p->hash : 0) +
	       (p->slot ? ((size_t)p->mask + 1) * sizeof *p->slot : 0);
}

void tp_pool_dispose(tp_pool *p)
{
	tp_free(p->chars);
	tp_free(p->off);
	tp_free(p->hash);
	tp_free(p->slot);
	*p = (tp_pool){ 0 };
}
