/* The fast twin, for the learn_fast*.c: what it holds for each op, and who does what.
 *
 *   learn_fast.c       the frame: opening, running a step, closing
 *   learn_fast_conv.c  convolutions, their weights' layouts, the sum of the threads' weight gradients
 *   learn_fast_norm.c  batch-norms
 *   learn_fast_rest.c  linear layers and concatenations */
#ifndef TP_NN_LEARN_FAST_INT_H
#define TP_NN_LEARN_FAST_INT_H

#include "nn/dnnl_shim.h"
#include "nn/learn_int.h"

enum { SHARES = 2 }; /* shares of a batch differ by one photo at most */
enum {
	SIZES = 6
}; /* so do the groups of a share that a convolution takes at once: two of each, and the shares */
enum { FORWARD = TP_PASS_FORWARD, DATA = TP_PASS_DATA, WEIGHTS = TP_PASS_WEIGHTS, PASSES = TP_PASSES };

/* A convolution's primitives for one number of photos. */
typedef struct {
	int photos;
	tp_md src, dst, bias;
	dnnl_primitive_desc_t pd[PASSES];
	dnnl_primitive_t prim[PASSES];
} conv_size;

/* A thread's memories of a convolution. */
typedef struct {
	dnnl_memory_t src[SIZES], dst[SIZES]; /* and their gradients: places are set when they run */
	dnnl_memory_t bias, dw, db, scratch[SIZES][PASSES];
	/* Its slice of the weight gradient, from what a thread has to the slab. */
	tp_md slice_md, rows_md;
	dnnl_memory_t slice, rows;
	dnnl_primitive_t add, write;
} conv_thread;

typedef struct {
	conv_size size[SIZES];          /* photos 0: no more of them */
	int group;                      /* photos that go through at once, at most */
	const conv_size *first[PASSES]; /* the one whose layout of weights is that of all */
	tp_md w_plain;
	dnnl_memory_t plain,
		w[PASSES]; /* weights as they lie in the slab, and as FORWARD and DATA want them */
	float *laid;       /* of the pass that runs */
	dnnl_primitive_t lay[PASSES];
	size_t grad_floats; /* of a thread's weight gradient; its bias's comes behind */
	bool depthwise;     /* the weight gradient is a kernel of ours, in rows */
	bool wino
		[PASSES]; /* Winograd's kernels instead of a primitive; the weight gradient is in rows then */
	conv_thread *t;
	char impl[PASSES][48];
} fast_conv;

typedef struct {
	double *sum, *sq;         /* per thread, c each: this pass's sums over its photos */
	double *all_sum, *all_sq; /* those of all threads */
	float *mean, *rstd;
} fast_norm;

typedef struct {
	fast_conv *conv;
	fast_norm *norm; /* one a thread; sums of all threads are read by all */
	int owner;       /* the thread that lays out its weights */
	int slot;        /* where the threads write their share of its weight gradient */
} fast_step;

typedef struct {
	int step; /* whose gradient waits in a slot; -1: none */
	bool met; /* the other threads, since it was written */
} fast_sum;

typedef struct {
	dnnl_engine_t engine;
	const tp_kernels *k;
	dnnl_format_tag_t tag;
	fast_step *step;
	dnnl_stream_t *stream; /* one a thread */
	uint8_t **scratch;
	/* Every thread's share of a layer's weight gradient waits in one of two slots until all threads have met; then
	 * they add them into the slab, a slice each. Layers take turns with the slots: whoever writes one has met the
	 * others since they read it. */
	float **slot;      /* two a thread */
	float **part;      /* one a thread: a group's share, on its way into the slot */
	fast_sum *waiting; /* one a thread */
	size_t *load;      /* floats a thread lays out */
	/* Winograd's kernels want four times as many floats as there are weights: a convolution's are made when it runs,
	 * by all threads, in one of two places. They take turns, so whoever writes one has met the others since they
	 * read it. */
	float *u[2];
	size_t u_floats;
	int *turn; /* one a thread */
	size_t scratch_bytes, slot_floats;
	int photos[SHARES]; /* of a share: the largest first; the smaller one, or 0 */
} fast;

