/* Features of every photo, once: see train.h. What is known already comes from the cache (cache.c). */
#include <string.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "train/cache.h"

enum { CHUNK = 128 };                /* photos between two looks at the clock */
static const double SAVE_EVERY = 20; /* seconds, or as many times as long as saving takes */

typedef struct {
	const tp_manifest *m;
	const tp_feature_opts *o;
	tp_features *f;
	tp_cache cache;
	tp_plan *plan;
	tp_exec **exec; /* one a thread */
	float **input;
	size_t *todo, n_todo, first;
	tp_progress *progress;
} job;

void tp_features_free(tp_features *f)
{
	tp_free_aligned(f->v);
	tp_free(f->state);
	*f = (tp_features){ 0 };
}

/* ---- work ----------------------------------------------------------------------------------------------- */

static tp_code photo_features(job *j, size_t i, int worker, tp_err *err)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	tp_code rc = tp_photo_read(&bytes, &len, j->m, i, err);
	if (!rc)
		rc = tp_prep_photo(j->input[worker], &j->o->prep, bytes, len, err);
	if (!rc)
		rc = tp_exec_run(
			j->exec[worker], j->input[worker], j->f->v + i * (size_t)j->f->dim, NULL, err);
	tp_free(bytes);
	return rc;
}

static tp_code one(void *ud, size_t k, int worker, tp_err *err)
{
	job *j = ud;
	size_t i = j->todo[j->first + k];
	tp_err why = { 0 };
	tp_code rc = photo_features(j, i, worker, &why);
	if (rc == TP_ENOMEM || rc == TP_EBACKEND)
		return tp_fail(err, rc, "%s", why.msg);
	j->f->state[i] = rc ? TP_FEATURE_BAD : TP_FEATURE_DONE;
	if (rc)
		tp_log(TP_LOG_DEBUG, "photo=\"%s\" %s", j->m->photos[i].path, why.msg);
	tp_progress_add(j->progress, 1);
	return tp_cancel_check(err);
}

/* Looking at a bad photo once more is no reason to write everything again. */
static bool is_news(const job *j)
{
	for (size_t k = 0; k < j->n_todo; k++)
		if (j->f->state[j->todo[k]] == TP_FEATURE_DONE)
			return true;
	return false;
}

/* A cache that cannot be written costs time later, not the work of now. Said once. */
static void keep(job *j)
{
	tp_err err = { 0 };
	if (j->f->unkept || !tp_cache_save(&j->cache, j->f, &err))
		return;
	tp_log(TP_LOG_WARN, "features are not kept for the next time: %s", err.msg);
	j->f->unkept = true;
}

static tp_code run(job *j, tp_err *err)
{
	double next = tp_now() + SAVE_EVERY;
	tp_code rc = TP_OK;
	for (j->first = 0; j->first < j->n_todo && !rc; j->first += CHUNK) {
		size_t left = j->n_todo - j->first;
		rc = tp_par_for(left < CHUNK ? left : CHUNK, j->o->threads, one, j, err);
		double before = tp_now();
		if (!rc && before > next) {
			keep(j);
			double took = tp_now() - before;
			next = tp_now() + SAVE_EVERY * (took > 1 ? took : 1);
		}
	}
	if (is_news(j) && (!rc || rc == TP_ECANCEL))
		keep(j);
	return rc;
}

static tp_code job_init(job *j, tp_err *err)
{
	size_t n = (size_t)j->o->threads, side = (size_t)j->o->prep.side;
	tp_plan_opts po = { .batch = 1, .side = j->o->prep.side, .threads = 1 };
	tp_net *net = NULL;
	tp_code rc = tp_net_new(&net, j->o->arch, 0, err);
	if (!rc)
		rc = tp_plan_new(&j->plan, net, j->o->backbone, &po, err);
	tp_net_free(net);
	j->exec = tp_calloc(n, sizeof *j->exec);
	j->input = tp_calloc(n, sizeof *j->input);
	j->todo = tp_calloc(j->f->n, sizeof *j->todo);
	if (!rc && (!j->exec || !j->input || !j->todo))
		rc = tp_nomem(err, j->f->n * sizeof *j->todo);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = tp_exec_new(&j->exec[i], j->plan, err);
		if (!rc && !(j->input[i] = tp_alloc_aligned(3 * side * side * sizeof(float))))
			rc = tp_nomem(err, 3 * side * side * sizeof(float));
	}
	for (size_t i = 0; i < j->f->n && !rc; i++)
		if (j->f->state[i] == TP_FEATURE_MISSING)
			j->todo[j->n_todo++] = i;
	return rc;
}

