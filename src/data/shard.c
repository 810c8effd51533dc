/* Photos out of a folder of shards: see shard.h. A tar file is opened for each photo, as a photo's own file would be:
 * there is no table of open files to share between threads, and none that runs over. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/shard_import.h"
#include "data/shard_int.h"
#include "data/tar.h"

struct tp_shards {
	char *dir;
	tp_shard_list list;
	tp_map map[TP_SPLITS];
	tp_shard_index index[TP_SPLITS];
	size_t n;
};

void tp_shards_free(tp_shards *s)
{
	if (!s)
		return;
	for (int i = 0; i < TP_SPLITS; i++)
		tp_map_close(&s->map[i]);
	tp_shard_list_dispose(&s->list);
	tp_free(s->dir);
	tp_free(s);
}

size_t tp_shards_count(const tp_shards *s)
{
	return s->n;
}

const tp_shard_list *tp_shards_list(const tp_shards *s)
{
	return &s->list;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static tp_code check_size(const tp_shards *s, const tp_shard_file *f, tp_err *err)
{
	struct stat st;
	char *path = tp_path_join(s->dir, f->file);
	tp_code rc = path ? TP_OK : tp_nomem(err, strlen(f->file));
	if (!rc && (stat(path, &st) || !S_ISREG(st.st_mode)))
		rc = tp_fail(err, TP_ENOTFOUND, "%s: no such file", path);
	else if (!rc && (uint64_t)st.st_size != f->bytes)
		rc = tp_fail(err, TP_EFORMAT, "%s: %lld bytes, %llu were packed", path, (long long)st.st_size,
			(unsigned long long)f->bytes);
	tp_free(path);
	return rc;
}

/* Every photo lies inside its tar file, and every tar file holds as many as the list says. */
static tp_code check_places(const tp_shard_index *x, const tp_shard_set *set, tp_err *err)
{
	size_t in_shard = 0;
	for (size_t i = 0; i < x->n; i++) {
		tp_shard_row r = tp_shard_index_row(x, i);
		const tp_shard_file *f = &set->shard[r.shard];
		if (r.offset + tp_tar_padded(r.length) + TP_TAR_END > f->bytes)
			return tp_fail(err, TP_EFORMAT, "photo %zu lies at %llu, %s has %llu bytes", i,
				(unsigned long long)r.offset, f->file, (unsigned long long)f->bytes);
		in_shard++;
		if (i + 1 < x->n && tp_shard_index_row(x, i + 1).shard == r.shard)
			continue;
		if (in_shard != f->photos)
			return tp_fail(err, TP_EFORMAT, "%zu photos of %s, the list has %zu", in_shard,
				f->file, f->photos);
		in_shard = 0;
	}
	return TP_OK;
}

tp_code tp_shard_index_open(tp_map *map, tp_shard_index *x, const char *dir, const tp_shard_list *l,
	const tp_shard_set *set, tp_err *err)
{
	char *path = tp_path_join(dir, set->index.file);
	tp_code rc = path ? tp_map_open(map, path, err) : tp_nomem(err, strlen(dir));
	if (rc) {
		tp_free(path);
		return rc;
	}
	if (map->len != set->index.bytes ||
		strcmp(tp_sha256_of(map->ptr, map->len).hex, set->index.sum.hex) != 0)
		rc = tp_fail(
			err, TP_EFORMAT, "the file is not the one that was packed: its checksum differs");
	if (!rc)
		rc = tp_shard_index_parse(x, map->ptr, map->len, err);
	if (!rc && (x->n != set->index.photos || x->n_shards != set->n ||
			   x->n_classes != json_array_size(l->classes)))
		rc = tp_fail(err, TP_EFORMAT, "%zu photos, %u shards, %u classes are not the list's", x->n,
			(unsigned)x->n_shards, (unsigned)x->n_classes);
	if (!rc)
		rc = check_places(x, set, err);
	if (rc) {
		tp_context(err, rc, "%s: ", path);
		tp_map_close(map);
	}
	tp_free(path);
	return rc;
}

