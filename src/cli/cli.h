/* The commands of `tepal`. Each takes its own argv (argv[0] is its name) and returns the exit status:
 * 0 done, 1 failed, 2 wrong usage. stdout is data, stderr is talk. */
#ifndef TP_CLI_CLI_H
#define TP_CLI_CLI_H

#include "base/err.h"
#include "cli/options.h"

#define TP_DEFAULT_MODEL "models/plants83.safetensors"

typedef struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} tp_command;

int cmd_train(int argc, char **argv);
int cmd_recipe(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_index(int argc, char **argv);
int cmd_identify(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_model(int argc, char **argv);
int cmd_data(int argc, char **argv);
int data_import(int argc, char **argv); /* of tepal data */
int data_show(int argc, char **argv);
int data_fetch(int argc, char **argv);
int data_export(int argc, char **argv);
int data_match(int argc, char **argv);
int data_split(int argc, char **argv);
int data_report(int argc, char **argv);
int cmd_version(int argc, char **argv);

enum { TP_EXIT_FAILED = 1, TP_EXIT_USAGE = 2 };

/* Prints "tepal NAME: message" and is TP_EXIT_FAILED (130 when it was cancelled). */
int tp_cli_fail(const char *command, const tp_err *err);

/* Prints "tepal NAME: message" and where help is, and is TP_EXIT_USAGE. */
int tp_cli_usage(const char *command, const char *fmt, ...) TP_PRINTF(2, 3);

/* True: go on. Else help was printed, or what is wrong with the options, and *status is the exit status. */
bool tp_cli_parse(tp_words *words, int *status, const tp_syntax *s, void *into, int argc, char **argv);

/* "x.index.safetensors" for "x.safetensors"; the caller frees with tp_free(). NULL when out of memory. */
char *tp_cli_index_path(const char *model_path);

/* $XDG_CACHE_HOME/tepal/NAME, or ~/.cache/tepal/NAME; the caller frees with tp_free(). NULL: no home, no cache. */
char *tp_cli_cache_path(const char *name);

#endif
