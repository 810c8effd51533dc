/* Checkpoints of fine-tuning: one .safetensors file with every tensor of the network, the optimiser's memory, the moving
 * average, and where the run is, as JSON. docs/formats.md describes it. It appears whole or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/tune_int.h"

#define KEY_SUM "tepal.run.sha256"
enum { EXTRA = TP_OPTIM_ARRAYS + 2, FORMAT = 1 };
static const size_t MAX_LIST = (size_t)4 << 30;

static char *path_of(const char *dir, const char *name)
{
	return tp_path_join(dir, name);
}

bool tp_tune_has_checkpoint(const char *dir)
{
	char *path = path_of(dir, "last.safetensors");
	bool there = path && tp_is_file(path);
	tp_free(path);
	return there;
}

/* The species in their order: weights of another list would answer with wrong names. */
static tp_code classes_hash(char hex[65], const tp_tuner *t, tp_err *err)
{
	json_t *names = json_array();
	char *text = NULL;
	for (size_t i = 0; i < t->job->m->n_taxa; i++)
		json_array_append_new(names, json_string(t->job->m->taxa[i].name));
	tp_code rc = tp_json_dump(&text, names, err);
	if (!rc)
		memcpy(hex, tp_sha256_of(text, strlen(text)).hex, 65);
	tp_free(text);
	json_decref(names);
	return rc;
}

/* The photos in their order: "train LABEL PATH" and then "val LABEL PATH", each with a zero byte behind it. A run's order
 * and its best epoch mean nothing for others. */
static tp_code photos_hash(char hex[65], const tp_tuner *t, tp_err *err)
{
	tp_buf b;
	tp_code rc = TP_OK;
	tp_buf_init(&b, MAX_LIST);
	for (size_t i = 0; i < t->n_train && !rc; i++) {
		rc = tp_buf_addf(&b, err, "train %d %s", t->train[i].label, t->train[i].path);
		if (!rc)
			rc = tp_buf_add(&b, "", 1, err);
	}
	for (size_t i = 0; i < t->n_val && !rc; i++) {
		const tp_photo *p = &t->job->m->photos[t->val[i]];
		rc = tp_buf_addf(&b, err, "val %d %s", p->species, p->path);
		if (!rc)
			rc = tp_buf_add(&b, "", 1, err);
	}
	if (!rc)
		memcpy(hex, tp_sha256_of(b.ptr, b.len).hex, 65);
	tp_buf_dispose(&b);
	return rc;
}

/* Names and values of what the backbone brings: the same weights in another file are the same backbone. */
tp_code tp_tune_hash_backbone(tp_tuner *t, tp_err *err)
{
	tp_weights *w = NULL;
	tp_buf b;
	tp_buf_init(&b, TP_MAX_JSON);
	tp_code rc = tp_params_copy(&w, &t->p, err);
	size_t n = rc ? 0 : tp_weights_count(w);
	for (size_t i = 0; i + 2 < n && !rc; i++) { /* the last two are the classifier's */
		const tp_tensor *v = tp_weights_at(w, i);
		rc = tp_buf_addf(&b, err, "%s %s\n", tp_sha256_of(v->data, v->size).hex, v->name);
	}
	if (!rc)
		memcpy(t->backbone, tp_sha256_of(b.ptr, b.len).hex, sizeof t->backbone);
	tp_buf_dispose(&b);
	tp_weights_free(w);
	return rc;
}

static json_t *state_json(const tp_tuner *t, const char *classes, const char *photos)
{
	const tp_tune_state *s = &t->s;
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:o, s:I, s:i, s:I, s:I, s:f, s:f, s:I, "
			 "s:i, s:i, s:f, "
			 "s:f, s:I, s:O}",
		"format", FORMAT, "architecture", t->job->arch->name, "backbone", t->backbone, "classes",
		classes, "photos", photos, "n_train", (json_int_t)t->n_train, "n_val", (json_int_t)t->n_val,
		"side", t->job->prep->side, "recipe", tp_cfg_to_json(t->r, tp_recipe_items), "step",
		(json_int_t)s->step, "epoch", s->epoch, "at", (json_int_t)s->at, "place",
		(json_int_t)s->place, "loss", s->loss, "right", s->right, "seen", (json_int_t)s->seen,
		"stop_seen", s->stop.seen, "stop_best_at", s->stop.best_at, "stop_best", s->stop.best,
		"seconds", s->seconds, "optimizer_step", (json_int_t)*tp_optim_state(t->o).step, "epochs",
		t->epochs);
}

static tp_tensor flat(const char *name, const float *v, size_t n)
{
	return (tp_tensor){ .name = name,
		.dtype = TP_F32,
		.ndim = 1,
		.dim = { (int64_t)n },
		.data = v,
		.size = n * sizeof *v };
}

