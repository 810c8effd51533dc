/* The training record: see record.h. It answers the 28 questions of the deep-learning reproducibility checklist of
 * Ahmed et al. (PeerJ CS 11:e3204), each under its own key; what is not known says so. */
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/json.h"
#include "train/record.h"

static const char NOT_RECORDED[] = "not recorded", NOT_DONE[] = "not done";

json_t *tp_metrics_json(const tp_metrics *m)
{
	return json_pack("{s:I, s:f, s:[f,f], s:f, s:f, s:f, s:f}", "photos", (json_int_t)m->n, "top1",
		m->top1, "top1_interval95", m->low, m->high, "top5", m->top5, "macro_top1", m->macro_top1,
		"nll", m->nll, "calibration_error", m->ece);
}

json_t *tp_classes_json(const tp_manifest *m, const tp_features *f)
{
	json_t *all = json_array();
	for (size_t c = 0; c < m->n_taxa; c++) {
		const tp_taxon *t = &m->taxa[c];
		json_t *common = json_object(), *organs = json_object(), *list = json_array();
		const char *key, *space = strchr(t->name, ' ');
		json_t *unused;
		size_t n = 0;
		for (int k = 0; k < 8 && t->common[k][0]; k++)
			json_object_set_new(common, t->common[k][0], json_pack("[s]", t->common[k][1]));
		for (size_t i = 0; i < m->n_photos; i++) {
			const tp_photo *p = &m->photos[i];
			if ((size_t)p->species != c || p->split != TP_TRAIN || f->state[i] != TP_FEATURE_DONE)
				continue;
			n++;
			if (*p->organ)
				json_object_set_new(organs, p->organ, json_true());
		}
		json_object_foreach(organs, key, unused) json_array_append_new(list, json_string(key));
		json_decref(organs);
		json_array_append_new(all, json_pack("{s:s, s:s, s:s%, s:s, s:s, s:s, s:o, s:o, s:I}", "name",
						   t->name, "authorship", t->authorship, "genus", t->name,
						   space ? (size_t)(space - t->name) : strlen(t->name),
						   "family", t->family, "gbif", "", "powo", t->powo, "common",
						   common, "organs", list, "n_train", (json_int_t)n));
	}
	return all;
}

/* {"value": photos, ...} over one text field. */
static json_t *count_by(const tp_manifest *m, const char *(*field)(const tp_photo *))
{
	json_t *o = json_object();
	for (size_t i = 0; i < m->n_photos; i++) {
		const char *v = field(&m->photos[i]);
		json_t *n = json_object_get(o, *v ? v : NOT_RECORDED);
		json_object_set_new(o, *v ? v : NOT_RECORDED, json_integer(json_integer_value(n) + 1));
	}
	return o;
}

static const char *source_of(const tp_photo *p)
{
	return p->source;
}

static const char *licence_of(const tp_photo *p)
{
	return p->licence;
}

static const char *split_of(const tp_photo *p)
{
	static const char *const names[] = { "train", "val", "test" };
	return names[p->split];
}

static void set_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, json_string(text));
}

