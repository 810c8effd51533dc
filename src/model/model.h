/* A model file: one .safetensors that holds a network's weights, the classes it knows, how a photo is prepared
 * for it, how its scores are made, and the record of how it was trained. docs/formats.md describes every key.
 *
 * Threads: a loaded model is read-only; any number of threads. */
#ifndef TP_MODEL_MODEL_H
#define TP_MODEL_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "image/image.h"
#include "nn/nn.h"

/* A class is a species. Texts are never NULL; "" is "not known". */
typedef struct {
	const char *name;       /* "Mangifera indica": scientific name without author */
	const char *authorship; /* "L." */
	const char *genus, *family;
	const char *gbif, *powo; /* ids, "" when unknown */
	const json_t *common;    /* {"en": ["Mango"], "fr": [...]}; may be NULL */
	const json_t *organs;    /* ["leaf", "fruit"] seen in training; may be NULL */
	int n_train;             /* photos it was trained with */
} tp_class;

/* How scores come out of logits z: softmax(z / temperature) times familiar(), the share of belief that the plant
 * is one the model knows at all (novelty detection on the features; see docs/scores.md).
 * familiar = 1 / (1 + exp(-(a + b * s))), s = the largest cosine between the photo's centred, unit features and
 * the class means `novelty.means` (n_classes x n_features; tensor in the file). b = 0: always 1. */
typedef struct {
	double temperature;
	double novelty_a, novelty_b;
	double reject_below; /* the best score under which no species is called likely (404 without no-reject) */
} tp_calibration;

typedef struct tp_model tp_model;

TP_CHECKED tp_code tp_model_load(tp_model **out, const char *path, tp_err *err);
void tp_model_free(tp_model *m);

const char *tp_model_name(const tp_model *m); /* "plants83" */
const char *tp_model_version(
	const tp_model *m); /* "2026-11-24 (1.0)": date and number, as the API prints it */
const char *tp_model_sha256(const tp_model *m); /* of the file */
const tp_arch *tp_model_arch(const tp_model *m);
const tp_prep *tp_model_prep(const tp_model *m);
const tp_calibration *tp_model_calibration(const tp_model *m);
int tp_model_classes(const tp_model *m);
const tp_class *tp_model_class(const tp_model *m, int i);
const json_t *tp_model_record(const tp_model *m); /* the training record, an object */
const tp_weights *tp_model_weights(const tp_model *m);

/* Common names of a class in `lang` ("en", "pt-br" falls back to "pt"); an empty array or NULL when none. */
const json_t *tp_class_common(const tp_class *c, const char *lang);

/* A network of this model compiled for one photo at a time and `threads`. features and logits are both there. */
TP_CHECKED tp_code tp_model_plan(tp_plan **out, const tp_model *m, int batch, int threads, tp_err *err);

/* logits and features of one photo to scores: n_classes values in 0..1, the sum at most 1. */
void tp_model_scores(float *scores, const tp_model *m, const float *logits, const float *features);

/* What tp_model_save() writes. Weights of the backbone are copied from `backbone` (fp16 when `half`, batch-norm in
 * fp32); head_w is n_classes x n_features, head_b n_classes. */
typedef struct {
	const char *name, *version;
	const tp_arch *arch;
	tp_prep prep;
	tp_calibration calibration;
	const json_t *
		classes; /* array of objects: name, authorship, genus, family, gbif, powo, common, organs, n_train */
	const json_t *record;
	const tp_weights *backbone;
	const float *head_w, *head_b;
	const float *novelty_means, *novelty_centre; /* n_classes x n_features, n_features; NULL: none */
	bool half;
} tp_model_parts;
TP_CHECKED tp_code tp_model_save(const char *path, const tp_model_parts *parts, tp_err *err);

/* Preprocessing as JSON, both ways; used by the model file and the index. */
json_t *tp_prep_to_json(const tp_prep *p);
TP_CHECKED tp_code tp_prep_from_json(tp_prep *out, const json_t *j, const char *where, tp_err *err);

#endif
