/* Packing, first half: every photo of a split is looked at, in chunks of TP_PACK_CHUNK photos. A chunk is a file of the
 * work folder that appears whole or not at all: the photos' bytes, a tp_pack_row each, and a tail. Nobody but the
 * program that wrote it reads it, on the same machine; a tail that does not fit means that the chunk is made again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "data/shard_int.h"
#include "image/image.h"

typedef struct {
	char magic[8];
	uint64_t n, offset; /* rows, and where they begin */
	uint32_t crc, zero; /* of the rows */
} tail;
static const char magic[8] = "tpchunk";

typedef struct {
	tp_pack_split *s;
	size_t *todo; /* chunks that are not there */
	tp_progress *progress;
} job;

static size_t n_chunks(const tp_pack_split *s)
{
	return (s->n + TP_PACK_CHUNK - 1) / TP_PACK_CHUNK;
}

static size_t chunk_len(const tp_pack_split *s, size_t chunk)
{
	size_t left = s->n - chunk * TP_PACK_CHUNK;
	return left < TP_PACK_CHUNK ? left : TP_PACK_CHUNK;
}

char *tp_pack_chunk_path(const tp_pack_split *s, size_t chunk)
{
	char name[48];
	snprintf(name, sizeof name, "%s-%08zu.chunk", tp_split_names[s->split], chunk);
	return tp_path_join(s->work, name);
}

/* ---- one photo ------------------------------------------------------------------------------------------------- */

static void take_size(tp_pack_row *r, const tp_image_info *info)
{
	r->was_width = (uint32_t)(info->orientation > 4 ? info->h : info->w);
	r->was_height = (uint32_t)(info->orientation > 4 ? info->w : info->h);
}

/* The bytes as they are; decoded at an eighth only to know that they can be. */
static tp_code copy(tp_buf *out, tp_pack_row *r, const uint8_t *bytes, size_t len, tp_err *err)
{
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_image *img = NULL;
	o.min_side = 1;
	tp_code rc = tp_image_decode(&img, bytes, len, &o, err);
	tp_image_free(img);
	if (rc)
		return rc;
	r->width = (uint16_t)r->was_width;
	r->height = (uint16_t)r->was_height;
	return tp_buf_add(out, bytes, len, err);
}

static tp_code shrink(tp_image **img, int side, tp_err *err)
{
	int w = (*img)->w, h = (*img)->h, least = w < h ? w : h;
	if (!side || least <= side)
		return TP_OK;
	tp_image *small = NULL;
	double scale = (double)side / least;
	tp_code rc = tp_image_resize(
		&small, *img, (int)rint(w * scale), (int)rint(h * scale), TP_BICUBIC, NULL, err);
	if (!rc) {
		tp_image_free(*img);
		*img = small;
	}
	return rc;
}

static tp_code encode(
	tp_buf *out, tp_pack_row *r, const tp_pack_opts *o, const uint8_t *bytes, size_t len, tp_err *err)
{
	tp_decode_opts d = TP_DECODE_OPTS_INIT;
	tp_image *img = NULL;
	d.min_side = 2 * o->short_side; /* as tp_prep_photo() */
	tp_code rc = tp_image_decode(&img, bytes, len, &d, err);
	if (!rc)
		rc = shrink(&img, o->short_side, err);
	if (!rc) {
		r->width = (uint16_t)img->w;
		r->height = (uint16_t)img->h;
		rc = tp_image_encode_jpeg(out, img, o->quality, err);
	}
	tp_image_free(img);
	return rc;
}

/* The photo appended to out. What the photo itself is to blame for is written down in its row. */
static tp_code one_photo(tp_buf *out, tp_pack_row *r, const tp_pack_split *s, uint32_t i, tp_err *err)
{
	uint8_t *bytes = NULL;
	size_t len = 0, start = out->len;
	tp_image_info info;
	tp_err why = { 0 };
	tp_code rc = tp_photo_read(&bytes, &len, s->m, i, &why);
	if (!rc)
		rc = tp_image_probe(&info, bytes, len, &why);
	if (!rc) {
		take_size(r, &info);
		rc = !s->o->short_side && info.kind == TP_KIND_JPEG ? copy(out, r, bytes, len, &why)
								    : encode(out, r, s->o, bytes, len, &why);
	}
	tp_free(bytes);
	if (rc == TP_ENOMEM)
		return tp_fail(err, rc, "%s", why.msg);
	if (rc)
		snprintf(r->why, sizeof r->why, "%.119s", why.msg);
	r->length = (uint32_t)(out->len - start);
	r->crc = tp_crc32(out->len > start ? out->ptr + start : "", r->length);
	return TP_OK;
}

