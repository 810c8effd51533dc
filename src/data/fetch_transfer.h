/* One try to download one photo, by libcurl: what is asked, what is taken, and what became of it. Redirects are not followed
 * here: the caller lines them up at the host they lead to. Threads: one. */
#ifndef TP_DATA_FETCH_TRANSFER_H
#define TP_DATA_FETCH_TRANSFER_H

#include <curl/curl.h>

#include "data/fetch.h"
#include "data/fetch_store.h"

typedef struct {
	const tp_fetch_opts *o;
	tp_fetch_store *store;
	char agent[256];
	int64_t came; /* bytes of photos, by all */
} tp_fetch_env;

typedef enum {
	TP_END_WHOLE,    /* all is here, in the part: tp_part_keep() */
	TP_END_FAILED,   /* why, value, wait */
	TP_END_REDIRECT, /* url */
	TP_END_LIMIT,    /* max_total was reached */
	TP_END_ERROR,    /* of this machine: the run ends with err */
} tp_fetch_end;
typedef struct {
	tp_fetch_end end;
	tp_fetch_reason why;
	double value;
	double wait; /* seconds the host asks to be left alone; 0: it does not say */
	char *url;   /* freed with tp_free() */
	tp_err err;
} tp_outcome;

typedef struct {
	CURL *easy; /* kept from one photo to the next: it holds what was set up once */
	struct curl_slist *headers;
	tp_fetch_env *env;
	tp_fetch_task *task; /* NULL: free */
	tp_part part;
	tp_err err;
	enum {
		TP_STOP_NOT,
		TP_STOP_LARGE,
		TP_STOP_NO_PHOTO,
		TP_STOP_LIMIT,
		TP_STOP_RANGE,
		TP_STOP_ERROR
	} stop;
	bool asked_range, resumed, begun;
	int sockets, sockets_refused;
	size_t header_bytes, refused_bytes;
	uint8_t head[64]; /* of the photo, until it is known what it is */
	size_t n_head;
} tp_transfer;

TP_CHECKED tp_code tp_transfer_init(tp_transfer *t, tp_fetch_env *env, tp_err *err);
void tp_transfer_dispose(tp_transfer *t);
/* Sets up the task's next try; the caller adds t->easy to its multi handle. */
TP_CHECKED tp_code tp_transfer_begin(tp_transfer *t, tp_fetch_task *task, tp_err *err);
/* What became of it. The part is closed, except when it is whole. */
void tp_transfer_end(tp_outcome *out, tp_transfer *t, CURLcode code);

/* "example.org:443", in lower case; false: no URL of http or https, or one with a password. */
enum { TP_HOST = 320 };
TP_CHECKED tp_code tp_fetch_host_of(char out[TP_HOST], const char *url, bool *good, tp_err *err);

#endif
