/* Matrix product, the plain truth: see tp_gemm(). */
#include "nn/net_int.h"

void tp_gemm_plain(float *c, const float *a, const float *b, int m, int n, int k, bool ta, bool tb,
	float alpha, float beta)
{
	for (size_t i = 0; i < (size_t)m; i++)
		for (size_t j = 0; j < (size_t)n; j++) {
			float sum = 0;
			for (size_t x = 0; x < (size_t)k; x++)
				sum += a[ta ? x * (size_t)m + i : i * (size_t)k + x] *
				       b[tb ? j * (size_t)k + x : x * (size_t)n + j];
			float *y = &c[i * (size_t)n + j];
			*y = alpha * sum + (beta == 0 ? 0 : beta * *y);
		}
}
