/* What a split keeps together and holds out: read from options, kept in the catalog as JSON. See catalog_split_int.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/catalog_split_int.h"
#include "data/text.h"

enum { MAX_NAMES_FILE = 64 << 20, MAX_BY = 8 };

void tp_split_rule_dispose(tp_split_rule *r)
{
	for (size_t i = 0; i < r->n_name; i++)
		tp_free(r->name[i].text);
	tp_free(r->name);
	tp_free(r->hold);
	*r = (tp_split_rule){ 0 };
}

static tp_code add_hold(tp_split_rule *r, tp_hold h, tp_err *err)
{
	if (r->n_hold == r->cap_hold) {
		size_t cap = r->cap_hold ? 2 * r->cap_hold : 16;
		tp_hold *v = tp_realloc(r->hold, cap * sizeof *v);
		if (!v)
			return tp_nomem(err, cap * sizeof *v);
		r->hold = v;
		r->cap_hold = cap;
	}
	r->hold[r->n_hold++] = h;
	return TP_OK;
}

static tp_code add_name(tp_split_rule *r, const char *text, bool author, bool required, tp_err *err)
{
	if (r->n_name == r->cap_name) {
		size_t cap = r->cap_name ? 2 * r->cap_name : 16;
		tp_hold_name *v = tp_realloc(r->name, cap * sizeof *v);
		if (!v)
			return tp_nomem(err, cap * sizeof *v);
		r->name = v;
		r->cap_name = cap;
	}
	char *copy = tp_strdup(text);
	if (!copy)
		return tp_nomem(err, strlen(text));
	r->name[r->n_name++] = (tp_hold_name){ copy, author, required, false };
	return TP_OK;
}

static int by_text(const void *a, const void *b)
{
	const tp_hold_name *x = a, *y = b;
	return x->author != y->author ? x->author - y->author : strcmp(x->text, y->text);
}

/* ---- names to numbers ---- */

static tp_code match(tp_split_rule *r, const char *text, bool author, uint64_t key, tp_err *err)
{
	const tp_hold_name want = { .text = (char *)text, .author = author };
	tp_hold_name *n = bsearch(&want, r->name, r->n_name, sizeof want, by_text);
	if (!n)
		return TP_OK;
	while (n > r->name && !by_text(n - 1, &want))
		n--;
	for (; n < r->name + r->n_name && !by_text(n, &want); n++)
		n->found = true;
	return add_hold(r, (tp_hold){ .kind = author ? TP_HOLD_AUTHOR : TP_HOLD_SPECIES, .key = key }, err);
}

static tp_code match_taxon(void *ud, const tp_catalog_taxon *t, tp_err *err)
{
	return match(ud, t->name, false, (uint64_t)t->id, err);
}

static tp_code match_name(void *ud, const tp_catalog_name *n, tp_err *err)
{
	return match(ud, n->text, false, (uint64_t)n->taxon, err);
}

static tp_code match_authors(tp_split_rule *r, tp_catalog *c, tp_err *err)
{
	tp_catalog_texts t = { 0 };
	tp_code rc = tp_catalog_load_texts(&t, c, TP_TEXT_AUTHOR, err);
	for (size_t i = 1; i < t.n && !rc; i++)
		if (t.text[i])
			rc = match(r, t.text[i], true, i, err);
	tp_catalog_texts_free(&t);
	return rc;
}

static tp_code tell_unknown(const tp_split_rule *r, const tp_catalog_split_opts *o, tp_err *err)
{
	for (size_t i = 0; i < r->n_name; i++) {
		const tp_hold_name *n = &r->name[i];
		const char *what = n->author ? "author" : "species";
		if (n->found)
			continue;
		if (n->required)
			return tp_fail(err, TP_ENOTFOUND, "to hold out: no %s \"%.100s\" in the catalog",
				what, n->text);
		if (o && o->unknown)
			o->unknown(o->ud, what, n->text);
	}
	return TP_OK;
}

