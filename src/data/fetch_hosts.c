/* Lines before hosts: see fetch_hosts.h. A table finds the host by its name; names come from strangers, so its hash has a
 * secret key. Those who wait for a time of their own are in one list, which is short: what is tried again. */
#include "data/fetch_hosts.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

struct tp_fetch_host {
	char *name;
	tp_fetch_task *first, **last; /* the line */
	int running, bad;
	double not_before;
	bool given_up;
};

struct tp_hosts {
	tp_fetch_host **slot; /* by hash; size is a power of two */
	size_t size, n, turn;
	tp_fetch_task *later; /* in no order */
	double soonest;       /* of those */
	size_t waiting;
	int per_host;
	double pause;
	uint8_t key[16];
};

void tp_fetch_task_free(tp_fetch_task *t)
{
	if (!t)
		return;
	tp_free(t->url);
	tp_free(t->at);
	tp_free(t);
}

static void free_list(tp_fetch_task *t)
{
	while (t) {
		tp_fetch_task *next = t->next;
		tp_fetch_task_free(t);
		t = next;
	}
}

tp_code tp_hosts_new(tp_hosts **out, int per_host, double pause, tp_err *err)
{
	tp_hosts *h = tp_calloc(1, sizeof *h);
	if (!h)
		return tp_nomem(err, sizeof *h);
	h->size = 64;
	h->slot = tp_calloc(h->size, sizeof(tp_fetch_host *));
	if (!h->slot) {
		tp_free(h);
		return tp_nomem(err, 64 * sizeof(tp_fetch_host *));
	}
	h->per_host = per_host;
	h->pause = pause;
	h->soonest = INFINITY;
	tp_hash_key(h->key);
	*out = h;
	return TP_OK;
}

void tp_hosts_free(tp_hosts *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->size; i++) {
		if (!h->slot[i])
			continue;
		free_list(h->slot[i]->first);
		tp_free(h->slot[i]->name);
		tp_free(h->slot[i]);
	}
	free_list(h->later);
	tp_free(h->slot);
	tp_free(h);
}

/* Where the host is, or would be. */
static tp_fetch_host **place(const tp_hosts *h, tp_fetch_host **slot, size_t size, const char *name)
{
	size_t i = (size_t)tp_hash64(name, strlen(name), h->key) & (size - 1);
	while (slot[i] && strcmp(slot[i]->name, name) != 0)
		i = (i + 1) & (size - 1);
	return &slot[i];
}

static tp_code grow(tp_hosts *h, tp_err *err)
{
	size_t size = 2 * h->size;
	tp_fetch_host **slot = tp_calloc(size, sizeof(tp_fetch_host *));
	if (!slot)
		return tp_nomem(err, size * sizeof(tp_fetch_host *));
	for (size_t i = 0; i < h->size; i++)
		if (h->slot[i])
			*place(h, slot, size, h->slot[i]->name) = h->slot[i];
	tp_free(h->slot);
	h->slot = slot;
	h->size = size;
	return TP_OK;
}

static tp_code host_named(tp_hosts *h, tp_fetch_host **out, const char *name, tp_err *err)
{
	tp_fetch_host **at = place(h, h->slot, h->size, name);
	if (*at) {
		*out = *at;
		return TP_OK;
	}
	tp_code rc = 2 * (h->n + 1) > h->size ? grow(h, err) : TP_OK;
	if (rc)
		return rc;
	tp_fetch_host *new = tp_calloc(1, sizeof *new);
	if (new)
		new->name = tp_strdup(name);
	if (!new || !new->name) {
		tp_free(new);
		return tp_nomem(err, strlen(name));
	}
	new->last = &new->first;
	*place(h, h->slot, h->size, name) = *out = new;
	h->n++;
	return TP_OK;
}

static void line_up(tp_fetch_task *t)
{
	tp_fetch_host *to = t->host;
	t->next = NULL;
	*to->last = t;
	to->last = &t->next;
}

tp_code tp_hosts_put(tp_hosts *h, tp_fetch_task *t, const char *host, double now, tp_err *err)
{
	tp_code rc = host_named(h, &t->host, host, err);
	if (rc)
		return rc;
	h->waiting++;
	if (t->not_before <= now || t->host->given_up) {
		line_up(t);
		return TP_OK;
	}
	t->next = h->later;
	h->later = t;
	h->soonest = fmin(h->soonest, t->not_before);
	return TP_OK;
}

static void line_up_due(tp_hosts *h, double now)
{
	tp_fetch_task **at = &h->later;
	if (now < h->soonest)
		return;
	h->soonest = INFINITY;
	while (*at) {
		tp_fetch_task *t = *at;
		if (t->not_before <= now || t->host->given_up) {
			*at = t->next;
			line_up(t);
		} else {
			h->soonest = fmin(h->soonest, t->not_before);
			at = &t->next;
		}
	}
}

static tp_fetch_task *take_first(tp_hosts *h, tp_fetch_host *of)
{
	tp_fetch_task *t = of->first;
	of->first = t->next;
	if (!of->first)
		of->last = &of->first;
	t->next = NULL;
	h->waiting--;
	return t;
}

tp_fetch_task *tp_hosts_take(tp_hosts *h, double now)
{
	line_up_due(h, now);
	for (size_t k = 0; k < h->size; k++) {
		size_t i = (h->turn + k) & (h->size - 1);
		tp_fetch_host *x = h->slot[i];
		if (!x || !x->first || x->given_up || x->running >= h->per_host || x->not_before > now)
			continue;
		h->turn = i + 1;
		x->running++;
		x->not_before = now + h->pause;
		return take_first(h, x);
	}
	return NULL;
}

void tp_hosts_leave(tp_fetch_task *t)
{
	t->host->running--;
}

double tp_hosts_wait(const tp_hosts *h, double now)
{
	double at = h->soonest;
	for (size_t i = 0; i < h->size; i++) {
		const tp_fetch_host *x = h->slot[i];
		if (x && x->first && !x->given_up && x->running < h->per_host)
			at = fmin(at, x->not_before);
	}
	return fmax(at - now, 0);
}

size_t tp_hosts_waiting(const tp_hosts *h)
{
	return h->waiting;
}

void tp_hosts_hold(tp_fetch_task *t, double until)
{
	t->host->not_before = fmax(t->host->not_before, until);
}

int tp_hosts_bad(tp_fetch_task *t)
{
	return ++t->host->bad;
}

void tp_hosts_good(tp_fetch_task *t)
{
	t->host->bad = 0;
}

bool tp_hosts_give_up(tp_fetch_task *t)
{
	bool was = t->host->given_up;
	t->host->given_up = true;
	return !was;
}

tp_fetch_task *tp_hosts_given_up(tp_hosts *h)
{
	for (tp_fetch_task **at = &h->later; *at; at = &(*at)->next)
		if ((*at)->host->given_up) {
			tp_fetch_task *t = *at;
			*at = t->next;
			t->next = NULL;
			h->waiting--;
			return t;
		}
	for (size_t i = 0; i < h->size; i++)
		if (h->slot[i] && h->slot[i]->given_up && h->slot[i]->first)
			return take_first(h, h->slot[i]);
	return NULL;
}