/* ---- chunks ------------------------------------------------------------------------------------------------------- */

static tp_code fill(tp_outfile *f, const job *j, size_t chunk, tp_pack_row *rows, size_t n, tp_err *err)
{
	tp_buf b;
	tail t = { .n = n };
	tp_code rc = TP_OK;
	memcpy(t.magic, magic, sizeof magic);
	tp_buf_init(&b, (size_t)1 << 31);
	for (size_t k = 0; k < n && !rc; k++) {
		b.len = 0;
		rows[k].offset = t.offset;
		rc = one_photo(&b, &rows[k], j->s, j->s->order[chunk * TP_PACK_CHUNK + k], err);
		if (!rc)
			rc = tp_outfile_write(f, b.ptr, b.len, err);
		t.offset += b.len;
		tp_progress_add(j->progress, 1);
		if (!rc)
			rc = tp_cancel_check(err);
	}
	tp_buf_dispose(&b);
	t.crc = tp_crc32(rows, n * sizeof *rows);
	if (!rc)
		rc = tp_outfile_write(f, rows, n * sizeof *rows, err);
	return rc ? rc : tp_outfile_write(f, &t, sizeof t, err);
}

static tp_code make_chunk(void *ud, size_t k, int worker, tp_err *err)
{
	const job *j = ud;
	size_t chunk = j->todo[k], n = chunk_len(j->s, chunk);
	tp_outfile *f = NULL;
	tp_pack_row *rows = tp_calloc(n, sizeof *rows);
	char *path = tp_pack_chunk_path(j->s, chunk);
	tp_code rc = rows && path ? tp_outfile_open(&f, path, err) : tp_nomem(err, n * sizeof *rows);
	(void)worker;
	if (!rc)
		rc = fill(f, j, chunk, rows, n, err);
	if (!rc)
		rc = tp_outfile_commit(&f, err);
	tp_outfile_abort(&f);
	tp_free(rows);
	tp_free(path);
	return rc;
}

/* The rows of a chunk that is there; false: it is not, or not one. */
static bool load(tp_pack_split *s, size_t chunk)
{
	tp_map m = { 0 };
	tail t;
	size_t n = chunk_len(s, chunk), size = n * sizeof *s->rows;
	char *path = tp_pack_chunk_path(s, chunk);
	bool good = path && !tp_map_open(&m, path, NULL) && m.len >= sizeof t + size;
	if (good)
		memcpy(&t, m.ptr + m.len - sizeof t, sizeof t);
	good = good && !memcmp(t.magic, magic, sizeof magic) && t.n == n &&
	       t.offset == m.len - sizeof t - size && tp_crc32(m.ptr + t.offset, size) == t.crc;
	if (good)
		memcpy(s->rows + chunk * TP_PACK_CHUNK, m.ptr + t.offset, size);
	tp_map_close(&m);
	tp_free(path);
	return good;
}

static tp_code collect_good(tp_pack_split *s, tp_err *err)
{
	s->good = tp_calloc(s->n + 1, sizeof *s->good);
	if (!s->good)
		return tp_nomem(err, s->n * sizeof *s->good);
	for (size_t i = 0; i < s->n; i++)
		if (!s->rows[i].why[0])
			s->good[s->n_good++] = (uint32_t)i;
	return TP_OK;
}

tp_code tp_pack_encode(tp_pack_split *s, tp_err *err)
{
	size_t chunks = n_chunks(s), n = 0, photos = 0;
	char what[16];
	job j = { .s = s };
	s->rows = tp_calloc(s->n, sizeof *s->rows);
	j.todo = tp_calloc(chunks, sizeof *j.todo);
	tp_code rc = s->rows && j.todo ? TP_OK : tp_nomem(err, s->n * sizeof *s->rows);
	for (size_t c = 0; c < chunks && !rc; c++)
		if (!load(s, c)) {
			photos += chunk_len(s, c);
			j.todo[n++] = c;
		}
	snprintf(what, sizeof what, "pack %s", tp_split_names[s->split]);
	if (!rc) {
		j.progress = tp_progress_start(what, photos, s->o->quiet || !photos);
		rc = tp_par_for(n, s->o->threads, make_chunk, &j, err);
		tp_progress_end(j.progress);
	}
	for (size_t k = 0; k < n && !rc; k++)
		if (!load(s, j.todo[k]))
			rc = tp_fail(err, TP_EIO, "%s: chunk %zu cannot be read back", s->work, j.todo[k]);
	tp_free(j.todo);
	return rc ? rc : collect_good(s, err);
}
