/* See match_catalog.h. Names are read first, because the catalog must not be written while it is read. */
#include "cli/match_catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *const tp_name_kinds[TP_NAME_KINDS] = { "exact", "variant", "synonym", "fuzzy", "parent",
	"unmatched" };

typedef struct {
	int64_t id, taxon, photos;
	char *text;
	bool was_matched;
} name_row;

typedef struct {
	tp_catalog *c;
	const tp_backbone *b;
	const tp_match_catalog_opts *o;
	tp_catalog_matched *out;
	name_row *row;
	size_t n, cap;
	uint8_t *has_family; /* by taxon */
	size_t n_taxa;
} job;

/* What is found of one name. */
typedef struct {
	tp_name_kind kind;
	uint32_t accepted;
	char nearest[TP_NAME_CANONICAL], why[256];
	int distance;
} verdict;

/* ---- the catalog's names and taxa ---- */

static tp_code add_row(void *ud, const tp_catalog_name *n, tp_err *err)
{
	job *j = ud;
	if (j->n == j->cap) {
		size_t cap = j->cap ? 2 * j->cap : 256;
		name_row *v = tp_realloc(j->row, cap * sizeof *v);
		if (!v)
			return tp_nomem(err, cap * sizeof *v);
		j->row = v;
		j->cap = cap;
	}
	char *text = tp_strdup(n->text);
	if (!text)
		return tp_nomem(err, strlen(n->text));
	j->row[j->n++] = (name_row){ n->id, n->taxon, n->photos, text,
		*n->matched && strcmp(n->matched, tp_name_kinds[TP_NAME_UNMATCHED]) != 0 };
	return TP_OK;
}

static tp_code note_taxon(void *ud, const tp_catalog_taxon *t, tp_err *err)
{
	enum { MAX_TAXON = 1 << 26 };
	job *j = ud;
	if (t->id < 0 || t->id > MAX_TAXON)
		return tp_fail(err, TP_ELIMIT, "taxon %lld", (long long)t->id);
	if ((size_t)t->id >= j->n_taxa) {
		size_t n = 2 * (size_t)t->id + 64;
		uint8_t *p = tp_realloc(j->has_family, n);
		if (!p)
			return tp_nomem(err, n);
		memset(p + j->n_taxa, 0, n - j->n_taxa);
		j->has_family = p;
		j->n_taxa = n;
	}
	j->has_family[t->id] = *t->family != 0;
	return TP_OK;
}

static bool has_family(const job *j, int64_t taxon)
{
	return taxon > 0 && (size_t)taxon < j->n_taxa && j->has_family[taxon];
}

