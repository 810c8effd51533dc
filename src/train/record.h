/* The training record: what was done, in JSON, written by the program as it worked. */
#ifndef TP_TRAIN_RECORD_H
#define TP_TRAIN_RECORD_H

#include <jansson.h>

#include "train/train.h"

typedef struct {
	const tp_manifest *m;
	const tp_features *features;
	const tp_arch *arch;
	const tp_prep *prep;
	const tp_train_opts *opts;
	const json_t *sources; /* what --sources said, or NULL */
	char backbone_sha256[65];
	double penalty, penalties[16], val_nll[16], val_top1[16];
	int n_penalties, iterations;
	double loss, gradient; /* of the head that was chosen */
	tp_calibration calibration;
	double accepted_val;       /* share of validation photos above reject_below */
	size_t n_unknown, n_known; /* photos the novelty model was fitted on */
	double novelty_auroc;
	const json_t *history; /* of fine-tuning; NULL: there was none */
	tp_metrics val, test;
	double seconds;
} tp_run;

json_t *tp_record_json(const tp_run *r);
json_t *tp_metrics_json(const tp_metrics *m);
/* Classes as the model file has them; photos counted in the training split. */
json_t *tp_classes_json(const tp_manifest *m, const tp_features *f);

#endif
