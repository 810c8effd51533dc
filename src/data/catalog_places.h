/* Where a catalog's photos lie on this disk. */
#ifndef TP_DATA_CATALOG_PLACES_H
#define TP_DATA_CATALOG_PLACES_H

#include "base/buf.h"
#include "data/catalog.h"

/* Roots and kinds of the sources by their numbers. Starts as {0}; dispose of it also after an error. */
typedef struct {
	char *dir; /* of the catalog, with links resolved */
	char **root, **kind;
	size_t n;
	tp_buf path;
} tp_catalog_places;
TP_CHECKED tp_code tp_catalog_places_load(tp_catalog_places *x, tp_catalog *c, const char *dir, tp_err *err);
void tp_catalog_places_dispose(tp_catalog_places *x);

/* *path: from the root of the disk without the first "/", borrowed until the next call; NULL for a photo that is not here
 * (only a URL is known). TP_EFORMAT: a path that leaves its folder. */
TP_CHECKED tp_code tp_catalog_place(
	const char **path, tp_catalog_places *x, const tp_catalog_photo *p, tp_err *err);
const char *tp_catalog_kind(const tp_catalog_places *x, int64_t source); /* "" when there is none */

#endif
