/* tepal train: photos with names in, a model file out. */
#include <stdio.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/par.h"
#include "cli/cli.h"
#include "train/train.h"

typedef struct {
	tp_train_opts o;
	int seed, epochs;
	bool finetune, in_file; /* in_file: what is wrong stands in the file of settings */
	const char *config;
	tp_opt_list set;
	tp_recipe recipe;
} options;

static const tp_option table[] = {
	{ "backbone", 'b', TP_OPT_TEXT, offsetof(options, o.backbone), "FILE",
		"network to build on: a tepal model or .safetensors weights",
		.fallback_help = "efficientnet-lite0.safetensors in the cache" },
	{ "network", 0, TP_OPT_TEXT, offsetof(options, o.network), "NAME",
		"train this network from random weights, every layer, instead of building on one" },
	{ "output", 'o', TP_OPT_TEXT, offsetof(options, o.output), "FILE", "the model to write",
		.fallback_help = "NAME.safetensors" },
	{ "name", 'n', TP_OPT_TEXT, offsetof(options, o.name), "NAME", "name of the model", "plants" },
	{ "sources", 's', TP_OPT_TEXT, offsetof(options, o.sources), "FILE",
		"JSON that describes the photos' sources, for the training record" },
	{ "side", 0, TP_OPT_INT, offsetof(options, o.side), "N", "pixels of the square the network reads",
		.fallback_help = "the backbone's", .min = 32, .max = 1024 },
	{ "seed", 0, TP_OPT_INT, offsetof(options, seed), "N",
		"seed of the split, where the photos bring none", "1", .max = 1000000000 },
	{ "threads", 't', TP_OPT_INT, offsetof(options, o.threads), "N", "threads to work with",
		.fallback_help = "one for each processor", .min = 1, .max = 1024 },
	{ "finetune", 'f', TP_OPT_FLAG, offsetof(options, finetune),
		.help = "train every layer, not only the classifier" },
	{ "epochs", 'e', TP_OPT_INT, offsetof(options, epochs), "N",
		"fine-tune for so many passes over the photos",
		.fallback_help = "the recipe's, 4; 30 with --network", .min = 1, .max = 10000 },
	{ "config", 'c', TP_OPT_TEXT, offsetof(options, config), "FILE",
		"fine-tune by the settings in FILE, lines of KEY = VALUE; tepal recipe prints them" },
	{ "set", 'S', TP_OPT_LIST, offsetof(options, set), "KEY=VALUE", "fine-tune with this setting" },
	{ "run", 'r', TP_OPT_TEXT, offsetof(options, o.run), "DIR", "folder for checkpoints and the log",
		.fallback_help = "NAME.run" },
	{ "resume", 0, TP_OPT_FLAG, offsetof(options, o.resume), .help = "go on with the run in its folder" },
	{ "report", 0, TP_OPT_TEXT, offsetof(options, o.report), "FILE",
		"write the fine-tuning's curves as one HTML page here too (DIR/report.html is always "
		"written)" },
	{ "show-augment", 0, TP_OPT_TEXT, offsetof(options, o.show_augment), "FILE",
		"write a picture of how fine-tuning varies photos, and do nothing else" },
	{ "quiet", 'q', TP_OPT_FLAG, offsetof(options, o.quiet), .help = "no progress" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "train",
	.usage = "[OPTION...] PHOTOS",
	.help = "Train a model on photos: a folder with one folder a species, or a CSV file (columns path, "
		"species).",
	.notes = "Ctrl-C keeps finished work; the same command goes on from there (with --resume when it "
		 "fine-tunes).",
	.example = "tepal train --name garden photos/",
	.options = table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one folder or CSV file of photos is needed" };

/* The settings in their order of weight: defaults, file, command line. */
static tp_code read_recipe(options *x, tp_err *err)
{
	tp_code rc = TP_OK;
	tp_recipe_defaults(&x->recipe, x->o.network);
	if (x->config)
		rc = tp_cfg_read(&x->recipe, tp_recipe_items, x->config, err);
	x->in_file = rc;
	for (int i = 0; i < x->set.n && !rc; i++)
		rc = tp_cfg_set(&x->recipe, tp_recipe_items, x->set.v[i], err);
	if (x->epochs)
		x->recipe.epochs = x->epochs;
	if (!rc && x->o.network && x->o.backbone)
		rc = tp_fail(err, TP_EINVAL,
			"--network begins with random weights, --backbone with others': one of them");
	if (!rc && x->o.network) /* there are no features a classifier could be fitted to */
		x->recipe.head = TP_HEAD_RANDOM;
	if (x->finetune || x->o.network || x->epochs || x->config || x->set.n || x->o.resume ||
		x->o.show_augment || x->o.report)
		x->o.recipe = &x->recipe;
	return rc;
}

static tp_code train(tp_train_opts *o, tp_err *err)
{
	char output[512], run[512];
	char *beside = tp_cli_cache_path("efficientnet-lite0.safetensors"),
	     *cache = tp_cli_cache_path("features");
	tp_code rc = TP_OK;
	snprintf(output, sizeof output, "%.400s.safetensors", o->name);
	snprintf(run, sizeof run, "%.400s.run", o->name);
	o->cache_dir = cache;
	if (!o->run)
		o->run = run;
	if (!o->output)
		o->output = output;
	if (!o->backbone && !o->network && beside && tp_is_file(beside))
		o->backbone = beside;
	if (!o->backbone && !o->network)
		rc = tp_fail(err, TP_ENOTFOUND,
			"no backbone: get one with \"tepal model fetch\", or name one with --backbone");
	if (!rc)
		rc = tp_train(o, err);
	tp_free(beside);
	tp_free(cache);
	return rc;
}

int cmd_train(int argc, char **argv)
{
	options x = { 0 };
	tp_err err = { 0 };
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &syntax, &x, argc, argv))
		return status;
	x.o.photos = words.v[0];
	x.o.seed = (uint64_t)x.seed;
	if (!x.o.threads)
		x.o.threads = tp_cpu_count();
	if (read_recipe(&x, &err)) /* a file is data, --set is usage */
		return x.in_file ? tp_cli_fail("train", &err) : tp_cli_usage("train", "%s", err.msg);
	tp_cancel_on_signals();
	return train(&x.o, &err) ? tp_cli_fail("train", &err) : 0;
}

static const tp_option no_options[] = { { 0 } };
static const tp_syntax recipe_syntax = { .name = "recipe",
	.usage = "",
	.help = "Print every setting of fine-tuning with its default, as a file that tepal train --config "
		"takes.",
	.example = "tepal recipe > garden.conf",
	.options = no_options };

int cmd_recipe(int argc, char **argv)
{
	int nothing = 0, status;
	tp_words words;
	if (!tp_cli_parse(&words, &status, &recipe_syntax, &nothing, argc, argv))
		return status;
	tp_cfg_example(stdout, tp_recipe_items);
	return 0;
}
