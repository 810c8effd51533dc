/* meta.xml, read by expat: see dwca.h. */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/dwca.h"

typedef struct {
	XML_Parser parser;
	tp_dwca *out;
	tp_dwca_table now; /* the one being read */
	bool in_table, is_core, has_core;
	char text[256]; /* inside <location> */
	size_t text_len;
	bool in_location;
	tp_code rc;
	tp_err *err;
} reading;

static void fail(reading *r, tp_code rc)
{
	if (!r->rc)
		r->rc = rc;
	XML_StopParser(r->parser, XML_FALSE);
}

static void set(reading *r, char **slot, const char *text)
{
	tp_free(*slot);
	*slot = tp_strdup(text);
	if (!*slot)
		fail(r, tp_nomem(r->err, strlen(text)));
}

static const char *attribute(const char **a, const char *name)
{
	for (; *a; a += 2)
		if (!strcmp(a[0], name))
			return a[1];
	return NULL;
}

static const char *local(const char *s)
{
	const char *slash = strrchr(s, '/'), *hash = strrchr(s, '#'), *last = hash > slash ? hash : slash;
	return last ? last + 1 : s;
}

static int whole(reading *r, const char *s, const char *what)
{
	char *end;
	long v = strtol(s, &end, 10);
	if (*s && !*end && v >= 0 && v < TP_MAX_CSV_FIELDS)
		return (int)v;
	fail(r, tp_fail(r->err, TP_EFORMAT, "%s \"%.40s\" is no number of 0..%d", what, s,
			TP_MAX_CSV_FIELDS - 1));
	return -1;
}

/* One ASCII character, written as itself or as \t; 0 for "". */
static char letter(reading *r, const char *s, const char *what)
{
	if (!strcmp(s, "\\t"))
		return '\t';
	if (!*s || ((unsigned char)*s < 0x80 && !s[1] && *s != '\n' && *s != '\r'))
		return *s;
	fail(r, tp_fail(r->err, TP_EFORMAT, "%s \"%.20s\": one character is read", what, s));
	return 0;
}

static void table_format(reading *r, const char **a)
{
	tp_dwca_table *t = &r->now;
	const char *s;
	tp_code rc = TP_OK;
	t->format = (tp_csv_format)TP_CSV_FORMAT_INIT;
	if ((s = attribute(a, "encoding")) && *s)
		rc = tp_encoding_named(&t->format.encoding, s, r->err);
	if ((s = attribute(a, "fieldsTerminatedBy")))
		t->format.delimiter = letter(r, s, "fieldsTerminatedBy");
	if ((s = attribute(a, "fieldsEnclosedBy")))
		t->format.quote = letter(r, s, "fieldsEnclosedBy");
	if ((s = attribute(a, "ignoreHeaderLines")) && *s)
		t->head_lines = whole(r, s, "ignoreHeaderLines");
	s = attribute(a, "linesTerminatedBy");
	if (!rc && s && *s && !strchr("\n\r ", *s) && strcmp(s, "\\n") != 0 && strcmp(s, "\\r\\n") != 0)
		rc = tp_fail(r->err, TP_EFORMAT, "linesTerminatedBy \"%.20s\": \\n and \\r\\n are read", s);
	if (!rc && !r->rc && (!t->format.delimiter || t->format.delimiter == t->format.quote))
		rc = tp_fail(
			r->err, TP_EFORMAT, "fieldsTerminatedBy is empty, or the same as fieldsEnclosedBy");
	if (rc)
		fail(r, rc);
}

static void begin_table(reading *r, const char *name, const char **a)
{
	const char *type = attribute(a, "rowType");
	r->in_table = true;
	r->is_core = !strcmp(name, "core");
	r->now = (tp_dwca_table){ .id = -1 };
	if (r->is_core && r->has_core)
		fail(r, tp_fail(r->err, TP_EFORMAT, "two cores"));
	else
		set(r, &r->now.row_type, local(type ? type : ""));
	table_format(r, a);
}

static void add_field(reading *r, const char **a)
{
	tp_dwca_table *t = &r->now;
	const char *term = attribute(a, "term"), *index = attribute(a, "index"),
		   *fallback = attribute(a, "default");
	if (!term || (!index && !fallback)) {
		fail(r, tp_fail(r->err, TP_EFORMAT, "a field without term, or without index and default"));
		return;
	}
	if (t->n_fields == TP_MAX_CSV_FIELDS) {
		fail(r, tp_fail(r->err, TP_ELIMIT, "more than %d fields", TP_MAX_CSV_FIELDS));
		return;
	}
	tp_dwca_field *v = tp_realloc(t->field, (t->n_fields + 1) * sizeof *v);
	if (!v) {
		fail(r, tp_nomem(r->err, sizeof *v));
		return;
	}
	t->field = v;
	v[t->n_fields] = (tp_dwca_field){ .at = index ? whole(r, index, "index") : -1 };
	t->n_fields++;
	set(r, &v[t->n_fields - 1].term, local(term));
	if (fallback)
		set(r, &v[t->n_fields - 1].fallback, fallback);
}

static void XMLCALL start(void *ud, const XML_Char *name, const XML_Char **a)
{
	reading *r = ud;
	const char *index;
	name = strrchr(name, ':') ? strrchr(name, ':') + 1 : name;
	if (r->rc)
		return;
	if (!r->in_table && (!strcmp(name, "core") || !strcmp(name, "extension"))) {
		begin_table(r, name, a);
	} else if (r->in_table && (!strcmp(name, "id") || !strcmp(name, "coreid"))) {
		index = attribute(a, "index");
		r->now.id = index ? whole(r, index, "index") : -1;
	} else if (r->in_table && !strcmp(name, "field")) {
		add_field(r, a);
	} else if (r->in_table && !strcmp(name, "location")) {
		r->in_location = true;
		r->text_len = 0;
	}
}

