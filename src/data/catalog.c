/* Opening and closing, transactions, and how SQLite is spoken to: see catalog.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/catalog_int.h"

enum { WAIT_MS = 1000, CACHE_KIB = 64 << 10 };

tp_code tp_db_fail(tp_catalog *c, int code, tp_err *err)
{
	const char *said = c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(code);
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return tp_fail(err, TP_ENOMEM, "%s: out of memory", c->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return tp_fail(err, TP_EBUSY, "%s: another process works on it", c->path);
	case SQLITE_NOTADB:
		return tp_fail(err, TP_EFORMAT, "%s: not a catalog", c->path);
	case SQLITE_CORRUPT:
	case SQLITE_FORMAT:
		return tp_fail(err, TP_EFORMAT, "%s: damaged: %s", c->path, said);
	case SQLITE_ERROR: /* a table or column that a catalog has is not there */
		return tp_fail(err, TP_EFORMAT, "%s: not a catalog as it should be: %s", c->path, said);
	case SQLITE_TOOBIG:
		return tp_fail(err, TP_ELIMIT, "%s: %s", c->path, said);
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return tp_fail(err, TP_EDENIED, "%s: %s", c->path, said);
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
	case SQLITE_FULL:
		return tp_fail(err, TP_EIO, "%s: %s", c->path, said);
	default:
		return tp_fail(err, TP_EBACKEND, "%s: %s", c->path, said);
	}
}

tp_code tp_db_exec(tp_catalog *c, const char *sql, tp_err *err)
{
	int r = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
	return r == SQLITE_OK ? TP_OK : tp_db_fail(c, r, err);
}

tp_code tp_db_prepare(tp_catalog *c, sqlite3_stmt **out, const char *sql, tp_err *err)
{
	int r = sqlite3_prepare_v2(c->db, sql, -1, out, NULL);
	return r == SQLITE_OK ? TP_OK : tp_db_fail(c, r, err);
}

tp_code tp_db_step(tp_catalog *c, sqlite3_stmt *st, bool *row, tp_err *err)
{
	int r = sqlite3_step(st);
	*row = r == SQLITE_ROW;
	if (*row)
		return TP_OK;
	tp_code rc = r == SQLITE_DONE ? TP_OK : tp_db_fail(c, r, err);
	sqlite3_reset(st);
	return rc;
}

tp_code tp_db_run(tp_catalog *c, sqlite3_stmt *st, tp_err *err)
{
	bool row;
	tp_code rc = tp_db_step(c, st, &row, err);
	if (!rc && row)
		sqlite3_reset(st);
	return rc;
}

tp_code tp_db_int(tp_catalog *c, int64_t *out, const char *sql, tp_err *err)
{
	sqlite3_stmt *st = NULL;
	bool row = false;
	tp_code rc = tp_db_prepare(c, &st, sql, err);
	if (!rc)
		rc = tp_db_step(c, st, &row, err);
	*out = row ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc;
}

const char *tp_db_text(sqlite3_stmt *st, int column)
{
	const char *s = (const char *)sqlite3_column_text(st, column);
	return s ? s : "";
}

/* Binding fails only for lack of memory, which the step that follows reports, or by an index of ours that is wrong. */
void tp_db_bind_text(sqlite3_stmt *st, int at, const char *text)
{
	if (text && *text)
		sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(st, at);
}

void tp_db_bind_number(sqlite3_stmt *st, int at, double v)
{
	if (isfinite(v))
		sqlite3_bind_double(st, at, v);
	else
		sqlite3_bind_null(st, at);
}

void tp_db_bind_id(sqlite3_stmt *st, int at, int64_t id)
{
	if (id)
		sqlite3_bind_int64(st, at, id);
	else
		sqlite3_bind_null(st, at);
}

/* A file from elsewhere may hold anything: its schema runs no functions, and its pages are checked. */
static tp_code settings(tp_catalog *c, tp_err *err)
{
	char sql[256];
	sqlite3_extended_result_codes(c->db, 1);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, TP_MAX_JSON);
	sqlite3_busy_timeout(c->db, WAIT_MS);
	snprintf(sql, sizeof sql,
		"PRAGMA cell_size_check = ON; PRAGMA cache_size = -%d; PRAGMA foreign_keys = OFF;%s",
		CACHE_KIB, c->writing ? "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL;" : "");
	return tp_db_exec(c, sql, err);
}

