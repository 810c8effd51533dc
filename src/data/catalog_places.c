/* See catalog_places.h. */
#include "data/catalog_places.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/data_int.h"

enum { MAX_SOURCE = 1 << 20, MAX_WHOLE_PATH = 1 << 16 };

static tp_code add_source(void *ud, const tp_catalog_source *s, tp_err *err)
{
	tp_catalog_places *x = ud;
	if (s->id < 0 || s->id > MAX_SOURCE)
		return tp_fail(err, TP_ELIMIT, "source %lld", (long long)s->id);
	size_t i = (size_t)s->id;
	if (i >= x->n) {
		size_t n = 2 * i + 16;
		char **root = tp_realloc(x->root, n * sizeof *root);
		x->root = root ? root : x->root;
		char **kind = root ? tp_realloc(x->kind, n * sizeof *kind) : NULL;
		if (!kind)
			return tp_nomem(err, n * sizeof *kind);
		x->kind = kind;
		memset(root + x->n, 0, (n - x->n) * sizeof *root);
		memset(kind + x->n, 0, (n - x->n) * sizeof *kind);
		x->n = n;
	}
	tp_code rc = tp_set_text(&x->root[i], s->root, err);
	return rc ? rc : tp_set_text(&x->kind[i], s->kind, err);
}

tp_code tp_catalog_places_load(tp_catalog_places *x, tp_catalog *c, const char *dir, tp_err *err)
{
	char *real = realpath(dir, NULL);
	tp_buf_init(&x->path, MAX_WHOLE_PATH);
	tp_code rc = real ? tp_set_text(&x->dir, real, err)
			  : tp_fail(err, TP_ENOTFOUND, "%s: no such folder", dir);
	free(real);
	return rc ? rc : tp_catalog_each_source(c, add_source, x, err);
}

void tp_catalog_places_dispose(tp_catalog_places *x)
{
	for (size_t i = 0; i < x->n; i++) {
		tp_free(x->root[i]);
		tp_free(x->kind[i]);
	}
	tp_free(x->root);
	tp_free(x->kind);
	tp_free(x->dir);
	tp_buf_dispose(&x->path);
	*x = (tp_catalog_places){ 0 };
}

const char *tp_catalog_kind(const tp_catalog_places *x, int64_t source)
{
	return source >= 0 && (size_t)source < x->n && x->kind[source] ? x->kind[source] : "";
}

tp_code tp_catalog_place(const char **path, tp_catalog_places *x, const tp_catalog_photo *p, tp_err *err)
{
	bool fetched = *p->file;
	const char *rel = fetched ? p->file : p->path, *root = fetched ? x->dir : NULL;
	if (!fetched && p->source >= 0 && (size_t)p->source < x->n)
		root = x->root[p->source];
	*path = NULL;
	if (!*rel)
		return TP_OK;
	if (!root || *root != '/' || !tp_is_inside(rel))
		return tp_fail(err, TP_EFORMAT, "photo %lld: path \"%.100s\" leaves the folder",
			(long long)p->id, rel);
	x->path.len = 0;
	tp_code rc = tp_buf_addf(&x->path, err, "%s%s%s", root + 1, root[1] ? "/" : "", rel);
	*path = x->path.ptr;
	return rc;
}
