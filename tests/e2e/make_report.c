/* make_report METRICS RECORD|- OUT: the report of a run, for report.test.mjs. */
#include <stdio.h>
#include <string.h>

#include "train/html_report.h"

int main(int argc, char **argv)
{
	tp_err err = { 0 };
	if (argc != 4)
		return 2;
	if (tp_html_report(argv[1], strcmp(argv[2], "-") != 0 ? argv[2] : NULL, argv[3], &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	return 0;
}
