/* The importers, and what they share. */
#ifndef TP_DATA_IMPORT_INT_H
#define TP_DATA_IMPORT_INT_H

#include "data/columns.h"
#include "data/csv.h"
#include "data/import.h"

TP_CHECKED tp_code tp_import_folders(tp_sink *s, const tp_import_opts *o, tp_err *err);
TP_CHECKED tp_code tp_import_csv(tp_sink *s, const tp_import_opts *o, tp_err *err);
TP_CHECKED tp_code tp_import_plantnet300k(tp_sink *s, const tp_import_opts *o, tp_err *err);
TP_CHECKED tp_code tp_import_inat(tp_sink *s, const tp_import_opts *o, tp_err *err);
TP_CHECKED tp_code tp_import_dwca(tp_sink *s, const tp_import_opts *o, tp_err *err);
TP_CHECKED tp_code tp_import_oxford102(tp_sink *s, const tp_import_opts *o, tp_err *err);

/* classes.csv in the folder, or in the one above it (where a photo set keeps it), when there is one: names and families
 * for the sink's species(). */
TP_CHECKED tp_code tp_import_class_names(tp_sink *s, const char *root, tp_err *err);

/* Records of a table in a file, the first one included. Those that cannot be read go to the sink, and not to fn; without a
 * sink they are an error. Errors begin with the file's path. */
typedef tp_code (*tp_record_fn)(void *ud, const tp_csv_record *r, tp_err *err);
TP_CHECKED tp_code tp_table_each(
	const char *path, const tp_csv_format *f, tp_sink *s, tp_record_fn fn, void *ud, tp_err *err);

/* One row to the sink, or the reason why there is none. */
TP_CHECKED tp_code tp_sink_columns(tp_sink *s, const tp_columns *c, const tp_csv_record *r,
	const char *kingdom, const char *where, tp_err *err);

#endif
