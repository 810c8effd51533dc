/* Opening and searching an index: see index.h. The file is mapped; opening checks every number in it once, so that
 * searching may trust them. docs/formats.md lists what is checked. */
#include "retrieve/index.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "nn/nn.h"
#include "retrieve/index_int.h"

struct tp_index {
	tp_weights *w;
	char *folder; /* of the index file */
	const char *model_sha256, *photo_root;
	size_t n, dim, n_species, n_texts;
	const uint8_t *embeddings, *ids; /* F16, little-endian, unaligned */
	const int64_t *offsets, *species, *by_id, *refs;
	const char *texts;
	tp_ref *ref;
	char (*hex)[TP_ID_HEX + 1];
};

static tp_code take(const void **out, size_t *rows, const tp_index *x, const char *name, tp_dtype dtype,
	int ndim, size_t columns, tp_err *err)
{
	const tp_tensor *t = tp_weights_find(x->w, name);
	if (!t || t->dtype != dtype || t->ndim != ndim || (ndim == 2 && (size_t)t->dim[1] != columns))
		return tp_fail(err, TP_EFORMAT, "tensor \"%s\" is missing or has another shape", name);
	if (dtype == TP_I64 && (uintptr_t)t->data % 8)
		return tp_fail(err, TP_EFORMAT, "tensor \"%s\" is not aligned", name);
	*out = t->data;
	*rows = (size_t)t->dim[0];
	return TP_OK;
}

static tp_code take_all(tp_index *x, tp_err *err)
{
	const tp_tensor *e = tp_weights_find(x->w, TP_IX_EMBEDDINGS);
	size_t n_off = 0, n_ids = 0, n_by = 0, n_refs = 0;
	const void *p[7] = { 0 };
	if (!e || e->ndim != 2 || e->dim[1] < 1 || e->dim[1] > TP_MAX_DIM)
		return tp_fail(
			err, TP_EFORMAT, "tensor \"" TP_IX_EMBEDDINGS "\" is missing or has another shape");
	x->dim = (size_t)e->dim[1];
	tp_code rc = take(&p[0], &x->n, x, TP_IX_EMBEDDINGS, TP_F16, 2, x->dim, err);
	if (!rc)
		rc = take(&p[1], &n_off, x, TP_IX_OFFSETS, TP_I64, 1, 0, err);
	if (!rc)
		rc = take(&p[2], &x->n_species, x, TP_IX_SPECIES, TP_I64, 1, 0, err);
	if (!rc)
		rc = take(&p[3], &n_ids, x, TP_IX_IDS, TP_U8, 2, TP_ID_BYTES, err);
	if (!rc)
		rc = take(&p[4], &n_by, x, TP_IX_BY_ID, TP_I64, 1, 0, err);
	if (!rc)
		rc = take(&p[5], &n_refs, x, TP_IX_REFS, TP_I64, 2, TP_REF_TEXTS, err);
	if (!rc)
		rc = take(&p[6], &x->n_texts, x, TP_IX_TEXTS, TP_U8, 1, 0, err);
	if (rc)
		return rc;
	if (n_ids != x->n || n_by != x->n || n_refs != x->n || n_off != x->n_species + 1)
		return tp_fail(err, TP_EFORMAT,
			"%zu rows with %zu ids, %zu in their order, %zu refs; %zu offsets of %zu species",
			x->n, n_ids, n_by, n_refs, n_off, x->n_species);
	if (x->n > UINT32_MAX)
		return tp_fail(err, TP_ELIMIT, "%zu rows, at most %u are read", x->n, UINT32_MAX);
	x->embeddings = p[0];
	x->offsets = p[1];
	x->species = p[2];
	x->ids = p[3];
	x->by_id = p[4];
	x->refs = p[5];
	x->texts = p[6];
	return TP_OK;
}

static const char *text_at(const tp_index *x, int64_t at)
{
	return at >= 0 && (size_t)at < x->n_texts ? x->texts + at : NULL;
}

bool tp_index_is_safe(const char *path)
{
	if (!*path || *path == '/')
		return false;
	for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
		if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
			return false;
	return true;
}

static tp_code check_species(const tp_index *x, tp_err *err)
{
	if (x->n_texts && x->texts[x->n_texts - 1])
		return tp_fail(err, TP_EFORMAT, "texts do not end");
	for (size_t s = 0; s <= x->n_species; s++)
		if (x->offsets[s] < (s ? x->offsets[s - 1] : 0) || (size_t)x->offsets[s] > x->n)
			return tp_fail(err, TP_EFORMAT, "offsets of species %zu run backwards", s);
	if (x->offsets[0] != 0 || (size_t)x->offsets[x->n_species] != x->n)
		return tp_fail(err, TP_EFORMAT, "species do not cover the rows");
	for (size_t s = 0; s < x->n_species; s++) {
		const char *name = text_at(x, x->species[s]),
			   *before = s ? text_at(x, x->species[s - 1]) : "";
		if (!name || strcmp(before, name) >= 0)
			return tp_fail(err, TP_EFORMAT, "names of species are not sorted");
	}
	return TP_OK;
}