/* Those that were looked up before are looked up again: the same holds twice do no harm. */
static tp_code look_up(tp_split_rule *r, tp_catalog *c, const tp_catalog_split_opts *o, tp_err *err)
{
	bool authors = false, species = false;
	tp_code rc = TP_OK;
	for (size_t i = 0; i < r->n_name; i++) {
		authors |= r->name[i].author;
		species |= !r->name[i].author;
	}
	if (r->n_name)
		qsort(r->name, r->n_name, sizeof *r->name, by_text);
	if (species)
		rc = tp_catalog_each_taxon(c, match_taxon, r, err);
	if (species && !rc)
		rc = tp_catalog_each_name(c, match_name, r, err);
	if (authors && !rc)
		rc = match_authors(r, c, err);
	return rc ? rc : tell_unknown(r, o, err);
}

/* ---- options ---- */

static tp_code read_names(tp_split_rule *r, const char *path, bool author, tp_err *err)
{
	uint8_t *text = NULL;
	size_t len = 0;
	tp_code rc = tp_file_read(&text, &len, path, MAX_NAMES_FILE, err);
	if (!rc && (memchr(text, 0, len) || !tp_is_utf8((char *)text, len)))
		rc = tp_fail(err, TP_EFORMAT, "%s: not UTF-8", path);
	char *rest = (char *)text;
	for (char *line; !rc && rest;) {
		line = rest;
		rest = strchr(line, '\n');
		if (rest)
			*rest++ = 0;
		line += strspn(line, " \t\r");
		for (size_t n = strlen(line); n && strchr(" \t\r", line[n - 1]); n--)
			line[n - 1] = 0;
		if (*line)
			rc = add_name(r, line, author, false, err);
	}
	tp_free(text);
	return rc;
}

static tp_code read_years(tp_split_rule *r, const char *text, tp_err *err)
{
	char *end;
	long from = strtol(text, &end, 10), to = from;
	if (end > text && *end == '-')
		to = strtol(end + 1, &end, 10);
	if (end == text || *end || from < 1 || to < from || to > 9999)
		return tp_fail(err, TP_EINVAL, "years \"%.40s\": 2020 or 2020-2024", text);
	return add_hold(r, (tp_hold){ .kind = TP_HOLD_YEARS, .from = (int)from, .to = (int)to }, err);
}

static bool is_box(const tp_hold *h)
{
	return h->south >= -90 && h->south <= h->north && h->north <= 90 && h->west >= -180 &&
	       h->west <= 180 && h->east >= -180 && h->east <= 180;
}

static tp_code read_box(tp_split_rule *r, const char *text, tp_err *err)
{
	tp_hold h = { .kind = TP_HOLD_BOX };
	double *at[] = { &h.south, &h.west, &h.north, &h.east };
	const char *p = text;
	bool good = true;
	for (int i = 0; i < 4 && good; i++) {
		char *end;
		*at[i] = strtod(p, &end);
		good = end > p && *end == (i < 3 ? ',' : 0);
		p = end + 1;
	}
	if (!good || !is_box(&h))
		return tp_fail(err, TP_EINVAL, "box \"%.60s\": south,west,north,east in degrees", text);
	return add_hold(r, h, err);
}

static tp_code read_hold(tp_split_rule *r, const char *text, tp_err *err)
{
	const char *is = strchr(text, '=');
	size_t n = is ? (size_t)(is - text) : 0;
	bool author = n == 6 && !strncmp(text, "author", n);
	if (author || (n == 7 && !strncmp(text, "species", n)))
		return tp_is_file(is + 1) ? read_names(r, is + 1, author, err)
					  : add_name(r, is + 1, author, true, err);
	if (n == 5 && !strncmp(text, "years", n))
		return read_years(r, is + 1, err);
	if (n == 3 && !strncmp(text, "box", n))
		return read_box(r, is + 1, err);
	if (n == 7 && !strncmp(text, "country", n))
		return tp_fail(
			err, TP_EINVAL, "a catalog does not know countries; box=S,W,N,E holds out a region");
	return tp_fail(err, TP_EINVAL,
		"\"%.60s\" cannot be held out; species=NAME, author=NAME (or a file of names), "
		"years=FROM-TO, box=S,W,N,E",
		text);
}

