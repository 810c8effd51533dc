/* Routes are data: the router, the limits and docs/api.md all follow this table. */
#include <string.h>

#include "server/app_int.h"

const tp_route tp_routes[] = {
	{ "GET", "/v2/_status", tp_h_status, .doc = "Is the server up" },
	{ "GET", "/v2/languages", tp_h_languages, .doc = "Languages the model has common names in" },
	{ "GET", "/v2/projects", tp_h_projects, .doc = "The model, as a project" },
	{ "GET", "/v2/projects/{project}/species", tp_h_species, .doc = "The species the model knows" },
	{ "GET", "/v2/species", tp_h_species, .doc = "The species the model knows" },
	{ "POST", "/v2/identify/{project}", tp_h_identify, .max_body = TP_MAX_UPLOAD, .slow = true,
		.doc = "Rank species for one to five photos of a plant" },
	{ "GET", "/v2/identify/{project}", tp_h_identify_urls, .doc = "Not enabled: photos by address" },
	{ "GET", "/image/{size}/{id}", tp_h_image, .slow = true, .doc = "A reference photo" },
	{ "GET", "/", tp_h_page, .doc = "The page" },
	{ "GET", "/{file}", tp_h_page, .doc = "The page's files" },
};
const int tp_n_routes = sizeof tp_routes / sizeof *tp_routes;

static bool take_param(char *out, const char *p, size_t len)
{
	if (!len || len >= TP_MAX_PARAM)
		return false;
	if (out)
		tp_percent_decode(out, p, len, false);
	return true;
}

static bool match(const char *pattern, const char *path, char params[TP_MAX_PARAMS][TP_MAX_PARAM])
{
	int n = 0;
	while (*pattern) {
		if (*pattern == '{') {
			size_t len = strcspn(path, "/");
			if (n == TP_MAX_PARAMS || !take_param(params ? params[n] : NULL, path, len))
				return false;
			n++;
			path += len;
			pattern = strchr(pattern, '}') + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return !*path;
}

const tp_route *tp_route_find(
	const char *method, const char *path, char params[TP_MAX_PARAMS][TP_MAX_PARAM], char *allow)
{
	bool head = !strcmp(method, "HEAD"), get = false, post = false;
	for (int i = 0; i < tp_n_routes; i++) {
		const tp_route *r = &tp_routes[i];
		if (!match(r->path, path, params))
			continue;
		if (!strcmp(r->method, method) || (head && !strcmp(r->method, "GET")))
			return r;
		get |= !strcmp(r->method, "GET");
		post |= !strcmp(r->method, "POST");
	}
	const char *list = get && post ? "GET, HEAD, POST, OPTIONS"
			   : get       ? "GET, HEAD, OPTIONS"
			   : post      ? "POST, OPTIONS"
				       : "";
	memcpy(allow, list, strlen(list) + 1);
	return NULL;
}
