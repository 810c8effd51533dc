/* See columns_int.h. The names of columns are those of Darwin Core (World Flora Online, GBIF), WCVP, and The Plant List. */
#include "taxonomy/columns_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "taxonomy/text_int.h"

/* Of several names for one thing the first that is there counts. */
static const struct {
	tp_column column;
	const char *name;
} known[] = {
	{ TP_COL_ID, "taxonID" },
	{ TP_COL_ID, "plant_name_id" },
	{ TP_COL_ID, "tpl_id" },
	{ TP_COL_ID, "id" },
	{ TP_COL_NAME, "scientificName" },
	{ TP_COL_NAME, "taxon_name" },
	{ TP_COL_NAME, "scientific_name" },
	{ TP_COL_AUTHOR, "scientificNameAuthorship" },
	{ TP_COL_AUTHOR, "taxon_authors" },
	{ TP_COL_AUTHOR, "authorship" },
	{ TP_COL_AUTHOR, "author" },
	{ TP_COL_FAMILY, "family" },
	{ TP_COL_GENUS_HYBRID, "genus_hybrid" },
	{ TP_COL_GENUS, "genus" },
	{ TP_COL_SPECIES_HYBRID, "species_hybrid" },
	{ TP_COL_SPECIES, "specificEpithet" },
	{ TP_COL_SPECIES, "species" },
	{ TP_COL_INFRA_RANK, "infraspecific_rank" },
	{ TP_COL_INFRA_RANK, "infra_rank" },
	{ TP_COL_INFRA, "infraspecificEpithet" },
	{ TP_COL_INFRA, "infraspecies" },
	{ TP_COL_INFRA, "infra" },
	{ TP_COL_RANK, "taxonRank" },
	{ TP_COL_RANK, "taxon_rank" },
	{ TP_COL_STATUS, "taxonomicStatus" },
	{ TP_COL_STATUS, "taxon_status" },
	{ TP_COL_STATUS, "status" },
	{ TP_COL_ACCEPTED, "acceptedNameUsageID" },
	{ TP_COL_ACCEPTED, "accepted_plant_name_id" },
	{ TP_COL_ACCEPTED, "accepted_id" },
};

/* follows: when another's id stands in the accepted column, it is a synonym of that, whatever it is called. */
static const struct {
	const char *word;
	tp_status status;
	bool follows;
} statuses[] = {
	{ "accepted", TP_STATUS_ACCEPTED, false },
	{ "valid", TP_STATUS_ACCEPTED, false },
	{ "provisionally accepted", TP_STATUS_ACCEPTED, true },
	{ "artificial hybrid", TP_STATUS_ACCEPTED, true },
	{ "local biotype", TP_STATUS_ACCEPTED, true },
	{ "synonym", TP_STATUS_SYNONYM, true },
	{ "homotypic synonym", TP_STATUS_SYNONYM, true },
	{ "homotypicsynonym", TP_STATUS_SYNONYM, true },
	{ "heterotypic synonym", TP_STATUS_SYNONYM, true },
	{ "heterotypicsynonym", TP_STATUS_SYNONYM, true },
	{ "pro parte synonym", TP_STATUS_SYNONYM, true },
	{ "proparte synonym", TP_STATUS_SYNONYM, true },
	{ "ambiguous synonym", TP_STATUS_SYNONYM, true },
	{ "illegitimate", TP_STATUS_SYNONYM, true },
	{ "invalid", TP_STATUS_SYNONYM, true },
	{ "orthographic", TP_STATUS_SYNONYM, true },
	{ "orthographic variant", TP_STATUS_SYNONYM, true },
	{ "misapplied", TP_STATUS_MISAPPLIED, true },
	{ "unresolved", TP_STATUS_UNPLACED, false },
	{ "unplaced", TP_STATUS_UNPLACED, false },
	{ "unchecked", TP_STATUS_UNPLACED, false },
	{ "ambiguous", TP_STATUS_UNPLACED, false },
	{ "doubtful", TP_STATUS_UNPLACED, false },
	{ "", TP_STATUS_UNPLACED, true },
};

#define LEN(v) (sizeof(v) / sizeof *(v))

tp_code tp_list_columns_find(tp_list_columns *c, char **field, size_t n, tp_err *err)
{
	for (int k = 0; k < TP_COLS; k++)
		c->at[k] = -1;
	c->n = n;
	for (size_t k = 0; k < LEN(known); k++)
		for (size_t i = 0; i < n && c->at[known[k].column] < 0; i++)
			if (!strcasecmp(field[i], known[k].name))
				c->at[known[k].column] = (int)i;
	if (c->at[TP_COL_NAME] < 0 && (c->at[TP_COL_GENUS] < 0 || c->at[TP_COL_SPECIES] < 0))
		return tp_fail(err, TP_EFORMAT,
			"no column for a name: scientificName, taxon_name, or genus and species are looked "
			"for");
	return TP_OK;
}

static const char *get(const tp_list_columns *c, char **field, tp_column k)
{
	return c->at[k] < 0 ? "" : field[c->at[k]];
}

