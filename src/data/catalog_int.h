/* The catalog's inside, for src/data/catalog*.c: the only files that know SQLite. */
#ifndef TP_DATA_CATALOG_INT_H
#define TP_DATA_CATALOG_INT_H

#include <sqlite3.h>

#include "data/catalog.h"
#include "data/idset.h"

/* Statements that are run once a row or more; catalog_add.c has their texts. */
typedef enum {
	TP_ST_GET_NAME,
	TP_ST_GET_AUTHOR,
	TP_ST_GET_LICENCE,
	TP_ST_GET_OBSERVATION,
	TP_ST_GET_PHOTO,
	TP_ST_PUT_NAME,
	TP_ST_PUT_AUTHOR,
	TP_ST_PUT_LICENCE,
	TP_ST_PUT_OBSERVATION,
	TP_ST_PUT_PHOTO,
	TP_ST_PUT_REFUSED,
	TP_ST_PUT_TAXON,
	TP_ST_GET_TAXON,
	TP_ST_PUT_FINDING,
	TP_ST_EXCLUDE,
	TP_STATEMENTS,
} tp_statement;

/* Texts with a number each: which are there, and the last one asked for, as photos come in groups. */
typedef struct {
	tp_idset set;
	int64_t last;
	char *last_text;
	size_t last_cap;
} tp_dict;
typedef enum { TP_DICT_NAME, TP_DICT_AUTHOR, TP_DICT_LICENCE, TP_DICT_OBSERVATION, TP_DICTS } tp_dict_of;

struct tp_catalog {
	sqlite3 *db;
	char *path;
	bool writing, open; /* open: between begin and commit */
	sqlite3_stmt *st[TP_STATEMENTS];
	int64_t source; /* the one begun; 0 */
	int64_t n_refused;
	tp_dict dict[TP_DICTS];
	tp_idset photos; /* of the source, by path or url */
};

/* What SQLite said, as an error that names the file. */
tp_code tp_db_fail(tp_catalog *c, int sqlite_code, tp_err *err);
TP_CHECKED tp_code tp_db_exec(tp_catalog *c, const char *sql, tp_err *err);
TP_CHECKED tp_code tp_db_prepare(tp_catalog *c, sqlite3_stmt **out, const char *sql, tp_err *err);
/* *row: there is one more. At the end, and on error, the statement is reset. */
TP_CHECKED tp_code tp_db_step(tp_catalog *c, sqlite3_stmt *st, bool *row, tp_err *err);
TP_CHECKED tp_code tp_db_run(tp_catalog *c, sqlite3_stmt *st, tp_err *err); /* one that gives no rows */
TP_CHECKED tp_code tp_db_int(tp_catalog *c, int64_t *out, const char *sql, tp_err *err);

const char *tp_db_text(sqlite3_stmt *st, int column); /* "" for NULL */
/* A text that stays where it is until the statement has run; NULL for NULL and "". */
void tp_db_bind_text(sqlite3_stmt *st, int at, const char *text);
void tp_db_bind_number(sqlite3_stmt *st, int at, double v); /* NULL for NAN */
void tp_db_bind_id(sqlite3_stmt *st, int at, int64_t id);   /* NULL for 0 */

/* Begins when nothing is begun; *own says whether it did, for tp_db_leave(). */
TP_CHECKED tp_code tp_db_enter(tp_catalog *c, bool *own, tp_err *err);
TP_CHECKED tp_code tp_db_leave(tp_catalog *c, bool own, tp_code rc, tp_err *err);

extern const char *const tp_measure_columns[TP_MEASURES];
TP_CHECKED tp_code tp_db_migrate(tp_catalog *c, tp_err *err); /* catalog_schema.c */
TP_CHECKED tp_code tp_db_check_format(tp_catalog *c, bool *current, tp_err *err);

void tp_catalog_forget_source(tp_catalog *c); /* what is known of the source begun */

/* "" or why the row cannot be taken. */
enum { TP_REASON = 160 };
void tp_row_check(char reason[TP_REASON], const tp_row *r);

#endif