/* What a checkpoint holds beside the network's own tensors. */
static size_t extras(tp_tensor out[EXTRA], char names[EXTRA][48], tp_tuner *t)
{
	tp_optim_view v = tp_optim_state(t->o);
	size_t n = 0;
	for (size_t i = 0; i < v.len; i++, n++) {
		snprintf(names[n], sizeof names[n], "tepal.optimizer.%s", v.array[i].name);
		out[n] = flat(names[n], v.array[i].v, v.array[i].n);
	}
	if (t->ema) {
		out[n++] = flat("tepal.ema", t->ema, t->p.n);
		out[n++] = flat("tepal.ema_statistics", t->ema_buf, t->p.n_buf);
	}
	return n;
}

/* Of all that a file holds: what the run was, and each tensor with its name. Weights that changed on a disk would go
 * unseen otherwise: any bits are a float. */
static tp_code digest(tp_sha256 *out, const tp_tensor *v, size_t n, const char *run, tp_err *err)
{
	tp_buf b;
	tp_buf_init(&b, TP_MAX_JSON);
	tp_code rc = tp_buf_addf(&b, err, "%s\n", tp_sha256_of(run, strlen(run)).hex);
	for (size_t i = 0; i < n && !rc; i++)
		rc = tp_buf_addf(&b, err, "%s %s\n", tp_sha256_of(v[i].data, v[i].size).hex, v[i].name);
	if (!rc)
		*out = tp_sha256_of(b.ptr, b.len);
	tp_buf_dispose(&b);
	return rc;
}

static tp_code check_digest(const tp_weights *w, tp_err *err)
{
	const char *said = tp_weights_meta(w, KEY_SUM), *run = tp_weights_meta(w, "tepal.run");
	size_t n = tp_weights_count(w);
	tp_sha256 sum = { 0 };
	tp_tensor *all = tp_calloc(n + 1, sizeof *all);
	if (!all)
		return tp_nomem(err, n * sizeof *all);
	for (size_t i = 0; i < n; i++)
		all[i] = *tp_weights_at(w, i);
	tp_code rc = digest(&sum, all, n, run ? run : "", err);
	tp_free(all);
	if (!rc && (!said || strcmp(said, sum.hex) != 0))
		rc = tp_fail(err, TP_EFORMAT, "the file is damaged: its SHA-256 is not the one it carries");
	return rc;
}

static tp_code write_file(const tp_weights *w, const tp_tensor *extra, size_t n_extra, const char *path,
	const char *arch, const char *run, tp_err *err)
{
	size_t n = tp_weights_count(w);
	tp_tensor *all = tp_calloc(n + n_extra, sizeof *all);
	if (!all)
		return tp_nomem(err, (n + n_extra) * sizeof *all);
	for (size_t i = 0; i < n; i++)
		all[i] = *tp_weights_at(w, i);
	if (n_extra)
		memcpy(all + n, extra, n_extra * sizeof *all);
	tp_sha256 sum = { 0 };
	tp_code rc = digest(&sum, all, n + n_extra, run ? run : "", err);
	tp_meta meta[] = { { "architecture", arch }, { KEY_SUM, sum.hex }, { "tepal.run", run } };
	if (!rc)
		rc = tp_safetensors_save(path, all, n + n_extra, meta, run ? 3 : 2, err);
	tp_free(all);
	return rc;
}

tp_code tp_tune_save(tp_tuner *t, tp_err *err)
{
	tp_tensor extra[EXTRA];
	char names[EXTRA][48], classes[65], photos[65];
	char *text = NULL, *path = path_of(t->job->dir, "last.safetensors");
	tp_weights *w = NULL;
	json_t *state = NULL;
	tp_code rc = path ? classes_hash(classes, t, err) : tp_nomem(err, strlen(t->job->dir));
	if (!rc)
		rc = photos_hash(photos, t, err);
	if (!rc)
		rc = (state = state_json(t, classes, photos)) ? TP_OK : tp_nomem(err, 0);
	if (!rc)
		rc = tp_json_dump(&text, state, err);
	if (!rc)
		rc = tp_params_copy(&w, &t->p, err);
	if (!rc)
		rc = write_file(w, extra, extras(extra, names, t), path, t->job->arch->name, text, err);
	tp_weights_free(w);
	json_decref(state);
	tp_free(text);
	tp_free(path);
	return rc;
}

/* Plain weights of the architecture: --backbone takes them. */
static tp_code save_plain(const tp_tuner *t, const tp_weights *w, const char *name, tp_err *err)
{
	char *path = path_of(t->job->dir, name);
	tp_code rc = path ? write_file(w, NULL, 0, path, t->job->arch->name, NULL, err)
			  : tp_nomem(err, strlen(t->job->dir));
	tp_free(path);
	return rc;
}

