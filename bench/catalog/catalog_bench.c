/* All that a catalog of Pl@ntNet's size goes through before it is packed: catalog_bench TABLE DIR [STEP...]
 *
 * Each step is a process of its own, so what it needs is its own: seconds, rows a second, seconds of a processor (on a busy
 * machine they say more), and the most memory it ever held. gen_catalog.py writes tables. No pixels: the hashes that
 * photos would have are made up (bench/near/hashes.h), and of packing there is only the index. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../near/hashes.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "data/catalog_split.h"
#include "data/import.h"
#include "data/near.h"
#include "data/shard_int.h"

enum { BITS = 6, BATCH = 4096, PHOTO_BYTES = 20000, PHOTOS_A_SHARD = 12000 };

typedef struct {
	const char *table, *dir;
	size_t rows;    /* out: what the step worked on */
	char said[160]; /* out: what it found */
} step_args;

static double seconds_of(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
	       1e-6 * (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

/* ---- import, walk ---- */

static tp_code import(step_args *a, bool again, tp_err *err)
{
	const tp_catalog_import_opts o = {
		.kind = "csv", .source = { .path = a->table }, .now = 1, .quiet = true
	};
	tp_imported n;
	tp_code rc = tp_catalog_import(&n, a->dir, &o, err);
	a->rows = n.seen;
	if (!rc && (n.seen != n.added + n.there + n.refused || n.refused || (again ? n.added : n.there)))
		rc = tp_fail(err, TP_EINVAL, "%zu rows: %zu added, %zu there, %zu refused", n.seen, n.added,
			n.there, n.refused);
	return rc;
}

static tp_code import_new(step_args *a, tp_err *err)
{
	return import(a, false, err);
}

static tp_code import_again(step_args *a, tp_err *err)
{
	return import(a, true, err);
}

static tp_code count(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	(void)err;
	*(size_t *)ud += p->id > 0;
	return TP_OK;
}

static tp_code walk(step_args *a, tp_err *err)
{
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	tp_catalog *c = NULL;
	tp_code rc = tp_catalog_open(&c, a->dir, TP_CATALOG_READ, err);
	if (!rc)
		rc = tp_catalog_each_photo(c, &all, count, &a->rows, err);
	tp_catalog_close(c);
	return rc;
}

/* ---- duplicates ---- */

typedef struct {
	int64_t *id;
	uint64_t *hash;
	size_t n, cap;
} hashed;

static tp_code add_hash(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	hashed *h = ud;
	if (h->n == h->cap) {
		size_t cap = h->cap ? 2 * h->cap : 1 << 16;
		int64_t *id = tp_realloc(h->id, cap * sizeof *id);
		h->id = id ? id : h->id;
		uint64_t *hash = id ? tp_realloc(h->hash, cap * sizeof *hash) : NULL;
		if (!hash)
			return tp_nomem(err, cap * sizeof *hash);
		h->hash = hash;
		h->cap = cap;
	}
	h->id[h->n] = p->id;
	h->hash[h->n++] = p->phash;
	return TP_OK;
}

/* Column `column` of the photos whose value is not 0. */
static tp_code write_values(tp_catalog *c, int column, const hashed *h, const uint64_t *value, tp_err *err)
{
	int64_t id[BATCH];
	tp_catalog_value v[BATCH];
	size_t k = 0;
	tp_code rc = tp_catalog_begin(c, err);
	for (size_t i = 0; i <= h->n && !rc; i++) {
		if (i < h->n && value[i]) {
			id[k] = h->id[i];
			v[k++] = (tp_catalog_value){ .kind = TP_VALUE_INT, .i = (int64_t)value[i] };
		}
		if (k == BATCH || (k && i == h->n)) {
			rc = tp_catalog_set(c, &column, 1, id, k, v, err);
			k = 0;
		}
	}
	return rc ? rc : tp_catalog_commit(c, err);
}

static tp_code open_hashed(tp_catalog **c, hashed *h, step_args *a, tp_err *err)
{
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	tp_code rc = tp_catalog_open(c, a->dir, TP_CATALOG_WRITE, err);
	if (!rc)
		rc = tp_catalog_each_photo(*c, &all, add_hash, h, err);
	a->rows = h->n;
	return rc;
}

static void dispose(tp_catalog *c, hashed *h)
{
	tp_catalog_close(c);
	tp_free(h->id);
	tp_free(h->hash);
}

static tp_code set_hashes(step_args *a, tp_err *err)
{
	tp_catalog *c = NULL;
	hashed h = { 0 };
	tp_code rc = open_hashed(&c, &h, a, err);
	if (!rc) {
		make_hashes(h.hash, h.n, 1);
		rc = write_values(c, TP_SET_PHASH, &h, h.hash, err);
	}
	dispose(c, &h);
	return rc;
}

static tp_code near_duplicates(step_args *a, tp_err *err)
{
	tp_catalog *c = NULL;
	hashed h = { 0 };
	const tp_near_opts o = { .bits = BITS, .threads = tp_cpu_count() };
	size_t pairs = 0, groups = 0, members = 0;
	uint32_t *group = NULL;
	tp_code rc = open_hashed(&c, &h, a, err);
	if (!rc && !(group = tp_alloc((h.n + 1) * sizeof *group)))
		rc = tp_nomem(err, h.n * sizeof *group);
	double begin = tp_now();
	if (!rc)
		rc = tp_near_groups(group, h.hash, h.n, &o, &pairs, err);
	double searched = tp_now() - begin;
	if (!rc) { /* the hashes are not needed any more: their room takes the numbers of groups, 0 for none */
		memset(h.hash, 0, h.n * sizeof *h.hash);
		for (size_t i = 0; i < h.n; i++)
			if (group[i] != i) {
				groups += !h.hash[group[i]];
				members += 1 + !h.hash[group[i]];
				h.hash[i] = h.hash[group[i]] = group[i] + 1;
			}
		rc = write_values(c, TP_SET_DUPLICATES, &h, h.hash, err);
	}
	snprintf(a->said, sizeof a->said, "%zu pairs within %d bits in %.1f s; %zu photos in %zu groups",
		pairs, BITS, searched, members, groups);
	tp_free(group);
	dispose(c, &h);
	return rc;
}

/* ---- split ---- */

static tp_code split(step_args *a, tp_err *err)
{
	tp_catalog_split_opts o = TP_CATALOG_SPLIT_OPTS_INIT;
	tp_catalog_splitted s = { 0 };
	tp_catalog *c = NULL;
	o.ignore_given = true;
	tp_code rc = tp_catalog_open(&c, a->dir, TP_CATALOG_WRITE, err);
	if (!rc)
		rc = tp_catalog_split(&s, c, &o, err);
	tp_catalog_close(c);
	if (!rc && s.leaks)
		rc = tp_fail(err, TP_EINVAL, "%zu leaks", s.leaks);
	a->rows = s.kept;
	snprintf(a->said, sizeof a->said,
		"%zu groups; %zu, %zu, %zu photos; %zu of %zu species without a test; 0 leaks",
		s.split.groups, s.split.n[TP_TRAIN], s.split.n[TP_VAL], s.split.n[TP_TEST], s.no_test,
		s.species);
	return rc;
}

/* ---- training, packing ---- */

static tp_code open_for_training(step_args *a, tp_err *err)
{
	tp_manifest m = { 0 };
	tp_code rc = tp_manifest_open(&m, a->dir, 1, err);
	a->rows = m.n_photos;
	tp_manifest_free(&m);
	return rc;
}

/* The index of one split as packing writes it, for photos of PHOTO_BYTES, and read back. */
static tp_code pack_split(const tp_manifest *m, tp_split of, size_t *bytes, tp_err *err)
{
	size_t n = 0;
	tp_buf b;
	tp_shard_index x;
	tp_shard_row *row = tp_alloc((m->n_photos + 1) * sizeof *row);
	if (!row)
		return tp_nomem(err, m->n_photos * sizeof *row);
	tp_buf_init(&b, (size_t)1 << 40);
	for (size_t i = 0; i < m->n_photos; i++) {
		const tp_photo *p = &m->photos[i];
		if (p->split != of)
			continue;
		row[n] = (tp_shard_row){ .offset = (n % PHOTOS_A_SHARD) * 22528 + 512,
			.length = PHOTO_BYTES,
			.shard = (uint32_t)(n / PHOTOS_A_SHARD),
			.label = (uint32_t)p->species,
			.number = (uint32_t)i,
			.width = 256,
			.height = 256,
			.path = p->path,
			.organ = p->organ,
			.source = p->source,
			.licence = p->licence,
			.author = p->author };
		n++;
	}
	tp_code rc = tp_shard_index_write(
		&b, row, n, (uint32_t)(n / PHOTOS_A_SHARD + 1), (uint32_t)m->n_taxa, err);
	tp_free(row);
	if (!rc)
		rc = tp_shard_index_parse(&x, (const uint8_t *)b.ptr, b.len, err);
	if (!rc && x.n != n)
		rc = tp_fail(err, TP_EINVAL, "%zu of %zu rows came back", x.n, n);
	*bytes += b.len;
	tp_buf_dispose(&b);
	return rc;
}

static tp_code pack_index(step_args *a, tp_err *err)
{
	tp_manifest m = { 0 };
	size_t bytes = 0;
	tp_code rc = tp_manifest_open(&m, a->dir, 1, err);
	for (int s = 0; s < TP_SPLITS && !rc; s++)
		rc = pack_split(&m, (tp_split)s, &bytes, err);
	a->rows = m.n_photos;
	snprintf(a->said, sizeof a->said, "%.0f MiB of index", (double)bytes / (1 << 20));
	tp_manifest_free(&m);
	return rc;
}

/* ---- the steps ---- */

static const struct {
	const char *name, *what;
	tp_code (*run)(step_args *a, tp_err *err);
} steps[] = {
	{ "import", "import", import_new },
	{ "again", "import, nothing new", import_again },
	{ "walk", "walk over all photos", walk },
	{ "hashes", "write made-up hashes", set_hashes },
	{ "near", "near duplicates", near_duplicates },
	{ "split", "split and leak test", split },
	{ "open", "open for training", open_for_training },
	{ "index", "open, index of a pack", pack_index },
};
enum { STEPS = sizeof steps / sizeof *steps };

static int run_step(size_t k, const char *table, const char *dir)
{
	step_args a = { .table = table, .dir = dir };
	tp_err err = { 0 };
	struct rusage u;
	double begin = tp_now();
	if (steps[k].run(&a, &err)) {
		fprintf(stderr, "catalog_bench %s: %s\n", steps[k].name, err.msg);
		return 1;
	}
	begin = tp_now() - begin;
	getrusage(RUSAGE_SELF, &u);
	printf("%-22s %8zu rows %6.1f s %8.0f rows/s, of processors %5.1f s, at most %4.0f MiB  %s\n",
		steps[k].what, a.rows, begin, (double)a.rows / begin, seconds_of(&u),
		(double)u.ru_maxrss / 1024, a.said);
	return fflush(stdout) ? 1 : 0;
}

static bool is_wanted(int argc, char **argv, const char *name)
{
	for (int i = 3; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc <= 3;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: catalog_bench TABLE DIR [STEP...]\nsteps:");
		for (size_t k = 0; k < STEPS; k++)
			fprintf(stderr, " %s", steps[k].name);
		fprintf(stderr, "\n");
		return 2;
	}
	for (size_t k = 0; k < STEPS; k++) {
		int status = 0;
		if (!is_wanted(argc, argv, steps[k].name))
			continue;
		pid_t child = fork();
		if (child < 0)
			return 1;
		if (!child)
			_exit(run_step(k, argv[1], argv[2]));
		if (waitpid(child, &status, 0) != child || status)
			return 1;
	}
	return 0;
}
