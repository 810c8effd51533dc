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
#include "base/json.h"
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
	if (i->kind != TP_CFG_CHOICE) {
		char min[TP_NUMBER_TEXT], max[TP_NUMBER_TEXT];
		tp_number_text(min, i->min);
		tp_number_text(max, i->max);
		return tp_fail(err, TP_EINVAL, "%s is a %s from %s to %s, not \"%.60s\"", i->key,
			i->kind == TP_CFG_INT ? "whole number" : "number", min, max, value);
	}
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

static bool set_flag(void *into, const tp_cfg_item *i, const char *value)
{
	bool yes = !strcmp(value, "yes");
	if (!yes && strcmp(value, "no") != 0)
		return false;
	*(bool *)field(into, i) = yes;
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
		return set_flag(into, i, value);
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
		bool ok = set_value(into, i, i->fallback) && i - items < MAX_ITEMS;
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

/* Bytes of the character at p, which has n bytes left; 0: it is not UTF-8 (RFC 3629: no long forms, no surrogates). */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
	if (len < 2 || len > n)
		return len > n ? 0 : len;
	uint32_t c = *p & (0xffU >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3fU);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : len;
}

/* A setting goes into JSON and into messages: it has to be text. */
static tp_code check_text(const char *s, size_t len, tp_err *err)
{
	const unsigned char *p = (const unsigned char *)s;
	for (size_t n; len; p += n, len -= n) {
		n = utf8_len(p, len);
		if (!n)
			return tp_fail(err, TP_EFORMAT, "byte 0x%02x is not UTF-8 text", *p);
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f)
			return tp_fail(err, TP_EFORMAT, "byte 0x%02x is a control character, not text", *p);
	}
	return TP_OK;
}

/* One assignment; *which is the setting's place in the table. The line is cut up. */
static tp_code assign(size_t *which, void *into, const tp_cfg_item *items, char *line, tp_err *err)
{
	char *eq = strchr(line, '=');
	if (!eq)
		return tp_fail(err, TP_EINVAL, "\"%.60s\" is no setting: KEY = VALUE is wanted", line);
	*eq = 0;
	const char *key = trim(line), *value = trim(eq + 1);
	for (const tp_cfg_item *i = items; i->key; i++)
		if (!strcmp(i->key, key)) {
			*which = (size_t)(i - items);
			return set_value(into, i, value) ? TP_OK : wrong(i, value, err);
		}
	return unknown(items, key, err);
}

tp_code tp_cfg_set(void *into, const tp_cfg_item *items, const char *assignment, tp_err *err)
{
	char line[MAX_LINE];
	size_t which, len = strlen(assignment);
	if (len >= sizeof line)
		return tp_fail(err, TP_ELIMIT, "a setting of more than %d bytes", MAX_LINE - 1);
	memcpy(line, assignment, len + 1);
	tp_code rc = check_text(line, len, err);
	return rc ? rc : assign(&which, into, items, trim(line), err);
}

/* set_at: the line where each setting was set, 0: not yet. A second time is more likely a slip than a wish. */
static tp_code parse_line(void *into, const tp_cfg_item *items, const char *p, size_t len, int number,
	int set_at[MAX_ITEMS], tp_err *err)
{
	char line[MAX_LINE];
	size_t which;
	len -= len && p[len - 1] == '\r';
	if (len >= sizeof line)
		return tp_fail(err, TP_ELIMIT, "a line of more than %d bytes", MAX_LINE - 1);
	tp_code rc = check_text(p, len, err);
	if (rc)
		return rc;
	memcpy(line, p, len);
	line[len] = 0;
	char *comment = strchr(line, '#');
	if (comment)
		*comment = 0;
	char *s = trim(line);
	if (!*s)
		return TP_OK;
	rc = assign(&which, into, items, s, err);
	if (rc)
		return rc;
	if (set_at[which])
		return tp_fail(
			err, TP_EINVAL, "%s is set on line %d already", items[which].key, set_at[which]);
	set_at[which] = number;
	return TP_OK;
}

tp_code tp_cfg_parse(
	void *into, const tp_cfg_item *items, const char *text, size_t len, const char *where, tp_err *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* some editors begin a file with it */
	int number = 1, set_at[MAX_ITEMS] = { 0 };
	size_t at = len >= 3 && !memcmp(text, mark, 3) ? 3 : 0;
	for (; at < len; number++) {
		const char *stop = memchr(text + at, '\n', len - at);
		size_t n = stop ? (size_t)(stop - text) - at : len - at;
		tp_code rc = parse_line(into, items, text + at, n, number, set_at, err);
		if (rc)
			return tp_context(err, rc, "%s:%d: ", where, number);
		at += n + 1;
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
		if (i->kind == TP_CFG_INT || i->kind == TP_CFG_REAL) {
			char min[TP_NUMBER_TEXT], max[TP_NUMBER_TEXT];
			tp_number_text(min, i->min);
			tp_number_text(max, i->max);
			fprintf(out, " (%s to %s)", min, max);
		}
		for (int k = 0; i->kind == TP_CFG_CHOICE && i->choices[k]; k++)
			fprintf(out, "%s%s", k ? ", " : ": ", i->choices[k]);
		fprintf(out, "\n%s = %s\n\n", i->key, i->fallback);
	}
}
