/* A model with photos and their features: see train.h. */
#include "base/json.h"
#include "train/train.h"

/* Another seed would call photos test photos that the model was trained with. */
static uint64_t seed_of(const tp_model *m)
{
	const json_t *split = json_object_get(tp_model_record(m), "DataSplitCriteria");
	const json_t *seed = json_object_get(split, "seed");
	return json_is_integer(seed) ? (uint64_t)json_integer_value(seed) : 1;
}

tp_code tp_photo_set_open(tp_photo_set *out, const tp_photo_set_opts *o, tp_err *err)
{
	tp_code rc = tp_model_load(&out->model, o->model, err);
	if (!rc)
		rc = tp_manifest_open(&out->m, o->photos, seed_of(out->model), err);
	if (rc)
		return rc;
	tp_feature_opts fo = { .arch = tp_model_arch(out->model),
		.backbone = tp_model_weights(out->model),
		.prep = *tp_model_prep(out->model),
		.cache_dir = o->cache_dir,
		.threads = o->threads,
		.quiet = o->quiet };
	return tp_features_compute(&out->f, &out->m, &fo, err);
}

void tp_photo_set_close(tp_photo_set *s)
{
	tp_features_free(&s->f);
	tp_manifest_free(&s->m);
	tp_model_free(s->model);
	*s = (tp_photo_set){ 0 };
}
