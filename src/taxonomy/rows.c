/* See rows_int.h. One buffer of two lines' length; a row is cut in place. */
#include "taxonomy/rows_int.h"

#include <stdbool.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

enum { ROOM = 2 * TP_MAX_CSV_LINE };

typedef struct {
	tp_rows_read read;
	void *ud;
	char *buf;
	size_t at, len; /* what is read and not yet given */
	bool end;
	char separator;
	bool strict;       /* quotes as RFC 4180 has them */
	size_t columns;    /* of the first row */
	size_t line, next; /* where the row begins, and the one behind it */
	char *field[TP_ROW_FIELDS];
	size_t n;
} rows;

/* Reads on until `need` bytes are there behind `at`, or the file ends. */
static tp_code fill(rows *r, size_t need, tp_err *err)
{
	if (r->len - r->at >= need || r->end)
		return TP_OK;
	memmove(r->buf, r->buf + r->at, r->len - r->at);
	r->len -= r->at;
	r->at = 0;
	while (r->len < need && !r->end) {
		size_t got = 0;
		tp_code rc = r->read(r->ud, r->buf + r->len, ROOM - r->len, &got, err);
		if (rc)
			return rc;
		r->end = !got;
		r->len += got;
	}
	return TP_OK;
}

/* The end of the row that begins at p: a line's end outside quotes. NULL: an open quote, or the bytes end first. */
static char *row_end(const rows *r, char *p, char *end, bool over_lines)
{
	bool quoted = false, may_open = true; /* at a field's start, or right behind a closing quote */
	if (!over_lines) {
		char *stop = memchr(p, '\n', (size_t)(end - p));
		return stop ? stop : r->end ? end : NULL;
	}
	for (; p < end; p++) {
		if (!quoted && *p == '\n')
			return p;
		bool quote = *p == '"' && (quoted || may_open);
		may_open = *p == r->separator || (quote && quoted);
		quoted = quote ? !quoted : quoted;
	}
	return !quoted && r->end ? end : NULL;
}

static char most_of(const char *p, const char *end)
{
	const char *candidates = "\t|;,";
	size_t best = 0;
	char found = ',';
	for (const char *c = candidates; *c; c++) {
		size_t n = 0;
		for (const char *q = p; q < end && *q != '\n'; q++)
			n += *q == *c;
		if (n > best) {
			best = n;
			found = *c;
		}
	}
	return found;
}

/* The quote that closes the one at p and stands before a separator or the end; NULL when there is none. */
static char *closing(char *p, char *end, char separator)
{
	for (p++; p < end; p++) {
		if (*p != '"')
			continue;
		if (p + 1 == end || p[1] == separator || (p[1] == '\r' && p + 2 == end))
			return p;
		if (p[1] != '"')
			return NULL;
		p++;
	}
	return NULL;
}

/* What is between two quotes, moved to where the first one stands, "" as one. Returns its end. */
static char *unquote(char *p, const char *close)
{
	char *to = p;
	for (const char *q = p + 1; q < close; q++) {
		*to++ = *q;
		q += *q == '"';
	}
	return to;
}

/* Fields of the row p..end, cut in place; *end is written to. */
static tp_code cut(rows *r, char *p, char *end, tp_err *err)
{
	r->n = 0;
	for (bool more = true; more;) {
		char *stop, *behind, *close = p < end && *p == '"' ? closing(p, end, r->separator) : NULL;
		if (r->n == TP_ROW_FIELDS)
			return tp_fail(
				err, TP_ELIMIT, "line %zu: more than %d fields", r->line, TP_ROW_FIELDS);
		if (!close && p < end && *p == '"' && r->strict)
			return tp_fail(
				err, TP_EFORMAT, "line %zu: a quote that does not close its field", r->line);
		if (close) {
			stop = unquote(p, close);
			behind = close + 1 < end && close[1] == '\r' ? end : close + 1;
		} else {
			behind = memchr(p, r->separator, (size_t)(end - p));
			stop = behind = behind ? behind : end;
			if (stop > p && stop == end && stop[-1] == '\r')
				stop--;
		}
		more = behind < end;
		*stop = 0;
		r->field[r->n++] = p;
		p = behind + 1;
	}
	return TP_OK;
}

static size_t separators(const char *p, const char *end, char separator)
{
	size_t n = 0;
	for (; p < end; p++)
		n += *p == separator;
	return n;
}

/* Where the row at r->at ends. */
static char *find_end(const rows *r)
{
	char *p = r->buf + r->at, *end = r->buf + r->len;
	char *stop = row_end(r, p, end, r->strict), *longer;
	if (r->strict || !stop || !r->columns || separators(p, stop, r->separator) + 1 >= r->columns)
		return stop;
	longer = row_end(r, p, end, true);
	return longer && separators(p, longer, r->separator) + 1 == r->columns ? longer : stop;
}

static tp_code next_row(rows *r, tp_err *err)
{
	tp_code rc = fill(r, TP_MAX_CSV_LINE + 1, err);
	if (rc || r->at == r->len)
		return rc;
	char *stop = find_end(r);
	r->line = r->next;
	if (!stop && r->end && r->strict)
		return tp_fail(err, TP_EFORMAT, "line %zu: a quote that never closes", r->line);
	char *p = r->buf + r->at, *end = stop ? stop : r->buf + r->len;
	if (end - p > TP_MAX_CSV_LINE)
		return tp_fail(err, TP_ELIMIT, "line %zu: longer than %d bytes", r->line, TP_MAX_CSV_LINE);
	r->next += separators(p, end, '\n') + 1;
	r->at = (size_t)(end - r->buf) + (end < r->buf + r->len);
	if (memchr(p, 0, (size_t)(end - p)))
		return tp_fail(err, TP_EFORMAT, "line %zu: a NUL byte", r->line);
	return cut(r, p, end, err);
}

static tp_code begin(rows *r, tp_err *err)
{
	tp_code rc = fill(r, TP_MAX_CSV_LINE + 1, err);
	if (rc)
		return rc;
	if (r->len >= 3 && !memcmp(r->buf, "\xef\xbb\xbf", 3))
		r->at = 3; /* byte order mark */
	r->separator = most_of(r->buf + r->at, r->buf + r->len);
	r->strict = r->separator == ',' || r->separator == ';';
	return TP_OK;
}

tp_code tp_rows_each(tp_rows_read read, void *read_ud, tp_rows_fn fn, void *ud, tp_err *err)
{
	rows r = { .read = read, .ud = read_ud, .next = 1 };
	r.buf = tp_alloc(ROOM + 1);
	if (!r.buf)
		return tp_nomem(err, ROOM + 1);
	tp_code rc = begin(&r, err);
	while (!rc && (r.at < r.len || !r.end)) {
		rc = next_row(&r, err);
		if (rc || (r.n == 1 && !*r.field[0])) /* an empty line is no row */
			continue;
		if (r.n) {
			rc = fn(ud, r.line, r.field, r.n, err);
			r.columns = r.columns ? r.columns : r.n;
		}
		r.n = 0;
	}
	tp_free(r.buf);
	return rc;
}
