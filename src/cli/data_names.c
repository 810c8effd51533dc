/* tepal data names: the names of a list, matched to a backbone. Every line given is a line printed. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/data_names.h"
#include "taxonomy/match.h"

enum { MAX_LIST = 256 << 20, MAX_BACKBONES = 16 };

typedef struct {
	tp_opt_list backbones;
	bool exact, json;
} options;

static const tp_option table[] = {
	{ "backbone", 'b', TP_OPT_LIST, offsetof(options, backbones), "FILE",
		"a list of plant names (World Flora Online, WCVP, Darwin Core, any CSV); of several the "
		"first that has a "
		"name counts",
		.max = MAX_BACKBONES },
	{ "exact", 0, TP_OPT_FLAG, offsetof(options, exact), .help = "match no misspelt names" },
	{ "json", 0, TP_OPT_FLAG, offsetof(options, json), .help = "an array of objects instead of CSV" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "data names",
	.usage = "LIST --backbone FILE [--backbone FILE...] [--exact] [--json]",
	.help = "Match plant names, one a line, to a list of accepted names and synonyms.",
	.notes = "For each name: the accepted one, its family, how it was matched (exact, name, variant, "
		 "fuzzy), and the "
		 "nearest one when it was not. docs/taxonomy.md says what these mean. LIST may be - for "
		 "standard input.",
	.example = "tepal data names labels.txt --backbone classification.csv",
	.options = table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one file of names is needed" };

/* What is known of one line; texts are "" where there is nothing to say. */
typedef struct {
	const char *given, *family;
	char matched[TP_NAME_CANONICAL], accepted[TP_NAME_CANONICAL], nearest[TP_NAME_CANONICAL], note[512];
	const char *how;
	int distance;
} answer;

static void note(answer *a, const char *text)
{
	size_t n = strlen(a->note);
	snprintf(a->note + n, sizeof a->note - n, "%s%s", n ? "; " : "", text);
}

static void text_of(char out[TP_NAME_CANONICAL], const tp_backbone *b, uint32_t i)
{
	if (i != TP_NO_NAME)
		tp_backbone_text(out, b, i, true);
}

static void look_up(answer *a, const tp_backbone *b, const char *given, size_t len, bool exact)
{
	tp_name name;
	tp_match m;
	tp_err err = { 0 };
	*a = (answer){ .given = given, .family = "", .how = "no name" };
	if (tp_name_parse(&name, given, len, &err)) {
		note(a, err.msg);
		return;
	}
	tp_match_name(&m, b, &name, (tp_match_opts){ .fuzzy = !exact });
	a->how = tp_how_name(m.how);
	a->distance = m.distance;
	text_of(a->matched, b, m.matched);
	text_of(a->accepted, b, m.accepted);
	text_of(a->nearest, b, m.nearest);
	if (m.accepted != TP_NO_NAME)
		a->family = tp_backbone_at(b, m.accepted).family;
	if (m.synonym)
		note(a, "synonym");
	if (m.parent)
		note(a, *name.species ? "the species of it" : "the genus of it");
	if (m.ambiguous)
		note(a, "ambiguous");
	if (m.how && m.author == TP_AUTHOR_OTHER)
		note(a, "other authors");
	if (m.matched != TP_NO_NAME && tp_backbone_at(b, m.matched).status == TP_STATUS_UNPLACED)
		note(a, "unplaced");
}

static void put_field(const char *s, size_t n, char end)
{
	bool quoted = memchr(s, ',', n) || memchr(s, '"', n) || memchr(s, '\r', n);
	if (quoted)
		putchar('"');
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"')
			putchar('"');
		putchar(s[i]);
	}
	if (quoted)
		putchar('"');
	putchar(end);
}

static void put(const char *s, char end)
{
	put_field(s, strlen(s), end);
}

static void print_csv(const answer *a, size_t given)
{
	put_field(a->given, given, ',');
	put(a->accepted, ',');
	put(a->family, ',');
	put(a->how, ',');
	printf("%d,", a->distance);
	put(a->matched, ',');
	put(a->nearest, ',');
	put(a->note, '\n');
}