static int compare_ids(const tp_index *x, size_t a, size_t b)
{
	return memcmp(x->ids + a * TP_ID_BYTES, x->ids + b * TP_ID_BYTES, TP_ID_BYTES);
}

/* A photo stands once under a species, and may stand under several. That the order is strict, by id and then by row,
 * makes it name every row. */
static tp_code check_ids(const tp_index *x, tp_err *err)
{
	for (size_t s = 0; s < x->n_species; s++)
		for (size_t i = (size_t)x->offsets[s] + 1; i < (size_t)x->offsets[s + 1]; i++)
			if (compare_ids(x, i - 1, i) >= 0)
				return tp_fail(err, TP_EFORMAT,
					"row %zu: ids of a species are not sorted, or one is there twice", i);
	for (size_t i = 0; i < x->n; i++) {
		if (x->by_id[i] < 0 || (size_t)x->by_id[i] >= x->n)
			return tp_fail(err, TP_EFORMAT, "place %zu in the order of ids is no row", i);
		int c = i ? compare_ids(x, (size_t)x->by_id[i - 1], (size_t)x->by_id[i]) : -1;
		if (c > 0 || (c == 0 && x->by_id[i - 1] >= x->by_id[i]))
			return tp_fail(err, TP_EFORMAT, "place %zu in the order of ids is not sorted", i);
	}
	return TP_OK;
}

/* A half whose exponent is all ones is infinite or no number. Looking at a whole row before deciding lets the
 * compiler take many at once: this reads the whole file. */
static tp_code check_embeddings(const tp_index *x, tp_err *err)
{
	for (size_t row = 0; row < x->n; row++) {
		const uint8_t *e = x->embeddings + row * x->dim * 2;
		unsigned bad = 0;
		for (size_t i = 0; i < x->dim; i++)
			bad |= (e[2 * i + 1] & 0x7c) == 0x7c;
		if (bad)
			return tp_fail(err, TP_EFORMAT, "row %zu: its embedding is not finite", row);
	}
	return TP_OK;
}

static tp_code make_refs(tp_index *x, tp_err *err)
{
	static const char digits[] = "0123456789abcdef";
	x->ref = tp_calloc(x->n, sizeof *x->ref);
	x->hex = tp_calloc(x->n, sizeof *x->hex);
	if (!x->ref || !x->hex)
		return tp_nomem(err, x->n * sizeof *x->ref);
	for (size_t i = 0; i < x->n; i++) {
		const char *t[TP_REF_TEXTS];
		for (int k = 0; k < TP_REF_TEXTS; k++) {
			t[k] = text_at(x, x->refs[i * TP_REF_TEXTS + (size_t)k]);
			if (!t[k])
				return tp_fail(err, TP_EFORMAT, "row %zu names a text that is not there", i);
		}
		if (!tp_index_is_safe(t[0]))
			return tp_fail(
				err, TP_EFORMAT, "row %zu: path \"%.80s\" leaves the photo folder", i, t[0]);
		for (int b = 0; b < TP_ID_BYTES; b++) {
			x->hex[i][2 * b] = digits[x->ids[i * TP_ID_BYTES + (size_t)b] >> 4];
			x->hex[i][2 * b + 1] = digits[x->ids[i * TP_ID_BYTES + (size_t)b] & 15];
		}
		x->ref[i] = (tp_ref){ x->hex[i], t[0], t[1], t[2], t[3], t[4] };
	}
	return TP_OK;
}

static tp_code check_meta(tp_index *x, tp_err *err)
{
	const char *version = tp_weights_meta(x->w, "tepal.index");
	x->model_sha256 = tp_weights_meta(x->w, "model_sha256");
	x->photo_root = tp_weights_meta(x->w, "photo_root");
	if (!version || strcmp(version, "1") != 0 || !x->model_sha256 || !x->photo_root)
		return tp_fail(err, TP_EFORMAT, "not an index of reference photos, or of another version");
	return TP_OK;
}

static tp_code check(tp_index *x, tp_err *err)
{
	tp_code rc = check_meta(x, err);
	if (!rc)
		rc = take_all(x, err);
	if (!rc)
		rc = check_species(x, err);
	if (!rc)
		rc = check_ids(x, err);
	if (!rc)
		rc = check_embeddings(x, err);
	return rc ? rc : make_refs(x, err);
}

