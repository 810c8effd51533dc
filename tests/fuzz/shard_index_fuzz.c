/* Fuzz target: the index of a split's shards. What is accepted lies where it says, and written again reads the same. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/shard_int.h"
#include "data/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const tp_shard_index *x, const tp_shard_row *r, const tp_shard_row *before)
{
	const char *text[] = { r->path, r->organ, r->source, r->licence, r->author };
	for (size_t k = 0; k < sizeof text / sizeof *text; k++)
		if (text[k] < x->text || text[k] + strlen(text[k]) >= x->text + x->text_len)
			abort();
	if (!tp_is_inside(r->path) || r->shard >= x->n_shards || r->label >= x->n_classes || !r->length ||
		r->length > TP_MAX_PHOTO_FILE || r->offset < TP_TAR_BLOCK || r->width < 1 || r->height < 1)
		abort();
	if (before && before->shard == r->shard && before->offset + before->length > r->offset - TP_TAR_BLOCK)
		abort();
}

static bool same(const tp_shard_row *a, const tp_shard_row *b)
{
	return a->offset == b->offset && a->length == b->length && a->crc == b->crc && a->shard == b->shard &&
	       a->label == b->label && a->number == b->number && a->width == b->width &&
	       a->height == b->height && !strcmp(a->path, b->path) && !strcmp(a->organ, b->organ) &&
	       !strcmp(a->source, b->source) && !strcmp(a->licence, b->licence) &&
	       !strcmp(a->author, b->author);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	tp_shard_index x, again;
	tp_err err = { 0 };
	tp_buf b;
	tp_code rc = tp_shard_index_parse(&x, p, n, &err);
	if (rc && (err.code != rc || !err.msg[0]))
		abort();
	if (rc)
		return 0;
	tp_shard_row *rows = tp_calloc(x.n + 1, sizeof *rows);
	tp_buf_init(&b, 1 << 28);
	for (size_t i = 0; rows && i < x.n; i++) {
		rows[i] = tp_shard_index_row(&x, i);
		check(&x, &rows[i], i ? &rows[i - 1] : NULL);
	}
	if (!rows || tp_shard_index_write(&b, rows, x.n, x.n_shards, x.n_classes, NULL) ||
		tp_shard_index_parse(&again, (const uint8_t *)b.ptr, b.len, NULL) || again.n != x.n)
		abort();
	for (size_t i = 0; i < x.n; i++) {
		tp_shard_row r = tp_shard_index_row(&again, i);
		if (!same(&r, &rows[i]))
			abort();
	}
	tp_buf_dispose(&b);
	tp_free(rows);
	return 0;
}
