/* Kernels of ours for what oneDNN does slowly or not at all, in the blocked layout nChwBc (B channels lie together;
 * B is 16 with AVX-512, 4 with NEON, 8 otherwise). Each is written once, in kernels_*.inc, and compiled for every instruction set;
 * tp_kernels_best() is the table for this processor. The plain truth of each stands in op_*.c.
 *
 * Pictures are whole blocks: n x ceil(c / B) x h x w x B floats, and channels past the last are 0 and stay 0. What
 * belongs to a channel (gamma, sums, ...) is a plain array of c numbers. No pointer needs any alignment; 64 bytes are
 * faster. Threads: pure; one call is one thread's share, named by first..end-1, and shares write disjoint parts of
 * their results unless the comment says otherwise. The result does not depend on how the work was shared out. */
#ifndef TP_NN_KERNELS_H
#define TP_NN_KERNELS_H

#include "nn/net_int.h"

typedef enum { TP_ACT_NONE, TP_ACT_RELU, TP_ACT_RELU6 } tp_act;

/* What a batch-norm normalises with, c each: tp_norm_finish() makes mean and rstd. */
typedef struct {
	const float *mean, *rstd, *gamma, *beta;
} tp_norm;

typedef struct {
	const char *isa; /* "avx512", "avx2", "neon", "c", "c16" */
	int block;
	bool native; /* a block is a register: what is bound by arithmetic is fast as well */

	/* Pools, for blocks first..end-1 of the n * ceil(c / B) there are. In the gradients dx is overwritten; of
	 * equal maxima the first has the gradient, NaN has none. */
	void (*max_pool)(float *y, const float *x, const tp_geo *g, int first, int end);
	void (*avg_pool)(float *y, const float *x, const tp_geo *g, int first, int end);
	void (*max_pool_back)(
		float *dx, const float *dy, const float *x, const tp_geo *g, int first, int end);
	void (*avg_pool_back)(float *dx, const float *dy, const tp_geo *g, int first, int end);
	/* To plain n x c, all of it; and back, for blocks first..end-1. */
	void (*global_pool)(float *y, const float *x, const tp_geo *g);
	void (*global_pool_back)(float *dx, const float *dy, const tp_geo *g, int first, int end);

	/* On n floats each. y may be a, dx may be dy. The gradients take y, the output. */
	void (*relu)(float *y, const float *x, size_t n);
	void (*relu6)(float *y, const float *x, size_t n);
	void (*add)(float *y, const float *a, const float *b, size_t n);
	/* y = scale a + b; b may be NULL: 0. y may be a or b. */
	void (*add_scaled)(float *y, const float *a, float scale, const float *b, size_t n);
	void (*relu_back)(float *dx, const float *dy, const float *y, size_t n);
	void (*relu6_back)(float *dx, const float *dy, const float *y, size_t n);
	void (*accumulate)(float *y, const float *x, size_t n); /* y += x */

	/* Batch-norm in training, with what follows it. Two sweeps each way, for blocks first..end-1 of the
	 * n * ceil(c / B) there are; shares that have a channel in common need sums of their own. Sums are added to and
	 * may be added up over shares, photos and machines; the last bits then depend on the order.
	 *   forward   norm_sums: sums of x and x^2 (doubles; exact enough for tp_norm_finish() to subtract them);
	 *             norm_apply: y = act((x - mean) rstd gamma + beta + shortcut); y may be x or shortcut.
	 *   gradient  norm_back_sums: sums of d and d * xhat, d being dy where act let it through: what dbeta and dgamma
	 *             grow by; norm_back: dx from these sums, count values to a channel (n h w, of all machines).
	 *             dx may be dy; dshortcut (may be NULL, may be dy) is overwritten with d.
	 *   shortcut  may be NULL. y is the output; without a shortcut it may be NULL in the gradient: it is computed
	 *             again from x, which saves reading it. */
	void (*norm_sums)(double *sum, double *sq, const float *x, const tp_geo *g, int first, int end);
	void (*norm_apply)(float *y, const float *x, const float *shortcut, const tp_norm *v, tp_act act,
		const tp_geo *g, int first, int end);
	void (*norm_back_sums)(double *sum, double *with_x, const float *dy, const float *y, const float *x,
		const tp_norm *v, tp_act act, const tp_geo *g, int first, int end);
	void (*norm_back)(float *dx, float *dshortcut, const float *dy, const float *y, const float *x,
		const tp_norm *v, const double *sum, const double *with_x, double count, tp_act act,
		const tp_geo *g, int first, int end);

	/* Depthwise convolution's weight gradient, windows up to 5 x 5, any stride and padding: dw (plain c x kh x kw)
	 * is added to, for channel blocks first..end-1 of ceil(c / B), over all n photos. scratch: depthwise_scratch(g)
	 * floats to each share. */
	size_t (*depthwise_scratch)(const tp_geo *g);
	void (*depthwise_dw)(float *dw, const float *x, const float *dy, const tp_geo *g, int first, int end,
		float *scratch);

	/* 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3): Lavin & Gray 2015, arXiv 1509.09308; of stride 2 as
	 * kernels_wino2.inc has it. c and oc are multiples of B, padding is 0..2. A quarter of the multiplications (9
	 * of 16 with stride 2), at the price of rounding: errors are about ten times those of a direct sum.
	 *   wino_weights  plain oc x c x 3 x 3 to u, 36 oc c floats, for output blocks first..end-1 of oc / B. `back`
	 *                 makes u of the data gradient instead: then c and oc swap their roles, and first..end count
	 *                 c / B. With stride 1 that gradient is wino_conv on tp_wino_back_geo(g), with 2 wino_back.
	 *   wino_conv     y = act(conv(x) + bias [+ y]), for tiles first..end-1 of the tp_wino_tiles(g) there are (4x4
	 *                 outputs each or one less; photo by photo) and output blocks ofirst..oend-1 of oc / B. Many
	 *                 tiles are better shared out by tile, a single small photo by block. bias may be NULL.
	 *   wino_back     stride 2: dx, which is overwritten, from dy, for input blocks first..end-1 of c / B; scratch
	 *                 is as large as wino_conv's.
	 *   wino_dw       the weight gradient, F(3x3, 4x4): dw (plain oc x c x 3 x 3) is added to, for input blocks
	 *                 first..end-1 of c / B, over all tiles of all n photos. */
	void (*wino_weights)(
		float *u, const float *w, int oc, int c, int stride, bool back, int first, int end);
	size_t (*wino_scratch)(const tp_geo *g); /* floats to each share of wino_conv */
	void (*wino_conv)(float *y, const float *x, const float *u, const float *bias, bool sum, tp_act act,
		const tp_geo *g, int first, int end, int ofirst, int oend, float *scratch);
	void (*wino_back)(float *dx, const float *dy, const float *u, const tp_geo *g, int first, int end,
		float *scratch);
	size_t (*wino_dw_scratch)(
		const tp_geo *g, int blocks); /* floats to a share of so many input blocks */
	void (*wino_dw)(float *dw, const float *x, const float *dy, const tp_geo *g, int first, int end,
		float *scratch);
} tp_kernels;

/* NULL when the processor has none of the instruction sets there is a table for. */
const tp_kernels *tp_kernels_find(const char *isa);
/* The best one with blocks of `block` channels. */
const tp_kernels *tp_kernels_best(int block);

/* mean, rstd and the moved running statistics (may be NULL both) of c channels from their sums over count values, as
 * tp_batch_norm_plain() has them. */
void tp_norm_finish(float *mean, float *rstd, float *running_mean, float *running_var, const double *sum,
	const double *sq, int c, double count, float eps, float momentum);

/* Can Winograd's kernels with blocks of `block` do this convolution? Whether they should is another question. */
bool tp_wino_can(const tp_geo *g, int block);
int tp_wino_tiles(const tp_geo *g);
/* Is it faster than a direct convolution, where kernels are native? From 7x7 pixels on (bench/kernels); below, the
 * transformed weights, four times as large, cost more to read than the multiplications they save. */
bool tp_wino_pays(const tp_geo *g);
/* The convolution that makes dx of dy, of stride 1. */
tp_geo tp_wino_back_geo(const tp_geo *g);

#endif
