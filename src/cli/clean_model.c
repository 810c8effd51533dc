/* A model as cleaning asks it: see clean_model.h. Features are those that train and eval keep. */
#include "cli/clean_model.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "train/train.h"

/* The class that stands for all that is no plant. */
static const char background_name[] = "background";
static const uint64_t MAX_FEATURES = (uint64_t)16 << 30; /* bytes */

struct tp_clean_model {
	tp_model *model;
	const char *cache_dir;
	int threads;
	bool quiet;
	int background; /* the class, or -1 */
	tp_features f;
	float *norm;     /* 1 / length of each vector */
	float *no_plant; /* probability of background of each */
};

void tp_clean_model_close(tp_clean_model *m)
{
	if (!m)
		return;
	tp_features_free(&m->f);
	tp_free(m->norm);
	tp_free(m->no_plant);
	tp_model_free(m->model);
	tp_free(m);
}

static const float *row(const tp_clean_model *m, size_t i)
{
	return m->f.v + i * (size_t)m->f.dim;
}

static double dot(const float *a, const float *b, int n)
{
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += (double)a[i] * b[i];
	return sum;
}

/* ---- what the model says of each ---- */

static tp_code classifier(tp_head *h, const tp_clean_model *m, tp_err *err)
{
	const tp_weights *w = tp_model_weights(m->model);
	const tp_arch *arch = tp_model_arch(m->model);
	size_t classes = (size_t)tp_model_classes(m->model), dim = (size_t)m->f.dim;
	h->w = tp_alloc_aligned(classes * dim * sizeof(float));
	h->b = tp_alloc_aligned(classes * sizeof(float));
	if (!h->w || !h->b)
		return tp_nomem(err, classes * dim * sizeof(float));
	tp_code rc = tp_tensor_floats(h->w, classes * dim, tp_weights_find(w, arch->classifier_weight), err);
	return rc ? rc : tp_tensor_floats(h->b, classes, tp_weights_find(w, arch->classifier_bias), err);
}

static float probability_of(const float *logits, int classes, int which)
{
	double sum = 0;
	for (int c = 0; c < classes; c++)
		sum += exp((double)logits[c] - logits[which]);
	return (float)(1 / sum);
}

static tp_code score_background(tp_clean_model *m, tp_err *err)
{
	enum { BLOCK = 256 };
	tp_head h = { 0 };
	int classes = tp_model_classes(m->model);
	float *z = tp_alloc_aligned(BLOCK * (size_t)classes * sizeof *z);
	m->no_plant = tp_alloc((m->f.n + 1) * sizeof *m->no_plant);
	tp_code rc = z && m->no_plant ? classifier(&h, m, err) : tp_nomem(err, m->f.n * sizeof *m->no_plant);
	for (size_t i = 0; i < m->f.n && !rc; i += BLOCK) {
		size_t n = m->f.n - i < BLOCK ? m->f.n - i : BLOCK;
		rc = tp_head_logits(z, &h, row(m, i), n, m->f.dim, classes, m->threads, err);
		for (size_t k = 0; k < n && !rc; k++)
			m->no_plant[i + k] = probability_of(z + k * (size_t)classes, classes, m->background);
	}
	tp_head_free(&h);
	tp_free_aligned(z);
	return rc;
}

static tp_code look(void *ud, const tp_manifest *photos, tp_err *err)
{
	tp_clean_model *m = ud;
	const tp_feature_opts o = { .arch = tp_model_arch(m->model),
		.backbone = tp_model_weights(m->model),
		.prep = *tp_model_prep(m->model),
		.cache_dir = m->cache_dir,
		.threads = m->threads,
		.quiet = m->quiet };
	uint64_t need = (uint64_t)photos->n_photos * (uint64_t)o.arch->n_features * sizeof(float);
	if (need > MAX_FEATURES)
		return tp_fail(err, TP_ELIMIT,
			"the model's features of %zu photos need %.1f GiB, the limit is %.0f",
			photos->n_photos, (double)need / (1 << 30), (double)MAX_FEATURES / (1 << 30));
	tp_code rc = tp_features_compute(&m->f, photos, &o, err);
	if (rc)
		return rc;
	m->norm = tp_alloc((m->f.n + 1) * sizeof *m->norm);
	if (!m->norm)
		return tp_nomem(err, m->f.n * sizeof *m->norm);
	for (size_t i = 0; i < m->f.n; i++) {
		double sq = dot(row(m, i), row(m, i), m->f.dim);
		m->norm[i] = sq > 0 ? (float)(1 / sqrt(sq)) : 0;
	}
	return m->background >= 0 ? score_background(m, err) : TP_OK;
}

static bool has(void *ud, size_t i)
{
	const tp_clean_model *m = ud;
	return i < m->f.n && m->f.state[i] == TP_FEATURE_DONE;
}

static float cosine(void *ud, size_t a, size_t b)
{
	const tp_clean_model *m = ud;
	return (float)(dot(row(m, a), row(m, b), m->f.dim) * (double)m->norm[a] * (double)m->norm[b]);
}

static float background(void *ud, size_t i)
{
	return ((tp_clean_model *)ud)->no_plant[i];
}

/* ---- classifiers on folds ---- */

typedef struct {
	tp_clean_model *m;
	const uint32_t *photo, *label;
	const uint8_t *fold;
	size_t n, classes;
	float *x; /* rows of one half at a time: all that are not of the fold, then those that are */
	int *y;
	float *z;
	double penalty, temperature;
	tp_progress *progress;
} folds;

