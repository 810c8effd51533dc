/* The app: from a request to an answer, whatever carries them. */
#include <string.h>

#include "base/mem.h"
#include "server/app_int.h"

static bool has_lang(const tp_model *m, const char *lang)
{
	for (int i = 0; i < tp_model_classes(m); i++)
		if (json_array_size(json_object_get(tp_model_class(m, i)->common, lang)))
			return true;
	return false;
}

tp_code tp_app_new(tp_app **out, tp_engine *engine, tp_err *err)
{
	tp_app *app = tp_calloc(1, sizeof *app);
	if (!app)
		return tp_nomem(err, sizeof *app);
	app->engine = engine;
	app->languages = json_array();
	for (int i = 0; i < tp_n_langs; i++)
		if (i == 0 || has_lang(tp_engine_model(engine), tp_langs[i]))
			json_array_append_new(app->languages, json_string(tp_langs[i]));
	if (!json_array_size(app->languages)) {
		tp_app_free(app);
		return tp_nomem(err, 0);
	}
	*out = app;
	return TP_OK;
}

void tp_app_free(tp_app *app)
{
	if (!app)
		return;
	json_decref(app->languages);
	tp_free(app);
}

void tp_app_handle(tp_app *app, const tp_req *req, tp_res *r)
{
	tp_call c = { .req = req };
	tp_err err = { 0 };
	const tp_route *route = tp_route_find(req->method, req->path, c.param, r->allow);
	if (!strcmp(req->method, "OPTIONS")) {
		tp_reply_no_content(r);
		return;
	}
	if (!route) {
		tp_reply_problem(r, *r->allow ? TP_PROBLEM_METHOD : TP_PROBLEM_NO_ROUTE);
		return;
	}
	tp_code rc = tp_query_parse(&c.query, req->query, &err);
	if (!rc)
		rc = route->fn(app, &c, r, &err);
	if (rc)
		tp_reply_error(r, &err);
	tp_query_dispose(&c.query);
}
