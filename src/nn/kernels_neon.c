/* The kernels for NEON, as every 64-bit ARM has it: see kernels.h. */
#define B 4
#include "nn/kernels_vec.inc"

#include "nn/kernels_table.inc"

TABLE(tp_kernels_neon, "neon");
