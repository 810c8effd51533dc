/* A compiled plan: fused steps over buffers of one arena; for plan.c, exec.c and the twins.
 *
 * A plan runs photo by photo: the working set of one photo stays in the caches, concatenated branches are written into
 * their slices without a copy, and the arena does not grow with the batch. Batches are shared out to threads by photo;
 * only a batch of one is shared out within each op. The classifier comes last, for the whole batch. */
#ifndef TP_NN_PLAN_INT_H
#define TP_NN_PLAN_INT_H

#include "nn/kernels.h"
#include "nn/net_int.h"

/* A step is what runs at once: convolution with folded batch-norm, perhaps a shortcut added, perhaps an activation. */
typedef struct {
	tp_op_kind
		kind; /* CONV, MAX_POOL, AVG_POOL, GLOBAL_POOL, ADD, RELU, RELU6; CONCAT: copies a branch in */
	const char *name;
	tp_geo geo;
	tp_act act;
	int src, dst; /* pieces; src -1: the caller's input */
	int add;      /* piece of the shortcut, -1: none. In the fast twin it is dst itself */
	int at;       /* CONCAT: the first channel of the branch in dst */
	float *w, *b; /* owned; plain layout, folded */
	char impl[64];
} tp_step;

/* A piece of the arena; its place is chosen by liveness. A branch of a concatenation is a slice of its parent. */
typedef struct {
	int channels, area;
	size_t bytes, offset;
	int first, last; /* steps that write it first and read it last */
	int parent;      /* -1: none */
	int at;          /* its first channel in the parent */
} tp_piece;

typedef struct tp_fast tp_fast;           /* the fast twin's share of a plan (dnnl_plan.c) */
typedef struct tp_fast_exec tp_fast_exec; /* and of a worker */

struct tp_plan {
	tp_plan_opts opts;
	int op_threads; /* threads that share one op */
	int n_features, n_classes;
	tp_step *step;
	int n_steps;
	tp_piece *piece;
	int n_pieces;
	int features; /* piece */
	int spare;    /* piece the plain twin adds shortcuts through */
	size_t arena_bytes;
	float *head_w, *head_b; /* the classifier; NULL: none */
	tp_fast *fast;          /* NULL: the plain twins run */
};

/* One thread's share of an exec: photos go through it one by one. */
typedef struct {
	uint8_t *arena;
	tp_fast_exec *fast;
} tp_worker;

struct tp_exec {
	const tp_plan *plan;
	tp_worker *worker;
	int n_workers;
	float *features;
};

static inline float *tp_piece_at(const tp_plan *p, uint8_t *arena, int piece)
{
	return (float *)(void *)(arena + p->piece[piece].offset);
}

/* The fast twin. tp_fast_new() is TP_EBACKEND where the library has nothing for this machine; it sets each root
 * piece's bytes to what its layouts need and each step's impl, and takes over the weights it wants. */
TP_CHECKED tp_code tp_fast_new(tp_fast **out, tp_plan *p, tp_err *err);
void tp_fast_free(tp_fast *f);
TP_CHECKED tp_code tp_fast_exec_new(tp_fast_exec **out, const tp_plan *p, uint8_t *arena, tp_err *err);
void tp_fast_exec_free(tp_fast_exec *x);
TP_CHECKED tp_code tp_fast_run(
	tp_fast_exec *x, const tp_plan *p, uint8_t *arena, const float *in, tp_err *err);

#endif
