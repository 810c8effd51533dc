/* The manifest: see data.h. Which importer reads a path is decided by what lies there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/catalog.h"
#include "data/data_int.h"
#include "data/import_int.h"
#include "data/shard_int.h"

bool tp_is_photo_name(const char *name)
{
	static const char *const ends[] = { "jpg", "jpeg", "png", "webp", "heic", "heif" };
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
		if (!strcasecmp(dot + 1, ends[i]))
			return true;
	return false;
}

bool tp_is_organ(const char *s, size_t n)
{
	static const char *const organs[] = { "leaf", "flower", "fruit", "bark", "habit", "other" };
	for (size_t i = 0; i < sizeof organs / sizeof *organs; i++)
		if (strlen(organs[i]) == n && !memcmp(organs[i], s, n))
			return true;
	return false;
}

tp_code tp_set_text(char **slot, const char *text, tp_err *err)
{
	if (*slot && !*text)
		return TP_OK;
	char *p = tp_strdup(text);
	if (!p)
		return tp_nomem(err, strlen(text));
	tp_free(*slot);
	*slot = p;
	return TP_OK;
}

tp_code tp_builder_taxon(tp_builder *b, int *out, const char *name, tp_err *err)
{
	const tp_manifest *m = &b->m;
	/* photos come grouped by species: the last one is nearly always the right one */
	for (size_t i = m->n_taxa; i > 0; i--)
		if (!strcmp(m->taxa[i - 1].name, name)) {
			*out = (int)(i - 1);
			return TP_OK;
		}
	return tp_builder_new_taxon(b, out, name, err);
}

tp_code tp_builder_new_taxon(tp_builder *b, int *out, const char *name, tp_err *err)
{
	tp_manifest *m = &b->m;
	if (m->n_taxa == b->cap_taxa) {
		size_t cap = b->cap_taxa ? 2 * b->cap_taxa : 64;
		tp_taxon *v = tp_realloc(m->taxa, cap * sizeof *v);
		if (!v)
			return tp_nomem(err, cap * sizeof *v);
		m->taxa = v;
		b->cap_taxa = cap;
	}
	tp_taxon *t = &m->taxa[m->n_taxa++];
	*t = (tp_taxon){ 0 };
	tp_code rc = tp_set_text(&t->name, name, err);
	if (!rc)
		rc = tp_set_text(&t->family, "", err);
	if (!rc)
		rc = tp_set_text(&t->authorship, "", err);
	if (!rc)
		rc = tp_set_text(&t->powo, "", err);
	*out = (int)(m->n_taxa - 1);
	return rc;
}

void tp_taxon_dispose(tp_taxon *t)
{
	tp_free(t->name);
	tp_free(t->family);
	tp_free(t->authorship);
	tp_free(t->powo);
	for (size_t k = 0; k < 8; k++) {
		tp_free(t->common[k][0]);
		tp_free(t->common[k][1]);
	}
}

bool tp_is_inside(const char *path)
{
	if (*path == '/' || !*path)
		return false;
	for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
		if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
			return false;
	return true;
}

tp_code tp_builder_photo(tp_builder *b, const tp_photo_row *row, tp_err *err)
{
	tp_manifest *m = &b->m;
	if (!tp_is_inside(row->path))
		return tp_fail(err, TP_EFORMAT, "path \"%s\" leaves the folder", row->path);
	if (m->n_photos == b->cap_photos) {
		size_t cap = b->cap_photos ? 2 * b->cap_photos : 1024;
		tp_photo *v = tp_realloc(m->photos, cap * sizeof *v);
		if (!v)
			return tp_nomem(err, cap * sizeof *v);
		m->photos = v;
		b->cap_photos = cap;
	}
	tp_photo *p = &m->photos[m->n_photos++];
	*p = (tp_photo){ .species = row->species, .split = row->split };
	const char *text[] = { row->path, row->organ, row->source, row->licence, row->author };
	char **slot[] = { &p->path, &p->organ, &p->source, &p->licence, &p->author };
	for (size_t i = 0; i < sizeof slot / sizeof *slot; i++) {
		tp_code rc = tp_set_text(slot[i], text[i] ? text[i] : "", err);
		if (rc)
			return rc;
	}
	return TP_OK;
}

/* Rules are few. */
tp_code tp_builder_excluded(tp_builder *b, const char *rule, size_t n, tp_err *err)
{
	tp_manifest *m = &b->m;
	size_t i = 0;
	while (i < m->n_excluded_by && strcmp(m->excluded_by[i].rule, rule) < 0)
		i++;
	if (i == m->n_excluded_by || strcmp(m->excluded_by[i].rule, rule) != 0) {
		tp_rule_count *v = tp_realloc(m->excluded_by, (m->n_excluded_by + 1) * sizeof *v);
		if (!v)
			return tp_nomem(err, m->n_excluded_by * sizeof *v);
		m->excluded_by = v;
		char *copy = tp_strdup(rule);
		if (!copy)
			return tp_nomem(err, strlen(rule));
		memmove(v + i + 1, v + i, (m->n_excluded_by++ - i) * sizeof *v);
		v[i] = (tp_rule_count){ copy, 0 };
	}
	m->excluded_by[i].n += n;
	m->skipped_excluded += n;
	return TP_OK;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const tp_photo *)a)->path, ((const tp_photo *)b)->path);
}

static void photo_free(tp_photo *p)
{
	tp_free(p->path);
	tp_free(p->organ);
	tp_free(p->source);
	tp_free(p->licence);
	tp_free(p->author);
}

