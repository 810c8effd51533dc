/* Option tables: see options.h. Not getopt: its state is global, and it cannot say what was perhaps meant. */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"

enum { MAX_OPTIONS = 32, LINE = 100, NAMES = 22 };

static const tp_option help_option = { "help", 'h', TP_OPT_FLAG, .help = "this text" };

/* ---- what was meant --------------------------------------------------------------------------------------- */

static tp_code unknown(const tp_syntax *s, const char *name, tp_err *err)
{
	const char *names[MAX_OPTIONS] = { "help" };
	size_t n = 1;
	for (const tp_option *o = s->options; o->name && n < MAX_OPTIONS; o++)
		names[n++] = o->name;
	const char *near = tp_nearest(name, names, n);
	return tp_fail(err, TP_EINVAL, "there is no option --%.60s%s%s%s", name,
		near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
}

/* ---- values ----------------------------------------------------------------------------------------------- */

static tp_code set_int(int *field, const tp_option *o, const char *text, tp_err *err)
{
	char *end;
	errno = 0;
	long v = strtol(text, &end, 10);
	if (!errno && end != text && !*end && v >= o->min && v <= o->max && (!o->step || v % o->step == 0)) {
		*field = (int)v;
		return TP_OK;
	}
	if (o->step)
		return tp_fail(err, TP_EINVAL, "--%s is a multiple of %ld from %ld to %ld, not \"%.60s\"",
			o->name, o->step, o->min, o->max, text);
	return tp_fail(err, TP_EINVAL, "--%s is a whole number from %ld to %ld, not \"%.60s\"", o->name,
		o->min, o->max, text);
}

static tp_code find_choice(int *out, const tp_option *o, const char *text, tp_err *err)
{
	tp_buf b;
	for (int i = 0; o->choices[i]; i++)
		if (!strcmp(text, o->choices[i])) {
			*out = i;
			return TP_OK;
		}
	tp_buf_init(&b, sizeof err->msg);
	tp_code rc = TP_OK;
	for (int i = 0; o->choices[i] && !rc; i++)
		rc = tp_buf_addf(&b, err, "%s%s",
			i == 0              ? ""
			: o->choices[i + 1] ? ", "
					    : " or ",
			o->choices[i]);
	if (!rc)
		rc = tp_fail(err, TP_EINVAL, "--%s is %s, not \"%.60s\"", o->name, b.ptr, text);
	tp_buf_dispose(&b);
	return rc;
}

static tp_code add_to_list(tp_opt_list *list, const tp_option *o, const char *text, tp_err *err)
{
	int k, most = o->max ? (int)o->max : TP_OPT_LIST_MAX;
	tp_code rc = o->choices ? find_choice(&k, o, text, err) : TP_OK;
	if (!rc && list->n == most)
		rc = tp_fail(err, TP_EINVAL, "--%s is given at most %d times", o->name, most);
	if (!rc)
		list->v[list->n++] = text;
	return rc;
}

static tp_code set(void *into, const tp_option *o, const char *text, tp_err *err)
{
	void *field = (char *)into + o->offset;
	switch (o->kind) {
	case TP_OPT_FLAG:
		*(bool *)field = true;
		return TP_OK;
	case TP_OPT_TEXT:
		*(const char **)field = text;
		return TP_OK;
	case TP_OPT_INT:
		return set_int(field, o, text, err);
	case TP_OPT_CHOICE:
		return find_choice(field, o, text, err);
	case TP_OPT_LIST:
		return add_to_list(field, o, text, err);
	}
	return TP_OK;
}

/* ---- parsing ---------------------------------------------------------------------------------------------- */

typedef struct {
	const tp_syntax *s;
	void *into;
	char **argv;
	int argc, at; /* the argument being looked at */
	tp_words *words;
} parser;

/* The option of this name, or the only one whose name begins so. */
static tp_code find_long(const tp_option **out, const tp_syntax *s, const char *name, size_t len, tp_err *err)
{
	char copy[64];
	size_t begin = 0;
	*out = NULL;
	for (const tp_option *o = s->options;; o++) {
		const tp_option *this = o->name ? o : &help_option;
		if (len && !strncmp(this->name, name, len)) {
			*out = this;
			if (!this->name[len])
				return TP_OK;
			begin++;
		}
		if (!o->name)
			break;
	}
	snprintf(copy, sizeof copy, "%.*s", (int)(len < 60 ? len : 60), name);
	if (begin > 1)
		return tp_fail(err, TP_EINVAL, "--%s is the beginning of more than one option", copy);
	return begin ? TP_OK : unknown(s, copy, err);
}

static tp_code take(parser *p, const tp_option *o, const char *value, tp_err *err)
{
	if (o == &help_option) {
		p->words->help = true;
		return TP_OK;
	}
	if (o->kind != TP_OPT_FLAG && !value) {
		if (p->at + 1 >= p->argc)
			return tp_fail(err, TP_EINVAL, "--%s needs a value: %s", o->name, o->arg);
		value = p->argv[++p->at];
	}
	return set(p->into, o, value, err);
}

static tp_code parse_long(parser *p, const char *name, tp_err *err)
{
	const tp_option *o;
	size_t len = strcspn(name, "=");
	tp_code rc = find_long(&o, p->s, name, len, err);
	if (!rc && name[len] && o->kind == TP_OPT_FLAG)
		rc = tp_fail(err, TP_EINVAL, "--%s takes no value", o->name);
	return rc ? rc : take(p, o, name[len] ? name + len + 1 : NULL, err);
}

static tp_code parse_letters(parser *p, const char *letters, tp_err *err)
{
	for (; *letters && !p->words->help; letters++) {
		const tp_option *o = p->s->options;
		while (o->name && o->letter != *letters)
			o++;
		if (!o->name && *letters == help_option.letter)
			o = &help_option;
		if (!o->name)
			return tp_fail(err, TP_EINVAL, "there is no option -%c", *letters);
		bool last = o->kind != TP_OPT_FLAG;
		tp_code rc = take(p, o, last && letters[1] ? letters + 1 : NULL, err);
		if (rc || last)
			return rc;
	}
	return TP_OK;
}

static tp_code set_fallbacks(const tp_syntax *s, void *into, tp_err *err)
{
	tp_code rc = TP_OK;
	for (const tp_option *o = s->options; o->name && !rc; o++)
		if (o->fallback)
			rc = set(into, o, o->fallback, err);
	return rc;
}

tp_code tp_options_parse(tp_words *words, const tp_syntax *s, void *into, int argc, char **argv, tp_err *err)
{
	parser p = { s, into, argv, argc, 1, words };
	bool words_only = false;
	*words = (tp_words){ .v = argv + 1 };
	tp_code rc = set_fallbacks(s, into, err);
	for (; p.at < argc && !rc && !words->help; p.at++) {
		char *a = argv[p.at];
		if (words_only || a[0] != '-' || !a[1]) /* "-" is a word */
			words->v[words->n++] = a;
		else if (!strcmp(a, "--"))
			words_only = true;
		else
			rc = a[1] == '-' ? parse_long(&p, a + 2, err) : parse_letters(&p, a + 1, err);
	}
	if (rc || words->help)
		return rc;
	if (words->n > s->max_words && !s->wanted)
		return tp_fail(err, TP_EINVAL, "\"%.60s\" is one word too many", words->v[s->max_words]);
	if (words->n < s->min_words || words->n > s->max_words)
		return tp_fail(err, TP_EINVAL, "%s", s->wanted);
	return TP_OK;
}

/* ---- help ------------------------------------------------------------------------------------------------- */

/* Words of `text` from column `at` on; lines after the first are indented. */
static void print_wrapped(FILE *out, const char *text, int at, int indent)
{
	while (*text) {
		int n = (int)strcspn(text, " ");
		if (at > indent && at + 1 + n > LINE) {
			fprintf(out, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', out);
			at++;
		}
		fprintf(out, "%.*s", n, text);
		at += n;
		text += n + (text[n] == ' ');
	}
	fputc('\n', out);
}

static void print_option(FILE *out, const tp_option *o)
{
	char letter[8] = "   ", names[80], text[512];
	const char *fallback = o->fallback_help ? o->fallback_help : o->fallback;
	if (o->letter)
		snprintf(letter, sizeof letter, "-%c,", o->letter);
	int n = snprintf(names, sizeof names, "  %s --%s%s%s", letter, o->name, o->arg ? " " : "",
		o->arg ? o->arg : "");
	snprintf(text, sizeof text, "%s%s%s%s", o->help, fallback ? " (default: " : "",
		fallback ? fallback : "", fallback ? ")" : "");
	fprintf(out, "%-*s  ", NAMES, names);
	int at = (n > NAMES ? n : NAMES) + 2;
	if (at > NAMES + 2) {
		fprintf(out, "\n%*s", NAMES + 2, "");
		at = NAMES + 2;
	}
	print_wrapped(out, text, at, NAMES + 2);
}

void tp_options_help(FILE *out, const tp_syntax *s)
{
	const char *line = s->usage;
	for (bool first = true; line; first = false) {
		int n = (int)strcspn(line, "\n");
		fprintf(out, "%s tepal %s%s%.*s\n", first ? "Usage:" : "      ", s->name, n ? " " : "", n,
			line);
		line = line[n] ? line + n + 1 : NULL;
	}
	fputc('\n', out);
	print_wrapped(out, s->help, 0, 0);
	fputc('\n', out);
	for (const tp_option *o = s->options; o->name; o++)
		print_option(out, o);
	print_option(out, &help_option);
	if (s->notes) {
		fputc('\n', out);
		print_wrapped(out, s->notes, 0, 0);
	}
	fprintf(out, "\nExample: %s\n", s->example);
}
