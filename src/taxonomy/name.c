/* See name.h. Tokens are read from left to right: a genus, then epithets, each with the authors behind it. What ends the
 * reading early is remembered as a remark; nothing is guessed from what stands behind it. */
#include "taxonomy/name.h"

#include <string.h>

#include "taxonomy/name_int.h"
#include "taxonomy/text_int.h"

typedef struct {
	const tp_token *v;
	size_t n, i;
	tp_name *out;
	const char *author, *author_end; /* of the last epithet; NULL when there is none yet */
	bool epithets_done;              /* a formula or a cultivar: nothing more is an epithet */
	tp_err *err;
} parser;

typedef struct {
	const char *word; /* without the dot behind it */
	tp_rank rank;
	bool notho;
} rank_word;

static const rank_word rank_words[] = {
	{ "subsp", TP_RANK_SUBSPECIES, false },
	{ "ssp", TP_RANK_SUBSPECIES, false },
	{ "subspecies", TP_RANK_SUBSPECIES, false },
	{ "nothosubsp", TP_RANK_SUBSPECIES, true },
	{ "nothossp", TP_RANK_SUBSPECIES, true },
	{ "nothosubspecies", TP_RANK_SUBSPECIES, true },
	{ "nsubsp", TP_RANK_SUBSPECIES, true },
	{ "var", TP_RANK_VARIETY, false },
	{ "varietas", TP_RANK_VARIETY, false },
	{ "variety", TP_RANK_VARIETY, false },
	{ "nothovar", TP_RANK_VARIETY, true },
	{ "nothovarietas", TP_RANK_VARIETY, true },
	{ "nvar", TP_RANK_VARIETY, true },
	{ "subvar", TP_RANK_SUBVARIETY, false },
	{ "subvariety", TP_RANK_SUBVARIETY, false },
	{ "nothosubvar", TP_RANK_SUBVARIETY, true },
	{ "f", TP_RANK_FORM, false },
	{ "fo", TP_RANK_FORM, false },
	{ "fma", TP_RANK_FORM, false },
	{ "forma", TP_RANK_FORM, false },
	{ "form", TP_RANK_FORM, false },
	{ "nothof", TP_RANK_FORM, true },
	{ "nothoforma", TP_RANK_FORM, true },
	{ "subf", TP_RANK_SUBFORM, false },
	{ "subforma", TP_RANK_SUBFORM, false },
	{ "subform", TP_RANK_SUBFORM, false },
	{ "nothosubf", TP_RANK_SUBFORM, true },
	{ "f.sp", TP_RANK_INFRASPECIFIC, false },
	{ "prol", TP_RANK_INFRASPECIFIC, false },
	{ "proles", TP_RANK_INFRASPECIFIC, false },
	{ "race", TP_RANK_INFRASPECIFIC, false },
	{ "lusus", TP_RANK_INFRASPECIFIC, false },
	{ "mut", TP_RANK_INFRASPECIFIC, false },
	{ "monstr", TP_RANK_INFRASPECIFIC, false },
	{ "convar", TP_RANK_INFRASPECIFIC, false },
	{ "stirps", TP_RANK_INFRASPECIFIC, false },
	{ "grex", TP_RANK_INFRASPECIFIC, false },
	{ "t.infr", TP_RANK_INFRASPECIFIC, false },
	{ "unranked", TP_RANK_INFRASPECIFIC, false },
	{ "[unranked]", TP_RANK_INFRASPECIFIC, false },
	{ "[infraspec.]", TP_RANK_INFRASPECIFIC, false },
	{ "[infrasp.unranked]", TP_RANK_INFRASPECIFIC, false },
	{ "subg", TP_RANK_SUBGENUS, false },
	{ "subgen", TP_RANK_SUBGENUS, false },
	{ "subgenus", TP_RANK_SUBGENUS, false },
	{ "nothosubg", TP_RANK_SUBGENUS, true },
	{ "sect", TP_RANK_SECTION, false },
	{ "sectio", TP_RANK_SECTION, false },
	{ "section", TP_RANK_SECTION, false },
	{ "nothosect", TP_RANK_SECTION, true },
	{ "subsect", TP_RANK_SUBSECTION, false },
	{ "subsection", TP_RANK_SUBSECTION, false },
	{ "nothosubsect", TP_RANK_SUBSECTION, true },
	{ "nothoser", TP_RANK_SERIES, true },
	{ "ser", TP_RANK_SERIES, false },
	{ "series", TP_RANK_SERIES, false },
};

