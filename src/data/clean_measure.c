/* Reading and measuring the photos of a catalog: see clean.h.
 *
 * Photos go by in blocks of which three are under way: while all threads measure one, whichever of them comes first
 * writes the block before into the catalog and reads the one after. So nobody waits for the database. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "data/clean_int.h"
#include "data/data_int.h"

enum { BLOCK = 512, TEXTS = 8 << 20 };

typedef enum {
	NOT_READ,
	SAME,     /* nothing to write */
	MEASURED, /* broken or not, the file was read */
	GONE,     /* why says it; what was measured stays, for the file may come back */
	BACK,     /* it did */
} outcome;

typedef struct {
	int64_t id, bytes, checked; /* as the catalog has them; then of the file */
	size_t root, rel;           /* rel: in the block's texts */
	bool was_measured, was_broken;
	outcome how;
	uint8_t sha[32];
	char why[128]; /* "" when it is whole */
	bool again;    /* what is missing may be there the next time: look again */
	tp_measures m;
} item;

typedef struct {
	item *v;
	size_t n;
	tp_buf text;
} block;

/* What a thread has for itself. */
typedef struct {
	uint8_t *bytes;
	size_t cap;
	char dir[TP_MAX_PATH]; /* the last folder that was found to be inside its root */
	char path[2 * TP_MAX_PATH];
} reader;

typedef struct {
	tp_clean_work *w;
	tp_clean_roots roots;
	block b[3];
	block *before, *now, *next;
	int64_t last;
	reader *reader;
	tp_clean_batch *measured, *broken;
	tp_progress *progress;
	double committed;
} job;

/* ---- one file ---- */

static tp_code gone(item *x, const char *why)
{
	x->how = GONE;
	snprintf(x->why, sizeof x->why, "%s", why);
	return TP_OK;
}

static bool is_below(const char *root, const char *path)
{
	size_t n = strlen(root);
	return !strncmp(root, path, n) && (path[n] == '/' || path[n] == 0 || (n && root[n - 1] == '/'));
}

/* Does no link on the way lead out of the root? Photos of a folder come together, so its answer is kept. */
static bool stays_inside(reader *r, const char *root)
{
	char *slash = strrchr(r->path, '/');
	size_t len = (size_t)(slash - r->path);
	struct stat st;
	if (!(strlen(r->dir) == len && !memcmp(r->dir, r->path, len))) {
		*slash = 0;
		char *real = realpath(len ? r->path : "/", NULL);
		bool ok = real && is_below(root, real) && len < sizeof r->dir;
		free(real);
		if (ok)
			memcpy(r->dir, r->path, len + 1);
		*slash = '/';
		if (!ok)
			return false;
	}
	if (lstat(r->path, &st) || !S_ISLNK(st.st_mode))
		return true;
	char *real = realpath(r->path, NULL);
	bool ok = real && is_below(root, real);
	free(real);
	return ok;
}

