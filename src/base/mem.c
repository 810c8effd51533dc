/* Allocation: see mem.h. The counters are relaxed atomics: two instructions beside a malloc. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

static atomic_long live, countdown;
static atomic_bool failed;

static bool must_fail(void)
{
	if (atomic_load_explicit(&countdown, memory_order_relaxed) <= 0)
		return false;
	if (atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	atomic_store(&failed, true);
	return true;
}

static void *counted(void *p)
{
	if (p)
		atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
	return p;
}

void *tp_alloc(size_t size)
{
	return must_fail() ? NULL : counted(malloc(size ? size : 1));
}

void *tp_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : counted(calloc(n ? n : 1, size ? size : 1));
}

void *tp_realloc(void *p, size_t size)
{
	if (!p)
		return tp_alloc(size);
	return must_fail() ? NULL : realloc(p, size ? size : 1);
}

void tp_free(void *p)
{
	if (p)
		atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
	free(p);
}

void *tp_alloc_aligned(size_t size)
{
	if (must_fail() || size > SIZE_MAX - 63)
		return NULL;
	/* Large memory lies on large pages where the system has them for who asks: the processor then looks up far fewer
	 * addresses. */
	bool large = size >= 2 * LARGE_PAGE;
	size_t align = large ? LARGE_PAGE : 64, full = (size + 63) & ~(size_t)63;
	void *p = full <= SIZE_MAX - align
			  ? counted(aligned_alloc(align, (full + align - 1) / align * align + !full * align))
			  : NULL;
#ifdef MADV_HUGEPAGE
	if (p && large)
		(void)madvise(p, full & ~(LARGE_PAGE - 1), MADV_HUGEPAGE);
#endif
	if (p)
		memset(p, 0, full);
	return p;
}

void tp_free_aligned(void *p)
{
	tp_free(p);
}

char *tp_strndup(const char *s, size_t n)
{
	char *d = tp_alloc(n + 1);
	if (d) {
		memcpy(d, s, n);
		d[n] = 0;
	}
	return d;
}

char *tp_strdup(const char *s)
{
	return tp_strndup(s, strlen(s));
}

tp_code tp_nomem(tp_err *err, size_t size)
{
	return tp_fail(err, TP_ENOMEM, "out of memory: %zu bytes wanted", size);
}

void tp_mem_fail_at(long n)
{
	atomic_store(&failed, false);
	atomic_store(&countdown, n);
}

bool tp_mem_failed(void)
{
	return atomic_load(&failed);
}

long tp_mem_live(void)
{
	return atomic_load(&live);
}