static void about_data(json_t *o, const tp_run *r)
{
	const tp_manifest *m = r->m;
	set_text(o, "Method",
		"photos collected by the sources named under Dataset; nothing was collected for this model");
	json_object_set_new(o, "RawData",
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files_seen", (json_int_t)m->seen,
			"photos", (json_int_t)m->n_photos, "not_photos", (json_int_t)m->skipped_not_photo,
			"without_species", (json_int_t)m->skipped_no_species, "unreadable",
			(json_int_t)(r->features->n_bad + m->skipped_unreadable), "excluded_by_rules",
			(json_int_t)m->skipped_excluded, "not_on_this_disk", (json_int_t)m->skipped_not_here,
			"held_out", (json_int_t)m->skipped_held_out));
	set_text(o, "DataFormat", "photos: JPEG, PNG, WebP or HEIC, decoded to 8-bit sRGB");
	set_text(o, "DataAnnotationTechnique",
		"species as the sources' folders or tables name them; not checked again");
	tp_augment a;
	if (r->opts->recipe && !tp_recipe_augment(&a, r->opts->recipe, NULL))
		json_object_set_new(o, "DataAugmentationTechnique",
			json_pack("{s:s, s:o, s:f, s:f, s:f}", "preset", r->opts->recipe->augment, "options",
				tp_augment_to_json(&a), "mixup", r->opts->recipe->mixup, "cutmix",
				r->opts->recipe->cutmix, "random_erasing", r->opts->recipe->erase));
	else
		set_text(o, "DataAugmentationTechnique", NOT_DONE);
	json_object_set_new(o, "Dataset",
		json_pack("{s:o, s:o, s:O*, s:s}", "photos_by_source", count_by(m, source_of),
			"photos_by_licence", count_by(m, licence_of), "sources",
			(json_t *)(uintptr_t)r->sources, "pre-training",
			r->opts->network ? NOT_DONE
					 : "ImageNet (ILSVRC 2012), by the publisher of the backbone"));
	json_object_set_new(o, "PreprocessingStep",
		json_pack("{s:s, s:o, s:s}", "decode",
			"EXIF orientation applied; large JPEGs at 1/2, 1/4 or 1/8 of their size", "tensor",
			tp_prep_to_json(r->prep), "cleaning", "unreadable photos left out; nothing else"));
	json_object_set_new(o, "DataSplitCriteria",
		json_pack("{s:o, s:s, s:I}", "photos", count_by(m, split_of), "rule",
			"the source's own split where it has one, else 80/10/10 within each species", "seed",
			(json_int_t)r->opts->seed));
	set_text(o, "DataRepository", r->sources ? "see Dataset.sources" : NOT_RECORDED);
	set_text(o, "DataRepositoryLink", r->sources ? "see Dataset.sources" : NOT_RECORDED);
	set_text(o, "DataBiasTechnique",
		"not done; accuracy is reported by organ, by source and within each source");
}

static void about_head(json_t *o, const tp_run *r)
{
	json_t *grid = json_array();
	for (int i = 0; i < r->n_penalties; i++)
		json_array_append_new(grid, json_pack("{s:f, s:f, s:f}", "penalty", r->penalties[i],
						    "val_nll", r->val_nll[i], "val_top1", r->val_top1[i]));
	json_object_set_new(o, "DeepLearningModel",
		json_pack("{s:s, s:s, s:i, s:s}", "architecture", r->arch->name, "family",
			"convolutional network", "features", r->arch->n_features, "trained",
			"the classifier; the backbone is frozen"));
	json_object_set_new(o, "Hyperparameter",
		json_pack("{s:f, s:i, s:f, s:i, s:f, s:s}", "penalty", r->penalty, "lbfgs_history",
			TP_HEAD_HISTORY, "gradient_goal", tp_head_goal(r->loss), "iterations", r->iterations,
			"gradient_at_end", r->gradient, "backbone_sha256", r->backbone_sha256));
	json_object_set_new(o, "HyperparameterOptimization",
		json_pack("{s:s, s:o}", "method",
			"penalty with the least loss on the validation split, temperature fitted", "trials",
			grid));
	set_text(o, "OptimizationTechnique",
		"L-BFGS on softmax cross-entropy over all training photos at once");
	set_text(o, "TrainingCompletionCriteria",
		"largest gradient component below 1e-4 of the loss, within 1e-6..1e-5, or no better step "
		"within rounding");
	json_object_set_new(o, "RegularizationMethod",
		json_pack("{s:s, s:f}", "method", "L2 on the classifier's weights", "penalty", r->penalty));
	set_text(o, "ModelPerformanceMonitoringStrategy",
		"loss and accuracy on the validation split for each penalty");
	set_text(o, "RandomnessStrategy",
		"none in training: all photos, convex loss, zero start; the split has its seed");
}

