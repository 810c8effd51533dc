/* Tables as text, read as a stream: RFC 4180 (quotes, doubled quotes, CRLF), with another delimiter or without quotes where
 * a source has it so. A record is at most TP_MAX_CSV_LINE bytes of TP_MAX_CSV_FIELDS fields. Threads: one at a time. */
#ifndef TP_DATA_CSV_H
#define TP_DATA_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "data/bytes.h"
#include "data/text.h"

typedef struct {
	char delimiter;       /* ',' */
	char quote;           /* '"'; 0: quotes are letters like any other */
	tp_encoding encoding; /* TP_LATIN1 is converted; TP_UTF8 is given as it is, unchecked */
} tp_csv_format;
#define TP_CSV_FORMAT_INIT                                                                                   \
	{                                                                                                    \
		.delimiter = ',', .quote = '"'                                                               \
	}

typedef struct {
	size_t line;  /* on which it begins, from 1 */
	char **field; /* n of them, borrowed until the next call */
	size_t n;
	tp_code bad; /* not TP_OK: the record cannot be taken, and has no fields; those behind it can */
	char why[80];
} tp_csv_record;

typedef struct tp_csv tp_csv;
TP_CHECKED tp_code tp_csv_open(
	tp_csv **out, tp_bytes *from, const tp_csv_format *f, tp_err *err); /* from: borrowed */
void tp_csv_close(tp_csv *c);                                               /* NULL is fine */
/* The next record; empty lines are none. *more false: the end. TP_EFORMAT: UTF-16, a quote that never closes; errors begin
 * with "line 17: ". */
TP_CHECKED tp_code tp_csv_next(tp_csv *c, tp_csv_record *r, bool *more, tp_err *err);

/* Writing: a field and what stands behind it, in quotes where it needs them. */
TP_CHECKED tp_code tp_csv_put(tp_buf *b, const char *text, char after, tp_err *err);

#endif
