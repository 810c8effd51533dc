/* The feature cache: see cache.h. The file's name says what its numbers depend on but for the photo: the network's
 * values (not how a file stores them), the preparation, the code that runs it, the folder. A row's stamp says the
 * photo. So nothing stale is ever read, and a cache that cannot be read is work to do again, not an error. */
#include "train/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	KEPT = 16,
	ABANDONED = 24 * 60 * 60
}; /* caches; seconds after which a half-written file has no writer */
static const size_t MAX_TEXT = (size_t)4 << 30;

/* ---- names ---------------------------------------------------------------------------------------------- */

static tp_code add_param(tp_buf *b, const tp_weights *w, const char *name, tp_err *err)
{
	const tp_tensor *t = tp_weights_find(w, name);
	if (!t)
		return tp_fail(err, TP_EFORMAT, "backbone: tensor \"%s\" is missing", name);
	size_t n = tp_tensor_count(t);
	float *v = tp_alloc(n * sizeof *v);
	tp_code rc = v ? tp_tensor_floats(v, n, t, err) : tp_nomem(err, n * sizeof *v);
	if (!rc)
		rc = tp_buf_addf(b, err, "%s %s\n", name, tp_sha256_of(v, n * sizeof *v).hex);
	tp_free(v);
	return rc;
}

static tp_code add_backbone(tp_buf *b, const tp_feature_opts *o, tp_err *err)
{
	tp_net *net = NULL;
	tp_code rc = tp_net_new(&net, o->arch, 0, err);
	for (size_t i = 0; !rc && i < tp_net_params(net); i++)
		rc = add_param(b, o->backbone, tp_net_param_at(net, i)->name, err);
	tp_net_free(net);
	return rc;
}

static tp_code cache_path(char **out, const char *root, const tp_feature_opts *o, tp_err *err)
{
	tp_buf b;
	char name[96];
	json_t *prep = tp_prep_to_json(&o->prep);
	char *text = NULL;
	tp_buf_init(&b, MAX_TEXT);
	tp_code rc = tp_json_dump(&text, prep, err);
	if (!rc)
		rc = tp_buf_addf(
			&b, err, "features 2 %s %s\n%s\n%s\n", o->arch->name, tp_nn_backend(), text, root);
	if (!rc)
		rc = add_backbone(&b, o, err);
	if (!rc) {
		snprintf(name, sizeof name, "%s.safetensors", tp_sha256_of(b.ptr, b.len).hex);
		*out = tp_path_join(o->cache_dir, name);
		if (!*out)
			rc = tp_nomem(err, strlen(o->cache_dir));
	}
	json_decref(prep);
	tp_free(text);
	tp_buf_dispose(&b);
	return rc;
}

static tp_code stamp_photos(tp_cache *c, const tp_manifest *m, tp_err *err)
{
	c->stamp = tp_calloc(m->n_photos, sizeof *c->stamp);
	if (!c->stamp)
		return tp_nomem(err, m->n_photos * sizeof *c->stamp);
	for (c->rows = 0; c->rows < m->n_photos; c->rows++)
		if (!(c->stamp[c->rows] = tp_photo_stamp(m, c->rows)))
			return tp_nomem(err, strlen(m->photos[c->rows].path));
	return TP_OK;
}

/* ---- the file ------------------------------------------------------------------------------------------- */

typedef struct {
	const char *stamp;
	size_t row;
	bool used;
} known_row;

typedef struct {
	tp_weights *w;
	const float *v;
	known_row *row; /* sorted by stamp */
	size_t n;
} known_rows;

static int by_stamp(const void *a, const void *b)
{
	return strcmp(((const known_row *)a)->stamp, ((const known_row *)b)->stamp);
}

/* The rows of a file that is what we would have written; else none. */
static void find_rows(known_rows *k, int dim)
{
	const tp_tensor *v = tp_weights_find(k->w, "features"), *s = tp_weights_find(k->w, "state"),
			*p = tp_weights_find(k->w, "photos");
	if (!v || !s || !p || v->dtype != TP_F32 || s->dtype != TP_U8 || p->dtype != TP_U8 || !p->size)
		return;
	const uint8_t *state = s->data;
	const char *text = p->data, *end = text + p->size;
	size_t rows = s->size, n = 0;
	for (const char *at = text; at < end; at++)
		n += !*at;
	if (n != rows || end[-1] || v->size != rows * (size_t)dim * sizeof(float) ||
		!(k->row = tp_calloc(rows, sizeof *k->row)))
		return;
	k->v = v->data;
	for (size_t i = 0; i < rows; i++, text += strlen(text) + 1)
		if (state[i] == TP_FEATURE_DONE) /* a bad photo is looked at again, and named again */
			k->row[k->n++] = (known_row){ .stamp = text, .row = i };
	qsort(k->row, k->n, sizeof *k->row, by_stamp);
}

static void open_known(known_rows *k, const char *path, int dim)
{
	if (!tp_is_file(path) || tp_safetensors_open(&k->w, path, NULL))
		return;
	find_rows(k, dim);
	utimensat(AT_FDCWD, path, NULL, 0); /* used just now: see sweep() */
}

static known_row *find(const known_rows *k, const char *stamp)
{
	known_row want = { .stamp = stamp };
	return k->n ? bsearch(&want, k->row, k->n, sizeof want, by_stamp) : NULL;
}