static const struct {
	const char *name, *marker;
} ranks[TP_RANKS] = {
	[TP_RANK_UNKNOWN] = { "unknown", "" },
	[TP_RANK_HIGHER] = { "higher", "" },
	[TP_RANK_GENUS] = { "genus", "" },
	[TP_RANK_SUBGENUS] = { "subgenus", "subg." },
	[TP_RANK_SECTION] = { "section", "sect." },
	[TP_RANK_SUBSECTION] = { "subsection", "subsect." },
	[TP_RANK_SERIES] = { "series", "ser." },
	[TP_RANK_SPECIES] = { "species", "" },
	[TP_RANK_SUBSPECIES] = { "subspecies", "subsp." },
	[TP_RANK_VARIETY] = { "variety", "var." },
	[TP_RANK_SUBVARIETY] = { "subvariety", "subvar." },
	[TP_RANK_FORM] = { "form", "f." },
	[TP_RANK_SUBFORM] = { "subform", "subf." },
	[TP_RANK_INFRASPECIFIC] = { "infraspecific", "" },
	[TP_RANK_CULTIVAR] = { "cultivar", "" },
};

/* Small words that stand among authors and are no epithets. */
static const char *const particles[] = { "de", "da", "do", "dos", "du", "del", "della", "den", "der", "des",
	"di", "la", "le", "van", "von", "vom", "zu", "zur", "ter", "ten", "af", "av", "y", "e", "i", "et",
	"and", "und", "ex", "in", "fil", "f", "hort", "emend", "bis", "al", "apud", "d'", "d", "l", "'t", "t",
	"st", "s", NULL };

static const struct {
	const char *word;
	unsigned flag;
	bool ends; /* what stands behind it is no part of the name */
} remarks[] = { { "cf", TP_QUAL_CF, false }, { "cfr", TP_QUAL_CF, false }, { "conf", TP_QUAL_CF, false },
	{ "aff", TP_QUAL_AFF, false }, { "?", TP_QUAL_DOUBT, false }, { "agg", TP_QUAL_AGG, false },
	{ "aggr", TP_QUAL_AGG, false }, { "group", TP_QUAL_AGG, false }, { "grp", TP_QUAL_AGG, false },
	{ "s.l", TP_QUAL_LATO, false }, { "s.lat", TP_QUAL_LATO, false }, { "s.str", TP_QUAL_STRICTO, false },
	{ "s.s", TP_QUAL_STRICTO, false }, { "sensu", TP_QUAL_SENSU, true }, { "auct", TP_QUAL_SENSU, true },
	{ "auctt", TP_QUAL_SENSU, true }, { "auct.non", TP_QUAL_SENSU, true },
	{ "nom", TP_QUAL_STATUS, true }, { "nomen", TP_QUAL_STATUS, true }, { "comb", TP_QUAL_STATUS, true },
	{ "stat", TP_QUAL_STATUS, true }, { "orth", TP_QUAL_STATUS, true }, { "ined", TP_QUAL_STATUS, true },
	{ "nov", TP_QUAL_STATUS, true }, { "pro", TP_QUAL_STATUS, true }, { "p.p", TP_QUAL_STATUS, true },
	{ "non", 0, true }, { "nec", 0, true }, { "not", 0, true } };

#define LEN(v) (sizeof(v) / sizeof *(v))

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Is the token this word, with or without a dot or comma behind it? */
static bool is(const tp_token *t, const char *word)
{
	size_t n = strlen(word), m = t->n;
	while (m > n && (t->p[m - 1] == '.' || t->p[m - 1] == ',' || t->p[m - 1] == ';'))
		m--;
	if (m != n || t->quoted)
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(t->p[i]) != word[i])
			return false;
	return true;
}

static bool is_small(const tp_token *t)
{
	return t->n && !(*t->p >= 'A' && *t->p <= 'Z');
}

/* "Ser." and "F." with a capital are authors; "Subsp." and "Var." are not. */
static const rank_word *rank_of(const tp_token *t)
{
	for (size_t i = 0; i < LEN(rank_words); i++) {
		const char *w = rank_words[i].word;
		bool no_author = !strncmp(w, "sub", 3) || !strncmp(w, "ssp", 3) || !strncmp(w, "var", 3) ||
				 !strncmp(w, "notho", 5);
		if ((no_author || is_small(t)) && is(t, w))
			return &rank_words[i];
	}
	return NULL;
}

