/* Writing an index: see index.h and index_int.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "nn/nn.h"
#include "retrieve/index.h"
#include "retrieve/index_int.h"

typedef struct {
	tp_buf texts;
	int64_t last
		[TP_REF_TEXTS]; /* where the text before in each column begins: neighbours often share it */
	int64_t *offsets, *species, *by_id, *refs;
	uint8_t *ids;
	uint16_t *embeddings;
	size_t n_species;
} builder;

static int by_species_then_id(const void *a, const void *b)
{
	const tp_index_row *x = a, *y = b;
	int c = strcmp(x->species, y->species);
	return c ? c : strcmp(x->ref.id, y->ref.id);
}

typedef struct {
	const uint8_t *id;
	int64_t row;
} keyed;

static int by_id(const void *a, const void *b)
{
	const keyed *x = a, *y = b;
	int c = memcmp(x->id, y->id, TP_ID_BYTES);
	return c ? c : (x->row > y->row) - (x->row < y->row);
}

static tp_code add_text(builder *b, int64_t *at, const char *s, tp_err *err)
{
	*at = (int64_t)b->texts.len;
	return tp_buf_add(&b->texts, s ? s : "", s ? strlen(s) + 1 : 1, err);
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static tp_code add_id(uint8_t *out, const char *hex, tp_err *err)
{
	if (strlen(hex) != TP_ID_HEX)
		return tp_fail(err, TP_EINVAL, "id \"%.50s\" has not %d digits", hex, TP_ID_HEX);
	for (int i = 0; i < TP_ID_BYTES; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return tp_fail(err, TP_EINVAL, "id \"%.50s\" is not hexadecimal", hex);
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return TP_OK;
}

static tp_code check_row(const tp_index_row *r, tp_err *err)
{
	if (!*r->species)
		return tp_fail(err, TP_EINVAL, "photo \"%.80s\" has no species", r->ref.path);
	if (!tp_index_is_safe(r->ref.path))
		return tp_fail(err, TP_EINVAL, "path \"%.80s\" leaves the photo folder", r->ref.path);
	return TP_OK;
}

static tp_code add_embedding(uint16_t *out, const float *f, int dim, tp_err *err)
{
	double sq = 0;
	for (int i = 0; i < dim; i++)
		sq += (double)f[i] * f[i];
	if (!isfinite(sq))
		return tp_fail(err, TP_EINVAL, "a feature is not finite");
	double scale = sq > 0 ? 1 / sqrt(sq) : 0;
	for (int i = 0; i < dim; i++)
		out[i] = tp_float_to_half((float)(f[i] * scale));
	return TP_OK;
}

static tp_code add_row(builder *b, size_t i, const tp_index_row *rows, int dim, tp_err *err)
{
	const tp_index_row *r = &rows[i];
	const char *text[TP_REF_TEXTS] = { r->ref.path, r->ref.organ, r->ref.author, r->ref.licence,
		r->ref.source };
	tp_code rc = TP_OK;
	if (!i || strcmp(rows[i - 1].species, r->species) != 0) {
		b->offsets[b->n_species] = (int64_t)i;
		rc = add_text(b, &b->species[b->n_species++], r->species, err);
	}
	for (int k = 0; k < TP_REF_TEXTS && !rc; k++) {
		int64_t *at = &b->refs[i * TP_REF_TEXTS + (size_t)k];
		*at = b->last[k];
		if (!i || strcmp(b->texts.ptr + b->last[k], text[k] ? text[k] : "") != 0)
			rc = add_text(b, at, text[k], err);
		b->last[k] = *at;
	}
	if (!rc)
		rc = add_id(b->ids + i * TP_ID_BYTES, r->ref.id, err);
	if (!rc)
		rc = add_embedding(b->embeddings + i * (size_t)dim, r->feature, dim, err);
	return rc ? tp_context(err, rc, "photo \"%.80s\": ", r->ref.path) : TP_OK;
}

static tp_code sort_ids(builder *b, size_t n, tp_err *err)
{
	keyed *k = tp_alloc(n * sizeof *k);
	if (!k)
		return tp_nomem(err, n * sizeof *k);
	for (size_t i = 0; i < n; i++)
		k[i] = (keyed){ b->ids + i * TP_ID_BYTES, (int64_t)i };
	if (n)
		qsort(k, n, sizeof *k, by_id);
	for (size_t i = 0; i < n; i++)
		b->by_id[i] = k[i].row;
	tp_free(k);
	return TP_OK;
}

static tp_code write(const builder *b, const char *path, const char *model_sha256, int dim, size_t n,
	const char *photo_root, tp_err *err)
{
	int64_t r = (int64_t)n, s = (int64_t)b->n_species, t = (int64_t)b->texts.len;
	const tp_tensor tensors[] = {
		{ TP_IX_OFFSETS, TP_I64, 1, { s + 1 }, b->offsets, (size_t)(s + 1) * 8 },
		{ TP_IX_SPECIES, TP_I64, 1, { s }, b->species, (size_t)s * 8 },
		{ TP_IX_BY_ID, TP_I64, 1, { r }, b->by_id, n * 8 },
		{ TP_IX_REFS, TP_I64, 2, { r, TP_REF_TEXTS }, b->refs, n * TP_REF_TEXTS * 8 },
		{ TP_IX_EMBEDDINGS, TP_F16, 2, { r, dim }, b->embeddings, n * (size_t)dim * 2 },
		{ TP_IX_IDS, TP_U8, 2, { r, TP_ID_BYTES }, b->ids, n * TP_ID_BYTES },
		{ TP_IX_TEXTS, TP_U8, 1, { t }, b->texts.ptr, b->texts.len },
	};
	const tp_meta meta[] = { { "tepal.index", "1" }, { "model_sha256", model_sha256 },
		{ "photo_root", photo_root } };
	return tp_safetensors_save(path, tensors, sizeof tensors / sizeof *tensors, meta, 3, err);
}

static tp_code build(builder *b, const tp_index_row *rows, size_t n, int dim, tp_err *err)
{
	b->offsets = tp_calloc(n + 1, 8);
	b->species = tp_calloc(n, 8);
	b->by_id = tp_calloc(n, 8);
	b->refs = tp_calloc(n, TP_REF_TEXTS * 8);
	b->ids = tp_calloc(n, TP_ID_BYTES);
	b->embeddings = tp_calloc(n, (size_t)dim * 2);
	if (!b->offsets || !b->species || !b->by_id || !b->refs || !b->ids || !b->embeddings)
		return tp_nomem(err, n * (size_t)dim * 2);
	tp_code rc = TP_OK;
	for (size_t i = 0; i < n && !rc; i++)
		rc = add_row(b, i, rows, dim, err);
	b->offsets[b->n_species] = (int64_t)n;
	return rc ? rc : sort_ids(b, n, err);
}

static void dispose(builder *b)
{
	tp_buf_dispose(&b->texts);
	tp_free(b->offsets);
	tp_free(b->species);
	tp_free(b->by_id);
	tp_free(b->refs);
	tp_free(b->ids);
	tp_free(b->embeddings);
}

static tp_code check_rows(int dim, const tp_index_row *rows, size_t n, tp_err *err)
{
	if (dim < 1 || dim > TP_MAX_DIM)
		return tp_fail(err, TP_EINVAL, "embeddings of %d numbers: 1..%d are kept", dim, TP_MAX_DIM);
	for (size_t i = 0; i < n; i++) {
		tp_code rc = check_row(&rows[i], err);
		if (rc)
			return rc;
	}
	return TP_OK;
}

tp_code tp_index_save(const char *path, const char *model_sha256, int dim, const tp_index_row *rows, size_t n,
	const char *photo_root, tp_err *err)
{
	builder b = { 0 };
	size_t kept = 0;
	tp_code rc = check_rows(dim, rows, n, err);
	if (rc)
		return rc;
	tp_buf_init(&b.texts, (size_t)4 << 30);
	tp_index_row *v = tp_alloc(n * sizeof *v);
	if (!v)
		return tp_nomem(err, n * sizeof *v);
	if (n) {
		memcpy(v, rows, n * sizeof *v);
		qsort(v, n, sizeof *v, by_species_then_id);
	}
	for (size_t i = 0; i < n; i++) /* the same file twice under one species is one photo */
		if (!kept || by_species_then_id(&v[kept - 1], &v[i]) != 0)
			v[kept++] = v[i];
	rc = build(&b, v, kept, dim, err);
	if (!rc)
		rc = write(&b, path, model_sha256, dim, kept, photo_root, err);
	dispose(&b);
	tp_free(v);
	return rc;
}
