/* tepal data match: the names of a catalog, matched to a list of accepted ones. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/data_names.h"
#include "cli/match_catalog.h"
#include "data/csv.h"

enum { MAX_BACKBONES = 16, MAX_TABLE = 1 << 30 };

typedef struct {
	tp_opt_list backbones;
	const char *unmatched;
	bool exact;
} options;

static const tp_option table[] = {
	{ "backbone", 'b', TP_OPT_LIST, offsetof(options, backbones), "FILE",
		"a list of plant names (World Flora Online, WCVP, Darwin Core, any CSV); of several the "
		"first that has a "
		"name counts",
		.max = MAX_BACKBONES },
	{ "unmatched", 'u', TP_OPT_TEXT, offsetof(options, unmatched), "FILE.csv",
		"write names that are not matched, with their nearest ones, here" },
	{ "exact", 0, TP_OPT_FLAG, offsetof(options, exact), .help = "match no misspelt names" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "data match",
	.usage = "DIR --backbone FILE [OPTION...]",
	.help = "Match the names in a catalog to accepted ones: synonyms become one species, families are "
		"filled.",
	.notes = "No photo is dropped: a name that is not matched stays a species of its own, and is listed. "
		 "The names as "
		 "they were given stay too, so another list can be tried.",
	.example = "tepal data match plants/ --backbone classification.csv --unmatched unmatched.csv",
	.options = table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one folder with a catalog is needed" };

typedef struct {
	tp_buf csv;
	size_t told;
	bool to_file;
} listing;

static tp_code add_unmatched(void *ud, const tp_unmatched *u, tp_err *err)
{
	listing *l = ud;
	if (!l->to_file) {
		printf("unmatched: %s (%lld photos)%s%s\n", u->text, (long long)u->photos,
			*u->nearest ? "; nearest: " : "; ", *u->nearest ? u->nearest : u->why);
		return TP_OK;
	}
	tp_code rc = tp_csv_put(&l->csv, u->text, ',', err);
	if (!rc)
		rc = tp_buf_addf(&l->csv, err, "%lld,", (long long)u->photos);
	if (!rc)
		rc = tp_csv_put(&l->csv, u->nearest, ',', err);
	if (!rc)
		rc = tp_buf_addf(&l->csv, err, "%d,", u->distance);
	return rc ? rc : tp_csv_put(&l->csv, u->why, '\n', err);
}

static tp_code write_unmatched(const listing *l, const char *path, tp_err *err)
{
	tp_outfile *f = NULL;
	tp_code rc = tp_outfile_open(&f, path, err);
	if (!rc)
		rc = tp_outfile_write(f, l->csv.ptr, l->csv.len, err);
	if (!rc)
		rc = tp_outfile_commit(&f, err);
	tp_outfile_abort(&f);
	return rc;
}

static void print_sum(const tp_catalog_matched *m)
{
	for (int k = 0; k < TP_NAME_KINDS; k++)
		printf("%9zu  %-10s %9zu photos\n", m->by[k], tp_name_kinds[k], m->photos_by[k]);
	printf("%9zu  names      %9zu photos\n", m->names, m->photos);
	printf("%zu species; before, %zu; %zu without a family\n", m->species, m->species_before,
		m->no_family);
}

static tp_code match(tp_catalog_matched *m, const char *dir, const options *o, tp_err *err)
{
	tp_backbone_stats stats[MAX_BACKBONES];
	tp_backbone *b = NULL;
	tp_catalog *c = NULL;
	listing l = { .to_file = o->unmatched };
	const tp_match_catalog_opts mo = { .fuzzy = !o->exact, .unmatched = add_unmatched, .ud = &l };
	tp_buf_init(&l.csv, MAX_TABLE);
	tp_code rc = tp_buf_adds(&l.csv, "name,photos,nearest,distance,why\n", err);
	if (!rc)
		rc = tp_catalog_open(&c, dir, TP_CATALOG_WRITE, err);
	if (!rc)
		rc = tp_backbone_open(&b, o->backbones.v, (size_t)o->backbones.n, stats, err);
	for (int i = 0; i < o->backbones.n && !rc; i++)
		tp_cli_print_backbone(o->backbones.v[i], &stats[i]);
	if (!rc)
		rc = tp_match_catalog(m, c, b, &mo, err);
	if (!rc && o->unmatched)
		rc = write_unmatched(&l, o->unmatched, err);
	tp_catalog_close(c);
	tp_backbone_free(b);
	tp_buf_dispose(&l.csv);
	return rc;
}

int data_match(int argc, char **argv)
{
	options o = { 0 };
	tp_err err = { 0 };
	tp_catalog_matched m;
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &syntax, &o, argc, argv))
		return status;
	if (!o.backbones.n)
		return tp_cli_usage(syntax.name, "--backbone FILE is wanted");
	if (match(&m, words.v[0], &o, &err))
		return tp_cli_fail(syntax.name, &err);
	print_sum(&m);
	return 0;
}
