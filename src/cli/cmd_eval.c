/* tepal eval: how often a model is right, on photos whose names are known. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/par.h"
#include "cli/cli.h"
#include "train/train.h"

static const char help[] =
	"Usage: tepal eval [OPTION...] MODEL PHOTOS\n\n"
	"Measure a model on photos with known names: a folder with one folder a species, or a CSV file.\n\n"
	"  -s, --split NAME  train, val or test (default: test)\n"
	"      --json        JSON for programs\n"
	"  -t, --threads N   threads to work with (default: one for each processor)\n"
	"  -q, --quiet       no progress\n\n"
	"Example: tepal eval models/plants83.safetensors photos/\n";

static int parse(tp_eval_opts *o, int argc, char **argv)
{
	static const struct option table[] = { { "split", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' }, { "threads", required_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	static const char *const splits[] = { "train", "val", "test" };
	tp_err err = { 0 };
	long v = 0;
	for (int c; (c = getopt_long(argc, argv, "s:t:qh", table, NULL)) != -1;) {
		int k = 0;
		if (c == 's') {
			while (k < TP_SPLITS && strcmp(optarg, splits[k]) != 0)
				k++;
			if (k == TP_SPLITS)
				return 1 + tp_cli_usage("eval", "--split is train, val or test, not \"%s\"",
						   optarg);
			o->split = (tp_split)k;
		} else if (c == 'j')
			o->json = true;
		else if (c == 'q')
			o->quiet = true;
		else if (c == 'h')
			return fputs(help, stdout), 1;
		else if (c == '?')
			return 1 + TP_EXIT_USAGE;
		else if (tp_cli_int(&v, "threads", optarg, 1, 256, &err))
			return 1 + tp_cli_usage("eval", "%s", err.msg);
		else
			o->threads = (int)v;
	}
	return argc - optind == 2 ? 0 : 1 + tp_cli_usage("eval", "a model and photos are needed");
}

int cmd_eval(int argc, char **argv)
{
	tp_eval_opts o = { .split = TP_TEST, .threads = tp_cpu_count() };
	tp_err err = { 0 };
	char cache[3072];
	int stop = parse(&o, argc, argv);
	if (stop)
		return stop - 1;
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	bool own = xdg && *xdg;
	snprintf(cache, sizeof cache, "%.2000s%s/tepal/features",
		own    ? xdg
		: home ? home
		       : ".",
		own ? "" : "/.cache");
	o.model = argv[optind];
	o.photos = argv[optind + 1];
	o.cache_dir = cache;
	tp_cancel_on_signals();
	return tp_eval(&o, &err) ? tp_cli_fail("eval", &err) : 0;
}