static inline int blocks_of(const fast *f, int channels)
{
	return (channels + f->k->block - 1) / f->k->block;
}

static inline void grow(size_t *at, size_t n)
{
	if (n > *at)
		*at = n;
}

/* Floats a node's output takes for one photo. */
size_t tp_fast_floats(const tp_learner *l, int node);
/* Keeps a worker's first failure. */
void tp_fast_note(tp_learner *l, int worker, dnnl_status_t st, const char *what);
/* Where worker writes its share of a step's weight gradient, once what waits has been added; and a thread's. */
float *tp_fast_slot(tp_learner *l, int i, int worker);
float *tp_fast_slot_of(const tp_learner *l, int i, int worker);
/* A thread's n floats to the slab: the first one's over what is there, unless the learner adds. */
void tp_fast_to_slab(const tp_learner *l, int thread, float *g, const float *x, size_t n);
/* Says that all threads have met. */
void tp_fast_met(tp_learner *l, int worker);
/* Adds what waits to the slab: worker's slice of it. */
void tp_fast_sum_waiting(tp_learner *l, int worker);

/* ---- convolutions; i is a step, worker a thread ---------------------------------------------------------- */

tp_code tp_fast_conv_open(tp_learner *l, int i, tp_err *err);
/* A thread's memories; the input's place is set when it is known. */
dnnl_status_t tp_fast_conv_bind(const tp_learner *l, fast_conv *c, const tp_lstep *s, int worker);
void tp_fast_conv_close(fast_conv *c, int threads);
/* Lays the weights out for the passes that will want them. */
void tp_fast_conv_lay(tp_learner *l, int i, int worker, int pass);
void tp_fast_conv_forward(tp_learner *l, int i, int worker);
void tp_fast_conv_backward(tp_learner *l, int i, int worker);
/* A slice of all threads' weight gradients into the slab. */
void tp_fast_conv_sum(tp_learner *l, int i, int worker);

/* ---- batch-norms ------------------------------------------------------------------------------------------ */

tp_code tp_fast_norm_open(tp_learner *l, int i, tp_err *err);
void tp_fast_norm_close(fast_norm *n, int threads);
void tp_fast_norm_forward(tp_learner *l, int i, int worker);
void tp_fast_norm_backward(tp_learner *l, int i, int worker);
/* Parts of the two, for photos first..first + photos - 1 of a worker: for the convolutions around a batch-norm. Sums
 * begin at 0 with no_sums. */
void tp_fast_norm_no_sums(tp_learner *l, int i, int worker);
void tp_fast_norm_sums(tp_learner *l, int i, int worker, int first, int photos);
void tp_fast_norm_apply(tp_learner *l, int i, int worker, int first, int photos);
void tp_fast_norm_back_sums(tp_learner *l, int i, int worker, int first, int photos);
void tp_fast_norm_back(tp_learner *l, int i, int worker, int first, int photos);
/* What a convolution read, computed once more from the batch-norm's input, at the beginning of a worker's place for it:
 * keeping it would cost more memory than this costs time. */
void tp_fast_norm_again(tp_learner *l, const tp_lstep *conv, int worker, int first, int photos);

/* ---- the rest --------------------------------------------------------------------------------------------- */

size_t tp_fast_linear_floats(const tp_lstep *s); /* of its weight gradient */
void tp_fast_linear_forward(tp_learner *l, const tp_lstep *s, tp_share share, int worker);
void tp_fast_linear_backward(tp_learner *l, int i, tp_share share, int worker);
void tp_fast_linear_sum(tp_learner *l, int i, int worker);
void tp_fast_concat(tp_learner *l, const tp_lstep *s, tp_share share, bool back);

#endif
