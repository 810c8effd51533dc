/* A network compiled for training; for learn.c and the twins. */
#ifndef TP_NN_LEARN_INT_H
#define TP_NN_LEARN_INT_H

#include "base/team.h"
#include "nn/learn.h"
#include "nn/plan_int.h"

/* A step runs at once, forward and backward: an op of the graph, with the shortcut that is added behind a batch-norm
 * (in[1]) and the activation behind a batch-norm or an addition taken in. Steps know nodes; where a node's values and gradients lie is the learner's. */
typedef struct {
	tp_op_kind kind;
	const tp_node *node;
	int in[TP_MAX_IN], n_in; /* nodes it reads */
	int out;                 /* the node whose output it makes: that of the last op taken in */
	tp_act act;
	tp_geo geo;           /* of the whole batch */
	bool trains;          /* its own parameters get gradients */
	bool batch_stat;      /* batch-norm by the batch's statistics; else by the running ones */
	float momentum;       /* of those */
	float drop;           /* additions: the rate at which a photo's in[0] is left out */
	bool back;            /* the gradient comes through here at all */
	bool want[TP_MAX_IN]; /* an input's gradient is wanted */
	int part[TP_MAX_IN]; /* piece for it that is then added to what other readers gave; -1: written in place */
	bool same
		[TP_MAX_IN]; /* additions and shortcuts: the input's gradient is the output's, masked in place */
	int from;            /* the step that made in[0]; -1: the input */
	int again; /* convolutions: piece for in[0] computed again in the backward pass; -1: it was kept */
	/* The fast twin takes photos through a convolution a few at a time, and the batch-norms around it with them while
	 * they are in the caches. */
	bool late;          /* batch-norm: the next step, a convolution, writes its output first */
	bool late_back;     /* the same for its gradient, and the step before */
	int sums;           /* convolution: the batch-norm whose sums are taken of its output; -1 */
	int back_sums;      /* convolution: the batch-norm before it whose gradient's sums are taken; -1 */
	float *mean, *rstd; /* batch-norm, plain twin: of this batch; owned */
} tp_lstep;

typedef struct {
	size_t floats; /* a photo's */
	size_t offset; /* bytes, of an arena for one photo */
	int first, last;
} tp_lpiece;

typedef struct tp_twin tp_twin;

struct tp_learner {
	const tp_net *net;
	tp_params *params;
	tp_learn_opts opts;
	tp_team *team;
	tp_plane *plane;
	tp_lstep *step;
	int n_steps;
	tp_lpiece *piece;
	int n_pieces;
	int *value, *grad; /* per node: piece; -1: none, or the caller's (input, logits) */
	uint8_t *arena;
	size_t photo_bytes, arena_bytes;
	const tp_twin *twin;
	void *fast; /* the fast twin's */
	/* of the run under way */
	const float *in, *dlogits;
	bool add; /* gradients are added to the slab's, not written over them */
	float *logits;
	uint64_t seed;
	double *spent; /* seconds by step and pass, of worker 0 */
	tp_code *rc;   /* a worker's first failure */
	tp_err *err;
};

/* What the two twins do differently. A worker's share are the photos tp_share() says. */
struct tp_twin {
	/* Floats a node's output takes for one photo. */
	size_t (*floats)(const tp_learner *l, int node);
	tp_code (*open)(tp_learner *l, tp_err *err);
	void (*close)(tp_learner *l);
	/* Before the first step of a pass and after its last one. */
	void (*begin)(tp_learner *l, bool forward, int worker);
	void (*end)(tp_learner *l, bool forward, int worker);
	void (*forward)(tp_learner *l, int step, int worker);
	void (*backward)(tp_learner *l, int step, int worker);
	const char *(*impl)(
		const tp_learner *l, int step, int pass); /* 0 forward, 1 data's, 2 weights' gradient */
};
extern const tp_twin tp_twin_plain, tp_twin_fast;
/* Is there a fast twin here? */
bool tp_twin_fast_here(void);

typedef struct {
	int first, n;
} tp_share; /* photos */
tp_share tp_share_of(const tp_learner *l, int worker);

/* Where the photo `n` of a node's values or gradients begins; the caller's own memory for input and logits. Only the
 * photos of one share lie side by side. */
float *tp_value_at(const tp_learner *l, int node, int photo);
float *tp_grad_at(const tp_learner *l, int node, int photo);
/* Where the gradient of input k of a step is to be written: its own place, or the part that is added afterwards. */
float *tp_grad_out(const tp_learner *l, const tp_lstep *s, int k, int photo);
/* Where photo `n` of a convolution's input lies, when it is computed again. */
float *tp_again_at(const tp_learner *l, const tp_lstep *s, int photo);

/* Parameter `field` (0 weight, 1 bias, 2 running mean, 3 running variance) of a step. */
float *tp_param_at(const tp_learner *l, const tp_lstep *s, int field);
float *tp_param_grad(const tp_learner *l, const tp_lstep *s, int field);

/* Adds the thread's time since `from` to a step's pass, when worker is 0; its time now. */
double tp_learner_spent(tp_learner *l, int step, int pass, int worker, double from);

/* What the branch of photo `n` is multiplied by before an addition: 1 without stochastic depth, else of this seed. */
float tp_branch_scale(const tp_learner *l, const tp_lstep *s, int photo);

/* Dropout of photos first..first + n - 1 (plain rows), forward and backward alike: y = x times the mask of this seed. */
void tp_drop(const tp_learner *l, const tp_lstep *s, float *y, const float *x, int first, int n);

#endif
