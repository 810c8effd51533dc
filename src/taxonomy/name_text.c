/* See name_int.h: what is done to a text before it is read as a name. */
#include <string.h>

#include "taxonomy/name_int.h"
#include "taxonomy/text_int.h"

enum { TIMES = 0xD7, NOTHING = 0x110000 }; /* NOTHING: no code point, it is left out */

/* Characters that stand for a plainer one: blanks, dashes, quotes, and crosses. */
static uint32_t plainer(uint32_t c)
{
	if (c == '_' || c == '\t' || c == '\n' || c == '\r' || c == 0xA0 || (c >= 0x2000 && c <= 0x200A) ||
		c == 0x202F || c == 0x3000)
		return ' ';
	if (c == 0xAD || (c >= 0x200B && c <= 0x200F) || c == 0xFEFF)
		return NOTHING;
	if (c >= 0x2010 && c <= 0x2015)
		return '-';
	if (c == '`' || c == 0xB4 || (c >= 0x2B9 && c <= 0x2BC) || (c >= 0x2018 && c <= 0x201B) ||
		c == 0x2032)
		return '\'';
	if ((c >= 0x201C && c <= 0x201F) || c == 0xAB || c == 0xBB)
		return '"';
	return c == 0x2715 || c == 0x2716 || c == 0x2A09 ? TIMES : c;
}

/* "&times;" and its like: an ampersand, letters or #digits, a semicolon. */
static bool is_entity(const char *p, const char *end)
{
	const char *q = p + 1;
	while (q < end && q - p < 10 &&
		((*q >= 'a' && *q <= 'z') || (*q >= 'A' && *q <= 'Z') || *q == '#' ||
			(*q >= '0' && *q <= '9')))
		q++;
	return q < end && q > p + 1 && *q == ';';
}

static tp_code allowed(uint32_t c, const char *p, const char *end, tp_err *err)
{
	if (c < ' ' || c == 0x7F || (c >= 0x80 && c < 0xA0))
		return tp_fail(err, TP_EFORMAT, "a control character (U+%04X) in a name", (unsigned)c);
	if (c == '<' || c == '>' || (c == '&' && is_entity(p, end)))
		return tp_fail(err, TP_EFORMAT, "HTML in a name");
	if (tp_is_letter(c) || c == TIMES || (c < 0x80 && strchr(" .,&()[]-'\"+?:;/0123456789", (int)c)))
		return TP_OK;
	return tp_fail(err, TP_EFORMAT, "U+%04X does not belong in a name", (unsigned)c);
}

static char last(const tp_tokens *t)
{
	return t->len ? t->text[t->len - 1] : ' ';
}

static void blank(tp_tokens *t)
{
	if (last(t) != ' ' && last(t) != '(' && last(t) != '[')
		t->text[t->len++] = ' ';
}

/* One character behind the text so far. Brackets and crosses are set apart, marks joined with the letter before. */
static void put(tp_tokens *t, uint32_t c, uint32_t before)
{
	uint32_t joined = tp_is_mark(c) ? tp_letter_compose(before, c) : 0;
	bool after_bracket = last(t) == ')' || last(t) == ']';
	if (joined)
		t->len--; /* only plain letters are composed: one byte */
	if (c == ' ' || c == TIMES || c == '(' || c == '[' || (after_bracket && tp_is_letter(c)))
		blank(t);
	if ((c == ')' || c == ']') && last(t) == ' ' && t->len)
		t->len--;
	if (c != ' ')
		t->len += tp_utf8_put(t->text + t->len, joined ? joined : c);
	if (c == TIMES)
		blank(t);
}

static tp_code clean(tp_tokens *t, const char *p, const char *end, tp_err *err)
{
	uint32_t before = 0;
	while (p < end) {
		size_t bytes;
		uint32_t raw = tp_utf8_get(p, end, &bytes);
		if (!bytes)
			return tp_fail(err, TP_EFORMAT, "a name that is not UTF-8");
		uint32_t c = plainer(raw);
		tp_code rc = c == NOTHING ? TP_OK : allowed(c, p, end, err);
		if (rc)
			return rc;
		if (c != NOTHING) {
			put(t, c, before);
			before = c;
		}
		p += bytes;
	}
	while (t->len && t->text[t->len - 1] == ' ')
		t->len--;
	t->text[t->len] = 0;
	return TP_OK;
}

/* "ROSA CANINA L." becomes "Rosa canina l.": no text without a small letter is left to be read as authors. */
static void recase(tp_tokens *t)
{
	size_t upper = 0;
	for (size_t i = 0; i < t->len; i++) {
		if (t->text[i] >= 'a' && t->text[i] <= 'z' && !(t->text[i] == 'x' && t->text[i + 1] == ' '))
			return;
		upper += t->text[i] >= 'A' && t->text[i] <= 'Z';
	}
	bool first = true;
	for (size_t i = 0; i < t->len && upper > 3; i++) {
		bool letter = t->text[i] >= 'A' && t->text[i] <= 'Z';
		bool sign = t->text[i] == 'X' && t->text[i + 1] == ' ';
		if (letter && !first)
			t->text[i] = (char)(t->text[i] + 32);
		first = first && (!letter || sign);
	}
	t->recased = upper > 3;
}

/* The end of a cultivar's epithet that begins at p with a quote; NULL when it is none. An author's apostrophe ("'t Hart")
 * is followed by a small letter, and authors in quotes have a comma or an ampersand between them. */
static const char *closing_quote(const char *p, const char *end)
{
	if (end - p < 3 ||
		!((p[1] >= 'A' && p[1] <= 'Z') || (p[1] >= '0' && p[1] <= '9') || (uint8_t)p[1] >= 0x80))
		return NULL;
	for (const char *q = p + 1; q < end && *q != '&' && *q != ',' && *q != '('; q++)
		if (*q == *p && q - p > 1 && (q + 1 == end || q[1] == ' ' || q[1] == ')'))
			return q - p <= TP_NAME_WORD ? q : NULL;
	return NULL;
}

static void cut(tp_tokens *t)
{
	const char *p = t->text, *end = t->text + t->len;
	while (p < end) {
		if (*p == ' ') {
			p++;
			continue;
		}
		const char *q = *p == '\'' || *p == '"' ? closing_quote(p, end) : NULL;
		if (q) {
			t->v[t->n++] = (tp_token){ p + 1, (size_t)(q - p - 1), true };
			p = q + 1;
			continue;
		}
		q = memchr(p, ' ', (size_t)(end - p));
		q = q ? q : end;
		t->v[t->n++] = (tp_token){ p, (size_t)(q - p), false };
		p = q;
	}
}

tp_code tp_name_tokens(tp_tokens *t, const char *text, size_t len, tp_err *err)
{
	t->len = t->n = 0;
	t->recased = false;
	if (len > TP_NAME_MAX)
		return tp_fail(err, TP_ELIMIT, "a name of %zu bytes; %d are the most", len, TP_NAME_MAX);
	tp_code rc = clean(t, text, text + len, err);
	if (rc)
		return rc;
	recase(t);
	cut(t);
	if (!t->n)
		return tp_fail(err, TP_EFORMAT, "an empty name");
	return TP_OK;
}
