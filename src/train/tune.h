/* Fine-tuning a whole network: see recipe.h for the settings. A run has a folder: the checkpoints last.safetensors and
 * best.safetensors, the weights before the first step, start.safetensors, and its log. */
#ifndef TP_TRAIN_TUNE_H
#define TP_TRAIN_TUNE_H

#include <jansson.h>

#include "train/loss.h"
#include "train/recipe.h"
#include "train/train.h"

typedef struct {
	const tp_manifest *m;
	const uint8_t
		*state; /* per photo of the manifest: TP_FEATURE_BAD ones are left out; NULL: all are tried */
	const tp_arch *arch;
	const tp_weights *backbone; /* weights to start from; NULL: from nothing, as tp_net_init() has it */
	const tp_head *head;        /* classifier to start from; NULL: at random */
	const tp_prep *prep;
	const tp_recipe *recipe;
	const char *dir; /* of the run */
	bool resume;     /* goes on from dir's last checkpoint; without: dir must not hold one */
	int threads;
	bool quiet;
} tp_tune_job;

/* What is wrong with a job before any work is done for it: a setting, a folder that holds a run or none to go on with. */
TP_CHECKED tp_code tp_tune_check(const tp_tune_job *job, tp_err *err);

/* What came out: the best epoch's weights (all tensors of the network, the classifier included), mixed with those before
 * the first step as `blend` says, and what happened. A run that is over already is only mixed. */
typedef struct {
	tp_weights *weights;
	json_t *history; /* an object: epochs with their figures, best epoch, steps, seconds, share of time waiting, bad photos, and
			  * the blend, where it is not 1, with what was tried for it */
} tp_tuned;
/* Errors: TP_ECANCEL says which checkpoint there is; TP_EBUSY: another process works in the folder; TP_EINVAL for a loss that is no number: names the step, the last
 * checkpoint is left as it was; those of the parts. */
TP_CHECKED tp_code tp_tune(tp_tuned *out, const tp_tune_job *job, tp_err *err);
void tp_tuned_dispose(tp_tuned *t);

/* The batches of a run without the run, for those who compare another trainer with this one: what the network would be
 * given from an epoch (from 0) on, in order. Borrowed for the call. */
typedef struct {
	int epoch, n;
	const float *x; /* NCHW */
	tp_targets y;
} tp_tune_batch;
typedef tp_code (*tp_tune_batch_fn)(void *ud, const tp_tune_batch *b, tp_err *err);
/* Of the job: photos, state, prep and recipe. fn may end it with an error. */
TP_CHECKED tp_code tp_tune_batches(
	const tp_tune_job *job, int epoch, tp_tune_batch_fn fn, void *ud, tp_err *err);

#endif
