/* Photos and parts on the disk, and rows in the catalog: see fetch_store.h. A photo is on the disk before the catalog says
 * so, folder and all; a thousand photos share a folder. */
#include "data/fetch_store.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "image/image.h"

enum { PENDING = 256, ROOM = TP_MAX_PATH, PER_FOLDER = 1000, FILE_NAME = 64 };

typedef struct {
	tp_fetch_reason why; /* TP_FETCH_REASONS: it is here */
	double value;
	int64_t photo, bytes;
	int width, height;
	uint8_t sha256[32];
	char file[FILE_NAME];
	bool was_found, is_excluded;
} result;

struct tp_fetch_store {
	tp_catalog *catalog;
	char *dir;
	result pending[PENDING];
	size_t n;
	int64_t folder; /* the one made last; -1 */
};

static const char *const endings[] = {
	[TP_KIND_JPEG] = "jpg", [TP_KIND_PNG] = "png", [TP_KIND_WEBP] = "webp", [TP_KIND_HEIC] = "heic"
};
enum { ENDINGS = sizeof endings / sizeof *endings };

tp_code tp_store_new(tp_fetch_store **out, tp_catalog *c, const char *dir, tp_err *err)
{
	tp_fetch_store *s = tp_calloc(1, sizeof *s);
	if (s)
		s->dir = tp_strdup(dir);
	if (!s || !s->dir) {
		tp_store_free(s);
		return tp_nomem(err, sizeof *s);
	}
	s->catalog = c;
	s->folder = -1;
	*out = s;
	return strlen(dir) + 2 * FILE_NAME < ROOM ? TP_OK
						  : tp_fail(err, TP_ELIMIT, "%.60s...: too long a path", dir);
}

void tp_store_free(tp_fetch_store *s)
{
	if (s)
		tp_free(s->dir);
	tp_free(s);
}

/* ---- names ---- */

static void file_name(char out[FILE_NAME], int64_t photo, const char *ending)
{
	snprintf(out, FILE_NAME, "photos/%06lld/%09lld.%s", (long long)(photo / PER_FOLDER), (long long)photo,
		ending);
}

static void path_of(char out[ROOM], const tp_fetch_store *s, int64_t photo, const char *ending)
{
	char file[FILE_NAME];
	file_name(file, photo, ending);
	snprintf(out, ROOM, "%s/%s", s->dir, file); /* tp_store_new() saw that it fits */
}

static void folder_of(char out[ROOM], const tp_fetch_store *s, int64_t folder)
{
	snprintf(out, ROOM, "%s/photos/%06lld", s->dir, (long long)folder);
}

static tp_code fail_errno(tp_err *err, const char *path)
{
	return tp_fail(err, TP_EIO, "%s: %s", path, strerror(errno));
}

static tp_code make_folder(tp_fetch_store *s, int64_t photo, tp_err *err)
{
	char path[ROOM];
	if (s->folder == photo / PER_FOLDER)
		return TP_OK;
	folder_of(path, s, photo / PER_FOLDER);
	tp_code rc = tp_make_dirs(path, err);
	if (!rc)
		s->folder = photo / PER_FOLDER;
	return rc;
}

/* ---- parts ---- */

static bool read_note(tp_part_note *out, const char *path)
{
	uint8_t *text = NULL;
	size_t len = 0;
	if (tp_file_read(&text, &len, path, TP_PART_NOTE, NULL))
		return false;
	bool good = tp_part_note_read(out, (const char *)text, len);
	tp_free(text);
	return good;
}

void tp_part_look(tp_part *p, const tp_fetch_store *s, int64_t photo)
{
	char part[ROOM], note[ROOM];
	struct stat st;
	*p = (tp_part){ .photo = photo, .fd = -1 };
	path_of(part, s, photo, "part");
	path_of(note, s, photo, "note");
	if (lstat(part, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 || !read_note(&p->note, note))
		return;
	if (!p->note.total || st.st_size < p->note.total)
		p->have = st.st_size;
}

static tp_code open_part(tp_part *p, const tp_fetch_store *s, int flags, tp_err *err)
{
	char path[ROOM];
	path_of(path, s, p->photo, "part");
	p->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
	return p->fd < 0 ? fail_errno(err, path) : TP_OK;
}

/* The old part goes first, then the note changes: a part never lies beside another one's note. */
tp_code tp_part_begin(tp_part *p, tp_fetch_store *s, const tp_part_note *note, tp_err *err)
{
	char path[ROOM], text[TP_PART_NOTE];
	tp_part_drop(p, s);
	tp_code rc = make_folder(s, p->photo, err);
	if (!rc && *note->validator) {
		size_t len = tp_part_note_write(text, note);
		path_of(path, s, p->photo, "note");
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, text, len) != (ssize_t)len)
			rc = fail_errno(err, path);
		if (fd >= 0)
			close(fd);
	}
	p->note = *note;
	return rc ? rc : open_part(p, s, O_CREAT | O_EXCL, err);
}

