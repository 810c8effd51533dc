/* Allocation through one hook, so that tests can fail the n-th allocation and count what is still alive.
 * Threads: all calls are safe from any thread; the test switches are process-wide. */
#ifndef TP_BASE_MEM_H
#define TP_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* NULL when out of memory, or when n * size does not fit size_t. Free with tp_free(). */
void *tp_alloc(size_t size);
void *tp_calloc(size_t n, size_t size); /* zeroed */
void *tp_realloc(void *p, size_t size);
void tp_free(void *p); /* NULL is fine */

/* Aligned to 64 bytes (a cache line, an AVX-512 register), zeroed. Free with tp_free_aligned(). */
void *tp_alloc_aligned(size_t size);
void tp_free_aligned(void *p);

char *tp_strdup(const char *s);
char *tp_strndup(const char *s, size_t n);

/* TP_ENOMEM with a message that names the size. */
tp_code tp_nomem(tp_err *err, size_t size);

/* Tests only: the n-th allocation from now (1 = the next) fails; 0 switches it off. */
void tp_mem_fail_at(long n);
bool tp_mem_failed(void); /* has an allocation been failed since the last tp_mem_fail_at()? */
long tp_mem_live(void);   /* allocations not yet freed */

#endif
