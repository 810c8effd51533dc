/* Training a softmax head on a frozen backbone: features once, a head to convergence, scores calibrated, everything
 * measured and recorded. Every choice is made on the validation split; test is looked at once, at the end. */
#ifndef TP_TRAIN_TRAIN_H
#define TP_TRAIN_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/data.h"
#include "model/model.h"
#include "train/recipe.h"

/* ---- features ----------------------------------------------------------------------------------------- */

typedef struct {
	size_t n; /* photos of the manifest, in its order */
	int dim;
	float *v;       /* n x dim; a bad photo's row is zero */
	uint8_t *state; /* TP_FEATURE_* */
	size_t n_bad;
	bool unkept; /* the cache could not be written; it was said */
} tp_features;
enum { TP_FEATURE_MISSING, TP_FEATURE_DONE, TP_FEATURE_BAD };

typedef struct {
	const tp_arch *arch;
	const tp_weights *backbone;
	tp_prep prep;
	const char *cache_dir; /* NULL: no cache; one that cannot be written costs a warning */
	int threads;
	bool quiet;
} tp_feature_opts;

/* Runs every photo through the backbone. Finished work is kept in the cache, also when it is interrupted
 * (TP_ECANCEL): the next call does only what is missing, for whatever model has this backbone. Bad photos are marked, logged (the first ten by name) and
 * counted. The caller frees with tp_features_free(). */
TP_CHECKED tp_code tp_features_compute(
	tp_features *out, const tp_manifest *m, const tp_feature_opts *o, tp_err *err);
void tp_features_free(tp_features *f);

/* A model and photos with their features by it: what evaluation and the index begin with. Starts as {0}; free it also
 * after an error. Photos without a split of their own are split as they were for the model's training. */
typedef struct {
	tp_model *model;
	tp_manifest m;
	tp_features f;
} tp_photo_set;

typedef struct {
	const char *model, *photos, *cache_dir; /* cache_dir NULL: no cache */
	int threads;
	bool quiet;
} tp_photo_set_opts;
TP_CHECKED tp_code tp_photo_set_open(tp_photo_set *out, const tp_photo_set_opts *o, tp_err *err);
void tp_photo_set_close(tp_photo_set *s);

/* The backbone as a model file will hold it: convolutions rounded to fp16, so that a head is trained on the features
 * that will be served. The caller frees. */
TP_CHECKED tp_code tp_round_backbone(tp_weights **out, const tp_arch *arch, const tp_weights *w, tp_err *err);

/* ---- head ---------------------------------------------------------------------------------------------- */

/* Some rows of a feature table with their classes. */
typedef struct {
	const float *x; /* n x dim */
	const int *y;
	size_t n;
	int dim, classes;
} tp_samples;

typedef struct {
	float *w, *b; /* classes x dim, classes */
	int iterations;
	double loss,
		gradient; /* at the end: mean loss with penalty, largest gradient component (centred features) */
} tp_head;

/* Minimises mean cross-entropy + penalty / (2 n) |W|^2 (the bias is free) by L-BFGS (Nocedal 1980), from h as it
 * stands when it is not empty. Ends when the largest gradient component is below 1e-4 of the loss (at most 1e-5, at
 * least 1e-6), when rounding allows no better step, or after 1000 steps. */
TP_CHECKED tp_code tp_head_fit(tp_head *h, const tp_samples *s, double penalty, int threads, tp_err *err);
void tp_head_free(tp_head *h);
enum { TP_HEAD_HISTORY = 20 };    /* pairs L-BFGS remembers */
double tp_head_goal(double loss); /* the gradient it ends at */
/* logits: n x classes */
TP_CHECKED tp_code tp_head_logits(float *logits, const tp_head *h, const float *x, size_t n, int dim,
	int classes, int threads, tp_err *err);
/* The loss and its gradient at h (tests check it numerically). gw classes x dim, gb classes. */
TP_CHECKED tp_code tp_head_loss(double *loss, float *gw, float *gb, const tp_head *h, const tp_samples *s,
	double penalty, int threads, tp_err *err);

/* ---- calibration ---------------------------------------------------------------------------------------- */

double tp_nll(const float *logits, const int *y, size_t n, int classes, double temperature); /* mean */
/* The temperature with the least mean negative log-likelihood (Guo et al. 2017). */
double tp_fit_temperature(const float *logits, const int *y, size_t n, int classes);
/* a, b of 1 / (1 + exp(-(a + b s))) for known (1) and unknown (0) statistics, both kinds weighing the same. */
void tp_fit_logistic(double *a, double *b, const float *s, const uint8_t *known, size_t n);
/* Unit class means of centred features, and the centre; classes whose use[] is 0 are left out (zero rows). */
void tp_class_means(float *means, float *centre, const tp_samples *s, const uint8_t *use);
/* Largest cosine of a centred feature with a class mean. */
float tp_nearest_mean(const float *f, const float *means, const float *centre, int dim, int classes);

/* ---- metrics ---------------------------------------------------------------------------------------------- */

typedef struct {
	size_t n;
	double top1, top5, macro_top1; /* shares */
	double low, high;              /* Wilson's 95 % interval of top1 */
	double nll, ece;               /* of the best score against being right, 15 bins */
} tp_metrics;

/* Scores n x classes against y. allowed: NULL, or classes values, 0: a species that is no candidate. */
void tp_measure(
	tp_metrics *out, const float *scores, const int *y, size_t n, int classes, const uint8_t *allowed);

/* Nearest neighbours by cosine among `train`: the share of x that gets its class from the majority of k. */
TP_CHECKED tp_code tp_knn_accuracy(
	double *out, const tp_samples *train, const tp_samples *x, int k, int threads, tp_err *err);

/* ---- all of it ---------------------------------------------------------------------------------------------- */

typedef struct {
	const char *photos, *backbone, *output, *name, *sources, *cache_dir;
	const char *
		network; /* trained from nothing, instead of a backbone; needs a recipe, whose head is random */
	uint64_t seed;
	int side; /* pixels the network reads; 0: the backbone's own */
	int threads;
	bool quiet;
	const tp_recipe *
		recipe; /* how the whole network is fine-tuned (recipe.h); NULL: only the classifier is trained */
	const char *run; /* folder of the fine-tuning's checkpoints and log */
	bool resume;     /* go on with the run in it */
	const char *
		show_augment; /* write a picture of what the recipe makes of photos here, and do nothing else */
	const char *report;   /* a copy of the run's report (html_report.h) goes here */
} tp_train_opts;

/* How photos become what a network reads, where its weights bring no preparation of their own: the centre square.
 * side  pixels; 0: what it was pre-trained at. */
tp_prep tp_arch_prep(const tp_arch *arch, int side);

/* Trains, writes the model, prints the report on stdout. */
TP_CHECKED tp_code tp_train(const tp_train_opts *o, tp_err *err);

/* Accuracy of a model on one split of a photo set; prints a table, or JSON. */
typedef struct {
	tp_photo_set_opts set;
	tp_split split;
	bool json;
} tp_eval_opts;
TP_CHECKED tp_code tp_eval(const tp_eval_opts *o, tp_err *err);

#endif
