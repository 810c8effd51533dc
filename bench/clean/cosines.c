/* The cosine that near copies keep: of copies made here, and of pairs of photos whose hashes are near.
 *
 *   cosines PHOTOS MODEL [EVERY]
 *
 * Every EVERY-th photo (24) is copied with the faults that the near-duplicate rule is for; the share of copies, and of pairs
 * of photos of the set within six bits, that have a cosine of at least ... Prints Markdown. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/rng.h"
#include "data/data.h"
#include "data/near.h"
#include "model/model.h"
#include "nn/nn.h"

enum { COPIES = 7, THREADS = 2, LEVELS = 6 };
static const char *const names[COPIES] = { "JPEG quality 30", "half the size", "40 % brighter", "40 % darker",
	"noise, sigma 20", "cut by 4 % a side", "cut by 10 % a side" };
static const float level[LEVELS] = { 0.75f, 0.8f, 0.85f, 0.9f, 0.95f, 0.98f };

typedef struct {
	tp_manifest m;
	tp_model *model;
	tp_plan *plan;
	tp_exec *exec[THREADS];
	float *in[THREADS];
	size_t dim, every;
	uint64_t *hash;
	float *v;              /* unit vectors of all photos */
	float (*copy)[COPIES]; /* cosine of each copy; NAN */
} work;

static tp_code vector(work *w, float *v, const void *bytes, size_t len, int t, tp_err *err)
{
	double sq = 0;
	tp_code rc = tp_prep_photo(w->in[t], tp_model_prep(w->model), bytes, len, err);
	if (!rc)
		rc = tp_exec_run(w->exec[t], w->in[t], v, NULL, err);
	for (size_t i = 0; i < w->dim && !rc; i++)
		sq += (double)v[i] * v[i];
	for (size_t i = 0; i < w->dim && !rc; i++)
		v[i] = (float)(v[i] / sqrt(sq));
	return rc;
}

static double cosine(const work *w, const float *a, const float *b)
{
	double sum = 0;
	for (size_t i = 0; i < w->dim; i++)
		sum += (double)a[i] * b[i];
	return sum;
}

