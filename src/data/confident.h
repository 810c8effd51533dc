/* Labels that are probably wrong: confident learning (Northcutt, Jiang, Chuang 2021, arXiv 1911.00068). Needs
 * probabilities for each photo by a model that was not trained on it.
 * Of several classes an item is confidently of, the most probable counts, as in the paper; cleanlab takes the most
 * probable of all classes then.
 * Source of the numbers: the paper; tests/golden/confident.txt holds what the library cleanlab makes of the same
 * probabilities (tests/golden/gen_confident.py). */
#ifndef TP_DATA_CONFIDENT_H
#define TP_DATA_CONFIDENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct {
	uint32_t item;
	uint32_t label, likely; /* as given; the most probable of the others */
	float margin; /* probability of label less that of likely, -1..1: the smaller, the likelier wrong */
} tp_doubt;

typedef struct {
	size_t n_classes;
	/* Mean probability of class j over items labelled j: from it on an item is confidently j. NAN without items. */
	float *threshold;
	/* n_classes x n_classes. joint[i * n_classes + j]: items labelled i that are confidently j and more probably
	 * than any other class they are confidently of. */
	uint32_t *joint;
	/* Items off the diagonal of the joint whose label is not their most probable class, by rising margin, then
	 * by number. */
	tp_doubt *doubts;
	size_t n_doubts;
	size_t n_off; /* items off the diagonal; n_off / n estimates how many labels are wrong */
} tp_confident;

/* p       n x n_classes probabilities, each in 0..1; item i's row begins at p + i * n_classes
 * labels  n values below n_classes
 * out     the caller frees with tp_confident_free(). Untouched on error.
 * Errors: TP_EINVAL (a label or probability outside its range, named), TP_ELIMIT (classes over 20,000: the joint is
 * square), TP_ENOMEM.      Threads: pure; any thread. */
TP_CHECKED tp_code tp_confident_learn(
	tp_confident *out, const float *p, const uint32_t *labels, size_t n, size_t n_classes, tp_err *err);
void tp_confident_free(tp_confident *c);

#endif
