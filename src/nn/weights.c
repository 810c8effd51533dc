/* A set of named tensors: see nn.h. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "nn/weights_int.h"

void tp_weights_free(tp_weights *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++)
		tp_free((void *)(uintptr_t)w->t[i].name);
	for (size_t i = 0; i < w->n_meta; i++) {
		tp_free((void *)(uintptr_t)w->meta[i].key);
		tp_free((void *)(uintptr_t)w->meta[i].value);
	}
	tp_free(w->t);
	tp_free(w->meta);
	tp_free(w->by_name);
	tp_map_close(&w->map);
	tp_free(w->heap);
	tp_free(w);
}

size_t tp_weights_count(const tp_weights *w)
{
	return w->n;
}

const tp_tensor *tp_weights_at(const tp_weights *w, size_t i)
{
	return i < w->n ? &w->t[i] : NULL;
}

const tp_tensor *tp_weights_find(const tp_weights *w, const char *name)
{
	size_t lo = 0, hi = w->n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(w->t[w->by_name[mid]].name, name);
		if (c == 0)
			return &w->t[w->by_name[mid]];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const char *tp_weights_meta(const tp_weights *w, const char *key)
{
	for (size_t i = 0; i < w->n_meta; i++)
		if (!strcmp(w->meta[i].key, key))
			return w->meta[i].value;
	return NULL;
}

tp_code tp_weights_add(tp_weights *w, const tp_tensor *t, tp_err *err)
{
	if (w->n == TP_MAX_TENSORS)
		return tp_fail(err, TP_ELIMIT, "more than %d tensors", TP_MAX_TENSORS);
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 64;
		tp_tensor *v = tp_realloc(w->t, cap * sizeof *v);
		if (!v)
			return tp_nomem(err, cap * sizeof *v);
		w->t = v;
		w->cap = cap;
	}
	char *name = tp_strdup(t->name);
	if (!name)
		return tp_nomem(err, strlen(t->name));
	w->t[w->n] = *t;
	w->t[w->n++].name = name;
	return TP_OK;
}

tp_code tp_weights_add_meta(tp_weights *w, const char *key, const char *value, tp_err *err)
{
	tp_meta *v = tp_realloc(w->meta, (w->n_meta + 1) * sizeof *v);
	if (!v)
		return tp_nomem(err, (w->n_meta + 1) * sizeof *v);
	w->meta = v;
	v[w->n_meta] = (tp_meta){ tp_strdup(key), tp_strdup(value) };
	w->n_meta++; /* free() copes with either half missing */
	if (!v[w->n_meta - 1].key || !v[w->n_meta - 1].value) {
		tp_free((void *)(uintptr_t)v[w->n_meta - 1].key);
		tp_free((void *)(uintptr_t)v[w->n_meta - 1].value);
		w->n_meta--;
		return tp_nomem(err, strlen(value));
	}
	return TP_OK;
}

/* qsort has no context argument in C17: sort pairs that carry the name along. */
typedef struct {
	const char *name;
	size_t i;
} named;

