/* The graph of a network and the plain C ops; for the files of this folder. */
#ifndef TP_NN_NET_INT_H
#define TP_NN_NET_INT_H

#include "nn/nn.h"

typedef enum {
	TP_OP_INPUT,
	TP_OP_CONV, /* 2-D convolution, with or without bias */
	TP_OP_BATCH_NORM,
	TP_OP_RELU,
	TP_OP_RELU6,
	TP_OP_ADD,
	TP_OP_CONCAT, /* of channels */
	TP_OP_MAX_POOL,
	TP_OP_AVG_POOL,
	TP_OP_GLOBAL_POOL, /* mean over the whole plane */
	TP_OP_DROPOUT,     /* nothing but in training */
	TP_OP_LINEAR,      /* with bias */
} tp_op_kind;

/* How a window moves over a plane; for convolutions and pools. */
typedef struct {
	int kh, kw, stride;
	int ph, pw;     /* rows and columns of padding before and behind */
	bool same;      /* padded as TensorFlow's SAME instead: ph, pw do not count */
	bool ceil;      /* pools: a last window may hang over the end (PyTorch's ceil_mode) */
	bool count_pad; /* average pools: the padding counts as zeros (PyTorch's count_include_pad) */
} tp_window;
#define TP_SQUARE(k, s, p)                                                                                   \
	(tp_window)                                                                                          \
	{                                                                                                    \
		.kh = (k), .kw = (k), .stride = (s), .ph = (p), .pw = (p)                                    \
	}
#define TP_SAME(k, s)                                                                                        \
	(tp_window)                                                                                          \
	{                                                                                                    \
		.kh = (k), .kw = (k), .stride = (s), .same = true                                            \
	}

enum { TP_MAX_IN = 8 };

typedef struct {
	tp_op_kind kind;
	char name[48];           /* of its parameters: "blocks.1.0.conv_dw"; "" when it has none */
	int in[TP_MAX_IN], n_in; /* nodes */
	int channels;            /* of its output */
	tp_window win;
	int groups;
	bool bias;      /* convolutions */
	float eps;      /* batch-norm */
	float momentum; /* batch-norm: running = (1 - momentum) running + momentum batch */
	float rate;     /* dropout: the share that is zeroed */
	int param;      /* the first of its parameters, in tp_net_params() order; -1: none */
	int stage;      /* which part of the network it belongs to, in tp_net_stages() order */
	int block;      /* which of its residual blocks, from 0; -1: before the first */
} tp_node;

struct tp_net {
	const tp_arch *arch;
	tp_node *v;
	int n, cap;
	tp_net_param *param;
	size_t n_params;
	char stage[TP_MAX_STAGES][16];
	int n_stages, n_blocks;
	int features, logits; /* nodes; logits -1: none */
	int n_classes;
	tp_code rc; /* the first failure of a builder call: building goes on, tp_net_new() reports it */
};

/* Builders: each adds a node and is its number. They note failures in net->rc. */
int tp_net_input(tp_net *net);
/* Nodes from here on belong to this part: "stem", "stage1", ... */
void tp_net_stage(tp_net *net, const char *fmt, ...) TP_PRINTF(2, 3);
/* Nodes from here on belong to the next residual block: also one that has no shortcut because it changes the shape. */
void tp_net_block(tp_net *net);
int tp_net_conv(tp_net *net, int in, const char *name, int channels, tp_window win, int groups, bool bias);
int tp_net_batch_norm(tp_net *net, int in, const char *name, float eps, float momentum);
int tp_net_relu(tp_net *net, int in);
int tp_net_relu6(tp_net *net, int in);
int tp_net_add(tp_net *net, int branch, int shortcut);
int tp_net_concat(tp_net *net, const int *in, int n); /* 2..TP_MAX_IN of them */
int tp_net_max_pool(tp_net *net, int in, tp_window win);
int tp_net_avg_pool(tp_net *net, int in, tp_window win);
int tp_net_global_pool(tp_net *net, int in);
int tp_net_dropout(tp_net *net, int in, float rate);
int tp_net_linear(tp_net *net, int in, const char *name, int channels);

/* Its name, or that of its kind when it has none: "relu", "max_pool", ... */
const char *tp_node_label(const tp_node *node);

/* ---- how weights begin ------------------------------------------------------------------------------ */

typedef enum {
	TP_FILL_NORMAL,    /* the spread is its standard deviation */
	TP_FILL_TRUNCATED, /* the same, drawn again beyond twice the spread */
	TP_FILL_UNIFORM,   /* within plus and minus the spread */
} tp_fill;
typedef enum {
	TP_FAN_ONE,          /* 1 */
	TP_FAN_IN,           /* values an output is made of */
	TP_FAN_OUT,          /* kernel x output channels */
	TP_FAN_OUT_OF_GROUP, /* the same within one group */
} tp_fan;
typedef struct {
	tp_fill fill;
	tp_fan fan;
	float scale; /* the spread is sqrt(scale / fan); 0: all zero */
} tp_filler;
/* A bias takes the fan of its op's weights. */
typedef struct tp_init {
	tp_filler conv, conv_bias, linear, linear_bias;
} tp_init;