static bool is_particle(const tp_token *t)
{
	for (const char *const *p = particles; *p; p++)
		if (is(t, *p))
			return true;
	return false;
}

static bool is_sign(const tp_token *t)
{
	return !t->quoted &&
	       ((t->n == 1 && (*t->p == 'x' || *t->p == 'X')) || (t->n == 2 && !memcmp(t->p, "\xc3\x97", 2)));
}

static const tp_token *at(const parser *p, size_t ahead)
{
	static const tp_token none = { "", 0, false };
	return p->i + ahead < p->n ? &p->v[p->i + ahead] : &none;
}

/* Only letters, with hyphens or apostrophes between them, the first as asked for and the others small. */
static bool is_word(const char *s, size_t n, bool capital)
{
	const char *end = s + n;
	size_t letters = 0;
	bool joint = true; /* a hyphen or apostrophe, or the start */
	for (const char *q = s; q < end;) {
		size_t bytes;
		uint32_t c = tp_utf8_get(q, end, &bytes);
		if (!bytes || (joint && (c == '-' || c == '\'' || tp_is_mark(c))))
			return false;
		joint = c == '-' || c == '\'';
		if (!joint && (!tp_is_letter(c) || (!tp_is_mark(c) && tp_is_upper(c) != (capital && q == s))))
			return false;
		letters += !joint;
		q += bytes;
	}
	return letters >= 2 && !joint;
}

static bool is_epithet(const tp_token *t)
{
	return !t->quoted && is_word(t->p, t->n, false) && !is_particle(t);
}

static bool is_capital(const tp_token *t)
{
	return !t->quoted && is_word(t->p, t->n, true);
}

static bool starts_upper(const tp_token *t)
{
	size_t bytes;
	return t->n && tp_is_upper(tp_utf8_get(t->p, t->p + t->n, &bytes));
}

static tp_code copy(char *to, size_t room, const char *p, size_t n, const char *what, tp_err *err)
{
	if (n >= room)
		return tp_fail(err, TP_ELIMIT, "%s of %zu bytes; %zu are the most", what, n, room - 1);
	memcpy(to, p, n);
	to[n] = 0;
	return TP_OK;
}

static tp_code word(char to[TP_NAME_WORD], const tp_token *t, tp_err *err)
{
	return copy(to, TP_NAME_WORD, t->p, t->n, "a word", err);
}

/* Qualifiers and what ends a name. How many tokens it takes; 0 when it is none. */
static size_t remark(parser *p, bool *ends)
{
	const tp_token *t = at(p, 0), *next = at(p, 1);
	bool of_s = is_small(t) && (is(t, "s") || is(t, "sensu"));
	*ends = false;
	if (of_s && (is(next, "l") || is(next, "lat") || is(next, "lato") || is(next, "latiore") ||
			    is(next, "ampl"))) {
		p->out->qualifier |= TP_QUAL_LATO;
		return 2;
	}
	if (of_s && (is(next, "str") || is(next, "stricto") || is(next, "strictiore"))) {
		p->out->qualifier |= TP_QUAL_STRICTO;
		return 2;
	}
	for (size_t i = 0; i < LEN(remarks); i++)
		if ((is_small(t) || remarks[i].flag == TP_QUAL_AGG) && is(t, remarks[i].word)) {
			p->out->qualifier |= remarks[i].flag;
			*ends = remarks[i].ends;
			return 1;
		}
	return 0;
}

static bool says_undetermined(const tp_token *t)
{
	static const char *const words[] = { "sp", "spp", "spec", "species", "indet", "indeterminate",
		"sp.nov" };
	for (size_t i = 0; i < LEN(words); i++)
		if (is(t, words[i]))
			return true;
	return false;
}

static tp_code copy_author(char to[TP_NAME_AUTHOR], const parser *p)
{
	const char *from = p->author, *end = p->author_end;
	while (end > from && strchr(",;: ", end[-1]))
		end--;
	return from ? copy(to, TP_NAME_AUTHOR, from, (size_t)(end - from), "an authorship", p->err) : TP_OK;
}

