/* POST /v2/identify/{project}: one to five photos of one plant in, ranked species out, in the shape and key order
 * that clients of Pl@ntNet's API read. Photos stay in memory and are gone with the request. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/mem.h"
#include "server/app_int.h"
#include "server/multipart.h"

enum {
	RELATED = 6, /* reference photos for each species, as Pl@ntNet gives */
	COMMON_NAMES = 3,
	REMAINING = 1000000, /* there are no quotas; clients want a number and stop at 0 */
};

typedef struct {
	const char *project, *lang, *type; /* type: NULL when not sent */
	bool related, no_reject, detailed;
	int top;
	int n_photos, n_organs;
	tp_query_photo photo[TP_MAX_PHOTOS];
	const char *organ[TP_MAX_PHOTOS];
	char id[TP_MAX_PHOTOS][33];
} request;

static tp_code read_args(request *q, const tp_query *a, tp_err *err)
{
	static const char *const types[] = { "kt", "legacy" };
	tp_code rc = tp_query_bool(&q->related, a, "include-related-images", err);
	if (!rc)
		rc = tp_query_bool(&q->no_reject, a, "no-reject", err);
	if (!rc)
		rc = tp_query_bool(&q->detailed, a, "detailed", err);
	if (!rc)
		rc = tp_query_int(&q->top, a, "nb-results", 1, err);
	if (!rc)
		rc = tp_query_enum(&q->lang, a, "lang", tp_langs, tp_n_langs, err);
	if (!rc)
		rc = tp_query_enum(&q->type, a, "type", types, 2, err);
	return rc;
}

static tp_code add_organ(request *q, tp_span s, tp_err *err)
{
	while (s.len && (unsigned char)s.ptr[s.len - 1] <= ' ')
		s.len--;
	char name[32];
	snprintf(name, sizeof name, "organs[%d]", q->n_organs);
	if (q->n_organs == TP_MAX_PHOTOS)
		return tp_fail(err, TP_EINVAL, "\"organs\" must contain less than or equal to %d items",
			TP_MAX_PHOTOS);
	for (int i = 0; i < tp_n_organs; i++)
		if (tp_span_is(s, tp_organs[i])) {
			q->organ[q->n_organs++] = tp_organs[i];
			return TP_OK;
		}
	return tp_fail_enum(err, name, tp_organs, tp_n_organs);
}

static tp_code add_photo(request *q, const tp_part *p, tp_err *err)
{
	/* what a browser sends for a file field that was left empty */
	if (!p->data.len && !p->filename.len)
		return TP_OK;
	if (q->n_photos == TP_MAX_PHOTOS)
		return tp_fail(err, TP_EINVAL, "\"images\" must contain less than or equal to %d items",
			TP_MAX_PHOTOS);
	q->photo[q->n_photos++] = (tp_query_photo){ .bytes = p->data.ptr, .len = p->data.len };
	return TP_OK;
}

static bool is_field(tp_span name, const char *field, const char *php)
{
	return tp_span_is(name, field) || tp_span_is(name, php);
}

static tp_code read_form(request *q, const tp_req *req, const tp_query *a, tp_err *err)
{
	tp_multipart form;
	tp_span boundary;
	tp_code rc = tp_multipart_boundary(&boundary, req->content_type, err);
	if (!rc)
		rc = tp_multipart_parse(&form, boundary, req->body, req->body_len, err);
	for (int i = 0; !rc && i < form.n; i++) {
		if (is_field(form.v[i].name, "images", "images[]"))
			rc = add_photo(q, &form.v[i], err);
		else if (is_field(form.v[i].name, "organs", "organs[]"))
			rc = add_organ(q, form.v[i].data, err);
	}
	bool in_form = q->n_organs > 0; /* some clients send organs in the address; the form goes first */
	for (int i = 0; !rc && !in_form && i < a->n; i++)
		if (!strcmp(a->v[i].name, "organs") || !strcmp(a->v[i].name, "organs[]"))
			rc = add_organ(q, (tp_span){ a->v[i].value, strlen(a->v[i].value) }, err);
	return rc;
}

static tp_code check_photos(request *q, tp_err *err)
{
	if (!q->n_photos)
		return tp_fail(err, TP_EINVAL, "\"images\" is required");
	if (q->n_organs && q->n_organs != q->n_photos)
		return tp_fail(err, TP_EINVAL,
			"%d \"organs\" for %d \"images\": send one organ for each image, or none",
			q->n_organs, q->n_photos);
	for (int i = 0; i < q->n_photos; i++) {
		tp_query_photo *p = &q->photo[i];
		if (tp_image_sniff(p->bytes, p->len) == TP_KIND_UNKNOWN)
			return tp_fail(
				err, TP_EFORMAT, "Unsupported file type for image[%d] (jpeg or png)", i);
		if (!q->n_organs)
			q->organ[i] = "auto";
		p->organ = q->organ[i];
		tp_sha256 h = tp_sha256_of(p->bytes, p->len);
		memcpy(q->id[i], h.hex, 32);
	}
	return TP_OK;
}

