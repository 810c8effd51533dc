/* One download: see fetch_transfer.h. Everything the server says may be a trap: where it leads to (the address is looked at
 * when the socket is made, so a name that changes its mind gains nothing), how much comes, how slowly, and what it is. */
#include "data/fetch_transfer.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/fetch_addr.h"
#include "image/image.h"

enum { MAX_HEADERS = 64 << 10, MAX_REFUSED = 64 << 10, STALL_BYTES = 1024, CONNECT_SECONDS = 20 };

const tp_fetch_reason_info tp_fetch_reasons[TP_FETCH_REASONS] = {
	[TP_FETCH_STATUS] = { "fetch_status", "the server does not give it (404, 403, 410, ...)", false,
		true },
	[TP_FETCH_URL] = { "fetch_url", "no URL that is taken, or redirected to one or too often", false,
		true },
	[TP_FETCH_ADDRESS] = { "fetch_address", "its host has no address on the open Internet", false, true },
	[TP_FETCH_NO_PHOTO] = { "fetch_no_photo", "what came is no photo", false, true },
	[TP_FETCH_LARGE] = { "fetch_large", "larger than --max-photo", false, true },
	[TP_FETCH_CHANGED] = { "fetch_changed", "not the file whose checksum is known", false, true },
	[TP_FETCH_BUSY] = { "fetch_busy", "the server says it cannot now (429, 500, 503, ...)", true, false },
	[TP_FETCH_CONNECT] = { "fetch_connect", "no such host, or it does not answer", true, false },
	[TP_FETCH_SLOW] = { "fetch_slow", "too slow, or nothing came any more", true, false },
	[TP_FETCH_CUT] = { "fetch_cut", "the connection broke off", true, false },
	[TP_FETCH_TLS] = { "fetch_tls", "the host's certificate is not to be trusted", false, false },
};

/* ---- URLs ---- */

/* A URL as it is sent: what may not stand in one is escaped. NULL in *out: it is not taken. */
static tp_code parse_url(CURLU **out, const char *url, tp_err *err)
{
	CURLU *u = curl_url();
	char *scheme = NULL;
	*out = NULL;
	if (!u)
		return tp_nomem(err, strlen(url));
	CURLUcode r = curl_url_set(u, CURLUPART_URL, url, CURLU_URLENCODE | CURLU_DISALLOW_USER);
	if (!r)
		r = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
	bool good = !r && (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
	curl_free(scheme);
	if (good) {
		*out = u;
		return TP_OK;
	}
	curl_url_cleanup(u);
	return r == CURLUE_OUT_OF_MEMORY ? tp_nomem(err, strlen(url)) : TP_OK;
}

tp_code tp_fetch_host_of(char out[TP_HOST], const char *url, bool *good, tp_err *err)
{
	CURLU *u = NULL;
	char *host = NULL, *port = NULL;
	*good = false;
	tp_code rc = parse_url(&u, url, err);
	if (rc || !u)
		return rc;
	if (!curl_url_get(u, CURLUPART_HOST, &host, 0) &&
		!curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) {
		int n = snprintf(out, TP_HOST, "%s:%s", host, port);
		*good = n > 0 && n < TP_HOST;
		for (char *p = out; *good && *p; p++)
			*p = (char)tolower((unsigned char)*p);
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return TP_OK;
}

/* ---- what libcurl calls ---- */

static curl_socket_t open_socket(void *ud, curlsocktype purpose, struct curl_sockaddr *a)
{
	tp_transfer *t = ud;
	(void)purpose;
	if (!t->env->o->allow_private && tp_special_address(&a->addr, a->addrlen)) {
		t->sockets_refused++;
		return CURL_SOCKET_BAD;
	}
	t->sockets++;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t on_header(char *p, size_t size, size_t n, void *ud)
{
	tp_transfer *t = ud;
	(void)p;
	t->header_bytes += size * n;
	return t->header_bytes > MAX_HEADERS ? 0 : size * n;
}

static const char *header(const tp_transfer *t, const char *name)
{
	struct curl_header *h;
	return curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &h) ? NULL : h->value;
}

static long status_of(const tp_transfer *t)
{
	long status = 0;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static int stop(tp_transfer *t, int why)
{
	t->stop = why;
	return 1;
}

static int error(tp_transfer *t)
{
	return stop(t, TP_STOP_ERROR);
}

/* The rest of a part, if it is the rest of this one. */
static int begin_rest(tp_transfer *t)
{
	tp_content_range r;
	const char *text = header(t, "Content-Range");
	const int64_t total = t->part.note.total;
	if (!t->asked_range || !text || !tp_content_range_parse(&r, text) || r.first != t->part.have ||
		(total && r.total >= 0 && r.total != total))
		return stop(t, TP_STOP_RANGE);
	if (r.total > t->env->o->max_photo)
		return stop(t, TP_STOP_LARGE);
	if (r.total >= 0)
		t->part.note.total = r.total;
	t->resumed = true;
	return tp_part_go_on(&t->part, t->env->store, &t->err) ? error(t) : 0;
}

static int begin_whole(tp_transfer *t)
{
	tp_part_note note = { 0 };
	curl_off_t length = -1;
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (length > t->env->o->max_photo)
		return stop(t, TP_STOP_LARGE);
	note.total = length > 0 ? length : 0;
	tp_validator_choose(note.validator, header(t, "ETag"), header(t, "Last-Modified"));
	return tp_part_begin(&t->part, t->env->store, &note, &t->err) ? error(t) : 0;
}

/* Enough of it is here to say what it is: a page that says "not found" need not come to its end. */
static int look_at_head(tp_transfer *t, const char *p, size_t n)
{
	size_t k = sizeof t->head - t->n_head;
	if (!k || t->resumed)
		return 0;
	memcpy(t->head + t->n_head, p, n < k ? n : k);
	t->n_head += n < k ? n : k;
	if (t->n_head == sizeof t->head && tp_image_sniff(t->head, t->n_head) == TP_KIND_UNKNOWN)
		return stop(t, TP_STOP_NO_PHOTO);
	return 0;
}

static int take(tp_transfer *t, const char *p, size_t n)
{
	const tp_fetch_opts *o = t->env->o;
	if (t->part.have + (int64_t)n > o->max_photo)
		return stop(t, TP_STOP_LARGE);
	if (o->max_total && t->env->came + (int64_t)n > o->max_total)
		return stop(t, TP_STOP_LIMIT);
	if (look_at_head(t, p, n))
		return 1;
	t->env->came += (int64_t)n;
	return tp_part_write(&t->part, p, n, &t->err) ? error(t) : 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *ud)
{
	tp_transfer *t = ud;
	long status = status_of(t);
	n *= size;
	if (status != 200 && status != 206) {
		t->refused_bytes += n; /* a page about it, which nobody reads */
		return t->refused_bytes > MAX_REFUSED ? 0 : n;
	}
	if (!t->begun && (status == 206 ? begin_rest(t) : begin_whole(t)))
		return 0;
	t->begun = true;
	return take(t, p, n) ? 0 : n;
}

/* ---- a try ---- */

tp_code tp_transfer_init(tp_transfer *t, tp_fetch_env *env, tp_err *err)
{
	*t = (tp_transfer){ .easy = curl_easy_init(), .env = env, .part = TP_PART_INIT };
	return t->easy ? TP_OK : tp_nomem(err, sizeof(void *));
}

static void drop_headers(tp_transfer *t)
{
	curl_slist_free_all(t->headers);
	t->headers = NULL;
}

void tp_transfer_dispose(tp_transfer *t)
{
	tp_part_close(&t->part);
	curl_easy_cleanup(t->easy);
	drop_headers(t);
	t->easy = NULL;
}

static bool set_functions(tp_transfer *t)
{
	return !curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) &&
	       !curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
	       !curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t) &&
	       !curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header) &&
	       !curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t) &&
	       !curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body) &&
	       !curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
}

