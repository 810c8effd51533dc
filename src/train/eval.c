/* Measuring a model file on photos with known names: see train.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "train/record.h"
#include "train/table.h"

/* The manifest's species to the model's classes, by name; -1: the model does not know it. */
static int *match(const tp_manifest *m, const tp_model *model, size_t *unknown)
{
	int *of = tp_alloc(m->n_taxa * sizeof *of);
	for (size_t i = 0; of && i < m->n_taxa; i++) {
		of[i] = -1;
		for (int c = 0; c < tp_model_classes(model); c++)
			if (!strcmp(tp_model_class(model, c)->name, m->taxa[i].name))
				of[i] = c;
		*unknown += of[i] < 0;
	}
	return of;
}

static tp_code all_scores(float **out, const tp_model *m, const tp_table *t, int threads, tp_err *err)
{
	size_t classes = (size_t)t->s.classes, dim = (size_t)t->s.dim;
	const tp_weights *w = tp_model_weights(m);
	const tp_tensor *tw = tp_weights_find(w, tp_model_arch(m)->classifier_weight),
			*tb = tp_weights_find(w, tp_model_arch(m)->classifier_bias);
	tp_head h = { .w = tp_alloc_aligned(classes * dim * sizeof(float)),
		.b = tp_alloc_aligned(classes * sizeof(float)) };
	float *logits = tp_alloc_aligned(t->s.n * classes * sizeof *logits);
	float *scores = tp_alloc_aligned(t->s.n * classes * sizeof *scores);
	tp_code rc =
		h.w && h.b && logits && scores ? TP_OK : tp_nomem(err, t->s.n * classes * sizeof *scores);
	if (!rc)
		rc = tp_tensor_floats(h.w, classes * dim, tw, err);
	if (!rc)
		rc = tp_tensor_floats(h.b, classes, tb, err);
	if (!rc && t->s.n)
		rc = tp_head_logits(logits, &h, t->s.x, t->s.n, t->s.dim, t->s.classes, threads, err);
	for (size_t i = 0; i < t->s.n && !rc; i++)
		tp_model_scores(scores + i * classes, m, logits + i * classes, t->s.x + i * dim);
	if (!rc) {
		*out = scores;
		scores = NULL;
	}
	tp_head_free(&h);
	tp_free_aligned(logits);
	tp_free_aligned(scores);
	return rc;
}

static tp_code print(const tp_eval_opts *o, const tp_manifest *m, const tp_table *t, const float *scores,
	size_t unknown, tp_err *err)
{
	static const char *const names[] = { "train", "val", "test" };
	if (!o->json) {
		printf("%zu photos of the %s split; %zu species the model does not know were left out\n",
			t->s.n, names[o->split], unknown);
		return tp_print_report(m, t, scores, err);
	}
	tp_metrics all;
	tp_measure(&all, scores, t->s.y, t->s.n, t->s.classes, NULL);
	json_t *j = tp_metrics_json(&all);
	char *text = NULL;
	tp_code rc = tp_json_dump(&text, j, err);
	if (!rc)
		puts(text);
	tp_free(text);
	json_decref(j);
	return rc;
}

tp_code tp_eval(const tp_eval_opts *o, tp_err *err)
{
	tp_photo_set set = { 0 };
	tp_table t = { 0 };
	float *scores = NULL;
	int *of = NULL;
	size_t unknown = 0;
	tp_code rc = tp_photo_set_open(&set, &o->set, err);
	if (!rc && !(of = match(&set.m, set.model, &unknown)))
		rc = tp_nomem(err, set.m.n_taxa * sizeof *of);
	if (!rc)
		rc = tp_table_make(&t, &set.m, &set.f, o->split, of, tp_model_classes(set.model), err);
	if (!rc && !t.s.n)
		rc = tp_fail(err, TP_EINVAL, "%s: no photos of this split that the model could know",
			o->set.photos);
	if (!rc)
		rc = all_scores(&scores, set.model, &t, o->set.threads, err);
	if (!rc)
		rc = print(o, &set.m, &t, scores, unknown, err);
	tp_free_aligned(scores);
	tp_free(of);
	tp_table_free(&t);
	tp_photo_set_close(&set);
	return rc;
}