tp_code tp_part_go_on(tp_part *p, tp_fetch_store *s, tp_err *err)
{
	return open_part(p, s, O_APPEND, err);
}

tp_code tp_part_write(tp_part *p, const void *bytes, size_t n, tp_err *err)
{
	const char *b = bytes;
	while (n) {
		ssize_t k = write(p->fd, b, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return tp_fail(err, TP_EIO, "photo %lld cannot be written: %s", (long long)p->photo,
				strerror(errno));
		b += k;
		n -= (size_t)k;
		p->have += k;
	}
	return TP_OK;
}

void tp_part_close(tp_part *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

void tp_part_drop(tp_part *p, const tp_fetch_store *s)
{
	char path[ROOM];
	tp_part_close(p);
	path_of(path, s, p->photo, "part");
	unlink(path);
	path_of(path, s, p->photo, "note");
	unlink(path);
	p->have = 0;
	p->note = (tp_part_note){ 0 };
}

/* ---- whole photos ---- */

static void sha256_bytes(uint8_t out[32], const char *hex)
{
	for (int i = 0; i < 64; i++) {
		int v = hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10;
		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | v : v << 4);
	}
}

/* What the file is: *why is TP_FETCH_REASONS for the photo that is wanted. */
static tp_code judge(result *r, tp_image_kind *kind, const char *path, const tp_fetch_task *t, tp_err *err)
{
	tp_map m = { 0 };
	tp_image_info info = { 0 };
	tp_code rc = tp_map_open(&m, path, err);
	if (rc)
		return rc;
	const tp_sha256 hash = tp_sha256_of(m.ptr, m.len);
	rc = tp_image_probe(&info, m.ptr, m.len, NULL);
	r->photo = t->photo;
	r->bytes = (int64_t)m.len;
	r->width = info.w;
	r->height = info.h;
	r->was_found = t->was_found;
	r->is_excluded = t->is_excluded;
	*kind = tp_image_sniff(m.ptr, m.len);
	sha256_bytes(r->sha256, hash.hex);
	tp_map_close(&m);
	if (rc == TP_ENOMEM)
		return tp_nomem(err, (size_t)r->bytes);
	if (rc && rc != TP_EBACKEND) /* HEIC, and a tepal that cannot read it: another one can */
		r->why = TP_FETCH_NO_PHOTO;
	else if (t->has_sha256 && memcmp(t->sha256, r->sha256, 32) != 0)
		r->why = TP_FETCH_CHANGED;
	else
		r->why = TP_FETCH_REASONS;
	return TP_OK;
}

static tp_code push(tp_fetch_store *s, const result *r, tp_err *err)
{
	s->pending[s->n++] = *r;
	return s->n == PENDING ? tp_store_commit(s, err) : TP_OK;
}

tp_code tp_part_keep(tp_part *p, tp_fetch_store *s, const tp_fetch_task *t, tp_fetch_reason *why, tp_err *err)
{
	char part[ROOM], whole[ROOM];
	result r = { 0 };
	tp_image_kind kind = TP_KIND_UNKNOWN;
	path_of(part, s, p->photo, "part");
	if (fdatasync(p->fd))
		return fail_errno(err, part);
	tp_part_close(p);
	tp_code rc = judge(&r, &kind, part, t, err);
	*why = r.why;
	if (rc || r.why != TP_FETCH_REASONS) {
		tp_part_drop(p, s);
		return rc;
	}
	file_name(r.file, p->photo, endings[kind]);
	path_of(whole, s, p->photo, endings[kind]);
	if (rename(part, whole))
		return fail_errno(err, whole);
	tp_part_drop(p, s); /* the note */
	return push(s, &r, err);
}

tp_code tp_store_adopt(tp_fetch_store *s, const tp_fetch_task *t, bool *adopted, tp_err *err)
{
	*adopted = false;
	for (int k = TP_KIND_JPEG; k < ENDINGS && !*adopted; k++) {
		char path[ROOM];
		struct stat st;
		result r = { 0 };
		tp_image_kind kind = TP_KIND_UNKNOWN;
		path_of(path, s, t->photo, endings[k]);
		if (lstat(path, &st))
			continue;
		tp_code rc = S_ISREG(st.st_mode) && st.st_size <= TP_MAX_PHOTO_FILE
				     ? judge(&r, &kind, path, t, err)
				     : TP_OK;
		if (rc)
			return rc;
		*adopted = r.why == TP_FETCH_REASONS;
		if (!*adopted && unlink(path))
			return fail_errno(err, path);
		file_name(r.file, t->photo, endings[k]);
		rc = *adopted ? push(s, &r, err) : TP_OK;
		if (rc)
			return rc;
	}
	return TP_OK;
}

tp_code tp_store_failed(
	tp_fetch_store *s, const tp_fetch_task *t, tp_fetch_reason why, double value, tp_err *err)
{
	const result r = { .why = why,
		.value = value,
		.photo = t->photo,
		.was_found = t->was_found,
		.is_excluded = t->is_excluded };
	return push(s, &r, err);
}

/* ---- the catalog ---- */

static tp_code write_kept(tp_catalog *c, const result *r, tp_err *err)
{
	static const int columns[] = { TP_SET_FILE, TP_SET_BYTES, TP_SET_WIDTH, TP_SET_HEIGHT, TP_SET_SHA256,
		TP_SET_EXCLUDED };
	const tp_catalog_value value[] = { { .kind = TP_VALUE_TEXT, .p = r->file },
		{ .kind = TP_VALUE_INT, .i = r->bytes },
		{ .kind = r->width ? TP_VALUE_INT : TP_VALUE_NONE, .i = r->width },
		{ .kind = r->height ? TP_VALUE_INT : TP_VALUE_NONE, .i = r->height },
		{ .kind = TP_VALUE_BYTES, .p = r->sha256, .len = 32 }, { .kind = TP_VALUE_NONE } };
	return tp_catalog_set(c, columns, r->is_excluded ? 6 : 5, &r->photo, 1, value, err);
}

static tp_code write_failed(tp_catalog *c, const result *r, tp_err *err)
{
	static const int column[] = { TP_SET_EXCLUDED };
	const tp_fetch_reason_info *info = &tp_fetch_reasons[r->why];
	const tp_catalog_finding f = { .photo = r->photo, .rule = info->rule, .value = r->value };
	const tp_catalog_value value = { .kind = info->lasts ? TP_VALUE_TEXT : TP_VALUE_NONE,
		.p = info->rule };
	tp_code rc = tp_catalog_find(c, &f, err);
	if (!rc && (info->lasts || r->is_excluded))
		rc = tp_catalog_set(c, column, 1, &r->photo, 1, &value, err);
	return rc;
}

static tp_code write_result(tp_catalog *c, const result *r, tp_err *err)
{
	tp_code rc = TP_OK;
	for (int i = 0; i < TP_FETCH_REASONS && r->was_found && !rc; i++)
		rc = tp_catalog_forget(c, r->photo, tp_fetch_reasons[i].rule, err);
	if (rc)
		return rc;
	return r->why == TP_FETCH_REASONS ? write_kept(c, r, err) : write_failed(c, r, err);
}

/* Names are safe against a power cut once their folders are on the disk. */
static tp_code sync_folder(const char *path, tp_err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, path);
	tp_code rc = fsync(fd) ? fail_errno(err, path) : TP_OK;
	close(fd);
	return rc;
}

