/* Lines of a table, streamed: commas, tabs, semicolons or '|' between fields, whichever the first line has most of. Not for
 * other modules.
 *
 * With commas and semicolons quotes are RFC 4180's. With tabs and '|' lists are written both with quotes and without, so a
 * field is quoted only when its quote closes before the next separator; and it may go on over a line's end only when the
 * line alone would have too few fields. */
#ifndef TP_TAXONOMY_ROWS_INT_H
#define TP_TAXONOMY_ROWS_INT_H

#include <stddef.h>

#include "base/err.h"

enum { TP_ROW_FIELDS = 256 };

/* Fills buf with n bytes, fewer only at the end, where *got is 0. */
typedef tp_code (*tp_rows_read)(void *ud, char *buf, size_t n, size_t *got, tp_err *err);

/* Fields end with NUL, are borrowed for the call and may be written to. The first row is the columns' names. */
typedef tp_code (*tp_rows_fn)(void *ud, size_t line, char **field, size_t n, tp_err *err);

/* Errors of the format name the line; TP_ELIMIT over TP_MAX_CSV_LINE bytes a row or TP_ROW_FIELDS fields. */
TP_CHECKED tp_code tp_rows_each(tp_rows_read read, void *read_ud, tp_rows_fn fn, void *ud, tp_err *err);

#endif