tp_code tp_tune_save_best(tp_tuner *t, tp_err *err)
{
	return save_plain(t, t->best, "best.safetensors", err);
}

tp_code tp_tune_save_start(tp_tuner *t, tp_err *err)
{
	tp_weights *w = NULL;
	tp_code rc = tp_params_copy(&w, &t->p, err);
	if (!rc)
		rc = save_plain(t, w, "start.safetensors", err);
	tp_weights_free(w);
	return rc;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

/* The first setting that differs; how long a run goes on, how often it saves and what is made of its end may change. A setting that the checkpoint
 * does not have has come since: the run was as that one's default. */
static tp_code check_recipe(const json_t *was, const tp_recipe *now, tp_err *err)
{
	tp_recipe defaults;
	const char *key;
	json_t *v;
	tp_cfg_defaults(&defaults, tp_recipe_items);
	json_t *mine = tp_cfg_to_json(now, tp_recipe_items),
	       *without = tp_cfg_to_json(&defaults, tp_recipe_items);
	tp_code rc = mine && without ? TP_OK : tp_nomem(err, 0);
	json_object_foreach(mine, key, v)
	{
		const json_t *old = json_object_get(was, key);
		old = old ? old : json_object_get(without, key);
		bool free_to =
			!strcmp(key, "save_minutes") || !strcmp(key, "patience") || !strcmp(key, "blend");
		if (rc || free_to || json_equal(old, v))
			continue;
		size_t how = JSON_ENCODE_ANY | JSON_REAL_PRECISION(6);
		char *a = json_dumps(old, how), *b = json_dumps(v, how);
		rc = tp_fail(err, TP_EINVAL, "the run was started with %s = %s, not %s", key, a ? a : "",
			b ? b : "");
		free(a);
		free(b);
	}
	json_decref(mine);
	json_decref(without);
	return rc;
}

/* Checkpoints of earlier versions do not say which photos they are of. */
static tp_code check_photos(const tp_tuner *t, const json_t *j, tp_err *err)
{
	char now[65];
	const json_t *was = json_object_get(j, "photos");
	if (!was) {
		tp_log(TP_LOG_WARN,
			"the checkpoint in %s does not say which photos it was trained with: the "
			"run goes on with these",
			t->job->dir);
		return TP_OK;
	}
	tp_code rc = photos_hash(now, t, err);
	if (rc || (json_is_string(was) && !strcmp(json_string_value(was), now)))
		return rc;
	return tp_fail(err, TP_EINVAL,
		"a checkpoint for other photos: %lld to train with and %lld to validate, now %zu and %zu; "
		"folder, "
		"species and split (--seed) have to be the same",
		(long long)json_integer_value(json_object_get(j, "n_train")),
		(long long)json_integer_value(json_object_get(j, "n_val")), t->n_train, t->n_val);
}

/* Checkpoints of earlier versions do not say which backbone they are of. */
static tp_code check_backbone(const tp_tuner *t, const json_t *j, tp_err *err)
{
	const json_t *was = json_object_get(j, "backbone");
	if (!was)
		tp_log(TP_LOG_WARN,
			"the checkpoint in %s does not say which backbone it was begun with: it is taken to "
			"be "
			"this one",
			t->job->dir);
	if (!was || (json_is_string(was) && !strcmp(json_string_value(was), t->backbone)))
		return TP_OK;
	return tp_fail(err, TP_EINVAL,
		"a checkpoint of a run that began with other weights: --backbone has to be the one it was "
		"begun "
		"with");
}

static tp_code check_same(const tp_tuner *t, const json_t *j, tp_err *err)
{
	char classes[65];
	const char *arch = json_string_value(json_object_get(j, "architecture")),
		   *was = json_string_value(json_object_get(j, "classes"));
	tp_code rc = classes_hash(classes, t, err);
	if (rc)
		return rc;
	if (json_integer_value(json_object_get(j, "format")) != FORMAT)
		return tp_fail(err, TP_EFORMAT, "a checkpoint of format %lld; this program knows %d",
			(long long)json_integer_value(json_object_get(j, "format")), FORMAT);
	if (!arch || strcmp(arch, t->job->arch->name) != 0)
		return tp_fail(err, TP_EINVAL, "a checkpoint of %s, not of %s", arch ? arch : "nothing known",
			t->job->arch->name);
	if (!was || strcmp(was, classes) != 0)
		return tp_fail(err, TP_EINVAL, "a checkpoint for another list of species");
	if (json_integer_value(json_object_get(j, "side")) != t->job->prep->side)
		return tp_fail(err, TP_EINVAL, "a checkpoint for photos of %lld pixels, not %d",
			(long long)json_integer_value(json_object_get(j, "side")), t->job->prep->side);
	rc = check_recipe(json_object_get(j, "recipe"), t->r, err);
	if (!rc)
		rc = check_backbone(t, j, err);
	return rc ? rc : check_photos(t, j, err);
}

static tp_code take_state(tp_tuner *t, const json_t *j, tp_err *err)
{
	json_int_t step, at, place = -1, seen, optimizer_step;
	json_t *epochs;
	tp_tune_state *s = &t->s;
	json_error_t why;
	if (json_unpack_ex((json_t *)(uintptr_t)j, &why, 0,
		    "{s:I, s:i, s:I, s?I, s:F, s:F, s:I, s:i, s:i, s:F, s:F, s:I, s:o}", "step", &step,
		    "epoch", &s->epoch, "at", &at, "place", &place, "loss", &s->loss, "right", &s->right,
		    "seen", &seen, "stop_seen", &s->stop.seen, "stop_best_at", &s->stop.best_at, "stop_best",
		    &s->stop.best, "seconds", &s->seconds, "optimizer_step", &optimizer_step, "epochs",
		    &epochs))
		return tp_fail(err, TP_EFORMAT, "where the run was: %s", why.text);
	if (!json_object_get(j, "place"))
		place = at;
	if (step < 0 || at < 0 || place < at || (size_t)place > t->n_train || seen < 0 || s->epoch < 0 ||
		optimizer_step < 0 || !json_is_array(epochs))
		return tp_fail(err, TP_EFORMAT, "where the run was makes no sense");
	s->step = (uint64_t)step;
	s->at = (size_t)at;
	s->place = (size_t)place;
	t->saved = true;
	t->saved_step = s->step;
	s->seen = (size_t)seen;
	*tp_optim_state(t->o).step = (uint64_t)optimizer_step;
	json_decref(t->epochs);
	t->epochs = json_incref(epochs);
	return TP_OK;
}

static tp_code take_extras(tp_tuner *t, const tp_weights *w, tp_err *err)
{
	tp_tensor extra[EXTRA];
	char names[EXTRA][48];
	size_t n = extras(extra, names, t);
	tp_code rc = TP_OK;
	for (size_t i = 0; i < n && !rc; i++) {
		const tp_tensor *from = tp_weights_find(w, extra[i].name);
		rc = from ? tp_tensor_floats((float *)(uintptr_t)extra[i].data, extra[i].size / sizeof(float),
				    from, err)
			  : tp_fail(err, TP_EFORMAT, "tensor \"%s\" is missing", extra[i].name);
	}
	return rc;
}

static tp_code load_plain(tp_weights **out, const tp_tuner *t, const char *name, tp_err *err)
{
	char *path = path_of(t->job->dir, name);
	tp_code rc = path ? tp_safetensors_open(out, path, err) : tp_nomem(err, strlen(t->job->dir));
	if (!rc && check_digest(*out, err))
		rc = tp_context(err, TP_EFORMAT, "%s: ", path);
	tp_free(path);
	return rc;
}

static tp_code load_best(tp_tuner *t, tp_err *err)
{
	return t->s.stop.best_at < 0 ? TP_OK : load_plain(&t->best, t, "best.safetensors", err);
}

tp_code tp_tune_load_start(tp_tuner *t, tp_err *err)
{
	return load_plain(&t->start, t, "start.safetensors", err);
}

tp_code tp_tune_load(tp_tuner *t, tp_err *err)
{
	char *path = path_of(t->job->dir, "last.safetensors");
	tp_weights *w = NULL;
	json_t *j = NULL;
	if (!path)
		return tp_nomem(err, strlen(t->job->dir));
	tp_code rc = tp_safetensors_open(&w, path, err);
	bool named = rc; /* opening names the file already */
	if (!rc) {
		const char *text = tp_weights_meta(w, "tepal.run");
		rc = text ? tp_json_parse(&j, text, strlen(text), "tepal.run", err)
			  : tp_fail(err, TP_EFORMAT, "no checkpoint of a run");
	}
	if (!rc)
		rc = check_digest(w, err);
	if (!rc)
		rc = check_same(t, j, err);
	if (!rc)
		rc = tp_params_load(&t->p, w, false, err);
	if (!rc)
		rc = take_extras(t, w, err);
	if (!rc)
		rc = take_state(t, j, err);
	if (rc && !named)
		tp_context(err, rc, "%s: ", path);
	if (!rc)
		rc = load_best(t, err);
	json_decref(j);
	tp_weights_free(w);
	tp_free(path);
	return rc;
}
