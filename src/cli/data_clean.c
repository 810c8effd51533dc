/* tepal data clean: which photos of a catalog are not to be trained with, and why. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/par.h"
#include "cli/clean_model.h"
#include "cli/cli.h"
#include "data/catalog.h"

typedef struct {
	tp_clean_opts o;
	tp_opt_list on, off;
	const char *model, *cosine, *explain;
	bool rules;
} options;

static const tp_option table[] = {
	{ "rule", 'r', TP_OPT_LIST, offsetof(options, on), "NAME[=N]",
		"ask this rule, with this threshold; may be given for several" },
	{ "no-rule", 0, TP_OPT_LIST, offsetof(options, off), "NAME", "do not ask this rule" },
	{ "rules", 0, TP_OPT_FLAG, offsetof(options, rules),
		.help = "list the rules with their thresholds and what they are for" },
	{ "model", 'm', TP_OPT_TEXT, offsetof(options, model), "FILE",
		"a model to compare near duplicates by, to find pictures without a plant and wrong labels" },
	{ "cosine", 0, TP_OPT_TEXT, offsetof(options, cosine), "N",
		"near duplicates are those whose features by the model have at least this cosine", "0.8" },
	{ "dry-run", 'n', TP_OPT_FLAG, offsetof(options, o.dry_run),
		.help = "say what would be excluded and change no verdict; measures are kept" },
	{ "explain", 'e', TP_OPT_TEXT, offsetof(options, explain), "PHOTO",
		"say what is known of one photo, by its number or path, and what was found of it" },
	{ "threads", 't', TP_OPT_INT, offsetof(options, o.threads), "N", "threads to work with",
		.fallback_help = "one for each processor", .min = 1, .max = 1024 },
	{ "quiet", 'q', TP_OPT_FLAG, offsetof(options, o.quiet), .help = "no progress" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "data clean",
	.usage = "CATALOG [OPTION...]\nCATALOG --explain PHOTO\n--rules",
	.help = "Find photos of a catalog that are damaged, copies, useless or wrongly named, and exclude "
		"them "
		"with the reason.",
	.notes = "Nothing is deleted, and each run decides anew. Photos are read once: Ctrl-C keeps what was "
		 "measured, and other "
		 "thresholds read none again. docs/data.md says which rule decides and how the thresholds "
		 "were "
		 "chosen.",
	.example = "tepal data clean plants/ --rule blurred=6 --no-rule text",
	.options = table,
	.min_words = 0,
	.max_words = 1,
	.wanted = "one folder with a catalog is needed" };

/* ---- rules and numbers ---- */

static tp_code number(float *out, const char *what, const char *text, tp_err *err)
{
	char *end;
	errno = 0;
	float v = strtof(text, &end);
	if (end == text || *end || errno || !isfinite(v))
		return tp_fail(err, TP_EINVAL, "%s: \"%.40s\" is no number", what, text);
	*out = v;
	return TP_OK;
}

static tp_code ask(tp_rule_set *s, const char *text, tp_err *err)
{
	char name[64];
	float threshold = 0;
	size_t n = strcspn(text, "=");
	snprintf(name, sizeof name, "%.*s", (int)(n < 60 ? n : 60), text);
	tp_code rc = tp_rule_switch(s, name, true, err);
	if (rc || !text[n])
		return rc;
	rc = number(&threshold, name, text + n + 1, err);
	return rc ? rc : tp_rule_set_threshold(s, name, threshold, err);
}

static tp_code choose_rules(options *x, tp_err *err)
{
	tp_code rc = number(&x->o.cosine, "--cosine", x->cosine, err);
	tp_rule_set_init(&x->o.rules);
	for (int i = 0; i < x->on.n && !rc; i++)
		rc = ask(&x->o.rules, x->on.v[i], err);
	for (int i = 0; i < x->off.n && !rc; i++)
		rc = tp_rule_switch(&x->o.rules, x->off.v[i], false, err);
	return rc;
}

static int list_rules(const tp_rule_set *s)
{
	for (int i = 0; i < TP_RULES; i++) {
		const tp_rule *r = &tp_rules[i];
		char threshold[64] = "";
		if (r->min < r->max)
			snprintf(threshold, sizeof threshold, "%g %s", (double)s->threshold[i], r->unit);
		printf("%-16s  %-3s  %-32s  %s\n", r->name, s->on[i] ? "on" : "off", threshold, r->why);
	}
	return 0;
}

/* ---- one photo ---- */

typedef struct {
	const char *wanted;
	int64_t id;
	char excluded[64];
	bool found, by_number;
} explained;

static void print_measures(const tp_catalog_photo *p)
{
	static const struct {
		tp_measure what;
		double scale;
		const char *name;
	} all[] = { { TP_BRIGHTNESS, 255, "mean luma" }, { TP_CONTRAST, 255, "contrast" },
		{ TP_SHARPNESS, 1, "sharpness" }, { TP_SATURATION, 1, "saturation" },
		{ TP_ENTROPY, 1, "entropy, bits" }, { TP_TEXT_SHARE, 1, "rows of text" },
		{ TP_FLAT_SHARE, 1, "flat pixels" }, { TP_BACKGROUND, 1, "no plant" },
		{ TP_DOUBT, 1, "doubt of the name" } };
	if (p->width)
		printf("%-18s  %d x %d pixels, %lld bytes\n", "size", p->width, p->height,
			(long long)p->bytes);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!isnan(p->measure[all[i].what]))
			printf("%-18s  %.4g\n", all[i].name, p->measure[all[i].what] * all[i].scale);
	if (p->duplicates)
		printf("%-18s  group %lld\n", "copies", (long long)p->duplicates);
}