/* Sorted by path; one listed twice under one name is kept once, under two names it is an error. */
static tp_code sort_photos(tp_manifest *m, tp_err *err)
{
	size_t n = 0;
	if (m->n_photos)
		qsort(m->photos, m->n_photos, sizeof *m->photos, by_path);
	for (size_t i = 0; i < m->n_photos; i++) {
		tp_photo *p = &m->photos[i];
		if (n && !strcmp(m->photos[n - 1].path, p->path)) {
			if (m->photos[n - 1].species != p->species)
				return tp_fail(err, TP_EFORMAT, "\"%s\" is listed as %s and as %s", p->path,
					m->taxa[m->photos[n - 1].species].name, m->taxa[p->species].name);
			photo_free(p);
			*p = (tp_photo){ 0 };
			m->skipped_listed_twice++;
			continue;
		}
		if (n != i) {
			m->photos[n] = *p;
			*p = (tp_photo){ 0 };
		}
		n++;
	}
	m->n_photos = n;
	return TP_OK;
}

static tp_code set_root(tp_builder *b, const char *dir, tp_err *err)
{
	char *real = realpath(dir, NULL);
	tp_code rc = real ? tp_set_text(&b->m.root, real, err)
			  : tp_fail(err, TP_ENOTFOUND, "%s: no such folder", dir);
	free(real);
	return rc;
}

static tp_code import_with(tp_builder *b, tp_import_fn fn, const char *path, tp_err *err)
{
	const tp_import_opts o = { .path = path, .for_training = true };
	tp_manifest_sink x;
	char *root = NULL;
	tp_code rc = tp_import_root(&root, &o, err);
	if (!rc)
		rc = set_root(b, root, err);
	tp_free(root);
	if (rc)
		return rc;
	tp_manifest_sink_init(&x, b);
	rc = fn(&x.sink, &o, err);
	tp_manifest_sink_dispose(&x);
	return rc;
}

static tp_code import(tp_builder *b, const char *path, tp_err *err)
{
	if (tp_is_file(path))
		return import_with(b, tp_import_csv, path, err);
	if (!tp_is_dir(path))
		return tp_fail(err, TP_ENOTFOUND, "%s: no such file or folder", path);
	if (tp_is_shards(path)) {
		tp_code rc = set_root(b, path, err);
		if (!rc)
			rc = tp_import_shards(b, path, err);
		return rc ? rc : tp_shards_left_out(b, b->m.shards, err);
	}
	if (tp_is_catalog(path))
		return tp_import_catalog(b, path, err);
	char *csv = tp_path_join(path, "split.csv");
	if (!csv)
		return tp_nomem(err, strlen(path));
	tp_code rc = tp_is_file(csv) ? import_with(b, tp_import_csv, csv, err)
				     : import_with(b, tp_import_folders, path, err);
	tp_free(csv);
	return rc;
}

typedef struct {
	tp_taxon taxon;
	size_t was;
} moved;

static int by_name(const void *a, const void *b)
{
	return strcmp(((const moved *)a)->taxon.name, ((const moved *)b)->taxon.name);
}

/* Species by name: the class numbers of a model do not depend on the order of a directory or a file. */
static tp_code sort_taxa(tp_manifest *m, tp_err *err)
{
	size_t n = m->n_taxa;
	int *now = tp_calloc(n, sizeof *now);
	moved *v = tp_calloc(n, sizeof *v);
	if (!now || !v) {
		tp_free(now);
		tp_free(v);
		return tp_nomem(err, n * sizeof *v);
	}
	for (size_t i = 0; i < n; i++)
		v[i] = (moved){ m->taxa[i], i };
	qsort(v, n, sizeof *v, by_name);
	for (size_t i = 0; i < n; i++) {
		m->taxa[i] = v[i].taxon;
		now[v[i].was] = (int)i;
	}
	for (size_t i = 0; i < m->n_photos; i++)
		m->photos[i].species = now[m->photos[i].species];
	tp_free(now);
	tp_free(v);
	return TP_OK;
}

tp_code tp_manifest_open(tp_manifest *out, const char *path, uint64_t seed, tp_err *err)
{
	tp_builder b = { 0 };
	tp_code rc = import(&b, path, err);
	if (!rc && !b.m.n_photos)
		rc = tp_fail(err, TP_EINVAL,
			"%s: no photos; a folder for each species is expected, with photos in it", path);
	if (!rc && b.m.n_taxa < 2)
		rc = tp_fail(err, TP_EINVAL, "%s: only one species (%s); a model needs two or more", path,
			b.m.taxa[0].name);
	if (!rc)
		rc = sort_taxa(&b.m, err);
	if (!rc)
		rc = sort_photos(&b.m, err);
	if (!rc && b.m.shards && b.m.n_photos != tp_shards_count(b.m.shards))
		rc = tp_fail(err, TP_EFORMAT, "%s: the indexes list a photo twice", path);
	if (!rc && !b.has_split)
		rc = tp_make_split(&b.m, seed, err);
	if (rc) {
		tp_manifest_free(&b.m);
		return rc;
	}
	*out = b.m;
	return TP_OK;
}

void tp_manifest_free(tp_manifest *m)
{
	for (size_t i = 0; i < m->n_photos; i++)
		photo_free(&m->photos[i]);
	for (size_t i = 0; i < m->n_taxa; i++)
		tp_taxon_dispose(&m->taxa[i]);
	for (size_t i = 0; i < m->n_excluded_by; i++)
		tp_free(m->excluded_by[i].rule);
	tp_free(m->excluded_by);
	tp_free(m->photos);
	tp_free(m->taxa);
	tp_free(m->root);
	tp_shards_free(m->shards);
	*m = (tp_manifest){ 0 };
}