static tp_image *changed(const tp_image *a, int k, tp_rng *r)
{
	static const double gain[] = { 1, 1, 1.4, 0.6, 1 };
	tp_image *img = NULL;
	double cut = k == 5 ? 0.04 : k == 6 ? 0.1 : 0;
	tp_box box = { a->w * cut, a->h * cut, a->w * (1 - cut), a->h * (1 - cut) };
	int w = k == 1 ? a->w / 2 : (int)(a->w * (1 - 2 * cut)),
	    h = k == 1 ? a->h / 2 : (int)(a->h * (1 - 2 * cut));
	if (tp_image_resize(&img, a, w, h, TP_BICUBIC, &box, NULL))
		abort();
	for (size_t i = 0; i < (size_t)w * (size_t)h * 3 && k < 5; i++) {
		double v = img->px[i] * gain[k] + (k == 4 ? 20 * tp_rng_normal(r) : 0);
		img->px[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
	}
	return img;
}

static tp_code copies(work *w, size_t i, const void *bytes, size_t len, int t, tp_err *err)
{
	tp_rng r = tp_rng_stream(1, 1, i, 0);
	tp_image *img = NULL;
	float *v = tp_alloc(w->dim * sizeof *v);
	tp_code rc = v ? tp_image_decode(&img, bytes, len, NULL, err) : tp_nomem(err, w->dim);
	for (int k = 0; k < COPIES && !rc; k++) {
		tp_image *c = changed(img, k, &r);
		tp_buf b;
		tp_buf_init(&b, 16 << 20);
		rc = tp_image_encode_jpeg(&b, c, k ? 85 : 30, err);
		if (!rc)
			rc = vector(w, v, b.ptr, b.len, t, err);
		w->copy[i / w->every][k] = rc ? NAN : (float)cosine(w, v, w->v + i * w->dim);
		tp_buf_dispose(&b);
		tp_image_free(c);
	}
	tp_image_free(img);
	tp_free(v);
	return rc;
}

static tp_code one(void *ud, size_t i, int t, tp_err *err)
{
	work *w = ud;
	uint8_t *bytes = NULL;
	size_t len = 0;
	tp_measures m;
	tp_code rc = tp_photo_read(&bytes, &len, &w->m, i, err);
	if (!rc)
		rc = tp_measure_photo(&m, bytes, len, err);
	if (!rc)
		rc = vector(w, w->v + i * w->dim, bytes, len, t, err);
	if (!rc)
		w->hash[i] = m.hash;
	if (!rc && i % w->every == 0)
		rc = copies(w, i, bytes, len, t, err);
	tp_free(bytes);
	return rc;
}

/* ---- pairs of the set ---- */

typedef struct {
	const work *w;
	size_t n[2], above[2][LEVELS]; /* of two species, of one */
} pairs;

static tp_code count(void *ud, const tp_near_pair *p, size_t n, tp_err *err)
{
	pairs *x = ud;
	const work *w = x->w;
	(void)err;
	for (size_t i = 0; i < n; i++) {
		int same = w->m.photos[p[i].a].species == w->m.photos[p[i].b].species;
		double c = cosine(w, w->v + p[i].a * w->dim, w->v + p[i].b * w->dim);
		x->n[same]++;
		for (int k = 0; k < LEVELS; k++)
			x->above[same][k] += c >= (double)level[k];
	}
	return TP_OK;
}

static void line(const char *name, const size_t above[LEVELS], size_t n)
{
	printf("| %s | %zu |", name, n);
	for (int k = 0; k < LEVELS; k++)
		printf(" %.1f %% |", 100.0 * (double)above[k] / (double)(n ? n : 1));
	printf("\n");
}

static tp_code report(const work *w, tp_err *err)
{
	pairs x = { .w = w };
	const tp_near_opts o = { .bits = 6, .threads = 1 };
	const tp_near_sink sink = { NULL, count, &x };
	size_t n = (w->m.n_photos + w->every - 1) / w->every;
	printf("| cosine at least | pairs |");
	for (int k = 0; k < LEVELS; k++)
		printf(" %g |", (double)level[k]);
	printf("\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
	for (int c = 0; c < COPIES; c++) {
		size_t above[LEVELS] = { 0 };
		for (size_t i = 0; i < n; i++)
			for (int k = 0; k < LEVELS; k++)
				above[k] += w->copy[i][c] >= level[k];
		line(names[c], above, n);
	}
	tp_code rc = tp_near_each(w->hash, w->m.n_photos, &o, &sink, err);
	line("photos of one species within 6 bits", x.above[1], x.n[1]);
	line("photos of two species within 6 bits", x.above[0], x.n[0]);
	return rc;
}

int main(int argc, char **argv)
{
	work w = { .every = argc > 3 ? strtoull(argv[3], NULL, 10) : 24 };
	tp_err err = { 0 };
	if (argc < 3 || !w.every) {
		fprintf(stderr, "usage: cosines PHOTOS MODEL [EVERY]\n");
		return 2;
	}
	tp_code rc = tp_manifest_open(&w.m, argv[1], 1, &err);
	if (!rc)
		rc = tp_model_load(&w.model, argv[2], &err);
	if (!rc)
		rc = tp_model_plan(&w.plan, w.model, 1, 1, &err);
	if (!rc) {
		size_t side = (size_t)tp_model_prep(w.model)->side;
		w.dim = (size_t)tp_model_arch(w.model)->n_features;
		w.hash = tp_calloc(w.m.n_photos, sizeof *w.hash);
		w.v = tp_calloc(w.m.n_photos * w.dim, sizeof *w.v);
		w.copy = tp_calloc(w.m.n_photos / w.every + 1, sizeof *w.copy);
		for (int t = 0; t < THREADS && !rc; t++) {
			w.in[t] = tp_alloc_aligned(3 * side * side * sizeof(float));
			rc = w.in[t] ? tp_exec_new(&w.exec[t], w.plan, &err) : tp_nomem(&err, side);
		}
		if (!rc && !(w.hash && w.v && w.copy))
			rc = tp_nomem(&err, w.m.n_photos * w.dim);
	}
	if (!rc)
		rc = tp_par_for(w.m.n_photos, THREADS, one, &w, &err);
	if (!rc)
		rc = report(&w, &err);
	if (rc)
		fprintf(stderr, "cosines: %s\n", err.msg);
	return rc ? 1 : 0;
}
