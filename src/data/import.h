/* Photos from where people have them: one importer a kind of source, each a file and a line in tp_importers. */
#ifndef TP_DATA_IMPORT_H
#define TP_DATA_IMPORT_H

#include "data/row.h"

typedef struct {
	const char *path; /* the folder, file or archive a person named */
	const char *root; /* what photos' paths are relative to; NULL: the folder, or the file's folder */
	const char *const *column; /* "WHAT=COLUMN", see columns.h */
	int n_columns;
	const char *encoding; /* of tables, where they do not say: NULL is UTF-8 */
	char delimiter;       /* 0: a tab for files that end in .tsv, else a comma */
	const char *kingdom;  /* rows that tell of another are refused; NULL: all are taken */
	bool for_training; /* only what training asks: path, species, family, organ, source, split, licence, author */
} tp_import_opts;

/* Gives each row of the source to the sink, and every row it cannot read to the sink's refuse(); streaming, in an order
 * that depends on the source alone. Errors: the source cannot be read at all or no further, and those of the sink. */
typedef tp_code (*tp_import_fn)(tp_sink *s, const tp_import_opts *o, tp_err *err);
typedef struct {
	const char *name, *help;
	tp_import_fn run;
} tp_importer;
extern const tp_importer tp_importers[];                /* ends at a NULL name */
const tp_importer *tp_importer_named(const char *name); /* NULL: there is none */

/* The folder that paths are relative to; freed with tp_free(). */
TP_CHECKED tp_code tp_import_root(char **out, const tp_import_opts *o, tp_err *err);

typedef struct {
	const char *kind;
	tp_import_opts source;
	const char *citation, *licence; /* of the whole source; NULL */
	int64_t now;                    /* Unix time, for the record */
	size_t batch;                   /* rows between two commits; 0: 50,000 */
	bool quiet;
} tp_catalog_import_opts;

typedef struct {
	size_t seen, added, there, refused; /* seen = added + there + refused */
	size_t refused_as[4];               /* by tp_refusal */
	size_t unused;                      /* rows that tell of no photo; not among those seen */
} tp_imported;

/* Brings a source into the catalog in `dir`, which is made when there is none. Run again it adds only what is new. Killed
 * at any moment and run again, it leaves the catalog as if nothing had happened. On an error or when it is cancelled, what
 * was taken until then stays, and *out says how much. */
TP_CHECKED tp_code tp_catalog_import(
	tp_imported *out, const char *dir, const tp_catalog_import_opts *o, tp_err *err);

#endif