/* ImageNet's mean and standard deviation as torchvision has them, on 0..255. */
#define TP_IMAGENET_MEAN 0.485f * 255, 0.456f * 255, 0.406f * 255
#define TP_IMAGENET_STD 0.229f * 255, 0.224f * 255, 0.225f * 255

/* ---- shapes ------------------------------------------------------------------------------------------ */

/* One op on a batch, everything resolved. Padding behind follows from the sizes. */
typedef struct {
	int n, c, h, w; /* source */
	int oc, oh, ow; /* destination */
	int kh, kw, stride;
	int top, left; /* padding before */
	int groups;
	bool count_pad;
} tp_geo;

/* Height and width of every node's output for an input of side x side. out has net->n entries. TP_EINVAL when a
 * plane would vanish, or branches that meet would differ. */
typedef struct {
	int h, w;
} tp_plane;
TP_CHECKED tp_code tp_net_shapes(tp_plane *out, const tp_net *net, int side, tp_err *err);
tp_geo tp_node_geo(const tp_net *net, const tp_plane *planes, int node, int batch);
/* Rows (or columns) a window makes of `in`, and the padding before them. */
int tp_window_out(int in, int k, int pad, const tp_window *w);
int tp_window_pad(int in, int k, int pad, const tp_window *w);

/* ---- the plain truth: NCHW, one op a function, as the textbook has it. op_*.c ---------------------- */

/* y[n,oc,oh,ow] = b[oc] + sum of x * w; w is oc x (c / groups) x kh x kw; b may be NULL. */
void tp_conv_plain(float *y, const float *x, const float *w, const float *b, const tp_geo *g);
/* dx (may be NULL) is overwritten; dw, db (may be NULL) are added to. */
void tp_conv_plain_back(
	float *dx, float *dw, float *db, const float *dy, const float *x, const float *w, const tp_geo *g);
/* Pointwise: y may be x (or a), dx may be dy; gradients need only the output. */
void tp_relu_plain(float *y, const float *x, size_t n);
void tp_relu_plain_back(float *dx, const float *dy, const float *y, size_t n);
void tp_relu6_plain(float *y, const float *x, size_t n);
void tp_relu6_plain_back(float *dx, const float *dy, const float *y, size_t n);
void tp_add_plain(float *y, const float *a, const float *b, size_t n);
void tp_add_scaled_plain(
	float *y, const float *a, float scale, const float *b, size_t n); /* b may be NULL: 0 */
/* mean, rstd (c each) are the batch's, for the gradient; running statistics move by `momentum`. */
void tp_batch_norm_plain(float *y, float *mean, float *rstd, float *running_mean, float *running_var,
	const float *x, const float *gamma, const float *beta, const tp_geo *g, float eps, float momentum);
/* dx may be dy; dgamma, dbeta are added to. */
void tp_batch_norm_plain_back(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
	const float *mean, const float *rstd, const float *gamma, const tp_geo *g);
void tp_batch_norm_plain_running(float *y, const float *x, const float *gamma, const float *beta,
	const float *mean, const float *var, const tp_geo *g, float eps);
void tp_batch_norm_plain_running_back(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
	const float *gamma, const float *mean, const float *var, const tp_geo *g, float eps);
void tp_max_pool_plain(float *y, const float *x, const tp_geo *g);
void tp_max_pool_plain_back(float *dx, const float *dy, const float *x, const tp_geo *g);
void tp_avg_pool_plain(float *y, const float *x, const tp_geo *g);
void tp_avg_pool_plain_back(float *dx, const float *dy, const tp_geo *g);
void tp_global_pool_plain(float *y, const float *x, int planes, int area);
void tp_global_pool_plain_back(float *dx, const float *dy, int planes, int area);
/* y[n,o] = b[o] + x[n,:] . w[o,:]; the same bits for a photo whatever the batch. */
void tp_linear_plain(float *y, const float *x, const float *w, const float *b, int n, int in, int out);
/* dx (may be NULL) is overwritten; dw, db (may be NULL) are added to. */
void tp_linear_plain_back(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w,
	int n, int in, int out);

/* The plain truth of tp_gemm(). */
void tp_gemm_plain(float *c, const float *a, const float *b, int m, int n, int k, bool ta, bool tb,
	float alpha, float beta);

/* Folds batch-norm into the convolution before it: w and b change in place. */
void tp_fold_batch_norm(float *w, float *b, int oc, size_t per_oc, const float *gamma, const float *beta,
	const float *mean, const float *var, float eps);

#endif
