/* The name that a mistyped word was meant to be. */
#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

enum { MAX_NAME = 32 };

/* Letters to add, drop, change or swap with their neighbour (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), d[3][MAX_NAME + 1];
	if (n > MAX_NAME || m > MAX_NAME)
		return MAX_NAME;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
			best = up[j] + 1 < best ? up[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return d[n % 3][m];
}

const char *tp_nearest(const char *word, const char *const *names, size_t n)
{
	const char *nearest = NULL;
	size_t len = strlen(word), least = 0;
	for (size_t i = 0; i < n; i++) {
		bool longer = len > 1 && !strncmp(names[i], word, len);
		bool shorter = strlen(names[i]) > 2 && !strncmp(names[i], word, strlen(names[i]));
		size_t d = longer || shorter ? 1 : distance(word, names[i]);
		if (d <= 1 + len / 3 && d < strlen(names[i]) && (!nearest || d < least)) {
			nearest = names[i];
			least = d;
		}
	}
	return nearest;
}
