/* The kernels for AVX-512: see kernels.h. */
#define B 16
#include "nn/kernels_vec.inc"

#include "nn/kernels_pool.inc"

const tp_kernels tp_kernels_avx512 = { .isa = "avx512",
	.block = B,
	.max_pool = max_pool,
	.avg_pool = avg_pool,
	.global_pool = global_pool,
	.relu = relu,
	.relu6 = relu6,
	.add = add };
