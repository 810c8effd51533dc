/* Files: see file.h. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct tp_outfile {
	int fd;
	char *path, *temp;
};

static tp_code fail_errno(tp_err *err, const char *path)
{
	tp_code rc = errno == ENOENT || errno == ENOTDIR ? TP_ENOTFOUND
		     : errno == EACCES                   ? TP_EDENIED
							 : TP_EIO;
	return tp_fail(err, rc, "%s: %s", path, strerror(errno));
}

static tp_code open_regular(int *fd, size_t *len, const char *path, tp_err *err)
{
	struct stat st;
	/* O_NONBLOCK: opening a FIFO that nobody writes to must not hang */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return fail_errno(err, path);
	tp_code rc = TP_OK;
	if (fstat(*fd, &st))
		rc = fail_errno(err, path);
	else if (!S_ISREG(st.st_mode))
		rc = tp_fail(err, TP_EINVAL, "%s: not a regular file", path);
	if (rc) {
		close(*fd);
		return rc;
	}
	*len = (size_t)st.st_size;
	return TP_OK;
}

tp_code tp_map_open(tp_map *out, const char *path, tp_err *err)
{
	int fd = -1;
	size_t len = 0;
	tp_code rc = open_regular(&fd, &len, path, err);
	if (rc)
		return rc;
	void *p = NULL;
	if (len) {
		p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			rc = fail_errno(err, path);
	}
	close(fd);
	if (!rc)
		*out = (tp_map){ p, len };
	return rc;
}

void tp_map_close(tp_map *m)
{
	if (m->ptr)
		munmap((void *)(uintptr_t)m->ptr, m->len);
	*m = (tp_map){ 0 };
}

tp_code tp_file_read(uint8_t **out, size_t *len, const char *path, size_t max, tp_err *err)
{
	int fd = -1;
	size_t size = 0, got = 0;
	uint8_t *p = NULL;
	tp_code rc = open_regular(&fd, &size, path, err);
	if (rc)
		return rc;
	if (size > max) {
		rc = tp_fail(err, TP_ELIMIT, "%s: %zu bytes, at most %zu are read", path, size, max);
		goto out;
	}
	p = tp_alloc(size + 1);
	if (!p) {
		rc = tp_nomem(err, size + 1);
		goto out;
	}
	while (got < size) {
		ssize_t n = read(fd, p + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = fail_errno(err, path);
			goto out;
		}
		if (n == 0)
			break; /* the file shrank while we read: what is there is what we have */
		got += (size_t)n;
	}
	p[got] = 0;
	*out = p;
	*len = got;
	p = NULL;
out:
	tp_free(p);
	close(fd);
	return rc;
}

tp_code tp_outfile_open(tp_outfile **out, const char *path, tp_err *err)
{
	tp_code rc = TP_OK;
	size_t n = strlen(path) + 16;
	tp_outfile *f = tp_calloc(1, sizeof *f);
	if (!f)
		return tp_nomem(err, sizeof *f);
	f->fd = -1;
	f->path = tp_strdup(path);
	f->temp = tp_alloc(n);
	if (!f->path || !f->temp) {
		rc = tp_nomem(err, n);
		goto out;
	}
	snprintf(f->temp, n, "%s.tmpXXXXXX", path);
	f->fd = mkstemp(f->temp);
	if (f->fd < 0) {
		rc = fail_errno(err, path);
		f->temp[0] = 0;
		goto out;
	}
	fchmod(f->fd, 0644);
	*out = f;
	f = NULL;
out:
	tp_outfile_abort(&f);
	return rc;
}

tp_code tp_outfile_write(tp_outfile *f, const void *p, size_t n, tp_err *err)
{
	const char *b = p;
	while (n) {
		ssize_t k = write(f->fd, b, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return fail_errno(err, f->path);
		b += k;
		n -= (size_t)k;
	}
	return TP_OK;
}

/* A rename is only safe against a power cut once the directory that holds the name is on disk too. */
static void sync_parent(const char *path)
{
	char *dir = tp_strdup(path);
	if (!dir)
		return;
	char *slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = 0;
	int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	tp_free(dir);
}

tp_code tp_outfile_commit(tp_outfile **pf, tp_err *err)
{
	tp_outfile *f = *pf;
	tp_code rc = TP_OK;
	if (fsync(f->fd) || rename(f->temp, f->path)) {
		rc = fail_errno(err, f->path);
	} else {
		f->temp[0] = 0;
		sync_parent(f->path);
	}
	tp_outfile_abort(pf);
	return rc;
}

void tp_outfile_abort(tp_outfile **pf)
{
	tp_outfile *f = *pf;
	*pf = NULL;
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	if (f->temp && f->temp[0])
		unlink(f->temp);
	tp_free(f->temp);
	tp_free(f->path);
	tp_free(f);
}

bool tp_is_dir(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

bool tp_is_file(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISREG(st.st_mode);
}

tp_code tp_make_dirs(const char *path, tp_err *err)
{
	char *p = tp_strdup(path);
	if (!p)
		return tp_nomem(err, strlen(path));
	tp_code rc = TP_OK;
	for (char *s = p + 1;; s++) {
		if (*s && *s != '/')
			continue;
		char c = *s;
		*s = 0;
		if (mkdir(p, 0755) && errno != EEXIST) {
			rc = fail_errno(err, p);
			break;
		}
		*s = c;
		if (!c)
			break;
	}
	if (!rc && !tp_is_dir(path))
		rc = tp_fail(err, TP_EINVAL, "%s: not a directory", path);
	tp_free(p);
	return rc;
}

char *tp_path_join(const char *dir, const char *name)
{
	size_t n = strlen(dir), m = strlen(name);
	bool slash = n && dir[n - 1] != '/';
	char *p = tp_alloc(n + m + 2);
	if (p)
		snprintf(p, n + m + 2, "%s%s%s", dir, slash ? "/" : "", name);
	return p;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

tp_code tp_dir_list(tp_names *out, const char *path, tp_err *err)
{
	tp_names n = { 0 };
	size_t cap = 0;
	tp_code rc = TP_OK;
	DIR *d = opendir(path);
	if (!d)
		return fail_errno(err, path);
	for (struct dirent *e; !rc && (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (n.len == cap) {
			cap = cap ? 2 * cap : 64;
			char **v = tp_realloc(n.v, cap * sizeof *v);
			if (!v) {
				rc = tp_nomem(err, cap * sizeof *v);
				break;
			}
			n.v = v;
		}
		n.v[n.len] = tp_strdup(e->d_name);
		if (!n.v[n.len])
			rc = tp_nomem(err, strlen(e->d_name));
		else
			n.len++;
	}
	closedir(d);
	if (rc) {
		tp_names_free(&n);
		return rc;
	}
	if (n.len)
		qsort(n.v, n.len, sizeof *n.v, by_bytes);
	*out = n;
	return TP_OK;
}

void tp_names_free(tp_names *n)
{
	for (size_t i = 0; i < n->len; i++)
		tp_free(n->v[i]);
	tp_free(n->v);
	*n = (tp_names){ 0 };
}
