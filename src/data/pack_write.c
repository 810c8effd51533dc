/* Packing, second half: tar files and index from the chunks. Which photo lies where follows from the lengths alone, so
 * shards are written side by side, and one that is there already is compared and stays. */
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "data/shard_int.h"
#include "data/tar.h"

enum { JSON_GUESS = 512 }; /* bytes of a photo's JSON, where only the number of shards hangs on it */

typedef struct {
	const tp_pack_split *s;
	tp_shard_set *set;
	tp_shard_row *rows; /* of the index */
	tp_progress *progress;
} job;

/* A shard on its way to the disk. */
typedef struct {
	const job *j;
	tp_outfile *f; /* NULL: not written, */
	tp_map there;  /* but compared with this, or when that is empty only counted */
	bool differs;
	uint64_t at;
	tp_map chunk; /* the one that was read last */
	size_t chunk_number;
} writer;

/* Shards differ by at most one photo, and so do ranks that take every ranks-th of them. */
static size_t first_of(const job *j, size_t shard)
{
	size_t n = j->s->n_good, shards = j->set->n, more = n % shards;
	return shard * (n / shards) + (shard < more ? shard : more);
}

static tp_code put(writer *w, const void *p, size_t n, tp_err *err)
{
	if (w->there.ptr && !w->differs)
		w->differs = n > w->there.len - w->at || (n && memcmp(w->there.ptr + w->at, p, n) != 0);
	w->at += n;
	return w->f && n ? tp_outfile_write(w->f, p, n, err) : TP_OK;
}

static tp_code put_member(writer *w, const char *name, const void *p, size_t n, tp_err *err)
{
	static const uint8_t zeros[TP_TAR_BLOCK];
	uint8_t block[TP_TAR_BLOCK];
	tp_tar_member m = { .size = n };
	memcpy(m.name, name, strlen(name) + 1);
	tp_tar_header(block, &m);
	tp_code rc = put(w, block, sizeof block, err);
	if (!rc)
		rc = put(w, p, n, err);
	return rc ? rc : put(w, zeros, (size_t)(tp_tar_padded(n) - n), err);
}

/* What a reader of the tar file gets to know of a photo. */
static tp_code describe(char **out, const tp_pack_split *s, uint32_t photo, const tp_pack_row *r, tp_err *err)
{
	const tp_photo *p = &s->m->photos[photo];
	const tp_taxon *t = &s->m->taxa[p->species];
	json_t *j = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:I, s:I}", "label",
		p->species, "species", tp_shard_text_json(t->name), "family", tp_shard_text_json(t->family),
		"organ", tp_shard_text_json(p->organ), "path", tp_shard_text_json(p->path), "source",
		tp_shard_text_json(p->source), "licence", tp_shard_text_json(p->licence), "author",
		tp_shard_text_json(p->author), "width", r->width, "height", r->height, "original_width",
		(json_int_t)r->was_width, "original_height", (json_int_t)r->was_height);
	tp_code rc = j ? tp_json_dump(out, j, err) : tp_nomem(err, 0);
	json_decref(j);
	return rc;
}

/* The photo's bytes, in the chunk that holds it. */
static tp_code open_chunk(writer *w, uint32_t position, const uint8_t **bytes, tp_err *err)
{
	const tp_pack_split *s = w->j->s;
	const tp_pack_row *r = &s->rows[position];
	size_t chunk = position / TP_PACK_CHUNK;
	*bytes = NULL;
	if (!w->f && !w->there.ptr)
		return TP_OK;
	if (!w->chunk.ptr || chunk != w->chunk_number) {
		tp_map_close(&w->chunk);
		char *path = tp_pack_chunk_path(s, chunk);
		tp_code rc = path ? tp_map_open(&w->chunk, path, err) : tp_nomem(err, 0);
		tp_free(path);
		if (rc)
			return rc;
		w->chunk_number = chunk;
	}
	if (r->offset + r->length > w->chunk.len || tp_crc32(w->chunk.ptr + r->offset, r->length) != r->crc)
		return tp_fail(err, TP_EIO, "%s: chunk %zu has changed", s->work, chunk);
	*bytes = w->chunk.ptr + r->offset;
	return TP_OK;
}

static tp_code put_photo(writer *w, size_t g, size_t shard, tp_err *err)
{
	const tp_pack_split *s = w->j->s;
	uint32_t position = s->good[g], photo = s->order[position];
	const tp_pack_row *r = &s->rows[position];
	const tp_photo *p = &s->m->photos[photo];
	const uint8_t *bytes;
	char name[TP_SHARD_KEY], *json = NULL;
	tp_code rc = open_chunk(w, position, &bytes, err);
	if (!rc)
		rc = describe(&json, s, photo, r, err);
	if (rc)
		return rc;
	w->j->rows[g] = (tp_shard_row){ .offset = w->at + TP_TAR_BLOCK,
		.length = r->length,
		.crc = r->crc,
		.shard = (uint32_t)shard,
		.label = (uint32_t)p->species,
		.number = photo,
		.width = r->width,
		.height = r->height,
		.path = p->path,
		.organ = p->organ,
		.source = p->source,
		.licence = p->licence,
		.author = p->author };
	tp_shard_member_name(name, photo, "jpg");
	rc = put_member(w, name, bytes, r->length, err);
	tp_shard_member_name(name, photo, "json");
	if (!rc)
		rc = put_member(w, name, json, strlen(json), err);
	tp_free(json);
	return rc;
}

