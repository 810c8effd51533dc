/* The architectures. Adding one is one zoo_*.c file, one line here and one in zoo.c's table. */
#ifndef TP_NN_ZOO_H
#define TP_NN_ZOO_H

#include "nn/nn.h"

extern const tp_arch tp_arch_efficientnet_lite0;

#endif
