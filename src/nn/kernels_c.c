/* The kernels for any processor, blocks of 8: see kernels.h. */
#define B 8
#include "nn/kernels_vec.inc"

#include "nn/kernels_table.inc"

TABLE(tp_kernels_c, "c");
