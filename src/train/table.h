/* Labelled features of a manifest, split by split; shared by training and evaluation. */
#ifndef TP_TRAIN_TABLE_H
#define TP_TRAIN_TABLE_H

#include "train/train.h"

typedef struct {
	tp_samples s;  /* owned here: x, y */
	size_t *photo; /* number in the manifest */
} tp_table;

/* Readable photos of one split. class_of maps the manifest's species to classes; NULL: the same numbers. Photos of
 * class -1 are left out. */
TP_CHECKED tp_code tp_table_make(tp_table *t, const tp_manifest *m, const tp_features *f, tp_split split,
	const int *class_of, int classes, tp_err *err);
void tp_table_free(tp_table *t);

/* Prints accuracy over all, by organ, by source, and with the candidates of each source only. */
TP_CHECKED tp_code tp_print_report(const tp_manifest *m, const tp_table *t, const float *scores, tp_err *err);

#endif
