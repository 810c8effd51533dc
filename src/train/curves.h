/* The values of a run's log, tag by tag, in little memory however long the run is: neighbouring values share a cell when
 * there are more than fit. A cell keeps their least, their largest and their mean, so that a spike stays a spike. */
#ifndef TP_TRAIN_CURVES_H
#define TP_TRAIN_CURVES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TP_CURVE_CELLS = 512 }; /* a curve of more values is thinned, to no less than half as many cells */

typedef struct {
	double first, last;     /* steps */
	double min, max, sum;   /* of the finite values */
	uint64_t n, not_finite; /* values */
} tp_cell;

typedef struct {
	double value, step;
} tp_curve_point;

typedef struct {
	char *tag;
	tp_cell *cell;
	size_t n_cells;
	uint64_t
		width; /* values a cell has (the last one may have fewer), a power of two; 1: nothing was thinned */
	uint64_t n, not_finite;  /* values, and those of them that are not finite */
	double first_not_finite; /* its step */
	tp_curve_point last, low,
		high; /* of the finite values; of equal ones the first is the lowest or highest */
} tp_curve;

/* Starts as {0}. */
typedef struct {
	tp_curve *v; /* in the order in which the tags were first seen */
	size_t len;
	uint64_t lines, step; /* lines read; the last one's step */
	double epoch, first_time, last_time;
	size_t bad_lines;
	size_t odd_values; /* neither numbers nor null, or of more tags than TP_MAX_CURVES */
} tp_curves;

TP_CHECKED tp_code tp_curves_read(tp_curves *c, const char *metrics_jsonl, tp_err *err);
void tp_curves_dispose(tp_curves *c);

const tp_curve *tp_curve_find(const tp_curves *c, const char *tag); /* NULL: the log has no such tag */

#endif
