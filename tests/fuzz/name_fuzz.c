/* Fuzz target: a scientific name. What is read keeps its promises: words are letters, the canonical form is read as the same
 * words, and an authorship is its own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "taxonomy/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void same(const char *a, const char *b)
{
	if (strcmp(a, b) != 0)
		abort();
}

static void check_empty(const tp_name *n)
{
	static const tp_name none;
	if (memcmp(n->genus, none.genus, sizeof none.genus) != 0 || n->rank || n->hybrid || *n->author)
		abort();
}

static void check_words(const tp_name *n)
{
	if (!*n->genus || (n->rank >= TP_RANK_SPECIES && n->rank < TP_RANK_CULTIVAR && !*n->species) ||
		(n->rank > TP_RANK_SPECIES && n->rank < TP_RANK_CULTIVAR && !*n->infra) ||
		(n->rank == TP_RANK_CULTIVAR) != (*n->cultivar != 0) ||
		!(n->hybrid & TP_HYBRID_FORMULA) != !*n->parents || strpbrk(n->genus, " <>&;()") ||
		strpbrk(n->species, " <>&;()") || strpbrk(n->infra, " <>&;()"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	tp_name once, again;
	tp_err err = { 0 };
	char canonical[TP_NAME_CANONICAL], twice[TP_NAME_CANONICAL];
	tp_code rc = tp_name_parse(&once, (const char *)p, n, &err);
	if (rc) {
		if (err.code != rc || !*err.msg || (rc != TP_EFORMAT && rc != TP_ELIMIT))
			abort();
		check_empty(&once);
		return 0;
	}
	check_words(&once);
	if (tp_name_canonical(canonical, &once) != strlen(canonical))
		abort();
	if (strlen(canonical) <= TP_NAME_MAX) {
		if (tp_name_parse(&again, canonical, strlen(canonical), NULL))
			abort();
		tp_name_canonical(twice, &again);
		same(canonical, twice);
		same(once.genus, again.genus);
		same(once.species, again.species);
		same(once.infra, again.infra);
		same(once.parents, again.parents);
		if (once.rank != again.rank || once.hybrid != again.hybrid)
			abort();
	}
	if (tp_author_compare(once.author, once.author) > TP_AUTHOR_SAME)
		abort();
	return 0;
}
