/* Losses of a batch of logits and their gradients: softmax cross-entropy with smoothed or mixed labels, class weights
 * and shifts of the logits against long tails. Pure; any thread. */
#ifndef TP_TRAIN_LOSS_H
#define TP_TRAIN_LOSS_H

#include <stddef.h>

#include "base/err.h"

/* What the rows of a batch are: class a, or class a with weight and class b with 1 - weight (mixup, cutmix). */
typedef struct {
	const int *a;
	const int *b;        /* NULL: not mixed */
	const float *weight; /* of a, 0..1; NULL with b */
} tp_targets;

typedef struct {
	double smoothing;     /* label smoothing, [0, 1) */
	const float *shift;   /* one a class, added to the logits before the softmax; NULL: none */
	const float *weights; /* one a class, multiplies its part of the target; NULL: 1 */
	int threads;
} tp_loss_opts;
#define TP_LOSS_OPTS_INIT                                                                                    \
	{                                                                                                    \
		.threads = 1                                                                                 \
	}

/* With t a row's target, smoothed to (1 - smoothing) t + smoothing / classes, and p the softmax of logits + shift,
 * a row's loss is -sum over c of weights_c t_c log p_c.
 * mean      the rows' losses over n; with weights and unmixed targets over the sum of the targets' weights instead,
 *           as PyTorch averages
 * rows      n, each row's loss
 * gradient  n x classes, d mean / d logits; may be the logits themselves
 * logits    n x classes
 * Errors    TP_EINVAL: a class or a weight out of range, smoothing; TP_ENOMEM. Logits that are not finite are no error
 *           here: the mean is not finite then.
 * Source    torch.nn.functional.cross_entropy with class numbers (unmixed) or probabilities (mixed); balanced softmax,
 *           logit adjustment and class-balanced weights by their papers; tests/golden/gen_loss.py. The same bits for any
 *           number of threads. */
TP_CHECKED tp_code tp_loss_softmax(double *mean, double *rows, float *gradient, const float *logits, size_t n,
	int classes, const tp_targets *y, const tp_loss_opts *o, tp_err *err);

/* From the number of training samples of each class; a class without any counts as one with one. */

/* Shift tau log(prior): tau 1 is balanced softmax (Ren et al. 2020, whose log n_c differs by a constant, which a softmax
 * does not see), any tau logit adjustment (Menon et al. 2021). */
void tp_loss_prior_shift(float *shift, const size_t *count, int classes, double tau);
/* Weights (1 - beta) / (1 - beta^n_c), scaled to mean 1 (Cui et al. 2019). beta in [0, 1): 0 gives all 1, towards 1 they
 * become those of inverse frequency. */
void tp_loss_balanced_weights(float *weights, const size_t *count, int classes, double beta);

#endif
