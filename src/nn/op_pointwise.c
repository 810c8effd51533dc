/* Ops on each value by itself, the plain truth. y may be x (or a). */
#include "nn/net_int.h"

void tp_relu6_plain(float *y, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = x[i] < 0 ? 0 : x[i] > 6 ? 6 : x[i];
}

void tp_add_plain(float *y, const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = a[i] + b[i];
}