/* Bytes that are not UTF-8 cannot be in JSON: the name was refused for them, and only the line's number tells. */
static tp_code print_json(const answer *a, size_t given, size_t line, tp_err *err)
{
	char *text = NULL;
	json_t *name = json_stringn(a->given, given);
	json_t *j = json_pack("{s:I s:o s:s s:s s:s s:i s:s s:s s:s}", "line", (json_int_t)line, "given",
		name ? name : json_null(), "accepted", a->accepted, "family", a->family, "how", a->how,
		"distance", a->distance, "matched", a->matched, "nearest", a->nearest, "note", a->note);
	tp_code rc = j ? tp_json_dump(&text, j, err) : tp_nomem(err, sizeof *a);
	if (!rc)
		printf("%s%s", line > 1 ? ",\n" : "", text);
	tp_free(text);
	json_decref(j);
	return rc;
}

static tp_code print_all(const tp_backbone *b, const char *text, size_t len, const options *o, tp_err *err)
{
	const char *end = text + len;
	tp_code rc = TP_OK;
	size_t line = 0;
	puts(o->json ? "[" : "given,accepted,family,how,distance,matched,nearest,note");
	for (const char *p = text, *stop; p < end && !rc; p = stop + 1) {
		answer a;
		stop = memchr(p, '\n', (size_t)(end - p));
		stop = stop ? stop : end;
		size_t n = (size_t)(stop - p) - (stop > p && stop[-1] == '\r');
		look_up(&a, b, p, n, o->exact);
		line++;
		if (o->json)
			rc = print_json(&a, n, line, err);
		else
			print_csv(&a, n);
	}
	if (o->json)
		puts("\n]");
	return rc;
}

void tp_cli_print_backbone(const char *path, const tp_backbone_stats *s)
{
	fprintf(stderr,
		"%s: %zu lines, %zu names; left out: %zu no name, %zu hybrid formulas, %zu of other ranks, "
		"%zu with too few "
		"fields, %zu ids twice; %zu synonyms lead nowhere, %zu in a circle\n",
		path, s->seen, s->by[TP_LINE_KEPT], s->by[TP_LINE_NO_NAME], s->by[TP_LINE_FORMULA],
		s->by[TP_LINE_OTHER_RANK], s->by[TP_LINE_FEW_FIELDS], s->by[TP_LINE_TWICE], s->dangling,
		s->loops);
	if (s->first_bad)
		fprintf(stderr, "%s:%zu: %s\n", path, s->first_bad, s->example);
}

static tp_code read_input(tp_buf *b, tp_err *err)
{
	char part[4096];
	size_t n;
	tp_code rc = TP_OK;
	while (!rc && (n = fread(part, 1, sizeof part, stdin)))
		rc = tp_buf_add(b, part, n, err);
	return rc;
}

static tp_code read_list(tp_buf *b, const char *path, tp_err *err)
{
	uint8_t *text = NULL;
	size_t len = 0;
	if (!strcmp(path, "-"))
		return read_input(b, err);
	tp_code rc = tp_file_read(&text, &len, path, MAX_LIST, err);
	if (!rc)
		rc = tp_buf_add(b, text, len, err);
	tp_free(text);
	return rc;
}

int tp_cli_data_names(int argc, char **argv)
{
	options o = { 0 };
	tp_err err = { 0 };
	tp_words words;
	tp_buf text;
	tp_backbone *b = NULL;
	tp_backbone_stats stats[MAX_BACKBONES];
	int status;
	if (!tp_cli_parse(&words, &status, &syntax, &o, argc, argv))
		return status;
	if (!o.backbones.n)
		return tp_cli_usage(syntax.name, "--backbone FILE is wanted");
	tp_buf_init(&text, MAX_LIST);
	tp_code rc = read_list(&text, words.v[0], &err);
	if (!rc)
		rc = tp_backbone_open(&b, o.backbones.v, (size_t)o.backbones.n, stats, &err);
	for (int i = 0; i < o.backbones.n && !rc; i++)
		tp_cli_print_backbone(o.backbones.v[i], &stats[i]);
	if (!rc)
		rc = print_all(b, text.ptr ? text.ptr : "", text.len, &o, &err);
	tp_backbone_free(b);
	tp_buf_dispose(&text);
	return rc ? tp_cli_fail(syntax.name, &err) : 0;
}