static int by_id(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Different taxa of the names, and those of them without a family. */
static tp_code count_species(const job *j, size_t *species, size_t *no_family, tp_err *err)
{
	int64_t *v = tp_alloc((j->n + 1) * sizeof *v);
	if (!v)
		return tp_nomem(err, j->n * sizeof *v);
	for (size_t i = 0; i < j->n; i++)
		v[i] = j->row[i].taxon;
	qsort(v, j->n, sizeof *v, by_id);
	*species = *no_family = 0;
	for (size_t i = 0; i < j->n; i++)
		if (!i || v[i] != v[i - 1]) {
			++*species;
			*no_family += !has_family(j, v[i]);
		}
	tp_free(v);
	return TP_OK;
}

/* ---- one name ---- */

static void say_ambiguous(verdict *v, const tp_backbone *b, const tp_match *m)
{
	char one[TP_NAME_CANONICAL];
	snprintf(v->why, sizeof v->why, "several taxa have this name:");
	for (int i = 0; i < m->n_candidates; i++) {
		size_t n = strlen(v->why);
		tp_backbone_text(one, b, m->candidate[i], true);
		snprintf(v->why + n, sizeof v->why - n, "%s %s", i ? ";" : "", one);
	}
}

static void look_up(verdict *v, const job *j, const char *text)
{
	tp_name name;
	tp_match m;
	tp_err err = { 0 };
	*v = (verdict){ .kind = TP_NAME_UNMATCHED, .accepted = TP_NO_NAME };
	if (tp_name_parse(&name, text, strlen(text), &err)) {
		snprintf(v->why, sizeof v->why, "no name: %.200s", err.msg);
		return;
	}
	tp_match_name(&m, j->b, &name, (tp_match_opts){ .fuzzy = j->o->fuzzy });
	uint32_t near = m.how ? m.matched : m.nearest;
	v->distance = m.distance;
	if (m.how && m.accepted == TP_NO_NAME)
		say_ambiguous(v, j->b, &m);
	else if (!m.how)
		snprintf(v->why, sizeof v->why, "not listed");
	else
		v->kind = m.how == TP_HOW_FUZZY     ? TP_NAME_FUZZY
			  : m.parent                ? TP_NAME_PARENT
			  : m.synonym               ? TP_NAME_SYNONYM
			  : m.how == TP_HOW_VARIANT ? TP_NAME_VARIANT
						    : TP_NAME_EXACT;
	v->accepted = v->kind == TP_NAME_UNMATCHED ? TP_NO_NAME : m.accepted;
	if (v->kind != TP_NAME_EXACT && near != TP_NO_NAME)
		tp_backbone_text(v->nearest, j->b, near, true);
}

/* What a text means without authors; TP_NO_NAME: nothing, or several things. */
static uint32_t meant(const tp_backbone *b, const char *text)
{
	tp_name name;
	tp_match m;
	if (tp_name_parse(&name, text, strlen(text), NULL))
		return TP_NO_NAME;
	tp_match_name(&m, b, &name, (tp_match_opts){ .fuzzy = false });
	return m.how ? m.accepted : TP_NO_NAME;
}

static tp_code put_accepted(job *j, name_row *r, uint32_t accepted, tp_err *err)
{
	const tp_listed x = tp_backbone_at(j->b, accepted);
	char name[TP_NAME_CANONICAL], genus[TP_NAME_WORD];
	tp_backbone_text(name, j->b, accepted, false);
	if (meant(j->b, name) != accepted)
		tp_backbone_text(name, j->b, accepted, true);
	snprintf(genus, sizeof genus, "%s", x.genus);
	const tp_catalog_taxon t = { .name = name,
		.authorship = x.author,
		.rank = tp_rank_name(x.rank),
		.genus = genus,
		.family = x.family };
	tp_code rc = tp_catalog_put_taxon(j->c, &r->taxon, &t, err);
	return rc ? rc : note_taxon(j, &(tp_catalog_taxon){ .id = r->taxon, .family = x.family }, err);
}

/* "Rosa  canina L." as the taxon it is when no list knows it. */
static void own_name(char out[TP_NAME_CANONICAL], const char *text)
{
	tp_name name;
	if (!tp_name_parse(&name, text, strlen(text), NULL) && tp_name_canonical(out, &name))
		return;
	size_t n = 0;
	for (const char *p = text; *p && n + 1 < TP_NAME_CANONICAL; p++) {
		bool blank = strchr(" \t\r\n", *p);
		if (!blank || (n && out[n - 1] != ' '))
			out[n++] = blank ? ' ' : *p;
	}
	out[n] = 0;
}

static const char *family_of_genus(const job *j, const char *text)
{
	tp_name name;
	uint32_t genus =
		tp_name_parse(&name, text, strlen(text), NULL) ? TP_NO_NAME : meant(j->b, name.genus);
	return genus == TP_NO_NAME ? "" : tp_backbone_at(j->b, genus).family;
}

/* A name that no list knows stays the taxon that it is; one that an earlier list gave to another becomes one again. */
static tp_code put_own(job *j, name_row *r, tp_err *err)
{
	char name[TP_NAME_CANONICAL];
	const char *family = has_family(j, r->taxon) && !r->was_matched ? "" : family_of_genus(j, r->text);
	if (!r->was_matched && !*family)
		return TP_OK;
	own_name(name, r->text);
	const tp_catalog_taxon t = { .name = name, .family = family };
	int64_t id = r->taxon;
	tp_code rc = TP_OK;
	if (r->was_matched)
		rc = tp_catalog_put_taxon(j->c, &id, &t, err);
	else
		rc = tp_catalog_fill_family(j->c, id, family, err);
	r->taxon = id;
	return rc || !*family ? rc : note_taxon(j, &(tp_catalog_taxon){ .id = id, .family = family }, err);
}

static tp_code match_one(job *j, name_row *r, tp_err *err)
{
	verdict v;
	tp_code rc;
	look_up(&v, j, r->text);
	j->out->names++;
	j->out->photos += (size_t)r->photos;
	j->out->by[v.kind]++;
	j->out->photos_by[v.kind] += (size_t)r->photos;
	if (v.kind == TP_NAME_UNMATCHED) {
		const tp_unmatched u = { r->text, v.nearest, v.why, r->photos, v.distance };
		rc = j->o->unmatched ? j->o->unmatched(j->o->ud, &u, err) : TP_OK;
		if (!rc)
			rc = put_own(j, r, err);
	} else {
		rc = put_accepted(j, r, v.accepted, err);
	}
	return rc ? rc : tp_catalog_match(j->c, r->id, r->taxon, tp_name_kinds[v.kind], v.nearest, err);
}

static tp_code match_all(job *j, tp_err *err)
{
	size_t unused = 0;
	tp_code rc = tp_catalog_each_name(j->c, add_row, j, err);
	if (!rc)
		rc = tp_catalog_each_taxon(j->c, note_taxon, j, err);
	if (!rc)
		rc = count_species(j, &j->out->species_before, &unused, err);
	for (size_t i = 0; i < j->n && !rc; i++)
		rc = match_one(j, &j->row[i], err);
	if (!rc)
		rc = tp_catalog_drop_unused_taxa(j->c, err);
	return rc ? rc : count_species(j, &j->out->species, &j->out->no_family, err);
}

tp_code tp_match_catalog(tp_catalog_matched *out, tp_catalog *c, const tp_backbone *b,
	const tp_match_catalog_opts *o, tp_err *err)
{
	job j = { .c = c, .b = b, .o = o, .out = out };
	*out = (tp_catalog_matched){ 0 };
	tp_code rc = tp_catalog_begin(c, err);
	if (rc)
		return rc;
	rc = match_all(&j, err);
	if (!rc)
		rc = tp_catalog_commit(c, err);
	if (rc)
		tp_catalog_rollback(c);
	for (size_t i = 0; i < j.n; i++)
		tp_free(j.row[i].text);
	tp_free(j.row);
	tp_free(j.has_family);
	return rc;
}
