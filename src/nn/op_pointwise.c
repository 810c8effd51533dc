/* Ops on each value by itself and their gradients, the plain truth. y may be x (or a); dx may be dy. */
#include "nn/net_int.h"

void tp_relu_plain(float *y, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = x[i] < 0 ? 0 : x[i];
}

/* The gradient needs only the output. */
void tp_relu_plain_back(float *dx, const float *dy, const float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dx[i] = y[i] > 0 ? dy[i] : 0;
}

void tp_relu6_plain(float *y, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = x[i] < 0 ? 0 : x[i] > 6 ? 6 : x[i];
}

void tp_relu6_plain_back(float *dx, const float *dy, const float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dx[i] = y[i] > 0 && y[i] < 6 ? dy[i] : 0;
}

void tp_add_plain(float *y, const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = a[i] + b[i];
}

void tp_add_scaled_plain(float *y, const float *a, float scale, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = scale * a[i] + (b ? b[i] : 0);
}
