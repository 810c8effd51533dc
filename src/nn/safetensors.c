/* The safetensors format, both ways: 8 bytes of header length, a JSON header, then tensor data without gaps.
 * Everything the header says is checked before a byte of data is believed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "nn/weights_int.h"

static bool dtype_of(tp_dtype *out, const char *name)
{
	for (int d = TP_F32; d <= TP_BOOL; d++)
		if (!strcmp(tp_dtype_name((tp_dtype)d), name)) {
			*out = (tp_dtype)d;
			return true;
		}
	return false;
}

static tp_code parse_shape(tp_tensor *t, const json_t *shape, size_t *bytes, tp_err *err)
{
	size_t n = json_array_size(shape), total = tp_dtype_size(t->dtype);
	if (n > TP_MAX_DIMS)
		return tp_fail(err, TP_EFORMAT, "tensor \"%s\" has %zu dimensions, at most %d are read",
			t->name, n, TP_MAX_DIMS);
	for (size_t i = 0; i < n; i++) {
		const json_t *d = json_array_get(shape, i);
		json_int_t v = json_integer_value(d);
		if (!json_is_integer(d) || v < 0 || (v && total > SIZE_MAX / 2 / (size_t)v))
			return tp_fail(err, TP_EFORMAT, "tensor \"%s\" has an impossible shape", t->name);
		t->dim[i] = v;
		total *= (size_t)v;
	}
	t->ndim = (int)n;
	*bytes = total;
	return TP_OK;
}

static tp_code parse_tensor(
	tp_weights *w, const char *name, const json_t *j, const uint8_t *data, size_t len, tp_err *err)
{
	tp_tensor t = { .name = name };
	const char *dtype;
	json_t *shape, *off;
	size_t bytes = 0;
	char where[128];
	snprintf(where, sizeof where, "tensor \"%.90s\"", name);
	tp_code rc = tp_json_text(&dtype, j, "dtype", where, err);
	if (!rc)
		rc = tp_json_array(&shape, j, "shape", where, err);
	if (!rc)
		rc = tp_json_array(&off, j, "data_offsets", where, err);
	if (rc)
		return rc;
	if (!*name || !dtype_of(&t.dtype, dtype))
		return tp_fail(err, TP_EFORMAT, "%s has no name or the unknown type %.20s", where, dtype);
	rc = parse_shape(&t, shape, &bytes, err);
	if (rc)
		return rc;
	const json_t *a = json_array_get(off, 0), *b = json_array_get(off, 1);
	json_int_t from = json_integer_value(a), to = json_integer_value(b);
	if (json_array_size(off) != 2 || !json_is_integer(a) || !json_is_integer(b) || from < 0 ||
		to < from || (size_t)to > len)
		return tp_fail(err, TP_EFORMAT, "%s lies outside the %zu bytes of data", where, len);
	if ((size_t)(to - from) != bytes)
		return tp_fail(
			err, TP_EFORMAT, "%s has %lld bytes, its shape wants %zu", where, to - from, bytes);
	t.data = data + from;
	t.size = bytes;
	return tp_weights_add(w, &t, err);
}

static int by_place(const void *a, const void *b)
{
	const tp_tensor *x = a, *y = b;
	if (x->data != y->data)
		return (const uint8_t *)x->data < (const uint8_t *)y->data ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size;
}

/* Sorted by place, each tensor must begin where the one before ended, and the last end where the file ends. */
static tp_code check_cover(tp_weights *w, const uint8_t *data, size_t len, tp_err *err)
{
	const uint8_t *at = data;
	if (w->n)
		qsort(w->t, w->n, sizeof *w->t, by_place);
	for (size_t i = 0; i < w->n; i++) {
		if ((const uint8_t *)w->t[i].data != at)
			return tp_fail(err, TP_EFORMAT, "tensor \"%s\" overlaps another or leaves a gap",
				w->t[i].name);
		at += w->t[i].size;
	}
	if (at != data + len)
		return tp_fail(err, TP_EFORMAT, "%zu bytes after the last tensor", (size_t)(data + len - at));
	return TP_OK;
}

static tp_code parse_header(tp_weights *w, json_t *head, const uint8_t *data, size_t len, tp_err *err)
{
	const char *key, *mk;
	json_t *v, *mv;
	tp_code rc = TP_OK;
	json_object_foreach(head, key, v)
	{
		if (strcmp(key, "__metadata__") != 0) {
			rc = parse_tensor(w, key, v, data, len, err);
		} else {
			if (!json_is_object(v))
				return tp_fail(err, TP_EFORMAT, "\"__metadata__\" is not an object");
			json_object_foreach(v, mk, mv)
			{
				if (!json_is_string(mv))
					return tp_fail(
						err, TP_EFORMAT, "metadata \"%.60s\" is not a text", mk);
				rc = tp_weights_add_meta(w, mk, json_string_value(mv), err);
				if (rc)
					return rc;
			}
		}
		if (rc)
			return rc;
	}
	rc = check_cover(w, data, len, err);
	return rc ? rc : tp_weights_seal(w, err);
}

