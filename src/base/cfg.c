/* Settings as a table: see cfg.h. */
#include "base/cfg.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/nearest.h"

enum { MAX_ITEMS = 128, MAX_LINE = 1024 };

static void *field(void *into, const tp_cfg_item *i)
{
	return (char *)into + i->offset;
}

static tp_code wrong(const tp_cfg_item *i, const char *value, tp_err *err)
{
	if (i->kind == TP_CFG_FLAG)
		return tp_fail(err, TP_EINVAL, "%s is yes or no, not \"%.60s\"", i->key, value);
	if (i->kind == TP_CFG_TEXT)
		return tp_fail(err, TP_EINVAL, "%s may have %d bytes", i->key, TP_CFG_TEXT_MAX - 1);
	if (i->kind != TP_CFG_CHOICE)
		return tp_fail(err, TP_EINVAL, "%s is a %s from %g to %g, not \"%.60s\"", i->key,
			i->kind == TP_CFG_INT ? "whole number" : "number", i->min, i->max, value);
	tp_buf b;
	tp_buf_init(&b, 512);
	tp_code rc = TP_OK;
	for (int k = 0; i->choices[k] && !rc; k++)
		rc = tp_buf_addf(&b, err, "%s%s", k ? ", " : "", i->choices[k]);
	if (!rc)
		rc = tp_fail(err, TP_EINVAL, "%s is one of %s, not \"%.60s\"", i->key, b.ptr, value);
	tp_buf_dispose(&b);
	return rc;
}

static bool set_number(void *into, const tp_cfg_item *i, const char *value)
{
	char *end;
	errno = 0;
	double v = i->kind == TP_CFG_INT ? (double)strtol(value, &end, 10) : strtod(value, &end);
	if (errno || end == value || *end || !isfinite(v) || v < i->min || v > i->max)
		return false;
	if (i->kind == TP_CFG_INT)
		*(int *)field(into, i) = (int)v;
	else
		*(double *)field(into, i) = v;
	return true;
}

static bool set_choice(void *into, const tp_cfg_item *i, const char *value)
{
	for (int k = 0; i->choices[k]; k++)
		if (!strcmp(i->choices[k], value)) {
			*(int *)field(into, i) = k;
			return true;
		}
	return false;
}

static bool set_value(void *into, const tp_cfg_item *i, const char *value)
{
	switch (i->kind) {
	case TP_CFG_INT:
	case TP_CFG_REAL:
		return set_number(into, i, value);
	case TP_CFG_CHOICE:
		return set_choice(into, i, value);
	case TP_CFG_FLAG:
		*(bool *)field(into, i) = !strcmp(value, "yes");
		return !strcmp(value, "yes") || !strcmp(value, "no");
	default:
		if (strlen(value) >= TP_CFG_TEXT_MAX)
			return false;
		memcpy(field(into, i), value, strlen(value) + 1);
		return true;
	}
}

void tp_cfg_defaults(void *into, const tp_cfg_item *items)
{
	for (const tp_cfg_item *i = items; i->key; i++) {
		bool ok = set_value(into, i, i->fallback);
		assert(ok);
		(void)ok;
	}
}

static tp_code unknown(const tp_cfg_item *items, const char *key, tp_err *err)
{
	const char *names[MAX_ITEMS];
	size_t n = 0;
	for (const tp_cfg_item *i = items; i->key && n < MAX_ITEMS; i++)
		names[n++] = i->key;
	const char *near = tp_nearest(key, names, n);
	return tp_fail(err, TP_EINVAL, "there is no setting \"%.60s\"%s%s%s", key,
		near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Cuts blanks off both ends of a line, in place. */
static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	size_t n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = 0;
	return s;
}

tp_code tp_cfg_set(void *into, const tp_cfg_item *items, const char *assignment, tp_err *err)
{
	char line[MAX_LINE];
	if (strlen(assignment) >= sizeof line)
		return tp_fail(err, TP_ELIMIT, "a setting of more than %d bytes", MAX_LINE - 1);
	memcpy(line, assignment, strlen(assignment) + 1);
	char *eq = strchr(line, '=');
	if (!eq)
		return tp_fail(err, TP_EINVAL, "\"%.60s\" is no setting: KEY = VALUE is wanted", assignment);
	*eq = 0;
	const char *key = trim(line), *value = trim(eq + 1);
	for (const tp_cfg_item *i = items; i->key; i++)
		if (!strcmp(i->key, key))
			return set_value(into, i, value) ? TP_OK : wrong(i, value, err);
	return unknown(items, key, err);
}

static tp_code parse_line(void *into, const tp_cfg_item *items, const char *p, size_t len, tp_err *err)
{
	char line[MAX_LINE];
	if (len >= sizeof line)
		return tp_fail(err, TP_ELIMIT, "a line of more than %d bytes", MAX_LINE - 1);
	if (memchr(p, 0, len))
		return tp_fail(err, TP_EFORMAT, "a zero byte");
	memcpy(line, p, len);
	line[len] = 0;
	char *comment = strchr(line, '#');
	if (comment)
		*comment = 0;
	char *s = trim(line);
	return *s ? tp_cfg_set(into, items, s, err) : TP_OK;
}

tp_code tp_cfg_parse(
	void *into, const tp_cfg_item *items, const char *text, size_t len, const char *where, tp_err *err)
{
	int number = 1;
	for (const char *p = text, *end = text + len; p < end; number++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		if (!stop)
			stop = end;
		tp_code rc = parse_line(into, items, p, (size_t)(stop - p), err);
		if (rc)
			return tp_context(err, rc, "%s:%d: ", where, number);
		p = stop + 1;
	}
	return TP_OK;
}

tp_code tp_cfg_read(void *into, const tp_cfg_item *items, const char *path, tp_err *err)
{
	uint8_t *text = NULL;
	size_t len = 0;
	tp_code rc = tp_file_read(&text, &len, path, TP_MAX_JSON, err);
	if (!rc)
		rc = tp_cfg_parse(into, items, (const char *)text, len, path, err);
	tp_free(text);
	return rc;
}

static json_t *value_json(const void *from, const tp_cfg_item *i)
{
	const void *f = (const char *)from + i->offset;
	switch (i->kind) {
	case TP_CFG_INT:
		return json_integer(*(const int *)f);
	case TP_CFG_REAL:
		return json_real(*(const double *)f);
	case TP_CFG_FLAG:
		return json_boolean(*(const bool *)f);
	case TP_CFG_CHOICE:
		return json_string(i->choices[*(const int *)f]);
	default:
		return json_string(f);
	}
}

json_t *tp_cfg_to_json(const void *from, const tp_cfg_item *items)
{
	json_t *o = json_object();
	for (const tp_cfg_item *i = items; o && i->key; i++)
		if (json_object_set_new(o, i->key, value_json(from, i))) {
			json_decref(o);
			return NULL;
		}
	return o;
}

void tp_cfg_example(FILE *out, const tp_cfg_item *items)
{
	for (const tp_cfg_item *i = items; i->key; i++) {
		fprintf(out, "# %s", i->help);
		if (i->kind == TP_CFG_INT || i->kind == TP_CFG_REAL)
			fprintf(out, " (%g to %g)", i->min, i->max);
		for (int k = 0; i->kind == TP_CFG_CHOICE && i->choices[k]; k++)
			fprintf(out, "%s%s", k ? ", " : ": ", i->choices[k]);
		fprintf(out, "\n%s = %s\n\n", i->key, i->fallback);
	}
}
