/* multipart/form-data over a complete body: parts are views into it, nothing is copied.
 * Takes what real clients send: parts in any order, without Content-Type, with a path, non-ASCII or nothing as the
 * file name, a preamble, an epilogue. A body that ends before its last boundary is refused. */
#ifndef TP_SERVER_MULTIPART_H
#define TP_SERVER_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	TP_MAX_PARTS = 64,
	TP_MAX_PART_HEADERS = 16,        /* lines */
	TP_MAX_PART_HEADER_BYTES = 8192, /* of all of them */
	TP_MAX_BOUNDARY = 200,           /* the standard says 70 */
};

typedef struct {
	const char *ptr;
	size_t len;
} tp_span;

typedef struct {
	tp_span name, data;
	tp_span filename; /* as sent, never used as a path; empty when there is none */
} tp_part;

typedef struct {
	int n;
	tp_part v[TP_MAX_PARTS];
} tp_multipart;

bool tp_span_is(tp_span s, const char *text);

/* Is this Content-Type (may be NULL) multipart/form-data? */
bool tp_is_multipart(const char *content_type);

/* The boundary named by a Content-Type, a view into it. TP_EFORMAT when there is none. */
TP_CHECKED tp_code tp_multipart_boundary(tp_span *out, const char *content_type, tp_err *err);

/* Parts without a name are left out. TP_EFORMAT, TP_ELIMIT. */
TP_CHECKED tp_code tp_multipart_parse(
	tp_multipart *out, tp_span boundary, const void *body, size_t len, tp_err *err);

#endif
