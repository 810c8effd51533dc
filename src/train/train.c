/* Training from photos to a model file: see train.h. */
#include "train/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "train/html_report.h"
#include "train/record.h"
#include "train/show_augment.h"
#include "train/table.h"
#include "train/tune.h"

enum { FOLDS = 5 };
/* One photo in ten that people send shows a plant the model does not know: an assumption, and it is recorded. */
static const double UNKNOWN_SHARE = 0.1;
static const double MOST = 0.5;
static const double ACCEPT = 0.95; /* share of validation photos whose best species counts as likely */

typedef struct {
	const tp_train_opts *o;
	tp_manifest m;
	tp_model *from; /* the backbone's model file, or NULL */
	tp_weights *raw, *backbone;
	const tp_weights *start; /* the backbone before it was rounded, for fine-tuning */
	tp_tuned tuned;
	tp_features f;
	bool uncached, warned; /* what was said once is not said of the fine-tuned network's features */
	tp_table t[TP_SPLITS];
	tp_head head;
	float *logits[TP_SPLITS], *scores[TP_SPLITS];
	float *means, *centre;
	json_t *sources;
	tp_prep prep;
	tp_run run;
} trainer;

/* ---- what goes in ------------------------------------------------------------------------------------- */

tp_prep tp_arch_prep(const tp_arch *arch, int side)
{
	int px = side ? side : arch->side;
	tp_prep p = { .side = px, .resize = px, .fit = TP_FIT_CROP, .filter = TP_BICUBIC };
	memcpy(p.mean, arch->mean, sizeof p.mean);
	memcpy(p.std, arch->std, sizeof p.std);
	p.bgr = arch->bgr;
	return p;
}

/* A network without weights: they are made up when training begins. */
static tp_code open_network(trainer *t, tp_err *err)
{
	t->run.arch = tp_arch_find(t->o->network);
	if (!t->run.arch)
		return tp_fail(err, TP_EINVAL, "there is no network \"%.60s\"; tepal model list shows them",
			t->o->network);
	t->prep = tp_arch_prep(t->run.arch, t->o->side);
	return TP_OK;
}

/* A tepal model brings its preparation along; plain weights get the architecture's. */
static tp_code open_backbone(trainer *t, tp_err *err)
{
	const char *path = t->o->backbone;
	const tp_weights *w = NULL;
	tp_sha256 sum;
	tp_code rc = tp_sha256_file(&sum, path, err);
	if (!rc)
		rc = tp_safetensors_open(&t->raw, path, err);
	if (rc)
		return rc;
	const char *name = tp_weights_meta(t->raw, "architecture");
	t->run.arch = tp_arch_find(name ? name : "efficientnet-lite0");
	if (!t->run.arch)
		return tp_fail(err, TP_EFORMAT, "%s: unknown architecture \"%.60s\"", path, name);
	t->prep = tp_arch_prep(t->run.arch, 0);
	w = t->raw;
	if (tp_weights_meta(t->raw, "preprocessing")) { /* a model of ours: let its own reader check it */
		rc = tp_model_load(&t->from, path, err);
		if (rc)
			return rc;
		t->prep = *tp_model_prep(t->from);
		w = tp_model_weights(t->from);
	}
	if (t->o->side)
		t->prep.side = t->prep.resize = t->o->side;
	t->start = w;
	memcpy(t->run.backbone_sha256, sum.hex, sizeof sum.hex);
	rc = tp_round_backbone(&t->backbone, t->run.arch, w, err);
	return rc ? tp_context(err, rc, "%s: ", path) : TP_OK;
}

static tp_code open_sources(trainer *t, tp_err *err)
{
	uint8_t *text = NULL;
	size_t len = 0;
	if (!t->o->sources)
		return TP_OK;
	tp_code rc = tp_file_read(&text, &len, t->o->sources, TP_MAX_JSON, err);
	if (!rc)
		rc = tp_json_parse(&t->sources, (const char *)text, len, t->o->sources, err);
	tp_free(text);
	return rc;
}

