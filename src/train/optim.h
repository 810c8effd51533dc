/* Optimisers over one slab of parameters and its twin of gradients: SGD with momentum and AdamW as PyTorch has them,
 * with the clipping of the gradient's norm in front. What applies where is a table of groups; what an optimiser
 * remembers is one slab too, so that a checkpoint writes it in one go.
 * Every result has the same bits for any number of threads. Threads: one optimiser, one caller. */
#ifndef TP_TRAIN_OPTIM_H
#define TP_TRAIN_OPTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A run of the slab, usually one parameter. No decay for norms and biases, a learning rate that falls from layer to
 * layer, a frozen backbone: all are entries of this table. */
typedef struct {
	const char *name;     /* for messages */
	size_t offset, count; /* floats */
	double lr_scale;      /* times the step's learning rate */
	double weight_decay;
	bool frozen; /* neither changed, nor in the norm, nor looked at; its state waits */
} tp_param_group;

typedef enum { TP_SGD, TP_ADAMW } tp_optim_kind;

typedef struct {
	tp_optim_kind kind;
	double momentum;          /* SGD, 0..1 without 1; 0: no memory at all */
	bool nesterov;            /* SGD; needs momentum */
	double beta1, beta2, eps; /* AdamW */
	double clip_norm;         /* the gradient is scaled down to this norm; 0: never */
	int threads;
} tp_optim_opts;
#define TP_OPTIM_OPTS_INIT                                                                                   \
	{                                                                                                    \
		.kind = TP_ADAMW, .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .threads = 1   \
	}

typedef struct tp_optim tp_optim; /* opaque: owns the state */

/* n         floats of the slab
 * groups    in ascending order, without overlap; floats in no group are never touched (running means, say). Borrowed
 *           for the optimiser's life: between steps the caller may change lr_scale, weight_decay and frozen.
 * Errors    TP_EINVAL names the option or the group, TP_ENOMEM. */
TP_CHECKED tp_code tp_optim_new(tp_optim **out, size_t n, const tp_param_group *groups, size_t n_groups,
	const tp_optim_opts *opts, tp_err *err);
void tp_optim_free(tp_optim *o);

/* One step: the gradient's norm, clipping, the update.
 * w, g      the slab and its gradients (g stays as it is: clipping happens on the way)
 * loss      the one the gradients belong to
 * lr        this step's learning rate
 * norm      the gradient's norm before clipping, for the log; may be NULL
 * Errors    TP_EINVAL when the loss or a gradient is not finite: names the step, from 1, and the first such group; neither w
 *           nor the state has changed then. TP_ENOMEM, the same.
 * Source    torch.optim.SGD and AdamW, torch.nn.utils.clip_grad_norm_; tests/golden/gen_optim.py. A group that was
 *           frozen for a while has its own count of steps for AdamW's bias correction, as in PyTorch. */
TP_CHECKED tp_code tp_optim_step(
	tp_optim *o, float *w, const float *g, double loss, double lr, double *norm, tp_err *err);

/* What must be written to go on later, in place: fill it to resume. The arrays follow each other in memory.
 * SGD has "momentum" (n floats, absent without momentum), AdamW "exp_avg" and "exp_avg_sq" (n each); both have
 * "group_steps" (one a group). */
enum { TP_OPTIM_ARRAYS = 3 };
typedef struct {
	struct {
		const char *name;
		float *v;
		size_t n;
	} array[TP_OPTIM_ARRAYS];
	size_t len;
	uint64_t *step; /* steps done */
} tp_optim_view;
tp_optim_view tp_optim_state(tp_optim *o);

#endif
