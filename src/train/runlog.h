/* What one sees of a run while it goes on, and after: a line of JSON a call in DIR/metrics.jsonl, for programs and for
 * html_report.h, and the same values in an event file beside it, for TensorBoard. docs/formats.md describes both.
 * One rank of a run writes. Threads: one log, one caller. */
#ifndef TP_TRAIN_RUNLOG_H
#define TP_TRAIN_RUNLOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Tags that the report has a title and a place for; any other gets a curve of its own. Shares are 0..1. */
#define TP_TAG_LOSS "train/loss"
#define TP_TAG_LR "train/lr"
#define TP_TAG_GRAD_NORM "train/grad_norm"
#define TP_TAG_IMAGES_PER_S "train/images_per_s"
#define TP_TAG_WAIT "train/wait" /* share of the time that was spent waiting for photos */
#define TP_TAG_VAL_LOSS "val/loss"
#define TP_TAG_VAL_TOP1 "val/top1"
#define TP_TAG_VAL_TOP5 "val/top5"
#define TP_TAG_VAL_MACRO_TOP1 "val/macro_top1"

/* A tag is 1 to TP_RUNLOG_TAG of the characters a-z A-Z 0-9 _ . - / and none of step, epoch, time, nonfinite. */
enum { TP_RUNLOG_VALUES = 32, TP_RUNLOG_TAG = 64 };
typedef struct {
	const char *tag;
	double value; /* one that is not finite is kept as what it is */
} tp_run_value;

typedef struct tp_runlog tp_runlog; /* opaque: owns both files */

/* dir          made when it is not there
 * epoch_open   the checkpoint is from before its epoch's own line: of several lines of resume_step the first stays
 * resume_step  0: a new log; files of an earlier one in dir are moved to dir/before-N, never overwritten. Else the
 *              steps that were done when the checkpoint was written: what the log says of later ones is cut off (at
 *              once or not at all), as are lines that cannot be read, with a warning that counts them.
 * Errors       TP_EIO, TP_EDENIED, TP_ELIMIT (a thousand earlier logs), TP_ENOMEM. */
TP_CHECKED tp_code tp_runlog_open(
	tp_runlog **out, const char *dir, uint64_t resume_step, bool epoch_open, tp_err *err);

/* Values after `step` steps, at most TP_RUNLOG_VALUES of different tags; steps never go back. Both files have them when
 * this returns: a process that is killed loses nothing of earlier calls (a machine that loses power may).
 * A disk that is full costs the line and a warning, once, and never the run; when there is room again, the next line
 * follows the last whole one. */
void tp_runlog_add(tp_runlog *l, uint64_t step, double epoch, const tp_run_value *v, size_t n);

/* NULL is fine. Warns how many lines were lost, when any were. */
void tp_runlog_close(tp_runlog *l);

/* Lines of a metrics.jsonl, in order; fn may stop it with an error. A line is an object with a whole number "step" of
 * at least 0 that is no smaller than the line's before; *bad counts the others, half a line at the end included.
 * Errors    TP_ENOTFOUND and so on, or fn's. */
typedef struct {
	uint64_t step;
	double epoch, time; /* 0 when the line has none */
	const json_t *json; /* the whole line; borrowed for the call */
	const char *text;   /* without the end of line */
	size_t len;
} tp_run_line;
typedef tp_code (*tp_run_line_fn)(void *ud, const tp_run_line *line, tp_err *err);
TP_CHECKED tp_code tp_runlog_read(const char *path, tp_run_line_fn fn, void *ud, size_t *bad, tp_err *err);

#endif
