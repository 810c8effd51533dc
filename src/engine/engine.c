/* The engine: see engine.h. One plan, and a pool of execs that callers borrow one at a time: N workers with one
 * thread each give more than one worker with N threads (docs/benchmarks.md), and the same answers. */
#include "engine/engine.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/par.h"
#include "engine/fuse.h"

/* What one identification needs for itself, allocated once. */
typedef struct slot {
	tp_exec *exec;
	float *input, *features, *logits;
	struct slot *next;
} slot;

struct tp_engine {
	tp_model *model;
	tp_index *index;
	tp_plan *plan;
	slot *slots;
	int n_slots;
	slot *idle;
	pthread_mutex_t lock;
	pthread_cond_t freed;
};

static size_t n_features(const tp_engine *e)
{
	return (size_t)tp_model_arch(e->model)->n_features;
}

static tp_code slot_init(slot *s, const tp_engine *e, tp_err *err)
{
	size_t side = (size_t)tp_model_prep(e->model)->side;
	size_t classes = (size_t)tp_model_classes(e->model);
	tp_code rc = tp_exec_new(&s->exec, e->plan, err);
	if (rc)
		return rc;
	s->input = tp_alloc_aligned(3 * side * side * sizeof(float));
	s->features = tp_alloc_aligned(n_features(e) * sizeof(float));
	s->logits = tp_alloc_aligned(classes * sizeof(float));
	if (!s->input || !s->features || !s->logits)
		return tp_nomem(err, 3 * side * side * sizeof(float));
	return TP_OK;
}

static tp_code open_index(tp_engine *e, const char *path, tp_err *err)
{
	tp_code rc = tp_index_open(&e->index, path, err);
	if (rc)
		return rc;
	if (strcmp(tp_index_model_sha256(e->index), tp_model_sha256(e->model)) != 0)
		return tp_fail(
			err, TP_EINVAL, "%s: made with another model; make it again with tepal index", path);
	if ((size_t)tp_index_dim(e->index) != n_features(e))
		return tp_fail(err, TP_EFORMAT, "%s: vectors of %d numbers, the model has %zu", path,
			tp_index_dim(e->index), n_features(e));
	return TP_OK;
}

tp_code tp_engine_open(tp_engine **out, const tp_engine_opts *opts, tp_err *err)
{
	tp_engine *e = tp_calloc(1, sizeof *e);
	if (!e)
		return tp_nomem(err, sizeof *e);
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->freed, NULL);
	tp_code rc = tp_model_load(&e->model, opts->model_path, err);
	if (!rc && opts->index_path)
		rc = open_index(e, opts->index_path, err);
	if (!rc)
		rc = tp_model_plan(&e->plan, e->model, 1, 1, err);
	if (rc)
		goto out;
	int n = opts->workers > 0 ? opts->workers : tp_cpu_count();
	e->slots = tp_calloc((size_t)n, sizeof *e->slots);
	if (!e->slots) {
		rc = tp_nomem(err, (size_t)n * sizeof *e->slots);
		goto out;
	}
	for (; e->n_slots < n && !rc; e->n_slots++) {
		slot *s = &e->slots[e->n_slots];
		rc = slot_init(s, e, err);
		s->next = e->idle;
		e->idle = s;
	}
	if (rc)
		goto out;
	*out = e;
	e = NULL;
out:
	tp_engine_close(e);
	return rc;
}

void tp_engine_close(tp_engine *e)
{
	if (!e)
		return;
	for (int i = 0; i < e->n_slots; i++) {
		tp_exec_free(e->slots[i].exec);
		tp_free_aligned(e->slots[i].input);
		tp_free_aligned(e->slots[i].features);
		tp_free_aligned(e->slots[i].logits);
	}
	tp_free(e->slots);
	tp_plan_free(e->plan);
	tp_index_close(e->index);
	tp_model_free(e->model);
	pthread_cond_destroy(&e->freed);
	pthread_mutex_destroy(&e->lock);
	tp_free(e);
}

const tp_model *tp_engine_model(const tp_engine *e)
{
	return e->model;
}

const tp_index *tp_engine_index(const tp_engine *e)
{
	return e->index;
}

static slot *borrow(tp_engine *e)
{
	pthread_mutex_lock(&e->lock);
	while (!e->idle)
		pthread_cond_wait(&e->freed, &e->lock);
	slot *s = e->idle;
	e->idle = s->next;
	pthread_mutex_unlock(&e->lock);
	return s;
}

static void give_back(tp_engine *e, slot *s)
{
	pthread_mutex_lock(&e->lock);
	s->next = e->idle;
	e->idle = s;
	pthread_cond_signal(&e->freed);
	pthread_mutex_unlock(&e->lock);
}