/* The index of these tensors, which it takes over whatever comes of it. */
static tp_code from_weights(tp_index **out, tp_weights *w, const char *folder, size_t folder_len, tp_err *err)
{
	tp_index *x = tp_calloc(1, sizeof *x);
	if (!x) {
		tp_weights_free(w);
		return tp_nomem(err, sizeof *x);
	}
	x->w = w;
	x->folder = tp_strndup(folder, folder_len);
	tp_code rc = x->folder ? check(x, err) : tp_nomem(err, folder_len);
	if (rc) {
		tp_index_close(x);
		return rc;
	}
	*out = x;
	return TP_OK;
}

tp_code tp_index_open(tp_index **out, const char *path, tp_err *err)
{
	const char *slash = strrchr(path, '/');
	tp_weights *w = NULL;
	tp_code rc = tp_safetensors_open(&w, path, err);
	if (rc)
		return rc; /* names the path already */
	rc = slash ? from_weights(out, w, path, (size_t)(slash - path + (slash == path)), err)
		   : from_weights(out, w, ".", 1, err);
	return rc ? tp_context(err, rc, "%s: ", path) : TP_OK;
}

tp_code tp_index_parse(tp_index **out, const void *bytes, size_t len, const char *folder, tp_err *err)
{
	tp_weights *w = NULL;
	tp_code rc = tp_safetensors_parse(&w, bytes, len, err);
	return rc ? rc : from_weights(out, w, folder, strlen(folder), err);
}

void tp_index_close(tp_index *x)
{
	if (!x)
		return;
	tp_weights_free(x->w);
	tp_free(x->folder);
	tp_free(x->ref);
	tp_free(x->hex);
	tp_free(x);
}

const char *tp_index_model_sha256(const tp_index *x)
{
	return x->model_sha256;
}

size_t tp_index_count(const tp_index *x)
{
	return x->n;
}

int tp_index_dim(const tp_index *x)
{
	return (int)x->dim;
}

const tp_ref *tp_index_ref(const tp_index *x, size_t row)
{
	return row < x->n ? &x->ref[row] : NULL;
}

long tp_index_find(const tp_index *x, const char *id)
{
	size_t lo = 0, hi = x->n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2, row = (size_t)x->by_id[mid];
		int c = strcmp(x->hex[row], id);
		if (c == 0)
			return (long)row;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

tp_code tp_index_photo_path(char **out, const tp_index *x, size_t row, tp_err *err)
{
	char *root =
		*x->photo_root == '/' ? tp_strdup(x->photo_root) : tp_path_join(x->folder, x->photo_root);
	char *p = root ? tp_path_join(root, x->ref[row].path) : NULL;
	tp_free(root);
	if (!p)
		return tp_nomem(err, strlen(x->ref[row].path));
	*out = p;
	return TP_OK;
}

static float half_at(const uint8_t *p)
{
	uint16_t h = (uint16_t)(p[0] | p[1] << 8);
	return tp_half_to_float(h);
}

/* Larger is better; to a feature that holds no number nothing is like. */
static float similarity(const tp_index *x, size_t row, const float *f, float norm)
{
	const uint8_t *e = x->embeddings + row * x->dim * 2;
	float sum = 0;
	for (size_t i = 0; i < x->dim; i++)
		sum += half_at(e + 2 * i) * f[i];
	sum /= norm;
	return isfinite(sum) ? fminf(1, fmaxf(-1, sum)) : -1;
}

typedef struct {
	bool preferred;
	tp_hit hit;
} ranked;

static bool before(const ranked *a, const ranked *b)
{
	if (a->preferred != b->preferred)
		return a->preferred;
	return a->hit.similarity > b->hit.similarity;
}

int tp_index_search(
	tp_hit *out, int k, const tp_index *x, const char *species, const float *feature, const char *prefer)
{
	size_t lo = 0, hi = x->n_species;
	ranked best[TP_MAX_HITS];
	int n = 0;
	double sq = 0;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (strcmp(text_at(x, x->species[mid]), species) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == x->n_species || strcmp(text_at(x, x->species[lo]), species) != 0)
		return 0;
	k = k < 0 ? 0 : k > TP_MAX_HITS ? TP_MAX_HITS : k;
	if (prefer && !strcmp(prefer, "auto"))
		prefer = NULL;
	for (size_t i = 0; i < x->dim; i++)
		sq += (double)feature[i] * feature[i];
	float norm = sq > 0 ? (float)sqrt(sq) : 1;
	for (int64_t row = x->offsets[lo]; row < x->offsets[lo + 1]; row++) {
		ranked r = { prefer && !strcmp(x->ref[row].organ, prefer),
			{ (uint32_t)row, similarity(x, (size_t)row, feature, norm) } };
		if (n == k && !(k && before(&r, &best[n - 1])))
			continue;
		int i = n < k ? n++ : n - 1;
		for (; i > 0 && before(&r, &best[i - 1]); i--)
			best[i] = best[i - 1];
		best[i] = r;
	}
	for (int i = 0; i < n; i++)
		out[i] = best[i].hit;
	return n;
}
