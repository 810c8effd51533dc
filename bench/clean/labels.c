/* Swapped labels among photos that a model has not seen: precision and recall of confident learning.
 *
 *   labels PHOTOS MODEL [SHARE]
 *
 * The photos of the test split are scored by MODEL, which must have been trained on the train split only; SHARE of
 * their labels (0.05) are replaced by another species at random. Prints Markdown, a line a threshold of the margin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/rng.h"
#include "data/confident.h"
#include "data/data.h"
#include "model/model.h"
#include "nn/nn.h"

enum { MAX_THREADS = 2 };

typedef struct {
	tp_manifest m;
	tp_model *model;
	tp_plan *plan;
	tp_exec *exec[MAX_THREADS];
	float *in[MAX_THREADS], *logits[MAX_THREADS], *features[MAX_THREADS];
	size_t *photo, n, k;
	float *p;
} work;

static tp_code one(void *ud, size_t i, int t, tp_err *err)
{
	work *w = ud;
	uint8_t *bytes = NULL;
	size_t len;
	char *path = tp_path_join(w->m.root, w->m.photos[w->photo[i]].path);
	tp_code rc = path ? tp_file_read(&bytes, &len, path, 64 << 20, err) : tp_nomem(err, 1);
	if (!rc && !w->exec[t])
		rc = tp_exec_new(&w->exec[t], w->plan, err);
	if (!rc)
		rc = tp_prep_photo(w->in[t], tp_model_prep(w->model), bytes, len, err);
	if (!rc)
		rc = tp_exec_run(w->exec[t], w->in[t], w->features[t], w->logits[t], err);
	if (!rc)
		tp_model_scores(w->p + i * w->k, w->model, w->logits[t], w->features[t]);
	tp_free(bytes);
	tp_free(path);
	return rc;
}

static tp_code score(work *w, tp_err *err)
{
	size_t side = (size_t)tp_model_prep(w->model)->side;
	tp_code rc = tp_model_plan(&w->plan, w->model, 1, 1, err);
	for (int t = 0; t < MAX_THREADS && !rc; t++) {
		w->in[t] = tp_alloc_aligned(3 * side * side * sizeof(float));
		w->logits[t] = tp_alloc_aligned(w->k * sizeof(float));
		w->features[t] = tp_alloc_aligned(8192 * sizeof(float));
		if (!w->in[t] || !w->logits[t] || !w->features[t])
			rc = tp_nomem(err, 3 * side * side);
	}
	w->p = tp_calloc(w->n * w->k, sizeof *w->p);
	if (!rc && !w->p)
		rc = tp_nomem(err, w->n * w->k);
	return rc ? rc : tp_par_for(w->n, MAX_THREADS, one, w, err);
}

static int class_of(const work *w, size_t photo)
{
	const char *name = w->m.taxa[w->m.photos[photo].species].name;
	for (size_t j = 0; j < w->k; j++)
		if (!strcmp(tp_model_class(w->model, (int)j)->name, name))
			return (int)j;
	return -1;
}

static tp_code report(const work *w, double share, tp_err *err)
{
	static const float at[] = { 0, -0.25f, -0.5f, -0.75f, -0.9f };
	uint32_t *labels = tp_alloc(w->n * sizeof *labels);
	uint8_t *swapped = tp_calloc(w->n, 1);
	tp_rng r = tp_rng_seed(1);
	tp_confident c = { 0 };
	size_t planted = 0;
	if (!labels || !swapped)
		return tp_nomem(err, w->n);
	for (size_t i = 0; i < w->n; i++) {
		labels[i] = (uint32_t)class_of(w, w->photo[i]);
		swapped[i] = tp_rng_unit(&r) < share;
		planted += swapped[i];
		if (swapped[i])
			labels[i] = (uint32_t)((labels[i] + 1 + tp_rng_below(&r, w->k - 1)) % w->k);
	}
	tp_code rc = tp_confident_learn(&c, w->p, labels, w->n, w->k, err);
	printf("%zu photos, %zu labels swapped, %zu off the diagonal\n\n| margin at most | found | recall | "
	       "precision "
	       "|\n|---:|---:|---:|---:|\n",
		w->n, planted, c.n_off);
	for (size_t t = 0; t < sizeof at / sizeof *at && !rc; t++) {
		size_t found = 0, right = 0;
		for (size_t i = 0; i < c.n_doubts && c.doubts[i].margin <= at[t]; i++, found++)
			right += swapped[c.doubts[i].item];
		printf("| %g | %zu | %.1f %% | %.1f %% |\n", at[t], found,
			100.0 * (double)right / (double)planted,
			100.0 * (double)right / (double)(found ? found : 1));
	}
	tp_confident_free(&c);
	tp_free(labels);
	tp_free(swapped);
	return rc;
}

int main(int argc, char **argv)
{
	work w = { 0 };
	tp_err err = { 0 };
	if (argc < 3) {
		fprintf(stderr, "usage: labels PHOTOS MODEL [SHARE]\n");
		return 2;
	}
	tp_code rc = tp_manifest_open(&w.m, argv[1], 1, &err);
	if (!rc)
		rc = tp_model_load(&w.model, argv[2], &err);
	if (!rc && !(w.photo = tp_alloc(w.m.n_photos * sizeof *w.photo)))
		rc = tp_nomem(&err, w.m.n_photos);
	w.k = rc ? 0 : (size_t)tp_model_classes(w.model);
	for (size_t i = 0; i < w.m.n_photos && !rc; i++)
		if (w.m.photos[i].split == TP_TEST && class_of(&w, i) >= 0)
			w.photo[w.n++] = i;
	if (!rc)
		rc = score(&w, &err);
	if (!rc)
		rc = report(&w, argc > 3 ? strtod(argv[3], NULL) : 0.05, &err);
	if (rc)
		fprintf(stderr, "labels: %s\n", err.msg);
	return rc ? 1 : 0;
}