tp_code tp_shards_open(tp_shards **out, const char *dir, tp_err *err)
{
	tp_shards *s = tp_calloc(1, sizeof *s);
	if (!s)
		return tp_nomem(err, sizeof *s);
	s->dir = tp_strdup(dir);
	tp_code rc = s->dir ? tp_shard_list_read(&s->list, dir, err) : tp_nomem(err, strlen(dir));
	for (int i = 0; i < TP_SPLITS && !rc; i++) {
		const tp_shard_set *set = &s->list.set[i];
		for (size_t k = 0; k < set->n && !rc; k++)
			rc = check_size(s, &set->shard[k], err);
		if (!rc && set->n)
			rc = tp_shard_index_open(&s->map[i], &s->index[i], dir, &s->list, set, err);
		s->n += s->index[i].n;
	}
	if (rc)
		tp_shards_free(s);
	else
		*out = s;
	return rc;
}

/* ---- a photo ------------------------------------------------------------------------------------------------------ */

tp_shard_row tp_shards_row(const tp_shards *s, size_t i, tp_split *split)
{
	int k = 0;
	assert(i < s->n);
	for (; i >= s->index[k].n; k++)
		i -= s->index[k].n;
	*split = (tp_split)k;
	return tp_shard_index_row(&s->index[k], i);
}

static tp_code read_at(uint8_t *p, size_t n, uint64_t offset, const char *path, tp_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return tp_fail(err, errno == ENOENT ? TP_ENOTFOUND : TP_EIO, "%s: %s", path, strerror(errno));
	tp_code rc = TP_OK;
	while (n && !rc) {
		ssize_t got = pread(fd, p, n, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			rc = tp_fail(err, TP_EIO, "%s: %s", path, strerror(errno));
		else if (!got)
			rc = tp_fail(err, TP_EFORMAT, "%s: ends at byte %llu, a photo was there", path,
				(unsigned long long)offset);
		else
			p += got, n -= (size_t)got, offset += (uint64_t)got;
	}
	close(fd);
	return rc;
}

/* Is this the member the index speaks of? */
static tp_code check_member(const uint8_t *block, const tp_shard_row *r, const char *path, tp_err *err)
{
	tp_tar_member m;
	char name[TP_SHARD_KEY];
	tp_shard_member_name(name, r->number, "jpg");
	tp_code rc = tp_tar_parse(&m, block, err);
	if (!rc && (strcmp(m.name, name) != 0 || m.size != r->length))
		rc = tp_fail(
			err, TP_EFORMAT, "is \"%.60s\" of %llu bytes", m.name, (unsigned long long)m.size);
	if (!rc && tp_crc32(block + TP_TAR_BLOCK, r->length) != r->crc)
		rc = tp_fail(err, TP_EFORMAT, "its bytes have changed");
	return rc ? tp_context(err, rc, "%s: %s at byte %llu: ", path, name, (unsigned long long)r->offset)
		  : TP_OK;
}

tp_code tp_shards_read(uint8_t **bytes, size_t *len, const tp_shards *s, size_t i, tp_err *err)
{
	tp_split split;
	tp_shard_row r = tp_shards_row(s, i, &split);
	char *path = tp_path_join(s->dir, s->list.set[split].shard[r.shard].file);
	uint8_t *p = tp_alloc(TP_TAR_BLOCK + (size_t)r.length);
	tp_code rc = path && p
			     ? read_at(p, TP_TAR_BLOCK + (size_t)r.length, r.offset - TP_TAR_BLOCK, path, err)
			     : tp_nomem(err, TP_TAR_BLOCK + (size_t)r.length);
	if (!rc)
		rc = check_member(p, &r, path, err);
	if (!rc) {
		memmove(p, p + TP_TAR_BLOCK, r.length);
		*bytes = p;
		*len = r.length;
		p = NULL;
	}
	tp_free(p);
	tp_free(path);
	return rc;
}

void tp_shards_stamp(char out[TP_SHARD_STAMP], const tp_shards *s, size_t i)
{
	tp_split split;
	tp_shard_row r = tp_shards_row(s, i, &split);
	snprintf(out, TP_SHARD_STAMP, "%u %08x", (unsigned)r.length, (unsigned)r.crc);
}

tp_code tp_shards_left_out(tp_builder *b, const tp_shards *s, tp_err *err)
{
	const tp_shard_list *l = &s->list;
	const char *rule;
	json_t *n;
	tp_code rc = TP_OK;
	b->m.skipped_held_out = l->held_out;
	b->m.skipped_not_here = l->not_here;
	json_object_foreach(l->rules, rule, n) rc =
		rc ? rc : tp_builder_excluded(b, rule, (size_t)json_integer_value(n), err);
	return rc;
}
