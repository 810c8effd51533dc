/* What handlers see: a request, an answer to fill, the routes. No socket, no HTTP library.
 * A handler is a plain function; it fails with a tp_code, and reply.c alone turns that into a status. */
#ifndef TP_SERVER_APP_INT_H
#define TP_SERVER_APP_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "server/query.h"
#include "server/server.h"

enum {
	TP_MAX_URI = 8192,            /* bytes of path and query */
	TP_MAX_IN_FLIGHT = 256 << 20, /* bytes of all request bodies in memory */
	TP_MAX_CONNECTIONS = 256,
	TP_MAX_REPLY = 64 << 20, /* bytes of one answer */
	TP_MAX_PARAMS = 2,       /* {names} in one route */
	TP_MAX_PARAM = 128,      /* bytes of one of them */
};

/* Texts are never NULL but where it says so. Borrowed for the call. */
typedef struct {
	const char *method;
	const char *path;  /* as sent, without the query */
	const char *query; /* as sent, without "?"; may be NULL */
	const char *content_type, *host, *forwarded_proto, *if_none_match; /* NULL: not sent */
	const void *body;
	size_t body_len;
} tp_req;

typedef struct {
	int status;
	const char *type;  /* Content-Type */
	const void *fixed; /* a body that lives as long as the program, instead of `body` */
	size_t fixed_len;
	tp_buf body;
	char allow[64];    /* "" or the header Allow */
	char etag[64];     /* "" or the header ETag, quotes included */
	const char *cache; /* NULL or the header Cache-Control */
	bool page;         /* needs the headers of the page: Content-Security-Policy */
	bool preflight;    /* answers OPTIONS */
	char note[160];    /* goes to the log line */
} tp_res;
void tp_res_init(tp_res *r);
void tp_res_dispose(tp_res *r);

/* One request as handlers get it: parsed query, {names} of the route decoded. */
typedef struct {
	const tp_req *req;
	tp_query query;
	char param[TP_MAX_PARAMS][TP_MAX_PARAM];
} tp_call;

typedef tp_code (*tp_handler)(tp_app *app, const tp_call *c, tp_res *r, tp_err *err);
typedef struct {
	const char *method, *path;
	tp_handler fn;
	size_t max_body; /* 0: a body is read and thrown away */
	bool slow;       /* runs on a worker, not on the thread that reads sockets */
	const char *doc;
} tp_route;
extern const tp_route tp_routes[];
extern const int tp_n_routes;

struct tp_app {
	tp_engine *engine;
	char fallback_host[64]; /* "127.0.0.1:8080", for requests that name no host */
	json_t *languages;      /* codes the model has common names in */
};

/* Fills r whatever happens: a route's answer or an error's. */
void tp_app_handle(tp_app *app, const tp_req *req, tp_res *r);

/* router.c. *params may be NULL. NULL: no such route; *allow (64 bytes) says which methods the path has. */
const tp_route *tp_route_find(
	const char *method, const char *path, char params[TP_MAX_PARAMS][TP_MAX_PARAM], char *allow);

/* reply.c: what the client is told. */
typedef enum {
	TP_PROBLEM_NO_ROUTE,
	TP_PROBLEM_METHOD,
	TP_PROBLEM_BODY_SIZE,
	TP_PROBLEM_URI_LENGTH,
	TP_PROBLEM_MEDIA_TYPE,
	TP_PROBLEM_BUSY,
	TP_PROBLEM_NO_SPECIES,
	TP_PROBLEM_NO_PROJECT,
	TP_PROBLEM_NO_IMAGE,
	TP_PROBLEMS
} tp_problem;
tp_code tp_reply_problem(tp_res *r, tp_problem p); /* is TP_OK: the answer is made */
void tp_reply_error(tp_res *r, const tp_err *err); /* by code; what is not the client's fault is logged */
void tp_reply_no_content(tp_res *r);
void tp_reply_not_modified(tp_res *r);
/* Takes j (NULL: out of memory). Numbers have 5 digits, all that a rounded score needs. */
TP_CHECKED tp_code tp_reply_json(tp_res *r, json_t *j, tp_err *err);

/* names.c: the language codes and organs of the API, and what is checked everywhere. */
extern const char *const tp_langs[];
extern const int tp_n_langs;
extern const char *const tp_organs[];
extern const int tp_n_organs;
bool tp_is_project(const tp_app *app, const char *name);
json_t *tp_json_common(const tp_class *c, const char *lang, size_t max); /* a new array, perhaps empty */

/* h_*.c */
tp_code tp_h_status(tp_app *app, const tp_call *c, tp_res *r, tp_err *err);
tp_code tp_h_languages(tp_app *app, const tp_call *c, tp_res *r, tp_err *err);
tp_code tp_h_projects(tp_app *app, const tp_call *c, tp_res *r, tp_err *err);
tp_code tp_h_species(tp_app *app, const tp_call *c, tp_res *r, tp_err *err);
tp_code tp_h_identify(tp_app *app, const tp_call *c, tp_res *r, tp_err *err);
tp_code tp_h_identify_urls(tp_app *app, const tp_call *c, tp_res *r, tp_err *err);
tp_code tp_h_image(tp_app *app, const tp_call *c, tp_res *r, tp_err *err);
tp_code tp_h_page(tp_app *app, const tp_call *c, tp_res *r, tp_err *err);

/* Files of the page, made from web/ when building. */
typedef struct {
	const char *name, *type, *etag;
	const unsigned char *ptr;
	size_t len;
} tp_web_file;
extern const tp_web_file tp_web_files[];
extern const int tp_n_web_files;

/* listen.c: a listening socket, and the port it got. */
TP_CHECKED tp_code tp_listen(int *fd, int *port, const char *host, int want, tp_err *err);

#endif
