/* A source into the catalog: the sink that importers write to, and the run around them. See import.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/progress.h"
#include "data/catalog_int.h"
#include "data/import.h"
#include "data/text.h"

enum { BATCH = 50000, PROGRESS_STEP = 256 };

typedef struct {
	tp_sink sink; /* first: the sink's functions are given this */
	tp_catalog *c;
	tp_imported n;
	size_t batch, in_batch;
	tp_progress *progress;
} catalog_sink;

/* Every so many rows what was taken is made safe. */
static tp_code count(catalog_sink *x, tp_err *err)
{
	x->n.seen++;
	if (x->n.seen % PROGRESS_STEP == 0)
		tp_progress_add(x->progress, PROGRESS_STEP);
	if (++x->in_batch < x->batch)
		return tp_cancel_check(err);
	x->in_batch = 0;
	tp_code rc = tp_catalog_commit(x->c, err);
	if (!rc)
		rc = tp_catalog_begin(x->c, err);
	return rc ? rc : tp_cancel_check(err);
}

static tp_code row(tp_sink *s, const tp_row *r, tp_err *err)
{
	catalog_sink *x = (catalog_sink *)s;
	tp_added how;
	tp_code rc = tp_catalog_add(x->c, r, &how, err);
	if (rc)
		return rc;
	x->n.added += how == TP_ADDED;
	x->n.there += how == TP_WAS_THERE;
	x->n.refused += how == TP_REFUSED;
	x->n.refused_as[TP_BAD_ROW] += how == TP_REFUSED;
	return count(x, err);
}

static tp_code refuse(
	tp_sink *s, tp_refusal why, tp_code code, const char *where, const char *reason, tp_err *err)
{
	catalog_sink *x = (catalog_sink *)s;
	(void)code;
	tp_code rc = tp_catalog_refuse(x->c, where, reason, err);
	if (rc)
		return rc;
	x->n.refused++;
	x->n.refused_as[why]++;
	return count(x, err);
}

static tp_code species(tp_sink *s, const tp_species *in, tp_err *err)
{
	return tp_catalog_species(((catalog_sink *)s)->c, in, err);
}

static void unused(tp_sink *s, size_t n)
{
	((catalog_sink *)s)->n.unused += n;
}

/* What makes this source another one than the same folder read in another way. */
static tp_code options_text(tp_buf *b, const tp_import_opts *o, const char *root, tp_err *err)
{
	const char *slash = strrchr(o->path, '/');
	char *real = realpath(o->path, NULL);
	bool is_root = real && !strcmp(real, root);
	free(real);
	tp_code rc = is_root ? TP_OK : tp_buf_addf(b, err, "file=%s;", slash ? slash + 1 : o->path);
	for (int i = 0; i < o->n_columns && !rc; i++)
		rc = tp_buf_addf(b, err, "%s;", o->column[i]);
	if (!rc && o->encoding)
		rc = tp_buf_addf(b, err, "encoding=%s;", o->encoding);
	if (!rc && o->delimiter)
		rc = tp_buf_addf(b, err, "delimiter=%d;", o->delimiter);
	if (!rc && o->kingdom)
		rc = tp_buf_addf(b, err, "kingdom=%s;", o->kingdom);
	return rc;
}

static tp_code begin(catalog_sink *x, const tp_catalog_import_opts *o, tp_err *err)
{
	tp_catalog_source s = {
		.kind = o->kind, .citation = o->citation, .licence = o->licence, .started = o->now
	};
	tp_buf options;
	char *root = NULL, *real = NULL;
	tp_buf_init(&options, TP_MAX_CSV_LINE);
	tp_code rc = tp_import_root(&root, &o->source, err);
	if (!rc) {
		real = realpath(root, NULL);
		rc = real ? TP_OK : tp_fail(err, TP_ENOTFOUND, "%s: no such file or folder", root);
	}
	if (!rc && (!tp_is_utf8(real, strlen(real)) || !tp_is_utf8(o->source.path, strlen(o->source.path))))
		rc = tp_fail(err, TP_EINVAL, "the source's path is not UTF-8");
	if (!rc)
		rc = options_text(&options, &o->source, real, err);
	if (!rc) {
		s.root = real;
		s.options = options.ptr;
		rc = tp_catalog_begin(x->c, err);
	}
	if (!rc)
		rc = tp_catalog_source_begin(x->c, &s, err);
	tp_buf_dispose(&options);
	tp_free(root);
	free(real);
	return rc;
}

/* An error of the source, or a wish to stop, leaves what was taken; an error of the catalog cannot. A source of which not
 * one row could be read leaves nothing. */
static tp_code finish(catalog_sink *x, tp_code rc, int64_t now, tp_err *err)
{
	tp_code ended = rc;
	if (!x->c->open)
		return rc;
	if (rc && !x->n.seen) {
		tp_catalog_rollback(x->c);
		return rc;
	}
	if (!rc)
		ended = tp_catalog_source_end(x->c, now, (int64_t)x->n.seen, (int64_t)x->n.unused, err);
	if (!ended || rc)
		ended = tp_catalog_commit(x->c, rc ? NULL : err);
	return rc ? rc : ended;
}

tp_code tp_catalog_import(tp_imported *out, const char *dir, const tp_catalog_import_opts *o, tp_err *err)
{
	const tp_importer *with = tp_importer_named(o->kind);
	catalog_sink x = { .sink = { row, refuse, species, unused }, .batch = o->batch ? o->batch : BATCH };
	*out = (tp_imported){ 0 };
	if (!with)
		return tp_fail(err, TP_EINVAL, "no importer \"%.60s\"", o->kind);
	if (!tp_is_file(o->source.path) && !tp_is_dir(o->source.path))
		return tp_fail(err, TP_ENOTFOUND, "%s: no such file or folder", o->source.path);
	tp_code rc = tp_catalog_open(&x.c, dir, TP_CATALOG_CREATE, err);
	if (!rc)
		rc = begin(&x, o, err);
	if (!rc) {
		x.progress = tp_progress_start("import", 0, o->quiet);
		rc = with->run(&x.sink, &o->source, err);
		tp_progress_add(x.progress, x.n.seen % PROGRESS_STEP);
		tp_progress_end(x.progress);
		rc = finish(&x, rc, o->now, err);
	}
	tp_catalog_close(x.c);
	*out = x.n;
	return rc;
}
