/* The table of architectures. */
#include "nn/zoo.h"

#include <string.h>

static const tp_arch *const archs[] = {
	&tp_arch_efficientnet_lite0,
	&tp_arch_efficientnet_lite1,
	&tp_arch_efficientnet_lite2,
	&tp_arch_mobilenet_v2,
	&tp_arch_resnet18,
	&tp_arch_resnet50,
	&tp_arch_bn_inception,
	&tp_arch_inception_v3,
};

const tp_arch *tp_arch_at(size_t i)
{
	return i < sizeof archs / sizeof *archs ? archs[i] : NULL;
}

const tp_arch *tp_arch_find(const char *name)
{
	for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
		if (!strcmp(archs[i]->name, name))
			return archs[i];
	return NULL;
}
