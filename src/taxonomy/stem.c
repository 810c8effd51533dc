/* Spelling variants of epithets: what ICN art. 23.5, 60.5, 60.7, 60.8 and 60.11 let vary or have corrected. */
#include <string.h>

#include "taxonomy/backbone_int.h"
#include "taxonomy/text_int.h"

size_t tp_plain_word(char out[TP_NAME_WORD], const char *word)
{
	return tp_fold(out, TP_NAME_WORD, word, strlen(word), (tp_fold_opts){ 0 });
}

/* The longest ending comes first. What replaces it keeps apart what is no variant: genitives of a man's name from those of
 * a woman's, adjectives of one declension from those of another. */
static const struct {
	char ending[6], mark[2];
} endings[] = { { "iorum", "O" }, { "orum", "O" }, { "iarum", "P" }, { "arum", "P" }, { "iae", "A" },
	{ "ae", "A" }, { "ii", "I" }, { "i", "I" }, { "us", "" }, { "um", "" }, { "os", "" }, { "on", "" },
	{ "a", "" }, { "is", "E" }, { "e", "E" } };

size_t tp_stem(char out[TP_NAME_WORD], const char *word)
{
	enum { LEAST = 3 }; /* letters that must stay */
	size_t n = tp_plain_word(out, word);
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		size_t m = strlen(endings[i].ending);
		if (n >= m + LEAST && !memcmp(out + n - m, endings[i].ending, m)) {
			n -= m;
			memcpy(out + n, endings[i].mark, sizeof endings[i].mark);
			n += strlen(endings[i].mark);
			break;
		}
	}
	if (n > LEAST && out[n - 2] == 'e' && out[n - 1] == 'r') { /* niger, nigra: both "nigr" */
		out[n - 2] = 'r';
		out[--n] = 0;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = out[i] == 'j' ? 'i' : out[i] == 'v' ? 'u' : out[i];
	return n;
}

tp_shape tp_shape_of(const char *word, bool epithet)
{
	char s[TP_NAME_WORD];
	tp_shape shape = { .len = (uint8_t)tp_plain_word(s, word), .stem = 2166136261u };
	for (const char *p = s; *p; p++)
		shape.letters |= 1u << (*p >= 'a' && *p <= 'z' ? *p - 'a' : 26);
	if (epithet)
		tp_stem(s, word);
	for (const char *p = s; *p; p++)
		shape.stem = (shape.stem ^ (uint8_t)*p) * 16777619u;
	return shape;
}
