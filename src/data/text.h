/* Texts from outside: are they UTF-8, and what are they if not. Threads: pure. */
#ifndef TP_DATA_TEXT_H
#define TP_DATA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool tp_is_utf8(const char *s, size_t n);

/* How a table's bytes stand for letters. */
typedef enum { TP_UTF8, TP_LATIN1 } tp_encoding;
/* "UTF-8", "ISO-8859-1", "latin1", "windows-1252", ... in any case. TP_EINVAL names those that are known. */
TP_CHECKED tp_code tp_encoding_named(tp_encoding *out, const char *name, tp_err *err);

/* Latin-1 as the web reads it, windows-1252, into UTF-8: at most 3 bytes for one. Gives the length; `to` has 3 * n + 1
 * bytes and ends with NUL. */
size_t tp_latin1_to_utf8(char *to, const char *from, size_t n);

#endif