/* Species with few photos to train with, and a set without any to validate with. */
static tp_code warn_of_gaps(const trainer *t, tp_err *err)
{
	size_t *n = tp_calloc(t->m.n_taxa, sizeof *n);
	if (!n)
		return tp_nomem(err, t->m.n_taxa * sizeof *n);
	for (size_t i = 0; i < t->t[TP_TRAIN].s.n; i++)
		n[t->t[TP_TRAIN].s.y[i]]++;
	for (size_t c = 0; c < t->m.n_taxa; c++)
		if (n[c] < 5)
			tp_log(TP_LOG_WARN, "species=\"%s\" has only %zu photos to train with",
				t->m.taxa[c].name, n[c]);
	tp_free(n);
	if (!t->t[TP_VAL].s.n)
		tp_log(TP_LOG_WARN,
			"no validation photos: the middle penalty is taken and scores are not calibrated");
	return TP_OK;
}

/* Validation photos choose the penalty and the temperature; a small set may have none. */
static tp_code make_tables(trainer *t, tp_err *err)
{
	tp_code rc = TP_OK;
	for (int s = 0; s < TP_SPLITS && !rc; s++)
		rc = tp_table_make(&t->t[s], &t->m, &t->f, (tp_split)s, NULL, (int)t->m.n_taxa, err);
	if (!rc && t->t[TP_TRAIN].s.n == 0)
		rc = tp_fail(err, TP_EINVAL, "%s: no readable photos to train with", t->o->photos);
	if (!rc && !t->warned)
		rc = warn_of_gaps(t, err);
	t->warned = true;
	return rc;
}

/* ---- choices --------------------------------------------------------------------------------------------- */

static tp_code logits_of(trainer *t, float **out, const tp_head *h, tp_split s, tp_err *err)
{
	const tp_samples *x = &t->t[s].s;
	if (!*out)
		*out = tp_alloc_aligned(x->n * (size_t)x->classes * sizeof(float));
	if (!*out)
		return tp_nomem(err, x->n * (size_t)x->classes * sizeof(float));
	return x->n ? tp_head_logits(*out, h, x->x, x->n, x->dim, x->classes, t->o->threads, err) : TP_OK;
}

/* From the strongest penalty to the weakest, each started from the one before; ends when validation gets worse. */
static tp_code choose_penalty(trainer *t, tp_err *err)
{
	static const double grid[] = { 100, 30, 10, 3, 1, 0.3, 0.1, 0.03, 0.01, 0.003 };
	const tp_samples *train = &t->t[TP_TRAIN].s, *val = &t->t[TP_VAL].s;
	tp_head h = { 0 };
	double best = INFINITY;
	tp_code rc = TP_OK;
	tp_progress *p = tp_progress_start("head", 0, t->o->quiet);
	for (size_t i = 0; i < sizeof grid / sizeof *grid && !rc; i++) {
		tp_metrics m;
		rc = tp_head_fit(&h, train, grid[i], t->o->threads, err);
		if (!rc)
			rc = logits_of(t, &t->logits[TP_VAL], &h, TP_VAL, err);
		if (rc)
			break;
		double temperature = tp_fit_temperature(t->logits[TP_VAL], val->y, val->n, val->classes);
		double nll = tp_nll(t->logits[TP_VAL], val->y, val->n, val->classes, temperature);
		tp_measure(&m, t->logits[TP_VAL], val->y, val->n, val->classes, NULL);
		int k = t->run.n_penalties++;
		t->run.penalties[k] = grid[i];
		t->run.val_nll[k] = nll;
		t->run.val_top1[k] = m.top1;
		tp_progress_add(p, 1);
		bool better = val->n ? nll < best : grid[i] == 10;
		if (better) {
			size_t nw = (size_t)val->classes * (size_t)val->dim * sizeof(float);
			best = nll;
			t->run.penalty = grid[i];
			t->run.iterations = h.iterations;
			t->run.loss = h.loss;
			t->run.gradient = h.gradient;
			if (!t->head.w) {
				t->head.w = tp_alloc_aligned(nw);
				t->head.b = tp_alloc_aligned((size_t)val->classes * sizeof(float));
			}
			if (!t->head.w || !t->head.b) {
				rc = tp_nomem(err, nw);
				break;
			}
			memcpy(t->head.w, h.w, nw);
			memcpy(t->head.b, h.b, (size_t)val->classes * sizeof(float));
		} else if (val->n || t->head.w) {
			break;
		}
	}
	tp_progress_end(p);
	tp_head_free(&h);
	return rc;
}

