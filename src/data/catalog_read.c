/* Reading the catalog, and setting what was found out: see catalog.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/catalog_int.h"
#include "data/split_groups.h"

/* ---- photos ---- */

#define PHOTO_COLUMNS                                                                                        \
	"p.id, p.source, p.name, coalesce(p.taxon, n.taxon), p.author, p.licence, p.observation, p.path, "   \
	"p.url, p.file,"                                                                                     \
	" p.organ, p.date, p.origin, p.excluded, p.lat, p.lon, p.given, p.split, p.no_train, p.phash, "      \
	"p.bytes, p.width,"                                                                                  \
	" p.height, p.sha256, p.duplicates, p.brightness, p.contrast, p.sharpness, p.saturation, p.entropy," \
	" p.background, p.doubt"
enum { FIRST_MEASURE = 25 };

static double number(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_NULL ? NAN : sqlite3_column_double(st, column);
}

static int split(sqlite3_stmt *st, int column, int most)
{
	int v = sqlite3_column_type(st, column) == SQLITE_NULL ? -1 : sqlite3_column_int(st, column);
	return v < 0 || v > most ? -1 : v;
}

static void read_photo(tp_catalog_photo *p, sqlite3_stmt *st)
{
	int64_t *id[] = { &p->id, &p->source, &p->name, &p->taxon, &p->author, &p->licence, &p->observation };
	const char **text[] = { &p->path, &p->url, &p->file, &p->organ, &p->date, &p->origin };
	for (int i = 0; i < 7; i++)
		*id[i] = sqlite3_column_int64(st, i);
	for (int i = 0; i < 6; i++)
		*text[i] = tp_db_text(st, 7 + i);
	p->excluded = (const char *)sqlite3_column_text(st, 13);
	p->lat = number(st, 14);
	p->lon = number(st, 15);
	p->given = split(st, 16, TP_SPLITS - 1);
	p->split = split(st, 17, TP_HELD_OUT);
	p->no_train = sqlite3_column_int(st, 18) != 0;
	p->has_phash = sqlite3_column_type(st, 19) != SQLITE_NULL;
	p->phash = (uint64_t)sqlite3_column_int64(st, 19);
	p->bytes = sqlite3_column_int64(st, 20);
	p->width = sqlite3_column_int(st, 21);
	p->height = sqlite3_column_int(st, 22);
	p->sha256 = sqlite3_column_bytes(st, 23) == 32 ? sqlite3_column_blob(st, 23) : NULL;
	p->duplicates = sqlite3_column_int64(st, 24);
	for (int i = 0; i < TP_MEASURES; i++)
		p->measure[i] = number(st, FIRST_MEASURE + i);
}

static tp_code select_photos(tp_catalog *c, sqlite3_stmt **st, const tp_catalog_filter *f, tp_err *err)
{
	static const char *const which[] = { "", " AND p.excluded IS NULL", " AND p.excluded IS NOT NULL" };
	char sql[1024];
	snprintf(sql, sizeof sql,
		"SELECT " PHOTO_COLUMNS
		" FROM photo p JOIN name n ON n.id = p.name WHERE p.id > ?1%s%s%s%s%s%s"
		" ORDER BY p.id LIMIT ?2",
		f->source ? " AND p.source = ?3" : "", f->taxon ? " AND coalesce(p.taxon, n.taxon) = ?4" : "",
		f->split >= 0 ? " AND p.split = ?5" : "", which[f->which],
		f->unhashed ? " AND p.sha256 IS NULL" : "",
		f->not_here ? " AND p.url IS NOT NULL AND p.path IS NULL AND p.file IS NULL" : "");
	tp_code rc = tp_db_prepare(c, st, sql, err);
	if (rc)
		return rc;
	const int64_t value[] = { f->after, f->limit ? f->limit : -1, f->source, f->taxon, f->split };
	for (int i = 0; i < 5 && i < sqlite3_bind_parameter_count(*st); i++)
		sqlite3_bind_int64(*st, i + 1, value[i]);
	return TP_OK;
}

