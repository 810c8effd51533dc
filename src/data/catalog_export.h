/* A catalog's photos handed out: as a table that other programs, and tepal train, read; and described as MLCommons Croissant
 * 1.0, which data set searches and loaders read. Threads: as the catalog. */
#ifndef TP_DATA_CATALOG_EXPORT_H
#define TP_DATA_CATALOG_EXPORT_H

#include "data/catalog.h"

/* Columns: path, url, species, authorship, family, organ, source, split, licence, author, date, latitude, longitude,
 * observation. A row is a photo that is kept. */
extern const char *const tp_export_columns[]; /* ends at NULL */

typedef struct {
	const char *table; /* the file to write */
	const char *root;  /* what paths are relative to, and must lie below; NULL: the table's folder */
	int split; /* only photos of this one; -1: all but those held out. A split of TP_HELD_OUT is called "test" */
	bool urls; /* also photos that are not on this disk */
} tp_export_opts;
typedef struct {
	size_t written, excluded, held_out, other_split,
		not_here;  /* their sum is the photos of the catalog */
	size_t no_licence; /* of those written */
} tp_exported;

/* The file appears whole or not at all. Errors: TP_EINVAL (a photo that does not lie below root; no photo at all), those of
 * the catalog and of writing. */
TP_CHECKED tp_code tp_catalog_export(
	tp_exported *out, tp_catalog *c, const char *dir, const tp_export_opts *o, tp_err *err);

/* Texts are UTF-8; NULL is "not told". */
typedef struct {
	const char *file; /* the JSON-LD file to write */
	const char *table,
		*shards; /* what it describes: a table exported, a folder of shards; one at least. They
						 lie below the file's folder */
	const char *name, *description,
		*url; /* name NULL: the catalog's folder; description NULL: made of the counts */
	const char *creator, *date, *version; /* date: 2026-11-24 */
	const char *const *licence; /* n of them; 0: those that the catalog knows of its photos and sources */
	int n_licence;
	const char *citation; /* NULL: those of the sources */
} tp_croissant_opts;

/* Errors: TP_EINVAL names a property that Croissant requires and that is not known. */
TP_CHECKED tp_code tp_catalog_croissant(
	tp_catalog *c, const char *dir, const tp_croissant_opts *o, tp_err *err);

#endif
