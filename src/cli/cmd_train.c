/* tepal train: photos with names in, a model file out. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/par.h"
#include "cli/cli.h"
#include "train/train.h"

static const char help[] =
	"Usage: tepal train [OPTION...] PHOTOS\n\n"
	"Train a model on photos: a folder with one folder a species, or a CSV file (columns path, "
	"species).\n\n"
	"  -b, --backbone FILE  network to build on: a tepal model or .safetensors weights\n"
	"                       (default: efficientnet-lite0.safetensors in the cache)\n"
	"  -o, --output FILE    the model to write (default: NAME.safetensors)\n"
	"  -n, --name NAME      name of the model (default: plants)\n"
	"  -s, --sources FILE   JSON that describes the photos' sources, for the training record\n"
	"      --side N         pixels of the square the network reads, a multiple of 32 (default: the "
	"backbone's)\n"
	"      --seed N         seed of the split, where the photos bring none (default: 1)\n"
	"  -t, --threads N      threads to work with (default: one for each processor)\n"
	"  -q, --quiet          no progress\n\n"
	"Ctrl-C keeps finished work; the same command goes on from there.\n\n"
	"Example: tepal train --name garden photos/\n";

/* 0 to go on, else the exit status plus one. */
static int parse(tp_train_opts *o, int argc, char **argv)
{
	static const struct option table[] = { { "backbone", required_argument, NULL, 'b' },
		{ "output", required_argument, NULL, 'o' }, { "name", required_argument, NULL, 'n' },
		{ "sources", required_argument, NULL, 's' }, { "side", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 'S' }, { "threads", required_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	tp_err err = { 0 };
	long v = 0;
	for (int c; (c = getopt_long(argc, argv, "b:o:n:s:t:qh", table, NULL)) != -1;) {
		if (c == 'b')
			o->backbone = optarg;
		else if (c == 'o')
			o->output = optarg;
		else if (c == 'n')
			o->name = optarg;
		else if (c == 's')
			o->sources = optarg;
		else if (c == 'q')
			o->quiet = true;
		else if (c == 'h')
			return fputs(help, stdout), 1;
		else if (c == '?')
			return 1 + TP_EXIT_USAGE;
		else if (c == 'p' && (tp_cli_int(&v, "side", optarg, 32, 1024, &err) || v % 32))
			return 1 + tp_cli_usage("train",
					   "--side is a multiple of 32 from 32 to 1024, not \"%s\"", optarg);
		else if (c == 'p')
			o->side = (int)v;
		else if (tp_cli_int(&v, c == 'S' ? "seed" : "threads", optarg, c == 'S' ? 0 : 1,
				 c == 'S' ? 1000000000 : 256, &err))
			return 1 + tp_cli_usage("train", "%s", err.msg);
		else if (c == 'S')
			o->seed = (uint64_t)v;
		else
			o->threads = (int)v;
	}
	return argc - optind == 1 ? 0
				  : 1 + tp_cli_usage("train", "one folder or CSV file of photos is needed");
}

int cmd_train(int argc, char **argv)
{
	tp_train_opts o = { .name = "plants", .seed = 1, .threads = tp_cpu_count() };
	tp_err err = { 0 };
	char cache[3072], backbone[3200], output[512];
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
	snprintf(backbone, sizeof backbone, "%.*s/efficientnet-lite0.safetensors",
		(int)(strlen(cache) - strlen("/features")), cache);
	snprintf(output, sizeof output, "%.400s.safetensors", o.name);
	o.photos = argv[optind];
	o.cache_dir = cache;
	if (!o.output)
		o.output = output;
	if (!o.backbone) {
		o.backbone = backbone;
		if (!tp_is_file(backbone)) {
			tp_fail(&err, TP_ENOTFOUND,
				"no backbone: get one with \"tepal model fetch\", or name one with "
				"--backbone");
			return tp_cli_fail("train", &err);
		}
	}
	tp_cancel_on_signals();
	return tp_train(&o, &err) ? tp_cli_fail("train", &err) : 0;
}