static void about_fine_tuning(json_t *o, const tp_run *r)
{
	const tp_recipe *c = r->opts->recipe;
	json_object_set_new(o, "DeepLearningModel",
		json_pack("{s:s, s:s, s:i, s:s}", "architecture", r->arch->name, "family",
			"convolutional network", "features", r->arch->n_features, "trained",
			*c->freeze ? "all stages but those the recipe freezes" : "every layer"));
	json_object_set_new(o, "Hyperparameter",
		json_pack("{s:o, s:s}", "recipe", tp_cfg_to_json(c, tp_recipe_items), "backbone_sha256",
			r->opts->network ? NOT_DONE : r->backbone_sha256));
	set_text(o, "HyperparameterOptimization", "not searched by the program");
	json_object_set_new(o, "OptimizationTechnique",
		json_pack("{s:s, s:b, s:f}", "optimizer", c->optimizer ? "AdamW" : "SGD with momentum",
			"nesterov", !c->optimizer && c->nesterov, "moving_average", c->ema));
	json_object_set_new(o, "TrainingCompletionCriteria",
		json_pack("{s:i, s:i, s:s}", "epochs", c->epochs, "patience", c->patience, "kept",
			"the epoch that was best on the validation split"));
	json_object_set_new(o, "RegularizationMethod",
		json_pack("{s:f, s:f}", "weight_decay", c->weight_decay, "label_smoothing", c->smoothing));
	json_object_set_new(o, "ModelPerformanceMonitoringStrategy", json_deep_copy(r->history));
	json_object_set_new(o, "RandomnessStrategy",
		json_pack("{s:i, s:s}", "seed", c->seed, "determinism",
			"the same recipe, photos, machine and number of threads give the same bits"));
}

static void about_training(json_t *o, const tp_run *r)
{
	if (r->opts->recipe)
		about_fine_tuning(o, r);
	else
		about_head(o, r);
}

static void about_machine(json_t *o)
{
	struct utsname u = { 0 };
	char now[32] = "";
	time_t t = time(NULL);
	struct tm tm;
	uname(&u);
	if (gmtime_r(&t, &tm))
		strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &tm);
	set_text(o, "CodeRepository", NOT_RECORDED);
	set_text(o, "CodeRepositoryLink", NOT_RECORDED);
	json_object_set_new(o, "Framework",
		json_pack("{s:s, s:s, s:s}", "engine", "tepal", "ops", tp_nn_backend(), "compiler",
			__VERSION__));
	json_object_set_new(o, "HardwareResource",
		json_pack("{s:s, s:s, s:s}", "processor", u.machine, "system", u.sysname, "release",
			u.release));
	set_text(o, "Date", now);
}

static void about_result(json_t *o, const tp_run *r)
{
	const tp_calibration *c = &r->calibration;
	json_object_set_new(o, "PostprocessingStep",
		json_pack("{s:f, s:{s:f, s:f, s:I, s:I, s:f, s:f, s:s}, s:f, s:f, s:s}", "temperature",
			c->temperature, "novelty", "a", c->novelty_a, "b", c->novelty_b, "known_photos",
			(json_int_t)r->n_known, "unknown_photos", (json_int_t)r->n_unknown, "auroc",
			r->novelty_auroc, "unknown_share_assumed", 0.1, "fitted_on",
			"validation photos of kept species against photos of left-out species, five folds of "
			"species",
			"reject_below", c->reject_below, "val_accepted", r->accepted_val, "weights",
			"convolutions and classifier stored as fp16"));
	json_object_set_new(o, "PerformanceMetric",
		json_pack("{s:o, s:o, s:s}", "val", tp_metrics_json(&r->val), "test",
			tp_metrics_json(&r->test), "note", "every choice was made on the validation split"));
	set_text(o, "GeneralizabilityMeasure",
		"a test split kept apart; no test from another place, camera or year was made");
	json_object_set_new(o, "ModelPurpose",
		json_pack("{s:s, s:s}", "task", "name the species on photos of a plant", "unsuitable",
			"deciding whether a plant may be eaten; species it was not trained on"));
	set_text(o, "ModelDeploymentProcess", "one safetensors file, served by tepal serve");
	set_text(o, "DeploymentPlatform", "any machine tepal runs on");
	json_object_set_new(o, "Seconds", json_real(r->seconds));
}

json_t *tp_record_json(const tp_run *r)
{
	json_t *o = json_object();
	about_data(o, r);
	about_training(o, r);
	about_machine(o);
	about_result(o, r);
	return o;
}