/* Scores have five decimals. */
static json_t *score_json(double score)
{
	return json_real(round(score * 1e5) / 1e5);
}

static json_t *names_json(const char *name)
{
	return json_pack("{s:s, s:s, s:s}", "scientificNameWithoutAuthor", name, "scientificNameAuthorship",
		"", "scientificName", name);
}

static void full_name(char *out, size_t size, const tp_class *k)
{
	snprintf(out, size, "%s%s%s", k->name, *k->authorship ? " " : "", k->authorship);
}

static json_t *query_json(const request *q)
{
	json_t *images = json_array(), *organs = json_array();
	for (int i = 0; i < q->n_photos; i++) {
		json_array_append_new(images, json_string(q->id[i]));
		json_array_append_new(organs, json_string(q->organ[i]));
	}
	return json_pack("{s:s, s:o, s:o, s:b, s:b, s:s?}", "project", q->project, "images", images, "organs",
		organs, "includeRelatedImages", q->related, "noReject", q->no_reject, "type", q->type);
}

/* A host name or address with a port, and nothing that could end up as anything else in a page. */
static bool is_host(const char *s)
{
	size_t n = strlen(s);
	return n && n < 256 &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]_") == n;
}

static json_t *url_json(const tp_app *app, const tp_req *req, const char *id)
{
	const char *host = req->host && is_host(req->host) ? req->host : app->fallback_host;
	const char *scheme =
		req->forwarded_proto && !strcasecmp(req->forwarded_proto, "https") ? "https" : "http";
	static const char *const sizes[] = { "o", "m", "s" };
	json_t *j = json_object();
	for (int i = 0; i < 3; i++)
		json_object_set_new(
			j, sizes[i], json_sprintf("%s://%s/image/%s/%s", scheme, host, sizes[i], id));
	return j;
}

static json_t *related_json(const tp_app *app, const tp_req *req, const tp_candidate *c)
{
	const tp_index *x = tp_engine_index(app->engine);
	json_t *list = json_array();
	for (int i = 0; x && i < c->n_related; i++) {
		const tp_ref *ref = tp_index_ref(x, c->related[i].row);
		json_t *citation = *ref->author ? json_sprintf("%s, %s", ref->author, ref->licence)
						: json_string(ref->licence);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o}", "organ", ref->organ,
						    "author", ref->author, "license", ref->licence, "url",
						    url_json(app, req, ref->id), "citation", citation));
	}
	return list;
}

static json_t *species_json(const tp_class *k, const char *lang)
{
	char full[512];
	full_name(full, sizeof full, k);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}", "scientificNameWithoutAuthor", k->name,
		"scientificNameAuthorship", k->authorship, "genus", names_json(k->genus), "family",
		names_json(k->family), "commonNames", tp_json_common(k, lang, COMMON_NAMES), "scientificName",
		full);
}

static json_t *result_json(const tp_app *app, const tp_req *req, const request *q, const tp_candidate *c)
{
	const tp_class *k = tp_model_class(tp_engine_model(app->engine), c->species);
	json_t *o = json_pack(
		"{s:o, s:o}", "score", score_json((double)c->score), "species", species_json(k, q->lang));
	if (q->related)
		json_object_set_new(o, "images", related_json(app, req, c));
	if (*k->gbif)
		json_object_set_new(o, "gbif", json_pack("{s:s}", "id", k->gbif));
	if (*k->powo)
		json_object_set_new(o, "powo", json_pack("{s:s}", "id", k->powo));
	return o;
}

/* Scores of a genus or a family: the sum over its species. */
typedef struct {
	const char *name, *family;
	double score;
} group;

static int add_to_group(group *g, int n, const char *name, const char *family, double score)
{
	if (!*name)
		return n;
	for (int i = 0; i < n; i++)
		if (!strcmp(g[i].name, name)) {
			g[i].score += score;
			return n;
		}
	g[n] = (group){ name, family, score };
	return n + 1;
}

static json_t *group_json(const group *g)
{
	if (!g->family)
		return json_pack("{s:o, s:{s:s, s:[]}, s:[]}", "score", score_json(g->score), "family",
			"scientificName", g->name, "commonNames", "images");
	return json_pack("{s:o, s:{s:s, s:o, s:[]}, s:[]}", "score", score_json(g->score), "genus",
		"scientificName", g->name, "family", names_json(g->family), "commonNames", "images");
}

