/* The HTTP server: a page, and a JSON API that Pl@ntNet clients understand (docs/api.md).
 * An app answers requests and knows no socket; a server is the app behind a port. */
#ifndef TP_SERVER_SERVER_H
#define TP_SERVER_SERVER_H

#include "base/err.h"
#include "engine/engine.h"

typedef struct tp_app tp_app;
/* engine is borrowed and must outlive the app. Threads: an app is read-only once made. */
TP_CHECKED tp_code tp_app_new(tp_app **out, tp_engine *engine, tp_err *err);
void tp_app_free(tp_app *app);

typedef struct {
	const char *host; /* address or name to listen on */
	int port;         /* 0: any free one */
	int workers;      /* threads that run slow requests; 0: one a processor */
} tp_server_opts;

typedef struct tp_server tp_server;
/* Listens and answers on its own threads until tp_server_stop(). app is borrowed.
 * Errors   TP_EBUSY (the port is taken), TP_EDENIED (not allowed to), TP_EINVAL (no such host), TP_EIO, TP_ENOMEM. */
TP_CHECKED tp_code tp_server_start(tp_server **out, tp_app *app, const tp_server_opts *opts, tp_err *err);
int tp_server_port(const tp_server *s);
/* Takes no new connection, lets the requests under way finish (a client that stalls has 30 seconds), and frees. */
void tp_server_stop(tp_server *s);

#endif