/* The classifier is stored as fp16: round it now, so that what is measured is what is served. */
static void round_head(tp_head *h, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h->w[i] = tp_half_to_float(tp_float_to_half(h->w[i]));
}

static double auroc(const float *s, const uint8_t *known, size_t n)
{
	double wins = 0, pairs = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n && known[i]; j++)
			if (!known[j]) {
				pairs++;
				wins += s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0;
			}
	return pairs > 0 ? wins / pairs : 0;
}

typedef struct {
	float *s;
	uint8_t *known, *use;
	size_t n;
} novelty_data;

/* One fold: every FOLDS-th species plays the unknown; its photos, and the others' validation photos, are held against
 * class means that have not seen them. */
static void novelty_fold(const trainer *t, novelty_data *d, int fold, float *means, float *centre)
{
	const tp_samples *train = &t->t[TP_TRAIN].s, *val = &t->t[TP_VAL].s;
	for (int c = 0; c < train->classes; c++)
		d->use[c] = c % FOLDS != fold;
	tp_class_means(means, centre, train, d->use);
	for (size_t i = 0; i < val->n; i++) {
		d->known[d->n] = d->use[val->y[i]];
		d->s[d->n++] =
			tp_nearest_mean(val->x + i * (size_t)val->dim, means, centre, val->dim, val->classes);
	}
	for (size_t i = 0; i < train->n; i++)
		if (!d->use[train->y[i]]) {
			d->known[d->n] = 0;
			d->s[d->n++] = tp_nearest_mean(
				train->x + i * (size_t)train->dim, means, centre, train->dim, train->classes);
		}
}

static tp_code fit_novelty(trainer *t, tp_err *err)
{
	const tp_samples *train = &t->t[TP_TRAIN].s, *val = &t->t[TP_VAL].s;
	size_t most = FOLDS * val->n + train->n, nw = (size_t)train->classes * (size_t)train->dim;
	novelty_data d = { .s = tp_calloc(most, sizeof(float)),
		.known = tp_calloc(most, 1),
		.use = tp_calloc((size_t)train->classes, 1) };
	tp_code rc = TP_OK;
	t->means = tp_alloc_aligned(nw * sizeof(float));
	t->centre = tp_alloc_aligned((size_t)train->dim * sizeof(float));
	if (!d.s || !d.known || !d.use || !t->means || !t->centre)
		rc = tp_nomem(err, nw * sizeof(float));
	if (!rc && train->classes >= 2 * FOLDS && val->n) {
		for (int fold = 0; fold < FOLDS; fold++)
			novelty_fold(t, &d, fold, t->means, t->centre);
		tp_fit_logistic(
			&t->run.calibration.novelty_a, &t->run.calibration.novelty_b, d.s, d.known, d.n);
		t->run.calibration.novelty_a += log((1 - UNKNOWN_SHARE) / UNKNOWN_SHARE);
		for (size_t i = 0; i < d.n; i++)
			*(d.known[i] ? &t->run.n_known : &t->run.n_unknown) += 1;
		t->run.novelty_auroc = auroc(d.s, d.known, d.n);
	} else if (!rc) {
		tp_log(TP_LOG_WARN,
			"fewer than %d species, or no validation photos: unknown plants are not recognised",
			2 * FOLDS);
	}
	if (!rc) {
		tp_class_means(t->means, t->centre, train, NULL);
		round_head(&(tp_head){ .w = t->means }, nw);
	}
	tp_free(d.s);
	tp_free(d.known);
	tp_free(d.use);
	return rc;
}

