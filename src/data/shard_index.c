/* The index of a split's shards: see shard_int.h, and docs/formats.md for its bytes. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/shard_int.h"
#include "data/tar.h"

static const char magic[] = "tepalidx"; /* 8 bytes of it */

/* Fields of a row. */
enum {
	OFFSET = 0,
	LENGTH = 8,
	CRC = 12,
	SHARD = 16,
	LABEL = 20,
	WIDTH = 24,
	HEIGHT = 26,
	NUMBER = 28,
	TEXTS = 32,
	N_TEXTS = 5,
	ZERO = 52
};

static uint32_t u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t u64(const uint8_t *p)
{
	return u32(p) | (uint64_t)u32(p + 4) << 32;
}

static void put(uint8_t *p, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

void tp_shard_member_name(char out[TP_SHARD_KEY], uint32_t number, const char *ext)
{
	snprintf(out, TP_SHARD_KEY, "%09u.%s", (unsigned)number, ext);
}

/* ---- reading --------------------------------------------------------------------------------------------- */

tp_shard_row tp_shard_index_row(const tp_shard_index *x, size_t i)
{
	const uint8_t *p = x->rows + i * TP_SHARD_INDEX_ROW;
	tp_shard_row r = { .offset = u64(p + OFFSET),
		.length = u32(p + LENGTH),
		.crc = u32(p + CRC),
		.shard = u32(p + SHARD),
		.label = u32(p + LABEL),
		.number = u32(p + NUMBER),
		.width = p[WIDTH] | p[WIDTH + 1] << 8,
		.height = p[HEIGHT] | p[HEIGHT + 1] << 8 };
	const char **text[N_TEXTS] = { &r.path, &r.organ, &r.source, &r.licence, &r.author };
	for (int k = 0; k < N_TEXTS; k++)
		*text[k] = x->text + u32(p + TEXTS + 4 * k);
	return r;
}

static tp_code check_row(const tp_shard_index *x, size_t i, tp_err *err)
{
	const uint8_t *p = x->rows + i * TP_SHARD_INDEX_ROW;
	for (int k = 0; k < N_TEXTS; k++)
		if (u32(p + TEXTS + 4 * k) >= x->text_len)
			return tp_fail(err, TP_EFORMAT, "text %d lies at %u of %zu bytes", k,
				(unsigned)u32(p + TEXTS + 4 * k), x->text_len);
	tp_shard_row r = tp_shard_index_row(x, i), before = { .shard = 0 };
	uint64_t from = 0; /* where the member's header may begin */
	if (i)
		before = tp_shard_index_row(x, i - 1);
	if (i && before.shard == r.shard)
		from = before.offset + tp_tar_padded(before.length);
	if (r.shard >= x->n_shards || r.shard < before.shard)
		return tp_fail(err, TP_EFORMAT, "shard %u of %u, behind %u", (unsigned)r.shard,
			(unsigned)x->n_shards, (unsigned)before.shard);
	if (r.offset % TP_TAR_BLOCK || r.offset > (uint64_t)1 << 50 || r.offset < from + TP_TAR_BLOCK)
		return tp_fail(err, TP_EFORMAT, "cannot lie at byte %llu", (unsigned long long)r.offset);
	if (!r.length || r.length > TP_MAX_PHOTO_FILE)
		return tp_fail(err, TP_EFORMAT, "length %u", (unsigned)r.length);
	if (r.label >= x->n_classes)
		return tp_fail(err, TP_EFORMAT, "class %u of %u", (unsigned)r.label, (unsigned)x->n_classes);
	if (!r.width || !r.height || r.number > 999999999 || u32(p + ZERO))
		return tp_fail(err, TP_EFORMAT, "%d x %d pixels, key %u, %u where there is nothing", r.width,
			r.height, (unsigned)r.number, (unsigned)u32(p + ZERO));
	if (!tp_is_inside(r.path))
		return tp_fail(err, TP_EFORMAT, "path \"%.80s\" leaves the folder", r.path);
	return TP_OK;
}

static tp_code check_rows(const tp_shard_index *x, tp_err *err)
{
	for (size_t i = 0; i < x->n; i++) {
		tp_code rc = check_row(x, i, err);
		if (rc)
			return tp_context(err, rc, "photo %zu: ", i);
	}
	return TP_OK;
}

tp_code tp_shard_index_parse(tp_shard_index *out, const uint8_t *p, size_t len, tp_err *err)
{
	if (len < TP_SHARD_INDEX_HEAD || memcmp(p, magic, 8) != 0)
		return tp_fail(err, TP_EFORMAT, "no index of shards");
	if (u32(p + 8) != TP_SHARD_INDEX_VERSION)
		return tp_fail(err, TP_EFORMAT, "an index of version %u, this program reads version %d",
			(unsigned)u32(p + 8), TP_SHARD_INDEX_VERSION);
	uint64_t n = u64(p + 16), text_len = u64(p + 32);
	size_t left = len - TP_SHARD_INDEX_HEAD;
	if (n > left / TP_SHARD_INDEX_ROW || text_len != left - n * TP_SHARD_INDEX_ROW)
		return tp_fail(err, TP_EFORMAT, "%zu bytes are not %llu photos and %llu bytes of text", len,
			(unsigned long long)n, (unsigned long long)text_len);
	tp_shard_index x = { .rows = p + TP_SHARD_INDEX_HEAD, .n = (size_t)n, .text_len = (size_t)text_len };
	x.n_shards = u32(p + 12);
	x.n_classes = u32(p + 24);
	x.text = (const char *)x.rows + x.n * TP_SHARD_INDEX_ROW;
	for (int i = 28; i < TP_SHARD_INDEX_HEAD; i++)
		if (p[i] && (i < 32 || i >= 40))
			return tp_fail(err, TP_EFORMAT, "byte %d: %d where there is nothing", i, p[i]);
	if (!text_len || x.text[0] || x.text[text_len - 1])
		return tp_fail(err, TP_EFORMAT, "the texts do not begin and end with a NUL");
	if (x.n_shards > TP_MAX_SHARDS || x.n_classes > TP_MAX_CLASSES)
		return tp_fail(
			err, TP_ELIMIT, "%u shards, %u classes", (unsigned)x.n_shards, (unsigned)x.n_classes);
	tp_code rc = check_rows(&x, err);
	if (!rc)
		*out = x;
	return rc;
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

/* Texts that are there already are not written again: authors and licences are few. */
typedef struct {
	tp_buf text;
	uint32_t *slot; /* offsets; 0: empty */
	size_t n_slots, used;
} pool;

static size_t hash(const char *s)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static uint32_t *find(const pool *p, uint32_t *slot, size_t n, const char *s)
{
	size_t i = hash(s) & (n - 1);
	while (slot[i] && strcmp(p->text.ptr + slot[i], s) != 0)
		i = (i + 1) & (n - 1);
	return &slot[i];
}

static tp_code grow(pool *p, tp_err *err)
{
	size_t n = p->n_slots ? 2 * p->n_slots : 1024;
	uint32_t *slot = tp_calloc(n, sizeof *slot);
	if (!slot)
		return tp_nomem(err, n * sizeof *slot);
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slot[i])
			*find(p, slot, n, p->text.ptr + p->slot[i]) = p->slot[i];
	tp_free(p->slot);
	p->slot = slot;
	p->n_slots = n;
	return TP_OK;
}

static tp_code intern(uint32_t *out, pool *p, const char *s, tp_err *err)
{
	*out = 0;
	if (!*s)
		return TP_OK;
	tp_code rc = 2 * p->used >= p->n_slots ? grow(p, err) : TP_OK;
	if (rc)
		return rc;
	uint32_t *at = find(p, p->slot, p->n_slots, s);
	if (!*at) {
		uint32_t offset = (uint32_t)p->text.len;
		rc = tp_buf_add(&p->text, s, strlen(s) + 1, err);
		if (rc)
			return rc;
		*at = offset;
		p->used++;
	}
	*out = *at;
	return TP_OK;
}

static tp_code add_row(tp_buf *out, pool *texts, const tp_shard_row *r, tp_err *err)
{
	uint8_t b[TP_SHARD_INDEX_ROW] = { 0 };
	const char *text[N_TEXTS] = { r->path, r->organ, r->source, r->licence, r->author };
	put(b + OFFSET, r->offset, 8);
	put(b + LENGTH, r->length, 4);
	put(b + CRC, r->crc, 4);
	put(b + SHARD, r->shard, 4);
	put(b + LABEL, r->label, 4);
	put(b + WIDTH, (uint64_t)r->width, 2);
	put(b + HEIGHT, (uint64_t)r->height, 2);
	put(b + NUMBER, r->number, 4);
	for (int k = 0; k < N_TEXTS; k++) {
		uint32_t at = 0;
		tp_code rc = intern(&at, texts, text[k], err);
		if (rc)
			return rc;
		put(b + TEXTS + 4 * k, at, 4);
	}
	return tp_buf_add(out, b, sizeof b, err);
}

tp_code tp_shard_index_write(
	tp_buf *out, const tp_shard_row *rows, size_t n, uint32_t n_shards, uint32_t n_classes, tp_err *err)
{
	uint8_t head[TP_SHARD_INDEX_HEAD] = { 0 };
	pool texts = { 0 };
	size_t start = out->len;
	tp_buf_init(&texts.text, UINT32_MAX);
	memcpy(head, magic, 8);
	put(head + 8, TP_SHARD_INDEX_VERSION, 4);
	put(head + 12, n_shards, 4);
	put(head + 16, n, 8);
	put(head + 24, n_classes, 4);
	tp_code rc = tp_buf_add(&texts.text, "", 1, err);
	if (!rc)
		rc = tp_buf_add(out, head, sizeof head, err);
	for (size_t i = 0; i < n && !rc; i++)
		rc = add_row(out, &texts, &rows[i], err);
	if (!rc)
		put((uint8_t *)out->ptr + start + 32, texts.text.len, 8);
	if (!rc)
		rc = tp_buf_add(out, texts.text.ptr, texts.text.len, err);
	tp_buf_dispose(&texts.text);
	tp_free(texts.slot);
	return rc;
}
