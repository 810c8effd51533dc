/* When to stop: a metric of the validation split has not become better for a while. A value, advanced by a pure
 * function: a checkpoint writes it as it is. */
#ifndef TP_TRAIN_EARLY_STOP_H
#define TP_TRAIN_EARLY_STOP_H

#include <stdbool.h>

#include "base/err.h"

typedef struct {
	const char *metric; /* "loss", "top1", "macro_top1": its direction is known by this name */
	int patience;       /* so many values in a row without a better one end the run; 0: never */
	double min_delta;   /* a better value is better by more than this */
} tp_stop_opts;
#define TP_STOP_OPTS_INIT                                                                                    \
	{                                                                                                    \
		.metric = "macro_top1", .patience = 5                                                        \
	}

typedef struct {
	int seen, best_at; /* values so far; which of them (from 0) was best, -1 before the first */
	double best;
} tp_stop;
#define TP_STOP_INIT                                                                                         \
	{                                                                                                    \
		.best_at = -1                                                                                \
	}

typedef enum { TP_STOP_BETTER, TP_STOP_WAIT, TP_STOP_NOW } tp_stop_verdict;

/* TP_EINVAL: an unknown metric (names the known ones), a patience or difference below 0. */
TP_CHECKED tp_code tp_stop_check(const tp_stop_opts *o, tp_err *err);
bool tp_stop_higher_is_better(const char *metric);

/* The next value: a better one than any before (keep this model), no better, or no better for too long. What is not a
 * number is never better. */
tp_stop_verdict tp_stop_next(tp_stop *s, const tp_stop_opts *o, double value);

#endif
