/* Names and the taxa they stand for: see catalog.h. */
#include <string.h>

#include "data/catalog_int.h"

static const char fill[] =
	"UPDATE taxon SET authorship = coalesce(authorship, ?2), family = coalesce(family, ?3),"
	" powo = coalesce(powo, ?4) WHERE name = ?1";

tp_code tp_catalog_species(tp_catalog *c, const tp_species *x, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	const char *text[] = { x->name, x->authorship, x->family, x->powo };
	tp_code rc = tp_db_prepare(c, &st, fill, err);
	for (int i = 0; i < 4 && !rc; i++)
		tp_db_bind_text(st, i + 1, text[i]);
	if (!rc)
		rc = tp_db_run(c, st, err);
	sqlite3_finalize(st);
	st = NULL;
	if (!rc && x->common[0][0])
		rc = tp_db_prepare(c, &st,
			"INSERT OR IGNORE INTO common(taxon, lang, name) SELECT id, ?2, ?3 FROM taxon WHERE "
			"name = ?1",
			err);
	for (size_t k = 0; k < 8 && x->common[k][0] && !rc; k++) {
		tp_db_bind_text(st, 1, x->name);
		tp_db_bind_text(st, 2, x->common[k][0]);
		tp_db_bind_text(st, 3, x->common[k][1]);
		rc = tp_db_run(c, st, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_put_taxon(tp_catalog *c, int64_t *id, const tp_catalog_taxon *t, tp_err *err)
{
	static const char put[] =
		"INSERT INTO taxon(name, authorship, rank, genus, family, gbif, powo) VALUES(?1, ?2, ?3, ?4, "
		"?5, ?6, ?7)"
		" ON CONFLICT(name) DO UPDATE SET authorship = coalesce(?2, authorship), rank = coalesce(?3, "
		"rank),"
		" genus = coalesce(?4, genus), family = coalesce(?5, family), gbif = coalesce(?6, gbif),"
		" powo = coalesce(?7, powo) RETURNING id";
	const char *text[] = { t->name, t->authorship, t->rank, t->genus, t->family, t->gbif, t->powo };
	sqlite3_stmt *st = NULL;
	bool row = false;
	if (!t->name || !*t->name)
		return tp_fail(err, TP_EINVAL, "a taxon without a name");
	tp_code rc = tp_db_prepare(c, &st, put, err);
	for (int i = 0; i < 7 && !rc; i++)
		tp_db_bind_text(st, i + 1, text[i]);
	if (!rc)
		rc = tp_db_step(c, st, &row, err);
	if (!rc)
		*id = row ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc;
}

static tp_code take_common_names(tp_catalog *c, int64_t name, int64_t taxon, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	tp_code rc = tp_db_prepare(c, &st,
		"INSERT OR IGNORE INTO common(taxon, lang, name) SELECT ?2, lang, name FROM common"
		" WHERE taxon = (SELECT taxon FROM name WHERE id = ?1) AND taxon <> ?2",
		err);
	if (!rc) {
		sqlite3_bind_int64(st, 1, name);
		sqlite3_bind_int64(st, 2, taxon);
		rc = tp_db_run(c, st, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_fill_family(tp_catalog *c, int64_t taxon, const char *family, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	tp_code rc =
		tp_db_prepare(c, &st, "UPDATE taxon SET family = ?2 WHERE id = ?1 AND family IS NULL", err);
	if (!rc) {
		sqlite3_bind_int64(st, 1, taxon);
		tp_db_bind_text(st, 2, family);
		rc = tp_db_run(c, st, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_match(
	tp_catalog *c, int64_t name, int64_t taxon, const char *matched, const char *nearest, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	tp_code rc = strcmp(matched, "unmatched") != 0 ? take_common_names(c, name, taxon, err) : TP_OK;
	if (!rc)
		rc = tp_db_prepare(
			c, &st, "UPDATE name SET taxon = ?2, matched = ?3, nearest = ?4 WHERE id = ?1", err);
	if (rc)
		return rc;
	sqlite3_bind_int64(st, 1, name);
	sqlite3_bind_int64(st, 2, taxon);
	tp_db_bind_text(st, 3, matched);
	tp_db_bind_text(st, 4, nearest);
	rc = tp_db_run(c, st, err);
	if (!rc && !sqlite3_changes(c->db))
		rc = tp_fail(err, TP_ENOTFOUND, "%s: no name %lld", c->path, (long long)name);
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_drop_unused_taxa(tp_catalog *c, tp_err *err)
{
	bool own = false;
	tp_code rc = tp_db_enter(c, &own, err);
	if (!rc)
		rc = tp_db_exec(c,
			"DELETE FROM taxon WHERE id NOT IN (SELECT taxon FROM name) AND id NOT IN"
			" (SELECT taxon FROM photo WHERE taxon IS NOT NULL);"
			"DELETE FROM common WHERE taxon NOT IN (SELECT id FROM taxon);",
			err);
	return tp_db_leave(c, own, rc, err);
}

tp_code tp_catalog_each_taxon(tp_catalog *c, tp_catalog_taxon_fn fn, void *ud, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_code rc = tp_db_prepare(c, &st,
		"SELECT id, name, authorship, rank, genus, family, gbif, powo FROM taxon ORDER BY id", err);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (rc || !row)
			break;
		const tp_catalog_taxon t = { sqlite3_column_int64(st, 0), tp_db_text(st, 1),
			tp_db_text(st, 2), tp_db_text(st, 3), tp_db_text(st, 4), tp_db_text(st, 5),
			tp_db_text(st, 6), tp_db_text(st, 7) };
		rc = fn(ud, &t, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_each_name(tp_catalog *c, tp_catalog_name_fn fn, void *ud, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_code rc = tp_db_prepare(c, &st,
		"SELECT n.id, n.taxon, n.text, n.matched, n.nearest, coalesce(k, 0) FROM name n"
		" LEFT JOIN (SELECT name, count(*) k FROM photo GROUP BY name) p ON p.name = n.id ORDER BY "
		"n.id",
		err);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (rc || !row)
			break;
		const tp_catalog_name n = { sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
			tp_db_text(st, 2), tp_db_text(st, 3), tp_db_text(st, 4),
			sqlite3_column_int64(st, 5) };
		rc = fn(ud, &n, err);
	}
	sqlite3_finalize(st);
	return rc;
}

tp_code tp_catalog_each_common(tp_catalog *c, tp_catalog_common_fn fn, void *ud, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = true;
	tp_code rc =
		tp_db_prepare(c, &st, "SELECT taxon, lang, name FROM common ORDER BY taxon, lang, name", err);
	while (!rc && row) {
		rc = tp_db_step(c, st, &row, err);
		if (!rc && row)
			rc = fn(ud, sqlite3_column_int64(st, 0), tp_db_text(st, 1), tp_db_text(st, 2), err);
	}
	sqlite3_finalize(st);
	return rc;
}
