/* Photos into the catalog: see catalog.h. Which of a source's photos, names and observations are there already is known
 * from idsets, so that nothing large needs an index in the file; a hit is always held against the row it stands for. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/catalog_int.h"
#include "data/text.h"

static const char *const sql[TP_STATEMENTS] = {
	[TP_ST_GET_NAME] = "SELECT text FROM name WHERE id = ?",
	[TP_ST_GET_AUTHOR] = "SELECT text FROM author WHERE id = ?",
	[TP_ST_GET_LICENCE] = "SELECT text FROM licence WHERE id = ?",
	[TP_ST_GET_OBSERVATION] = "SELECT key FROM observation WHERE id = ?",
	[TP_ST_GET_PHOTO] = "SELECT path, url, name FROM photo WHERE id = ?",
	[TP_ST_PUT_NAME] = "INSERT INTO name(text, taxon) VALUES(?, ?)",
	[TP_ST_PUT_AUTHOR] = "INSERT INTO author(text) VALUES(?)",
	[TP_ST_PUT_LICENCE] = "INSERT INTO licence(text) VALUES(?)",
	[TP_ST_PUT_OBSERVATION] =
		"INSERT INTO observation(key, source, date, lat, lon) VALUES(?, ?, ?, ?, ?)",
	[TP_ST_PUT_PHOTO] =
		"INSERT INTO photo(source, path, url, name, organ, author, licence, observation, date, lat,"
		" lon, origin, given, no_train, width, height)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[TP_ST_PUT_REFUSED] = "INSERT INTO refused(source, n, place, reason) VALUES(?, ?, ?, ?)",
	[TP_ST_PUT_TAXON] = "INSERT INTO taxon(name, authorship, family) VALUES(?, ?, ?)",
	[TP_ST_GET_TAXON] = "SELECT id FROM taxon WHERE name = ?",
	[TP_ST_PUT_FINDING] = "INSERT OR REPLACE INTO finding(rule, photo, other, value) VALUES(?, ?, ?, ?)",
	[TP_ST_EXCLUDE] = "UPDATE photo SET excluded = ? WHERE id = ? AND excluded IS NULL",
};

/* Ready to be bound; NULL on error. */
static tp_code statement(tp_catalog *c, sqlite3_stmt **st, tp_statement which, tp_err *err)
{
	tp_code rc = c->st[which] ? TP_OK : tp_db_prepare(c, &c->st[which], sql[which], err);
	*st = c->st[which];
	return rc;
}

/* ---- dictionaries ---- */

typedef struct {
	tp_catalog *c;
	tp_statement get;
} dict_lookup;