static void job_dispose(job *j)
{
	for (int i = 0; i < j->o->threads; i++) {
		if (j->exec)
			tp_exec_free(j->exec[i]);
		if (j->input)
			tp_free_aligned(j->input[i]);
	}
	tp_free(j->exec);
	tp_free(j->input);
	tp_free(j->todo);
	tp_plan_free(j->plan);
	tp_cache_dispose(&j->cache);
}

static void name_bad(tp_features *f, const tp_manifest *m)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->state[i] == TP_FEATURE_BAD && ++f->n_bad <= 10)
			tp_log(TP_LOG_WARN, "photo=\"%s\" cannot be read and is left out", m->photos[i].path);
	if (f->n_bad > 10)
		tp_log(TP_LOG_WARN, "%zu photos in all cannot be read", f->n_bad);
}

tp_code tp_features_compute(tp_features *out, const tp_manifest *m, const tp_feature_opts *o, tp_err *err)
{
	tp_features f = { .n = m->n_photos, .dim = o->arch->n_features };
	job j = { .m = m, .o = o, .f = &f };
	tp_code rc = tp_cache_load(&j.cache, &f, m, o, err);
	if (!rc)
		rc = job_init(&j, err);
	if (!rc) {
		j.progress = tp_progress_start("features", j.n_todo, o->quiet || !j.n_todo);
		rc = run(&j, err);
		tp_progress_end(j.progress);
	}
	job_dispose(&j);
	if (rc) {
		tp_features_free(&f);
		return rc;
	}
	name_bad(&f, m);
	*out = f;
	return TP_OK;
}

/* ---- the backbone as it will be served ------------------------------------------------------------------- */

tp_code tp_round_backbone(tp_weights **out, const tp_arch *arch, const tp_weights *w, tp_err *err)
{
	tp_net *net = NULL;
	tp_tensor *t = NULL;
	size_t n = 0;
	tp_code rc = tp_net_new(&net, arch, 0, err);
	if (!rc)
		n = tp_net_params(net);
	t = tp_calloc(n, sizeof *t);
	if (!rc && !t)
		rc = tp_nomem(err, n * sizeof *t);
	for (size_t i = 0; i < n && !rc; i++) {
		const tp_net_param *p = tp_net_param_at(net, i);
		const tp_tensor *from = tp_weights_find(w, p->name);
		if (!from) {
			rc = tp_fail(err, TP_EFORMAT, "backbone: tensor \"%s\" is missing", p->name);
			break;
		}
		size_t count = tp_tensor_count(from);
		float *v = tp_alloc(count * sizeof *v);
		t[i] = (tp_tensor){ .name = p->name,
			.dtype = TP_F32,
			.ndim = from->ndim,
			.data = v,
			.size = count * sizeof *v };
		memcpy(t[i].dim, from->dim, sizeof t[i].dim);
		rc = v ? tp_tensor_floats(v, count, from, err) : tp_nomem(err, count * sizeof *v);
		for (size_t k = 0; k < count && !rc && p->ndim > 1; k++)
			v[k] = tp_half_to_float(tp_float_to_half(v[k]));
	}
	if (!rc)
		rc = tp_weights_copy(out, t, n, err);
	for (size_t i = 0; t && i < n; i++)
		tp_free((void *)(uintptr_t)t[i].data);
	tp_free(t);
	tp_net_free(net);
	return rc;
}
