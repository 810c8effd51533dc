/* Kernels of ours for what oneDNN does slowly or not at all, in the blocked layout nChwBc (B channels lie together;
 * B is 16 with AVX-512, 8 otherwise). Each is written once, in kernels_*.inc, and compiled for every instruction set;
 * tp_kernels_best() is the table for this processor. The plain truth of each stands in op_*.c. */
#ifndef TP_NN_KERNELS_H
#define TP_NN_KERNELS_H

#include "nn/net_int.h"

typedef struct {
	const char *isa; /* "avx512", "avx2", "neon", "c" */
	int block;

	/* Pools, for blocks first..end-1 of the n * ceil(c / B) there are. */
	void (*max_pool)(float *y, const float *x, const tp_geo *g, int first, int end);
	void (*avg_pool)(float *y, const float *x, const tp_geo *g, int first, int end);
	/* To plain n x c. */
	void (*global_pool)(float *y, const float *x, const tp_geo *g);
	/* On n floats each. y may be a. */
	void (*relu)(float *y, const float *x, size_t n);
	void (*relu6)(float *y, const float *x, size_t n);
	void (*add)(float *y, const float *a, const float *b, size_t n);
} tp_kernels;

/* NULL when the processor has none of the instruction sets there is a table for. */
const tp_kernels *tp_kernels_find(const char *isa);
/* The best one with blocks of `block` channels. */
const tp_kernels *tp_kernels_best(int block);

#endif
