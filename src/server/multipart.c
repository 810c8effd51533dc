/* multipart/form-data: see multipart.h. RFC 7578 over RFC 2046; every look-ahead is bounded by the body's end. */
#include "server/multipart.h"

#include <string.h>
#include <strings.h>

bool tp_span_is(tp_span s, const char *text)
{
	size_t n = strlen(text);
	return s.len == n && !memcmp(s.ptr, text, n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool tp_is_multipart(const char *content_type)
{
	static const char type[] = "multipart/form-data";
	if (!content_type || strncasecmp(content_type, type, sizeof type - 1) != 0)
		return false;
	char next = content_type[sizeof type - 1];
	return !next || next == ';' || is_blank(next);
}

/* The value at p, quoted or not; *next is what follows it. Escapes of a quoted text stay in it. */
static tp_span value_at(const char *p, const char *end, const char **next)
{
	if (p == end || *p != '"') {
		const char *stop = p;
		while (stop < end && *stop != ';' && !is_blank(*stop))
			stop++;
		*next = stop;
		return (tp_span){ p, (size_t)(stop - p) };
	}
	const char *stop = ++p;
	while (stop < end && *stop != '"')
		stop += *stop == '\\' && end - stop > 1 ? 2 : 1;
	if (stop >=
		end) { /* a path that ends in a backslash looks like an escaped quote: take the last quote */
		for (stop = end; stop > p && *stop != '"';)
			if (*--stop == '"')
				break;
		if (stop == p)
			stop = end;
	}
	*next = stop < end ? stop + 1 : end;
	return (tp_span){ p, (size_t)(stop - p) };
}

/* Value of a parameter in "type; a=b; c=\"d\"". False when it is not there. */
static bool param(tp_span *out, const char *p, const char *end, const char *name)
{
	size_t n = strlen(name);
	while (p < end && *p != ';')
		p++;
	while (p < end) {
		while (p < end && (*p == ';' || is_blank(*p)))
			p++;
		const char *key = p;
		while (p < end && *p != '=' && *p != ';')
			p++;
		size_t key_len = (size_t)(p - key);
		while (key_len && is_blank(key[key_len - 1]))
			key_len--;
		if (p == end || *p == ';')
			continue;
		for (p++; p < end && is_blank(*p);)
			p++;
		tp_span v = value_at(p, end, &p);
		if (key_len == n && !strncasecmp(key, name, n)) {
			*out = v;
			return true;
		}
		while (p < end && *p != ';')
			p++;
	}
	return false;
}

tp_code tp_multipart_boundary(tp_span *out, const char *content_type, tp_err *err)
{
	tp_span b = { 0 };
	if (!param(&b, content_type, content_type + strlen(content_type), "boundary") || !b.len)
		return tp_fail(err, TP_EFORMAT, "the Content-Type names no boundary");
	if (b.len > TP_MAX_BOUNDARY)
		return tp_fail(err, TP_EFORMAT, "a boundary of %zu bytes; at most %d are taken", b.len,
			TP_MAX_BOUNDARY);
	*out = b;
	return TP_OK;
}

/* A boundary line found in the body: where its line break begins (the end of the part before), and what follows. */
typedef struct {
	const char *begin, *after;
	bool last;
} delimiter;

/* Is "--boundary" at p, followed by blanks and a line break, or by "--"? */
static bool delimiter_at(delimiter *d, const char *p, const char *end, tp_span b)
{
	if ((size_t)(end - p) < b.len + 4 || p[0] != '-' || p[1] != '-' || memcmp(p + 2, b.ptr, b.len) != 0)
		return false;
	const char *q = p + 2 + b.len;
	d->last = q[0] == '-' && q[1] == '-';
	if (d->last) {
		d->after = q + 2;
		return true;
	}
	while (q < end && is_blank(*q))
		q++;
	d->after = q + 2;
	return end - q >= 2 && q[0] == '\r' && q[1] == '\n';
}

static bool next_delimiter(delimiter *d, const char *p, const char *end, tp_span b)
{
	while (p < end && (p = memchr(p, '\r', (size_t)(end - p)))) {
		if (end - p > 2 && p[1] == '\n' && delimiter_at(d, p + 2, end, b)) {
			d->begin = p;
			return true;
		}
		p++;
	}
	return false;
}

static const char *line_end(const char *p, const char *end)
{
	while (p < end && (p = memchr(p, '\r', (size_t)(end - p)))) {
		if (end - p > 1 && p[1] == '\n')
			return p;
		p++;
	}
	return NULL;
}

static void read_header(tp_part *part, const char *p, const char *end)
{
	static const char name[] = "content-disposition:";
	if ((size_t)(end - p) < sizeof name || strncasecmp(p, name, sizeof name - 1) != 0)
		return;
	p += sizeof name - 1;
	param(&part->name, p, end, "name");
	param(&part->filename, p, end, "filename");
}

/* Reads the header lines of the part at p, up to the empty one; *data is what follows it. */
static tp_code read_headers(tp_part *part, const char *p, const char *end, const char **data, tp_err *err)
{
	const char *limit = end - p > TP_MAX_PART_HEADER_BYTES ? p + TP_MAX_PART_HEADER_BYTES : end;
	for (int i = 0; i <= TP_MAX_PART_HEADERS; i++) {
		const char *stop = line_end(p, limit);
		if (!stop && limit < end)
			return tp_fail(err, TP_ELIMIT, "multipart: over %d bytes of headers in a part",
				TP_MAX_PART_HEADER_BYTES);
		if (!stop)
			return tp_fail(err, TP_EFORMAT, "multipart: the headers of a part do not end");
		if (stop == p) {
			*data = p + 2;
			return TP_OK;
		}
		read_header(part, p, stop);
		p = stop + 2;
	}
	return tp_fail(err, TP_ELIMIT, "multipart: over %d headers in a part", TP_MAX_PART_HEADERS);
}

tp_code tp_multipart_parse(tp_multipart *out, tp_span boundary, const void *body, size_t len, tp_err *err)
{
	const char *p = body, *end = p + len;
	delimiter d = { .begin = p };
	out->n = 0;
	if (!len)
		return tp_fail(err, TP_EFORMAT, "multipart: the body is empty");
	if (!delimiter_at(&d, p, end, boundary) && !next_delimiter(&d, p, end, boundary))
		return tp_fail(err, TP_EFORMAT, "multipart: the boundary is not in the body");
	while (!d.last) {
		tp_part part = { 0 };
		const char *data = d.after;
		delimiter next;
		/* the empty line that ends the headers may be the line break of the next boundary: look from
		 * two bytes before the data, which are that line break */
		tp_code rc = read_headers(&part, d.after, end, &data, err);
		if (rc)
			return rc;
		if (!next_delimiter(&next, data - 2, end, boundary))
			return tp_fail(err, TP_EFORMAT, "multipart: the body ends before its last boundary");
		if (next.begin > data)
			part.data = (tp_span){ data, (size_t)(next.begin - data) };
		if (part.name.len && out->n == TP_MAX_PARTS)
			return tp_fail(err, TP_ELIMIT, "multipart: over %d parts", TP_MAX_PARTS);
		if (part.name.len)
			out->v[out->n++] = part;
		d = next;
	}
	return TP_OK;
}
