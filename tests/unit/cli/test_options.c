/* Option tables: what is parsed, what is refused and in which words, and the help. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "t.h"

typedef struct {
	const char *name, *output;
	int side, threads, split;
	bool quiet, json;
	tp_opt_list organ;
} fields;

static const char *const splits[] = { "train", "val", "test", NULL };
static const char *const organs[] = { "leaf", "flower", NULL };
static const tp_option table[] = {
	{ "name", 'n', TP_OPT_TEXT, offsetof(fields, name), "NAME", "name of the model", "plants" },
	{ "output", 'o', TP_OPT_TEXT, offsetof(fields, output), "FILE", "the model to write",
		.fallback_help = "NAME.safetensors" },
	{ "side", 0, TP_OPT_INT, offsetof(fields, side), "N", "pixels", .min = 32, .max = 1024, .step = 32 },
	{ "threads", 't', TP_OPT_INT, offsetof(fields, threads), "N", "threads", "2", .min = 1, .max = 256 },
	{ "split", 's', TP_OPT_CHOICE, offsetof(fields, split), "NAME", "which photos", "test",
		.choices = splits },
	{ "organ", 0, TP_OPT_LIST, offsetof(fields, organ), "ORGAN", "what is seen", .choices = organs },
	{ "quiet", 'q', TP_OPT_FLAG, offsetof(fields, quiet), .help = "no progress" },
	{ "json", 'j', TP_OPT_FLAG, offsetof(fields, json), .help = "JSON for programs" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "grow",
	.usage = "[OPTION...] PHOTOS\nlist",
	.help = "Grow a plant.",
	.example = "tepal grow photos/",
	.options = table,
	.max_words = 2,
	.wanted = "at most two words" };

enum { MAX_ARGS = 16 };

/* A command line in one text; the words in it are cut at blanks. */
static tp_code parse(tp_words *w, fields *f, const char *line, tp_err *err)
{
	static char copy[256];
	static char *argv[MAX_ARGS];
	int argc = 0;
	snprintf(copy, sizeof copy, "%s", line);
	for (char *at = copy; at && argc < MAX_ARGS; argc++) {
		argv[argc] = at;
		at = strchr(at, ' ');
		if (at)
			*at++ = 0;
	}
	*f = (fields){ 0 };
	return tp_options_parse(w, &syntax, f, argc, argv, err);
}

static int test_forms(void)
{
	static const char *const lines[] = {
		"grow --name garden --threads 7 --quiet --json a b",
		"grow a --name=garden -t 7 b -q -j",
		"grow -ngarden -t7 -qj a b",
		"grow -qjt7 --na garden -- a b",
		"grow a b --qui --js --thr=7 --name other --name garden",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		tp_words w;
		fields f;
		tp_err err = { 0 };
		CHECK_OK(parse(&w, &f, lines[i], &err), err);
		CHECK_STR(f.name, "garden");
		CHECK(f.threads == 7 && f.quiet && f.json, "%s", lines[i]);
		CHECK(w.n == 2, "%s: %d words", lines[i], w.n);
		CHECK_STR(w.v[0], "a");
		CHECK_STR(w.v[1], "b");
	}
	return 0;
}

static int test_fallbacks(void)
{
	tp_words w;
	fields f;
	tp_err err = { 0 };
	CHECK_OK(parse(&w, &f, "grow", &err), err);
	CHECK_STR(f.name, "plants");
	CHECK(!f.output && f.threads == 2 && f.split == 2 && f.side == 0 && !f.quiet, "threads %d split %d",
		f.threads, f.split);
	CHECK_OK(parse(&w, &f, "grow - --organ leaf --organ flower -s val -- --side", &err), err);
	CHECK(w.n == 2 && f.split == 1 && f.organ.n == 2, "%d words, split %d, %d organs", w.n, f.split,
		f.organ.n);
	CHECK_STR(w.v[0], "-");
	CHECK_STR(w.v[1], "--side");
	CHECK_STR(f.organ.v[1], "flower");
	return 0;
}

