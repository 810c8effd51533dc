/* The learning rate at a step: a linear warm-up, then a cosine, drops at given epochs, or nothing. A pure function, so
 * that a run may be resumed at any step. */
#ifndef TP_TRAIN_SCHEDULE_H
#define TP_TRAIN_SCHEDULE_H

#include <stdint.h>

#include "base/err.h"

typedef enum { TP_LR_CONSTANT, TP_LR_COSINE, TP_LR_STEP } tp_lr_kind;
enum { TP_LR_DROPS = 16 };

typedef struct {
	tp_lr_kind kind;
	double lr;                /* where warm-up ends */
	double warmup_epochs;     /* may be a part of one; 0: none */
	double warmup_from;       /* the share of lr that step 0 has */
	double floor;             /* cosine: the rate at `total` steps and after */
	double factor;            /* steps: what each drop multiplies with */
	double drop[TP_LR_DROPS]; /* steps: epochs (from the first step, warm-up included) */
	int n_drops;
} tp_lr_opts;
#define TP_LR_OPTS_INIT                                                                                      \
	{                                                                                                    \
		.kind = TP_LR_COSINE, .lr = 1e-3, .warmup_from = 0.01, .factor = 0.1                         \
	}

/* TP_EINVAL names the option that is out of range, or a warm-up that would not end before the run does. */
TP_CHECKED tp_code tp_lr_check(const tp_lr_opts *o, uint64_t total, uint64_t steps_per_epoch, tp_err *err);

/* step       from 0
 * total      steps of the whole run
 * Source     torch.optim.lr_scheduler: LinearLR, then CosineAnnealingLR or MultiStepLR; tests/golden/gen_schedule.py */
double tp_lr_at(const tp_lr_opts *o, uint64_t step, uint64_t total, uint64_t steps_per_epoch);

#endif