static tp_code sync_folders(const tp_fetch_store *s, tp_err *err)
{
	char path[ROOM];
	int64_t last = -1;
	tp_code rc = TP_OK;
	for (size_t i = 0; i < s->n && !rc; i++) {
		int64_t folder = s->pending[i].photo / PER_FOLDER;
		if (s->pending[i].why != TP_FETCH_REASONS || folder == last)
			continue;
		folder_of(path, s, last = folder);
		rc = sync_folder(path, err);
	}
	if (rc || last < 0)
		return rc;
	snprintf(path, sizeof path, "%s/photos", s->dir);
	rc = sync_folder(path, err);
	return rc ? rc : sync_folder(s->dir, err);
}

size_t tp_store_pending(const tp_fetch_store *s)
{
	return s->n;
}

tp_code tp_store_commit(tp_fetch_store *s, tp_err *err)
{
	if (!s->n)
		return TP_OK;
	tp_code rc = sync_folders(s, err);
	if (rc)
		return rc;
	rc = tp_catalog_begin(s->catalog, err);
	for (size_t i = 0; i < s->n && !rc; i++)
		rc = write_result(s->catalog, &s->pending[i], err);
	if (!rc)
		rc = tp_catalog_commit(s->catalog, err);
	if (rc)
		tp_catalog_rollback(s->catalog);
	else
		s->n = 0;
	return rc;
}