static tp_code open_db(tp_catalog *c, tp_catalog_mode mode, tp_err *err)
{
	/* a reader must be able to undo what a killed writer left half done */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		    (mode == TP_CATALOG_CREATE ? SQLITE_OPEN_CREATE : 0);
	bool current = false;
	int r = sqlite3_open_v2(c->path, &c->db, flags, NULL);
	tp_code rc = r == SQLITE_OK ? settings(c, err) : tp_db_fail(c, r, err);
	if (!rc && c->writing) /* takes the lock, which is then kept */
		rc = tp_db_exec(c, "BEGIN EXCLUSIVE; COMMIT;", err);
	if (!rc && c->writing)
		return tp_db_migrate(c, err);
	if (!rc)
		rc = tp_db_check_format(c, &current, err);
	if (!rc && !current)
		rc = tp_fail(err, TP_EFORMAT,
			"%s: of an older format; import into it once to bring it up to date", c->path);
	return rc ? rc : tp_db_exec(c, "PRAGMA query_only = ON", err);
}

bool tp_is_catalog(const char *dir)
{
	char path[TP_MAX_PATH]; /* nothing allocated: no answer could be told from "no" */
	int n = snprintf(path, sizeof path, "%s/catalog.db", dir);
	return n > 0 && (size_t)n < sizeof path && tp_is_file(path);
}

tp_code tp_catalog_open(tp_catalog **out, const char *dir, tp_catalog_mode mode, tp_err *err)
{
	tp_code rc = TP_OK;
	tp_catalog *c = tp_calloc(1, sizeof *c);
	if (!c)
		return tp_nomem(err, sizeof *c);
	c->writing = mode != TP_CATALOG_READ;
	if (mode == TP_CATALOG_CREATE)
		rc = tp_make_dirs(dir, err);
	if (!rc) {
		c->path = tp_path_join(dir, "catalog.db");
		rc = c->path ? TP_OK : tp_nomem(err, strlen(dir));
	}
	if (!rc && mode != TP_CATALOG_CREATE && !tp_is_file(c->path))
		rc = tp_fail(err, TP_ENOTFOUND, "%s: no catalog; tepal data import makes one", dir);
	if (!rc)
		rc = open_db(c, mode, err);
	if (rc) {
		tp_catalog_close(c);
		return rc;
	}
	*out = c;
	return TP_OK;
}

void tp_catalog_close(tp_catalog *c)
{
	if (!c)
		return;
	for (int i = 0; i < TP_STATEMENTS; i++)
		sqlite3_finalize(c->st[i]);
	tp_catalog_forget_source(c);
	sqlite3_close(c->db); /* what was begun is rolled back */
	tp_free(c->path);
	tp_free(c);
}

tp_code tp_catalog_begin(tp_catalog *c, tp_err *err)
{
	tp_code rc = tp_db_exec(c, "BEGIN IMMEDIATE", err);
	c->open = !rc;
	return rc;
}

tp_code tp_catalog_commit(tp_catalog *c, tp_err *err)
{
	tp_code rc = tp_db_exec(c, "COMMIT", err);
	if (!rc)
		c->open = false;
	return rc;
}

void tp_catalog_rollback(tp_catalog *c)
{
	if (c->open)
		(void)!sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	c->open = false;
	tp_catalog_forget_source(c); /* numbers handed out are void */
}

tp_code tp_db_enter(tp_catalog *c, bool *own, tp_err *err)
{
	*own = !c->open;
	return *own ? tp_catalog_begin(c, err) : TP_OK;
}

tp_code tp_db_leave(tp_catalog *c, bool own, tp_code rc, tp_err *err)
{
	if (!own || !c->open)
		return rc;
	if (!rc)
		rc = tp_catalog_commit(c, err);
	if (rc)
		tp_catalog_rollback(c);
	return rc;
}
