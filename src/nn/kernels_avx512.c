/* The kernels for AVX-512: see kernels.h. */
#define B 16
#include "nn/kernels_vec.inc"

#include "nn/kernels_table.inc"

TABLE(tp_kernels_avx512, "avx512");
