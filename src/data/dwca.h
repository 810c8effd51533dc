/* meta.xml of a Darwin Core Archive (https://dwc.tdwg.org/text/): which files hold the tables, how they are written, and
 * which column is which term. */
#ifndef TP_DATA_DWCA_H
#define TP_DATA_DWCA_H

#include "data/csv.h"

enum { TP_DWCA_FILES = 16 };
typedef struct {
	char *term;     /* without the address before it: "scientificName" */
	int at;         /* column, or -1: every row has the fallback */
	char *fallback; /* NULL; also for rows where the column is empty */
} tp_dwca_field;
typedef struct {
	char *row_type; /* without the address: "Occurrence" */
	char *file[TP_DWCA_FILES];
	int n_files;
	tp_csv_format format;
	int head_lines;
	int id; /* column of the id, in an extension of the core's id */
	tp_dwca_field *field;
	size_t n_fields;
} tp_dwca_table;
typedef struct {
	tp_dwca_table core, media; /* media.row_type NULL: the archive has none */
} tp_dwca;

/* TP_EFORMAT: no such XML, one with a document type (no archive needs entities), a table that cannot be read.
 * Dispose with tp_dwca_dispose(), also after an error. */
TP_CHECKED tp_code tp_dwca_parse(tp_dwca *out, const char *xml, size_t len, tp_err *err);
void tp_dwca_dispose(tp_dwca *d);

const tp_dwca_field *tp_dwca_find(const tp_dwca_table *t, const char *term); /* NULL: not there */
/* The field of a record; "" when there is no such field (f NULL), or the record ends before it. */
const char *tp_dwca_get(const tp_dwca_field *f, const tp_csv_record *r);
int tp_dwca_columns(const tp_dwca_table *t); /* as many fields must a record have */

#endif