/* Scores as the model will give them. */
static tp_code score(trainer *t, tp_split split, tp_err *err)
{
	const tp_samples *x = &t->t[split].s;
	const tp_calibration *k = &t->run.calibration;
	size_t classes = (size_t)x->classes;
	tp_code rc = logits_of(t, &t->logits[split], &t->head, split, err);
	t->scores[split] = tp_alloc_aligned(x->n * classes * sizeof(float));
	if (!rc && !t->scores[split])
		rc = tp_nomem(err, x->n * classes * sizeof(float));
	for (size_t i = 0; i < x->n && !rc; i++) {
		const float *z = t->logits[split] + i * classes;
		float *p = t->scores[split] + i * classes;
		double top = z[0], sum = 0, share = 1;
		for (size_t c = 1; c < classes; c++)
			top = z[c] > top ? z[c] : top;
		for (size_t c = 0; c < classes; c++)
			sum += exp((z[c] - top) / k->temperature);
		if (k->novelty_b != 0)
			share = 1 / (1 + exp(-(k->novelty_a +
						 k->novelty_b * tp_nearest_mean(x->x + i * (size_t)x->dim,
									t->means, t->centre, x->dim,
									x->classes))));
		for (size_t c = 0; c < classes; c++)
			p[c] = (float)(share * exp((z[c] - top) / k->temperature) / sum);
	}
	return rc;
}

static int ascending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return x < y ? -1 : x > y;
}

/* The best score that all but 1 - ACCEPT of the validation photos reach. */
static tp_code choose_rejection(trainer *t, tp_err *err)
{
	size_t n = t->t[TP_VAL].s.n, classes = (size_t)t->t[TP_VAL].s.classes, above = 0;
	float *best = tp_calloc(n, sizeof *best);
	if (!best)
		return tp_nomem(err, n * sizeof *best);
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < classes; c++)
			best[i] = fmaxf(best[i], t->scores[TP_VAL][i * classes + c]);
	if (n) {
		qsort(best, n, sizeof *best, ascending);
		/* an answer that is more likely right than wrong is never called unlikely */
		t->run.calibration.reject_below = fmin(MOST, best[(size_t)((1 - ACCEPT) * (double)n)]);
		for (size_t i = 0; i < n; i++)
			above += best[i] >= (float)t->run.calibration.reject_below;
		t->run.accepted_val = (double)above / (double)n;
	}
	tp_free(best);
	return TP_OK;
}

static tp_code calibrate(trainer *t, tp_err *err)
{
	const tp_samples *val = &t->t[TP_VAL].s;
	round_head(&t->head, (size_t)val->classes * (size_t)val->dim);
	tp_code rc = logits_of(t, &t->logits[TP_VAL], &t->head, TP_VAL, err);
	if (rc)
		return rc;
	t->run.calibration.temperature =
		val->n ? tp_fit_temperature(t->logits[TP_VAL], val->y, val->n, val->classes) : 1;
	rc = fit_novelty(t, err);
	if (!rc)
		rc = score(t, TP_VAL, err);
	return rc ? rc : choose_rejection(t, err);
}

/* ---- what comes out ---------------------------------------------------------------------------------------- */

static tp_code save(trainer *t, tp_err *err)
{
	char version[32] = "1.0";
	time_t now = time(NULL);
	struct tm tm;
	if (gmtime_r(&now, &tm))
		strftime(version, sizeof version, "%Y-%m-%d (1.0)", &tm);
	json_t *classes = tp_classes_json(&t->m, &t->f), *record = tp_record_json(&t->run);
	tp_model_parts p = { .name = t->o->name,
		.version = version,
		.arch = t->run.arch,
		.prep = t->prep,
		.calibration = t->run.calibration,
		.classes = classes,
		.record = record,
		.backbone = t->backbone,
		.head_w = t->head.w,
		.head_b = t->head.b,
		.novelty_means = t->means,
		.novelty_centre = t->centre,
		.half = true };
	tp_code rc = tp_model_save(t->o->output, &p, err);
	json_decref(classes);
	json_decref(record);
	return rc;
}

