/* Fusing photos and ranking species: see fuse.h. */
#include "engine/fuse.h"

void tp_fuse_mean(float *out, const float *scores, int n, int classes)
{
	for (int c = 0; c < classes; c++) {
		float sum = 0;
		for (int i = 0; i < n; i++)
			sum += scores[(long)i * classes + c];
		out[c] = sum / (float)n;
	}
}

/* Insertion into a short sorted list: k is a page of answers, n may be tens of thousands, and nearly every
 * value fails the first comparison. */
int tp_top_k(int *order, int k, const float *v, int n)
{
	int len = 0;
	for (int c = 0; c < n; c++) {
		if (len == k && !(v[c] > v[order[len - 1]]))
			continue;
		int i = len < k ? len++ : len - 1;
		for (; i > 0 && v[c] > v[order[i - 1]]; i--)
			order[i] = order[i - 1];
		order[i] = c;
	}
	return len;
}
