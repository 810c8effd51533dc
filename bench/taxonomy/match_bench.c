/* Speed and memory of matching names: match_bench BACKBONE NAMES, a name a line. Prints how long reading took, the peak of
 * memory, and the mean and longest time of a match by how it ended. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "taxonomy/match.h"

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	tp_backbone *b;
	tp_err err = { 0 };
	double began = now(), sum[TP_HOWS] = { 0 }, most[TP_HOWS] = { 0 };
	int n[TP_HOWS] = { 0 };
	char line[TP_NAME_MAX];
	struct rusage use;
	FILE *f = argc == 3 ? fopen(argv[2], "r") : NULL;
	if (!f || tp_backbone_open(&b, (const char *const *)&argv[1], 1, NULL, &err)) {
		fprintf(stderr, "match_bench BACKBONE NAMES: %s\n", err.msg);
		return 2;
	}
	getrusage(RUSAGE_SELF, &use);
	printf("%u names read in %.2f s; %.0f MB held, %.0f MB at most\n", tp_backbone_count(b),
		now() - began, (double)tp_backbone_bytes(b) / 1e6, (double)use.ru_maxrss * 1024 / 1e6);
	while (fgets(line, sizeof line, f)) {
		tp_name name;
		tp_match m;
		if (tp_name_parse(&name, line, strcspn(line, "\n"), NULL))
			continue;
		double t = now();
		tp_match_name(&m, b, &name, (tp_match_opts)TP_MATCH_OPTS_INIT);
		t = now() - t;
		n[m.how]++;
		sum[m.how] += t;
		most[m.how] = t > most[m.how] ? t : most[m.how];
	}
	for (int h = 0; h < TP_HOWS; h++)
		if (n[h])
			printf("%-9s %6d names, %.3f ms each, %.3f ms at most\n", tp_how_name((tp_how)h),
				n[h], sum[h] / n[h] * 1e3, most[h] * 1e3);
	fclose(f);
	tp_backbone_free(b);
	return 0;
}
