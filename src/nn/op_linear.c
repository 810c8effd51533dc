/* The classifier and its gradients. Sums run in 16 fixed lanes: the compiler may use vectors without being allowed to
 * reorder sums, so the answer is the same on every machine, and for a photo whatever the batch. */
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

/* A row of w serves the whole batch while it is in the cache. */
void tp_linear_plain(float *y, const float *x, const float *w, const float *b, int n, int in, int out)
{
	for (int o = 0; o < out; o++)
		for (int i = 0; i < n; i++)
			y[(size_t)i * (size_t)out + (size_t)o] =
				b[o] + dot(x + (size_t)i * (size_t)in, w + (size_t)o * (size_t)in, in);
}

void tp_linear_plain_back(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w,
	int n, int in, int out)
{
	for (int i = 0; i < n; i++) {
		const float *xi = x + (size_t)i * (size_t)in, *d = dy + (size_t)i * (size_t)out;
		for (int k = 0; dx && k < in; k++)
			dx[(size_t)i * (size_t)in + (size_t)k] = 0;
		for (int o = 0; o < out; o++) {
			const float *wo = w + (size_t)o * (size_t)in;
			for (int k = 0; dx && k < in; k++)
				dx[(size_t)i * (size_t)in + (size_t)k] += d[o] * wo[k];
			for (int k = 0; dw && k < in; k++)
				dw[(size_t)o * (size_t)in + (size_t)k] += d[o] * xi[k];
			if (db)
				db[o] += d[o];
		}
	}
}
