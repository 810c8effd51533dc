/* Organs by their parts: see organ.h. */
#include "data/organ.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The vocabulary's plant parts. A twig, a stem or a cone has no word of ours and is called as they call it: what it would
 * be taken for is not for an importer to say. */
static const struct {
	const char *number, *word, *organ;
} parts[] = {
	{ "p0000", "unspecifiedPart", "" },
	{ "p0001", "entireOrganism", "habit" },
	{ "p0002", "bark", "bark" },
	{ "p0003", "twig", "twig" },
	{ "p0004", "stem", "stem" },
	{ "p0005", "leaf", "leaf" },
	{ "p0006", "strobilis", "strobilis" },
	{ "p0007", "inflorescence", "flower" },
	{ "p0008", "fruit", "fruit" },
	{ "p0009", "seed", "seed" },
	{ "p0010", "maleCone", "maleCone" },
	{ "p0011", "femaleCone", "femaleCone" },
	{ "p0012", "flower", "flower" },
	{ "p0032", "bud", "bud" },
	{ NULL, "habit", "habit" }, /* Pl@ntNet's, besides */
	{ NULL, "other", "other" },
};

static bool is(const char *text, size_t len, const char *word)
{
	return word && strlen(word) == len && !strncasecmp(text, word, len);
}

/* NULL: no word that is known. */
static const char *organ_of(const char *text, size_t len)
{
	static const char *const before[] = { "http://rs.tdwg.org/acpart/values/",
		"https://rs.tdwg.org/acpart/values/", "acpart:" };
	bool address = false;
	for (size_t i = 0; i < 3 && !address; i++) {
		size_t n = strlen(before[i]);
		address = len > n && !strncasecmp(text, before[i], n);
		text += address ? n : 0;
		len -= address ? n : 0;
	}
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (is(text, len, address ? parts[i].number : parts[i].word))
			return parts[i].organ;
	return NULL;
}

const char *tp_organ_of_part(const char *text)
{
	static const char blanks[] = " \t\r\n";
	const char *all = NULL;
	for (const char *p = text;; p++) {
		p += strspn(p, blanks);
		size_t n = strcspn(p, "|"), len = n;
		while (len && strchr(blanks, p[len - 1]))
			len--;
		const char *one = organ_of(p, len);
		if (!one || (all && strcmp(all, one) != 0))
			return text;
		all = one;
		p += n;
		if (!*p)
			return all;
	}
}