/* The file's bytes, into the reader's buffer. */
static tp_code read_bytes(reader *r, int fd, size_t size, size_t *len, tp_err *err)
{
	if (size > r->cap) {
		size_t cap = size + size / 2 + 4096;
		uint8_t *p = tp_realloc(r->bytes, cap);
		if (!p)
			return tp_nomem(err, cap);
		r->bytes = p;
		r->cap = cap;
	}
	for (*len = 0; *len < size;) {
		ssize_t n = read(fd, r->bytes + *len, size - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return tp_fail(err, TP_EIO, "%s", strerror(errno));
		if (!n)
			return tp_fail(err, TP_EIO, "became shorter while it was read");
		*len += (size_t)n;
	}
	return TP_OK;
}

static tp_code measure_bytes(item *x, reader *r, int fd, tp_err *err)
{
	tp_err why = { 0 };
	size_t len = 0;
	if (x->bytes > TP_MAX_PHOTO_FILE) {
		snprintf(x->why, sizeof x->why, "%lld bytes; at most %d are read", (long long)x->bytes,
			TP_MAX_PHOTO_FILE);
		return TP_OK;
	}
	tp_code rc = read_bytes(r, fd, (size_t)x->bytes, &len, &why);
	if (!rc)
		tp_sha256_fast(x->sha, r->bytes, len);
	if (!rc && !len)
		rc = tp_fail(&why, TP_EFORMAT, "an empty file");
	if (!rc)
		rc = tp_measure_photo(&x->m, r->bytes, len, &why);
	if (rc == TP_ENOMEM)
		return tp_fail(err, rc, "%s: %s", r->path, why.msg);
	x->again = rc == TP_EIO || rc == TP_EBACKEND; /* a disk, or a program without the decoder */
	if (rc)
		snprintf(x->why, sizeof x->why, "%.*s", (int)sizeof x->why - 1, why.msg);
	return TP_OK;
}

static bool is_known(const item *x, const struct stat *st, int64_t written)
{
	return x->checked == written && x->bytes == (int64_t)st->st_size &&
	       (x->was_measured || x->was_broken);
}

static tp_code read_file(item *x, reader *r, const char *root, tp_err *err)
{
	struct stat st;
	if (stat(r->path, &st)) {
		char why[128];
		snprintf(why, sizeof why, "%s",
			errno == ENOENT || errno == ENOTDIR ? "no such file" : strerror(errno));
		return gone(x, why);
	}
	int64_t written = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	written += !written; /* 0 is "not yet" */
	if (is_known(x, &st, written)) {
		x->how = x->was_measured && x->was_broken ? BACK : SAME;
		return TP_OK;
	}
	if (!stays_inside(r, root))
		return gone(x, "a link that leaves the folder");
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang */
	if (fd < 0 || fstat(fd, &st)) {
		tp_code rc = gone(x, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return gone(x, "not a regular file");
	}
	written = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	x->checked = written + !written;
	x->bytes = st.st_size;
	x->how = MEASURED;
	tp_code rc = measure_bytes(x, r, fd, err);
	close(fd);
	if (rc)
		x->how = NOT_READ;
	else if (x->again)
		x->checked = 0;
	return rc;
}

static tp_code one_photo(job *j, item *x, reader *r, tp_err *err)
{
	const char *rel = j->now->text.ptr + x->rel,
		   *root = x->root < j->roots.n ? j->roots.text[x->root] : NULL;
	if (!root)
		return gone(x, "the folder of its source is not there");
	if (!tp_is_inside(rel))
		return gone(x, "a path that leaves the folder");
	int n = snprintf(r->path, sizeof r->path, "%s%s%s", root, root[1] ? "/" : "", rel);
	if (n < 0 || (size_t)n >= sizeof r->path)
		return gone(x, "too long a path");
	return read_file(x, r, root, err);
}

/* ---- blocks ---- */

static tp_code add_item(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	job *j = ud;
	block *b = j->next;
	const char *rel;
	item *x = &b->v[b->n];
	*x = (item){ .id = p->id,
		.bytes = p->bytes,
		.checked = p->checked,
		.rel = b->text.len,
		.was_measured = p->has_phash,
		.was_broken = *p->broken };
	j->last = p->id;
	if (!tp_clean_place(&x->root, &rel, p))
		x->how = SAME;
	b->n++;
	return tp_buf_add(&b->text, rel, strlen(rel) + 1, err);
}

static tp_code read_block(job *j, tp_err *err)
{
	tp_catalog_filter f = TP_CATALOG_FILTER_INIT;
	f.after = j->last;
	f.limit = BLOCK;
	j->next->n = 0;
	j->next->text.len = 0;
	return tp_catalog_each_photo(j->w->c, &f, add_item, j, err);
}

static tp_catalog_value whole(int64_t v)
{
	return (tp_catalog_value){ .kind = TP_VALUE_INT, .i = v };
}

static tp_catalog_value number(double v)
{
	return (tp_catalog_value){ .kind = TP_VALUE_NUMBER, .d = v };
}

static tp_catalog_value text(const char *v)
{
	return (tp_catalog_value){ .kind = TP_VALUE_TEXT, .p = v };
}

static const int measured_columns[TP_CLEAN_COLUMNS] = { TP_SET_BYTES, TP_SET_CHECKED, TP_SET_BROKEN,
	TP_SET_SHA256, TP_SET_WIDTH, TP_SET_HEIGHT, TP_SET_PHASH, TP_SET_MEASURE + TP_BRIGHTNESS,
	TP_SET_MEASURE + TP_CONTRAST, TP_SET_MEASURE + TP_SHARPNESS, TP_SET_MEASURE + TP_SATURATION,
	TP_SET_MEASURE + TP_ENTROPY, TP_SET_MEASURE + TP_TEXT_SHARE, TP_SET_MEASURE + TP_FLAT_SHARE,
	TP_SET_MEASURE + TP_BACKGROUND, TP_SET_MEASURE + TP_DOUBT };
static const int broken_column[] = { TP_SET_BROKEN };

/* Where there is nothing to say, what was there goes: also what a network said of another picture. */
static tp_code put_measured(job *j, const item *x, tp_err *err)
{
	const tp_measures *m = &x->m;
	tp_catalog_value v[TP_CLEAN_COLUMNS] = { whole(x->bytes), whole(x->checked), text(x->why) };
	if (memcmp(x->sha, (uint8_t[32]){ 0 }, 32) != 0)
		v[3] = (tp_catalog_value){ .kind = TP_VALUE_BYTES, .p = x->sha, .len = 32 };
	if (!*x->why) {
		const tp_catalog_value good[] = { whole(m->w), whole(m->h), whole((int64_t)m->hash),
			number((double)m->brightness / 255), number((double)m->contrast / 255),
			number((double)m->sharpness), number((double)m->saturation),
			number((double)m->entropy), number((double)m->text), number((double)m->flat) };
		memcpy(v + 4, good, sizeof good);
	}
	return tp_clean_put(j->measured, j->w->c, x->id, v, err);
}

static tp_code put_block(job *j, const block *b, tp_err *err)
{
	tp_code rc = TP_OK;
	for (size_t i = 0; i < b->n && !rc; i++) {
		const item *x = &b->v[i];
		const tp_catalog_value why = text(x->why);
		if (x->how == MEASURED)
			rc = put_measured(j, x, err);
		else if (x->how == GONE || x->how == BACK)
			rc = tp_clean_put(j->broken, j->w->c, x->id, &why, err);
		j->w->sum->read += x->how == MEASURED;
		j->w->sum->known += x->how == SAME || x->how == BACK || x->how == GONE;
	}
	if (!rc)
		rc = tp_clean_flush(j->measured, j->w->c, err);
	return rc ? rc : tp_clean_flush(j->broken, j->w->c, err);
}

static tp_code write_block(job *j, const block *b, tp_err *err)
{
	tp_code rc = put_block(j, b, err);
	if (rc || tp_now() - j->committed < j->w->o->commit_every)
		return rc;
	rc = tp_catalog_commit(j->w->c, err);
	if (!rc)
		rc = tp_catalog_begin(j->w->c, err);
	j->committed = tp_now();
	return rc;
}

static tp_code step(void *ud, size_t i, int worker, tp_err *err)
{
	job *j = ud;
	if (!i) { /* handed out first, and by one thread at a time, as the catalog wants it */
		tp_code rc = write_block(j, j->before, err);
		j->before->n = 0;
		return rc ? rc : read_block(j, err);
	}
	item *x = &j->now->v[i - 1];
	tp_code rc = x->how == NOT_READ ? one_photo(j, x, &j->reader[worker], err) : TP_OK;
	tp_progress_add(j->progress, 1);
	return rc ? rc : tp_cancel_check(err);
}

/* next: read, and not measured yet; now: being measured; before: measured, and not written yet. */
static tp_code run(job *j, tp_err *err)
{
	tp_code rc = read_block(j, err);
	while (!rc && j->next->n) {
		block *free_one = j->before;
		j->before = j->now, j->now = j->next, j->next = free_one;
		rc = tp_par_for(j->now->n + 1, j->w->o->threads, step, j, err);
	}
	if (!rc)
		return write_block(j, j->now, err);
	if (rc != TP_ECANCEL)
		return rc;
	tp_err why = { 0 }; /* what is done is kept */
	tp_code kept = write_block(j, j->before, &why);
	if (!kept)
		kept = write_block(j, j->now, &why);
	return kept ? tp_fail(err, kept, "%s", why.msg) : rc;
}

static tp_code job_init(job *j, tp_err *err)
{
	tp_catalog_counts k;
	tp_code rc = tp_clean_roots_load(&j->roots, j->w->c, j->w->dir, err);
	for (int i = 0; i < 3; i++) {
		j->b[i].v = tp_calloc(BLOCK, sizeof *j->b[i].v);
		tp_buf_init(&j->b[i].text, TEXTS);
		if (!rc && !j->b[i].v)
			rc = tp_nomem(err, BLOCK * sizeof *j->b[i].v);
	}
	j->measured = tp_calloc(1, sizeof *j->measured);
	j->broken = tp_calloc(1, sizeof *j->broken);
	if (!rc && !(j->measured && j->broken))
		rc = tp_nomem(err, 2 * sizeof *j->broken);
	if (!rc) {
		j->measured->columns = measured_columns;
		j->measured->n_columns = TP_CLEAN_COLUMNS;
		j->broken->columns = broken_column;
		j->broken->n_columns = 1;
	}
	j->before = &j->b[0], j->now = &j->b[1], j->next = &j->b[2];
	j->reader = tp_calloc((size_t)j->w->o->threads, sizeof *j->reader);
	if (!rc && !j->reader)
		rc = tp_nomem(err, (size_t)j->w->o->threads * sizeof *j->reader);
	if (!rc)
		rc = tp_catalog_count(&k, j->w->c, err);
	if (!rc)
		j->progress = tp_progress_start("read", (size_t)k.photos, j->w->o->quiet);
	j->committed = tp_now();
	return rc;
}

tp_code tp_clean_measure(tp_clean_work *w, tp_err *err)
{
	job j = { .w = w };
	tp_code rc = job_init(&j, err);
	if (!rc)
		rc = tp_catalog_begin(w->c, err);
	if (!rc) {
		rc = run(&j, err);
		tp_progress_end(j.progress);
		j.progress = NULL;
		if (!rc || rc == TP_ECANCEL) {
			tp_code kept = tp_catalog_commit(w->c, rc ? NULL : err);
			rc = rc ? rc : kept;
		} else {
			tp_catalog_rollback(w->c);
		}
	}
	tp_progress_end(j.progress);
	for (int i = 0; i < 3; i++) {
		tp_free(j.b[i].v);
		tp_buf_dispose(&j.b[i].text);
	}
	for (int i = 0; j.reader && i < w->o->threads; i++)
		tp_free(j.reader[i].bytes);
	tp_free(j.reader);
	tp_free(j.measured);
	tp_free(j.broken);
	tp_clean_roots_free(&j.roots);
	return rc;
}
