/* The classifier. The sum runs in 16 fixed lanes: the compiler may use vectors without being allowed to reorder
 * sums, so the answer is the same on every machine. */
#include "nn/net_int.h"

enum { LANES = 16 };

static float dot(const float *a, const float *b, int n)
{
	float lane[LANES] = { 0 }, sum = 0;
	int i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES; k++)
			lane[k] += a[i + k] * b[i + k];
	for (; i < n; i++)
		sum += a[i] * b[i];
	for (int k = 0; k < LANES; k++)
		sum += lane[k];
	return sum;
}

void tp_linear_plain(float *y, const float *x, const float *w, const float *b, int n, int in, int out)
{
	for (int i = 0; i < n; i++)
		for (int o = 0; o < out; o++)
			y[(size_t)i * (size_t)out + (size_t)o] =
				b[o] + dot(x + (size_t)i * (size_t)in, w + (size_t)o * (size_t)in, in);
}
