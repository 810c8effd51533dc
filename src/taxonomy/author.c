/* Authorships, compared as botanists read them: see tp_author_compare() in name.h. */
#include <string.h>

#include "taxonomy/name.h"
#include "taxonomy/text_int.h"

typedef struct {
	char whole[TP_NAME_AUTHOR]; /* all letters, brackets and "ex" kept apart by nothing */
	char before[TP_NAME_WORD];  /* surname of the first author in brackets; "" when there are none */
	char behind[TP_NAME_WORD];  /* surname of the first author behind them, after "ex" */
	char offered[TP_NAME_WORD]; /* and of the one before "ex" */
	bool son_before, son_behind, son_offered; /* "f." behind it: L.f. is not L. */
} authors;

static bool is_blank(char c)
{
	return c == ' ' || c == ',' || c == '&' || c == ';' || c == ':' || c == '"';
}

/* The next word: letters with their dots and hyphens, up to a blank or behind a dot. NULL at the end. */
static const char *next_word(const char *p, const char *end, const char **from)
{
	while (p < end && (is_blank(*p) || *p == '(' || *p == ')' || *p == '[' || *p == ']' || *p == '.'))
		p++;
	*from = p;
	while (p < end && !is_blank(*p) && *p != '(' && *p != ')' && *p != '[' && *p != ']' && *p != '.')
		p++;
	return p > *from ? p : NULL;
}

static bool word_is(const char *from, const char *to, const char *w)
{
	return (size_t)(to - from) == strlen(w) && !memcmp(from, w, strlen(w));
}

/* The first author's surname in p..end: its last word before a comma, an ampersand or another author; "ex" begins anew and
 * "in" ends. What stood before "ex" goes to `offered`. */
static void surname(char out[TP_NAME_WORD], bool *son, char offered[TP_NAME_WORD], bool *son_offered,
	const char *p, const char *end)
{
	const char *from, *to;
	bool more = true;
	for (; (to = next_word(p, end, &from)) && !word_is(from, to, "in"); p = to) {
		bool separated = memchr(p, ',', (size_t)(from - p)) || memchr(p, '&', (size_t)(from - p)) ||
				 word_is(from, to, "et") || word_is(from, to, "and") ||
				 word_is(from, to, "y");
		if (word_is(from, to, "ex")) {
			memcpy(offered, out, TP_NAME_WORD);
			*son_offered = *son;
			*out = 0;
			*son = false;
			more = true;
			continue;
		}
		more = more && !(separated && *out);
		if (!more || (*from >= '0' && *from <= '9') || word_is(from, to, "et"))
			continue;
		if (word_is(from, to, "f") || word_is(from, to, "fil"))
			*son = *out != 0;
		else
			tp_fold(out, TP_NAME_WORD, from, (size_t)(to - from), (tp_fold_opts){ 0 });
	}
}

/* Letters of all words but years, "et", "in" and what follows it. Brackets are kept: they say who came first. */
static void whole(char out[TP_NAME_AUTHOR], const char *p, const char *end)
{
	size_t used = 0;
	const char *from, *to;
	for (; (to = next_word(p, end, &from)); p = to) {
		for (const char *q = p; q < from && used + 2 < TP_NAME_AUTHOR; q++)
			if (*q == '(' || *q == ')')
				out[used++] = *q;
		if (word_is(from, to, "in"))
			break;
		if (!word_is(from, to, "et") && !word_is(from, to, "and") && !(*from >= '0' && *from <= '9'))
			used += tp_fold(out + used, TP_NAME_AUTHOR - used, from, (size_t)(to - from),
				(tp_fold_opts){ 0 });
	}
	out[used] = 0;
}

static void read(authors *a, const char *s)
{
	const char *end = s + strlen(s), *open = strchr(s, '('), *close = open ? strchr(open, ')') : NULL;
	*a = (authors){ 0 };
	whole(a->whole, s, end);
	char none[TP_NAME_WORD] = "";
	bool no_son;
	if (close)
		surname(a->before, &a->son_before, none, &no_son, open + 1, close);
	surname(a->behind, &a->son_behind, a->offered, &a->son_offered, close ? close + 1 : s, end);
}

/* Are a's letters all in b, in order, and the first the same? "michx" is in "michaux". */
static bool abbreviates(const char *a, const char *b)
{
	size_t n = strlen(a);
	if (n < 2 || *a != *b || (n == 2 && strncmp(a, b, 2) != 0))
		return false;
	for (; *a && *b; b++)
		a += *a == *b;
	return !*a;
}

/* One surname may be the other's abbreviation: "ait" and "aiton". "L." is Linnaeus and nobody else. */
static bool alike(const char *a, bool son_a, const char *b, bool son_b)
{
	bool linnaeus_a = !strcmp(a, "l") || !strncmp(a, "linn", 4),
	     linnaeus_b = !strcmp(b, "l") || !strncmp(b, "linn", 4);
	if (son_a != son_b || linnaeus_a != linnaeus_b)
		return false;
	return linnaeus_a || abbreviates(a, b) || abbreviates(b, a);
}

/* The names behind the brackets; either of two authors joined by "ex" may have been left out. */
static bool alike_behind(const authors *x, const authors *y)
{
	return alike(x->behind, x->son_behind, y->behind, y->son_behind) ||
	       (*y->offered && alike(x->behind, x->son_behind, y->offered, y->son_offered)) ||
	       (*x->offered && alike(x->offered, x->son_offered, y->behind, y->son_behind));
}

tp_author_fit tp_author_compare(const char *a, const char *b)
{
	authors x, y;
	if (!*a || !*b)
		return TP_AUTHOR_UNKNOWN;
	read(&x, a);
	read(&y, b);
	if (!*x.whole || !*y.whole)
		return TP_AUTHOR_UNKNOWN;
	if (!strcmp(x.whole, y.whole))
		return TP_AUTHOR_SAME;
	bool behind = alike_behind(&x, &y);
	bool both = *x.before && *y.before;
	if (both)
		return alike(x.before, x.son_before, y.before, y.son_before) &&
				       (behind || !*x.behind || !*y.behind)
			       ? TP_AUTHOR_ALIKE
			       : TP_AUTHOR_OTHER;
	return behind ? TP_AUTHOR_ALIKE : TP_AUTHOR_OTHER;
}
