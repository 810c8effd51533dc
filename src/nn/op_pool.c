/* Global average pool, the plain truth: y[plane] = mean of x[plane, :]. */
#include "nn/net_int.h"

void tp_avg_pool_plain(float *y, const float *x, int planes, int area)
{
	for (int p = 0; p < planes; p++) {
		double sum = 0;
		for (int i = 0; i < area; i++)
			sum += x[(size_t)p * (size_t)area + (size_t)i];
		y[p] = (float)(sum / area);
	}
}