static tp_code new_epithet(parser *p, tp_rank rank)
{
	bool of_species = p->out->rank == TP_RANK_SPECIES;
	tp_code rc = of_species ? copy_author(p->out->species_author, p) : TP_OK;
	p->out->rank = rank;
	p->author = p->author_end = NULL;
	return rc;
}

/* A family or a genus: the name's first word. */
static tp_code read_genus(parser *p)
{
	bool ends;
	size_t taken;
	while (p->i + 1 < p->n && (taken = remark(p, &ends)) && !ends)
		p->i += taken;
	if (is_sign(at(p, 0)) && p->n > p->i + 1) {
		p->out->hybrid |= TP_HYBRID_GENUS;
		p->i++;
	} else if (at(p, 0)->n == 1 && *at(p, 0)->p == '+') {
		p->out->hybrid |= TP_HYBRID_GRAFT;
		p->i++;
	}
	const tp_token *t = at(p, 0);
	bool small = t->n && *t->p >= 'a' && *t->p <= 'z';
	bool binomial = small && is_epithet(t) && !rank_of(t) && (is_epithet(at(p, 1)) || is_sign(at(p, 1)));
	if (t->n == 2 && t->p[1] == '.' && starts_upper(t))
		return tp_fail(p->err, TP_EFORMAT, "\"%.2s\" is an abbreviated genus: it could be any", t->p);
	if (!is_capital(t) && !binomial)
		return tp_fail(
			p->err, TP_EFORMAT, "\"%.*s\" is no genus", (int)(t->n < 60 ? t->n : 60), t->p);
	tp_code rc = word(p->out->genus, t, p->err);
	if (!rc && binomial) {
		*p->out->genus = (char)(*p->out->genus - 32);
		p->out->recased = true;
	}
	static const char *const endings[] = { "aceae", "oideae", "Compositae", "Cruciferae", "Gramineae",
		"Guttiferae", "Labiatae", "Leguminosae", "Palmae", "Papilionaceae", "Umbelliferae" };
	p->out->rank = TP_RANK_GENUS;
	for (size_t i = 0; !rc && i < LEN(endings); i++) {
		size_t n = strlen(endings[i]);
		if (t->n >= n && !memcmp(t->p + t->n - n, endings[i], n))
			p->out->rank = TP_RANK_HIGHER;
	}
	p->i++;
	return rc;
}

/* "Prunus (Cerasus) avium" */
static tp_code read_infragenus_in_brackets(parser *p)
{
	const tp_token *t = at(p, 0);
	if (t->n < 4 || *t->p != '(' || t->p[t->n - 1] != ')' || !is_word(t->p + 1, t->n - 2, true) ||
		!is_epithet(at(p, 1)))
		return TP_OK;
	p->i++;
	return copy(p->out->infragenus, TP_NAME_WORD, t->p + 1, t->n - 2, "a word", p->err);
}

/* A rank's marker with its epithet. *done when it is one. */
static tp_code read_rank(parser *p, bool *done)
{
	const tp_token *t = at(p, 0);
	const rank_word *r = rank_of(t);
	size_t skip = r && is_sign(at(p, 1)) ? 2 : 1;
	const tp_token *next = at(p, skip);
	tp_code rc = TP_OK;
	*done = false;
	if (!r || p->epithets_done)
		return TP_OK;
	bool below_genus = r->rank >= TP_RANK_SUBGENUS && r->rank <= TP_RANK_SERIES;
	if (below_genus && p->out->rank >= TP_RANK_GENUS && p->out->rank <= TP_RANK_SERIES &&
		(is_capital(next) || is_epithet(next))) {
		rc = word(p->out->infragenus, next, p->err);
		*p->out->infragenus = (char)(*p->out->infragenus & (*p->out->infragenus >= 'a' ? ~32 : ~0));
	} else if (!below_genus && *p->out->species && is_epithet(next) && !rank_of(next)) {
		rc = word(p->out->infra, next, p->err);
	} else
		return TP_OK;
	if ((r->notho || skip == 2) && *tp_rank_marker(r->rank))
		p->out->hybrid |= TP_HYBRID_INFRA;
	p->i += skip + 1;
	*done = true;
	return rc ? rc : new_epithet(p, r->rank);
}

