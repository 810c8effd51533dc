/* Options of a command as a table that is parsed, and printed as help. Nothing here knows a command.
 *
 * Words and options may be mixed; "--" ends the options. "--name value", "--name=value", "-n value" and "-nvalue" are
 * the same, flags may be joined ("-qj"), and a name may be cut short as long as it is the only one to begin so.
 * Every command has -h, --help. */
#ifndef TP_CLI_OPTIONS_H
#define TP_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/limits.h"

typedef enum {
	TP_OPT_FLAG,   /* bool */
	TP_OPT_TEXT,   /* const char *, borrowed from argv or the table */
	TP_OPT_INT,    /* int, min..max, a multiple of `step` when that is not 0 */
	TP_OPT_CHOICE, /* int: which of `choices` */
	TP_OPT_LIST, /* tp_opt_list: given once or more, each one of `choices` (NULL: any text), max times */
} tp_opt_kind;

enum { TP_OPT_LIST_MAX = 64 };
typedef struct {
	const char *v[TP_OPT_LIST_MAX];
	int n;
} tp_opt_list;

typedef struct {
	const char *name;
	char letter; /* 0: none */
	tp_opt_kind kind;
	size_t offset;             /* of the field, in the struct given to tp_options_parse() */
	const char *arg;           /* "FILE" */
	const char *help;          /* what it is, without the default */
	const char *fallback;      /* the value when it is not given; NULL: the field stays zero */
	const char *fallback_help; /* instead of `fallback` in the help: "one for each processor" */
	long min, max, step;
	const char *const *choices; /* ends at NULL */
} tp_option;

typedef struct {
	const char *name;         /* "train" */
	const char *usage;        /* what follows the name; a line each when there are several ways */
	const char *help;         /* one sentence, or a few */
	const char *notes;        /* after the options; may be NULL */
	const char *example;      /* a whole command line */
	const tp_option *options; /* ends at a NULL name */
	int min_words, max_words;
	const char *wanted; /* said when the number of words is wrong; NULL when there are none to give */
} tp_syntax;

typedef struct {
	char **v; /* argv's own, in order */
	int n;
	bool help; /* help was asked for: nothing else was checked */
} tp_words;

/* Fills the fields of `into` and leaves the words in argv[1] and up. TP_EINVAL names the option, and the one that was
 * perhaps meant. */
TP_CHECKED tp_code tp_options_parse(
	tp_words *words, const tp_syntax *s, void *into, int argc, char **argv, tp_err *err);

void tp_options_help(FILE *out, const tp_syntax *s);

#endif
