/* Preprocessing as JSON, both ways. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "model/model.h"

static const char *const filters[] = { [TP_BILINEAR] = "bilinear", [TP_BICUBIC] = "bicubic" };

static json_t *triple(const float *v)
{
	json_t *a = json_array();
	for (int i = 0; i < 3; i++)
		json_array_append_new(a, json_real((double)v[i]));
	return a;
}

json_t *tp_prep_to_json(const tp_prep *p)
{
	json_t *j = json_pack("{s:i, s:i, s:s, s:s, s:o, s:o}", "side", p->side, "resize", p->resize, "fit",
		p->fit == TP_FIT_CROP ? "crop" : "stretch", "filter", filters[p->filter], "mean",
		triple(p->mean), "std", triple(p->std));
	if (j && p->bgr)
		json_object_set_new(j, "planes", json_string("bgr"));
	return j;
}

static tp_code read_triple(float *out, const json_t *j, const char *key, const char *where, tp_err *err)
{
	json_t *a;
	tp_code rc = tp_json_array(&a, j, key, where, err);
	if (rc)
		return rc;
	if (json_array_size(a) != 3)
		return tp_fail(err, TP_EFORMAT, "%s: \"%s\" is not three numbers", where, key);
	for (size_t i = 0; i < 3; i++) {
		const json_t *v = json_array_get(a, i);
		out[i] = (float)json_number_value(v);
		if (!json_is_number(v) || !isfinite(out[i]))
			return tp_fail(err, TP_EFORMAT, "%s: \"%s\" is not three numbers", where, key);
	}
	return TP_OK;
}

static tp_code read_names(tp_prep *p, const json_t *j, const char *where, tp_err *err)
{
	const char *fit, *filter;
	tp_code rc = tp_json_text(&fit, j, "fit", where, err);
	if (!rc)
		rc = tp_json_text(&filter, j, "filter", where, err);
	if (rc)
		return rc;
	if (strcmp(fit, "crop") != 0 && strcmp(fit, "stretch") != 0)
		return tp_fail(err, TP_EFORMAT, "%s: \"fit\" is \"%.20s\", not crop or stretch", where, fit);
	p->fit = strcmp(fit, "crop") ? TP_FIT_STRETCH : TP_FIT_CROP;
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		if (filters[i] && !strcmp(filters[i], filter)) {
			p->filter = (tp_filter)i;
			return TP_OK;
		}
	return tp_fail(err, TP_EFORMAT, "%s: \"filter\" is \"%.20s\", not known", where, filter);
}

/* Red first, where nothing is said. */
static tp_code read_planes(tp_prep *p, const json_t *j, const char *where, tp_err *err)
{
	const char *planes = "rgb";
	if (json_object_get(j, "planes")) {
		tp_code rc = tp_json_text(&planes, j, "planes", where, err);
		if (rc)
			return rc;
	}
	p->bgr = !strcmp(planes, "bgr");
	if (!p->bgr && strcmp(planes, "rgb") != 0)
		return tp_fail(err, TP_EFORMAT, "%s: \"planes\" is \"%.20s\", not rgb or bgr", where, planes);
	return TP_OK;
}

tp_code tp_prep_from_json(tp_prep *out, const json_t *j, const char *where, tp_err *err)
{
	tp_prep p = { 0 };
	long long side, resize;
	tp_code rc = tp_json_int(&side, j, "side", 32, 1024, where, err);
	if (!rc)
		rc = tp_json_int(&resize, j, "resize", 0, 4096, where, err);
	if (!rc)
		rc = read_names(&p, j, where, err);
	if (!rc)
		rc = read_planes(&p, j, where, err);
	if (!rc)
		rc = read_triple(p.mean, j, "mean", where, err);
	if (!rc)
		rc = read_triple(p.std, j, "std", where, err);
	if (rc)
		return rc;
	p.side = (int)side;
	p.resize = (int)resize;
	if (p.fit == TP_FIT_CROP && resize < side)
		return tp_fail(
			err, TP_EFORMAT, "%s: \"side\" %d is over \"resize\" %d", where, p.side, p.resize);
	for (int i = 0; i < 3; i++)
		if (!(p.std[i] > 0))
			return tp_fail(err, TP_EFORMAT, "%s: \"std\" is not above 0", where);
	*out = p;
	return TP_OK;
}
