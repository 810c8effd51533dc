/* Folders, and zip archives read as folders: see bytes.h. An archive is opened anew for each member, which costs little:
 * its directory stands at the end and the rest is skipped. */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/bytes.h"
#include "data/data_int.h"

enum { BLOCK = 1 << 16 };

static tp_code open_archive(struct archive **out, const char *path, tp_err *err)
{
	struct archive *a = archive_read_new();
	if (!a)
		return tp_nomem(err, BLOCK);
	archive_read_support_format_zip_seekable(a);
	if (archive_read_open_filename(a, path, BLOCK) != ARCHIVE_OK) {
		tp_code rc = tp_fail(err, TP_EFORMAT, "%s: %.120s", path, archive_error_string(a));
		archive_read_free(a);
		return rc;
	}
	*out = a;
	return TP_OK;
}

/* *name NULL: the end. */
static tp_code next(struct archive *a, const char *path, const char **name, size_t *n, tp_err *err)
{
	struct archive_entry *e = NULL;
	int r = archive_read_next_header(a, &e);
	*name = NULL;
	if (r == ARCHIVE_EOF)
		return TP_OK;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return tp_fail(err, TP_EFORMAT, "%s: %.120s", path, archive_error_string(a));
	if (++*n > TP_MAX_MEMBERS)
		return tp_fail(err, TP_ELIMIT, "%s: more than %d files", path, TP_MAX_MEMBERS);
	*name = archive_entry_pathname(e);
	if (!*name || !tp_is_inside(*name))
		return tp_fail(err, TP_EFORMAT, "%s: a member called \"%.100s\" leaves the folder", path,
			*name ? *name : "");
	return TP_OK;
}

static tp_code check_members(const char *path, tp_err *err)
{
	struct archive *a = NULL;
	const char *name = NULL;
	size_t n = 0;
	tp_code rc = open_archive(&a, path, err);
	if (rc)
		return rc;
	do
		rc = next(a, path, &name, &n, err);
	while (!rc && name);
	archive_read_free(a);
	return rc || n ? rc : tp_fail(err, TP_EFORMAT, "%s: no zip archive, or an empty one", path);
}

tp_code tp_place_open(tp_place *out, const char *path, tp_err *err)
{
	tp_place p = { .zip = tp_is_file(path) };
	if (!p.zip && !tp_is_dir(path))
		return tp_fail(err, TP_ENOTFOUND, "%s: no such file or folder", path);
	tp_code rc = p.zip ? check_members(path, err) : TP_OK;
	if (rc)
		return rc;
	p.path = tp_strdup(path);
	if (!p.path)
		return tp_nomem(err, strlen(path));
	*out = p;
	return TP_OK;
}

void tp_place_dispose(tp_place *p)
{
	tp_free(p->path);
	*p = (tp_place){ 0 };
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static tp_code find_in_zip(char **found, const tp_place *p, const char *name, tp_err *err)
{
	struct archive *a = NULL;
	const char *member = NULL;
	size_t n = 0;
	tp_code rc = open_archive(&a, p->path, err);
	while (!rc) {
		rc = next(a, p->path, &member, &n, err);
		if (rc || !member)
			break;
		if (strcmp(base_name(member), name) != 0 || (*found && strlen(*found) <= strlen(member)))
			continue;
		tp_free(*found);
		*found = tp_strdup(member);
		rc = *found ? TP_OK : tp_nomem(err, strlen(member));
	}
	archive_read_free(a);
	if (rc) {
		tp_free(*found);
		*found = NULL;
	}
	return rc;
}

tp_code tp_place_find(char **found, const tp_place *p, const char *name, tp_err *err)
{
	*found = NULL;
	if (p->zip)
		return find_in_zip(found, p, name, err);
	char *path = tp_path_join(p->path, name);
	if (!path)
		return tp_nomem(err, strlen(name));
	bool there = tp_is_file(path);
	tp_free(path);
	*found = there ? tp_strdup(name) : NULL;
	return there && !*found ? tp_nomem(err, strlen(name)) : TP_OK;
}

static tp_code member_read(tp_bytes *b, void *to, size_t room, size_t *got, tp_err *err)
{
	la_ssize_t n = archive_read_data(b->handle, to, room);
	*got = n > 0 ? (size_t)n : 0;
	if (n < 0)
		return tp_fail(err, TP_EFORMAT, "%s: %.120s", b->name, archive_error_string(b->handle));
	b->at += *got;
	return b->at <= b->max
		       ? TP_OK
		       : tp_fail(err, TP_ELIMIT,
				 "%s: unpacks to more than %llu bytes, %d times the archive: a zip bomb?",
				 b->name, (unsigned long long)b->max, TP_MAX_INFLATE);
}

static void member_close(tp_bytes *b)
{
	archive_read_free(b->handle);
}

static tp_code open_member(tp_bytes *out, const tp_place *p, const char *name, tp_err *err)
{
	struct archive *a = NULL;
	struct stat st = { 0 };
	const char *member = NULL;
	size_t n = 0;
	tp_code rc = stat(p->path, &st) ? tp_fail(err, TP_EIO, "%s: gone", p->path)
					: open_archive(&a, p->path, err);
	do
		rc = rc ? rc : next(a, p->path, &member, &n, err);
	while (!rc && member && strcmp(member, name) != 0);
	if (!rc && !member)
		rc = tp_fail(err, TP_ENOTFOUND, "%s: no member \"%.100s\"", p->path, name);
	char *copy = rc ? NULL : tp_strdup(name);
	if (!rc && !copy)
		rc = tp_nomem(err, strlen(name));
	if (rc) {
		archive_read_free(a);
		return rc;
	}
	uint64_t max = (uint64_t)st.st_size * TP_MAX_INFLATE;
	*out = (tp_bytes){ .read = member_read,
		.close = member_close,
		.handle = a,
		.name = copy,
		.max = max > TP_FREE_INFLATE ? max : TP_FREE_INFLATE };
	return TP_OK;
}

tp_code tp_place_read(tp_bytes *out, const tp_place *p, const char *name, tp_err *err)
{
	if (!tp_is_inside(name))
		return tp_fail(err, TP_EFORMAT, "%s: \"%.100s\" leaves the folder", p->path, name);
	if (p->zip)
		return open_member(out, p, name, err);
	char *path = tp_path_join(p->path, name);
	tp_code rc = path ? tp_bytes_file(out, path, err) : tp_nomem(err, strlen(name));
	tp_free(path);
	return rc;
}
