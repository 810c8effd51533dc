/* Which table of kernels this processor can run, and what needs no vectors: see kernels.h. */
#include "nn/kernels.h"

#include <math.h>
#include <string.h>

extern const tp_kernels tp_kernels_c, tp_kernels_c16;
#ifdef __x86_64__
extern const tp_kernels tp_kernels_avx2, tp_kernels_avx512;
#elif defined __aarch64__
extern const tp_kernels tp_kernels_neon;
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
	(void)k; /* every 64-bit ARM has NEON, and the compiler makes the others for whatever it is made for */
	return true;
}

/* Best first. */
static const tp_kernels *const all[] = {
#ifdef __x86_64__
	&tp_kernels_avx512,
	&tp_kernels_avx2,
#elif defined __aarch64__
	&tp_kernels_neon,
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

void tp_norm_finish(float *mean, float *rstd, float *running_mean, float *running_var, const double *sum,
	const double *sq, int c, double count, float eps, float momentum)
{
	for (int k = 0; k < c; k++) {
		double m = sum[k] / count, dev = sq[k] - sum[k] * m;
		double var = dev > 0 ? dev / count : 0,
		       unbiased = count > 1 && dev > 0 ? dev / (count - 1) : var;
		mean[k] = (float)m;
		rstd[k] = (float)(1 / sqrt(var + eps));
		if (running_mean) {
			running_mean[k] = (float)((1 - momentum) * running_mean[k] + momentum * m);
			running_var[k] = (float)((1 - momentum) * running_var[k] + momentum * unbiased);
		}
	}
}

bool tp_wino_can(const tp_geo *g, int block)
{
	/* with stride 2 no row or column may be left over that no output reads: wino_back writes none there */
	if (g->stride == 2 && (g->h > 2 * g->oh - g->top + 1 || g->w > 2 * g->ow - g->left + 1))
		return false;
	return g->kh == 3 && g->kw == 3 && (g->stride == 1 || g->stride == 2) && g->groups == 1 &&
	       g->c % block == 0 && g->oc % block == 0 && g->top >= 0 && g->top <= 2 && g->left >= 0 &&
	       g->left <= 2;
}

int tp_wino_tiles(const tp_geo *g)
{
	return g->n * ((g->oh + 3) / 4) * ((g->ow + 3) / 4);
}

bool tp_wino_pays(const tp_geo *g)
{
	return g->n * g->oh * g->ow >= 49;
}

tp_geo tp_wino_back_geo(const tp_geo *g)
{
	tp_geo b = *g;
	b.c = g->oc;
	b.h = g->oh;
	b.w = g->ow;
	b.oc = g->c;
	b.oh = g->h;
	b.ow = g->w;
	b.top = 2 - g->top;
	b.left = 2 - g->left;
	return b;
}
