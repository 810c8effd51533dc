/* Disjoint sets of 0..n-1 (union-find with path halving): who belongs together when any of several things may say so.
 * The name of a set is its smallest member, so results depend on what was united and not on the order.
 * Threads: one at a time. */
#ifndef TP_DATA_UNITE_H
#define TP_DATA_UNITE_H

#include <stddef.h>
#include <stdint.h>

/* parent: n values, owned by the caller. */
static inline void tp_unite_init(uint32_t *parent, size_t n)
{
	for (size_t i = 0; i < n; i++)
		parent[i] = (uint32_t)i;
}

static inline uint32_t tp_unite_find(uint32_t *parent, uint32_t i)
{
	while (parent[i] != i)
		i = parent[i] = parent[parent[i]];
	return i;
}

/* Larger names hang below smaller ones: no ranks are kept, halving alone keeps paths short (O(log n) a step). */
static inline void tp_unite(uint32_t *parent, uint32_t a, uint32_t b)
{
	a = tp_unite_find(parent, a);
	b = tp_unite_find(parent, b);
	if (a < b)
		parent[b] = a;
	else
		parent[a] = b;
}

/* Afterwards parent[i] is the name of i's set. */
static inline void tp_unite_finish(uint32_t *parent, size_t n)
{
	for (size_t i = 0; i < n; i++)
		parent[i] = tp_unite_find(parent, (uint32_t)i);
}

#endif