static tp_code walk(writer *w, size_t shard, tp_err *err)
{
	static const uint8_t zeros[TP_TAR_END];
	tp_code rc = TP_OK;
	w->at = 0;
	for (size_t g = first_of(w->j, shard); g < first_of(w->j, shard + 1) && !rc; g++) {
		rc = put_photo(w, g, shard, err);
		if (w->f || w->there.ptr)
			tp_progress_add(w->j->progress, 1);
		if (!rc)
			rc = tp_cancel_check(err);
	}
	return rc ? rc : put(w, zeros, sizeof zeros, err);
}

/* Is the shard there, byte for byte, from a call before this one? */
static tp_code compare(bool *same, writer *w, size_t shard, const char *path, tp_err *err)
{
	uint64_t bytes = w->at;
	*same = false;
	if (!tp_is_file(path))
		return TP_OK;
	tp_code rc = tp_map_open(&w->there, path, err);
	bool fits = !rc && w->there.len == bytes;
	if (fits)
		rc = walk(w, shard, err);
	*same = !rc && fits && !w->differs;
	tp_map_close(&w->there);
	return rc;
}

static tp_code write_shard(void *ud, size_t k, int worker, tp_err *err)
{
	const job *j = ud;
	tp_shard_file *f = &j->set->shard[k];
	writer w = { .j = j };
	char *path = tp_path_join(j->s->o->output, f->file);
	tp_code rc = path ? walk(&w, k, err) : tp_nomem(err, strlen(f->file));
	(void)worker;
	f->bytes = w.at;
	f->photos = first_of(j, k + 1) - first_of(j, k);
	bool there = false;
	if (!rc)
		rc = compare(&there, &w, k, path, err);
	if (!rc && !there)
		rc = tp_outfile_open(&w.f, path, err);
	if (!rc && !there)
		rc = walk(&w, k, err);
	if (!rc && !there)
		rc = tp_outfile_commit(&w.f, err);
	tp_outfile_abort(&w.f);
	tp_map_close(&w.chunk);
	if (!rc)
		rc = tp_sha256_file(&f->sum, path, err);
	tp_free(path);
	return rc;
}

static size_t count_shards(const tp_pack_split *s)
{
	const tp_pack_opts *o = s->o;
	size_t n = (size_t)o->shards, ranks = (size_t)o->ranks;
	uint64_t bytes = 0, most = (uint64_t)o->shard_mib << 20;
	for (size_t g = 0; g < s->n_good; g++)
		bytes += 2 * TP_TAR_BLOCK + JSON_GUESS + tp_tar_padded(s->rows[s->good[g]].length);
	if (!n) {
		n = (size_t)((bytes + most - 1) / most);
		n = (n + ranks - 1) / ranks * ranks;
	}
	return n < s->n_good ? n : s->n_good; /* no shard is empty */
}

static tp_code name_shards(tp_shard_set *set, const tp_pack_split *s, tp_err *err)
{
	char name[48];
	size_t n = count_shards(s);
	if (n > TP_MAX_SHARDS)
		return tp_fail(err, TP_ELIMIT, "%zu shards, at most %d", n, TP_MAX_SHARDS);
	set->shard = tp_calloc(n, sizeof *set->shard);
	if (!set->shard)
		return tp_nomem(err, n * sizeof *set->shard);
	for (; set->n < n; set->n++) {
		snprintf(name, sizeof name, "%s-%06zu.tar", tp_split_names[s->split], set->n);
		if (!(set->shard[set->n].file = tp_strdup(name)))
			return tp_nomem(err, sizeof name);
	}
	snprintf(name, sizeof name, "%s.index", tp_split_names[s->split]);
	set->index.file = tp_strdup(name);
	return set->index.file ? TP_OK : tp_nomem(err, sizeof name);
}

static tp_code write_index(const job *j, tp_err *err)
{
	tp_shard_file *f = &j->set->index;
	tp_buf b;
	tp_outfile *out = NULL;
	char *path = tp_path_join(j->s->o->output, f->file);
	tp_buf_init(&b, (size_t)1 << 40);
	tp_code rc = path ? tp_shard_index_write(&b, j->rows, j->s->n_good, (uint32_t)j->set->n,
				    (uint32_t)j->s->m->n_taxa, err)
			  : tp_nomem(err, 0);
	if (!rc)
		rc = tp_outfile_open(&out, path, err);
	if (!rc)
		rc = tp_outfile_write(out, b.ptr, b.len, err);
	if (!rc)
		rc = tp_outfile_commit(&out, err);
	tp_outfile_abort(&out);
	if (!rc) {
		f->bytes = b.len;
		f->photos = j->s->n_good;
		f->sum = tp_sha256_of(b.ptr, b.len);
	}
	tp_buf_dispose(&b);
	tp_free(path);
	return rc;
}

tp_code tp_pack_write(tp_shard_set *out, const tp_pack_split *s, tp_err *err)
{
	char what[16];
	job j = { .s = s, .set = out };
	if (!s->n_good)
		return TP_OK;
	tp_code rc = name_shards(out, s, err);
	if (!rc && !(j.rows = tp_calloc(s->n_good, sizeof *j.rows)))
		rc = tp_nomem(err, s->n_good * sizeof *j.rows);
	snprintf(what, sizeof what, "write %s", tp_split_names[s->split]);
	if (!rc) {
		j.progress = tp_progress_start(what, s->n_good, s->o->quiet);
		rc = tp_par_for(out->n, s->o->threads, write_shard, &j, err);
		tp_progress_end(j.progress);
	}
	if (!rc)
		rc = write_index(&j, err);
	tp_free(j.rows);
	return rc;
}
