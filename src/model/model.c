/* Loading a model file. Everything it says is checked here, once; whoever holds a tp_model need not doubt it. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "model/model_int.h"

static const size_t MAX_FILE = (size_t)8 << 30;

void tp_model_free(tp_model *m)
{
	if (!m)
		return;
	tp_weights_free(m->w);
	json_decref(m->classes_json);
	json_decref(m->record);
	tp_free(m->classes);
	tp_free(m->means);
	tp_free(m->centre);
	tp_free(m->bytes);
	tp_free(m);
}

static tp_code meta_text(const char **out, const tp_model *m, const char *key, tp_err *err)
{
	*out = tp_weights_meta(m->w, key);
	if (!*out || !**out)
		return tp_fail(err, TP_EFORMAT, "metadata \"%s\" is missing", key);
	return TP_OK;
}

static tp_code meta_json(json_t **out, const tp_model *m, const char *key, tp_err *err)
{
	const char *text;
	tp_code rc = meta_text(&text, m, key, err);
	return rc ? rc : tp_json_parse(out, text, strlen(text), key, err);
}

/* ---- classes ---------------------------------------------------------------------------------------- */

static bool all_texts(const json_t *a)
{
	size_t i;
	json_t *v;
	if (!json_is_array(a))
		return false;
	json_array_foreach(a, i, v) if (!json_is_string(v)) return false;
	return true;
}

static tp_code check_common(const json_t *common, const char *where, tp_err *err)
{
	const char *lang;
	json_t *v;
	if (common && !json_is_object(common))
		return tp_fail(err, TP_EFORMAT, "%s: \"common\" is not an object", where);
	json_object_foreach((json_t *)(uintptr_t)common, lang, v) if (!all_texts(v)) return tp_fail(
		err, TP_EFORMAT, "%s: \"common\" in \"%.12s\" is not an array of texts", where, lang);
	return TP_OK;
}

static const json_t *present(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	return json_is_null(v) ? NULL : v;
}

