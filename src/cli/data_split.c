/* tepal data split: which photos of a catalog train, which validate, which test; and the leak test. */
#include <stdio.h>

#include "cli/cli.h"
#include "data/catalog_split.h"

typedef struct {
	tp_opt_list by, hold_out;
	int val, test, seed;
	bool ignore_given, check;
} options;

static const char *const keys[] = { "author", "day", "place", NULL };
static const tp_option table[] = {
	{ "val", 0, TP_OPT_INT, offsetof(options, val), "PERCENT", "of a species' photos to validate with",
		"10", .max = 90 },
	{ "test", 0, TP_OPT_INT, offsetof(options, test), "PERCENT", "of a species' photos to test with",
		"10", .max = 90 },
	{ "seed", 0, TP_OPT_INT, offsetof(options, seed), "N", "of the order in which groups are dealt", "1",
		.max = 1000000000 },
	{ "by", 'b', TP_OPT_LIST, offsetof(options, by), "WHAT",
		"keep together besides: photos of one author; of an author's day; of one place (0.001 "
		"degrees)",
		.choices = keys },
	{ "hold-out", 0, TP_OPT_LIST, offsetof(options, hold_out), "WHAT=VALUE",
		"photos for none of the three, with all that belong to them: species=NAME or author=NAME (or "
		"a "
		"file of names, one a line), years=2020-2024, box=S,W,N,E in degrees" },
	{ "ignore-given", 0, TP_OPT_FLAG, offsetof(options, ignore_given),
		.help = "deal also photos whose source says where they belong" },
	{ "check", 0, TP_OPT_FLAG, offsetof(options, check),
		.help = "only the leak test, of the splits that are there" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "data split",
	.usage = "DIR [OPTION...]",
	.help = "Deal the photos of a catalog to training, validation and test, so that nothing that is "
		"tested was "
		"seen in training.",
	.notes = "Photos of one observation, near duplicates and photos with the same bytes always go one "
		 "way. The same "
		 "seed gives the same split. Exit status 1 when the leak test finds a leak.",
	.example = "tepal data split plants/ --by author --hold-out years=2024-2026",
	.options = table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one folder with a catalog is needed" };

static void print_unknown(void *ud, const char *what, const char *name)
{
	(void)ud;
	fprintf(stderr, "to hold out: no %s \"%s\" in the catalog\n", what, name);
}

static void print_leak(void *ud, const char *text)
{
	(void)ud;
	printf("leak: %s\n", text);
}

static void print_splits(const tp_catalog_splitted *s)
{
	const tp_split_stats *t = &s->split;
	for (int i = 0; i <= TP_SPLITS; i++)
		printf("%9zu  %-8s %5.1f %%\n", t->n[i], tp_split_words[i],
			s->kept ? 100 * (double)t->n[i] / (double)s->kept : 0);
	printf("%9zu  photos kept, and %zu excluded ones that go with their groups\n", s->kept, s->excluded);
	printf("%zu groups, %zu of several species; %zu given to several splits\n", t->groups, t->mixed,
		t->conflicts);
	printf("%zu species: %zu without a photo to test, %zu to validate, %zu to train\n", s->species,
		s->no_test, s->no_val, s->no_train);
	if (*s->worst)
		printf("furthest from its share: %s, by %.1f %% of its photos; the most of any species: %.0f "
		       "photos\n",
			s->worst, 100 * t->max_off_share, t->max_off);
	printf("%zu photos are in another split than before\n", s->changed);
}

static int print_leaks(size_t leaks)
{
	printf("leak test: %zu leaks\n", leaks);
	if (!leaks)
		return 0;
	fprintf(stderr, "tepal data split: %zu photos are in another split than photos they belong to\n",
		leaks);
	return TP_EXIT_FAILED;
}

int data_split(int argc, char **argv)
{
	options x = { 0 };
	tp_err err = { 0 };
	tp_catalog *c = NULL;
	tp_catalog_splitted s = { 0 };
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &syntax, &x, argc, argv))
		return status;
	if (x.val + x.test >= 100)
		return tp_cli_usage(
			syntax.name, "--val %d and --test %d leave nothing to train", x.val, x.test);
	const tp_catalog_split_opts o = { .by = x.by.v,
		.n_by = x.by.n,
		.hold_out = x.hold_out.v,
		.n_hold_out = x.hold_out.n,
		.val = x.val / 100.0,
		.test = x.test / 100.0,
		.seed = (uint64_t)x.seed,
		.ignore_given = x.ignore_given,
		.unknown = print_unknown,
		.leak = print_leak };
	tp_code rc = tp_catalog_open(&c, words.v[0], x.check ? TP_CATALOG_READ : TP_CATALOG_WRITE, &err);
	if (!rc)
		rc = x.check ? tp_catalog_split_check(&s.leaks, c, &o, &err)
			     : tp_catalog_split(&s, c, &o, &err);
	tp_catalog_close(c);
	if (rc)
		return tp_cli_fail(syntax.name, &err);
	if (!x.check)
		print_splits(&s);
	return print_leaks(s.leaks);
}
