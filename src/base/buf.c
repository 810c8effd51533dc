/* Growing buffer: see buf.h. Doubles, and never grows past its ceiling. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void tp_buf_init(tp_buf *b, size_t max)
{
	assert(max > 0);
	*b = (tp_buf){ .max = max };
}

void tp_buf_dispose(tp_buf *b)
{
	tp_free(b->ptr);
	*b = (tp_buf){ .max = b->max };
}

static tp_code reserve(tp_buf *b, size_t n, tp_err *err)
{
	if (n > b->max - b->len)
		return tp_fail(err, TP_ELIMIT, "more than %zu bytes", b->max);
	size_t need = b->len + n + 1;
	if (need <= b->cap)
		return TP_OK;
	size_t cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap *= 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	char *p = tp_realloc(b->ptr, cap);
	if (!p)
		return tp_nomem(err, cap);
	b->ptr = p;
	b->cap = cap;
	return TP_OK;
}

tp_code tp_buf_add(tp_buf *b, const void *p, size_t n, tp_err *err)
{
	tp_code rc = reserve(b, n, err);
	if (rc)
		return rc;
	if (n)
		memcpy(b->ptr + b->len, p, n);
	b->len += n;
	b->ptr[b->len] = 0;
	return TP_OK;
}

tp_code tp_buf_adds(tp_buf *b, const char *s, tp_err *err)
{
	return tp_buf_add(b, s, strlen(s), err);
}

tp_code tp_buf_addf(tp_buf *b, tp_err *err, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	tp_code rc = n < 0 ? tp_fail(err, TP_EINVAL, "bad format string") : reserve(b, (size_t)n, err);
	if (!rc) {
		vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	return rc;
}

char *tp_buf_take(tp_buf *b)
{
	char *p = b->ptr;
	*b = (tp_buf){ .max = b->max };
	return p;
}