static tp_code read_class(tp_class *c, const json_t *j, size_t i, tp_err *err)
{
	char where[40];
	long long n = 0;
	snprintf(where, sizeof where, "class %zu", i);
	tp_code rc = tp_json_text(&c->name, j, "name", where, err);
	if (!rc && !*c->name)
		rc = tp_fail(err, TP_EFORMAT, "%s has no name", where);
	if (!rc && present(j, "n_train"))
		rc = tp_json_int(&n, j, "n_train", 0, 1 << 30, where, err);
	c->authorship = tp_json_text_or_empty(j, "authorship");
	c->genus = tp_json_text_or_empty(j, "genus");
	c->family = tp_json_text_or_empty(j, "family");
	c->gbif = tp_json_text_or_empty(j, "gbif");
	c->powo = tp_json_text_or_empty(j, "powo");
	c->common = present(j, "common");
	c->organs = present(j, "organs");
	c->n_train = (int)n;
	if (!rc)
		rc = check_common(c->common, where, err);
	if (!rc && c->organs && !all_texts(c->organs))
		rc = tp_fail(err, TP_EFORMAT, "%s: \"organs\" is not an array of texts", where);
	return rc;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static tp_code check_unique(const tp_model *m, tp_err *err)
{
	tp_code rc = TP_OK;
	size_t n = (size_t)m->n_classes;
	const char **v = tp_alloc(n * sizeof *v);
	if (!v)
		return tp_nomem(err, n * sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = m->classes[i].name;
	qsort(v, n, sizeof *v, by_text);
	for (size_t i = 1; i < n && !rc; i++)
		if (!strcmp(v[i], v[i - 1]))
			rc = tp_fail(err, TP_EFORMAT, "class \"%.80s\" is there twice", v[i]);
	tp_free(v);
	return rc;
}

static tp_code read_classes(tp_model *m, tp_err *err)
{
	tp_code rc = meta_json(&m->classes_json, m, "classes", err);
	if (rc)
		return rc;
	size_t n = json_array_size(m->classes_json);
	if (n < 1 || n > TP_MAX_CLASSES)
		return tp_fail(err, TP_EFORMAT, "\"classes\" is not an array of 1 to %d", TP_MAX_CLASSES);
	m->classes = tp_calloc(n, sizeof *m->classes);
	if (!m->classes)
		return tp_nomem(err, n * sizeof *m->classes);
	for (size_t i = 0; i < n && !rc; i++)
		rc = read_class(&m->classes[i], json_array_get(m->classes_json, i), i, err);
	m->n_classes = (int)n;
	return rc ? rc : check_unique(m, err);
}

/* ---- the other texts -------------------------------------------------------------------------------- */

static tp_code read_calibration(tp_model *m, tp_err *err)
{
	static const char where[] = "calibration";
	tp_calibration *c = &m->calibration;
	json_t *j = NULL;
	tp_code rc = meta_json(&j, m, where, err);
	if (!rc)
		rc = tp_json_number(&c->temperature, j, "temperature", where, err);
	if (!rc)
		rc = tp_json_number(&c->novelty_a, j, "novelty_a", where, err);
	if (!rc)
		rc = tp_json_number(&c->novelty_b, j, "novelty_b", where, err);
	if (!rc)
		rc = tp_json_number(&c->reject_below, j, "reject_below", where, err);
	if (!rc && (c->temperature < 1e-6 || c->temperature > 1e6))
		rc = tp_fail(err, TP_EFORMAT, "%s: temperature %g is not above 0", where, c->temperature);
	if (!rc && (c->reject_below < 0 || c->reject_below > 1))
		rc = tp_fail(
			err, TP_EFORMAT, "%s: reject_below %g is not within 0..1", where, c->reject_below);
	json_decref(j);
	return rc;
}

static tp_code read_prep(tp_model *m, tp_err *err)
{
	json_t *j = NULL;
	tp_code rc = meta_json(&j, m, "preprocessing", err);
	if (!rc)
		rc = tp_prep_from_json(&m->prep, j, "preprocessing", err);
	json_decref(j);
	return rc;
}

static tp_code read_texts(tp_model *m, tp_err *err)
{
	const char *text;
	tp_code rc = meta_text(&text, m, TP_KEY_FORMAT, err);
	if (!rc && strcmp(text, "1") != 0)
		rc = tp_fail(err, TP_EFORMAT, "model format %.20s; this tepal reads 1", text);
	if (!rc)
		rc = meta_text(&text, m, "name", err);
	if (!rc)
		rc = meta_text(&text, m, "version", err);
	if (!rc)
		rc = meta_text(&text, m, "architecture", err);
	if (rc)
		return rc;
	m->arch = tp_arch_find(text);
	if (!m->arch)
		return tp_fail(err, TP_EFORMAT, "architecture \"%.40s\" is not known", text);
	rc = read_prep(m, err);
	if (!rc)
		rc = read_classes(m, err);
	if (!rc)
		rc = read_calibration(m, err);
	if (!rc)
		rc = meta_json(&m->record, m, "record", err);
	if (!rc && !json_is_object(m->record))
		rc = tp_fail(err, TP_EFORMAT, "metadata \"record\" is not an object");
	return rc;
}

/* ---- tensors ---------------------------------------------------------------------------------------- */

/* Checks a tensor's shape and that all its values are finite; *out, when wanted, receives them. */
static tp_code take(
	float **out, const tp_model *m, const char *name, int ndim, const int64_t *dim, tp_err *err)
{
	const tp_tensor *t = tp_weights_find(m->w, name);
	if (!t)
		return tp_fail(err, TP_EFORMAT, "tensor \"%s\" is missing", name);
	bool same = t->ndim == ndim;
	for (int i = 0; i < ndim && same; i++)
		same = t->dim[i] == dim[i];
	if (!same)
		return tp_fail(err, TP_EFORMAT, "tensor \"%s\" has another shape than the network", name);
	size_t n = tp_tensor_count(t);
	float *v = tp_alloc(n * sizeof *v);
	if (!v)
		return tp_nomem(err, n * sizeof *v);
	tp_code rc = tp_tensor_floats(v, n, t, err);
	if (rc == TP_EINVAL)
		rc = TP_EFORMAT;
	for (size_t i = 0; i < n && !rc; i++)
		if (!isfinite(v[i]))
			rc = tp_fail(err, TP_EFORMAT, "tensor \"%s\" has a value that is not finite", name);
	if (!rc && out) {
		*out = v;
		v = NULL;
	}
	tp_free(v);
	return rc;
}

static void make_unit(float *v, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)v[i] * (double)v[i];
	for (size_t i = 0; i < n && sum > 0; i++)
		v[i] = (float)((double)v[i] / sqrt(sum));
}

static tp_code read_novelty(tp_model *m, tp_err *err)
{
	int64_t dim[2] = { m->n_classes, m->arch->n_features };
	if (!tp_weights_find(m->w, "novelty.means")) {
		if (m->calibration.novelty_b != 0)
			return tp_fail(err, TP_EFORMAT, "tensor \"novelty.means\" is missing");
		return TP_OK;
	}
	tp_code rc = take(&m->means, m, "novelty.means", 2, dim, err);
	if (!rc)
		rc = take(&m->centre, m, "novelty.centre", 1, dim + 1, err);
	for (int64_t i = 0; i < dim[0] && !rc; i++)
		make_unit(m->means + i * dim[1], (size_t)dim[1]);
	return rc;
}

static tp_code check_tensors(tp_model *m, tp_err *err)
{
	tp_net *net = NULL;
	tp_code rc = tp_net_new(&net, m->arch, m->n_classes, err);
	for (size_t i = 0; !rc && i < tp_net_params(net); i++) {
		const tp_net_param *p = tp_net_param_at(net, i);
		rc = take(NULL, m, p->name, p->ndim, p->dim, err);
	}
	tp_net_free(net);
	return rc ? rc : read_novelty(m, err);
}

static tp_code load(tp_model *m, const char *path, tp_err *err)
{
	tp_code rc = tp_file_read(&m->bytes, &m->len, path, MAX_FILE, err);
	if (rc)
		return rc; /* names the path already */
	rc = tp_safetensors_parse(&m->w, m->bytes, m->len, err);
	if (!rc)
		rc = tp_sum_check(m->bytes, m->len, err);
	if (!rc)
		rc = read_texts(m, err);
	if (!rc)
		rc = check_tensors(m, err);
	m->sha256 = tp_sha256_of(m->bytes, m->len);
	return rc ? tp_context(err, rc, "%s: ", path) : TP_OK;
}

tp_code tp_model_load(tp_model **out, const char *path, tp_err *err)
{
	tp_model *m = tp_calloc(1, sizeof *m);
	if (!m)
		return tp_nomem(err, sizeof *m);
	tp_code rc = load(m, path, err);
	if (rc)
		tp_model_free(m);
	else
		*out = m;
	return rc;
}

/* ---- what it holds ---------------------------------------------------------------------------------- */

const char *tp_model_name(const tp_model *m)
{
	return tp_weights_meta(m->w, "name");
}

const char *tp_model_version(const tp_model *m)
{
	return tp_weights_meta(m->w, "version");
}

const char *tp_model_sha256(const tp_model *m)
{
	return m->sha256.hex;
}

const tp_arch *tp_model_arch(const tp_model *m)
{
	return m->arch;
}

const tp_prep *tp_model_prep(const tp_model *m)
{
	return &m->prep;
}

const tp_calibration *tp_model_calibration(const tp_model *m)
{
	return &m->calibration;
}

int tp_model_classes(const tp_model *m)
{
	return m->n_classes;
}

const tp_class *tp_model_class(const tp_model *m, int i)
{
	return &m->classes[i];
}

const json_t *tp_model_record(const tp_model *m)
{
	return m->record;
}

const tp_weights *tp_model_weights(const tp_model *m)
{
	return m->w;
}

const json_t *tp_class_common(const tp_class *c, const char *lang)
{
	const json_t *v = json_object_get(c->common, lang);
	char main[8];
	size_t n = strcspn(lang, "-_");
	if (!v && lang[n] && n < sizeof main) {
		memcpy(main, lang, n);
		main[n] = 0;
		v = json_object_get(c->common, main);
	}
	return v;
}

tp_code tp_model_plan(tp_plan **out, const tp_model *m, int batch, int threads, tp_err *err)
{
	tp_plan_opts opts = TP_PLAN_OPTS_INIT;
	tp_net *net = NULL;
	opts.batch = batch;
	opts.threads = threads;
	opts.side = m->prep.side;
	tp_code rc = tp_net_new(&net, m->arch, m->n_classes, err);
	if (!rc)
		rc = tp_plan_new(out, net, m->w, &opts, err);
	tp_net_free(net);
	return rc;
}