/* An epithet without a marker before it. */
static tp_code read_epithet(parser *p, bool *done)
{
	tp_name *o = p->out;
	bool sign = is_sign(at(p, 0));
	const tp_token *t = at(p, sign);
	*done = false;
	if (!is_epithet(t) || p->author || p->epithets_done || o->rank == TP_RANK_HIGHER ||
		(*o->species && sign) || (!sign && rank_of(t)) || *o->infra)
		return TP_OK;
	*done = true;
	p->i += 1 + sign;
	bool below = *o->species != 0;
	o->hybrid |= sign ? TP_HYBRID_SPECIES : 0;
	tp_code rc = word(below ? o->infra : o->species, t, p->err);
	return rc ? rc : new_epithet(p, below ? TP_RANK_INFRASPECIFIC : TP_RANK_SPECIES);
}

/* Words that can be written in single quotes and be found again. */
static bool is_cultivar(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memchr("\"&,()", s[i], 5) || (s[i] == '\'' && (i + 1 == n || s[i + 1] == ' ' || !i)))
			return false;
	return n > 0;
}

static tp_code read_cultivar(parser *p, bool *done)
{
	const tp_token *t = at(p, 0);
	bool marked = is_small(t) && (is(t, "cv") || is(t, "cultivar"));
	const tp_token *first = marked ? at(p, 1) : t, *end = first;
	*done = false;
	if (p->out->rank < TP_RANK_GENUS || p->epithets_done ||
		(!first->quoted && !(marked && starts_upper(first))))
		return TP_OK;
	while (!first->quoted && end + 1 < p->v + p->n && starts_upper(end + 1) &&
		end[1].p[end[1].n - 1] != '.')
		end++;
	size_t n = (size_t)(end->p + end->n - first->p);
	if (!is_cultivar(first->p, n))
		return TP_OK;
	*done = true;
	p->i = (size_t)(end - p->v) + 1;
	p->epithets_done = true;
	p->out->rank = TP_RANK_CULTIVAR;
	return copy(p->out->cultivar, TP_NAME_WORD, first->p, n, "a cultivar", p->err);
}

/* One more parent of a formula: tokens from..to of which the first may be an epithet or an abbreviated genus. */
static tp_code read_parent(parser *p, const tp_token *from, const tp_token *to, char genus[TP_NAME_WORD])
{
	char text[TP_NAME_MAX + TP_NAME_WORD], canonical[TP_NAME_CANONICAL];
	bool abbreviated =
		from->n == 2 && from->p[1] == '.' && lower(*from->p) == lower(*genus) && from + 1 < to;
	bool same = abbreviated || (is_epithet(from) && !is_capital(from));
	const char *rest = abbreviated ? from[1].p : from->p, *end = to[-1].p + to[-1].n + to[-1].quoted;
	size_t n = same ? strlen(genus) : 0, have = strlen(p->out->parents);
	tp_name parent;
	memcpy(text, genus, n);
	if (n)
		text[n++] = ' ';
	if (n + (size_t)(end - rest) > TP_NAME_MAX)
		return tp_fail(p->err, TP_ELIMIT, "a hybrid formula of more than %d bytes", TP_NAME_MAX);
	memcpy(text + n, rest, (size_t)(end - rest));
	tp_code rc = tp_name_parse(&parent, text, n + (size_t)(end - rest), p->err);
	if (rc)
		return tp_context(p->err, rc, "a parent of a hybrid: ");
	size_t len = tp_name_canonical(canonical, &parent);
	memcpy(genus, parent.genus, TP_NAME_WORD);
	p->out->remark |= parent.remark;
	if (have + len + 5 > sizeof p->out->parents)
		return tp_fail(p->err, TP_ELIMIT, "the parents of a hybrid are more than %zu bytes",
			sizeof p->out->parents);
	if (have) {
		memcpy(p->out->parents + have, " \xc3\x97 ", 4);
		have += 4;
	}
	memcpy(p->out->parents + have, canonical, len + 1);
	return TP_OK;
}

