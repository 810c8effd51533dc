/* JSON helpers: see json.h. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"

tp_code tp_json_parse(json_t **out, const char *text, size_t len, const char *where, tp_err *err)
{
	json_error_t e;
	if (len > TP_MAX_JSON)
		return tp_fail(err, TP_ELIMIT, "%s: %zu bytes of JSON, at most %d are read", where, len,
			TP_MAX_JSON);
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (!j)
		return tp_fail(err, TP_EFORMAT, "%s: line %d column %d: %s", where, e.line, e.column, e.text);
	*out = j;
	return TP_OK;
}

tp_code tp_json_dump(char **out, const json_t *j, tp_err *err)
{
	char *s = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
	char *copy = s ? tp_strdup(s) : NULL;
	free(s);
	if (!copy)
		return tp_nomem(err, 0);
	*out = copy;
	return TP_OK;
}

tp_code tp_json_write(const char *path, const json_t *j, tp_err *err)
{
	char *text = NULL;
	tp_outfile *f = NULL;
	tp_code rc = tp_json_dump(&text, j, err);
	if (!rc && strlen(text) > TP_MAX_JSON)
		rc = tp_fail(err, TP_ELIMIT, "%s: %zu bytes, at most %d are read", path, strlen(text),
			TP_MAX_JSON);
	if (!rc)
		rc = tp_outfile_open(&f, path, err);
	if (!rc)
		rc = tp_outfile_write(f, text, strlen(text), err);
	if (!rc)
		rc = tp_outfile_commit(&f, err);
	tp_outfile_abort(&f);
	tp_free(text);
	return rc;
}

void tp_number_text(char out[TP_NUMBER_TEXT], double v)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, TP_NUMBER_TEXT, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			return;
	}
}

static tp_code missing(tp_err *err, const char *where, const char *key, const char *what)
{
	return tp_fail(err, TP_EFORMAT, "%s: \"%s\" is missing or not %s", where, key, what);
}

tp_code tp_json_text(const char **out, const json_t *o, const char *key, const char *where, tp_err *err)
{
	const char *s = json_string_value(json_object_get(o, key));
	if (!s)
		return missing(err, where, key, "a text");
	*out = s;
	return TP_OK;
}

tp_code tp_json_int(long long *out, const json_t *o, const char *key, long long min, long long max,
	const char *where, tp_err *err)
{
	const json_t *j = json_object_get(o, key);
	if (!json_is_integer(j))
		return missing(err, where, key, "a whole number");
	long long v = json_integer_value(j);
	if (v < min || v > max)
		return tp_fail(err, TP_EFORMAT, "%s: \"%s\" is %lld, not within %lld..%lld", where, key, v,
			min, max);
	*out = v;
	return TP_OK;
}

tp_code tp_json_number(double *out, const json_t *o, const char *key, const char *where, tp_err *err)
{
	const json_t *j = json_object_get(o, key);
	double v = json_number_value(j);
	if (!json_is_number(j) || !isfinite(v))
		return missing(err, where, key, "a number");
	*out = v;
	return TP_OK;
}

tp_code tp_json_array(json_t **out, const json_t *o, const char *key, const char *where, tp_err *err)
{
	json_t *j = json_object_get(o, key);
	if (!json_is_array(j))
		return missing(err, where, key, "an array");
	*out = j;
	return TP_OK;
}

tp_code tp_json_object(json_t **out, const json_t *o, const char *key, const char *where, tp_err *err)
{
	json_t *j = json_object_get(o, key);
	if (!json_is_object(j))
		return missing(err, where, key, "an object");
	*out = j;
	return TP_OK;
}

const char *tp_json_text_or_empty(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}
