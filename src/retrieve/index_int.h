/* The tensors of an index file; docs/formats.md describes each. Texts stand in one block, each ended by NUL; a row names
 * its texts by where they begin, so that a licence that a million photos share stands there once. */
#ifndef TP_RETRIEVE_INDEX_INT_H
#define TP_RETRIEVE_INDEX_INT_H

#include <stdbool.h>

#include "retrieve/index.h"

enum { TP_MAX_DIM = 1 << 20 };
enum { TP_ID_BYTES = 20, TP_ID_HEX = 40, TP_REF_TEXTS = 5 }; /* path, organ, author, licence, source */

#define TP_IX_EMBEDDINGS "embeddings"   /* F16 rows x dim, unit length */
#define TP_IX_OFFSETS "species.offsets" /* I64 species + 1: rows of species s are [o[s], o[s + 1]) */
#define TP_IX_SPECIES "species.names"   /* I64 species: begin in texts; sorted by bytes */
#define TP_IX_IDS "ids"                 /* U8 rows x 20; rising inside a species */
#define TP_IX_BY_ID "ids.order"         /* I64 rows: row numbers, sorted by id, then by row */
#define TP_IX_REFS "refs"               /* I64 rows x 5: begin in texts */
#define TP_IX_TEXTS "texts"             /* U8 */

/* Is this a path that stays below the photo folder? */
bool tp_index_is_safe(const char *path);

/* An index in memory, which is borrowed and must outlive the result; a relative photo root hangs below `folder`. */
TP_CHECKED tp_code tp_index_parse(
	tp_index **out, const void *bytes, size_t len, const char *folder, tp_err *err);

#endif
