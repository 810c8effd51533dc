/* The app behind a port: the one file that knows libmicrohttpd.
 * One thread reads and writes all sockets and never blocks: it collects a body in memory, bounded, and answers what
 * is quick itself. A request that needs pixels or the network is parked ("suspended") and goes to a queue of worker
 * threads; the worker fills the answer and wakes the connection. Nothing touches the disk. */
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "server/app_int.h"

enum {
	IDLE_SECONDS = 30,            /* a connection that says nothing for so long is closed */
	SLOW_SECONDS = 60,            /* from then on a request body must have come at ... */
	SLOW_BYTES_A_SECOND = 1024,   /* ... this rate on average */
	CONNECTION_MEMORY = 64 << 10, /* headers and read buffer; more than TP_MAX_URI */
	TP_MAX_SWALLOW =
		2 * TP_MAX_UPLOAD, /* bytes of a refused body that are read, so that the client hears why */
};

/* One request on a connection, from its first line to the last byte of the answer. */
typedef struct conn {
	struct MHD_Connection *mhd;
	tp_server *server;
	char *uri; /* path and query in one block; query points behind the "?" or is NULL */
	const char *query;
	tp_req req;
	tp_res res;
	tp_buf body;
	size_t seen;      /* bytes of the body that arrived, kept or not */
	size_t in_flight; /* of them, counted in the server's total */
	bool begun, answered, waiting;
	bool refused; /* res is an error's; what still comes is thrown away */
	bool keep;    /* the body is wanted */
	bool slow;    /* for a worker */
	double started;
	unsigned number;
	struct conn *next; /* in the queue */
} conn;

struct tp_server {
	tp_app *app;
	struct MHD_Daemon *daemon;
	int fd, port;
	pthread_t *workers;
	int n_workers;
	pthread_mutex_t lock;
	pthread_cond_t more, idle;
	conn *head, *tail;
	int active; /* requests begun and not yet answered in full */
	bool stopping;
	atomic_size_t in_flight;
	atomic_uint count;
	atomic_bool draining;
};

static void log_request(const conn *c)
{
	tp_log(TP_LOG_INFO, "req=%04x %s %.200s %d ms=%.0f%s%s", c->number & 0xffff, c->req.method,
		c->req.path, c->res.status, (tp_now() - c->started) * 1000, *c->res.note ? " " : "",
		c->res.note);
}

static void add_header(struct MHD_Response *m, const char *name, const char *value)
{
	if (value && *value)
		MHD_add_response_header(m, name, value);
}

static void add_headers(struct MHD_Response *m, const conn *c)
{
	const tp_res *r = &c->res;
	if (r->body.len || r->fixed)
		add_header(m, "Content-Type", r->type);
	add_header(m, "Access-Control-Allow-Origin", "*");
	add_header(m, "X-Content-Type-Options", "nosniff");
	add_header(m, "Referrer-Policy", "no-referrer");
	add_header(m, "Allow", r->status == 405 ? r->allow : NULL);
	add_header(m, "ETag", r->etag);
	add_header(m, "Cache-Control", r->cache ? r->cache : "no-store");
	if (r->status == 503)
		add_header(m, "Retry-After", "5");
	if (r->page)
		add_header(m, "Content-Security-Policy",
			"default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
			"form-action 'self'; frame-ancestors 'none'");
	if (r->preflight) {
		add_header(
			m, "Access-Control-Allow-Methods", *r->allow ? r->allow : "GET, HEAD, POST, OPTIONS");
		add_header(m, "Access-Control-Allow-Headers",
			"Content-Type, Authorization, Accept, X-Requested-With");
		add_header(m, "Access-Control-Max-Age", "86400");
	}
	if (atomic_load(&c->server->draining))
		add_header(m, "Connection", "close");
}

static enum MHD_Result send_answer(conn *c)
{
	tp_res *r = &c->res;
	struct MHD_Response *m;
	if (r->fixed) {
		m = MHD_create_response_from_buffer(
			r->fixed_len, (void *)(uintptr_t)r->fixed, MHD_RESPMEM_PERSISTENT);
	} else {
		size_t n = r->body.len;
		m = MHD_create_response_from_buffer_with_free_callback(n, n ? r->body.ptr : NULL, tp_free);
		if (m && n)
			(void)tp_buf_take(&r->body);
		if (m && n)
			r->body.len = n; /* add_headers() asks whether there is one */
	}
	if (!m)
		return MHD_NO;
	add_headers(m, c);
	r->body.len = 0;
	enum MHD_Result ok = MHD_queue_response(c->mhd, (unsigned)r->status, m);
	MHD_destroy_response(m);
	if (ok == MHD_YES) {
		c->answered = true;
		log_request(c);
	}
	return ok;
}

