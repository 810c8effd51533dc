/* From rows as they were read to a backbone that can be searched. Not for other modules. */
#ifndef TP_TAXONOMY_BUILD_INT_H
#define TP_TAXONOMY_BUILD_INT_H

#include "taxonomy/backbone_int.h"

/* Room for one more row. */
TP_CHECKED tp_code tp_backbone_more(tp_backbone *b, tp_err *err);

/* Rows that repeat an id go, genera without a row get one, rows are sorted, synonyms followed to their end, families
 * filled in, indexes made. stats: one for each source, or NULL. */
TP_CHECKED tp_code tp_backbone_build(tp_backbone *b, tp_backbone_stats *stats, tp_err *err);

#endif