tp_code tp_catalog_each_photo(
	tp_catalog *c, const tp_catalog_filter *f, tp_catalog_photo_fn fn, void *ud, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_code rc = select_photos(c, &st, f, err);
	while (!rc && row) {
		tp_catalog_photo p;
		rc = tp_db_step(c, st, &row, err);
		if (rc || !row)
			break;
		read_photo(&p, st);
		rc = fn(ud, &p, err);
	}
	sqlite3_finalize(st);
	return rc;
}

static const char *column_name(int column)
{
	static const char *const names[] = { "file", "bytes", "width", "height", "sha256", "phash",
		"duplicates", "split", "excluded", "taxon" };
	if (column >= TP_SET_MEASURE && column < TP_SET_MEASURE + TP_MEASURES)
		return tp_measure_columns[column - TP_SET_MEASURE];
	return column >= 0 && column < TP_SET_MEASURE ? names[column] : NULL;
}

static void bind_value(sqlite3_stmt *st, int at, const tp_catalog_value *v)
{
	switch (v->kind) {
	case TP_VALUE_INT:
		sqlite3_bind_int64(st, at, v->i);
		break;
	case TP_VALUE_NUMBER:
		tp_db_bind_number(st, at, v->d);
		break;
	case TP_VALUE_TEXT:
		tp_db_bind_text(st, at, v->p);
		break;
	case TP_VALUE_BYTES:
		sqlite3_bind_blob64(st, at, v->p, v->len, SQLITE_STATIC);
		break;
	case TP_VALUE_NONE:
		sqlite3_bind_null(st, at);
		break;
	}
}

static tp_code prepare_set(
	tp_catalog *c, sqlite3_stmt **st, const int *column, size_t n, const char *where, tp_err *err)
{
	char sql[512] = "UPDATE photo SET ";
	size_t at = strlen(sql);
	if (!n || n > 16)
		return tp_fail(err, TP_EINVAL, "%zu columns to set; 1 to 16 can be", n);
	for (size_t j = 0; j < n; j++) {
		const char *name = column_name(column[j]);
		if (!name)
			return tp_fail(err, TP_EINVAL, "no column %d", column[j]);
		at += (size_t)snprintf(sql + at, sizeof sql - at, "%s%s = ?%zu", j ? ", " : "", name, j + 1);
	}
	snprintf(sql + at, sizeof sql - at, "%s", where);
	return tp_db_prepare(c, st, sql, err);
}

tp_code tp_catalog_set(tp_catalog *c, const int *column, size_t n_columns, const int64_t *photo, size_t n,
	const tp_catalog_value *value, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool own = false;
	char where[32];
	snprintf(where, sizeof where, " WHERE id = ?%zu", n_columns + 1);
	tp_code rc = prepare_set(c, &st, column, n_columns, where, err);
	if (rc)
		return rc;
	rc = tp_db_enter(c, &own, err);
	for (size_t k = 0; k < n && !rc; k++) {
		for (size_t j = 0; j < n_columns; j++)
			bind_value(st, (int)j + 1, &value[k * n_columns + j]);
		sqlite3_bind_int64(st, (int)n_columns + 1, photo[k]);
		rc = tp_db_run(c, st, err);
		if (!rc && !sqlite3_changes(c->db))
			rc = tp_fail(err, TP_ENOTFOUND, "%s: no photo %lld", c->path, (long long)photo[k]);
	}
	sqlite3_finalize(st);
	return tp_db_leave(c, own, rc, err);
}

tp_code tp_catalog_set_all(tp_catalog *c, int column, tp_catalog_value value, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	tp_code rc = prepare_set(c, &st, &column, 1, "", err);
	if (rc)
		return rc;
	bind_value(st, 1, &value);
	rc = tp_db_run(c, st, err);
	sqlite3_finalize(st);
	return rc;
}

/* ---- findings ---- */