static void forget_body(conn *c)
{
	tp_buf_dispose(&c->body);
	atomic_fetch_sub(&c->server->in_flight, c->in_flight);
	c->in_flight = 0;
	c->keep = false;
}

static void refuse(conn *c, tp_problem p)
{
	forget_body(c);
	c->refused = true;
	tp_reply_problem(&c->res, p);
}

/* Called with the first line of a request; what it returns is the request's own pointer from then on. */
static void *on_uri(void *ud, const char *uri, struct MHD_Connection *mhd)
{
	tp_server *s = ud;
	conn *c = tp_calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->mhd = mhd;
	c->server = s;
	c->started = tp_now();
	c->number = atomic_fetch_add(&s->count, 1);
	tp_res_init(&c->res);
	tp_buf_init(&c->body, TP_MAX_UPLOAD);
	c->uri = tp_strdup(uri);
	if (!c->uri) {
		tp_res_dispose(&c->res);
		tp_free(c);
		return NULL;
	}
	char *q = strchr(c->uri, '?');
	if (q) {
		*q = 0;
		c->query = q + 1;
	}
	pthread_mutex_lock(&s->lock);
	s->active++;
	pthread_mutex_unlock(&s->lock);
	return c;
}

static void on_completed(
	void *ud, struct MHD_Connection *mhd, void **ptr, enum MHD_RequestTerminationCode why)
{
	(void)mhd, (void)why;
	tp_server *s = ud;
	conn *c = *ptr;
	if (!c)
		return;
	if (!c->answered)
		tp_log(TP_LOG_INFO, "req=%04x %.200s broken off ms=%.0f", c->number & 0xffff, c->uri,
			(tp_now() - c->started) * 1000);
	forget_body(c);
	tp_res_dispose(&c->res);
	tp_free(c->uri);
	tp_free(c);
	*ptr = NULL;
	pthread_mutex_lock(&s->lock);
	if (!--s->active)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

static const char *header(const conn *c, const char *name)
{
	return MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, name);
}

/* The headers are there: decide what to do with the body, or refuse before it comes. */
static enum MHD_Result begin(conn *c, const char *method)
{
	const char *length = header(c, "Content-Length");
	char allow[64];
	c->begun = true;
	c->req = (tp_req){ .method = method,
		.path = c->uri,
		.query = c->query,
		.content_type = header(c, "Content-Type"),
		.host = header(c, "Host"),
		.forwarded_proto = header(c, "X-Forwarded-Proto"),
		.if_none_match = header(c, "If-None-Match") };
	if (strlen(c->uri) + (c->query ? strlen(c->query) + 1 : 0) > TP_MAX_URI) {
		refuse(c, TP_PROBLEM_URI_LENGTH);
		return send_answer(c);
	}
	if (length && strtoull(length, NULL, 10) > TP_MAX_UPLOAD) {
		refuse(c, TP_PROBLEM_BODY_SIZE);
		return send_answer(c);
	}
	const tp_route *route = tp_route_find(method, c->uri, NULL, allow);
	c->keep = route && route->max_body;
	c->slow = route && route->slow;
	return MHD_YES;
}

static bool is_too_slow(const conn *c)
{
	double seconds = tp_now() - c->started;
	return seconds > SLOW_SECONDS && (double)c->seen < seconds * SLOW_BYTES_A_SECOND;
}

static enum MHD_Result receive(conn *c, const char *data, size_t n)
{
	c->seen += n;
	if (c->seen > TP_MAX_UPLOAD && !c->refused)
		refuse(c, TP_PROBLEM_BODY_SIZE);
	if (c->seen > TP_MAX_SWALLOW || is_too_slow(c))
		return MHD_NO;
	if (!c->keep)
		return MHD_YES;
	c->in_flight += n;
	if (atomic_fetch_add(&c->server->in_flight, n) + n > TP_MAX_IN_FLIGHT ||
		tp_buf_add(&c->body, data, n, NULL))
		refuse(c, TP_PROBLEM_BUSY);
	return MHD_YES;
}

static void handle(conn *c)
{
	c->req.body = c->body.ptr;
	c->req.body_len = c->body.len;
	tp_app_handle(c->server->app, &c->req, &c->res);
	forget_body(c);
}