tp_code tp_split_rule_read(tp_split_rule *r, tp_catalog *c, const tp_catalog_split_opts *o, tp_err *err)
{
	tp_code rc = TP_OK;
	r->val = o->val;
	r->test = o->test;
	r->seed = o->seed;
	r->ignore_given = o->ignore_given;
	for (int i = 0; i < o->n_by && !rc; i++)
		rc = tp_split_by(&r->by, o->by[i], err);
	for (int i = 0; i < o->n_hold_out && !rc; i++)
		rc = read_hold(r, o->hold_out[i], err);
	return rc || !o->n_hold_out ? rc : look_up(r, c, o, err);
}

/* ---- in the catalog ---- */

static json_t *names_json(const tp_split_rule *r, bool author)
{
	json_t *a = json_array();
	for (size_t i = 0; i < r->n_name; i++)
		if (r->name[i].author == author && r->name[i].found)
			json_array_append_new(a, json_string(r->name[i].text));
	return a;
}

static json_t *holds_json(const tp_split_rule *r, int kind)
{
	json_t *a = json_array();
	for (size_t i = 0; i < r->n_hold; i++) {
		const tp_hold *h = &r->hold[i];
		if ((int)h->kind == kind)
			json_array_append_new(a, kind == TP_HOLD_YEARS ? json_pack("[i, i]", h->from, h->to)
								       : json_pack("[f, f, f, f]", h->south,
										 h->west, h->north, h->east));
	}
	return a;
}

tp_code tp_split_rule_text(char **out, const tp_split_rule *r, tp_err *err)
{
	json_t *by = json_array();
	for (unsigned k = 0; k < MAX_BY; k++)
		if (r->by & 1u << k)
			json_array_append_new(by, json_string(tp_split_by_name(k)));
	json_t *j = json_pack("{s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:I, s:b}", "by", by, "species",
		names_json(r, false), "author", names_json(r, true), "years", holds_json(r, TP_HOLD_YEARS),
		"box", holds_json(r, TP_HOLD_BOX), "val", r->val, "test", r->test, "seed",
		(json_int_t)r->seed, "ignore_given", r->ignore_given);
	tp_code rc = j ? tp_json_dump(out, j, err) : tp_nomem(err, r->n_name);
	json_decref(j);
	return rc;
}

static tp_code read_recorded(tp_split_rule *r, const json_t *j, tp_err *err)
{
	size_t i;
	json_t *v;
	tp_code rc = TP_OK;
	json_array_foreach(json_object_get(j, "by"), i, v) if (!rc) rc =
		tp_split_by(&r->by, json_is_string(v) ? json_string_value(v) : "", err);
	for (int author = 0; author < 2; author++)
		json_array_foreach(json_object_get(j, author ? "author" : "species"), i,
			v) if (!rc && json_is_string(v)) rc =
			add_name(r, json_string_value(v), author, false, err);
	json_array_foreach(json_object_get(j, "years"), i, v) if (!rc) rc = add_hold(r,
		(tp_hold){ .kind = TP_HOLD_YEARS,
			.from = (int)json_integer_value(json_array_get(v, 0)),
			.to = (int)json_integer_value(json_array_get(v, 1)) },
		err);
	json_array_foreach(json_object_get(j, "box"), i, v) if (!rc) rc = add_hold(r,
		(tp_hold){ .kind = TP_HOLD_BOX,
			.south = json_number_value(json_array_get(v, 0)),
			.west = json_number_value(json_array_get(v, 1)),
			.north = json_number_value(json_array_get(v, 2)),
			.east = json_number_value(json_array_get(v, 3)) },
		err);
	return rc;
}

tp_code tp_split_rule_recorded(tp_split_rule *r, tp_catalog *c, tp_err *err)
{
	char *text = NULL;
	json_t *j = NULL;
	tp_code rc = tp_catalog_fact(&text, c, TP_SPLIT_FACT, err);
	if (!rc && text)
		rc = tp_json_parse(&j, text, strlen(text), "how the catalog was split", err);
	if (!rc && j)
		rc = read_recorded(r, j, err);
	if (!rc && r->n_name)
		rc = look_up(r, c, NULL, err);
	json_decref(j);
	tp_free(text);
	return rc;
}