/* Rows of other photos stay as long as these are what they were. */
static tp_code keep_others(tp_cache *c, const known_rows *k, const char *root, tp_err *err)
{
	char **stamp = tp_realloc(c->stamp, (c->rows + k->n) * sizeof *stamp);
	if (!stamp)
		return tp_nomem(err, (c->rows + k->n) * sizeof *stamp);
	c->stamp = stamp;
	for (size_t i = 0; i < k->n; i++) {
		const char *photo = strchr(k->row[i].stamp, ' ');
		photo = k->row[i].used || !photo ? NULL : strchr(photo + 1, ' ');
		char *now = photo ? tp_photo_file_stamp(root, photo + 1) : NULL;
		if (now && !strcmp(now, k->row[i].stamp))
			c->stamp[c->rows++] = now;
		else
			tp_free(now);
	}
	return TP_OK;
}

static tp_code make_table(tp_cache *c, tp_features *f, const known_rows *k, const char *root, tp_err *err)
{
	size_t n = c->rows, hits = 0, row_bytes = (size_t)f->dim * sizeof(float);
	for (size_t i = 0; i < n; i++) {
		known_row *r = find(k, c->stamp[i]);
		if (r)
			r->used = true;
		hits += r != NULL;
	}
	tp_code rc = hits < n && k->n ? keep_others(c, k, root, err) : TP_OK; /* else nothing will be saved */
	if (rc)
		return rc;
	f->v = tp_alloc_aligned(c->rows * row_bytes);
	f->state = tp_calloc(c->rows, 1);
	if (!f->v || !f->state)
		return tp_nomem(err, c->rows * row_bytes);
	for (size_t i = 0; i < c->rows; i++) {
		const known_row *r = find(k, c->stamp[i]);
		if (!r)
			continue;
		memcpy(f->v + i * (size_t)f->dim, k->v + r->row * (size_t)f->dim, row_bytes);
		f->state[i] = TP_FEATURE_DONE;
	}
	return TP_OK;
}

/* Without a folder the features are computed all the same, and not kept. */
static bool make_dir(tp_features *f, const char *dir)
{
	tp_err err = { 0 };
	if (!tp_make_dirs(dir, &err))
		return true;
	tp_log(TP_LOG_WARN, "features are not kept for the next time: %s", err.msg);
	f->unkept = true;
	return false;
}

tp_code tp_cache_load(
	tp_cache *c, tp_features *f, const tp_manifest *m, const tp_feature_opts *o, tp_err *err)
{
	known_rows k = { 0 };
	tp_code rc = stamp_photos(c, m, err);
	bool wanted = !rc && o->cache_dir && make_dir(f, o->cache_dir);
	if (wanted)
		rc = cache_path(&c->path, m->root, o, err);
	if (!rc && c->path)
		open_known(&k, c->path, f->dim);
	if (!rc)
		rc = make_table(c, f, &k, m->root, err);
	tp_free(k.row);
	tp_weights_free(k.w);
	return rc;
}

/* ---- keeping it small ----------------------------------------------------------------------------------- */

typedef struct {
	char *path;
	struct timespec used;
} cache_file;

static int latest_first(const void *a, const void *b)
{
	const struct timespec *x = &((const cache_file *)a)->used, *y = &((const cache_file *)b)->used;
	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

/* Adds a cache to the list; takes away what a killed process left half written. */
static void look_at(cache_file *list, size_t *n, char *path)
{
	static const char ext[] = ".safetensors";
	size_t len = strlen(path), e = sizeof ext - 1;
	struct stat st;
	bool there = !lstat(path, &st) && S_ISREG(st.st_mode);
	if (there && len > e && !strcmp(path + len - e, ext)) {
		list[(*n)++] = (cache_file){ path, st.st_mtim };
		return;
	}
	if (there && strstr(path, ".safetensors.tmp") && time(NULL) - st.st_mtime > ABANDONED)
		unlink(path);
	tp_free(path);
}

/* Every folder, network and input size has a file of its own: those used least lately go. */
static void sweep(const char *newest)
{
	tp_names names = { 0 };
	size_t n = 0;
	char *dir = tp_strndup(newest, (size_t)(strrchr(newest, '/') - newest));
	cache_file *list = NULL;
	if (dir && !tp_dir_list(&names, dir, NULL))
		list = tp_calloc(names.len, sizeof *list);
	for (size_t i = 0; list && i < names.len; i++) {
		char *path = tp_path_join(dir, names.v[i]);
		if (path)
			look_at(list, &n, path);
	}
	if (n)
		qsort(list, n, sizeof *list, latest_first);
	for (size_t i = 0; i < n; i++) {
		if (i >= KEPT)
			unlink(list[i].path);
		tp_free(list[i].path);
	}
	tp_free(list);
	tp_names_free(&names);
	tp_free(dir);
}

tp_code tp_cache_save(const tp_cache *c, const tp_features *f, tp_err *err)
{
	tp_buf b;
	tp_code rc = TP_OK;
	if (!c->path)
		return TP_OK;
	tp_buf_init(&b, MAX_TEXT);
	for (size_t i = 0; i < c->rows && !rc; i++)
		rc = tp_buf_add(&b, c->stamp[i], strlen(c->stamp[i]) + 1, err);
	const tp_tensor t[] = {
		{ "features", TP_F32, 2, { (int64_t)c->rows, f->dim }, f->v,
			c->rows * (size_t)f->dim * sizeof(float) },
		{ "state", TP_U8, 1, { (int64_t)c->rows }, f->state, c->rows },
		{ "photos", TP_U8, 1, { (int64_t)b.len }, b.ptr, b.len },
	};
	if (!rc)
		rc = tp_safetensors_save(c->path, t, sizeof t / sizeof *t, NULL, 0, err);
	tp_buf_dispose(&b);
	if (!rc)
		sweep(c->path);
	return rc;
}

void tp_cache_dispose(tp_cache *c)
{
	for (size_t i = 0; i < c->rows; i++)
		tp_free(c->stamp[i]);
	tp_free(c->stamp);
	tp_free(c->path);
	*c = (tp_cache){ 0 };
}