static json_t *best_groups(group *g, int n, int top)
{
	json_t *list = json_array();
	for (int i = 0; i < n && i < top; i++) {
		int best = i;
		for (int j = i + 1; j < n; j++)
			if (g[j].score > g[best].score)
				best = j;
		group t = g[i];
		g[i] = g[best];
		g[best] = t;
		json_array_append_new(list, group_json(&g[i]));
	}
	return list;
}

static json_t *other_results_json(const tp_app *app, const request *q, const tp_answer *a)
{
	group *genus = tp_calloc((size_t)a->n + 1, sizeof *genus),
	      *family = tp_calloc((size_t)a->n + 1, sizeof *family);
	json_t *j = NULL;
	int ng = 0, nf = 0;
	for (int i = 0; genus && family && i < a->n; i++) {
		const tp_class *k = tp_model_class(tp_engine_model(app->engine), a->v[i].species);
		ng = add_to_group(genus, ng, k->genus, k->family, (double)a->v[i].score);
		nf = add_to_group(family, nf, k->family, NULL, (double)a->v[i].score);
	}
	if (genus && family)
		j = json_pack("{s:o, s:o}", "genus", best_groups(genus, ng, q->top), "family",
			best_groups(family, nf, q->top));
	tp_free(genus);
	tp_free(family);
	return j;
}

static json_t *answer_json(const tp_app *app, const tp_req *req, const request *q, const tp_answer *a)
{
	const tp_model *m = tp_engine_model(app->engine);
	char best[512] = "";
	if (a->n)
		full_name(best, sizeof best, tp_model_class(m, a->v[0].species));
	json_t *results = json_array();
	for (int i = 0; i < a->n && i < q->top; i++)
		json_array_append_new(results, result_json(app, req, q, &a->v[i]));
	/* predictedOrgans is empty: the model does not tell organs apart, and a guess would be a false claim */
	json_t *o = json_pack("{s:o, s:[], s:s, s:s, s:s, s:o}", "query", query_json(q), "predictedOrgans",
		"language", q->lang, "preferedReferential", tp_model_name(m), "bestMatch", best, "results",
		results);
	if (q->detailed && json_object_set_new(o, "otherResults", other_results_json(app, q, a))) {
		json_decref(o);
		return NULL;
	}
	json_object_set_new(o, "version", json_string(tp_model_version(m)));
	json_object_set_new(o, "remainingIdentificationRequests", json_integer(REMAINING));
	return o;
}

static tp_code identify(tp_app *app, const tp_req *req, const request *q, tp_res *r, tp_err *err)
{
	const tp_model *m = tp_engine_model(app->engine);
	int classes = tp_model_classes(m), bad = -1;
	tp_identify_opts o = TP_IDENTIFY_OPTS_INIT;
	tp_answer a = { 0 };
	o.top_k = q->detailed || q->top > classes ? classes : q->top;
	o.related = q->related && tp_engine_index(app->engine) ? RELATED : 0;
	tp_code rc = tp_engine_identify(app->engine, q->photo, q->n_photos, &o, &a, &bad, err);
	if (rc == TP_EBACKEND && bad >= 0) /* HEIC, and no library for it here */
		rc = tp_fail(err, TP_EFORMAT, "Unsupported file type for image[%d] (jpeg or png)", bad);
	if (rc)
		return rc;
	if (a.n)
		snprintf(r->note, sizeof r->note, "top=\"%.100s\" score=%.2f",
			tp_model_class(m, a.v[0].species)->name, (double)a.v[0].score);
	if (!a.likely && !q->no_reject)
		rc = tp_reply_problem(r, TP_PROBLEM_NO_SPECIES);
	else
		rc = tp_reply_json(r, answer_json(app, req, q, &a), err);
	tp_answer_dispose(&a);
	return rc;
}

tp_code tp_h_identify(tp_app *app, const tp_call *c, tp_res *r, tp_err *err)
{
	request q = { .project = c->param[0], .lang = "en", .top = 10 };
	if (!tp_is_project(app, q.project))
		return tp_reply_problem(r, TP_PROBLEM_NO_PROJECT);
	if (!tp_is_multipart(c->req->content_type))
		return tp_reply_problem(r, TP_PROBLEM_MEDIA_TYPE);
	tp_code rc = read_args(&q, &c->query, err);
	if (!rc)
		rc = read_form(&q, c->req, &c->query, err);
	if (!rc)
		rc = check_photos(&q, err);
	return rc ? rc : identify(app, c->req, &q, r, err);
}

tp_code tp_h_identify_urls(tp_app *app, const tp_call *c, tp_res *r, tp_err *err)
{
	(void)app, (void)c, (void)r;
	return tp_fail(err, TP_EINVAL, "this server takes photos by POST; image URLs are not enabled");
}
