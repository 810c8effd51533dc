/* CSV as a stream: see csv.h. A record is gathered in one buffer, its fields ended by NUL; one that is too long is read to
 * its end without being kept. */
#include "data/csv.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/data.h"

enum { CHUNK = 1 << 16, FIRST_CAP = 1 << 10 };

struct tp_csv {
	tp_bytes *from;
	tp_csv_format f;
	uint8_t *in;
	size_t at, len;
	char *line, *utf8; /* utf8: the fields of a Latin-1 record */
	size_t used, cap, utf8_cap;
	size_t begin[TP_MAX_CSV_FIELDS];
	char *field[TP_MAX_CSV_FIELDS];
	size_t n, at_line;
	bool begun;
	tp_code failed; /* reading did: that is the end */
	tp_code bad;
	char why[80];
};

enum { END = -1, FAILED = -2 };

static int refill(tp_csv *c, tp_err *err)
{
	c->at = c->len = 0;
	if (!c->failed)
		c->failed = c->from->read(c->from, c->in, CHUNK, &c->len, err);
	if (c->failed)
		c->len = 0;
	return c->failed ? FAILED : c->len ? c->in[0] : END;
}

static inline int peek(tp_csv *c, tp_err *err)
{
	return c->at < c->len ? c->in[c->at] : refill(c, err);
}

static void spoil(tp_csv *c, tp_code bad, const char *why, size_t max)
{
	if (c->bad)
		return;
	c->bad = bad;
	snprintf(c->why, sizeof c->why, why, max);
}

static tp_code grow(tp_csv *c, tp_err *err)
{
	size_t cap = c->cap ? 2 * c->cap : FIRST_CAP;
	cap = cap > TP_MAX_CSV_LINE ? TP_MAX_CSV_LINE : cap;
	char *p = tp_realloc(c->line, cap);
	if (!p)
		return tp_nomem(err, cap);
	c->line = p;
	c->cap = cap;
	return TP_OK;
}

static inline tp_code put(tp_csv *c, char x, tp_err *err)
{
	if (c->bad)
		return TP_OK;
	if (c->used == TP_MAX_CSV_LINE) {
		spoil(c, TP_ELIMIT, "longer than %zu bytes", TP_MAX_CSV_LINE);
		return TP_OK;
	}
	tp_code rc = c->used == c->cap ? grow(c, err) : TP_OK;
	if (!rc)
		c->line[c->used++] = x;
	return rc;
}

static inline tp_code put_content(tp_csv *c, char x, tp_err *err)
{
	if (!x)
		spoil(c, TP_EFORMAT, "a NUL byte", 0);
	return put(c, x, err);
}

/* A field in quotes; the first one was taken. */
static tp_code quoted(tp_csv *c, size_t *newlines, tp_err *err)
{
	for (;;) {
		int x = peek(c, err);
		if (x == FAILED)
			return c->failed;
		if (x == END)
			return tp_fail(err, TP_EFORMAT, "line %zu: a quote that never closes", c->at_line);
		c->at++;
		if (x == c->f.quote) {
			if (peek(c, err) != c->f.quote)
				return TP_OK;
			c->at++;
		}
		*newlines += x == '\n';
		tp_code rc = put_content(c, (char)x, err);
		if (rc)
			return rc;
	}
}

/* What is not in quotes, up to the delimiter or the end of the line. */
static tp_code plain(tp_csv *c, int *end, tp_err *err)
{
	for (;;) {
		int x = *end = peek(c, err);
		if (x == FAILED)
			return c->failed;
		if (x == END)
			return TP_OK;
		c->at++;
		if (x == (unsigned char)c->f.delimiter || x == '\n')
			return TP_OK;
		if (x == '\r' && peek(c, err) == '\n')
			continue;
		tp_code rc = put_content(c, (char)x, err);
		if (rc)
			return rc;
	}
}

static tp_code field(tp_csv *c, int *end, size_t *newlines, tp_err *err)
{
	tp_code rc = TP_OK;
	if (c->n == TP_MAX_CSV_FIELDS)
		spoil(c, TP_ELIMIT, "more than %zu fields", TP_MAX_CSV_FIELDS);
	else
		c->begin[c->n++] = c->used;
	if (c->f.quote && peek(c, err) == c->f.quote) {
		c->at++;
		rc = quoted(c, newlines, err);
	}
	if (!rc)
		rc = plain(c, end, err);
	return rc ? rc : put(c, 0, err);
}

