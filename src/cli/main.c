/* tepal: the command table, and what all commands share. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "cli/cli.h"

static const tp_command commands[] = {
	{ "identify", "Name the species on one to five photos of a plant", cmd_identify },
	{ "serve", "Serve a model: the page and the JSON API", cmd_serve },
	{ "train", "Train a model on your own photos", cmd_train },
	{ "recipe", "Print the settings of fine-tuning", cmd_recipe },
	{ "eval", "Measure a model on photos with known names", cmd_eval },
	{ "index", "Collect reference photos to show beside answers", cmd_index },
	{ "data", "Pack photos for training", cmd_data },
	{ "model", "Fetch, list and show models", cmd_model },
	{ "version", "Print the version and what it was built with", cmd_version },
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: tepal COMMAND [OPTION...]\n\n"
		     "Identify plants from photos, with a model of your own, on your own machine.\n\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\nExample: tepal identify --model " TP_DEFAULT_MODEL " leaf.jpg\n"
		     "Each command explains itself: tepal COMMAND --help\n");
}

int tp_cli_fail(const char *command, const tp_err *err)
{
	fflush(stdout); /* what was told before comes before, also where both go to one file */
	fprintf(stderr, "tepal %s: %s\n", command, err->msg);
	return err->code == TP_ECANCEL ? 130 : TP_EXIT_FAILED;
}

int tp_cli_usage(const char *command, const char *fmt, ...)
{
	va_list ap;
	fprintf(stderr, "tepal %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nSee: tepal %s --help\n", command);
	return TP_EXIT_USAGE;
}

bool tp_cli_parse(tp_words *words, int *status, const tp_syntax *s, void *into, int argc, char **argv)
{
	tp_err err = { 0 };
	*status = 0;
	if (tp_options_parse(words, s, into, argc, argv, &err)) {
		*status = tp_cli_usage(s->name, "%s", err.msg);
		return false;
	}
	if (words->help)
		tp_options_help(stdout, s);
	return !words->help;
}

static int unknown_command(const char *name)
{
	const char *names[sizeof commands / sizeof *commands];
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		names[i] = commands[i].name;
	const char *near = tp_nearest(name, names, sizeof names / sizeof *names);
	fprintf(stderr, "tepal: \"%s\" is no command%s%s%s\n\n", name, near ? "; did you mean " : "",
		near ? near : "", near ? "?" : "");
	usage(stderr);
	return TP_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return TP_EXIT_USAGE;
	}
	const char *name = strcmp(argv[1], "--version") ? argv[1] : "version";
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return 0;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return unknown_command(argv[1]);
}