static void XMLCALL letters(void *ud, const XML_Char *s, int n)
{
	reading *r = ud;
	if (!r->in_location || r->rc)
		return;
	if ((size_t)n >= sizeof r->text - r->text_len) {
		fail(r, tp_fail(r->err, TP_ELIMIT, "a location of more than %zu bytes", sizeof r->text - 1));
		return;
	}
	memcpy(r->text + r->text_len, s, (size_t)n);
	r->text_len += (size_t)n;
}

static void end_location(reading *r)
{
	tp_dwca_table *t = &r->now;
	char *s = r->text;
	r->in_location = false;
	r->text[r->text_len] = 0;
	s += strspn(s, " \t\r\n");
	for (size_t n = strlen(s); n && strchr(" \t\r\n", s[n - 1]); n--)
		s[n - 1] = 0;
	if (t->n_files == TP_DWCA_FILES)
		fail(r, tp_fail(r->err, TP_ELIMIT, "more than %d files of a table", TP_DWCA_FILES));
	else
		set(r, &t->file[t->n_files++], s);
}

static void table_dispose(tp_dwca_table *t)
{
	for (int i = 0; i < t->n_files; i++)
		tp_free(t->file[i]);
	for (size_t i = 0; i < t->n_fields; i++) {
		tp_free(t->field[i].term);
		tp_free(t->field[i].fallback);
	}
	tp_free(t->field);
	tp_free(t->row_type);
	*t = (tp_dwca_table){ 0 };
}

static void end_table(reading *r)
{
	bool media = !r->is_core && !strcmp(r->now.row_type, "Multimedia") && !r->out->media.row_type;
	r->in_table = false;
	if ((r->is_core || media) && (r->now.id < 0 || !r->now.n_files)) {
		fail(r, tp_fail(r->err, TP_EFORMAT, "table %.40s has no %s", r->now.row_type,
				r->now.n_files ? "id" : "file"));
		return;
	}
	if (r->is_core || media)
		*(r->is_core ? &r->out->core : &r->out->media) = r->now;
	else
		table_dispose(&r->now);
	r->has_core |= r->is_core;
	r->now = (tp_dwca_table){ 0 };
}

static void XMLCALL end(void *ud, const XML_Char *name)
{
	reading *r = ud;
	name = strrchr(name, ':') ? strrchr(name, ':') + 1 : name;
	if (r->rc)
		return;
	if (r->in_location && !strcmp(name, "location"))
		end_location(r);
	else if (r->in_table && (!strcmp(name, "core") || !strcmp(name, "extension")))
		end_table(r);
}

/* Entities that grow need a document type; archives have none. */
static void XMLCALL doctype(
	void *ud, const XML_Char *name, const XML_Char *sys, const XML_Char *pub, int has_internal_subset)
{
	reading *r = ud;
	(void)name, (void)sys, (void)pub, (void)has_internal_subset;
	fail(r, tp_fail(r->err, TP_EFORMAT, "has a document type"));
}

tp_code tp_dwca_parse(tp_dwca *out, const char *xml, size_t len, tp_err *err)
{
	reading r = { .parser = XML_ParserCreate(NULL), .out = out, .err = err };
	*out = (tp_dwca){ 0 };
	if (!r.parser)
		return tp_nomem(err, len);
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, start, end);
	XML_SetCharacterDataHandler(r.parser, letters);
	XML_SetStartDoctypeDeclHandler(r.parser, doctype);
	enum XML_Status status =
		len > TP_MAX_META_XML ? XML_STATUS_ERROR : XML_Parse(r.parser, xml, (int)len, XML_TRUE);
	if (len > TP_MAX_META_XML)
		r.rc = tp_fail(err, TP_ELIMIT, "more than %d bytes", TP_MAX_META_XML);
	else if (!r.rc && status != XML_STATUS_OK)
		r.rc = tp_fail(err, TP_EFORMAT, "line %lu: %s",
			(unsigned long)XML_GetCurrentLineNumber(r.parser),
			XML_ErrorString(XML_GetErrorCode(r.parser)));
	else if (!r.rc && !r.has_core)
		r.rc = tp_fail(err, TP_EFORMAT, "no core");
	XML_ParserFree(r.parser);
	table_dispose(&r.now);
	return r.rc;
}

void tp_dwca_dispose(tp_dwca *d)
{
	table_dispose(&d->core);
	table_dispose(&d->media);
}

const tp_dwca_field *tp_dwca_find(const tp_dwca_table *t, const char *term)
{
	for (size_t i = 0; i < t->n_fields; i++)
		if (!strcmp(t->field[i].term, term))
			return &t->field[i];
	return NULL;
}

const char *tp_dwca_get(const tp_dwca_field *f, const tp_csv_record *r)
{
	const char *s = f && f->at >= 0 && (size_t)f->at < r->n ? r->field[f->at] : "";
	return *s || !f || !f->fallback ? s : f->fallback;
}

int tp_dwca_columns(const tp_dwca_table *t)
{
	int most = t->id;
	for (size_t i = 0; i < t->n_fields; i++)
		most = t->field[i].at > most ? t->field[i].at : most;
	return most + 1;
}