tp_code tp_safetensors_parse(tp_weights **out, const void *bytes, size_t len, tp_err *err)
{
	const uint8_t *p = bytes;
	uint64_t n = 0;
	json_t *head = NULL;
	if (len < 8)
		return tp_fail(err, TP_EFORMAT, "%zu bytes are no safetensors file", len);
	for (int i = 7; i >= 0; i--)
		n = n << 8 | p[i];
	if (n > len - 8 || n > TP_MAX_ST_HEADER)
		return tp_fail(
			err, TP_EFORMAT, "header of %llu bytes in a file of %zu", (unsigned long long)n, len);
	tp_weights *w = tp_calloc(1, sizeof *w);
	if (!w)
		return tp_nomem(err, sizeof *w);
	tp_code rc = tp_json_parse(&head, (const char *)p + 8, (size_t)n, "safetensors header", err);
	if (!rc && !json_is_object(head))
		rc = tp_fail(err, TP_EFORMAT, "safetensors header is not an object");
	if (!rc)
		rc = parse_header(w, head, p + 8 + n, len - 8 - (size_t)n, err);
	if (!rc) {
		*out = w;
		w = NULL;
	}
	json_decref(head);
	tp_weights_free(w);
	return rc;
}

tp_code tp_safetensors_open(tp_weights **out, const char *path, tp_err *err)
{
	tp_map map = { 0 };
	tp_code rc = tp_map_open(&map, path, err);
	if (rc)
		return rc;
	rc = tp_safetensors_parse(out, map.ptr, map.len, err);
	if (rc) {
		tp_map_close(&map);
		return tp_context(err, rc, "%s: ", path);
	}
	(*out)->map = map;
	return TP_OK;
}

static tp_code build_header(
	tp_buf *b, const tp_tensor *t, size_t n, const tp_meta *meta, size_t n_meta, tp_err *err)
{
	json_t *head = json_object(), *m = json_object();
	char *text = NULL;
	size_t at = 0;
	for (size_t i = 0; i < n_meta; i++)
		json_object_set_new(m, meta[i].key, json_string(meta[i].value));
	json_object_set_new(head, "__metadata__", m);
	for (size_t i = 0; i < n; i++) {
		json_t *shape = json_array();
		for (int d = 0; d < t[i].ndim; d++)
			json_array_append_new(shape, json_integer(t[i].dim[d]));
		json_object_set_new(head, t[i].name,
			json_pack("{s:s, s:o, s:[I, I]}", "dtype", tp_dtype_name(t[i].dtype), "shape", shape,
				"data_offsets", (json_int_t)at, (json_int_t)(at + t[i].size)));
		at += t[i].size;
	}
	tp_code rc = TP_OK;
	if (json_object_size(head) != n + 1 || json_object_size(m) != n_meta)
		rc = tp_fail(err, TP_EINVAL, "a name or text is not UTF-8, or a name is there twice");
	if (!rc)
		rc = tp_json_dump(&text, head, err);
	json_decref(head);
	if (!rc)
		rc = tp_buf_adds(b, text, err);
	while (!rc && b->len % 8)
		rc = tp_buf_add(b, " ", 1, err); /* so that data begins at a multiple of 8 */
	tp_free(text);
	return rc;
}

tp_code tp_safetensors_save(
	const char *path, const tp_tensor *t, size_t n, const tp_meta *meta, size_t n_meta, tp_err *err)
{
	tp_buf head;
	tp_outfile *f = NULL;
	uint8_t size[8];
	tp_buf_init(&head, TP_MAX_JSON);
	tp_code rc = build_header(&head, t, n, meta, n_meta, err);
	if (!rc)
		rc = tp_outfile_open(&f, path, err);
	for (int i = 0; i < 8; i++)
		size[i] = (uint8_t)(head.len >> (8 * i));
	if (!rc)
		rc = tp_outfile_write(f, size, 8, err);
	if (!rc)
		rc = tp_outfile_write(f, head.ptr, head.len, err);
	for (size_t i = 0; i < n && !rc; i++)
		rc = tp_outfile_write(f, t[i].data, t[i].size, err);
	if (!rc)
		rc = tp_outfile_commit(&f, err);
	tp_outfile_abort(&f);
	tp_buf_dispose(&head);
	return rc;
}

tp_code tp_safetensors_render(uint8_t **out, size_t *len, const tp_tensor *t, size_t n, const tp_meta *meta,
	size_t n_meta, tp_err *err)
{
	tp_buf head;
	size_t total = 8, at;
	uint8_t *p = NULL;
	tp_buf_init(&head, TP_MAX_JSON);
	tp_code rc = build_header(&head, t, n, meta, n_meta, err);
	if (rc)
		goto out;
	at = total += head.len;
	for (size_t i = 0; i < n; i++)
		total += t[i].size;
	p = tp_alloc(total);
	if (!p) {
		rc = tp_nomem(err, total);
		goto out;
	}
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(head.len >> (8 * i));
	memcpy(p + 8, head.ptr, head.len);
	for (size_t i = 0; i < n; i++) {
		if (t[i].size)
			memcpy(p + at, t[i].data, t[i].size);
		at += t[i].size;
	}
	*out = p;
	*len = total;
out:
	tp_buf_dispose(&head);
	return rc;
}
