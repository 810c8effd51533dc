/* CSV as RFC 4180 has it: see data.h. Fields are cut in place in one copy of the line. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/data.h"

enum { MAX_FIELDS = 256 };

typedef struct {
	const char *p, *end;
	char *line; /* one record, fields ended by NUL */
	size_t used;
	char *field[MAX_FIELDS];
	size_t n, at_line;
} reader;

static tp_code put(reader *r, char c, tp_err *err)
{
	if (r->used == TP_MAX_CSV_LINE)
		return tp_fail(err, TP_ELIMIT, "line %zu: longer than %d bytes", r->at_line, TP_MAX_CSV_LINE);
	r->line[r->used++] = c;
	return TP_OK;
}

/* A field in quotes; p stands behind the first one. */
static tp_code quoted(reader *r, size_t *newlines, tp_err *err)
{
	for (;;) {
		if (r->p == r->end)
			return tp_fail(err, TP_EFORMAT, "line %zu: a quote that never closes", r->at_line);
		char c = *r->p++;
		if (c == '"') {
			if (r->p == r->end || *r->p != '"')
				return TP_OK;
			r->p++;
		}
		if (c == 0)
			return tp_fail(err, TP_EFORMAT, "line %zu: a NUL byte", r->at_line);
		*newlines += c == '\n';
		tp_code rc = put(r, c, err);
		if (rc)
			return rc;
	}
}

/* One field; *more says whether another follows in this record. */
static tp_code field(reader *r, bool *more, size_t *newlines, tp_err *err)
{
	tp_code rc = TP_OK;
	if (r->n == MAX_FIELDS)
		return tp_fail(err, TP_ELIMIT, "line %zu: more than %d fields", r->at_line, MAX_FIELDS);
	r->field[r->n++] = r->line + r->used;
	if (r->p < r->end && *r->p == '"') {
		r->p++;
		rc = quoted(r, newlines, err);
	}
	while (!rc && r->p < r->end && *r->p != ',' && *r->p != '\n') {
		char c = *r->p++;
		if (c == 0)
			rc = tp_fail(err, TP_EFORMAT, "line %zu: a NUL byte", r->at_line);
		else if (c != '\r' || r->p == r->end || *r->p != '\n')
			rc = put(r, c, err);
	}
	*more = r->p < r->end && *r->p == ',';
	if (r->p < r->end)
		r->p++;
	return rc ? rc : put(r, 0, err);
}

tp_code tp_csv_each(const char *text, size_t len, tp_csv_fn fn, void *ud, tp_err *err)
{
	reader r = { .p = text, .end = text + len, .at_line = 1 };
	tp_code rc = TP_OK;
	/* each field's NUL stands for the comma or line end behind it, which only the last may lack */
	size_t room = (len < TP_MAX_CSV_LINE ? len : TP_MAX_CSV_LINE) + 1;
	r.line = tp_alloc(room);
	if (!r.line)
		return tp_nomem(err, room);
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		r.p += 3; /* byte order mark */
	while (!rc && r.p < r.end) {
		bool more = true;
		size_t newlines = 0;
		r.used = r.n = 0;
		while (!rc && more)
			rc = field(&r, &more, &newlines, err);
		if (!rc && !(r.n == 1 && !*r.field[0])) /* an empty line is no record */
			rc = fn(ud, r.at_line, r.field, r.n, err);
		r.at_line += newlines + 1;
	}
	tp_free(r.line);
	return rc;
}