static tp_code to_utf8(tp_csv *c, tp_err *err)
{
	size_t at = 0, need = 3 * c->used + 1;
	if (need > c->utf8_cap) {
		char *p = tp_realloc(c->utf8, need);
		if (!p)
			return tp_nomem(err, need);
		c->utf8 = p;
		c->utf8_cap = need;
	}
	for (size_t i = 0; i < c->n; i++) {
		const char *s = c->line + c->begin[i];
		c->field[i] = c->utf8 + at;
		at += tp_latin1_to_utf8(c->utf8 + at, s, strlen(s)) + 1;
	}
	return TP_OK;
}

/* Byte order marks. UTF-16 looks like Latin-1 with a NUL behind each letter: better to say what it is. */
static tp_code begin(tp_csv *c, tp_err *err)
{
	c->begun = true;
	if (peek(c, err) == FAILED)
		return c->failed;
	if (c->len >= 2 && (!memcmp(c->in, "\xff\xfe", 2) || !memcmp(c->in, "\xfe\xff", 2)))
		return tp_fail(err, TP_EFORMAT, "line 1: the file is UTF-16; save it as UTF-8");
	if (c->len >= 3 && !memcmp(c->in, "\xef\xbb\xbf", 3))
		c->at = 3;
	return TP_OK;
}

static tp_code record(tp_csv *c, tp_csv_record *r, tp_err *err)
{
	size_t newlines = 0;
	int end = (unsigned char)c->f.delimiter;
	tp_code rc = TP_OK;
	c->used = c->n = 0;
	c->bad = TP_OK;
	while (!rc && end == (unsigned char)c->f.delimiter)
		rc = field(c, &end, &newlines, err);
	if (rc)
		return rc;
	r->line = c->at_line;
	r->bad = c->bad;
	r->n = c->bad ? 0 : c->n;
	r->field = c->field;
	memcpy(r->why, c->why, sizeof r->why);
	c->at_line += newlines + 1;
	if (!c->bad && c->f.encoding == TP_LATIN1)
		return to_utf8(c, err);
	for (size_t i = 0; i < r->n; i++)
		c->field[i] = c->line + c->begin[i];
	return TP_OK;
}

tp_code tp_csv_next(tp_csv *c, tp_csv_record *r, bool *more, tp_err *err)
{
	tp_code rc = c->begun ? TP_OK : begin(c, err);
	for (*more = false; !rc && !*more;) {
		int x = peek(c, err);
		if (x == END)
			return TP_OK;
		rc = x == FAILED ? c->failed : record(c, r, err);
		*more = !rc && (r->bad || r->n > 1 || *r->field[0]); /* an empty line is no record */
	}
	return rc;
}

tp_code tp_csv_open(tp_csv **out, tp_bytes *from, const tp_csv_format *f, tp_err *err)
{
	tp_csv *c = tp_calloc(1, sizeof *c);
	if (c)
		c->in = tp_alloc(CHUNK);
	if (!c || !c->in) {
		tp_free(c);
		return tp_nomem(err, CHUNK);
	}
	c->from = from;
	c->f = *f;
	c->at_line = 1;
	*out = c;
	return TP_OK;
}

void tp_csv_close(tp_csv *c)
{
	if (!c)
		return;
	tp_free(c->in);
	tp_free(c->line);
	tp_free(c->utf8);
	tp_free(c);
}

tp_code tp_csv_each(const char *text, size_t len, tp_csv_fn fn, void *ud, tp_err *err)
{
	tp_bytes from;
	tp_csv *c = NULL;
	tp_csv_record r;
	bool more = true;
	const tp_csv_format f = TP_CSV_FORMAT_INIT;
	tp_bytes_memory(&from, text, len);
	tp_code rc = tp_csv_open(&c, &from, &f, err);
	while (!rc && more) {
		rc = tp_csv_next(c, &r, &more, err);
		if (!rc && more)
			rc = r.bad ? tp_fail(err, r.bad, "line %zu: %s", r.line, r.why)
				   : fn(ud, r.line, r.field, r.n, err);
	}
	tp_csv_close(c);
	return rc;
}

tp_code tp_csv_put(tp_buf *b, const char *text, char after, tp_err *err)
{
	tp_code rc = TP_OK;
	if (!strpbrk(text, ",\"\r\n")) {
		rc = tp_buf_adds(b, text, err);
	} else {
		rc = tp_buf_adds(b, "\"", err);
		for (const char *p = text, *q; !rc && *p; p = q + (*q == '"')) {
			q = strchr(p, '"');
			q = q ? q : p + strlen(p);
			rc = tp_buf_add(b, p, (size_t)(q - p), err);
			if (!rc && *q)
				rc = tp_buf_adds(b, "\"\"", err);
		}
		if (!rc)
			rc = tp_buf_adds(b, "\"", err);
	}
	return rc ? rc : tp_buf_add(b, &after, 1, err);
}