/* Photo to features and logits, in the slot. */
static tp_code run_photo(tp_engine *e, slot *s, const void *bytes, size_t len, tp_err *err)
{
	tp_code rc = tp_prep_photo(s->input, tp_model_prep(e->model), bytes, len, err);
	if (!rc)
		rc = tp_exec_run(s->exec, s->input, s->features, s->logits, err);
	return rc;
}

tp_code tp_engine_features(
	tp_engine *e, const void *bytes, size_t len, float *features, float *logits, tp_err *err)
{
	slot *s = borrow(e);
	tp_code rc = run_photo(e, s, bytes, len, err);
	if (!rc) {
		memcpy(features, s->features, n_features(e) * sizeof(float));
		if (logits)
			memcpy(logits, s->logits, (size_t)tp_model_classes(e->model) * sizeof(float));
	}
	give_back(e, s);
	return rc;
}

/* The organ all photos agree on; NULL when they differ or none was named. */
static const char *common_organ(const tp_query_photo *photos, int n)
{
	const char *organ = photos[0].organ;
	for (int i = 0; i < n; i++)
		if (!organ || !photos[i].organ || strcmp(photos[i].organ, organ) != 0)
			return NULL;
	return strcmp(organ, "auto") ? organ : NULL;
}

/* mean feature: the photos' unit features added up, so that each counts the same. */
static void rank(tp_engine *e, tp_answer *a, const float *scores, const float *feature,
	const tp_identify_opts *opts, const char *organ, int *order)
{
	int n = tp_top_k(order, opts->top_k, scores, tp_model_classes(e->model));
	for (int i = 0; i < n; i++) {
		tp_candidate *c = &a->v[i];
		*c = (tp_candidate){ .species = order[i], .score = scores[order[i]] };
		if (e->index && opts->related > 0)
			c->n_related = tp_index_search(c->related, opts->related, e->index,
				tp_model_class(e->model, order[i])->name, feature, organ);
	}
	a->n = n;
	a->likely = n > 0 && a->v[0].score >= (float)tp_model_calibration(e->model)->reject_below;
}

static void add_unit(float *sum, const float *f, size_t n)
{
	double sq = 0;
	for (size_t i = 0; i < n; i++)
		sq += (double)f[i] * f[i];
	float scale = sq > 0 ? (float)(1 / __builtin_sqrt(sq)) : 0;
	for (size_t i = 0; i < n; i++)
		sum[i] += scale * f[i];
}

static tp_code score_photos(tp_engine *e, const tp_query_photo *photos, int n, float *scores, float *feature,
	int *bad, tp_err *err)
{
	int classes = tp_model_classes(e->model);
	tp_code rc = TP_OK;
	slot *s = borrow(e);
	for (int i = 0; i < n && !rc; i++) {
		rc = run_photo(e, s, photos[i].bytes, photos[i].len, err);
		if (rc) {
			if (bad)
				*bad = i;
			tp_context(err, rc, "image[%d]: ", i);
			break;
		}
		tp_model_scores(scores + (long)i * classes, e->model, s->logits, s->features);
		add_unit(feature, s->features, n_features(e));
	}
	give_back(e, s);
	return rc;
}

tp_code tp_engine_identify(tp_engine *e, const tp_query_photo *photos, int n, const tp_identify_opts *opts,
	tp_answer *out, int *bad, tp_err *err)
{
	tp_identify_opts o = *opts;
	tp_answer a = { 0 };
	int classes = tp_model_classes(e->model);
	if (n < 1 || n > TP_MAX_PHOTOS)
		return tp_fail(err, TP_EINVAL, "%d photos; 1 to %d of one plant are taken", n, TP_MAX_PHOTOS);
	assert(o.top_k >= 1 && o.related >= 0 && o.related <= TP_MAX_RELATED);
	if (o.top_k > classes)
		o.top_k = classes;
	/* per photo, then fused */
	float *scores = tp_calloc((size_t)(n + 1) * (size_t)classes, sizeof *scores);
	float *feature = tp_calloc(n_features(e), sizeof *feature);
	int *order = tp_calloc((size_t)o.top_k, sizeof *order);
	tp_code rc = TP_OK;
	a.v = tp_calloc((size_t)o.top_k, sizeof *a.v);
	if (!scores || !feature || !order || !a.v)
		rc = tp_nomem(err, (size_t)(n + 1) * (size_t)classes * sizeof *scores);
	if (!rc)
		rc = score_photos(e, photos, n, scores, feature, bad, err);
	if (!rc) {
		float *fused = scores + (size_t)n * (size_t)classes;
		tp_fuse_mean(fused, scores, n, classes);
		rank(e, &a, fused, feature, &o, common_organ(photos, n), order);
		*out = a;
		a = (tp_answer){ 0 };
	}
	tp_answer_dispose(&a);
	tp_free(scores);
	tp_free(feature);
	tp_free(order);
	return rc;
}

void tp_answer_dispose(tp_answer *a)
{
	tp_free(a->v);
	*a = (tp_answer){ 0 };
}
