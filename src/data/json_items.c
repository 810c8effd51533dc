/* Cutting a JSON text into items: see json_items.h. Brackets and strings are enough to find where an item ends; whether what
 * is between is JSON, Jansson says. */
#include "data/json_items.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

enum { CHUNK = 1 << 16, END = -1, FAILED = -2 };

typedef struct {
	tp_bytes *from;
	uint8_t *in;
	size_t at, len, line;
	tp_code failed;
	tp_buf item;
	tp_json_item_fn fn;
	void *ud;
} reader;

static int peek(reader *r, tp_err *err)
{
	if (r->at == r->len && !r->failed) {
		r->at = r->len = 0;
		r->failed = r->from->read(r->from, r->in, CHUNK, &r->len, err);
		if (r->failed)
			r->len = 0;
	}
	return r->failed ? FAILED : r->at < r->len ? r->in[r->at] : END;
}

static void take(reader *r)
{
	r->line += r->in[r->at++] == '\n';
}

static int skip_blank(reader *r, tp_err *err)
{
	int x;
	while ((x = peek(r, err)) == ' ' || x == '\t' || x == '\n' || x == '\r')
		take(r);
	return x;
}

static tp_code bad(reader *r, tp_err *err, const char *what)
{
	return r->failed ? r->failed : tp_fail(err, TP_EFORMAT, "line %zu: %s", r->line, what);
}

static tp_code keep(reader *r, int x, bool wanted, tp_err *err)
{
	const char c = (char)x;
	take(r);
	if (!wanted)
		return TP_OK;
	if (r->item.len == r->item.max)
		return tp_fail(
			err, TP_ELIMIT, "line %zu: an item of more than %zu bytes", r->line, r->item.max);
	return tp_buf_add(&r->item, &c, 1, err);
}

static tp_code string(reader *r, bool wanted, tp_err *err)
{
	bool escaped = false;
	tp_code rc = keep(r, '"', wanted, err);
	while (!rc) {
		int x = peek(r, err);
		if (x < 0)
			return bad(r, err, "the text ends inside a string");
		rc = keep(r, x, wanted, err);
		if (x == '"' && !escaped)
			break;
		escaped = x == '\\' && !escaped;
	}
	return rc;
}

/* One value into r->item, when it is wanted. */
static tp_code value(reader *r, bool wanted, tp_err *err)
{
	size_t depth = 0;
	tp_code rc = TP_OK;
	r->item.len = 0;
	do {
		int x = depth ? peek(r, err) : skip_blank(r, err);
		if (x < 0)
			return bad(r, err, "the text ends inside a value");
		if (x == '"') {
			rc = string(r, wanted, err);
		} else if (x == '{' || x == '[') {
			depth++;
			rc = keep(r, x, wanted, err);
		} else if (x == '}' || x == ']') {
			if (!depth)
				return bad(r, err, "a value is missing");
			depth--;
			rc = keep(r, x, wanted, err);
		} else if (depth) {
			rc = keep(r, x, wanted, err);
		} else { /* a number or a word */
			if (strchr(",:", x))
				return bad(r, err, "a value is missing");
			while (!rc && (x = peek(r, err)) > ' ' && !strchr(",:{}[]\"", x))
				rc = keep(r, x, wanted, err);
		}
	} while (!rc && depth);
	return rc;
}

static tp_code parse(reader *r, json_t **out, tp_err *err)
{
	json_error_t e;
	*out = json_loadb(
		r->item.ptr ? r->item.ptr : "", r->item.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);
	return *out ? TP_OK : tp_fail(err, TP_EFORMAT, "line %zu: %.150s", r->line, e.text);
}

static tp_code give(reader *r, const char *key, size_t index, tp_err *err)
{
	json_t *item = NULL;
	tp_code rc = parse(r, &item, err);
	if (!rc)
		rc = r->fn(r->ud, key, index, item, err);
	json_decref(item);
	return rc;
}

static tp_code array(reader *r, const char *key, bool wanted, tp_err *err)
{
	take(r);
	if (skip_blank(r, err) == ']') {
		take(r);
		return TP_OK;
	}
	for (size_t i = 0;; i++) {
		tp_code rc = value(r, wanted, err);
		if (!rc && wanted)
			rc = give(r, key, i, err);
		if (rc)
			return rc;
		int x = skip_blank(r, err);
		if (x != ',' && x != ']')
			return bad(r, err, "neither comma nor ] behind an element");
		take(r);
		if (x == ']')
			return TP_OK;
	}
}

static bool is_wanted(const char *const *wanted, const char *key)
{
	if (!wanted)
		return true;
	while (*wanted && strcmp(*wanted, key) != 0)
		wanted++;
	return *wanted;
}

static tp_code member(reader *r, const char *const *wanted, tp_err *err)
{
	json_t *key = NULL;
	if (skip_blank(r, err) != '"')
		return bad(r, err, "a member's name is missing");
	r->item.len = 0;
	tp_code rc = string(r, true, err);
	if (!rc)
		rc = parse(r, &key, err);
	if (rc)
		return rc;
	const char *name = json_string_value(key);
	bool want = is_wanted(wanted, name);
	if (skip_blank(r, err) != ':') {
		rc = bad(r, err, "no colon behind a member's name");
	} else {
		take(r);
		if (skip_blank(r, err) == '[') {
			rc = array(r, name, want, err);
		} else {
			rc = value(r, want, err);
			if (!rc && want)
				rc = give(r, name, 0, err);
		}
	}
	json_decref(key);
	return rc;
}

static tp_code object(reader *r, const char *const *wanted, tp_err *err)
{
	int x = skip_blank(r, err);
	if (x != '{')
		return bad(r, err, "no JSON object");
	take(r);
	if (skip_blank(r, err) == '}') {
		take(r);
		x = '}';
	}
	while (x != '}') {
		tp_code rc = member(r, wanted, err);
		if (rc)
			return rc;
		x = skip_blank(r, err);
		if (x != ',' && x != '}')
			return bad(r, err, "neither comma nor } behind a member");
		take(r);
	}
	x = skip_blank(r, err);
	return x == END ? TP_OK : bad(r, err, "more behind the object");
}

tp_code tp_json_items(tp_bytes *from, const char *const *wanted, tp_json_item_fn fn, void *ud, tp_err *err)
{
	reader r = { .from = from, .line = 1, .fn = fn, .ud = ud, .in = tp_alloc(CHUNK) };
	if (!r.in)
		return tp_nomem(err, CHUNK);
	tp_buf_init(&r.item, TP_MAX_JSON_ITEM);
	tp_code rc = object(&r, wanted, err);
	tp_buf_dispose(&r.item);
	tp_free(r.in);
	return rc;
}
