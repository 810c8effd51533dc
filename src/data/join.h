/* Rows kept aside under a key until the rows that belong to them come by, in a temporary file that nobody else sees and that
 * is gone when it is closed (SQLite's; in $SQLITE_TMPDIR, $TMPDIR or /var/tmp). In memory are 16 bytes a row.
 * Threads: one at a time. */
#ifndef TP_DATA_JOIN_H
#define TP_DATA_JOIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct tp_join tp_join;
TP_CHECKED tp_code tp_join_open(tp_join **out, int n_values, tp_err *err); /* values of a row: 1..32 */
void tp_join_close(tp_join *j);                                            /* NULL is fine */
/* *is_new false: the key is there already, and nothing was done. */
TP_CHECKED tp_code tp_join_put(
	tp_join *j, const char *key, const char *const *value, bool *is_new, tp_err *err);
/* Borrowed until the next call; *value is NULL when there is no such key. Marks the row as used. */
TP_CHECKED tp_code tp_join_get(tp_join *j, const char *key, const char *const **value, tp_err *err);
size_t tp_join_unused(const tp_join *j); /* rows that were never asked for */

#endif
