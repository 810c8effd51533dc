/* Which column of a table says what of a photo. Columns are found by name, and can be chosen: "species=scientificName". */
#ifndef TP_DATA_COLUMNS_H
#define TP_DATA_COLUMNS_H

#include "data/row.h"

typedef enum {
	TP_COL_PATH,
	TP_COL_URL,
	TP_COL_SPECIES,
	TP_COL_FAMILY,
	TP_COL_AUTHORSHIP,
	TP_COL_ORGAN,
	TP_COL_SOURCE,
	TP_COL_SPLIT,
	TP_COL_LICENCE,
	TP_COL_AUTHOR,
	TP_COL_DATE,
	TP_COL_LATITUDE,
	TP_COL_LONGITUDE,
	TP_COL_OBSERVATION,
	TP_COL_NO_TRAIN,
	TP_COL_KINGDOM,
	TP_COLUMNS,
} tp_column;

typedef struct {
	int at[TP_COLUMNS]; /* -1: not there */
	size_t n_fields;
} tp_columns;

const char *tp_column_name(tp_column c);

/* From the head of a table. chosen: n_chosen texts "WHAT=COLUMN"; the rest is found by the usual names of a column.
 * TP_EINVAL: a choice that is none; TP_EFORMAT: a column that is not there. */
TP_CHECKED tp_code tp_columns_find(
	tp_columns *out, char **head, size_t n, const char *const *chosen, int n_chosen, tp_err *err);

/* *row from the fields, but not its `where`. False: *why and `reason` say why it is refused. kingdom: rows that tell of
 * another one are not wanted; NULL: all are. */
enum { TP_COLUMN_REASON = 128 };
bool tp_columns_row(tp_row *row, const tp_columns *c, char *const *field, size_t n, const char *kingdom,
	tp_refusal *why, char reason[TP_COLUMN_REASON]);

/* "train", "val" or "valid", "test"; -1 for "". False: none of these. */
bool tp_split_named(int *out, const char *s);
/* A number within [-max, max], or NAN for "". False: neither. */
bool tp_degrees(double *out, const char *s, double max);

#endif
