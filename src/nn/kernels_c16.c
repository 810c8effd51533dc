/* The kernels for any processor, blocks of 16: see kernels.h. */
#define B 16
#include "nn/kernels_vec.inc"

#include "nn/kernels_table.inc"

TABLE(tp_kernels_c16, "c16");
