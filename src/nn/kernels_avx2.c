/* The kernels for AVX2 with FMA: see kernels.h. */
#define B 8
#include "nn/kernels_vec.inc"

#include "nn/kernels_table.inc"

TABLE(tp_kernels_avx2, "avx2");
