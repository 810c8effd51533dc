/* A compiled plan: fused steps over buffers of one arena; for plan.c, exec.c and the twins. */
#ifndef TP_NN_PLAN_INT_H
#define TP_NN_PLAN_INT_H

#include "nn/net_int.h"

/* A step is what runs at once: convolution with folded batch-norm, perhaps a shortcut added, perhaps ReLU6. */
typedef struct {
	tp_op_kind kind; /* TP_OP_CONV, TP_OP_AVG_POOL or TP_OP_LINEAR */
	const char *name;
	tp_conv_geo geo;
	bool relu6;
	int src, dst; /* buffers; src -1: the caller's input */
	int add;      /* buffer of the shortcut, -1: none. In the fast twin it is dst itself */
	float *w, *b; /* owned; plain layout, folded */
	char impl[64];
} tp_step;

/* A piece of the arena; its place is chosen by liveness. */
typedef struct {
	size_t bytes, offset;
	int first, last; /* steps that write it first and read it last */
} tp_piece;

typedef struct tp_fast tp_fast;           /* the fast twin's share of a plan (dnnl_plan.c) */
typedef struct tp_fast_exec tp_fast_exec; /* and of an exec */

struct tp_plan {
	tp_plan_opts opts;
	int n_features, n_classes;
	tp_step *step;
	int n_steps;
	tp_piece *piece;
	int n_pieces;
	int features, logits; /* pieces; logits -1: none */
	int spare;            /* piece the plain twin adds shortcuts through */
	size_t arena_bytes;
	tp_fast *fast; /* NULL: the plain twins run */
};

struct tp_exec {
	const tp_plan *plan;
	uint8_t *arena;
	tp_fast_exec *fast;
};

/* The fast twin. tp_fast_new() is TP_EBACKEND where the library has nothing for this machine; it sets each piece's
 * bytes to what its layouts need and each step's impl, and takes over the weights it wants. */
TP_CHECKED tp_code tp_fast_new(tp_fast **out, tp_plan *p, tp_err *err);
void tp_fast_free(tp_fast *f);
TP_CHECKED tp_code tp_fast_exec_new(tp_fast_exec **out, const tp_plan *p, uint8_t *arena, tp_err *err);
void tp_fast_exec_free(tp_fast_exec *x);
TP_CHECKED tp_code tp_fast_run(
	tp_fast_exec *x, const tp_plan *p, uint8_t *arena, const float *in, tp_err *err);

#endif
