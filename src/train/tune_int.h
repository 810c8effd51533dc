/* A run of fine-tuning; for tune*.c. */
#ifndef TP_TRAIN_TUNE_INT_H
#define TP_TRAIN_TUNE_INT_H

#include "data/loader.h"
#include "nn/learn.h"
#include "train/loss.h"
#include "train/runlog.h"
#include "train/sampler.h"
#include "train/tune.h"

/* Where a run is: plain values, which a checkpoint holds beside the slabs. */
typedef struct {
	uint64_t step;      /* optimiser steps done */
	int epoch;          /* the one under way, or the next */
	size_t at;          /* samples that were used */
	size_t place;       /* how far in its order: more than `at` where photos could not be read */
	double loss, right; /* sums over them */
	size_t seen;
	tp_stop stop;
	double seconds; /* of training so far, in all sessions of the run */
} tp_tune_state;

typedef struct {
	const tp_tune_job *job;
	const tp_recipe *r;
	tp_net *net;
	tp_params p;
	tp_learner *l;
	bool head_only; /* what the learner was made for */
	tp_optim *o;
	tp_param_group *group;
	size_t n_groups;
	float *ema, *ema_buf; /* NULL: none */
	float *undo;          /* running statistics as the step found them */
	tp_labelled *train;
	int *label;
	size_t n_train;
	size_t *photo;      /* of a sample, in the manifest */
	size_t *val, n_val; /* photos of the manifest */
	tp_sampler *sampler;
	tp_loader *loader;
	uint32_t *order;
	int classes, batch;
	size_t steps; /* an epoch */
	float *shift, *weights, *logits, *share;
	int *other;
	double *rows;
	tp_weights *best;
	char backbone[65]; /* SHA-256 of the weights before the first step, without the classifier's */
	tp_weights *start; /* those before the first step, for a mix; NULL: not needed */
	json_t *epochs;
	tp_runlog *log;
	bool best_unsaved; /* best.safetensors is not t->best yet */
	bool saved;        /* last.safetensors is this run's, of saved_step */
	uint64_t saved_step;
	int lock;             /* on the folder; -1: none */
	double clock, waited; /* when the step before ended, and what the loader had cost until then */
	tp_tune_state s;
} tp_tuner;

/* All of a run, from its job; goes on from the folder's checkpoint when the job says so. Close it also after an error. */
TP_CHECKED tp_code tp_tune_open(tp_tuner *t, tp_err *err);
/* What its batches come from, and nothing else. */
TP_CHECKED tp_code tp_tune_open_batches(tp_tuner *t, tp_err *err);
void tp_tune_close(tp_tuner *t);
/* The network compiled for the epoch's phase: in the first ones only the classifier may be trained. */
TP_CHECKED tp_code tp_tune_make_learner(tp_tuner *t, tp_err *err);

/* The folder: TP_EINVAL or TP_ENOTFOUND when it holds a run or none against what the job says; TP_EBUSY. */
TP_CHECKED tp_code tp_tune_check_dir(const tp_tune_job *job, tp_err *err);
TP_CHECKED tp_code tp_tune_take_dir(tp_tuner *t, tp_err *err);
TP_CHECKED tp_code tp_tune_write_recipe(const tp_tuner *t, tp_err *err);
void tp_tune_write_report(const tp_tuner *t); /* a failure costs a warning */

/* One optimiser step, whole or not at all; *over when the epoch has no whole one left. */
TP_CHECKED tp_code tp_tune_step(tp_tuner *t, bool *over, tp_err *err);
/* A batch from the loader as the network sees it, changed in place, and what it is. */
tp_targets tp_tune_vary(tp_tuner *t, const tp_loaded *b, uint64_t draw);

/* The weights as they would be kept: the moving average's where there is one. The caller frees. */
TP_CHECKED tp_code tp_tune_weights(tp_weights **out, tp_tuner *t, tp_err *err);

/* Validation photos through these weights. m.n is 0 when there are none. */
TP_CHECKED tp_code tp_tune_eval(tp_metrics *m, const tp_tuner *t, const tp_weights *w, tp_err *err);

/* Checkpoints. Loading checks that the run is the same: network, species, photos, recipe. */
TP_CHECKED tp_code tp_tune_save(tp_tuner *t, tp_err *err);
TP_CHECKED tp_code tp_tune_save_best(tp_tuner *t, tp_err *err);
TP_CHECKED tp_code tp_tune_save_start(tp_tuner *t, tp_err *err);
TP_CHECKED tp_code tp_tune_load(tp_tuner *t, tp_err *err);
TP_CHECKED tp_code tp_tune_load_start(tp_tuner *t, tp_err *err);
bool tp_tune_has_checkpoint(const char *dir);
/* Of t->p as it is now, into t->backbone. */
TP_CHECKED tp_code tp_tune_hash_backbone(tp_tuner *t, tp_err *err);

/* The figure of a validation that `monitor` names. */
double tp_tune_figure(const tp_tuner *t, const tp_metrics *m);
/* What comes out of a run that is over; t->p and t->best are used up. */
TP_CHECKED tp_code tp_tune_finish(tp_tuned *out, tp_tuner *t, tp_err *err);
/* Warns of photos that could not be read. */
void tp_tune_name_bad(tp_tuner *t);

#endif
