/* Where the files of a catalog's photos are: see clean_int.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/clean_int.h"

enum { MAX_SOURCES = 1 << 20 };

static tp_code put(tp_clean_roots *r, int64_t id, const char *path, tp_err *err)
{
	if (id < 0 || id > MAX_SOURCES)
		return tp_fail(err, TP_ELIMIT, "source %lld: at most %d can be", (long long)id, MAX_SOURCES);
	if ((size_t)id >= r->n) {
		size_t n = 2 * (size_t)id + 4;
		char **text = tp_realloc(r->text, n * sizeof *text);
		if (!text)
			return tp_nomem(err, n * sizeof *text);
		memset(text + r->n, 0, (n - r->n) * sizeof *text);
		r->text = text;
		r->n = n;
	}
	char *real = realpath(
		path, NULL); /* NULL: not there; its photos cannot be read, which each of them says */
	r->text[id] = real ? tp_strdup(real) : NULL;
	bool ok = !real || r->text[id];
	free(real);
	return ok ? TP_OK : tp_nomem(err, strlen(path));
}

typedef struct {
	tp_clean_roots *r;
} loading;

static tp_code one_source(void *ud, const tp_catalog_source *s, tp_err *err)
{
	loading *l = ud;
	return s->id > 0 ? put(l->r, s->id, s->root, err) : TP_OK;
}

tp_code tp_clean_roots_load(tp_clean_roots *out, tp_catalog *c, const char *dir, tp_err *err)
{
	loading l = { out };
	*out = (tp_clean_roots){ 0 };
	tp_code rc = put(out, 0, dir, err);
	if (!rc)
		rc = tp_catalog_each_source(c, one_source, &l, err);
	if (rc)
		tp_clean_roots_free(out);
	return rc;
}

void tp_clean_roots_free(tp_clean_roots *r)
{
	for (size_t i = 0; i < r->n; i++)
		tp_free(r->text[i]);
	tp_free(r->text);
	*r = (tp_clean_roots){ 0 };
}

bool tp_clean_place(size_t *root, const char **rel, const tp_catalog_photo *p)
{
	*root = *p->file ? 0 : (size_t)p->source;
	*rel = *p->file ? p->file : p->path;
	return **rel;
}