/* "Salix alba × fragilis", "Lysichiton americanus Hultén x L. camtschatcensis": all that is left is parents. */
static tp_code read_formula(parser *p, bool *done)
{
	char genus[TP_NAME_WORD];
	*done = false;
	if (!is_sign(at(p, 0)) || p->i + 1 >= p->n || !(is_epithet(at(p, 1)) || starts_upper(at(p, 1))) ||
		p->out->rank < TP_RANK_GENUS || p->epithets_done)
		return TP_OK;
	*done = true;
	memcpy(genus, p->out->genus, sizeof genus);
	p->out->hybrid |= TP_HYBRID_FORMULA;
	p->epithets_done = true;
	p->author = p->author_end = NULL;
	for (const tp_token *from = at(p, 1), *end = p->v + p->n, *to; from < end; from = to + 1) {
		for (to = from; to < end && !is_sign(to); to++)
			;
		tp_code rc = to == from ? TP_OK : read_parent(p, from, to, genus);
		if (rc)
			return rc;
	}
	p->i = p->n;
	return TP_OK;
}

/* Is what stands in these brackets an author? A basionym's author has another behind the bracket; what ends the text and
 * looks like neither initials nor a year is a common name or a note. */
static bool is_author_in_brackets(const parser *p, const tp_token *end)
{
	const tp_token *from = at(p, 0);
	const char *stop = end->p + end->n;
	if (*from->p != '(' || p->author)
		return false;
	for (const tp_token *t = from; t <= end; t++) {
		tp_token inner = { t->p + (t == from), t->n - (t == from), t->quoted };
		if (is_sign(t) || is(&inner, "incl") || is(&inner, "excl") || is(&inner, "syn") ||
			is(&inner, "pro") || is(&inner, "not") || is(&inner, "non") || is(&inner, "sic"))
			return false;
	}
	if (end + 1 < p->v + p->n)
		return true;
	for (const char *q = from->p; q < stop; q++)
		if (*q == '.' || *q == '&' || (*q >= '0' && *q <= '9'))
			return true;
	return false;
}

/* All tokens of a bracket, as authors or as a remark. */
static void read_brackets(parser *p, bool *done)
{
	const tp_token *from = at(p, 0), *end = from;
	int depth = 0;
	*done = from->n && (*from->p == '(' || *from->p == '[');
	if (!*done)
		return;
	for (const tp_token *t = from; t < p->v + p->n; t++) {
		end = t;
		for (size_t i = 0; i < t->n; i++)
			depth += (t->p[i] == '(' || t->p[i] == '[') - (t->p[i] == ')' || t->p[i] == ']');
		if (depth <= 0)
			break;
	}
	if (depth == 0 && is_author_in_brackets(p, end)) {
		p->author = from->p;
		p->author_end = end->p + end->n;
	} else
		p->out->remark = true;
	p->i = (size_t)(end - p->v) + 1;
}

static bool is_year(const tp_token *t)
{
	size_t digits = 0;
	for (size_t i = 0; i < t->n && t->p[i] >= '0' && t->p[i] <= '9'; i++)
		digits++;
	return digits == 4;
}

/* A token of an authorship, in brackets or not. */
static void read_author(parser *p, bool *done)
{
	const tp_token *t = at(p, 0);
	bool joins = t->n && (*t->p == '&' || *t->p == ',' || *t->p == ':');
	bool prefix =
		t->n > 2 && ((t->p[1] == '\'' && (*t->p == 'd' || *t->p == 'l')) || !memcmp(t->p, "'t", 2));
	bool known = is_particle(t) && (p->author || starts_upper(at(p, 1)) || is(t, "hort"));
	*done = !t->quoted && (starts_upper(t) || prefix || known || (p->author && (joins || is_year(t))));
	if (!*done)
		return;
	p->author = p->author ? p->author : t->p;
	p->author_end = t->p + t->n;
	p->i++;
}

/* What is none of a name's parts, or stands behind it. *ends: nothing more is read. */
static void read_remark(parser *p, bool *done, bool *ends)
{
	size_t taken = remark(p, ends);
	*done = true;
	if (!*p->out->species && says_undetermined(at(p, 0))) {
		p->out->qualifier |= TP_QUAL_SP;
		p->out->remark |= p->i + 1 < p->n;
		*ends = true;
	} else if (taken) {
		p->i += taken;
		p->out->remark |= *ends && p->i < p->n;
	} else
		*done = false;
}

