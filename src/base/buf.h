/* A growing byte buffer with a ceiling: no limit, no buffer. The bytes are always followed by a NUL that `len`
 * does not count, so that text can be read as a C string. */
#ifndef TP_BASE_BUF_H
#define TP_BASE_BUF_H

#include <stddef.h>

#include "base/err.h"

typedef struct {
	char *ptr; /* NULL until the first byte */
	size_t len, cap, max;
} tp_buf;

void tp_buf_init(tp_buf *b, size_t max); /* cannot fail; max is required */
void tp_buf_dispose(tp_buf *b);

/* TP_ELIMIT when the result would be over max, TP_ENOMEM; the buffer is unchanged then. */
TP_CHECKED tp_code tp_buf_add(tp_buf *b, const void *p, size_t n, tp_err *err);
TP_CHECKED tp_code tp_buf_adds(tp_buf *b, const char *s, tp_err *err);
TP_CHECKED tp_code tp_buf_addf(tp_buf *b, tp_err *err, const char *fmt, ...) TP_PRINTF(3, 4);

/* The caller owns the bytes (tp_free); the buffer is empty again. NULL when nothing was ever added. */
char *tp_buf_take(tp_buf *b);

#endif
