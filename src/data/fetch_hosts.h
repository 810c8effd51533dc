/* Which download may begin: photos wait in a line of their own for each host, and a host is asked by few at one time, with a
 * pause between two, and not at all while it asks to be left alone. Knows no network and no clock: `now` is in seconds.
 * Threads: one at a time. */
#ifndef TP_DATA_FETCH_HOSTS_H
#define TP_DATA_FETCH_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct tp_fetch_host tp_fetch_host;
typedef struct tp_fetch_task tp_fetch_task;
struct tp_fetch_task {
	int64_t photo;
	char *url; /* as the catalog has it */
	char *at;  /* where it was redirected to; NULL */
	uint8_t sha256[32];
	bool has_sha256;
	bool was_found;   /* an earlier run had a finding about it, ... */
	bool is_excluded; /* ... and excluded it for that */
	int tries, redirects;
	double not_before;
	tp_fetch_host *host; /* set by tp_hosts_put() */
	tp_fetch_task *next;
};
void tp_fetch_task_free(tp_fetch_task *t); /* NULL is fine */

typedef struct tp_hosts tp_hosts;
/* per_host: at one time. pause: seconds from one beginning to the next, of one host. */
TP_CHECKED tp_code tp_hosts_new(tp_hosts **out, int per_host, double pause, tp_err *err);
void tp_hosts_free(tp_hosts *h); /* with the tasks that wait; NULL is fine */

/* Lines up a task for a host ("example.org:443"), or, when its not_before is later than now, lets it wait until then.
 * The task belongs to h; on an error it does not. */
TP_CHECKED tp_code tp_hosts_put(tp_hosts *h, tp_fetch_task *t, const char *host, double now, tp_err *err);
/* The next that may begin, hosts in turn; it is the caller's, who ends it with tp_hosts_leave(). NULL: none may now. */
tp_fetch_task *tp_hosts_take(tp_hosts *h, double now);
/* Its download has ended, one way or another: the place at its host is free. */
void tp_hosts_leave(tp_fetch_task *t);
double tp_hosts_wait(const tp_hosts *h, double now); /* seconds until one may begin by time alone; INFINITY */
size_t tp_hosts_waiting(const tp_hosts *h);

/* What is known of the host of a task, taken or not. */
void tp_hosts_hold(
	tp_fetch_task *t, double until); /* it is asked nothing before that; never earlier than said before */
int tp_hosts_bad(
	tp_fetch_task *t); /* photos in a row that failed there for what is the host's fault, with this one */
void tp_hosts_good(tp_fetch_task *t);
bool tp_hosts_give_up(tp_fetch_task *t); /* it is asked nothing any more; false: that was so before */
/* A task that waits for a host that was given up, one at a time; NULL: there is none. It is the caller's. */
tp_fetch_task *tp_hosts_given_up(tp_hosts *h);

#endif
