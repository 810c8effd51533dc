/* tepal data import and tepal data show: photos with names into a catalog, and what stands in it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cancel.h"
#include "cli/cli.h"
#include "data/catalog.h"
#include "data/import.h"

/* ---- import ---- */

enum { TAB, COMMA, SEMICOLON, BAR, BY_NAME };
static const char *const delimiters[] = { "tab", "comma", "semicolon", "bar", "by-name", NULL };
static const char delimiter_letters[] = { '\t', ',', ';', '|', 0 };

typedef struct {
	tp_catalog_import_opts o;
	const char *to, *kingdom;
	tp_opt_list column;
	int delimiter;
} import_options;

static const tp_option import_table[] = {
	{ "to", 0, TP_OPT_TEXT, offsetof(import_options, to), "DIR",
		"the folder of the catalog; made when it is new" },
	{ "column", 'c', TP_OPT_LIST, offsetof(import_options, column), "WHAT=COLUMN",
		"what stands in which column of a table: species=scientificName; WHAT is one of path, url, "
		"species, "
		"family, authorship, organ, source, split, licence, author, date, latitude, longitude, "
		"observation, "
		"no_train, kingdom" },
	{ "delimiter", 0, TP_OPT_CHOICE, offsetof(import_options, delimiter), "NAME",
		"what is between columns (csv)", "by-name", .fallback_help = "a tab for .tsv, else a comma",
		.choices = delimiters },
	{ "encoding", 0, TP_OPT_TEXT, offsetof(import_options, o.source.encoding), "NAME",
		"of tables that do not say it themselves: utf-8 or latin1", .fallback_help = "utf-8" },
	{ "root", 0, TP_OPT_TEXT, offsetof(import_options, o.source.root), "DIR",
		"what paths in a table are relative to", .fallback_help = "the table's folder" },
	{ "kingdom", 'k', TP_OPT_TEXT, offsetof(import_options, kingdom), "NAME",
		"refuse rows that tell of another kingdom; \"any\" takes all", "Plantae" },
	{ "citation", 0, TP_OPT_TEXT, offsetof(import_options, o.citation), "TEXT",
		"how the source wants to be cited" },
	{ "licence", 0, TP_OPT_TEXT, offsetof(import_options, o.licence), "TEXT",
		"of the source as a whole" },
	{ "quiet", 'q', TP_OPT_FLAG, offsetof(import_options, o.quiet), .help = "no progress" },
	{ 0 },
};
static const tp_syntax import_syntax = { .name = "data import",
	.usage = "KIND PATH --to DIR [OPTION...]",
	.help = "Take photos with names into a catalog. KIND is one of folders, csv, dwca, plantnet300k, "
		"inat2021, "
		"oxford102.",
	.notes = "Run again, it adds only what is new. Ctrl-C keeps what was taken. Every row is added, "
		 "there already, or "
		 "refused with a reason that tepal data show --refused lists.",
	.example = "tepal data import dwca 0012345-240321170329656.zip --to plants/",
	.options = import_table,
	.min_words = 2,
	.max_words = 2,
	.wanted = "a kind of source and its path are needed" };

static void print_sum(const tp_imported *n)
{
	printf("%zu rows seen: %zu added, %zu there already, %zu refused\n", n->seen, n->added, n->there,
		n->refused);
	if (n->refused)
		printf("refused: %zu not photos, %zu without a species, %zu not as they should be, %zu not "
		       "wanted\n",
			n->refused_as[TP_NOT_A_PHOTO], n->refused_as[TP_NO_SPECIES],
			n->refused_as[TP_BAD_ROW], n->refused_as[TP_NOT_WANTED]);
	if (n->unused)
		printf("%zu observations without a photo\n", n->unused);
}

static int unknown_kind(const char *kind)
{
	fprintf(stderr, "tepal data import: \"%s\" is no kind of source; these are:\n", kind);
	for (const tp_importer *i = tp_importers; i->name; i++)
		fprintf(stderr, "  %-14s %s\n", i->name, i->help);
	return TP_EXIT_USAGE;
}