/* Nothing of this machine or its user goes out or decides: no proxy of the environment, no netrc, no cookies, no referer;
 * what comes is not unpacked, and certificates are looked at. */
static bool set_limits(tp_transfer *t)
{
	const tp_fetch_opts *o = t->env->o;
	return !curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
	       !curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L) &&
	       !curl_easy_setopt(t->easy, CURLOPT_PROXY, "") &&
	       !curl_easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       !curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 1L) &&
	       !curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 2L) &&
	       !curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L) &&
	       !curl_easy_setopt(t->easy, CURLOPT_USERAGENT, t->env->agent) &&
	       !curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)(1000 * o->timeout)) &&
	       !curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
		       (long)(1000 * fmin(o->timeout, CONNECT_SECONDS))) &&
	       !curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES) &&
	       !curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, (long)ceil(o->stall));
}

static bool add_header(tp_transfer *t, const char *line)
{
	struct curl_slist *more = curl_slist_append(t->headers, line);
	if (more)
		t->headers = more;
	return more != NULL;
}

/* From where the part ends, if the photo is still the same; else the server sends all of it. */
static bool ask_for_rest(tp_transfer *t)
{
	char range[32], line[TP_VALIDATOR + 16];
	t->asked_range = t->part.have > 0;
	if (!t->asked_range)
		return true;
	snprintf(range, sizeof range, "%lld-", (long long)t->part.have);
	snprintf(line, sizeof line, "If-Range: %s", t->part.note.validator);
	return !curl_easy_setopt(t->easy, CURLOPT_RANGE, range) && add_header(t, line);
}

