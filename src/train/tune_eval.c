/* Validation during fine-tuning: the weights of the moment as a plan for inference, the photos prepared as they will be
 * when the model is served. */
#include <math.h>
#include <string.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/par.h"
#include "train/tune_int.h"

typedef struct {
	const tp_tuner *t;
	tp_exec **exec;
	float **input;
	float *logits;
	int *y; /* -1: could not be read */
} job;

static tp_code read_photo(job *j, size_t i, int worker, tp_err *err)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	tp_code rc = tp_photo_read(&bytes, &len, j->t->job->m, j->t->val[i], err);
	if (!rc)
		rc = tp_prep_photo(j->input[worker], j->t->job->prep, bytes, len, err);
	tp_free(bytes);
	return rc;
}

static tp_code one(void *ud, size_t i, int worker, tp_err *err)
{
	job *j = ud;
	tp_err why = { 0 };
	tp_code rc = read_photo(j, i, worker, &why);
	if (rc == TP_ENOMEM || rc == TP_EBACKEND)
		return tp_fail(err, rc, "%s", why.msg);
	j->y[i] = rc ? -1 : j->t->job->m->photos[j->t->val[i]].species;
	if (!rc)
		rc = tp_exec_run(
			j->exec[worker], j->input[worker], NULL, j->logits + i * (size_t)j->t->classes, err);
	else
		rc = TP_OK;
	return rc ? rc : tp_cancel_check(err);
}

/* Rows that could be read, together. */
static size_t squeeze(job *j)
{
	size_t n = 0, row = (size_t)j->t->classes;
	for (size_t i = 0; i < j->t->n_val; i++)
		if (j->y[i] >= 0) {
			memmove(j->logits + n * row, j->logits + i * row, row * sizeof *j->logits);
			j->y[n++] = j->y[i];
		}
	return n;
}

static tp_code init(job *j, const tp_plan *plan, int threads, tp_err *err)
{
	size_t side = (size_t)j->t->job->prep->side, n = j->t->n_val * (size_t)j->t->classes;
	tp_code rc = TP_OK;
	j->exec = tp_calloc((size_t)threads, sizeof *j->exec);
	j->input = tp_calloc((size_t)threads, sizeof *j->input);
	j->logits = tp_alloc_aligned((n + 1) * sizeof *j->logits);
	j->y = tp_calloc(j->t->n_val + 1, sizeof *j->y);
	if (!j->exec || !j->input || !j->logits || !j->y)
		return tp_nomem(err, n * sizeof *j->logits);
	for (int i = 0; i < threads && !rc; i++) {
		rc = tp_exec_new(&j->exec[i], plan, err);
		if (!rc && !(j->input[i] = tp_alloc_aligned(3 * side * side * sizeof(float))))
			rc = tp_nomem(err, 3 * side * side * sizeof(float));
	}
	return rc;
}

static void dispose(job *j, int threads)
{
	for (int i = 0; i < threads; i++) {
		if (j->exec)
			tp_exec_free(j->exec[i]);
		if (j->input)
			tp_free_aligned(j->input[i]);
	}
	tp_free(j->exec);
	tp_free(j->input);
	tp_free_aligned(j->logits);
	tp_free(j->y);
}

/* tp_measure() wants scores. */
static double to_scores(float *z, const int *y, size_t n, int classes)
{
	double nll = tp_nll(z, y, n, classes, 1);
	for (size_t i = 0; i < n; i++, z += classes) {
		float top = z[0];
		double sum = 0;
		for (int c = 1; c < classes; c++)
			top = z[c] > top ? z[c] : top;
		for (int c = 0; c < classes; c++)
			sum += z[c] = expf(z[c] - top);
		for (int c = 0; c < classes; c++)
			z[c] = (float)(z[c] / sum);
	}
	return nll;
}

tp_code tp_tune_eval(tp_metrics *m, const tp_tuner *t, const tp_weights *w, tp_err *err)
{
	job j = { .t = t };
	tp_plan *plan = NULL;
	tp_plan_opts po = { .batch = 1, .side = t->job->prep->side, .threads = 1 };
	int threads = t->job->threads;
	*m = (tp_metrics){ 0 };
	if (!t->n_val)
		return TP_OK;
	tp_code rc = tp_plan_new(&plan, t->net, w, &po, err);
	if (!rc)
		rc = init(&j, plan, threads, err);
	if (!rc)
		rc = tp_par_for(t->n_val, threads, one, &j, err);
	if (!rc) {
		size_t n = squeeze(&j);
		double nll = to_scores(j.logits, j.y, n, t->classes);
		tp_measure(m, j.logits, j.y, n, t->classes, NULL);
		m->nll = nll;
	}
	dispose(&j, threads);
	tp_plan_free(plan);
	return rc;
}