static tp_code explain_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	explained *x = ud;
	(void)err;
	bool is_it = x->by_number ? p->id == x->id
				  : !strcmp(p->path, x->wanted) || !strcmp(p->file, x->wanted) ||
					    !strcmp(p->url, x->wanted);
	if (!is_it || x->found)
		return TP_OK;
	x->found = true;
	x->id = p->id;
	printf("photo %lld  %s\n", (long long)p->id, *p->path ? p->path : p->url);
	printf("%-18s  %s%s\n", "verdict", p->excluded ? "excluded: " : "kept",
		p->excluded ? p->excluded : "");
	if (*p->broken)
		printf("%-18s  %s\n", "the file", p->broken);
	print_measures(p);
	return TP_OK;
}

static tp_code explain_finding(void *ud, const tp_catalog_finding *f, tp_err *err)
{
	const explained *x = ud;
	(void)err;
	if (f->photo != x->id)
		return TP_OK;
	int r = tp_rule_named(f->rule);
	printf("found: %s", f->rule);
	if (!isnan(f->value))
		printf("  %.4g%s%s", f->value, r >= 0 && *tp_rules[r].unit ? " " : "",
			r >= 0 ? tp_rules[r].unit : "");
	if (f->other)
		printf("  photo %lld", (long long)f->other);
	printf("%s%s\n", r >= 0 ? ": " : "", r >= 0 ? tp_rules[r].why : "");
	return TP_OK;
}

static int explain(const char *dir, const char *wanted)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	char *end;
	explained x = { .wanted = wanted, .id = strtoll(wanted, &end, 10) };
	x.by_number = end != wanted && !*end;
	if (x.by_number) {
		all.after = x.id - 1;
		all.limit = 1;
	}
	tp_code rc = tp_catalog_open(&c, dir, TP_CATALOG_READ, &err);
	if (!rc)
		rc = tp_catalog_each_photo(c, &all, explain_photo, &x, &err);
	if (!rc && !x.found)
		rc = tp_fail(&err, TP_ENOTFOUND, "%s: no photo \"%.200s\"", dir, wanted);
	if (!rc)
		rc = tp_catalog_each_finding(c, NULL, explain_finding, &x, &err);
	tp_catalog_close(c);
	return rc ? tp_cli_fail(syntax.name, &err) : 0;
}

/* ---- cleaning ---- */

static void print_sums(const options *x, const tp_cleaned *n)
{
	printf("%-18s %9s %9s\n", "rule", "found", "decided");
	for (int i = 0; i < TP_RULES; i++)
		if (n->rule[i].found)
			printf("%-18s %9lld %9lld\n", tp_rules[i].name, (long long)n->rule[i].found,
				(long long)n->rule[i].decided);
	for (int i = 0; i < n->n_other; i++)
		printf("%-18s %9lld %9lld\n", n->other[i].name, (long long)n->other[i].photos,
			(long long)n->other[i].photos);
	printf("%lld photos: %lld kept, %lld excluded; %lld read now, %lld known; %lld verdicts %s\n",
		(long long)n->photos, (long long)n->kept, (long long)n->excluded, (long long)n->read,
		(long long)n->known, (long long)n->changed, x->o.dry_run ? "would change" : "changed");
	if (x->model)
		printf("the model looked at %lld photos and judged %lld names\n", (long long)n->looked,
			(long long)n->judged);
}

static void say_what_to_do(const tp_cleaned *n, const char *dir)
{
	long long waiting = n->rule[TP_RULE_NOT_FETCHED].found;
	if (waiting)
		fprintf(stderr,
			"%lld photos are only addresses so far: tepal data fetch %s gets them; then clean "
			"again\n",
			waiting, dir);
}

static tp_code clean(tp_cleaned *n, options *x, const char *dir, tp_err *err)
{
	tp_clean_network net;
	tp_clean_model *model = NULL;
	char *cache = tp_cli_cache_path("features");
	tp_code rc =
		x->model ? tp_clean_model_open(&model, &net, x->model, cache, x->o.threads, x->o.quiet, err)
			 : TP_OK;
	x->o.network = x->model ? &net : NULL;
	if (!rc)
		rc = tp_clean(n, dir, &x->o, err);
	tp_clean_model_close(model);
	tp_free(cache);
	return rc;
}

int data_clean(int argc, char **argv)
{
	options x = { .o = TP_CLEAN_OPTS_INIT };
	tp_err err = { 0 };
	tp_cleaned n = { 0 };
	tp_words words;
	int status;
	x.o.threads = 0;
	if (!tp_cli_parse(&words, &status, &syntax, &x, argc, argv))
		return status;
	if (choose_rules(&x, &err))
		return tp_cli_usage(syntax.name, "%s", err.msg);
	if (x.rules)
		return list_rules(&x.o.rules);
	if (!words.n)
		return tp_cli_usage(syntax.name, "%s", syntax.wanted);
	if (x.explain)
		return explain(words.v[0], x.explain);
	if (!x.o.threads)
		x.o.threads = tp_cpu_count();
	tp_cancel_on_signals();
	if (clean(&n, &x, words.v[0], &err)) {
		if (err.code == TP_ECANCEL)
			fprintf(stderr, "%lld photos were read and are known the next time\n",
				(long long)n.read);
		return tp_cli_fail(syntax.name, &err);
	}
	print_sums(&x, &n);
	say_what_to_do(&n, words.v[0]);
	return 0;
}
