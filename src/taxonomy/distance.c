/* Optimal string alignment, in the band that `most` edits can reach. */
#include <stddef.h>

#include "taxonomy/match.h"

static int least(int a, int b)
{
	return a < b ? a : b;
}

int tp_word_distance(const char *a, size_t n, const char *b, size_t m, int most)
{
	int d[3][TP_NAME_WORD + 1], far = most + 1;
	int la = (int)n, lb = (int)m;
	if (n >= TP_NAME_WORD || m >= TP_NAME_WORD || la - lb > most || lb - la > most)
		return far;
	for (int j = 0; j <= lb; j++)
		d[0][j] = j;
	for (int i = 1; i <= la; i++) {
		int *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3], best = far;
		int from = i - most > 1 ? i - most : 1, to = i + most < lb ? i + most : lb;
		row[from - 1] = from == 1 ? i : far;
		best = least(best, row[from - 1]);
		for (int j = from; j <= to; j++) {
			int v = up[j - 1] + (a[i - 1] != b[j - 1]);
			v = least(v, up[j] + 1);
			v = least(v, row[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				v = least(v, up2[j - 2] + 1);
			row[j] = v;
			best = least(best, v);
		}
		if (to < lb)
			row[to + 1] = far;
		if (best > most)
			return far;
	}
	return least(d[la % 3][lb], far);
}
