/* Which table of kernels this processor can run: see kernels.h. */
#include "nn/kernels.h"

#include <string.h>

extern const tp_kernels tp_kernels_c, tp_kernels_c16;
#ifdef __x86_64__
extern const tp_kernels tp_kernels_avx2, tp_kernels_avx512;
#endif

static bool runs(const tp_kernels *k)
{
#ifdef __x86_64__
	if (k == &tp_kernels_avx512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
	if (k == &tp_kernels_avx2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
	(void)k;
	return true;
}

/* Best first. */
static const tp_kernels *const all[] = {
#ifdef __x86_64__
	&tp_kernels_avx512,
	&tp_kernels_avx2,
#endif
	&tp_kernels_c16,
	&tp_kernels_c,
};

const tp_kernels *tp_kernels_find(const char *isa)
{
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(all[i]->isa, isa))
			return runs(all[i]) ? all[i] : NULL;
	return NULL;
}

const tp_kernels *tp_kernels_best(int block)
{
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i]->block == block && runs(all[i]))
			return all[i];
	return NULL;
}
