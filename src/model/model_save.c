/* Writing a model file: the file is built in memory, gets its checksum, and appears whole or not at all. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "model/model_int.h"

typedef struct {
	tp_tensor *t; /* data is owned */
	size_t n;
} tensor_list;

static void list_free(tensor_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		tp_free((void *)(uintptr_t)l->t[i].data);
	tp_free(l->t);
}

/* Appends values as fp32 or fp16; t gives name and shape, the list has room. */
static tp_code put(tensor_list *l, tp_tensor t, const float *v, size_t n, bool half, tp_err *err)
{
	t.dtype = half ? TP_F16 : TP_F32;
	t.size = n * (half ? 2 : 4);
	uint16_t *data = tp_alloc(t.size);
	if (!data)
		return tp_nomem(err, t.size);
	if (half)
		for (size_t i = 0; i < n; i++)
			data[i] = tp_float_to_half(v[i]);
	else
		memcpy(data, v, t.size);
	t.data = data;
	l->t[l->n++] = t;
	return TP_OK;
}

/* Batch-norm tensors stay fp32: they are small, and a variance may be beyond what fp16 can say. */
static bool is_weight_of_many(const tp_net_param *p)
{
	return p->ndim > 1;
}

static tp_code put_param(tensor_list *l, const tp_model_parts *parts, const tp_net_param *p, tp_err *err)
{
	const tp_tensor *b = tp_weights_find(parts->backbone, p->name);
	tp_tensor t = { .name = p->name, .ndim = p->ndim };
	size_t n = 1;
	bool same = b && b->ndim == p->ndim;
	for (int i = 0; i < p->ndim; i++) {
		t.dim[i] = p->dim[i];
		n *= (size_t)p->dim[i];
		same = same && b->dim[i] == p->dim[i];
	}
	if (!same)
		return tp_fail(err, TP_EFORMAT,
			"backbone weights: tensor \"%s\" is missing or has another shape", p->name);
	float *v = tp_alloc(n * sizeof *v);
	if (!v)
		return tp_nomem(err, n * sizeof *v);
	tp_code rc = tp_tensor_floats(v, n, b, err);
	if (!rc)
		rc = put(l, t, v, n, parts->half && is_weight_of_many(p), err);
	tp_free(v);
	return rc;
}

static tp_code put_heads(tensor_list *l, const tp_model_parts *parts, tp_err *err)
{
	int64_t c = (int64_t)json_array_size(parts->classes), f = parts->arch->n_features;
	size_t n = (size_t)(c * f);
	tp_tensor w = { .name = parts->arch->classifier_weight, .ndim = 2, .dim = { c, f } };
	tp_tensor b = { .name = parts->arch->classifier_bias, .ndim = 1, .dim = { c } };
	tp_tensor nm = { .name = "novelty.means", .ndim = 2, .dim = { c, f } };
	tp_tensor nc = { .name = "novelty.centre", .ndim = 1, .dim = { f } };
	tp_code rc = put(l, w, parts->head_w, n, parts->half, err);
	if (!rc)
		rc = put(l, b, parts->head_b, (size_t)c, false, err);
	if (!rc && parts->novelty_means)
		rc = put(l, nm, parts->novelty_means, n, parts->half, err);
	if (!rc && parts->novelty_means)
		rc = put(l, nc, parts->novelty_centre, (size_t)f, false, err);
	return rc;
}

static tp_code collect(tensor_list *l, const tp_net *net, const tp_model_parts *parts, tp_err *err)
{
	size_t n = tp_net_params(net);
	tp_code rc = TP_OK;
	l->t = tp_calloc(n + 4, sizeof *l->t);
	if (!l->t)
		return tp_nomem(err, (n + 4) * sizeof *l->t);
	for (size_t i = 0; i < n && !rc; i++)
		rc = put_param(l, parts, tp_net_param_at(net, i), err);
	return rc ? rc : put_heads(l, parts, err);
}

/* ---- metadata --------------------------------------------------------------------------------------- */

enum { PREP, CLASSES, CALIBRATION, RECORD, N_TEXTS };

static tp_code make_texts(char **text, const tp_model_parts *p, tp_err *err)
{
	const tp_calibration *k = &p->calibration;
	json_t *prep = tp_prep_to_json(&p->prep);
	json_t *cal = json_pack("{s:f, s:f, s:f, s:f}", "temperature", k->temperature, "novelty_a",
		k->novelty_a, "novelty_b", k->novelty_b, "reject_below", k->reject_below);
	tp_code rc = prep && cal ? TP_OK
				 : tp_fail(err, TP_EINVAL,
					   "preprocessing or calibration has a value "
					   "that is not finite");
	if (!rc)
		rc = tp_json_dump(&text[PREP], prep, err);
	if (!rc)
		rc = tp_json_dump(&text[CLASSES], p->classes, err);
	if (!rc)
		rc = tp_json_dump(&text[CALIBRATION], cal, err);
	if (!rc)
		rc = tp_json_dump(&text[RECORD], p->record, err);
	json_decref(prep);
	json_decref(cal);
	return rc;
}

static tp_code render(uint8_t **out, size_t *len, const tensor_list *l, const tp_model_parts *p, tp_err *err)
{
	static const char blank[] = "0000000000000000000000000000000000000000000000000000000000000000";
	char *text[N_TEXTS] = { 0 };
	tp_code rc = make_texts(text, p, err);
	tp_meta meta[] = { { TP_KEY_SUM, blank }, { TP_KEY_FORMAT, "1" }, { "name", p->name },
		{ "version", p->version }, { "architecture", p->arch->name }, { "preprocessing", text[PREP] },
		{ "classes", text[CLASSES] }, { "calibration", text[CALIBRATION] },
		{ "record", text[RECORD] } };
	if (!rc)
		rc = tp_safetensors_render(out, len, l->t, l->n, meta, sizeof meta / sizeof *meta, err);
	for (int i = 0; i < N_TEXTS; i++)
		tp_free(text[i]);
	return rc;
}

static tp_code write_file(const char *path, const uint8_t *bytes, size_t len, tp_err *err)
{
	tp_outfile *f = NULL;
	tp_code rc = tp_outfile_open(&f, path, err);
	if (!rc)
		rc = tp_outfile_write(f, bytes, len, err);
	if (!rc)
		rc = tp_outfile_commit(&f, err);
	tp_outfile_abort(&f);
	return rc;
}

tp_code tp_model_save(const char *path, const tp_model_parts *parts, tp_err *err)
{
	tensor_list l = { 0 };
	tp_net *net = NULL;
	uint8_t *bytes = NULL;
	size_t len = 0, n = json_array_size(parts->classes);
	if (n < 1 || n > TP_MAX_CLASSES || !json_is_object(parts->record))
		return tp_fail(err, TP_EINVAL, "%zu classes, or a record that is not an object", n);
	tp_code rc = tp_net_new(&net, parts->arch, 0, err);
	if (!rc)
		rc = collect(&l, net, parts, err);
	if (!rc)
		rc = render(&bytes, &len, &l, parts, err);
	if (!rc)
		rc = tp_sum_set(bytes, len, err);
	if (!rc)
		rc = write_file(path, bytes, len, err);
	tp_net_free(net);
	list_free(&l);
	tp_free(bytes);
	return rc;
}
