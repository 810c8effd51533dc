/* A catalog as a set of photos to train with: those that are kept and lie on this disk, with the splits it has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "data/catalog_int.h"
#include "data/data_int.h"
#include "data/split_groups.h"

/* Numbers of rows as they come (64 bits, few, with gaps) to small ones. */
typedef struct {
	char **text; /* by number; roots of sources */
	int *index;  /* by number; taxa; -1: not met */
	size_t n;
} by_number;

typedef struct {
	tp_builder *b;
	const char *dir; /* of the catalog, with links resolved */
	tp_catalog_texts authors, licences;
	by_number roots, taxa, kinds;
	tp_buf path;
	size_t with_split, without_split;
} reading;

static tp_code make_room(by_number *x, int64_t number, bool texts, tp_err *err)
{
	enum { MAX_NUMBER = 1 << 26 };
	if (number < 0 || number > MAX_NUMBER)
		return tp_fail(err, TP_ELIMIT, "number %lld of a small table", (long long)number);
	if ((size_t)number < x->n)
		return TP_OK;
	size_t n = 2 * (size_t)number + 16, each = texts ? sizeof *x->text : sizeof *x->index;
	void *p = tp_realloc(texts ? (void *)x->text : (void *)x->index, n * each);
	if (!p)
		return tp_nomem(err, n * each);
	memset((char *)p + x->n * each, texts ? 0 : 0xff, (n - x->n) * each);
	if (texts)
		x->text = p;
	else
		x->index = p;
	x->n = n;
	return TP_OK;
}

static void free_texts(by_number *x)
{
	for (size_t i = 0; x->text && i < x->n; i++)
		tp_free(x->text[i]);
	tp_free(x->text);
}

static tp_code keep_text(by_number *x, int64_t number, const char *text, tp_err *err)
{
	tp_code rc = make_room(x, number, true, err);
	return rc ? rc : tp_set_text(&x->text[number], text, err);
}

static tp_code one_source(void *ud, const tp_catalog_source *s, tp_err *err)
{
	reading *r = ud;
	tp_code rc = keep_text(&r->roots, s->id, s->root, err);
	return rc ? rc : keep_text(&r->kinds, s->id, s->kind, err);
}

static tp_code one_taxon(void *ud, const tp_catalog_taxon *t, tp_err *err)
{
	reading *r = ud;
	int k = 0;
	tp_code rc = make_room(&r->taxa, t->id, false, err);
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

/* Paths are from the root of the disk, for sources lie anywhere. *path is NULL for a photo that is not here. */
static tp_code place(reading *r, const tp_catalog_photo *p, const char **path, tp_err *err)
{
	bool fetched = *p->file;
	const char *rel = fetched ? p->file : p->path;
	const char *root = fetched ? r->dir
			   : p->source >= 0 && (size_t)p->source < r->roots.n && r->roots.text
				   ? r->roots.text[p->source]
				   : NULL;
	*path = NULL;
	if (!*rel)
		return TP_OK;
	if (!root || *root != '/' || !tp_is_inside(rel))
		return tp_fail(err, TP_EFORMAT, "photo %lld: path \"%.100s\" leaves the folder",
			(long long)p->id, rel);
	r->path.len = 0;
	tp_code rc = tp_buf_addf(&r->path, err, "%s%s%s", root + 1, root[1] ? "/" : "", rel);
	*path = r->path.ptr;
	return rc;
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
	tp_code rc = place(r, p, &path, err);
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
		.source = *p->origin ? p->origin : r->kinds.text[p->source],
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
	tp_code rc = tp_catalog_each_source(c, one_source, r, err);
	if (!rc)
		rc = tp_catalog_load_texts(&r->authors, c, TP_TEXT_AUTHOR, err);
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
	char *real = realpath(dir, NULL);
	reading r = { .b = b, .dir = real };
	tp_buf_init(&r.path, 1 << 16);
	tp_code rc = real ? tp_set_text(&b->m.root, "/", err)
			  : tp_fail(err, TP_ENOTFOUND, "%s: no such folder", dir);
	if (!rc)
		rc = tp_catalog_open(&c, dir, TP_CATALOG_READ, err);
	if (!rc)
		rc = read_all(&r, c, err);
	tp_catalog_close(c);
	tp_catalog_texts_free(&r.authors);
	tp_catalog_texts_free(&r.licences);
	free_texts(&r.roots);
	free_texts(&r.kinds);
	tp_free(r.taxa.index);
	tp_buf_dispose(&r.path);
	free(real);
	return rc;
}
