/* Open addressing with linear probing: see idset.h. Both the place and the comparison come from the 32 bits that are kept,
 * so the table grows without the texts; of three million, one in 1,400 meets a stranger with the same bits. */
#include "data/idset.h"

#include "base/hash.h"
#include "base/mem.h"

enum { FIRST_CAP = 1024 };

tp_code tp_idset_find(
	uint32_t *id, tp_idset *s, const char *text, size_t len, tp_idset_same same, void *ud, tp_err *err)
{
	*id = 0;
	if (!s->cap)
		return TP_OK;
	uint32_t tag = (uint32_t)tp_hash64(text, len, s->key);
	for (size_t at = tag & (s->cap - 1); s->slot[at][1]; at = (at + 1) & (s->cap - 1)) {
		int is = 0;
		if (s->slot[at][0] != tag)
			continue;
		tp_code rc = same(ud, s->slot[at][1], text, len, &is, err);
		if (rc)
			return rc;
		if (is) {
			*id = s->slot[at][1];
			return TP_OK;
		}
	}
	return TP_OK;
}

static void put(uint32_t (*slot)[2], size_t cap, uint32_t tag, uint32_t id)
{
	size_t at = tag & (cap - 1);
	while (slot[at][1])
		at = (at + 1) & (cap - 1);
	slot[at][0] = tag;
	slot[at][1] = id;
}

static tp_code grow(tp_idset *s, tp_err *err)
{
	size_t cap = s->cap ? 2 * s->cap : FIRST_CAP;
	uint32_t(*slot)[2] = tp_calloc(cap, sizeof *slot);
	if (!slot)
		return tp_nomem(err, cap * sizeof *slot);
	if (!s->cap)
		tp_hash_key(s->key);
	for (size_t i = 0; i < s->cap; i++)
		if (s->slot[i][1])
			put(slot, cap, s->slot[i][0], s->slot[i][1]);
	tp_free(s->slot);
	s->slot = slot;
	s->cap = cap;
	return TP_OK;
}

tp_code tp_idset_add(tp_idset *s, const char *text, size_t len, int64_t id, tp_err *err)
{
	if (id < 1 || id > UINT32_MAX)
		return tp_fail(
			err, TP_ELIMIT, "number %lld; at most %u rows are kept", (long long)id, UINT32_MAX);
	tp_code rc = s->len >= s->cap / 2 ? grow(s, err) : TP_OK;
	if (rc)
		return rc;
	put(s->slot, s->cap, (uint32_t)tp_hash64(text, len, s->key), (uint32_t)id);
	s->len++;
	return TP_OK;
}

void tp_idset_dispose(tp_idset *s)
{
	tp_free(s->slot);
	*s = (tp_idset){ 0 };
}