static tp_code print_knn(const trainer *t, tp_err *err)
{
	static const int ks[] = { 1, 3, 5, 10 };
	double best = -1, acc;
	int k = 1;
	tp_code rc = TP_OK;
	for (size_t i = 0; i < 4 && !rc; i++) {
		rc = tp_knn_accuracy(&acc, &t->t[TP_TRAIN].s, &t->t[TP_VAL].s, ks[i], t->o->threads, err);
		if (!rc && acc > best) {
			best = acc;
			k = ks[i];
		}
	}
	if (!rc)
		rc = tp_knn_accuracy(&acc, &t->t[TP_TRAIN].s, &t->t[TP_TEST].s, k, t->o->threads, err);
	if (!rc)
		printf("  for comparison: %d nearest neighbours on the same features (k chosen on "
		       "validation)  %.1f %%\n",
			k, 100 * acc);
	return rc;
}

static void print_tuning(const trainer *t)
{
	const json_t *h = t->run.history, *blend = json_object_get(h, "blend");
	printf("fine-tuned: epoch %lld was best on validation, %lld steps",
		(long long)json_integer_value(json_object_get(h, "best_epoch")),
		(long long)json_integer_value(json_object_get(h, "steps")));
	if (blend)
		printf(", blend %g", json_real_value(blend));
	printf("; temperature %.3f\n", t->run.calibration.temperature);
}

static tp_code report(trainer *t, tp_err *err)
{
	const tp_table *v = &t->t[TP_VAL], *x = &t->t[TP_TEST];
	tp_code rc = score(t, TP_TEST, err);
	if (rc)
		return rc;
	tp_measure(&t->run.val, t->scores[TP_VAL], v->s.y, v->s.n, v->s.classes, NULL);
	tp_measure(&t->run.test, t->scores[TP_TEST], x->s.y, x->s.n, x->s.classes, NULL);
	printf("%zu species; %zu photos to train with, %zu to validate, %zu to test\n", t->m.n_taxa,
		t->t[TP_TRAIN].s.n, v->s.n, x->s.n);
	if (t->o->recipe)
		print_tuning(t);
	else
		printf("penalty %g (chosen on validation), %d steps, temperature %.3f\n", t->run.penalty,
			t->run.iterations, t->run.calibration.temperature);
	printf("a plant counts as unknown below a score of %.2f; %.1f %% of the validation photos are "
	       "above\n",
		t->run.calibration.reject_below, 100 * t->run.accepted_val);
	if (v->s.n) {
		printf("\nvalidation\n");
		rc = tp_print_report(&t->m, v, t->scores[TP_VAL], err);
	}
	if (!rc && x->s.n) {
		printf("\ntest\n");
		rc = tp_print_report(&t->m, x, t->scores[TP_TEST], err);
		if (!rc)
			rc = print_knn(t, err);
	}
	return rc;
}

static tp_code features(trainer *t, tp_err *err)
{
	tp_feature_opts fo = { .arch = t->run.arch,
		.backbone = t->backbone,
		.prep = t->prep,
		.cache_dir = t->uncached ? NULL : t->o->cache_dir,
		.threads = t->o->threads,
		.quiet = t->o->quiet };
	tp_code rc = tp_features_compute(&t->f, &t->m, &fo, err);
	t->uncached = t->uncached || t->f.unkept; /* the fine-tuned network's features: not said again */
	return rc ? rc : make_tables(t, err);
}

static void drop_features(trainer *t)
{
	for (int s = 0; s < TP_SPLITS; s++) {
		tp_table_free(&t->t[s]);
		tp_free_aligned(t->logits[s]);
		t->logits[s] = NULL;
	}
	tp_features_free(&t->f);
}

/* The fine-tuned network's classifier as a head. */
static tp_code take_classifier(trainer *t, tp_err *err)
{
	size_t n = tp_weights_count(t->tuned.weights), classes = t->m.n_taxa;
	size_t nw = classes * (size_t)t->run.arch->n_features;
	tp_head_free(&t->head);
	t->head.w = tp_alloc_aligned(nw * sizeof(float));
	t->head.b = tp_alloc_aligned(classes * sizeof(float));
	if (!t->head.w || !t->head.b)
		return tp_nomem(err, nw * sizeof(float));
	tp_code rc = tp_tensor_floats(t->head.w, nw, tp_weights_at(t->tuned.weights, n - 2), err);
	return rc ? rc : tp_tensor_floats(t->head.b, classes, tp_weights_at(t->tuned.weights, n - 1), err);
}

