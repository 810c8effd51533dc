/* Query strings: see query.h. */
#include "server/query.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

size_t tp_percent_decode(char *dst, const char *src, size_t len, bool plus)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		int byte = 0;
		if (src[i] == '%' && len - i > 2 && hex(src[i + 1]) >= 0 && hex(src[i + 2]) >= 0)
			byte = hex(src[i + 1]) * 16 + hex(src[i + 2]);
		if (byte) { /* a NUL would end the text early: "%00" stays as it is */
			dst[n++] = (char)byte;
			i += 2;
		} else {
			dst[n++] = src[i] == '+' && plus ? ' ' : src[i];
		}
	}
	dst[n] = 0;
	return n;
}

tp_code tp_query_parse(tp_query *out, const char *text, tp_err *err)
{
	tp_query q = { 0 };
	size_t len = text ? strlen(text) : 0;
	/* a decoded text is no longer than it was; each of the pairs may add the NUL of a missing value */
	q.mem = tp_alloc(len + TP_MAX_PAIRS * 2 + 1);
	if (!q.mem)
		return tp_nomem(err, len);
	char *w = q.mem;
	for (const char *p = text, *end = text + len; len && p < end && q.n < TP_MAX_PAIRS;) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		const char *stop = amp ? amp : end;
		const char *eq = memchr(p, '=', (size_t)(stop - p));
		const char *name_end = eq ? eq : stop, *value = eq ? eq + 1 : stop;
		if (name_end > p) {
			q.v[q.n].name = w;
			w += tp_percent_decode(w, p, (size_t)(name_end - p), true) + 1;
			q.v[q.n++].value = w;
			w += tp_percent_decode(w, value, (size_t)(stop - value), true) + 1;
		}
		p = stop + 1;
	}
	*out = q;
	return TP_OK;
}

void tp_query_dispose(tp_query *q)
{
	tp_free(q->mem);
	*q = (tp_query){ 0 };
}

const char *tp_query_get(const tp_query *q, const char *name)
{
	for (int i = 0; i < q->n; i++)
		if (!strcmp(q->v[i].name, name))
			return q->v[i].value;
	return NULL;
}

tp_code tp_query_bool(bool *out, const tp_query *q, const char *name, tp_err *err)
{
	const char *s = tp_query_get(q, name);
	if (!s)
		return TP_OK;
	if (!strcasecmp(s, "true") || !strcmp(s, "1"))
		*out = true;
	else if (!strcasecmp(s, "false") || !strcmp(s, "0"))
		*out = false;
	else
		return tp_fail(err, TP_EINVAL, "\"%s\" must be a boolean", name);
	return TP_OK;
}

tp_code tp_query_int(int *out, const tp_query *q, const char *name, int min, tp_err *err)
{
	const char *s = tp_query_get(q, name);
	if (!s)
		return TP_OK;
	bool minus = *s == '-';
	long v = 0;
	const char *p = s + minus;
	for (; *p >= '0' && *p <= '9'; p++)
		if (v < INT_MAX)
			v = v * 10 + (*p - '0');
	if (*p || p == s + minus)
		return tp_fail(err, TP_EINVAL, "\"%s\" must be a whole number", name);
	if (v > INT_MAX)
		v = INT_MAX;
	if (minus)
		v = -v;
	if (v < min)
		return tp_fail(err, TP_EINVAL, "\"%s\" must be greater than or equal to %d", name, min);
	*out = (int)v;
	return TP_OK;
}

tp_code tp_fail_enum(tp_err *err, const char *name, const char *const *known, int n)
{
	char list[sizeof err->msg];
	size_t len = 0;
	list[0] = 0;
	for (int i = 0; i < n && len < sizeof list; i++)
		len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", known[i]);
	return tp_fail(err, TP_EINVAL, "\"%s\" must be one of [%s]", name, list);
}

tp_code tp_query_enum(
	const char **out, const tp_query *q, const char *name, const char *const *known, int n, tp_err *err)
{
	const char *s = tp_query_get(q, name);
	if (!s)
		return TP_OK;
	for (int i = 0; i < n; i++)
		if (!strcmp(s, known[i])) {
			*out = known[i];
			return TP_OK;
		}
	return tp_fail_enum(err, name, known, n);
}
