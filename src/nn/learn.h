/* Training a network: its floats in slabs, and a learner that runs a batch forward and backward.
 *
 *   tp_params    trained floats in one slab with a gradient twin: one optimiser loop, one write, one all-reduce;
 *                running statistics in a slab of their own
 *   tp_learner   a net compiled for training at (batch, side, threads): one arena, planned by liveness; a step
 *                allocates nothing
 *
 * Each thread takes the same photos of a batch through every layer. Threads meet where a layer needs the whole batch
 * (batch-norm) and when weight gradients are summed, in a fixed order: the same batch, weights and number of threads
 * give the same bits. */
#ifndef TP_NN_LEARN_H
#define TP_NN_LEARN_H

#include "nn/nn.h"

/* ---- parameters ---------------------------------------------------------------------------------------- */

typedef struct {
	const tp_net *net; /* borrowed: must outlive this */
	size_t n, n_buf;
	float *w, *g; /* n trained floats, and their gradients */
	float *buf;   /* n_buf floats of running statistics */
	size_t *off; /* per tp_net_param: where it begins, in w and g, or in buf for buffers. Row-major, as in files */
} tp_params;

/* Zeroes, but running variances of 1. */
TP_CHECKED tp_code tp_params_init(tp_params *p, const tp_net *net, tp_err *err);
void tp_params_dispose(tp_params *p);
/* From named tensors. TP_EFORMAT names a parameter that is missing or has another shape. skip_classifier leaves the
 * last stage as it is: the tensors may know other classes. */
TP_CHECKED tp_code tp_params_load(tp_params *p, const tp_weights *w, bool skip_classifier, tp_err *err);
/* Named tensors with a copy of the values; the caller frees. */
TP_CHECKED tp_code tp_params_copy(tp_weights **out, const tp_params *p, tp_err *err);

/* ---- learner ------------------------------------------------------------------------------------------- */

typedef struct {
	int batch;   /* photos a step takes, >= 1 */
	int side;    /* pixels */
	int threads; /* at most one a photo are used */
	bool plain;  /* the plain C twins: slow, the truth */
	/* Stages that are not trained: batch-norm by running statistics, no gradients. Nothing is computed below the
	 * first trained one that only gradients would need. */
	bool frozen[TP_MAX_STAGES];
	float bn_momentum; /* of running statistics, instead of the network's own; 0: the network's */
	bool running_stat; /* batch-norms by the running statistics, which stay; scale and shift are trained */
	/* Stochastic depth (Huang et al. 2016, arXiv 1603.09382), photo by photo: block b of n, from 0, adds its branch to
	 * a photo with probability 1 - drop_path b / n, divided by that, and the shortcut alone otherwise; in
	 * stages that are trained. 0: off; below 1; above 0 TP_EINVAL for a network without residual blocks. */
	float drop_path;
	bool direct; /* no Winograd: rounds less, and is slower */
	bool whole;  /* test of parts: no dropout */
} tp_learn_opts;
#define TP_LEARN_OPTS_INIT                                                                                   \
	{                                                                                                    \
		.batch = 16, .side = 224, .threads = 1                                                       \
	}

typedef struct tp_learner tp_learner;

/* The network needs a classifier. params is borrowed and must outlive the learner. */
TP_CHECKED tp_code tp_learner_new(
	tp_learner **out, const tp_net *net, tp_params *params, const tp_learn_opts *opts, tp_err *err);
void tp_learner_free(tp_learner *l);
size_t tp_learner_arena_bytes(const tp_learner *l);
/* Three lines an op, for the forward pass, its data's and its weights' gradient: name, and implementation as
 * tp_plan_op_impl() has it ("" when there is no such pass). */
size_t tp_learner_ops(const tp_learner *l);
const char *tp_learner_op_name(const tp_learner *l, size_t i);
const char *tp_learner_op_impl(const tp_learner *l, size_t i);
/* Seconds of a processor that the first thread has spent in it since the learner was made. */
double tp_learner_op_seconds(const tp_learner *l, size_t i);

/* One batch through the network: by batch statistics, which move the running ones, unless running_stat.
 * in      float NCHW, batch x 3 x side x side; borrowed until the backward pass
 * logits  float, batch x n_classes
 * seed    of dropout and stochastic depth: the same for the same step */
TP_CHECKED tp_code tp_learner_forward(
	tp_learner *l, const float *in, float *logits, uint64_t seed, tp_err *err);
/* After a forward pass: d(loss)/d(parameters) to params->g, written over what is there, or added to it. What is not
 * trained is left alone.  dlogits: batch x n_classes. */
TP_CHECKED tp_code tp_learner_backward(tp_learner *l, const float *dlogits, bool add, tp_err *err);

#endif
