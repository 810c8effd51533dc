/* Thumbnails of the photos that are shown: found, decoded at a reduced scale, shrunk, encoded. A photo that is not there
 * or is damaged becomes a placeholder, never an error. See report_int.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "data/data_int.h"
#include "data/report_int.h"
#include "image/image.h"

/* ---- which ---- */

static int by_id(const void *a, const void *b)
{
	const tp_thumb *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static tp_code list_shown(tp_thumbs *out, const tp_tally *t, tp_err *err)
{
	size_t most = 0, n = 0;
	for (size_t i = 0; i < t->n_verdicts; i++)
		most += 2 * t->verdict[i].shown.n;
	out->v = tp_calloc(most + 1, sizeof *out->v);
	if (!out->v)
		return tp_nomem(err, (most + 1) * sizeof *out->v);
	for (size_t i = 0; i < t->n_verdicts; i++)
		for (size_t k = 0; k < t->verdict[i].shown.n; k++) {
			const tp_best_item *x = &t->verdict[i].shown.v[k];
			out->v[n++].id = x->id;
			if (x->other > 0)
				out->v[n++].id = x->other;
		}
	qsort(out->v, n, sizeof *out->v, by_id);
	for (size_t i = 0; i < n; i++)
		if (!out->n || out->v[out->n - 1].id != out->v[i].id)
			out->v[out->n++].id = out->v[i].id;
	return TP_OK;
}

const tp_thumb *tp_thumb_of(const tp_thumbs *t, int64_t id)
{
	const tp_thumb key = { .id = id };
	return t->n ? bsearch(&key, t->v, t->n, sizeof *t->v, by_id) : NULL;
}

/* ---- where ---- */

typedef struct {
	const tp_tally *t;
	const char *dir;
	tp_thumb *to;
	int64_t taxon;
} finding;

static const char *root_of(const tp_tally *t, int64_t source)
{
	for (size_t i = 0; i < t->n_sources; i++)
		if (t->source[i].id == source)
			return t->source[i].root;
	return "";
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

static tp_code one_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	finding *f = ud;
	bool fetched = *p->file;
	const char *rel = fetched ? p->file : p->path;
	const char *root = fetched ? f->dir : root_of(f->t, p->source);
	if (p->id != f->to->id)
		return TP_OK;
	f->taxon = p->taxon;
	f->to->label = tp_strdup(last_part(*p->path ? p->path : *p->url ? p->url : p->file));
	/* a catalog is from outside too: no path of it leaves its folder */
	bool inside = *rel && tp_is_inside(rel) && (fetched || *root == '/');
	f->to->path = inside ? tp_path_join(root, rel) : NULL;
	f->to->state = *rel ? TP_THUMB_MISSING : TP_THUMB_ELSEWHERE;
	return f->to->label && (f->to->path || !inside) ? TP_OK : tp_nomem(err, strlen(rel));
}

typedef struct {
	int64_t taxon;
	size_t thumb;
} wanted_name;
typedef struct {
	tp_thumbs *thumbs;
	wanted_name *v; /* by taxon */
	size_t n;
} naming;

static int by_taxon(const void *a, const void *b)
{
	const wanted_name *x = a, *y = b;
	return x->taxon < y->taxon ? -1 : x->taxon > y->taxon;
}

static tp_code one_taxon(void *ud, const tp_catalog_taxon *x, tp_err *err)
{
	naming *w = ud;
	const wanted_name key = { .taxon = x->id };
	const wanted_name *v = w->n ? bsearch(&key, w->v, w->n, sizeof *w->v, by_taxon) : NULL;
	if (!v)
		return TP_OK;
	while (v > w->v && v[-1].taxon == x->id)
		v--;
	for (; v < w->v + w->n && v->taxon == x->id; v++) {
		tp_thumb *to = &w->thumbs->v[v->thumb];
		tp_free(to->species);
		to->species = tp_strdup(x->name);
		if (!to->species)
			return tp_nomem(err, strlen(x->name));
	}
	return TP_OK;
}

static tp_code find_files(tp_thumbs *out, const tp_tally *t, tp_catalog *c, const char *dir, tp_err *err)
{
	naming names = { .thumbs = out, .n = out->n, .v = tp_calloc(out->n + 1, sizeof *names.v) };
	tp_code rc = names.v ? TP_OK : tp_nomem(err, (out->n + 1) * sizeof *names.v);
	for (size_t i = 0; i < out->n && !rc; i++) {
		tp_catalog_filter one = TP_CATALOG_FILTER_INIT;
		finding f = { t, dir, &out->v[i], 0 };
		one.after = out->v[i].id - 1;
		one.limit = 1;
		out->v[i].state =
			TP_THUMB_MISSING; /* also where a finding names a photo that is not in the catalog */
		rc = tp_catalog_each_photo(c, &one, one_photo, &f, err);
		names.v[i] = (wanted_name){ f.taxon, i };
	}
	if (!rc)
		qsort(names.v, names.n, sizeof *names.v, by_taxon);
	if (!rc)
		rc = tp_catalog_each_taxon(c, one_taxon, &names, err);
	tp_free(names.v);
	return rc;
}

/* ---- pixels ---- */

typedef struct {
	tp_thumbs *thumbs;
	tp_progress *progress;
} drawing;

/* A thumbnail of at most TP_THUMB_BYTES: noise takes more at first. */
static tp_code encode(tp_buf *out, const tp_image *small)
{
	tp_code rc = TP_ELIMIT;
	for (int quality = 78; quality >= 10 && rc == TP_ELIMIT; quality -= 17) {
		out->len = 0;
		rc = tp_image_encode_jpeg(out, small, quality, NULL);
	}
	return rc;
}

static tp_code shrink(tp_thumb *to, const tp_image *img, tp_buf *out)
{
	tp_image *small = NULL;
	double scale = fmin(1, (double)TP_THUMB_SIDE / (img->w > img->h ? img->w : img->h));
	int w = (int)fmax(1, rint(img->w * scale)), h = (int)fmax(1, rint(img->h * scale));
	tp_code rc = tp_image_resize(&small, img, w, h, TP_BICUBIC, NULL, NULL);
	if (!rc)
		rc = encode(out, small);
	tp_image_free(small);
	to->w = w;
	to->h = h;
	return rc;
}

static tp_code draw(tp_thumb *to, tp_err *err)
{
	/* a photo cut off shows what is there, and grey for the rest */
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	o.min_side = TP_THUMB_SIDE;
	o.allow_partial = true;
	uint8_t *bytes = NULL;
	size_t len = 0;
	tp_image *img = NULL;
	tp_buf jpeg;
	tp_buf_init(&jpeg, TP_THUMB_BYTES);
	tp_code rc = tp_file_read(&bytes, &len, to->path, TP_MAX_PHOTO_FILE, NULL);
	to->state = rc ? TP_THUMB_MISSING : TP_THUMB_DAMAGED;
	if (!rc)
		rc = tp_image_decode(&img, bytes, len, &o, NULL);
	if (!rc)
		rc = shrink(to, img, &jpeg);
	if (!rc) {
		to->state = TP_THUMB_OK;
		to->len = jpeg.len;
		to->jpeg = (uint8_t *)tp_buf_take(&jpeg);
	}
	tp_buf_dispose(&jpeg);
	tp_image_free(img);
	tp_free(bytes);
	return rc == TP_ENOMEM ? tp_nomem(err, len) : TP_OK;
}

static tp_code one_thumb(void *ud, size_t i, int worker, tp_err *err)
{
	drawing *d = ud;
	(void)worker;
	tp_code rc = tp_cancel_check(err);
	if (!rc && d->thumbs->v[i].path)
		rc = draw(&d->thumbs->v[i], err);
	tp_progress_add(d->progress, 1);
	return rc;
}

tp_code tp_thumbs_make(
	tp_thumbs *out, const tp_tally *t, tp_catalog *c, const tp_data_report_opts *o, tp_err *err)
{
	char *dir = realpath(o->catalog, NULL);
	tp_code rc = dir ? list_shown(out, t, err) : tp_fail(err, TP_ENOTFOUND, "%s: not there", o->catalog);
	if (!rc)
		rc = find_files(out, t, c, dir, err);
	drawing d = { out, rc ? NULL : tp_progress_start("thumbnails", out->n, o->quiet) };
	if (!rc)
		rc = tp_par_for(out->n, o->threads, one_thumb, &d, err);
	tp_progress_end(d.progress);
	for (size_t i = 0; i < out->n; i++)
		out->count[out->v[i].state]++;
	free(dir);
	return rc;
}

void tp_thumbs_dispose(tp_thumbs *t)
{
	for (size_t i = 0; i < t->n; i++) {
		tp_free(t->v[i].path);
		tp_free(t->v[i].label);
		tp_free(t->v[i].species);
		tp_free(t->v[i].jpeg);
	}
	tp_free(t->v);
	*t = (tp_thumbs){ 0 };
}
