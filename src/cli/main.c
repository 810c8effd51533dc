/* tepal: the command table, and what all commands share. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"

static const tp_command commands[] = {
	{ "identify", "Name the species on one to five photos of a plant", cmd_identify },
	{ "serve", "Serve a model: the page and the JSON API", cmd_serve },
	{ "train", "Train a model on your own photos", cmd_train },
	{ "eval", "Measure a model on photos with known names", cmd_eval },
	{ "index", "Collect reference photos to show beside answers", cmd_index },
	{ "model", "Fetch, list and show models", cmd_model },
	{ "version", "Print the version and what it was built with", cmd_version },
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: tepal COMMAND [OPTION...]\n\n"
		     "Identify plants from photos, with a model of your own, on your own machine.\n\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\nExample: tepal identify --model models/plants83.safetensors leaf.jpg\n"
		     "Each command explains itself: tepal COMMAND --help\n");
}

int tp_cli_fail(const char *command, const tp_err *err)
{
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

tp_code tp_cli_int(long *out, const char *option, const char *text, long min, long max, tp_err *err)
{
	char *end;
	errno = 0;
	long v = strtol(text, &end, 10);
	if (errno || end == text || *end || v < min || v > max)
		return tp_fail(err, TP_EINVAL, "--%s is a whole number from %ld to %ld, not \"%s\"", option,
			min, max, text);
	*out = v;
	return TP_OK;
}

char *tp_cli_index_path(const char *model_path)
{
	static const char ext[] = ".safetensors", add[] = ".index.safetensors";
	size_t n = strlen(model_path), e = sizeof ext - 1;
	if (n > e && !strcmp(model_path + n - e, ext))
		n -= e;
	char *p = tp_alloc(n + sizeof add);
	if (p) {
		memcpy(p, model_path, n);
		memcpy(p + n, add, sizeof add);
	}
	return p;
}

char *tp_cli_cache_path(const char *name)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	bool own = xdg && *xdg == '/';
	const char *base = own ? xdg : home;
	if (!base || *base != '/')
		return NULL;
	char *dir = tp_path_join(base, own ? "tepal" : ".cache/tepal");
	char *path = dir ? tp_path_join(dir, name) : NULL;
	tp_free(dir);
	return path;
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
	fprintf(stderr, "tepal: \"%s\" is no command\n\n", argv[1]);
	usage(stderr);
	return TP_EXIT_USAGE;
}
