/* Fuzz target: a backbone, and names matched to it. The first line of the input is a name, the rest a table. A backbone that is
 * read keeps its promises: chains of synonyms have an end, the sums agree, and each of its own names is matched by its words. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "taxonomy/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_sums(const tp_backbone_stats *s)
{
	size_t sum = 0;
	for (int i = 0; i < TP_LINES; i++)
		sum += s->by[i];
	if (sum != s->seen)
		abort();
}

static void check_number(uint32_t i, uint32_t n)
{
	if (i != TP_NO_NAME && i >= n)
		abort();
}

static tp_match look_up(const tp_backbone *b, const char *text, size_t len)
{
	tp_match m = { .matched = TP_NO_NAME };
	tp_name name;
	uint32_t n = tp_backbone_count(b);
	if (tp_name_parse(&name, text, len, NULL))
		return m;
	tp_match_name(&m, b, &name, (tp_match_opts)TP_MATCH_OPTS_INIT);
	check_number(m.matched, n);
	check_number(m.accepted, n);
	check_number(m.nearest, n);
	if ((m.how == TP_HOW_NONE) != (m.matched == TP_NO_NAME) || (m.how && m.nearest != TP_NO_NAME) ||
		m.n_candidates > TP_MATCH_CANDIDATES || m.ambiguous != (m.n_candidates > 1))
		abort();
	for (int i = 0; i < m.n_candidates; i++)
		if (m.candidate[i] >= n)
			abort();
	return m;
}

static void check_names(const tp_backbone *b)
{
	enum { LOOKED_UP = 20 };
	for (uint32_t i = 0; i < tp_backbone_count(b); i++) {
		char text[TP_NAME_CANONICAL];
		tp_listed l = tp_backbone_at(b, i), a = tp_backbone_at(b, l.accepted);
		if (!*l.genus || a.accepted != l.accepted ||
			(l.status == TP_STATUS_SYNONYM && l.accepted == i))
			abort();
		size_t len = tp_backbone_text(text, b, i, false);
		tp_match m = i < LOOKED_UP ? look_up(b, text, len) : (tp_match){ .how = TP_HOW_NAME };
		if (m.how != TP_HOW_EXACT && m.how != TP_HOW_NAME && m.how != TP_HOW_VARIANT)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *line = n ? memchr(p, '\n', n) : NULL;
	size_t len = line ? (size_t)(line - p) : 0, skip = line ? len + 1 : 0;
	long live = tp_mem_live();
	tp_backbone *b = NULL;
	tp_backbone_stats stats;
	tp_err err = { 0 };
	tp_code rc = tp_backbone_parse(&b, (const char *)p + skip, n - skip, &stats, &err);
	check_sums(&stats);
	if (rc && (err.code != rc || !*err.msg))
		abort();
	if (!rc) {
		look_up(b, (const char *)p, len);
		check_names(b);
	}
	tp_backbone_free(b);
	if (tp_mem_live() != live)
		abort();
	return 0;
}
