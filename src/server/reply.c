/* What the client is told when something is wrong, and the JSON of every answer. The one file that knows HTTP
 * statuses. Two bodies are what Pl@ntNet's clients compare word for word: "Species not found", and the unsupported
 * file type that h_identify.c writes. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/app_int.h"

static const struct {
	int status;
	const char *message;
} problems[TP_PROBLEMS] = {
	[TP_PROBLEM_NO_ROUTE] = { 404, "Not Found" },
	[TP_PROBLEM_METHOD] = { 405, "Method Not Allowed" },
	[TP_PROBLEM_BODY_SIZE] = { 413, "Payload content length greater than maximum allowed: 52428800" },
	[TP_PROBLEM_URI_LENGTH] = { 414, "The address is longer than 8192 bytes" },
	[TP_PROBLEM_MEDIA_TYPE] = { 415, "Photos are sent as multipart/form-data" },
	[TP_PROBLEM_BUSY] = { 503, "Too many uploads at once: try again in a moment" },
	[TP_PROBLEM_NO_SPECIES] = { 404, "Species not found" },
	[TP_PROBLEM_NO_PROJECT] = { 404, "Project not found" },
	[TP_PROBLEM_NO_IMAGE] = { 404, "Image not found" },
};

static const char *reason(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 413:
		return "Request Entity Too Large";
	case 414:
		return "Request-URI Too Long";
	case 415:
		return "Unsupported Media Type";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

static int status_of(tp_code code)
{
	switch (code) {
	case TP_EINVAL:
	case TP_EFORMAT:
	case TP_ELIMIT:
		return 400;
	case TP_ENOTFOUND:
		return 404;
	case TP_EDENIED:
		return 403;
	case TP_ENOMEM:
	case TP_EBUSY:
	case TP_ECANCEL:
		return 503;
	default:
		return 500;
	}
}

void tp_res_init(tp_res *r)
{
	*r = (tp_res){ .status = 200, .type = "application/json; charset=utf-8" };
	tp_buf_init(&r->body, TP_MAX_REPLY);
}

void tp_res_dispose(tp_res *r)
{
	tp_buf_dispose(&r->body);
}

/* Jansson goes on after a key that could not be written, so the failure is kept here. */
typedef struct {
	tp_buf *buf;
	tp_code rc;
	tp_err *err;
} sink;

static int add_bytes(const char *p, size_t n, void *ud)
{
	sink *s = ud;
	if (!s->rc)
		s->rc = tp_buf_add(s->buf, p, n, s->err);
	return s->rc ? -1 : 0;
}

tp_code tp_reply_json(tp_res *r, json_t *j, tp_err *err)
{
	sink s = { &r->body, TP_OK, err };
	if (!j)
		return tp_nomem(err, 0);
	int bad = json_dump_callback(j, add_bytes, &s, JSON_COMPACT | JSON_REAL_PRECISION(5));
	json_decref(j);
	return s.rc ? s.rc : bad ? tp_nomem(err, r->body.len) : TP_OK;
}

/* A body that cannot be built any more still has its status. */
static void error_body(tp_res *r, int status, const char *message)
{
	static const char poor[] =
		"{\"statusCode\":503,\"error\":\"Service Unavailable\",\"message\":\"out of memory\"}";
	char note[sizeof r->note];
	memcpy(note, r->note, sizeof note);
	tp_res_dispose(r);
	tp_res_init(r);
	memcpy(r->note, note, sizeof note);
	r->status = status;
	json_t *j = json_pack(
		"{s:i, s:s, s:s}", "statusCode", status, "error", reason(status), "message", message);
	if (tp_reply_json(r, j, NULL)) {
		tp_buf_dispose(&r->body);
		r->status = 503;
		r->fixed = poor;
		r->fixed_len = sizeof poor - 1;
	}
}

tp_code tp_reply_problem(tp_res *r, tp_problem p)
{
	char allow[sizeof r->allow];
	memcpy(allow, r->allow, sizeof allow);
	error_body(r, problems[p].status, problems[p].message);
	memcpy(r->allow, allow, sizeof allow);
	return TP_OK;
}

void tp_reply_error(tp_res *r, const tp_err *err)
{
	int status = status_of(err->code);
	const char *message = err->msg;
	if (status >= 500) {
		tp_log(TP_LOG_ERROR, "%s", err->msg);
		message = status == 503 ? "The server is busy or short of memory: try again in a moment"
					: "An internal server error occurred";
	}
	error_body(r, status, message);
}

void tp_reply_no_content(tp_res *r)
{
	r->status = 204;
	r->preflight = true;
}

void tp_reply_not_modified(tp_res *r)
{
	r->status = 304;
}