tp_code tp_catalog_forget_rule(tp_catalog *c, const char *rule, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	tp_code rc = tp_db_prepare(c, &st, "DELETE FROM finding WHERE rule = ?", err);
	if (!rc) {
		sqlite3_bind_text(st, 1, rule, -1, SQLITE_STATIC);
		rc = tp_db_run(c, st, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_forget(tp_catalog *c, int64_t photo, const char *rule, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	tp_code rc = tp_db_prepare(c, &st, "DELETE FROM finding WHERE rule = ? AND photo = ?", err);
	if (!rc) {
		sqlite3_bind_text(st, 1, rule, -1, SQLITE_STATIC);
		sqlite3_bind_int64(st, 2, photo);
		rc = tp_db_run(c, st, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_each_finding(
	tp_catalog *c, const char *rule, tp_catalog_finding_fn fn, void *ud, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_code rc = tp_db_prepare(c, &st,
		rule ? "SELECT photo, rule, value, other FROM finding WHERE rule = ? ORDER BY photo, other"
		     : "SELECT photo, rule, value, other FROM finding ORDER BY photo, rule, other",
		err);
	if (!rc && rule)
		sqlite3_bind_text(st, 1, rule, -1, SQLITE_STATIC);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (rc || !row)
			break;
		const tp_catalog_finding f = { sqlite3_column_int64(st, 0), tp_db_text(st, 1), number(st, 2),
			sqlite3_column_int64(st, 3) };
		rc = fn(ud, &f, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_each_rule(tp_catalog *c, tp_catalog_hits_fn fn, void *ud, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_code rc = tp_db_prepare(
		c, &st, "SELECT rule, count(DISTINCT photo) FROM finding GROUP BY rule ORDER BY rule", err);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (!rc && row)
			rc = fn(ud, tp_db_text(st, 0), sqlite3_column_int64(st, 1), err);
	}
	sqlite3_finalize(st);
	return rc;
}

/* ---- facts, small tables, counts ---- */

tp_code tp_catalog_fact(char **value, tp_catalog *c, const char *key, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = false;
	*value = NULL;
	tp_code rc = tp_db_prepare(c, &st, "SELECT value FROM meta WHERE key = ?", err);
	if (!rc) {
		sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
		rc = tp_db_step(c, st, &row, err);
	}
	if (!rc && row && !(*value = tp_strdup(tp_db_text(st, 0))))
		rc = tp_nomem(err, 1);
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_set_fact(tp_catalog *c, const char *key, const char *value, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	tp_code rc = tp_db_prepare(
		c, &st, "INSERT INTO meta VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2", err);
	if (!rc) {
		sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 2, value, -1, SQLITE_STATIC);
		rc = tp_db_run(c, st, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_load_texts(tp_catalog_texts *out, tp_catalog *c, tp_catalog_text which, tp_err *err)
{
	static const char *const table[] = { "name", "author", "licence" };
	char sql[64];
	int64_t last = 0;
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_catalog_texts t = { 0 };
	snprintf(sql, sizeof sql, "SELECT max(id) FROM %s", table[which]);
	tp_code rc = tp_db_int(c, &last, sql, err);
	if (!rc && (last < 0 || last >= UINT32_MAX))
		rc = tp_fail(err, TP_ELIMIT, "%s: number %lld in table %s", c->path, (long long)last,
			table[which]);
	if (rc)
		return rc;
	t.text = tp_calloc((size_t)last + 1, sizeof *t.text);
	t.n = t.text ? (size_t)last + 1 : 0;
	if (!t.text)
		return tp_nomem(err, ((size_t)last + 1) * sizeof *t.text);
	snprintf(sql, sizeof sql, "SELECT id, text FROM %s WHERE id > 0", table[which]);
	rc = tp_db_prepare(c, &st, sql, err);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (rc || !row)
			break;
		char **slot = &t.text[sqlite3_column_int64(st, 0)];
		*slot = tp_strdup(tp_db_text(st, 1));
		rc = *slot ? TP_OK : tp_nomem(err, 1);
	}
	sqlite3_finalize(st);
	if (rc)
		tp_catalog_texts_free(&t);
	else
		*out = t;
	return rc;
}

void tp_catalog_texts_free(tp_catalog_texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		tp_free(t->text[i]);
	tp_free(t->text);
	*t = (tp_catalog_texts){ 0 };
}

tp_code tp_catalog_each_source(tp_catalog *c, tp_catalog_source_fn fn, void *ud, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_code rc = tp_db_prepare(c, &st,
		"SELECT id, kind, root, options, citation, licence, started, finished, seen,"
		" (SELECT count(*) FROM photo WHERE source = s.id),"
		" (SELECT count(*) FROM refused WHERE source = s.id), unused FROM source s ORDER BY id",
		err);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (rc || !row)
			break;
		const tp_catalog_source s = { sqlite3_column_int64(st, 0), tp_db_text(st, 1),
			tp_db_text(st, 2), tp_db_text(st, 3), tp_db_text(st, 4), tp_db_text(st, 5),
			sqlite3_column_int64(st, 6), sqlite3_column_int64(st, 7), sqlite3_column_int64(st, 8),
			sqlite3_column_int64(st, 9), sqlite3_column_int64(st, 10),
			sqlite3_column_int64(st, 11) };
		rc = fn(ud, &s, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_each_refused(
	tp_catalog *c, int64_t source, tp_catalog_refused_fn fn, void *ud, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_code rc = tp_db_prepare(c, &st,
		"SELECT source, place, reason FROM refused WHERE ?1 IN (0, source) ORDER BY source, n", err);
	if (!rc)
		sqlite3_bind_int64(st, 1, source);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (!rc && row)
			rc = fn(ud, sqlite3_column_int64(st, 0), tp_db_text(st, 1), tp_db_text(st, 2), err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_count(tp_catalog_counts *out, tp_catalog *c, tp_err *err)
{
	const struct {
		int64_t *to;
		const char *sql;
	} all[] = { { &out->photos, "SELECT count(*) FROM photo" },
		{ &out->kept, "SELECT count(*) FROM photo WHERE excluded IS NULL" },
		{ &out->refused, "SELECT count(*) FROM refused" },
		{ &out->names, "SELECT count(*) FROM name" },
		{ &out->unmatched, "SELECT count(*) FROM name WHERE matched = 'unmatched'" },
		{ &out->taxa, "SELECT count(DISTINCT coalesce(p.taxon, n.taxon)) FROM photo p JOIN name n ON"
			      " n.id = p.name" },
		{ &out->observations, "SELECT count(*) FROM observation" },
		{ &out->split[TP_TRAIN],
			"SELECT count(*) FROM photo WHERE excluded IS NULL AND coalesce(split, given) = 0" },
		{ &out->split[TP_VAL],
			"SELECT count(*) FROM photo WHERE excluded IS NULL AND coalesce(split, given) = 1" },
		{ &out->split[TP_TEST],
			"SELECT count(*) FROM photo WHERE excluded IS NULL AND coalesce(split, given) = 2" },
		{ &out->held_out, "SELECT count(*) FROM photo WHERE excluded IS NULL AND split = 3" } };
	tp_code rc = TP_OK;
	*out = (tp_catalog_counts){ 0 };
	for (size_t i = 0; i < sizeof all / sizeof *all && !rc; i++)
		rc = tp_db_int(c, all[i].to, all[i].sql, err);
	out->excluded = out->photos - out->kept;
	out->no_split = out->kept - out->held_out;
	for (int i = 0; i < TP_SPLITS; i++)
		out->no_split -= out->split[i];
	return rc;
}

tp_code tp_catalog_each_verdict(tp_catalog *c, tp_catalog_verdict_fn fn, void *ud, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	int64_t kept = 0;
	tp_code rc = tp_db_int(c, &kept, "SELECT count(*) FROM photo WHERE excluded IS NULL", err);
	if (!rc)
		rc = fn(ud, "", kept, err);
	if (!rc)
		rc = tp_db_prepare(c, &st,
			"SELECT excluded, count(*) k FROM photo WHERE excluded IS NOT NULL GROUP BY excluded"
			" ORDER BY k DESC, excluded",
			err);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (!rc && row)
			rc = fn(ud, tp_db_text(st, 0), sqlite3_column_int64(st, 1), err);
	}
	sqlite3_finalize(st);
	return rc;
}
