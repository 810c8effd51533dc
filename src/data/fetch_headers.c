/* Headers and notes: see fetch_headers.h. */
#include "data/fetch_headers.h"

#include <stdio.h>
#include <string.h>

static const char note_begin[] = "tepal part 1 ";

/* A number of digits alone, below 2^62. Moves *p behind it. */
static bool number(int64_t *out, const char **p, const char *end)
{
	const char *s = *p;
	int64_t v = 0;
	for (; s < end && *s >= '0' && *s <= '9'; s++) {
		if (v > INT64_MAX / 20)
			return false;
		v = 10 * v + (*s - '0');
	}
	bool any = s > *p;
	*p = s;
	*out = v;
	return any;
}

static bool letter(const char **p, const char *end, char c)
{
	bool is = *p < end && **p == c;
	*p += is;
	return is;
}

bool tp_content_range_parse(tp_content_range *out, const char *text)
{
	static const char unit[] = "bytes ";
	const char *p = text + sizeof unit - 1, *end = text + strlen(text);
	tp_content_range r = { .total = -1 };
	if (strncmp(text, unit, sizeof unit - 1) != 0)
		return false;
	bool good = number(&r.first, &p, end) && letter(&p, end, '-') && number(&r.last, &p, end) &&
		    letter(&p, end, '/') && (letter(&p, end, '*') || number(&r.total, &p, end)) && p == end;
	if (!good || r.last < r.first || (r.total >= 0 && r.last >= r.total))
		return false;
	*out = r;
	return true;
}

bool tp_is_validator(const char *text, size_t len)
{
	if (len < 3 || len >= TP_VALIDATOR)
		return false;
	bool tag = text[0] == '"' && text[len - 1] == '"';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool date = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			    strchr(" ,:-", c);
		bool in_tag = c > ' ' && c < 0x7f && (c != '"' || i == 0 || i + 1 == len);
		if (!c || (tag ? !in_tag : !date))
			return false;
	}
	return tag || (len > 20 && strchr("MTWFS", text[0]));
}

void tp_validator_choose(char out[TP_VALIDATOR], const char *etag, const char *last_modified)
{
	const char *use = etag && *etag == '"' && tp_is_validator(etag, strlen(etag)) ? etag : last_modified;
	bool good = use && tp_is_validator(use, strlen(use));
	snprintf(out, TP_VALIDATOR, "%s", good ? use : "");
}

size_t tp_part_note_write(char out[TP_PART_NOTE], const tp_part_note *n)
{
	return (size_t)snprintf(
		out, TP_PART_NOTE, "%s%lld %s\n", note_begin, (long long)n->total, n->validator);
}

bool tp_part_note_read(tp_part_note *out, const char *text, size_t len)
{
	const char *p = text + sizeof note_begin - 1, *end = text + len;
	tp_part_note n = { 0 };
	if (len < sizeof note_begin || memcmp(text, note_begin, sizeof note_begin - 1) != 0 ||
		!number(&n.total, &p, end) || !letter(&p, end, ' ') || end[-1] != '\n' || end - p < 2)
		return false;
	size_t rest = (size_t)(end - p) - 1;
	if (!tp_is_validator(p, rest))
		return false;
	memcpy(n.validator, p, rest); /* shorter than it, as tp_is_validator() says */
	*out = n;
	return true;
}
