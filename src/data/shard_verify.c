/* Verification of a folder of shards: see shard.h. Each file by itself, so that one that is damaged hides no other. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "data/shard_import.h"
#include "data/tar.h"

typedef struct {
	const char *dir;
	tp_shard_list list;
	tp_map map[TP_SPLITS];
	tp_shard_index index[TP_SPLITS];
	struct item {
		const tp_shard_file *f;
		tp_split split;
		size_t first; /* row of the index */
		bool is_tar;
	} * item;
	size_t n;
	pthread_mutex_t lock;
	tp_shards_bad bad;
	void *ud;
	tp_shards_verified done;
	tp_progress *progress;
} verifier;

static void report(verifier *v, const char *file, const char *why)
{
	pthread_mutex_lock(&v->lock);
	v->done.damaged++;
	v->bad(v->ud, file, why);
	pthread_mutex_unlock(&v->lock);
}

static tp_code next_is(tp_tar *t, const char *name, const uint8_t **data, tp_tar_member *m, tp_err *err)
{
	tp_code rc = tp_tar_next(m, data, t, err);
	if (!rc && strcmp(m->name, name) != 0)
		rc = tp_fail(err, TP_EFORMAT, "byte %zu: \"%.60s\" where the index has \"%s\"", t->at,
			m->name, name);
	return rc;
}

/* The members are the index's photos, each with its JSON, and nothing else. */
static tp_code check_members(const verifier *v, const struct item *it, const tp_map *map, tp_err *err)
{
	const tp_shard_index *x = &v->index[it->split];
	tp_tar t = { map->ptr, map->len, 0 };
	tp_tar_member m;
	const uint8_t *data = NULL;
	char name[TP_SHARD_KEY];
	tp_code rc = TP_OK;
	for (size_t i = it->first; i < it->first + it->f->photos && !rc; i++) {
		tp_shard_row r = tp_shard_index_row(x, i);
		tp_shard_member_name(name, r.number, "jpg");
		rc = next_is(&t, name, &data, &m, err);
		if (!rc && (data != map->ptr + r.offset || m.size != r.length ||
				   tp_crc32(data, r.length) != r.crc))
			rc = tp_fail(err, TP_EFORMAT, "\"%s\" is not the photo of the index", name);
		tp_shard_member_name(name, r.number, "json");
		if (!rc)
			rc = next_is(&t, name, &data, &m, err);
	}
	return rc ? rc : next_is(&t, "", &data, &m, err);
}

static tp_code check_file(const verifier *v, const struct item *it, tp_err *err)
{
	tp_map map = { 0 };
	char *path = tp_path_join(v->dir, it->f->file);
	tp_code rc = path ? tp_map_open(&map, path, err) : tp_nomem(err, 0);
	if (!rc && map.len != it->f->bytes)
		rc = tp_fail(err, TP_EFORMAT, "%zu bytes, %llu were packed", map.len,
			(unsigned long long)it->f->bytes);
	if (!rc && strcmp(tp_sha256_of(map.ptr, map.len).hex, it->f->sum.hex) != 0)
		rc = tp_fail(err, TP_EFORMAT, "its SHA-256 is not the one it was packed with");
	if (!rc && it->is_tar && v->map[it->split].ptr)
		rc = check_members(v, it, &map, err);
	tp_map_close(&map);
	tp_free(path);
	return rc;
}

static tp_code one(void *ud, size_t i, int worker, tp_err *err)
{
	verifier *v = ud;
	tp_err why = { 0 };
	(void)worker;
	tp_code rc = check_file(v, &v->item[i], &why);
	if (rc == TP_ENOMEM)
		return tp_fail(err, rc, "%s", why.msg);
	if (rc)
		report(v, v->item[i].f->file, why.msg);
	tp_progress_add(v->progress, v->item[i].f->photos);
	return tp_cancel_check(err);
}

/* Indexes come first: what a damaged one says of its tar files counts for nothing. */
static tp_code open_index(verifier *v, int s, tp_err *err)
{
	const tp_shard_set *set = &v->list.set[s];
	tp_err why = { 0 };
	if (!set->n)
		return TP_OK;
	tp_code rc = tp_shard_index_open(&v->map[s], &v->index[s], v->dir, &v->list, set, &why);
	if (rc == TP_ENOMEM)
		return tp_fail(err, rc, "%s", why.msg);
	if (rc)
		report(v, set->index.file, why.msg);
	return TP_OK;
}

static tp_code list_items(verifier *v, tp_err *err)
{
	size_t n = 1, photos = 0;
	for (int s = 0; s < TP_SPLITS; s++)
		n += v->list.set[s].n;
	v->item = tp_calloc(n, sizeof *v->item);
	if (!v->item)
		return tp_nomem(err, n * sizeof *v->item);
	v->item[v->n++] = (struct item){ .f = &v->list.excluded };
	for (int s = 0; s < TP_SPLITS; s++) {
		const tp_shard_set *set = &v->list.set[s];
		size_t first = 0;
		for (size_t i = 0; i < set->n; i++) {
			v->item[v->n++] = (struct item){ &set->shard[i], (tp_split)s, first, true };
			first += set->shard[i].photos;
			v->done.bytes += set->shard[i].bytes;
		}
		v->done.files += set->n > 0;
		photos += first;
	}
	v->done.files += v->n;
	v->done.photos = photos;
	return TP_OK;
}

tp_code tp_shards_verify(tp_shards_verified *out, const char *dir, int threads, bool quiet, tp_shards_bad bad,
	void *ud, tp_err *err)
{
	verifier v = { .dir = dir, .bad = bad, .ud = ud };
	pthread_mutex_init(&v.lock, NULL);
	tp_code rc = tp_shard_list_read(&v.list, dir, err);
	if (!rc)
		rc = list_items(&v, err);
	for (int s = 0; s < TP_SPLITS && !rc; s++)
		rc = open_index(&v, s, err);
	if (!rc) {
		v.progress = tp_progress_start("verify", v.done.photos, quiet);
		rc = tp_par_for(v.n, threads, one, &v, err);
		tp_progress_end(v.progress);
	}
	if (!rc)
		*out = v.done;
	for (int s = 0; s < TP_SPLITS; s++)
		tp_map_close(&v.map[s]);
	tp_free(v.item);
	tp_shard_list_dispose(&v.list);
	pthread_mutex_destroy(&v.lock);
	return rc;
}