tp_code tp_transfer_begin(tp_transfer *t, tp_fetch_task *task, tp_err *err)
{
	CURLU *u = NULL;
	char *url = NULL;
	const char *from = task->at ? task->at : task->url;
	*t = (tp_transfer){ .easy = t->easy, .env = t->env, .task = task, .part = TP_PART_INIT };
	tp_part_look(&t->part, t->env->store, task->photo);
	curl_easy_reset(t->easy);
	tp_code rc = parse_url(&u, from, err);
	if (!rc && !u)
		rc = tp_fail(err, TP_EINVAL, "no URL"); /* the caller asked tp_fetch_host_of() */
	if (!rc && (curl_url_get(u, CURLUPART_URL, &url, 0) || !set_functions(t) || !set_limits(t) ||
			   curl_easy_setopt(t->easy, CURLOPT_URL, url) ||
			   !add_header(t, "Accept: image/*,*/*;q=0.5") || !ask_for_rest(t) ||
			   curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers)))
		rc = tp_nomem(err, strlen(from));
	curl_free(url);
	curl_url_cleanup(u);
	if (rc) {
		drop_headers(t);
		t->task = NULL;
	}
	return rc;
}

/* ---- what became of it ---- */

static void failed(tp_outcome *out, tp_fetch_reason why, double value)
{
	out->end = TP_END_FAILED;
	out->why = why;
	out->value = value;
}

static void redirected(tp_outcome *out, const tp_transfer *t, long status)
{
	char *to = NULL;
	curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to);
	failed(out, TP_FETCH_STATUS, (double)status);
	if (!to)
		return;
	out->end = TP_END_REDIRECT;
	out->url = strlen(to) <= TP_MAX_URL ? tp_strdup(to) : tp_strdup("");
	if (!out->url) {
		out->end = TP_END_ERROR;
		(void)!tp_nomem(&out->err, strlen(to));
	}
}

static void refused(tp_outcome *out, const tp_transfer *t, long status)
{
	bool redirect = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
	bool passes = status == 408 || status == 416 || status == 425 || status == 429 ||
		      (status >= 500 && status != 501 && status != 505);
	curl_off_t wait = 0;
	if (redirect) {
		redirected(out, t, status);
		return;
	}
	failed(out, passes ? TP_FETCH_BUSY : TP_FETCH_STATUS, (double)status);
	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &wait);
	if (status == 429 || status == 503)
		out->wait = (double)wait;
}

static void broken(tp_outcome *out, const tp_transfer *t, CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		failed(out, t->sockets_refused && !t->sockets ? TP_FETCH_ADDRESS : TP_FETCH_SLOW, NAN);
		break;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_SSL_CONNECT_ERROR:
		failed(out, t->sockets_refused && !t->sockets ? TP_FETCH_ADDRESS : TP_FETCH_CONNECT, NAN);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		failed(out, TP_FETCH_TLS, NAN);
		break;
	case CURLE_URL_MALFORMAT:
		failed(out, TP_FETCH_URL, NAN);
		break;
	case CURLE_OUT_OF_MEMORY:
		out->end = TP_END_ERROR;
		(void)!tp_nomem(&out->err, 0);
		break;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_FAILED_INIT:
		out->end = TP_END_ERROR;
		(void)!tp_fail(&out->err, TP_EBACKEND, "libcurl: %s", curl_easy_strerror(code));
		break;
	default:
		failed(out, TP_FETCH_CUT, NAN);
	}
}

static void stopped(tp_outcome *out, const tp_transfer *t)
{
	switch (t->stop) {
	case TP_STOP_LARGE:
		failed(out, TP_FETCH_LARGE, (double)t->env->o->max_photo);
		break;
	case TP_STOP_NO_PHOTO:
		failed(out, TP_FETCH_NO_PHOTO, NAN);
		break;
	case TP_STOP_RANGE:
		failed(out, TP_FETCH_CUT, NAN);
		break;
	case TP_STOP_LIMIT:
		out->end = TP_END_LIMIT;
		break;
	case TP_STOP_ERROR:
	case TP_STOP_NOT:
		out->end = TP_END_ERROR;
		out->err = t->err;
		break;
	}
}

/* A part stays only where it can be gone on with, and where that is worth it. */
static void put_away(tp_transfer *t, const tp_outcome *out, long status)
{
	bool slow = out->end == TP_END_FAILED &&
		    (out->why == TP_FETCH_SLOW || out->why == TP_FETCH_CUT || out->why == TP_FETCH_CONNECT ||
			    out->why == TP_FETCH_BUSY);
	bool keep = t->part.have && *t->part.note.validator && (slow || out->end == TP_END_LIMIT) &&
		    t->stop != TP_STOP_RANGE && status != 416;
	tp_part_close(&t->part);
	if (!keep && out->end != TP_END_REDIRECT)
		tp_part_drop(&t->part, t->env->store);
}

void tp_transfer_end(tp_outcome *out, tp_transfer *t, CURLcode code)
{
	long status = status_of(t);
	*out = (tp_outcome){ .end = TP_END_WHOLE, .value = NAN };
	if (t->stop)
		stopped(out, t);
	else if (status && status != 200 && status != 206)
		refused(out, t, status);
	else if (code)
		broken(out, t, code);
	else if (!t->begun)
		failed(out, TP_FETCH_NO_PHOTO, NAN); /* an empty one */
	else if (t->part.note.total && t->part.have != t->part.note.total)
		failed(out, TP_FETCH_CUT, NAN); /* a range that was not all of the rest */
	drop_headers(t);
	if (out->end != TP_END_WHOLE)
		put_away(t, out, status);
}
