/* The graph of a network and the plain C ops; for the files of this folder. */
#ifndef TP_NN_NET_INT_H
#define TP_NN_NET_INT_H

#include "nn/nn.h"

typedef enum {
	TP_OP_INPUT,
	TP_OP_CONV,       /* 2-D convolution, no bias, padded as TensorFlow's SAME */
	TP_OP_BATCH_NORM, /* by running statistics */
	TP_OP_RELU6,
	TP_OP_ADD,
	TP_OP_AVG_POOL, /* over the whole plane */
	TP_OP_LINEAR,   /* with bias */
} tp_op_kind;

typedef struct {
	tp_op_kind kind;
	char name[48]; /* of its parameters: "blocks.1.0.conv_dw"; "" when it has none */
	int in[2];     /* nodes; -1: none */
	int channels;  /* of its output */
	int kernel, stride, groups;
	float eps;
} tp_node;

struct tp_net {
	const tp_arch *arch;
	tp_node *v;
	int n, cap;
	tp_net_param *param;
	size_t n_params;
	int features, logits; /* nodes; logits -1: none */
	int n_classes;
	tp_code rc; /* the first failure of a builder call: building goes on, tp_net_new() reports it */
};

/* Builders: each adds a node and is its number. They note failures in net->rc. */
int tp_net_input(tp_net *net);
int tp_net_conv(tp_net *net, int in, const char *name, int channels, int kernel, int stride, int groups);
int tp_net_batch_norm(tp_net *net, int in, const char *name, float eps);
int tp_net_relu6(tp_net *net, int in);
int tp_net_add(tp_net *net, int a, int b);
int tp_net_avg_pool(tp_net *net, int in);
int tp_net_linear(tp_net *net, int in, const char *name, int channels);

/* Padding before and output size of a SAME convolution. Source: TensorFlow's nn.convolution notes on padding. */
int tp_same_out(int in, int stride);
int tp_same_pad(int in, int kernel, int stride); /* before; the rest, if odd, goes behind */

/* ---- the plain truth: NCHW, one op a function, as the textbook has it -------------------------------- */

typedef struct {
	int n, c, h, w; /* of the source */
	int oc, kernel, stride, groups;
} tp_conv_geo;

/* y[n,oc,oh,ow] = b[oc] + sum of x * w; w is oc x (c / groups) x kernel x kernel. */
void tp_conv_plain(float *y, const float *x, const float *w, const float *b, const tp_conv_geo *g);
void tp_relu6_plain(float *y, const float *x, size_t n);
void tp_add_plain(float *y, const float *a, const float *b, size_t n);
void tp_avg_pool_plain(float *y, const float *x, int planes, int area);
/* y[n,o] = b[o] + x[n,:] . w[o,:] */
void tp_linear_plain(float *y, const float *x, const float *w, const float *b, int n, int in, int out);

/* The plain truth of tp_gemm(). */
void tp_gemm_plain(float *c, const float *a, const float *b, int m, int n, int k, bool ta, bool tb,
	float alpha, float beta);

/* Folds batch-norm into the convolution before it: w and b (b starts at 0) change in place. */
void tp_fold_batch_norm(float *w, float *b, int oc, size_t per_oc, const float *gamma, const float *beta,
	const float *mean, const float *var, float eps);

#endif
