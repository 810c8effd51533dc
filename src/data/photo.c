/* The bytes of a manifest's photo, wherever they are: see data.h. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/data.h"
#include "data/shard.h"

tp_code tp_photo_read(uint8_t **bytes, size_t *len, const tp_manifest *m, size_t i, tp_err *err)
{
	const tp_photo *p = &m->photos[i];
	if (m->shards)
		return tp_shards_read(bytes, len, m->shards, p->at, err);
	char *path = tp_path_join(m->root, p->path);
	tp_code rc = path ? tp_file_read(bytes, len, path, TP_MAX_PHOTO_FILE, err)
			  : tp_nomem(err, strlen(p->path));
	tp_free(path);
	return rc;
}

/* NULL when out of memory. */
char *tp_photo_file_stamp(const char *root, const char *photo)
{
	struct stat st = { 0 };
	size_t n = strlen(photo) + 80;
	char *path = tp_path_join(root, photo), *s = tp_alloc(n);
	if (!path || !s) {
		tp_free(path);
		tp_free(s);
		return NULL;
	}
	if (stat(path, &st)) /* named as a bad photo later */
		st.st_size = -1;
	snprintf(s, n, "%lld %lld.%09ld %s", (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		st.st_mtim.tv_nsec, photo);
	tp_free(path);
	return s;
}

char *tp_photo_stamp(const tp_manifest *m, size_t i)
{
	const char *photo = m->photos[i].path;
	char stamp[TP_SHARD_STAMP];
	if (!m->shards)
		return tp_photo_file_stamp(m->root, photo);
	size_t n = strlen(photo) + sizeof stamp + 1;
	char *s = tp_alloc(n);
	tp_shards_stamp(stamp, m->shards, m->photos[i].at);
	if (s)
		snprintf(s, n, "%s %s", stamp, photo);
	return s;
}
