/* Writing an HTML page that stands alone: text that comes from data is escaped in one place, the first error is kept and
 * nothing is written after it, so it is asked for once, at the end.
 * Threads: a page belongs to one thread at a time. */
#ifndef TP_BASE_PAGE_H
#define TP_BASE_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

typedef struct {
	tp_buf b;
	tp_code rc; /* the first error, which err tells of */
	tp_err *err;
} tp_page;

void tp_page_init(tp_page *p, size_t max, tp_err *err); /* cannot fail; more than max bytes is TP_ELIMIT */
void tp_page_dispose(tp_page *p);
/* Writes the page to a file, whole or not at all; or is the first error. TP_ENOTFOUND, TP_EDENIED, TP_EIO. */
TP_CHECKED tp_code tp_page_save(tp_page *p, const char *path);

/* Markup of our own. */
void tp_put(tp_page *p, const char *html);
void tp_putf(tp_page *p, const char *fmt, ...) TP_PRINTF(2, 3); /* at most 511 bytes */

/* Text from data, inside an element or a quoted attribute: markup in it is text. What is no UTF-8, control characters
 * and those that turn the direction of a line are shown as U+FFFD. */
void tp_put_text(tp_page *p, const char *s);
void tp_put_text_n(tp_page *p, const char *s, size_t max); /* cut after max characters, with "…" */

void tp_put_number(tp_page *p, double v);  /* the fewest digits that read back as v, which is finite */
void tp_put_count(tp_page *p, uint64_t n); /* 1204 as 1,204 */
void tp_put_base64(tp_page *p, const void *bytes, size_t n);

/* Copies form, and calls fn in place of each {{mark}}; mark ends with NUL. */
typedef void (*tp_page_fn)(void *ud, const char *mark);
enum { TP_PAGE_MARK = 64 }; /* bytes of the longest mark, NUL included */
void tp_page_fill(tp_page *p, const char *form, tp_page_fn fn, void *ud);

#endif