static int by_name(const void *a, const void *b)
{
	return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

tp_code tp_weights_seal(tp_weights *w, tp_err *err)
{
	tp_code rc = TP_OK;
	named *v = tp_alloc(w->n * sizeof *v);
	w->by_name = tp_alloc(w->n * sizeof *w->by_name);
	if (!v || !w->by_name) {
		tp_free(v);
		return tp_nomem(err, w->n * sizeof *v);
	}
	for (size_t i = 0; i < w->n; i++)
		v[i] = (named){ w->t[i].name, i };
	if (w->n)
		qsort(v, w->n, sizeof *v, by_name);
	for (size_t i = 0; i < w->n; i++) {
		w->by_name[i] = v[i].i;
		if (i && !strcmp(v[i].name, v[i - 1].name))
			rc = tp_fail(err, TP_EFORMAT, "tensor \"%s\" is there twice", v[i].name);
	}
	tp_free(v);
	return rc;
}

tp_code tp_weights_copy(tp_weights **out, const tp_tensor *t, size_t n, tp_err *err)
{
	size_t total = 0;
	tp_weights *w = tp_calloc(1, sizeof *w);
	if (!w)
		return tp_nomem(err, sizeof *w);
	for (size_t i = 0; i < n; i++)
		total += (t[i].size + 7) & ~(size_t)7;
	w->heap = tp_alloc(total);
	tp_code rc = w->heap ? TP_OK : tp_nomem(err, total);
	for (size_t i = 0, at = 0; i < n && !rc; at += (t[i].size + 7) & ~(size_t)7, i++) {
		tp_tensor c = t[i];
		memcpy(w->heap + at, t[i].data, t[i].size);
		c.data = w->heap + at;
		rc = tp_weights_add(w, &c, err);
	}
	if (!rc)
		rc = tp_weights_seal(w, err);
	if (rc) {
		tp_weights_free(w);
		return rc;
	}
	*out = w;
	return TP_OK;
}

/* ---- types ----------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t size;
} dtypes[] = {
	[TP_F32] = { "F32", 4 },
	[TP_F16] = { "F16", 2 },
	[TP_BF16] = { "BF16", 2 },
	[TP_F64] = { "F64", 8 },
	[TP_I8] = { "I8", 1 },
	[TP_U8] = { "U8", 1 },
	[TP_I32] = { "I32", 4 },
	[TP_I64] = { "I64", 8 },
	[TP_BOOL] = { "BOOL", 1 },
};

size_t tp_dtype_size(tp_dtype d)
{
	return dtypes[d].size;
}

const char *tp_dtype_name(tp_dtype d)
{
	return dtypes[d].name;
}

size_t tp_tensor_count(const tp_tensor *t)
{
	return t->size / tp_dtype_size(t->dtype);
}

static float float_of_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

float tp_half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = (h >> 10) & 31, man = h & 1023;
	if (exp == 31)
		return float_of_bits(sign | 0x7f800000 | man << 13);
	if (exp == 0) { /* zero or subnormal: man * 2^-24, exact in float */
		float f = (float)man * 0x1p-24f;
		return sign ? -f : f;
	}
	return float_of_bits(sign | (exp + 112) << 23 | man << 13);
}

uint16_t tp_float_to_half(float f)
{
	uint32_t u;
	memcpy(&u, &f, sizeof u);
	uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
	u &= 0x7fffffff;
	if (u > 0x7f800000)
		return (uint16_t)(sign | 0x7e00);
	if (u >= 0x477ff000) /* rounds to 65536 or more */
		return (uint16_t)(sign | 0x7c00);
	if (u < 0x38800000) { /* below 2^-14: adding 0.5 leaves the rounded subnormal in the low bits */
		float a = float_of_bits(u) + 0.5f;
		memcpy(&u, &a, sizeof u);
		return (uint16_t)(sign | (u - 0x3f000000));
	}
	u += 0xc8000fff + (u >> 13 & 1); /* re-bias the exponent by -112, round half to even */
	return (uint16_t)(sign | u >> 13);
}

tp_code tp_tensor_floats(float *out, size_t n, const tp_tensor *t, tp_err *err)
{
	size_t count = tp_tensor_count(t);
	const uint8_t *p = t->data;
	if (count != n)
		return tp_fail(
			err, TP_EINVAL, "tensor \"%s\" has %zu values, %zu are wanted", t->name, count, n);
	switch (t->dtype) {
	case TP_F32:
		memcpy(out, p, n * 4);
		return TP_OK;
	case TP_F16:
	case TP_BF16:
		for (size_t i = 0; i < n; i++) {
			uint16_t h;
			memcpy(&h, p + 2 * i, 2);
			out[i] = t->dtype == TP_F16 ? tp_half_to_float(h) : float_of_bits((uint32_t)h << 16);
		}
		return TP_OK;
	case TP_F64:
		for (size_t i = 0; i < n; i++) {
			double d;
			memcpy(&d, p + 8 * i, 8);
			out[i] = (float)d;
		}
		return TP_OK;
	default:
		return tp_fail(err, TP_EINVAL, "tensor \"%s\" is %s, not floating point", t->name,
			tp_dtype_name(t->dtype));
	}
}