static tp_code same_text(void *ud, uint32_t id, const char *text, size_t len, int *same, tp_err *err)
{
	const dict_lookup *l = ud;
	sqlite3_stmt *st = NULL;
	bool row = false;
	tp_code rc = statement(l->c, &st, l->get, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(st, 1, id);
	rc = tp_db_step(l->c, st, &row, err);
	*same = row && (size_t)sqlite3_column_bytes(st, 0) == len && !memcmp(tp_db_text(st, 0), text, len);
	if (row)
		sqlite3_reset(st);
	return rc;
}

static tp_code remember(tp_dict *d, int64_t id, const char *text, size_t len, tp_err *err)
{
	if (len >= d->last_cap) {
		size_t cap = 2 * len + 64;
		char *p = tp_realloc(d->last_text, cap);
		if (!p)
			return tp_nomem(err, cap);
		d->last_text = p;
		d->last_cap = cap;
	}
	memcpy(d->last_text, text, len + 1);
	d->last = id;
	return TP_OK;
}

/* *id: 0 when it is new. */
static tp_code dict_find(
	tp_catalog *c, tp_dict_of which, const char *text, size_t len, int64_t *id, tp_err *err)
{
	tp_dict *d = &c->dict[which];
	uint32_t found = 0;
	if (d->last && !strcmp(d->last_text, text)) {
		*id = d->last;
		return TP_OK;
	}
	dict_lookup l = { c, TP_ST_GET_NAME + (tp_statement)which };
	tp_code rc = tp_idset_find(&found, &d->set, text, len, same_text, &l, err);
	*id = found;
	return !rc && found ? remember(d, found, text, len, err) : rc;
}

/* Runs the statement whose first value is the text, and learns its number. */
static tp_code dict_put(tp_catalog *c, tp_dict_of which, sqlite3_stmt *st, const char *text, size_t len,
	int64_t *id, tp_err *err)
{
	tp_dict *d = &c->dict[which];
	sqlite3_bind_text(st, 1, text, (int)len, SQLITE_STATIC);
	tp_code rc = tp_db_run(c, st, err);
	if (rc)
		return rc;
	*id = sqlite3_last_insert_rowid(c->db);
	rc = tp_idset_add(&d->set, text, len, *id, err);
	return rc ? rc : remember(d, *id, text, len, err);
}

/* The number of an author or a licence; 0 for none. */
static tp_code text_id(tp_catalog *c, tp_dict_of which, const char *text, int64_t *id, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	size_t len = text ? strlen(text) : 0;
	*id = 0;
	if (!len)
		return TP_OK;
	tp_code rc = dict_find(c, which, text, len, id, err);
	if (!rc && !*id) {
		rc = statement(c, &st, TP_ST_PUT_NAME + (tp_statement)which, err);
		if (!rc)
			rc = dict_put(c, which, st, text, len, id, err);
	}
	return rc;
}

static tp_code observation_id(tp_catalog *c, const tp_row *r, int64_t *id, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	size_t len = r->observation ? strlen(r->observation) : 0;
	*id = 0;
	tp_code rc = len ? dict_find(c, TP_DICT_OBSERVATION, r->observation, len, id, err) : TP_OK;
	if (rc || !len || *id)
		return rc;
	rc = statement(c, &st, TP_ST_PUT_OBSERVATION, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(st, 2, c->source);
	tp_db_bind_text(st, 3, r->date);
	tp_db_bind_number(st, 4, r->lat);
	tp_db_bind_number(st, 5, r->lon);
	return dict_put(c, TP_DICT_OBSERVATION, st, r->observation, len, id, err);
}

/* A name as its taxon is called until a list of names has been asked: blanks made single, and the authorship gone where
 * the source says which words those are. */
static char *taxon_name(const char *text, const char *authorship)
{
	char *s = tp_strdup(text);
	size_t n = 0, a = authorship ? strlen(authorship) : 0;
	for (const char *p = text; s && *p; p++) {
		bool blank = strchr(" \t\r\n", *p);
		if (!blank)
			s[n++] = *p;
		else if (n && s[n - 1] != ' ')
			s[n++] = ' ';
	}
	if (!s)
		return NULL;
	n -= n && s[n - 1] == ' ';
	if (a && n > a + 1 && s[n - a - 1] == ' ' && !memcmp(s + n - a, authorship, a))
		n -= a + 1;
	s[n] = 0;
	return s;
}

static tp_code taxon_of(tp_catalog *c, const tp_row *r, int64_t *id, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = false;
	char *name = taxon_name(r->name, r->authorship);
	tp_code rc = name ? statement(c, &st, TP_ST_GET_TAXON, err) : tp_nomem(err, strlen(r->name));
	if (!rc) {
		sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
		rc = tp_db_step(c, st, &row, err);
	}
	if (!rc && row) {
		*id = sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	} else if (!rc) {
		rc = statement(c, &st, TP_ST_PUT_TAXON, err);
		if (!rc) {
			sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
			tp_db_bind_text(st, 2, r->authorship);
			tp_db_bind_text(st, 3, r->family);
			rc = tp_db_run(c, st, err);
			*id = sqlite3_last_insert_rowid(c->db);
		}
	}
	tp_free(name);
	return rc;
}

static tp_code name_id(tp_catalog *c, const tp_row *r, int64_t *id, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	int64_t taxon = 0;
	size_t len = strlen(r->name);
	tp_code rc = dict_find(c, TP_DICT_NAME, r->name, len, id, err);
	if (rc || *id)
		return rc;
	rc = taxon_of(c, r, &taxon, err);
	if (!rc)
		rc = statement(c, &st, TP_ST_PUT_NAME, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(st, 2, taxon);
	return dict_put(c, TP_DICT_NAME, st, r->name, len, id, err);
}

/* ---- photos ---- */

typedef struct {
	tp_catalog *c;
	bool is_path;
	int64_t name; /* of the photo found */
} photo_lookup;

static tp_code same_photo(void *ud, uint32_t id, const char *text, size_t len, int *same, tp_err *err)
{
	photo_lookup *l = ud;
	sqlite3_stmt *st = NULL;
	bool row = false;
	(void)len;
	tp_code rc = statement(l->c, &st, TP_ST_GET_PHOTO, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(st, 1, id);
	rc = tp_db_step(l->c, st, &row, err);
	if (row) {
		bool has_path = *tp_db_text(st, 0);
		*same = has_path == l->is_path && !strcmp(tp_db_text(st, has_path ? 0 : 1), text);
		l->name = sqlite3_column_int64(st, 2);
		sqlite3_reset(st);
	}
	return rc;
}

static tp_code put_photo(tp_catalog *c, const tp_row *r, int64_t name, const char *key, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	int64_t author = 0, licence = 0, observation = 0;
	tp_code rc = text_id(c, TP_DICT_AUTHOR, r->author, &author, err);
	if (!rc)
		rc = text_id(c, TP_DICT_LICENCE, r->licence, &licence, err);
	if (!rc)
		rc = observation_id(c, r, &observation, err);
	if (!rc)
		rc = statement(c, &st, TP_ST_PUT_PHOTO, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(st, 1, c->source);
	tp_db_bind_text(st, 2, r->path);
	tp_db_bind_text(st, 3, r->url);
	sqlite3_bind_int64(st, 4, name);
	tp_db_bind_text(st, 5, r->organ);
	tp_db_bind_id(st, 6, author);
	tp_db_bind_id(st, 7, licence);
	tp_db_bind_id(st, 8, observation);
	tp_db_bind_text(st, 9, r->date);
	tp_db_bind_number(st, 10, r->lat);
	tp_db_bind_number(st, 11, r->lon);
	tp_db_bind_text(st, 12, r->origin);
	if (r->split >= 0)
		sqlite3_bind_int(st, 13, r->split);
	else
		sqlite3_bind_null(st, 13);
	sqlite3_bind_int(st, 14, r->no_train);
	tp_db_bind_id(st, 15, r->width);
	tp_db_bind_id(st, 16, r->height);
	rc = tp_db_run(c, st, err);
	return rc ? rc : tp_idset_add(&c->photos, key, strlen(key), sqlite3_last_insert_rowid(c->db), err);
}

tp_code tp_catalog_find(tp_catalog *c, const tp_catalog_finding *f, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	tp_code rc = statement(c, &st, TP_ST_PUT_FINDING, err);
	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, f->rule, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, f->photo);
	sqlite3_bind_int64(st, 3, f->other);
	tp_db_bind_number(st, 4, f->value);
	return tp_db_run(c, st, err);
}

/* The row is refused, and the photo that is there is no longer trusted. */
static tp_code two_names(tp_catalog *c, int64_t photo, int64_t name, const char *where, tp_err *err)
{
	char reason[TP_REASON];
	sqlite3_stmt *st = NULL;
	const tp_catalog_finding f = { .photo = photo, .rule = TP_RULE_TWO_NAMES, .value = NAN };
	tp_code rc = tp_catalog_find(c, &f, err);
	if (!rc)
		rc = statement(c, &st, TP_ST_EXCLUDE, err);
	if (!rc) {
		sqlite3_bind_text(st, 1, TP_RULE_TWO_NAMES, -1, SQLITE_STATIC);
		sqlite3_bind_int64(st, 2, photo);
		rc = tp_db_run(c, st, err);
	}
	if (!rc)
		rc = statement(c, &st, TP_ST_GET_NAME, err);
	if (rc)
		return rc;
	bool row = false;
	sqlite3_bind_int64(st, 1, name);
	rc = tp_db_step(c, st, &row, err);
	snprintf(reason, sizeof reason, "photo %lld is there already, as %.100s", (long long)photo,
		row ? tp_db_text(st, 0) : "");
	if (row)
		sqlite3_reset(st);
	return rc ? rc : tp_catalog_refuse(c, where, reason, err);
}

/* A text for people. Bytes that are no UTF-8 are shown by their numbers. */
static void printable(char *to, size_t room, const char *from)
{
	size_t at = 0;
	bool as_is = tp_is_utf8(from, strlen(from));
	for (; *from && at + 5 < room; from++) {
		unsigned char b = (unsigned char)*from;
		if (as_is && at + 8 >= room && (b & 0xc0) != 0x80)
			break; /* not inside a letter */
		if (as_is || b < 0x80)
			to[at++] = (char)b;
		else
			at += (size_t)snprintf(to + at, room - at, "\\x%02x", b);
	}
	to[at] = 0;
}

tp_code tp_catalog_refuse(tp_catalog *c, const char *where, const char *reason, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	char place[TP_MAX_PATH], text[512];
	tp_code rc = statement(c, &st, TP_ST_PUT_REFUSED, err);
	if (rc)
		return rc;
	printable(place, sizeof place, where ? where : "");
	printable(text, sizeof text, reason);
	sqlite3_bind_int64(st, 1, c->source);
	sqlite3_bind_int64(st, 2, c->n_refused + 1);
	sqlite3_bind_text(st, 3, place, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 4, text, -1, SQLITE_STATIC);
	rc = tp_db_run(c, st, err);
	c->n_refused += !rc;
	return rc;
}

static tp_code add(tp_catalog *c, const tp_row *r, tp_added *how, tp_err *err)
{
	photo_lookup l = { .c = c, .is_path = r->path && *r->path };
	const char *key = l.is_path ? r->path : r->url;
	uint32_t there = 0;
	int64_t name = 0;
	tp_code rc = tp_idset_find(&there, &c->photos, key, strlen(key), same_photo, &l, err);
	if (!rc)
		rc = name_id(c, r, &name, err);
	if (rc)
		return rc;
	*how = !there ? TP_ADDED : name == l.name ? TP_WAS_THERE : TP_REFUSED;
	if (*how == TP_ADDED)
		return put_photo(c, r, name, key, err);
	return *how == TP_REFUSED ? two_names(c, there, l.name, r->where, err) : TP_OK;
}

tp_code tp_catalog_add(tp_catalog *c, const tp_row *r, tp_added *how, tp_err *err)
{
	char reason[TP_REASON];
	if (!c->source)
		return tp_fail(err, TP_EINVAL, "%s: no source was begun", c->path);
	tp_row_check(reason, r);
	if (!*reason)
		return add(c, r, how, err);
	*how = TP_REFUSED;
	return tp_catalog_refuse(c, r->where, reason, err);
}

/* ---- sources ---- */

void tp_catalog_forget_source(tp_catalog *c)
{
	for (int i = 0; i < TP_DICTS; i++) {
		tp_idset_dispose(&c->dict[i].set);
		tp_free(c->dict[i].last_text);
		c->dict[i] = (tp_dict){ 0 };
	}
	tp_idset_dispose(&c->photos);
	c->source = c->n_refused = 0;
}

/* Fills an idset from a query for numbers and texts, the first of two that is told. */
static tp_code learn(tp_catalog *c, tp_idset *set, const char *query, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_code rc = tp_db_prepare(c, &st, query, err);
	if (!rc && sqlite3_bind_parameter_count(st))
		sqlite3_bind_int64(st, 1, c->source);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (rc || !row)
			break;
		int column =
			sqlite3_column_count(st) > 2 && sqlite3_column_type(st, 1) == SQLITE_NULL ? 2 : 1;
		const char *text = tp_db_text(st, column);
		rc = tp_idset_add(set, text, strlen(text), sqlite3_column_int64(st, 0), err);
	}
	sqlite3_finalize(st);
	return rc;
}

static tp_code learn_all(tp_catalog *c, tp_err *err)
{
	static const char *const queries[TP_DICTS] = { "SELECT id, text FROM name",
		"SELECT id, text FROM author", "SELECT id, text FROM licence",
		"SELECT id, key FROM observation WHERE source = ?" };
	tp_code rc = TP_OK;
	for (int i = 0; i < TP_DICTS && !rc; i++)
		rc = learn(c, &c->dict[i].set, queries[i], err);
	return rc ? rc : learn(c, &c->photos, "SELECT id, path, url FROM photo WHERE source = ?", err);
}

static tp_code put_source(tp_catalog *c, const tp_catalog_source *s, tp_err *err)
{
	static const char put[] =
		"INSERT INTO source(kind, root, options, citation, licence, started)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(kind, root, options) DO UPDATE SET"
		" citation = coalesce(?4, citation), licence = coalesce(?5, licence), started = ?6,"
		" finished = NULL RETURNING id";
	sqlite3_stmt *st = NULL;
	bool row = false;
	const char *text[] = { s->kind, s->root, s->options ? s->options : "" };
	tp_code rc = tp_db_prepare(c, &st, put, err);
	if (rc)
		return rc;
	for (int i = 0; i < 3; i++)
		sqlite3_bind_text(st, i + 1, text[i], -1, SQLITE_STATIC);
	tp_db_bind_text(st, 4, s->citation);
	tp_db_bind_text(st, 5, s->licence);
	sqlite3_bind_int64(st, 6, s->started);
	rc = tp_db_step(c, st, &row, err);
	c->source = row ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc;
}

static tp_code run_for_source(tp_catalog *c, const char *text, const int64_t *value, int n, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	tp_code rc = tp_db_prepare(c, &st, text, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(st, 1, c->source);
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(st, i + 2, value[i]);
	rc = tp_db_run(c, st, err);
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_source_begin(tp_catalog *c, const tp_catalog_source *s, tp_err *err)
{
	bool own = false;
	tp_catalog_forget_source(c);
	tp_code rc = tp_db_enter(c, &own, err);
	if (!rc)
		rc = put_source(c, s, err);
	if (!rc)
		rc = run_for_source(c, "DELETE FROM refused WHERE source = ?", NULL, 0, err);
	if (!rc)
		rc = learn_all(c, err);
	return tp_db_leave(c, own, rc, err);
}

tp_code tp_catalog_source_end(tp_catalog *c, int64_t now, int64_t seen, int64_t unused, tp_err *err)
{
	const int64_t value[] = { now, seen, unused };
	return run_for_source(
		c, "UPDATE source SET finished = ?2, seen = ?3, unused = ?4 WHERE id = ?1", value, 3, err);
}
