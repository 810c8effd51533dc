/* JSON is Jansson's (json_t and friends); these helpers add limits, and errors that name the key.
 * A json_t read from a file or a request is as hostile as the bytes it came from: read it through these.
 *
 * `where` names the document in errors ("model metadata"). Borrowed references: nothing below gives ownership
 * but tp_json_parse() (json_decref) and tp_json_dump() (tp_free). */
#ifndef TP_BASE_JSON_H
#define TP_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* TP_EFORMAT with line and column; TP_ELIMIT over TP_MAX_JSON. Duplicate keys are refused. */
TP_CHECKED tp_code tp_json_parse(json_t **out, const char *text, size_t len, const char *where, tp_err *err);

/* Compact, keys in the order they were set, doubles with 17 digits. The caller frees with tp_free(). */
TP_CHECKED tp_code tp_json_dump(char **out, const json_t *j, tp_err *err);
/* The same into a file, whole or not at all. TP_ELIMIT over TP_MAX_JSON, for nobody would read it back. */
TP_CHECKED tp_code tp_json_write(const char *path, const json_t *j, tp_err *err);

/* The fewest digits that read back as v, which is finite: valid JSON, and what a person would write. */
enum { TP_NUMBER_TEXT = 32 };
void tp_number_text(char out[TP_NUMBER_TEXT], double v);

/* Required members: TP_EFORMAT when missing or of another type. */
TP_CHECKED tp_code tp_json_text(
	const char **out, const json_t *o, const char *key, const char *where, tp_err *err);
TP_CHECKED tp_code tp_json_int(long long *out, const json_t *o, const char *key, long long min, long long max,
	const char *where, tp_err *err);
TP_CHECKED tp_code tp_json_number(
	double *out, const json_t *o, const char *key, const char *where, tp_err *err);
TP_CHECKED tp_code tp_json_array(
	json_t **out, const json_t *o, const char *key, const char *where, tp_err *err);
TP_CHECKED tp_code tp_json_object(
	json_t **out, const json_t *o, const char *key, const char *where, tp_err *err);

/* Optional text: "" when the key is missing or null or not a string. */
const char *tp_json_text_or_empty(const json_t *o, const char *key);

#endif
