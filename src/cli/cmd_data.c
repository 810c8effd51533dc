/* tepal data: what is done to photos before training. A subcommand is a line of the table below. */
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/par.h"
#include "cli/cli.h"
#include "cli/data_names.h"
#include "data/pack.h"
#include "data/shard.h"

/* ---- pack --------------------------------------------------------------------------------------------------------- */

typedef struct {
	tp_pack_opts o;
	int seed;
} pack_options;

static const tp_option pack_table[] = {
	{ "output", 'o', TP_OPT_TEXT, offsetof(pack_options, o.output), "DIR", "the folder to write" },
	{ "short-side", 0, TP_OPT_INT, offsetof(pack_options, o.short_side), "N",
		"shrink photos to so many pixels on the short side; 0: copy JPEGs as they are, with all that "
		"is "
		"in them",
		"256", .max = 65535 },
	{ "quality", 0, TP_OPT_INT, offsetof(pack_options, o.quality), "N", "of the JPEGs written", "90",
		.min = 1, .max = 100 },
	{ "shard-size", 0, TP_OPT_INT, offsetof(pack_options, o.shard_mib), "MIB", "size of a shard, about",
		"256", .min = 1, .max = 1 << 20 },
	{ "shards", 0, TP_OPT_INT, offsetof(pack_options, o.shards), "N",
		"shards of each split, instead of a size", .fallback_help = "as the size asks for", .min = 1,
		.max = 1 << 20 },
	{ "ranks", 0, TP_OPT_INT, offsetof(pack_options, o.ranks), "N",
		"make the shards as many that N ranks can share them evenly", "1", .min = 1, .max = 1 << 16 },
	{ "seed", 0, TP_OPT_INT, offsetof(pack_options, seed), "N",
		"of the order in the shards, and of the split where the photos bring none", "1",
		.max = 1000000000 },
	{ "threads", 't', TP_OPT_INT, offsetof(pack_options, o.threads), "N", "threads to work with",
		.fallback_help = "one for each processor", .min = 1, .max = 1024 },
	{ "quiet", 'q', TP_OPT_FLAG, offsetof(pack_options, o.quiet), .help = "no progress" },
	{ 0 },
};
static const tp_syntax pack_syntax = { .name = "data pack",
	.usage = "PHOTOS --output DIR [OPTION...]",
	.help = "Pack photos into shards: tar files of small JPEGs that training reads quickly, as "
		"WebDataset has "
		"them.",
	.notes = "DIR can be given to train and eval instead of PHOTOS. Ctrl-C keeps finished work; the same "
		 "command goes on from there. JPEGs that are written hold no EXIF, so no place.",
	.example = "tepal data pack photos/ --output shards/",
	.options = pack_table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one folder, CSV file or catalog of photos is needed" };

static int pack(int argc, char **argv)
{
	pack_options x = { 0 };
	tp_err err = { 0 };
	tp_packed done;
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &pack_syntax, &x, argc, argv))
		return status;
	if (!x.o.output)
		return tp_cli_usage(pack_syntax.name, "--output DIR is wanted");
	if (x.o.shards % x.o.ranks)
		return tp_cli_usage(
			pack_syntax.name, "--shards %d is no multiple of --ranks %d", x.o.shards, x.o.ranks);
	x.o.photos = words.v[0];
	x.o.seed = (uint64_t)x.seed;
	x.o.version = TP_VERSION;
	if (!x.o.threads)
		x.o.threads = tp_cpu_count();
	tp_cancel_on_signals();
	if (tp_pack(&done, &x.o, &err))
		return tp_cli_fail(pack_syntax.name, &err);
	printf("%zu files seen: %zu photos packed, %zu excluded (%s/excluded.csv), %zu no photos of a "
	       "species\n",
		done.seen, done.packed, done.excluded, x.o.output, done.skipped);
	if (done.by_rules + done.held_out + done.not_here)
		printf("%zu excluded by the catalog's rules%s%s%s, %zu held out, %zu not on this disk\n",
			done.by_rules, done.by_rules ? " (" : "", done.rules, done.by_rules ? ")" : "",
			done.held_out, done.not_here);
	printf("%zu shards, %.1f MiB%s\n", done.shards, (double)done.bytes / (1 << 20),
		done.was_there ? "; they were there already" : "");
	return 0;
}

/* ---- verify --------------------------------------------------------------------------------------------------------- */

typedef struct {
	int threads;
	bool quiet;
} verify_options;

static const tp_option verify_table[] = {
	{ "threads", 't', TP_OPT_INT, offsetof(verify_options, threads), "N", "threads to work with",
		.fallback_help = "one for each processor", .min = 1, .max = 1024 },
	{ "quiet", 'q', TP_OPT_FLAG, offsetof(verify_options, quiet), .help = "no progress" },
	{ 0 },
};
static const tp_syntax verify_syntax = { .name = "data verify",
	.usage = "DIR [OPTION...]",
	.help = "Compute the checksums of packed photos again, and name each file that is damaged.",
	.example = "tepal data verify shards/",
	.options = verify_table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one folder of shards is needed" };

static void print_bad(void *ud, const char *file, const char *why)
{
	(void)ud;
	printf("damaged: %s: %s\n", file, why);
}

static int verify(int argc, char **argv)
{
	verify_options o = { 0 };
	tp_err err = { 0 };
	tp_shards_verified v;
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &verify_syntax, &o, argc, argv))
		return status;
	tp_cancel_on_signals();
	if (tp_shards_verify(
		    &v, words.v[0], o.threads ? o.threads : tp_cpu_count(), o.quiet, print_bad, NULL, &err))
		return tp_cli_fail(verify_syntax.name, &err);
	printf("%zu files, %zu photos, %.1f MiB: %zu damaged\n", v.files, v.photos,
		(double)v.bytes / (1 << 20), v.damaged);
	return v.damaged ? TP_EXIT_FAILED : 0;
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static const tp_command commands[] = {
	{ "import", "Take photos with names into a catalog", data_import },
	{ "fetch", "Download the photos of a catalog", data_fetch },
	{ "show", "Say what stands in a catalog", data_show },
	{ "match", "Match the names of a catalog to a list of accepted ones", data_match },
	{ "split", "Deal the photos of a catalog to training, validation and test", data_split },
	{ "export", "Write the photos of a catalog as a table, and describe it", data_export },
	{ "pack", "Pack photos into shards for training", pack },
	{ "verify", "Check the checksums of packed photos", verify },
	{ "report", "Write a page about a catalog, with photos", data_report },
	{ "names", "Match plant names to a list of accepted ones", tp_cli_data_names },
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *out)
{
	fprintf(out, "Usage: tepal data COMMAND [OPTION...]\n\nPrepare photos for training.\n\n");
	for (int i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\nEach command explains itself: tepal data COMMAND --help\n");
}

int cmd_data(int argc, char **argv)
{
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		usage(stdout);
		return 0;
	}
	for (int i = 0; i < N_COMMANDS && argc > 1; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr, "tepal data: \"%s\" is no command of data\n\n", argv[1]);
	usage(stderr);
	return TP_EXIT_USAGE;
}