static int test_refused(void)
{
	static const struct {
		const char *line, *said;
	} bad[] = {
		{ "grow --thread-count 3", "there is no option --thread-count" },
		{ "grow --treads 3", "there is no option --treads; did you mean --threads?" },
		{ "grow --tihreads=3", "there is no option --tihreads; did you mean --threads?" },
		{ "grow --quite", "there is no option --quite; did you mean --quiet?" },
		{ "grow --names x", "there is no option --names; did you mean --name?" },
		{ "grow --hepl", "there is no option --hepl; did you mean --help?" },
		{ "grow --xyz", "there is no option --xyz" },
		{ "grow --=3", "there is no option --" },
		{ "grow --s 3", "--s is the beginning of more than one option" },
		{ "grow -x", "there is no option -x" },
		{ "grow -qx", "there is no option -x" },
		{ "grow --name", "--name needs a value: NAME" },
		{ "grow -t", "--threads needs a value: N" },
		{ "grow --quiet=yes", "--quiet takes no value" },
		{ "grow -t 0", "--threads is a whole number from 1 to 256, not \"0\"" },
		{ "grow -t 257", "--threads is a whole number from 1 to 256, not \"257\"" },
		{ "grow -t 3x", "--threads is a whole number from 1 to 256, not \"3x\"" },
		{ "grow -t -1", "--threads is a whole number from 1 to 256, not \"-1\"" },
		{ "grow --threads=", "--threads is a whole number from 1 to 256, not \"\"" },
		{ "grow -t 99999999999999999999",
			"--threads is a whole number from 1 to 256, not \"99999999999999999999\"" },
		{ "grow --side 100", "--side is a multiple of 32 from 32 to 1024, not \"100\"" },
		{ "grow --split all", "--split is train, val or test, not \"all\"" },
		{ "grow --organ wing", "--organ is leaf or flower, not \"wing\"" },
		{ "grow --organ leaf --organ leaf --organ leaf --organ leaf --organ leaf --organ leaf",
			"--organ is given at most 5 times" },
		{ "grow a b c", "at most two words" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tp_words w;
		fields f;
		tp_err err = { 0 };
		tp_code rc = parse(&w, &f, bad[i].line, &err);
		CHECK(rc == TP_EINVAL, "%s: code %d", bad[i].line, rc);
		CHECK_STR(err.msg, bad[i].said);
		CHECK(parse(&w, &f, bad[i].line, NULL) == TP_EINVAL, "%s: without an error to fill",
			bad[i].line);
	}
	return 0;
}

static int test_help(void)
{
	static const char want[] = "Usage: tepal grow [OPTION...] PHOTOS\n"
				   "       tepal grow list\n\n"
				   "Grow a plant.\n\n"
				   "  -n, --name NAME       name of the model (default: plants)\n"
				   "  -o, --output FILE     the model to write (default: NAME.safetensors)\n"
				   "      --side N          pixels\n"
				   "  -t, --threads N       threads (default: 2)\n"
				   "  -s, --split NAME      which photos (default: test)\n"
				   "      --organ ORGAN     what is seen\n"
				   "  -q, --quiet           no progress\n"
				   "  -j, --json            JSON for programs\n"
				   "  -h, --help            this text\n\n"
				   "Example: tepal grow photos/\n";
	static const char *const lines[] = { "grow --help", "grow -h", "grow a b c -qh",
		"grow --h --nonsense" };
	char got[4096] = "";
	FILE *f = fmemopen(got, sizeof got, "w");
	CHECK(f != NULL, "fmemopen");
	tp_options_help(f, &syntax);
	fclose(f);
	CHECK_STR(got, want);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		tp_words w;
		fields x;
		tp_err err = { 0 };
		CHECK_OK(parse(&w, &x, lines[i], &err), err);
		CHECK(w.help, "%s", lines[i]);
	}
	return 0;
}

static int test_nearest(void)
{
	static const char *const names[] = { "identify", "serve", "train", "eval", "index", "model",
		"version" };
	static const struct {
		const char *word, *want;
	} cases[] = { { "trian", "train" }, { "identfy", "identify" }, { "server", "serve" },
		{ "idx", "index" }, { "evaluate", "eval" }, { "banana", NULL }, { "", NULL },
		{ "a-word-that-is-longer-than-any-name-there-is", NULL } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got = tp_nearest(cases[i].word, names, sizeof names / sizeof *names);
		CHECK_STR(got ? got : "(none)", cases[i].want ? cases[i].want : "(none)");
	}
	return 0;
}

static int test_paths(void)
{
	static const struct {
		const char *xdg, *home, *want;
	} cases[] = { { "/x", "/home/a", "/x/tepal/features" },
		{ "", "/home/a", "/home/a/.cache/tepal/features" },
		{ "relative", "/home/a", "/home/a/.cache/tepal/features" }, { "", "", "(none)" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		setenv("XDG_CACHE_HOME", cases[i].xdg, 1);
		setenv("HOME", cases[i].home, 1);
		char *got = tp_cli_cache_path("features");
		CHECK_STR(got ? got : "(none)", cases[i].want);
		tp_free(got);
	}
	char *index = tp_cli_index_path("a/b.safetensors");
	CHECK_STR(index, "a/b.index.safetensors");
	tp_free(index);
	return 0;
}

int main(void)
{
	return RUN(T(test_forms), T(test_fallbacks), T(test_refused), T(test_help), T(test_nearest),
		T(test_paths));
}
