/* What this server is and knows: status, languages, projects, species. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/app_int.h"

tp_code tp_h_status(tp_app *app, const tp_call *c, tp_res *r, tp_err *err)
{
	(void)app, (void)c;
	return tp_reply_json(r, json_pack("{s:s}", "status", "ok"), err);
}

tp_code tp_h_languages(tp_app *app, const tp_call *c, tp_res *r, tp_err *err)
{
	(void)c;
	return tp_reply_json(r, json_deep_copy(app->languages), err);
}

tp_code tp_h_projects(tp_app *app, const tp_call *c, tp_res *r, tp_err *err)
{
	(void)c;
	const tp_model *m = tp_engine_model(app->engine);
	json_t *j = json_pack("[{s:s, s:s, s:s, s:i}]", "id", "all", "title", tp_model_name(m), "description",
		"All species this server's model knows", "speciesCount", tp_model_classes(m));
	return tp_reply_json(r, j, err);
}

static bool starts_with(const char *s, const char *prefix)
{
	return !strncasecmp(s, prefix, strlen(prefix));
}

/* The scientific name or a common one begins with prefix. */
static bool is_wanted(const tp_class *k, const json_t *common, const char *prefix)
{
	if (!prefix || starts_with(k->name, prefix))
		return true;
	for (size_t i = 0; i < json_array_size(common); i++)
		if (starts_with(json_string_value(json_array_get(common, i)), prefix))
			return true;
	return false;
}

static json_t *species_json(const tp_class *k, json_t *common)
{
	json_t *o = json_pack("{s:s, s:s, s:O, s:s, s:s}", "scientificNameWithoutAuthor", k->name,
		"scientificNameAuthorship", k->authorship, "commonNames", common, "genus", k->genus, "family",
		k->family);
	char *end;
	long long gbif =
		strtoll(k->gbif, &end, 10); /* a number here, a text in an identification: so the API is */
	if (*k->gbif && !*end)
		json_object_set_new(o, "gbifId", json_integer(gbif));
	if (*k->powo)
		json_object_set_new(o, "powoId", json_string(k->powo));
	return o;
}

/* pageSize or page: absent is the default, empty means no pages. */
static tp_code page_arg(int *out, const tp_query *q, const char *name, int none, tp_err *err)
{
	const char *s = tp_query_get(q, name);
	if (s && !*s) {
		*out = none;
		return TP_OK;
	}
	return tp_query_int(out, q, name, 1, err);
}

tp_code tp_h_species(tp_app *app, const tp_call *c, tp_res *r, tp_err *err)
{
	const tp_model *m = tp_engine_model(app->engine);
	const char *lang = "en", *prefix = tp_query_get(&c->query, "prefix");
	int size = 100, page = 1;
	if (*c->param[0] && !tp_is_project(app, c->param[0]))
		return tp_reply_problem(r, TP_PROBLEM_NO_PROJECT);
	tp_code rc = tp_query_enum(&lang, &c->query, "lang", tp_langs, tp_n_langs, err);
	if (!rc)
		rc = page_arg(&size, &c->query, "pageSize", INT_MAX, err);
	if (!rc)
		rc = page_arg(&page, &c->query, "page", 1, err);
	if (rc)
		return rc;
	json_t *list = json_array();
	long long first = (long long)size * (page - 1), seen = 0;
	for (int i = 0; i < tp_model_classes(m) && seen < first + size; i++) {
		const tp_class *k = tp_model_class(m, i);
		json_t *common = tp_json_common(k, lang, SIZE_MAX);
		if (is_wanted(k, common, prefix) && seen++ >= first)
			json_array_append_new(list, species_json(k, common));
		json_decref(common);
	}
	return tp_reply_json(r, list, err);
}