/* The rows that are (inside) or are not of a fold. */
static tp_samples gather(folds *k, int fold, bool inside)
{
	size_t dim = (size_t)k->m->f.dim, n = 0;
	for (size_t i = 0; i < k->n; i++)
		if ((k->fold[i] == fold) == inside) {
			memcpy(k->x + n * dim, row(k->m, k->photo[i]), dim * sizeof *k->x);
			k->y[n++] = (int)k->label[i];
		}
	return (tp_samples){ k->x, k->y, n, k->m->f.dim, (int)k->classes };
}

static tp_code held_out(folds *k, const tp_head *h, int fold, tp_samples *s, tp_err *err)
{
	*s = gather(k, fold, true);
	return s->n ? tp_head_logits(k->z, h, s->x, s->n, s->dim, s->classes, k->m->threads, err) : TP_OK;
}

static tp_code fit(folds *k, tp_head *h, int fold, double penalty, tp_err *err)
{
	tp_samples s = gather(k, fold, false);
	tp_code rc = tp_head_fit(h, &s, penalty, k->m->threads, err);
	tp_progress_add(k->progress, 1);
	return rc;
}

/* On the first fold, from the strongest penalty to the weakest until it gets worse, as train does. */
static tp_code choose_penalty(folds *k, tp_err *err)
{
	static const double grid[] = { 100, 30, 10, 3, 1, 0.3, 0.1 };
	tp_head h = { 0 };
	double best = INFINITY;
	tp_code rc = TP_OK;
	for (size_t i = 0; i < sizeof grid / sizeof *grid && !rc; i++) {
		tp_samples s;
		rc = fit(k, &h, 0, grid[i], err);
		if (!rc)
			rc = held_out(k, &h, 0, &s, err);
		if (rc)
			break;
		double t = tp_fit_temperature(k->z, s.y, s.n, s.classes),
		       nll = tp_nll(k->z, s.y, s.n, s.classes, t);
		if (nll >= best)
			break;
		best = nll;
		k->penalty = grid[i];
		k->temperature = t;
	}
	tp_head_free(&h);
	return rc;
}

static void probabilities(float *p, const float *z, size_t n, double temperature)
{
	double sum = 0, top = (double)z[0];
	for (size_t c = 1; c < n; c++)
		top = (double)z[c] > top ? (double)z[c] : top;
	for (size_t c = 0; c < n; c++)
		sum += exp(((double)z[c] - top) / temperature);
	for (size_t c = 0; c < n; c++)
		p[c] = (float)(exp(((double)z[c] - top) / temperature) / sum);
}

static tp_code predict_fold(folds *k, float *p, int fold, tp_err *err)
{
	tp_head h = { 0 };
	tp_samples s;
	tp_code rc = fit(k, &h, fold, k->penalty, err);
	if (!rc)
		rc = held_out(k, &h, fold, &s, err);
	tp_head_free(&h);
	size_t at = 0;
	for (size_t i = 0; i < k->n && !rc; i++)
		if (k->fold[i] == fold)
			probabilities(
				p + i * k->classes, k->z + at++ * k->classes, k->classes, k->temperature);
	return rc;
}

static tp_code predict(void *ud, float *p, const uint32_t *photo, const uint32_t *label, const uint8_t *fold,
	size_t n, size_t classes, int n_folds, tp_err *err)
{
	tp_clean_model *m = ud;
	folds k = { .m = m, .photo = photo, .label = label, .fold = fold, .n = n, .classes = classes };
	size_t x = n * (size_t)m->f.dim * sizeof *k.x, z = n * classes * sizeof *k.z;
	k.x = tp_alloc_aligned(x);
	k.y = tp_alloc(n * sizeof *k.y);
	k.z = tp_alloc_aligned(z);
	tp_code rc = k.x && k.y && k.z ? TP_OK : tp_nomem(err, x + z);
	k.progress = tp_progress_start("labels", 0, m->quiet);
	if (!rc)
		rc = choose_penalty(&k, err);
	for (int f = 0; f < n_folds && !rc; f++)
		rc = predict_fold(&k, p, f, err);
	tp_progress_end(k.progress);
	tp_free_aligned(k.x);
	tp_free(k.y);
	tp_free_aligned(k.z);
	return rc;
}

tp_code tp_clean_model_open(tp_clean_model **out, tp_clean_network *net, const char *path,
	const char *cache_dir, int threads, bool quiet, tp_err *err)
{
	tp_clean_model *m = tp_calloc(1, sizeof *m);
	if (!m)
		return tp_nomem(err, sizeof *m);
	m->cache_dir = cache_dir;
	m->threads = threads;
	m->quiet = quiet;
	m->background = -1;
	tp_code rc = tp_model_load(&m->model, path, err);
	if (rc) {
		tp_clean_model_close(m);
		return rc;
	}
	for (int c = 0; c < tp_model_classes(m->model); c++)
		if (!strcmp(tp_model_class(m->model, c)->name, background_name))
			m->background = c;
	*net = (tp_clean_network){ .ud = m,
		.look = look,
		.has = has,
		.cosine = cosine,
		.background = m->background >= 0 ? background : NULL,
		.predict = predict };
	*out = m;
	return TP_OK;
}
