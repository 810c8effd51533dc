/* tepal eval: how often a model is right, on photos whose names are known. */
#include "base/cancel.h"
#include "base/mem.h"
#include "base/par.h"
#include "cli/cli.h"
#include "train/train.h"

typedef struct {
	tp_eval_opts o;
	int split;
} options;

static const char *const splits[] = { "train", "val", "test", NULL };
static const tp_option table[] = {
	{ "split", 's', TP_OPT_CHOICE, offsetof(options, split), "NAME", "train, val or test", "test",
		.choices = splits },
	{ "json", 0, TP_OPT_FLAG, offsetof(options, o.json), .help = "JSON for programs" },
	{ "threads", 't', TP_OPT_INT, offsetof(options, o.set.threads), "N", "threads to work with",
		.fallback_help = "one for each processor", .min = 1, .max = 1024 },
	{ "quiet", 'q', TP_OPT_FLAG, offsetof(options, o.set.quiet), .help = "no progress" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "eval",
	.usage = "[OPTION...] MODEL PHOTOS",
	.help = "Measure a model on photos with known names: a folder with one folder a species, or a CSV "
		"file.",
	.example = "tepal eval " TP_DEFAULT_MODEL " photos/",
	.options = table,
	.min_words = 2,
	.max_words = 2,
	.wanted = "a model and photos are needed" };

int cmd_eval(int argc, char **argv)
{
	options x = { 0 };
	tp_err err = { 0 };
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &syntax, &x, argc, argv))
		return status;
	char *cache = tp_cli_cache_path("features");
	x.o.split = (tp_split)x.split;
	x.o.set.model = words.v[0];
	x.o.set.photos = words.v[1];
	x.o.set.cache_dir = cache;
	if (!x.o.set.threads)
		x.o.set.threads = tp_cpu_count();
	tp_cancel_on_signals();
	tp_code rc = tp_eval(&x.o, &err);
	tp_free(cache);
	return rc ? tp_cli_fail("eval", &err) : 0;
}