static tp_code read_part(parser *p, bool *ends)
{
	bool done;
	tp_code rc = read_cultivar(p, &done);
	if (!rc && !done)
		rc = read_rank(p, &done);
	if (!rc && !done)
		read_remark(p, &done, ends);
	if (!rc && !done)
		rc = read_epithet(p, &done);
	if (!rc && !done)
		rc = read_formula(p, &done);
	if (!rc && !done)
		read_brackets(p, &done);
	if (!rc && !done)
		read_author(p, &done);
	if (!rc && !done) {
		p->out->remark = true; /* a word that is none of these: what follows is no name either */
		*ends = true;
	}
	return rc;
}

tp_code tp_name_parse(tp_name *out, const char *text, size_t len, tp_err *err)
{
	tp_tokens tokens;
	parser p = { .v = tokens.v, .out = out, .err = err };
	*out = (tp_name){ 0 };
	tp_code rc = tp_name_tokens(&tokens, text, len, err);
	p.n = tokens.n;
	out->recased = tokens.recased;
	if (!rc)
		rc = read_genus(&p);
	if (!rc)
		rc = read_infragenus_in_brackets(&p);
	for (bool ends = false; !rc && !ends && p.i < p.n;) {
		tp_rank before = out->rank;
		const char *author = p.author, *author_end = p.author_end;
		rc = read_part(&p, &ends);
		/* an autonym has no authors of its own (ICN art. 22.1, 26.1) and keeps its species' */
		if (out->rank != before && *out->infra && !strcmp(out->infra, out->species)) {
			p.author = author;
			p.author_end = author_end;
		}
	}
	if (!rc)
		rc = copy_author(out->author, &p);
	if (rc)
		*out = (tp_name){ 0 };
	return rc;
}

static size_t add(char *out, size_t at_, const char *s)
{
	size_t n = strlen(s);
	memcpy(out + at_, s, n + 1);
	return at_ + n;
}

size_t tp_name_canonical(char out[TP_NAME_CANONICAL], const tp_name *n)
{
	size_t at_ = add(out, 0,
		n->hybrid & TP_HYBRID_GENUS   ? "\xc3\x97 "
		: n->hybrid & TP_HYBRID_GRAFT ? "+ "
					      : "");
	at_ = add(out, at_, n->genus);
	if (n->rank >= TP_RANK_SUBGENUS && n->rank <= TP_RANK_SERIES) {
		at_ = add(out, at_, n->hybrid & TP_HYBRID_INFRA ? " notho" : " ");
		at_ = add(out, at_, tp_rank_marker(n->rank));
		at_ = add(out, at_, " ");
		at_ = add(out, at_, n->infragenus);
	}
	if (*n->species) {
		at_ = add(out, at_, n->hybrid & TP_HYBRID_SPECIES ? " \xc3\x97 " : " ");
		at_ = add(out, at_, n->species);
	}
	if (*n->infra) {
		const char *marker = tp_rank_marker(n->rank);
		at_ = add(out, at_, n->hybrid & TP_HYBRID_INFRA ? " notho" : " ");
		at_ = add(out, at_, marker);
		at_ = add(out, at_, *marker ? " " : "");
		at_ = add(out, at_, n->infra);
	}
	if (*n->cultivar) {
		at_ = add(out, at_, " '");
		at_ = add(out, at_, n->cultivar);
		at_ = add(out, at_, "'");
	}
	if (n->hybrid & TP_HYBRID_FORMULA) {
		at_ = add(out, at_, " \xc3\x97 ");
		at_ = add(out, at_, n->parents);
	}
	return at_;
}

const char *tp_rank_marker(tp_rank r)
{
	return ranks[r].marker;
}

const char *tp_rank_name(tp_rank r)
{
	return ranks[r].name;
}

tp_rank tp_rank_from(const char *s)
{
	static const char *const higher[] = { "kingdom", "phylum", "class", "order", "family", "subfamily",
		"tribe", "subtribe", "supertribe", "superorder", "suborder", "subclass", "subkingdom" };
	tp_token t = { s, strlen(s), false };
	for (size_t i = 0; i < LEN(higher); i++)
		if (is(&t, higher[i]))
			return TP_RANK_HIGHER;
	for (int r = TP_RANK_GENUS; r < TP_RANKS; r++)
		if (is(&t, ranks[r].name))
			return (tp_rank)r;
	const rank_word *w = rank_of(&t);
	return w ? w->rank : is(&t, "sp") || is(&t, "nothospecies") ? TP_RANK_SPECIES : TP_RANK_UNKNOWN;
}
