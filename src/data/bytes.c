/* Streams of bytes: see bytes.h. */
#include "data/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { CHUNK = 1 << 16 };

static tp_code fail_errno(tp_err *err, const char *path)
{
	tp_code rc = errno == ENOENT || errno == ENOTDIR ? TP_ENOTFOUND
		     : errno == EACCES                   ? TP_EDENIED
							 : TP_EIO;
	return tp_fail(err, rc, "%s: %s", path, strerror(errno));
}

static tp_code file_read(tp_bytes *b, void *to, size_t room, size_t *got, tp_err *err)
{
	ssize_t n;
	do
		n = read(b->fd, to, room);
	while (n < 0 && errno == EINTR);
	*got = n < 0 ? 0 : (size_t)n;
	return n < 0 ? fail_errno(err, b->name) : TP_OK;
}

static void file_close(tp_bytes *b)
{
	close(b->fd);
}

tp_code tp_bytes_file(tp_bytes *out, const char *path, tp_err *err)
{
	struct stat st;
	/* O_NONBLOCK: opening a FIFO that nobody writes to must not hang */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail_errno(err, path);
	char *name = tp_strdup(path);
	tp_code rc = !name                 ? tp_nomem(err, strlen(path))
		     : fstat(fd, &st)      ? fail_errno(err, path)
		     : S_ISREG(st.st_mode) ? TP_OK
					   : tp_fail(err, TP_EINVAL, "%s: not a regular file", path);
	if (rc) {
		close(fd);
		tp_free(name);
		return rc;
	}
	*out = (tp_bytes){ .read = file_read, .close = file_close, .fd = fd, .name = name };
	return TP_OK;
}

static tp_code memory_read(tp_bytes *b, void *to, size_t room, size_t *got, tp_err *err)
{
	(void)err;
	*got = b->max - b->at < room ? (size_t)(b->max - b->at) : room;
	if (*got)
		memcpy(to, (const char *)b->handle + b->at, *got);
	b->at += *got;
	return TP_OK;
}

void tp_bytes_memory(tp_bytes *out, const void *p, size_t n)
{
	*out = (tp_bytes){ .read = memory_read, .handle = (void *)(uintptr_t)p, .max = n };
}

void tp_bytes_close(tp_bytes *b)
{
	if (b->close)
		b->close(b);
	tp_free((void *)(uintptr_t)b->name);
	*b = (tp_bytes){ 0 };
}

tp_code tp_bytes_all(char **out, size_t *len, tp_bytes *b, size_t max, tp_err *err)
{
	size_t used = 0, cap = 0, got = 1;
	char *p = NULL;
	tp_code rc = TP_OK;
	while (!rc && got) {
		if (used == cap) {
			cap = cap ? 2 * cap : CHUNK;
			char *q = tp_realloc(p, cap + 1);
			rc = q ? TP_OK : tp_nomem(err, cap + 1);
			p = q ? q : p;
		}
		if (!rc)
			rc = b->read(b, p + used, cap - used, &got, err);
		used += rc ? 0 : got;
		if (!rc && used > max)
			rc = tp_fail(
				err, TP_ELIMIT, "%s: more than %zu bytes", b->name ? b->name : "text", max);
	}
	if (rc) {
		tp_free(p);
		return rc;
	}
	p[used] = 0;
	*out = p;
	*len = used;
	return TP_OK;
}