/* The name's text: its own column, or put together from its words. 0 when it is longer than a name may be. */
static size_t text_of(char out[TP_NAME_MAX + 1], const tp_list_columns *c, char **field)
{
	const char *name = get(c, field, TP_COL_NAME);
	const char *words[] = { get(c, field, TP_COL_GENUS_HYBRID), get(c, field, TP_COL_GENUS),
		get(c, field, TP_COL_SPECIES_HYBRID), get(c, field, TP_COL_SPECIES),
		get(c, field, TP_COL_INFRA_RANK), get(c, field, TP_COL_INFRA) };
	int n = *name ? snprintf(out, TP_NAME_MAX + 1, "%s", name)
		      : snprintf(out, TP_NAME_MAX + 1, "%s %s %s %s %s %s", words[0], words[1], words[2],
				words[3], *words[5] ? words[4] : "", words[5]);
	return n > 0 && n <= TP_NAME_MAX ? (size_t)n : 0;
}

static bool is_utf8(const char *s)
{
	const char *end = s + strlen(s);
	for (size_t bytes; s < end; s += bytes)
		if (tp_utf8_get(s, end, &bytes) < ' ' || !bytes)
			return false;
	return true;
}

static void drop_quotes(char *s)
{
	char *to = s;
	for (; *s; s++)
		if (*s != '"')
			*to++ = *s;
	*to = 0;
}

static void read_status(tp_line_name *o, const tp_list_columns *c, char **field)
{
	const char *word = get(c, field, TP_COL_STATUS);
	o->accepted = get(c, field, TP_COL_ACCEPTED);
	o->status = TP_STATUS_ACCEPTED;
	o->follows = true;
	if (c->at[TP_COL_STATUS] >= 0) {
		o->unknown_status = true;
		o->status = TP_STATUS_UNPLACED;
		for (size_t i = 0; i < LEN(statuses); i++)
			if (!strcasecmp(word, statuses[i].word)) {
				o->status = statuses[i].status;
				o->follows = statuses[i].follows;
				o->unknown_status = false;
			}
	}
	bool used = o->name.qualifier & TP_QUAL_SENSU || !strncmp(o->author, "auct", 4) ||
		    !strncmp(o->author, "sensu", 5);
	if (used && o->status != TP_STATUS_ACCEPTED)
		o->status = TP_STATUS_MISAPPLIED;
}

/* Is it a genus, a species, or below? The list's own word decides before the name's form does. */
static bool is_wanted(tp_name *n, const char *word)
{
	tp_rank said = tp_rank_from(word);
	if ((said && said < TP_RANK_SPECIES && said != TP_RANK_GENUS) || n->rank < TP_RANK_GENUS ||
		(n->rank > TP_RANK_GENUS && n->rank < TP_RANK_SPECIES) || n->rank == TP_RANK_CULTIVAR ||
		n->qualifier & TP_QUAL_SP)
		return false;
	if (n->rank == TP_RANK_GENUS && *word && said != TP_RANK_GENUS)
		return false;
	if (n->rank == TP_RANK_INFRASPECIFIC && said > TP_RANK_SPECIES && said < TP_RANK_CULTIVAR)
		n->rank = said;
	return true;
}

tp_line tp_list_columns_read(tp_line_name *o, const tp_list_columns *c, char **field, size_t n, tp_err *err)
{
	char text[TP_NAME_MAX + 1];
	*o = (tp_line_name){ 0 };
	if (n < c->n)
		return TP_LINE_FEW_FIELDS;
	size_t len = text_of(text, c, field);
	if (!len) {
		tp_fail(err, TP_ELIMIT, "a name of more than %d bytes", TP_NAME_MAX);
		return TP_LINE_NO_NAME;
	}
	if (tp_rank_from(get(c, field, TP_COL_RANK)) == TP_RANK_HIGHER)
		return TP_LINE_OTHER_RANK;
	if (tp_name_parse(&o->name, text, len, err))
		return TP_LINE_NO_NAME;
	if (c->at[TP_COL_AUTHOR] >= 0)
		drop_quotes(field[c->at[TP_COL_AUTHOR]]);
	o->id = get(c, field, TP_COL_ID);
	o->family = tp_family_modern(get(c, field, TP_COL_FAMILY));
	o->author = get(c, field, TP_COL_AUTHOR);
	o->author = *o->author ? o->author : o->name.author;
	read_status(o, c, field);
	if (!is_utf8(o->id) || !is_utf8(o->family) || !is_utf8(o->author)) {
		tp_fail(err, TP_EFORMAT,
			"an id, family or authorship that is not UTF-8, or with control characters");
		return TP_LINE_NO_NAME;
	}
	if (o->name.hybrid & TP_HYBRID_FORMULA)
		return TP_LINE_FORMULA;
	return is_wanted(&o->name, get(c, field, TP_COL_RANK)) ? TP_LINE_KEPT : TP_LINE_OTHER_RANK;
}