/* Every layer, from the frozen features' classifier or from a random one; then the features of the new backbone take the
 * place of the old one's, and all that follows is as for a frozen one. */
static tp_code fine_tune(trainer *t, tp_err *err)
{
	const tp_recipe *r = t->o->recipe;
	tp_tune_job job = { .m = &t->m,
		.arch = t->run.arch,
		.backbone = t->start,
		.prep = &t->prep,
		.recipe = r,
		.dir = t->o->run,
		.resume = t->o->resume,
		.threads = t->o->threads,
		.quiet = t->o->quiet };
	tp_code rc = tp_tune_check(&job, err);
	if (!rc && r->head == TP_HEAD_FITTED) {
		rc = features(t, err);
		if (!rc)
			rc = choose_penalty(t, err);
		job.state = t->f.state;
		job.head = &t->head;
	}
	if (!rc)
		rc = tp_tune(&t->tuned, &job, err);
	if (rc)
		return rc;
	t->run.history = t->tuned.history;
	tp_weights_free(t->backbone);
	t->backbone = NULL;
	drop_features(t);
	rc = tp_round_backbone(&t->backbone, t->run.arch, t->tuned.weights, err);
	if (!rc)
		rc = take_classifier(t, err);
	if (!rc)
		rc = features(t, err);
	return rc == TP_ECANCEL
		       ? tp_fail(err, rc, "stopped; the network in %s is trained: --resume does the rest",
				 t->o->run)
		       : rc;
}

static tp_code fit_head(trainer *t, tp_err *err)
{
	tp_code rc = features(t, err);
	return rc ? rc : choose_penalty(t, err);
}

/* The run's report, where the caller wants it. */
static tp_code write_report(const trainer *t, tp_err *err)
{
	char *log = tp_path_join(t->o->run, "metrics.jsonl"),
	     *recipe = tp_path_join(t->o->run, "recipe.json");
	tp_code rc = log && recipe ? tp_html_report(log, recipe, t->o->report, err) : tp_nomem(err, 0);
	tp_free(log);
	tp_free(recipe);
	return rc;
}

static tp_code train(trainer *t, tp_err *err)
{
	double t0 = tp_now();
	tp_code rc = open_sources(t, err);
	if (!rc)
		rc = t->o->network ? open_network(t, err) : open_backbone(t, err);
	if (!rc)
		rc = tp_manifest_open(&t->m, t->o->photos, t->o->seed, err);
	if (rc)
		return rc;
	if (t->o->show_augment)
		return tp_show_augment(t->o->show_augment, &t->m, &t->prep, t->o->recipe, err);
	t->run.m = &t->m;
	t->run.features = &t->f;
	t->run.prep = &t->prep;
	t->run.opts = t->o;
	t->run.sources = t->sources;
	rc = t->o->recipe ? fine_tune(t, err) : fit_head(t, err);
	if (!rc)
		rc = calibrate(t, err);
	if (!rc)
		rc = report(t, err);
	t->run.seconds = tp_now() - t0;
	if (!rc)
		rc = save(t, err);
	return rc || !t->o->report ? rc : write_report(t, err);
}

tp_code tp_train(const tp_train_opts *o, tp_err *err)
{
	trainer t = { .o = o };
	tp_code rc = train(&t, err);
	for (int s = 0; s < TP_SPLITS; s++) {
		tp_table_free(&t.t[s]);
		tp_free_aligned(t.logits[s]);
		tp_free_aligned(t.scores[s]);
	}
	tp_free_aligned(t.means);
	tp_free_aligned(t.centre);
	tp_head_free(&t.head);
	tp_tuned_dispose(&t.tuned);
	tp_features_free(&t.f);
	tp_weights_free(t.backbone);
	tp_weights_free(t.raw);
	tp_model_free(t.from);
	tp_manifest_free(&t.m);
	json_decref(t.sources);
	return rc;
}
