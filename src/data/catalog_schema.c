/* The tables, as a list of migrations: the n-th brings a catalog of format n to format n + 1. What was once released is
 * never changed; what a catalog needs besides becomes a line more. docs/formats.md says what the columns mean. */
#include <stdio.h>

#include "data/catalog_int.h"

enum { APPLICATION_ID = 0x7470636c }; /* "tpcl", in the file's header */

const char *const tp_measure_columns[TP_MEASURES] = { "brightness", "contrast", "sharpness", "saturation",
	"entropy", "background", "doubt", "text", "flat" };

static const char format_1[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"INSERT INTO meta VALUES('format', 'tepal catalog');"
	"CREATE TABLE source(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, root TEXT NOT NULL, options TEXT "
	"NOT NULL,"
	" citation TEXT, licence TEXT, started INTEGER, finished INTEGER, seen INTEGER, unused INTEGER,"
	" UNIQUE(kind, root, options));"
	"CREATE TABLE taxon(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, authorship TEXT, rank TEXT,"
	" genus TEXT, family TEXT, gbif TEXT, powo TEXT);"
	"CREATE TABLE common(taxon INTEGER NOT NULL REFERENCES taxon, lang TEXT NOT NULL, name TEXT NOT NULL,"
	" PRIMARY KEY(taxon, lang, name)) WITHOUT ROWID;"
	"CREATE TABLE name(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE,"
	" taxon INTEGER NOT NULL REFERENCES taxon, matched TEXT, nearest TEXT);"
	"CREATE TABLE author(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
	"CREATE TABLE licence(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
	"CREATE TABLE observation(id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES source,"
	" key TEXT NOT NULL, date TEXT, lat REAL, lon REAL);"
	"CREATE TABLE photo(id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES source, path TEXT, "
	"url TEXT,"
	" name INTEGER NOT NULL REFERENCES name, taxon INTEGER REFERENCES taxon, organ TEXT,"
	" author INTEGER REFERENCES author, licence INTEGER REFERENCES licence,"
	" observation INTEGER REFERENCES observation, date TEXT, lat REAL, lon REAL, origin TEXT,"
	" given INTEGER, no_train INTEGER NOT NULL, width INTEGER, height INTEGER,"
	" file TEXT, bytes INTEGER, sha256 BLOB, phash INTEGER,"
	" brightness REAL, contrast REAL, sharpness REAL, saturation REAL, entropy REAL, background REAL, "
	"doubt REAL,"
	" duplicates INTEGER, split INTEGER, excluded TEXT);"
	"CREATE TABLE finding(rule TEXT NOT NULL, photo INTEGER NOT NULL REFERENCES photo,"
	" other INTEGER NOT NULL DEFAULT 0, value REAL, PRIMARY KEY(rule, photo, other)) WITHOUT ROWID;"
	"CREATE TABLE refused(source INTEGER NOT NULL REFERENCES source, n INTEGER NOT NULL, place TEXT NOT "
	"NULL,"
	" reason TEXT NOT NULL, PRIMARY KEY(source, n)) WITHOUT ROWID;";

/* What tepal data clean needs to know of a file that it has read, and two measures more. */
static const char format_2[] =
	"ALTER TABLE photo ADD COLUMN checked INTEGER; ALTER TABLE photo ADD COLUMN broken TEXT;"
	"ALTER TABLE photo ADD COLUMN text REAL; ALTER TABLE photo ADD COLUMN flat REAL;";

static const char *const migrations[] = { format_1, format_2 };
enum { FORMAT = sizeof migrations / sizeof *migrations };

/* Whose file it is, and how old. *version is 0 for one without tables. */
static tp_code inspect(tp_catalog *c, int64_t *version, tp_err *err)
{
	int64_t id = 0, tables = 0, foreign = 0;
	tp_code rc = tp_db_int(c, &id, "PRAGMA application_id", err);
	if (!rc)
		rc = tp_db_int(c, version, "PRAGMA user_version", err);
	if (!rc)
		rc = tp_db_int(c, &tables, "SELECT count(*) FROM sqlite_schema", err);
	if (!rc)
		rc = tp_db_int(c, &foreign,
			"SELECT count(*) FROM sqlite_schema WHERE type IN ('view', 'trigger')", err);
	if (rc)
		return rc;
	if (tables && id != APPLICATION_ID)
		return tp_fail(err, TP_EFORMAT, "%s: a database, but no catalog of tepal", c->path);
	if (foreign)
		return tp_fail(
			err, TP_EFORMAT, "%s: has views or triggers, which a catalog has not", c->path);
	if (*version < 0 || *version > FORMAT)
		return tp_fail(err, TP_EFORMAT, "%s: format %lld, this tepal knows up to %d", c->path,
			(long long)*version, FORMAT);
	if (!tables)
		*version = 0;
	return TP_OK;
}

tp_code tp_db_check_format(tp_catalog *c, bool *current, tp_err *err)
{
	int64_t version = 0;
	tp_code rc = inspect(c, &version, err);
	*current = version == FORMAT;
	return rc;
}

tp_code tp_db_migrate(tp_catalog *c, tp_err *err)
{
	int64_t version = 0;
	bool own = false;
	char sql[96];
	tp_code rc = tp_db_enter(c, &own, err);
	if (!rc)
		rc = inspect(c, &version, err);
	for (int64_t v = version; v < FORMAT && !rc; v++)
		rc = tp_db_exec(c, migrations[v], err);
	if (!rc && version < FORMAT) {
		snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
			APPLICATION_ID, FORMAT);
		rc = tp_db_exec(c, sql, err);
	}
	return tp_db_leave(c, own, rc, err);
}