int data_import(int argc, char **argv)
{
	import_options x = { 0 };
	tp_err err = { 0 };
	tp_imported n;
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &import_syntax, &x, argc, argv))
		return status;
	if (!x.to)
		return tp_cli_usage(import_syntax.name, "--to DIR is wanted");
	if (!tp_importer_named(words.v[0]))
		return unknown_kind(words.v[0]);
	x.o.kind = words.v[0];
	x.o.source.path = words.v[1];
	x.o.source.column = x.column.v;
	x.o.source.n_columns = x.column.n;
	x.o.source.delimiter = delimiter_letters[x.delimiter];
	x.o.source.kingdom = strcmp(x.kingdom, "any") ? x.kingdom : NULL;
	x.o.now = (int64_t)time(NULL);
	tp_cancel_on_signals();
	tp_code rc = tp_catalog_import(&n, x.to, &x.o, &err);
	if (!rc || n.seen)
		print_sum(&n);
	return rc ? tp_cli_fail(import_syntax.name, &err) : 0;
}

/* ---- show ---- */

typedef struct {
	bool refused, names;
} show_options;

static const tp_option show_table[] = {
	{ "refused", 'r', TP_OPT_FLAG, offsetof(show_options, refused),
		.help = "list every row that was refused" },
	{ "names", 'n', TP_OPT_FLAG, offsetof(show_options, names),
		.help = "list every name as it was given, with its photos" },
	{ 0 },
};
static const tp_syntax show_syntax = { .name = "data show",
	.usage = "DIR [OPTION...]",
	.help = "Say what stands in a catalog: sources, photos kept and excluded by rule, splits.",
	.example = "tepal data show plants/ --refused",
	.options = show_table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one folder with a catalog is needed" };

static tp_code print_source(void *ud, const tp_catalog_source *s, tp_err *err)
{
	(void)ud, (void)err;
	printf("source %lld  %s  %s  %s\n", (long long)s->id, s->kind, s->root, s->options);
	if (*s->citation || *s->licence)
		printf("          %s%s%s\n", s->citation, *s->citation && *s->licence ? "  " : "",
			s->licence);
	printf("          %lld photos, %lld rows refused", (long long)s->photos, (long long)s->refused);
	if (s->finished)
		printf(", of %lld seen\n", (long long)s->seen);
	else
		printf("; interrupted: import it again\n");
	return TP_OK;
}

static tp_code print_verdict(void *ud, const char *rule, int64_t photos, tp_err *err)
{
	(void)ud, (void)err;
	printf("%9lld  %s%s\n", (long long)photos, *rule ? "excluded: " : "kept", rule);
	return TP_OK;
}

static tp_code print_refused(void *ud, int64_t source, const char *where, const char *reason, tp_err *err)
{
	(void)ud, (void)err;
	printf("%lld\t%s\t%s\n", (long long)source, where, reason);
	return TP_OK;
}

static tp_code print_name(void *ud, const tp_catalog_name *n, tp_err *err)
{
	(void)ud, (void)err;
	printf("%lld\t%s\t%s\t%s\n", (long long)n->photos, n->text, n->matched, n->nearest);
	return TP_OK;
}

static tp_code print_counts(tp_catalog *c, tp_err *err)
{
	tp_catalog_counts k;
	tp_code rc = tp_catalog_each_source(c, print_source, NULL, err);
	if (!rc)
		rc = tp_catalog_each_verdict(c, print_verdict, NULL, err);
	if (!rc)
		rc = tp_catalog_count(&k, c, err);
	if (rc)
		return rc;
	printf("%9lld  photos of %lld species, %lld names, %lld observations; %lld rows refused\n",
		(long long)k.photos, (long long)k.taxa, (long long)k.names, (long long)k.observations,
		(long long)k.refused);
	printf("of those kept: %lld to train, %lld to validate, %lld to test, %lld held out, %lld without a "
	       "split\n",
		(long long)k.split[TP_TRAIN], (long long)k.split[TP_VAL], (long long)k.split[TP_TEST],
		(long long)k.held_out, (long long)k.no_split);
	return TP_OK;
}

int data_show(int argc, char **argv)
{
	show_options o = { 0 };
	tp_err err = { 0 };
	tp_catalog *c = NULL;
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &show_syntax, &o, argc, argv))
		return status;
	tp_code rc = tp_catalog_open(&c, words.v[0], TP_CATALOG_READ, &err);
	if (!rc && o.refused)
		rc = tp_catalog_each_refused(c, 0, print_refused, NULL, &err);
	else if (!rc && o.names)
		rc = tp_catalog_each_name(c, print_name, NULL, &err);
	else if (!rc)
		rc = print_counts(c, &err);
	tp_catalog_close(c);
	return rc ? tp_cli_fail(show_syntax.name, &err) : 0;
}
