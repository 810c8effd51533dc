/* A catalog as a set of photos to train with: those that are kept and lie on this disk, with the splits it has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "data/catalog_int.h"
#include "data/catalog_places.h"
#include "data/data_int.h"
#include "data/split_groups.h"

/* Taxa by their numbers, which are few and have gaps. */
typedef struct {
	int *index; /* -1: not met */
	size_t n;
} by_number;

typedef struct {
	tp_builder *b;
	tp_catalog_texts authors, licences;
	tp_catalog_places places;
	by_number taxa;
	size_t with_split, without_split;
} reading;

static tp_code make_room(by_number *x, int64_t number, tp_err *err)
{
	enum { MAX_NUMBER = 1 << 26 };
	if (number < 0 || number > MAX_NUMBER)
		return tp_fail(err, TP_ELIMIT, "number %lld of a taxon", (long long)number);
	if ((size_t)number < x->n)
		return TP_OK;
	size_t n = 2 * (size_t)number + 16;
	int *p = tp_realloc(x->index, n * sizeof *p);
	if (!p)
		return tp_nomem(err, n * sizeof *p);
	memset(p + x->n, 0xff, (n - x->n) * sizeof *p);
	x->index = p;
	x->n = n;
	return TP_OK;
}

static tp_code one_taxon(void *ud, const tp_catalog_taxon *t, tp_err *err)
{
	reading *r = ud;
	int k = 0;
	tp_code rc = make_room(&r->taxa, t->id, err);
	if (!rc)
		rc = tp_builder_new_taxon(r->b, &k, t->name, err);
	if (rc)
		return rc;
	r->taxa.index[t->id] = k;
	tp_taxon *to = &r->b->m.taxa[k];
	rc = tp_set_text(&to->family, t->family, err);
	if (!rc)
		rc = tp_set_text(&to->authorship, t->authorship, err);
	return rc ? rc : tp_set_text(&to->powo, t->powo, err);
}

static tp_code one_common(void *ud, int64_t taxon, const char *lang, const char *name, tp_err *err)
{
	reading *r = ud;
	int k = taxon >= 0 && (size_t)taxon < r->taxa.n ? r->taxa.index[taxon] : -1;
	if (k < 0)
		return TP_OK;
	tp_taxon *t = &r->b->m.taxa[k];
	for (size_t i = 0; i < 7; i++) {
		if (t->common[i][0])
			continue;
		tp_code rc = tp_set_text(&t->common[i][1], name, err);
		return rc ? rc : tp_set_text(&t->common[i][0], lang, err);
	}
	return TP_OK;
}

static const char *text_of(const tp_catalog_texts *t, int64_t number)
{
	return number > 0 && (size_t)number < t->n && t->text[number] ? t->text[number] : "";
}

static tp_code one_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	reading *r = ud;
	int split = tp_catalog_split_of(p);
	int k = p->taxon >= 0 && (size_t)p->taxon < r->taxa.n ? r->taxa.index[p->taxon] : -1;
	const char *path = NULL;
	r->b->m.seen++;
	if (p->excluded)
		return tp_builder_excluded(r->b, p->excluded, 1, err);
	if (split == TP_HELD_OUT) {
		r->b->m.skipped_held_out++;
		return TP_OK;
	}
	/* from the root of the disk, for sources lie anywhere */
	tp_code rc = tp_catalog_place(&path, &r->places, p, err);
	if (rc)
		return rc;
	if (!path) {
		r->b->m.skipped_not_here++;
		return TP_OK;
	}
	if (k < 0)
		return tp_fail(
			err, TP_EFORMAT, "photo %lld: no taxon %lld", (long long)p->id, (long long)p->taxon);
	r->with_split += split >= 0;
	r->without_split += split < 0;
	const tp_photo_row row = { .path = path,
		.species = k,
		.split = split < 0 ? TP_TRAIN : (tp_split)split,
		.organ = tp_is_organ(p->organ, strlen(p->organ)) ? p->organ : "",
		.source = *p->origin ? p->origin : tp_catalog_kind(&r->places, p->source),
		.licence = text_of(&r->licences, p->licence),
		.author = text_of(&r->authors, p->author) };
	return tp_builder_photo(r->b, &row, err);
}

/* Species that no photo is left of are none. */
static tp_code drop_empty_taxa(tp_builder *b, tp_err *err)
{
	tp_manifest *m = &b->m;
	int *now = tp_alloc((m->n_taxa + 1) * sizeof *now);
	size_t n = 0;
	if (!now)
		return tp_nomem(err, m->n_taxa * sizeof *now);
	memset(now, 0, (m->n_taxa + 1) * sizeof *now);
	for (size_t i = 0; i < m->n_photos; i++)
		now[m->photos[i].species] = 1;
	for (size_t i = 0; i < m->n_taxa; i++) {
		tp_taxon t = m->taxa[i];
		if (!now[i]) {
			tp_taxon_dispose(&t);
			continue;
		}
		now[i] = (int)n;
		m->taxa[n++] = t;
	}
	m->n_taxa = n;
	for (size_t i = 0; i < m->n_photos; i++)
		m->photos[i].species = now[m->photos[i].species];
	tp_free(now);
	return TP_OK;
}

static tp_code read_all(reading *r, tp_catalog *c, tp_err *err)
{
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	tp_code rc = tp_catalog_load_texts(&r->authors, c, TP_TEXT_AUTHOR, err);
	if (!rc)
		rc = tp_catalog_load_texts(&r->licences, c, TP_TEXT_LICENCE, err);
	if (!rc)
		rc = tp_catalog_each_taxon(c, one_taxon, r, err);
	if (!rc)
		rc = tp_catalog_each_common(c, one_common, r, err);
	if (!rc)
		rc = tp_catalog_each_photo(c, &all, one_photo, r, err);
	if (!rc && r->with_split && r->without_split)
		rc = tp_fail(err, TP_EINVAL,
			"%s: %zu of the kept photos have a split (train, val, test) and %zu have none: "
			"tepal data split deals them",
			c->path, r->with_split, r->without_split);
	r->b->has_split = r->with_split > 0;
	return rc ? rc : drop_empty_taxa(r->b, err);
}

tp_code tp_import_catalog(tp_builder *b, const char *dir, tp_err *err)
{
	tp_catalog *c = NULL;
	reading r = { .b = b };
	tp_code rc = tp_set_text(&b->m.root, "/", err);
	if (!rc)
		rc = tp_catalog_open(&c, dir, TP_CATALOG_READ, err);
	if (!rc)
		rc = tp_catalog_places_load(&r.places, c, dir, err);
	if (!rc)
		rc = read_all(&r, c, err);
	tp_catalog_close(c);
	tp_catalog_texts_free(&r.authors);
	tp_catalog_texts_free(&r.licences);
	tp_catalog_places_dispose(&r.places);
	tp_free(r.taxa.index);
	return rc;
}
