/* tepal data report: a catalog as a page to read. */
#include <stdio.h>
#include <time.h>

#include "base/cancel.h"
#include "base/par.h"
#include "cli/cli.h"
#include "data/report.h"

typedef struct {
	tp_data_report_opts o;
	int seed;
} report_options;

static const tp_option report_table[] = {
	{ "output", 'o', TP_OPT_TEXT, offsetof(report_options, o.output), "FILE", "the page to write" },
	{ "sheet", 0, TP_OPT_INT, offsetof(report_options, o.sheet), "N",
		"photos shown of each rule, at most; 0: no photos", "24", .max = TP_REPORT_MAX_SHEET },
	{ "seed", 0, TP_OPT_INT, offsetof(report_options, seed), "N",
		"which photos are shown where no value says which are the most extreme", "1",
		.max = 1000000000 },
	{ "threads", 't', TP_OPT_INT, offsetof(report_options, o.threads), "N", "threads to work with",
		.fallback_help = "one for each processor", .min = 1, .max = 1024 },
	{ "quiet", 'q', TP_OPT_FLAG, offsetof(report_options, o.quiet), .help = "no progress" },
	{ 0 },
};
static const tp_syntax report_syntax = { .name = "data report",
	.usage = "DIR --output FILE [OPTION...]",
	.help = "Write a page about a catalog: what is in it, what was left out and why, with photos.",
	.notes = "The page is one file that opens in a browser without a network. It holds thumbnails of "
		 "photos, names of "
		 "authors, and places to 2 degrees: think before you pass it on.",
	.example = "tepal data report plants/ --output report.html",
	.options = report_table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one folder with a catalog is needed" };

int data_report(int argc, char **argv)
{
	report_options x = { 0 };
	tp_err err = { 0 };
	tp_data_reported done;
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &report_syntax, &x, argc, argv))
		return status;
	if (!x.o.output)
		return tp_cli_usage(report_syntax.name, "--output FILE is wanted");
	x.o.catalog = words.v[0];
	x.o.seed = (uint64_t)x.seed;
	x.o.version = TP_VERSION;
	x.o.now = (int64_t)time(NULL);
	if (!x.o.threads)
		x.o.threads = tp_cpu_count();
	tp_cancel_on_signals();
	if (tp_data_report(&done, &x.o, &err))
		return tp_cli_fail(report_syntax.name, &err);
	printf("%s: %lld photos, %lld kept; %zu shown", x.o.output, (long long)done.photos,
		(long long)done.kept, done.shown);
	if (done.missing)
		printf(", %zu not there or damaged", done.missing);
	printf("; %.1f MiB\n", (double)done.bytes / (1 << 20));
	return 0;
}
