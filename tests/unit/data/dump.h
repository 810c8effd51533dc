/* Everything a catalog says, as text that can be compared: every table but the times, in the order of its key. */
#ifndef TP_TESTS_DUMP_H
#define TP_TESTS_DUMP_H

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static inline int dump_query(tp_buf *out, sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return 1;
	int bad = 0, r;
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(st); i++) {
			const char *s = (const char *)sqlite3_column_text(st, i);
			bad |= tp_buf_adds(out, s ? s : "-", NULL) || tp_buf_adds(out, "|", NULL);
		}
		bad |= tp_buf_adds(out, "\n", NULL) != TP_OK;
	}
	sqlite3_finalize(st);
	return bad || r != SQLITE_DONE;
}

/* The caller disposes of *out. 0: done. */
static inline int dump(tp_buf *out, const char *dir)
{
	static const char *const queries[] = { "SELECT * FROM meta ORDER BY key",
		"SELECT id, kind, options, citation, licence, finished IS NULL, seen, unused FROM source "
		"ORDER BY id",
		"SELECT * FROM taxon ORDER BY id", "SELECT * FROM common ORDER BY taxon, lang, name",
		"SELECT * FROM name ORDER BY id", "SELECT * FROM author ORDER BY id",
		"SELECT * FROM licence ORDER BY id", "SELECT * FROM observation ORDER BY id",
		"SELECT * FROM photo ORDER BY id", "SELECT * FROM finding ORDER BY rule, photo, other",
		"SELECT * FROM refused ORDER BY source, n" };
	char path[512];
	sqlite3 *db = NULL;
	tp_buf_init(out, 1 << 28);
	snprintf(path, sizeof path, "%s/catalog.db", dir);
	int bad = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK;
	for (size_t i = 0; i < sizeof queries / sizeof *queries && !bad; i++)
		bad = dump_query(out, db, queries[i]);
	sqlite3_close(db);
	return bad;
}

#endif
