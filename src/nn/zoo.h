/* The architectures. Adding one is one zoo_*.c file, one line here and one in zoo.c's table. */
#ifndef TP_NN_ZOO_H
#define TP_NN_ZOO_H

#include "nn/nn.h"

extern const tp_arch tp_arch_efficientnet_lite0;
extern const tp_arch tp_arch_efficientnet_lite1;
extern const tp_arch tp_arch_efficientnet_lite2;
extern const tp_arch tp_arch_mobilenet_v2;
extern const tp_arch tp_arch_resnet18;
extern const tp_arch tp_arch_resnet50;
extern const tp_arch tp_arch_bn_inception;
extern const tp_arch tp_arch_inception_v3;

#endif
