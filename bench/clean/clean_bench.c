/* What cleaning costs beside decoding, in the same run: photos a second for reading and decoding alone, and for
 * cleaning: reading, the measures, which take of decoding what they need, the SHA-256 of each photo, the rules, the search
 * of near and turned duplicates. What the catalog costs is not in it: time tepal data clean for that.
 *
 *   clean_bench PHOTOS THREADS ROUNDS
 *
 * Both decode at the scale that measuring asks for. Rounds alternate; the files are read once before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "data/data.h"
#include "data/near.h"
#include "data/rules.h"

typedef struct {
	tp_manifest m;
	bool clean;
	unsigned *verdict;
	uint64_t *hash;
	uint8_t (*sha)[32];
	size_t same_bytes, near;
} work;

static tp_code one(void *ud, size_t i, int worker, tp_err *err)
{
	work *w = ud;
	tp_map file = { 0 };
	char *path = tp_path_join(w->m.root, w->m.photos[i].path);
	(void)worker;
	tp_code rc = path ? tp_map_open(&file, path, err) : tp_nomem(err, 1);
	if (!rc && w->clean) {
		tp_measures m;
		tp_rule_set rules;
		tp_rule_set_init(&rules);
		rc = tp_measure_photo(&m, file.ptr, file.len, err);
		if (!rc) {
			w->verdict[i] = tp_rules_measured(&rules, &m);
			w->hash[i] = m.hash;
			tp_sha256_fast(w->sha[i], file.ptr, file.len);
		}
	} else if (!rc) {
		tp_decode_opts o = TP_DECODE_OPTS_INIT;
		tp_image *img = NULL;
		o.min_side = TP_MEASURE_SIDE;
		rc = tp_image_decode(&img, file.ptr, file.len, &o, err);
		if (!rc)
			w->verdict[i] = img->px[0];
		tp_image_free(img);
	}
	tp_map_close(&file);
	tp_free(path);
	return rc;
}

static tp_code on_same(void *ud, const uint32_t *items, size_t n, tp_err *err)
{
	work *w = ud;
	(void)err;
	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < i; j++)
			w->same_bytes += !memcmp(w->sha[items[i]], w->sha[items[j]], sizeof *w->sha);
	return TP_OK;
}

static tp_code on_pairs(void *ud, const tp_near_pair *p, size_t n, tp_err *err)
{
	work *w = ud;
	(void)p, (void)err;
	w->near += n;
	return TP_OK;
}

static tp_code duplicates(work *w, int threads, tp_err *err)
{
	tp_near_opts o = { 6, threads, true };
	tp_near_sink sink = { on_same, on_pairs, w };
	w->same_bytes = w->near = 0;
	return tp_near_each(w->hash, w->m.n_photos, &o, &sink, err);
}

/* Processor seconds of all threads: other programs hardly change them. */
static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	work w = { 0 };
	tp_err err = { 0 };
	if (argc < 4) {
		fprintf(stderr, "usage: clean_bench PHOTOS THREADS ROUNDS\n");
		return 2;
	}
	int threads = (int)strtol(argv[2], NULL, 10), rounds = (int)strtol(argv[3], NULL, 10);
	tp_code rc = tp_manifest_open(&w.m, argv[1], 1, &err);
	w.verdict = tp_calloc(w.m.n_photos + 1, sizeof *w.verdict);
	w.hash = tp_calloc(w.m.n_photos + 1, sizeof *w.hash);
	w.sha = tp_calloc(w.m.n_photos + 1, sizeof *w.sha);
	if (!rc && !(w.verdict && w.hash && w.sha))
		rc = tp_nomem(&err, w.m.n_photos);
	for (int r = -1; r < rounds && !rc; r++) {
		double rate[2] = { 0 }, used[2] = { 0 }, search = 0;
		for (int clean = 0; clean < 2 && !rc; clean++) {
			double t = tp_now(), c = cpu();
			w.clean = clean;
			rc = tp_par_for(w.m.n_photos, threads, one, &w, &err);
			double before = cpu();
			if (!rc && clean)
				rc = duplicates(&w, threads, &err);
			search = cpu() - before;
			used[clean] = 1e6 * (cpu() - c) / (double)w.m.n_photos;
			rate[clean] = (double)w.m.n_photos / (tp_now() - t);
		}
		if (r >= 0 && !rc)
			printf("decode %.0f photos/s, clean %.0f photos/s: %.1f %%; processor %.0f and %.0f "
			       "us a "
			       "photo: %.1f %%; search %.2f s (%zu pairs with the same "
			       "bytes, %zu near or turned)\n",
				rate[0], rate[1], 100 * rate[1] / rate[0], used[0], used[1],
				100 * used[0] / used[1], search, w.same_bytes, w.near);
		fflush(stdout);
	}
	if (rc)
		fprintf(stderr, "clean_bench: %s\n", err.msg);
	tp_free(w.verdict);
	tp_free(w.hash);
	tp_free(w.sha);
	tp_manifest_free(&w.m);
	return rc ? 1 : 0;
}
