/* What cleaning costs beside decoding, in the same run: photos a second for reading and decoding alone, and for
 * reading, decoding, the SHA-256, the measures and the hash.
 *
 *   clean_bench PHOTOS THREADS ROUNDS
 *
 * Both decode at the scale that measuring asks for. Rounds alternate; the files are read once before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "data/data.h"
#include "data/rules.h"

typedef struct {
	tp_manifest m;
	bool clean;
	unsigned *verdict;
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
		tp_sha256 sha = tp_sha256_of(file.ptr, file.len);
		rc = tp_measure_photo(&m, file.ptr, file.len, err);
		if (!rc)
			w->verdict[i] =
				tp_rules_measured(&rules, &m) + (unsigned)sha.hex[0] + (unsigned)m.hash;
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
	if (!rc && !(w.verdict = tp_calloc(w.m.n_photos, sizeof *w.verdict)))
		rc = tp_nomem(&err, w.m.n_photos);
	for (int r = -1; r < rounds && !rc; r++) {
		double rate[2] = { 0 };
		for (int clean = 0; clean < 2 && !rc; clean++) {
			double t = tp_now();
			w.clean = clean;
			rc = tp_par_for(w.m.n_photos, threads, one, &w, &err);
			rate[clean] = (double)w.m.n_photos / (tp_now() - t);
		}
		if (r >= 0 && !rc)
			printf("decode %.0f photos/s, clean %.0f photos/s: %.1f %%\n", rate[0], rate[1],
				100 * rate[1] / rate[0]);
		fflush(stdout);
	}
	if (rc)
		fprintf(stderr, "clean_bench: %s\n", err.msg);
	tp_free(w.verdict);
	tp_manifest_free(&w.m);
	return rc ? 1 : 0;
}