static void enqueue(conn *c)
{
	tp_server *s = c->server;
	c->waiting = true;
	MHD_suspend_connection(c->mhd);
	pthread_mutex_lock(&s->lock);
	if (s->tail)
		s->tail->next = c;
	else
		s->head = c;
	s->tail = c;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

static enum MHD_Result on_request(void *ud, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *data, size_t *size, void **ptr)
{
	(void)ud, (void)mhd, (void)url, (void)version;
	conn *c = *ptr;
	if (!c)
		return MHD_NO; /* there was no memory for it */
	if (!c->begun)
		return begin(c, method);
	if (*size) {
		size_t n = *size;
		*size = 0;
		return receive(c, data, n);
	}
	if (c->answered)
		return MHD_YES;
	if (!c->refused && c->slow && !c->waiting) {
		enqueue(c);
		return MHD_YES;
	}
	if (!c->refused && !c->waiting)
		handle(c);
	return send_answer(c);
}

static void *work(void *ud)
{
	tp_server *s = ud;
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->head && !s->stopping)
			pthread_cond_wait(&s->more, &s->lock);
		conn *c = s->head;
		if (!c)
			break;
		s->head = c->next;
		if (!s->head)
			s->tail = NULL;
		pthread_mutex_unlock(&s->lock);
		handle(c);
		MHD_resume_connection(c->mhd); /* c may be gone from here on */
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* What the library has to say is about clients that went away or sent no HTTP. */
static void on_library_log(void *ud, const char *fmt, va_list ap)
{
	(void)ud;
	char line[256];
	vsnprintf(line, sizeof line, fmt, ap);
	line[strcspn(line, "\n")] = 0;
	tp_log(TP_LOG_DEBUG, "http: %s", line);
}

/* poll() and not epoll: the library asks epoll for edges only, and when a client's last bytes and its going away come
 * in one of them, it does not see the end before IDLE_SECONDS are over. */
static tp_code start_daemon(tp_server *s, tp_err *err)
{
	s->daemon = MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, s->fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)TP_MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
	return s->daemon ? TP_OK : tp_fail(err, TP_EBACKEND, "the HTTP library does not start");
}

static tp_code start_workers(tp_server *s, int n, tp_err *err)
{
	s->workers = tp_calloc((size_t)n, sizeof *s->workers);
	if (!s->workers)
		return tp_nomem(err, (size_t)n * sizeof *s->workers);
	for (; s->n_workers < n; s->n_workers++)
		if (pthread_create(&s->workers[s->n_workers], NULL, work, s))
			return tp_fail(err, TP_EIO, "thread %d of %d does not start", s->n_workers + 1, n);
	return TP_OK;
}

tp_code tp_server_start(tp_server **out, tp_app *app, const tp_server_opts *opts, tp_err *err)
{
	tp_server *s = tp_calloc(1, sizeof *s);
	if (!s)
		return tp_nomem(err, sizeof *s);
	s->app = app;
	s->fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	pthread_cond_init(&s->idle, NULL);
	tp_code rc = tp_listen(&s->fd, &s->port, opts->host, opts->port, err);
	if (!rc) {
		snprintf(app->fallback_host, sizeof app->fallback_host, "127.0.0.1:%d", s->port);
		rc = start_workers(s, opts->workers > 0 ? opts->workers : tp_cpu_count(), err);
	}
	if (!rc)
		rc = start_daemon(s, err);
	if (rc) {
		tp_server_stop(s);
		return rc;
	}
	*out = s;
	return TP_OK;
}

int tp_server_port(const tp_server *s)
{
	return s->port;
}

static void wait_idle(tp_server *s)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += IDLE_SECONDS;
	pthread_mutex_lock(&s->lock);
	while (s->active && !pthread_cond_timedwait(&s->idle, &s->lock, &until))
		;
	pthread_mutex_unlock(&s->lock);
}

void tp_server_stop(tp_server *s)
{
	if (!s)
		return;
	atomic_store(&s->draining, true);
	if (s->daemon) {
		MHD_quiesce_daemon(s->daemon);
		close(s->fd);
		s->fd = -1;
		wait_idle(s);
	}
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->more);
	pthread_mutex_unlock(&s->lock);
	for (int i = 0; i < s->n_workers; i++)
		pthread_join(s->workers[i], NULL); /* they empty the queue first */
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	if (s->fd >= 0)
		close(s->fd);
	tp_free(s->workers);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->more);
	pthread_cond_destroy(&s->idle);
	tp_free(s);
}
