/* tepal data export: the photos of a catalog as a table, and a description of what is handed out. */
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"
#include "data/catalog_export.h"
#include "data/split_groups.h"

typedef struct {
	tp_export_opts table;
	tp_croissant_opts about;
	tp_opt_list licence;
	int split;
} options;

enum { EVERY_SPLIT = TP_HELD_OUT + 1 }; /* in the list below */
static const char *const splits[] = { "train", "val", "test", "held-out", "all", NULL };

static const tp_option table[] = {
	{ "csv", 0, TP_OPT_TEXT, offsetof(options, table.table), "FILE",
		"write the photos that are kept as a table, which tepal train and tepal data import csv "
		"read" },
	{ "root", 0, TP_OPT_TEXT, offsetof(options, table.root), "DIR",
		"what paths in the table are relative to", .fallback_help = "the table's folder" },
	{ "split", 0, TP_OPT_CHOICE, offsetof(options, split), "NAME",
		"only photos of train, val, test or held-out (which the table calls test)", "all",
		.fallback_help = "all but held-out", .choices = splits },
	{ "urls", 0, TP_OPT_FLAG, offsetof(options, table.urls),
		.help = "also photos that are not on this disk and have an address" },
	{ "croissant", 0, TP_OPT_TEXT, offsetof(options, about.file), "FILE",
		"write an MLCommons Croissant description of the table, of --shards, or of both" },
	{ "shards", 0, TP_OPT_TEXT, offsetof(options, about.shards), "DIR",
		"the folder that tepal data pack wrote" },
	{ "name", 0, TP_OPT_TEXT, offsetof(options, about.name), "TEXT", "of the data set",
		.fallback_help = "the catalog's folder" },
	{ "description", 0, TP_OPT_TEXT, offsetof(options, about.description), "TEXT", "of the data set",
		.fallback_help = "how many photos of how many species" },
	{ "url", 0, TP_OPT_TEXT, offsetof(options, about.url), "URL", "the data set's page" },
	{ "creator", 0, TP_OPT_TEXT, offsetof(options, about.creator), "NAME", "who made the data set" },
	{ "date", 0, TP_OPT_TEXT, offsetof(options, about.date), "DATE", "when it is published",
		.fallback_help = "today" },
	{ "set-version", 0, TP_OPT_TEXT, offsetof(options, about.version), "TEXT", "of the data set",
		"1.0.0" },
	{ "licence", 0, TP_OPT_LIST, offsetof(options, licence), "URL", "of the data set, best as a URL",
		.fallback_help = "those of the photos and sources" },
	{ "citation", 0, TP_OPT_TEXT, offsetof(options, about.citation), "TEXT", "how to cite it",
		.fallback_help = "those of the sources" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "data export",
	.usage = "DIR [--csv FILE] [--croissant FILE] [OPTION...]",
	.help = "Write the photos of a catalog as a table, and describe what is handed out for other "
		"programs.",
	.notes = "A Croissant file must tell the data set's url, creator and licence. It names files "
		 "relative to itself, so "
		 "put them below its folder.",
	.example =
		"tepal data export plants/ --csv photos.csv --croissant croissant.json --url https://x.org "
		"--creator \"A Garden\"",
	.options = table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one folder with a catalog is needed" };

static void print_sum(const char *file, const tp_exported *n)
{
	printf("%zu photos written to %s; %zu excluded, %zu held out, %zu of other splits, %zu not on this "
	       "disk\n",
		n->written, file, n->excluded, n->held_out, n->other_split, n->not_here);
	if (n->no_licence)
		printf("%zu of them without a licence\n", n->no_licence);
}

static tp_code write_all(tp_catalog *c, const char *dir, options *x, tp_err *err)
{
	tp_exported n;
	tp_code rc = x->table.table ? tp_catalog_export(&n, c, dir, &x->table, err) : TP_OK;
	if (!rc && x->table.table)
		print_sum(x->table.table, &n);
	if (!rc && x->about.file)
		rc = tp_catalog_croissant(c, dir, &x->about, err);
	return rc;
}

int data_export(int argc, char **argv)
{
	options x = { 0 };
	tp_err err = { 0 };
	tp_catalog *c = NULL;
	tp_words words;
	int status;
	char today[16];
	time_t now = time(NULL);
	struct tm utc;
	if (!tp_cli_parse(&words, &status, &syntax, &x, argc, argv))
		return status;
	if (!x.table.table && !x.about.file)
		return tp_cli_usage(syntax.name, "--csv FILE or --croissant FILE is wanted");
	if (x.about.file && !x.table.table && !x.about.shards)
		return tp_cli_usage(
			syntax.name, "--croissant describes --csv FILE or --shards DIR: name one");
	strftime(today, sizeof today, "%Y-%m-%d", gmtime_r(&now, &utc));
	x.table.split = x.split == EVERY_SPLIT ? -1 : x.split;
	x.about.table = x.table.table;
	x.about.licence = x.licence.v;
	x.about.n_licence = x.licence.n;
	x.about.date = x.about.date ? x.about.date : today;
	tp_code rc = tp_catalog_open(&c, words.v[0], TP_CATALOG_READ, &err);
	if (!rc)
		rc = write_all(c, words.v[0], &x, &err);
	tp_catalog_close(c);
	return rc ? tp_cli_fail(syntax.name, &err) : 0;
}
