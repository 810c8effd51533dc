/* The part of a URL after "?": names and values, percent-decoded. Lenient: "%zz" and "%00" stay as they are,
 * what is over the limit of pairs is left out, unknown names are the caller's to ignore. */
#ifndef TP_SERVER_QUERY_H
#define TP_SERVER_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { TP_MAX_PAIRS = 64 };

typedef struct {
	char *mem; /* owns the texts below */
	int n;
	struct {
		const char *name, *value;
	} v[TP_MAX_PAIRS];
} tp_query;

/* text may be NULL. Free with tp_query_dispose(), which takes {0} too. */
TP_CHECKED tp_code tp_query_parse(tp_query *out, const char *text, tp_err *err);
void tp_query_dispose(tp_query *q);

const char *tp_query_get(const tp_query *q, const char *name); /* the first; NULL when absent */

/* Leave *out as it was when the name is absent. TP_EINVAL names the parameter. */
TP_CHECKED tp_code tp_query_bool(bool *out, const tp_query *q, const char *name, tp_err *err);
TP_CHECKED tp_code tp_query_int(int *out, const tp_query *q, const char *name, int min, tp_err *err);
/* one of the n texts of `known`; *out points into it */
TP_CHECKED tp_code tp_query_enum(
	const char **out, const tp_query *q, const char *name, const char *const *known, int n, tp_err *err);

/* `"name" must be one of [a, b]` */
tp_code tp_fail_enum(tp_err *err, const char *name, const char *const *known, int n);

/* Decodes len bytes of src into dst (len + 1 bytes); the length without the NUL. plus: "+" is a space. */
size_t tp_percent_decode(char *dst, const char *src, size_t len, bool plus);

#endif
