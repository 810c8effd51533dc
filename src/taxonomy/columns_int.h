/* A table's columns, found by name, and a line of it as one listed name. Not for other modules. */
#ifndef TP_TAXONOMY_COLUMNS_INT_H
#define TP_TAXONOMY_COLUMNS_INT_H

#include "taxonomy/backbone.h"

typedef enum {
	TP_COL_ID,
	TP_COL_NAME,
	TP_COL_AUTHOR,
	TP_COL_FAMILY,
	TP_COL_GENUS_HYBRID,
	TP_COL_GENUS,
	TP_COL_SPECIES_HYBRID,
	TP_COL_SPECIES,
	TP_COL_INFRA_RANK,
	TP_COL_INFRA,
	TP_COL_RANK,
	TP_COL_STATUS,
	TP_COL_ACCEPTED,
	TP_COLS
} tp_column;

typedef struct {
	int at[TP_COLS]; /* -1: there is none */
	size_t n;        /* columns of the first line */
} tp_list_columns;

/* TP_EFORMAT when neither a name nor a genus is among them. */
TP_CHECKED tp_code tp_list_columns_find(tp_list_columns *c, char **field, size_t n, tp_err *err);

typedef struct {
	tp_name name;
	const char *id, *author, *family, *accepted; /* "" where there is none */
	tp_status status;
	bool unknown_status, follows; /* follows: a synonym when `accepted` is another's id */
} tp_line_name;

/* Reads one line's fields; they are borrowed, and quotes in an authorship are taken out in place. What err says is for
 * TP_LINE_NO_NAME only. */
tp_line tp_list_columns_read(
	tp_line_name *out, const tp_list_columns *c, char **field, size_t n, tp_err *err);

#endif
