/* The run: photos from the catalog into lines before their hosts, from there into downloads, and out of these into the catalog
 * or back into a line. See fetch.h; what is known of addresses, hosts, files and HTTP is in the files beside this one. */
#include "data/fetch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "data/fetch_transfer.h"

enum { BATCH = 8192, BAD_HOST = 20, LONGEST_BACKOFF = 120 };
static const double commit_every = 2, look_every = 0.2; /* seconds */

/* What earlier runs found. */
typedef struct {
	int64_t photo;
	tp_fetch_reason why;
	double value;
} finding;

typedef struct {
	const tp_fetch_opts *o;
	tp_fetched *n;
	tp_catalog *catalog;
	tp_fetch_env env;
	tp_hosts *hosts;
	CURLM *multi;
	tp_transfer *transfer; /* o->jobs of them */
	int running, ready;    /* ready: set up */
	finding *found;        /* by photo */
	size_t n_found, room;
	int64_t after;        /* photos up to this one were read from the catalog */
	tp_fetch_task *fresh; /* read just now */
	bool all_read;
	tp_rng rng;
	tp_progress *progress;
	double began, committed;
} run;

/* ---- what is wanted ---- */

static tp_code note_finding(void *ud, const tp_catalog_finding *f, tp_err *err)
{
	run *r = ud;
	int why = 0;
	while (why < TP_FETCH_REASONS && strcmp(tp_fetch_reasons[why].rule, f->rule) != 0)
		why++;
	if (r->n_found == r->room) {
		size_t room = 2 * r->room + 256;
		finding *v = tp_realloc(r->found, room * sizeof *v);
		if (!v)
			return tp_nomem(err, room * sizeof *v);
		r->found = v;
		r->room = room;
	}
	r->found[r->n_found++] = (finding){ f->photo, (tp_fetch_reason)why, f->value };
	return TP_OK;
}

static int by_photo(const void *a, const void *b)
{
	const finding *x = a, *y = b;
	return x->photo < y->photo ? -1 : x->photo > y->photo;
}

static tp_code load_findings(run *r, tp_err *err)
{
	tp_code rc = TP_OK;
	for (int i = 0; i < TP_FETCH_REASONS && !rc; i++)
		rc = tp_catalog_each_finding(r->catalog, tp_fetch_reasons[i].rule, note_finding, r, err);
	if (!rc && r->n_found)
		qsort(r->found, r->n_found, sizeof *r->found, by_photo);
	return rc;
}

/* The first finding of a photo; NULL. */
static const finding *first_finding(const run *r, int64_t photo)
{
	size_t lo = 0, hi = r->n_found;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (r->found[mid].photo < photo)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->n_found && r->found[lo].photo == photo ? &r->found[lo] : NULL;
}

/* Would the same happen again? */
static bool lasts(const run *r, const finding *f)
{
	if (r->o->again || !tp_fetch_reasons[f->why].lasts)
		return false;
	if (f->why == TP_FETCH_ADDRESS)
		return !r->o->allow_private;
	return f->why != TP_FETCH_LARGE || !(f->value < (double)r->o->max_photo);
}

static bool is_ours(const char *rule)
{
	for (int i = 0; i < TP_FETCH_REASONS; i++)
		if (!strcmp(tp_fetch_reasons[i].rule, rule))
			return true;
	return false;
}

typedef enum { WANTED, GIVEN_UP, EXCLUDED } want;
static want is_wanted(const run *r, const tp_catalog_photo *p)
{
	if (p->excluded && !is_ours(p->excluded))
		return EXCLUDED;
	for (const finding *f = first_finding(r, p->id); f && f < r->found + r->n_found && f->photo == p->id;
		f++)
		if (lasts(r, f))
			return GIVEN_UP;
	return WANTED;
}

static tp_code count_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	run *r = ud;
	size_t *n[] = { &r->n->wanted, &r->n->given_up, &r->n->excluded };
	(void)err;
	++*n[is_wanted(r, p)];
	return TP_OK;
}

static tp_code read_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	run *r = ud;
	r->after = p->id;
	r->all_read = false;
	if (is_wanted(r, p) != WANTED)
		return TP_OK;
	tp_fetch_task *t = tp_calloc(1, sizeof *t);
	if (t)
		t->url = tp_strdup(p->url);
	if (!t || !t->url) {
		tp_fetch_task_free(t);
		return tp_nomem(err, strlen(p->url));
	}
	t->photo = p->id;
	t->was_found = first_finding(r, p->id) != NULL;
	t->is_excluded = p->excluded != NULL;
	t->has_sha256 = p->sha256 != NULL;
	if (p->sha256)
		memcpy(t->sha256, p->sha256, sizeof t->sha256);
	t->next = r->fresh;
	r->fresh = t;
	return TP_OK;
}

/* ---- a photo's end, for now ---- */

static void tell(const run *r, const tp_fetch_task *t, const char *reason)
{
	if (r->o->failed)
		r->o->failed(r->o->ud, t->photo, t->url, reason);
}

static tp_code fail_task(run *r, tp_fetch_task *t, tp_fetch_reason why, double value, tp_err *err)
{
	tp_code rc = tp_store_failed(r->env.store, t, why, value, err);
	r->n->failed++;
	r->n->by[why]++;
	tell(r, t, tp_fetch_reasons[why].rule);
	tp_progress_add(r->progress, 1);
	tp_fetch_task_free(t);
	return rc;
}

static tp_code line_up(run *r, tp_fetch_task *t, tp_err *err)
{
	char host[TP_HOST];
	bool good;
	tp_code rc = tp_fetch_host_of(host, t->at ? t->at : t->url, &good, err);
	if (!rc && !good)
		return fail_task(r, t, TP_FETCH_URL, NAN, err);
	if (!rc)
		rc = tp_hosts_put(r->hosts, t, host, tp_now(), err);
	if (rc)
		tp_fetch_task_free(t);
	return rc;
}

static void give_up_host(run *r, tp_fetch_task *t)
{
	r->n->hosts_given_up += tp_hosts_give_up(t);
}

static void leave_given_up(run *r)
{
	if (!r->n->hosts_given_up)
		return;
	for (tp_fetch_task *t; (t = tp_hosts_given_up(r->hosts));) {
		tell(r, t, NULL);
		tp_progress_add(r->progress, 1);
		tp_fetch_task_free(t);
	}
}

/* Tries again from the URL the catalog has, a little later than the others that failed with it. */
static tp_code try_again(run *r, tp_fetch_task *t, const tp_outcome *out, tp_err *err)
{
	double now = tp_now(), factor = exp2(fmin(t->tries - 1, 20)) * (0.5 + tp_rng_unit(&r->rng));
	double wait = fmin(r->o->backoff * factor, LONGEST_BACKOFF);
	if (out->wait > r->o->max_wait)
		give_up_host(r, t);
	else if (out->wait > 0)
		tp_hosts_hold(t, now + out->wait);
	else if (out->why == TP_FETCH_BUSY && (out->value == 429 || out->value == 503))
		tp_hosts_hold(t, now + wait); /* all that is asked of it waits, not this photo alone */
	t->not_before = out->wait > 0 ? 0 : now + wait;
	t->redirects = 0;
	tp_free(t->at);
	t->at = NULL;
	return line_up(r, t, err);
}

/* Would it be the same with another photo? A host that forbids everything has had enough of us. */
static bool is_of_host(const tp_outcome *out)
{
	static const bool host[TP_FETCH_REASONS] = { [TP_FETCH_BUSY] = true,
		[TP_FETCH_CONNECT] = true,
		[TP_FETCH_SLOW] = true,
		[TP_FETCH_CUT] = true,
		[TP_FETCH_TLS] = true };
	return host[out->why] || (out->why == TP_FETCH_STATUS && (out->value == 401 || out->value == 403));
}

static tp_code failed(run *r, tp_fetch_task *t, const tp_outcome *out, tp_err *err)
{
	bool host = is_of_host(out);
	if (tp_fetch_reasons[out->why].retried && (t->tries < r->o->tries || out->wait > r->o->max_wait))
		return try_again(r, t, out, err);
	if (out->wait > 0)
		tp_hosts_hold(t, tp_now() + out->wait);
	if (!host)
		tp_hosts_good(t);
	else if (tp_hosts_bad(t) == BAD_HOST)
		give_up_host(r, t);
	return fail_task(r, t, out->why, out->value, err);
}

static tp_code redirected(run *r, tp_fetch_task *t, char *url, tp_err *err)
{
	tp_free(t->at);
	t->at = url;
	if (++t->redirects > r->o->redirects)
		return fail_task(r, t, TP_FETCH_URL, NAN, err);
	return line_up(r, t, err);
}

static tp_code whole(run *r, tp_transfer *x, tp_fetch_task *t, tp_err *err)
{
	tp_fetch_reason why = TP_FETCH_REASONS;
	tp_code rc = tp_part_keep(&x->part, r->env.store, t, &why, err);
	tp_hosts_good(t);
	if (!rc && why != TP_FETCH_REASONS)
		return fail_task(r, t, why, NAN, err);
	r->n->fetched += !rc;
	r->n->resumed += !rc && x->resumed;
	tp_progress_add(r->progress, 1);
	tp_fetch_task_free(t);
	return rc;
}

static tp_code ended(run *r, tp_transfer *x, CURLcode code, tp_err *err)
{
	tp_outcome out;
	tp_fetch_task *t = x->task;
	tp_transfer_end(&out, x, code);
	curl_multi_remove_handle(r->multi, x->easy);
	x->task = NULL;
	r->running--;
	tp_hosts_leave(t);
	switch (out.end) {
	case TP_END_WHOLE:
		return whole(r, x, t, err);
	case TP_END_FAILED:
		return failed(r, t, &out, err);
	case TP_END_REDIRECT:
		return redirected(r, t, out.url, err);
	case TP_END_LIMIT:
		r->n->limit = true;
		tell(r, t, NULL);
		tp_fetch_task_free(t);
		return TP_OK;
	case TP_END_ERROR:
		break;
	}
	tp_fetch_task_free(t);
	if (err)
		*err = out.err;
	return out.err.code;
}

/* ---- the loop ---- */

static tp_code read_more(run *r, tp_err *err)
{
	tp_catalog_filter f = TP_CATALOG_FILTER_INIT;
	f.not_here = true;
	f.after = r->after;
	f.limit = BATCH;
	if (r->all_read || r->n->limit || tp_hosts_waiting(r->hosts) >= BATCH)
		return TP_OK;
	r->all_read = true; /* unless there is one */
	tp_code rc = tp_catalog_each_photo(r->catalog, &f, read_photo, r, err);
	tp_fetch_task *in_order = NULL;
	while (r->fresh) {
		tp_fetch_task *t = r->fresh;
		r->fresh = t->next;
		t->next = in_order;
		in_order = t;
	}
	while (in_order) {
		tp_fetch_task *t = in_order;
		in_order = t->next;
		t->next = NULL;
		if (rc)
			tp_fetch_task_free(t);
		else
			rc = line_up(r, t, err);
	}
	return rc;
}

static tp_transfer *free_transfer(run *r, tp_err *err)
{
	for (int i = 0; i < r->ready; i++)
		if (!r->transfer[i].task)
			return &r->transfer[i];
	if (r->ready == r->o->jobs || tp_transfer_init(&r->transfer[r->ready], &r->env, err))
		return NULL;
	return &r->transfer[r->ready++];
}

static tp_code start(run *r, tp_fetch_task *t, tp_err *err)
{
	bool adopted = false;
	tp_code rc = t->tries || t->at ? TP_OK : tp_store_adopt(r->env.store, t, &adopted, err);
	tp_transfer *x = rc || adopted ? NULL : free_transfer(r, err);
	if (!rc && x) {
		t->tries += !t->at;
		rc = tp_transfer_begin(x, t, err);
		if (!rc && curl_multi_add_handle(r->multi, x->easy)) {
			x->task = NULL;
			rc = tp_nomem(err, sizeof *x);
		}
		if (!rc) {
			r->running++;
			return TP_OK;
		}
	} else if (!rc && !adopted) {
		rc = tp_nomem(err, sizeof *x);
	}
	r->n->here += adopted;
	if (adopted)
		tp_progress_add(r->progress, 1);
	tp_hosts_leave(t);
	tp_fetch_task_free(t);
	return rc;
}

static tp_code start_some(run *r, tp_err *err)
{
	tp_code rc = TP_OK;
	while (!rc && !r->n->limit && r->running < r->o->jobs) {
		tp_fetch_task *t = tp_hosts_take(r->hosts, tp_now());
		if (!t)
			break;
		rc = start(r, t, err);
	}
	return rc;
}

static tp_code go_on(run *r, tp_err *err)
{
	int running = 0, left = 0;
	if (curl_multi_perform(r->multi, &running))
		return tp_nomem(err, 0);
	tp_code rc = TP_OK;
	for (CURLMsg *m; !rc && (m = curl_multi_info_read(r->multi, &left));) {
		tp_transfer *x = NULL;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
		if (m->msg == CURLMSG_DONE)
			rc = ended(r, x, m->data.result, err);
	}
	r->n->bytes = r->env.came;
	return rc;
}

static tp_code wait_a_little(run *r, tp_err *err)
{
	double now = tp_now(), wait = look_every;
	tp_progress_note(r->progress, "%.1f MiB/s, %zu failed",
		(double)r->n->bytes / (1 << 20) / fmax(now - r->began, 1e-3), r->n->failed);
	tp_progress_add(r->progress, 0);
	if (now - r->committed > commit_every && tp_store_pending(r->env.store)) {
		tp_code rc = tp_store_commit(r->env.store, err);
		if (rc)
			return rc;
		r->committed = tp_now();
	}
	if (r->running < r->o->jobs && !r->n->limit)
		wait = fmin(wait, tp_hosts_wait(r->hosts, tp_now()));
	if (curl_multi_poll(r->multi, NULL, 0, (int)ceil(1000 * wait), NULL))
		return tp_nomem(err, 0);
	return TP_OK;
}

static tp_code loop(run *r, tp_err *err)
{
	for (;;) {
		tp_code rc = tp_cancel_check(err);
		if (!rc)
			rc = read_more(r, err);
		leave_given_up(r);
		if (!rc)
			rc = start_some(r, err);
		if (!rc)
			rc = go_on(r, err);
		if (rc)
			return rc;
		leave_given_up(r);
		if (!r->running && (r->n->limit || (r->all_read && !tp_hosts_waiting(r->hosts))))
			return TP_OK;
		rc = wait_a_little(r, err);
		if (rc)
			return rc;
	}
}

/* ---- begin and end ---- */

static tp_code check(const tp_fetch_opts *o, tp_err *err)
{
	const struct {
		const char *what;
		double value, min, max;
	} v[] = { { "jobs", o->jobs, 1, 256 }, { "per-host", o->per_host, 1, 256 },
		{ "pause", o->pause, 0, 3600 }, { "tries", o->tries, 1, 100 },
		{ "backoff", o->backoff, 0, 3600 }, { "max-wait", o->max_wait, 0, 86400 },
		{ "timeout", o->timeout, 0.1, 86400 }, { "stall", o->stall, 0.1, 86400 },
		{ "redirects", o->redirects, 0, 50 },
		{ "max-photo", (double)o->max_photo, 1, TP_MAX_PHOTO_FILE },
		{ "max-total", (double)o->max_total, 0, 9e15 } };
	for (size_t i = 0; i < sizeof v / sizeof *v; i++)
		if (!(v[i].value >= v[i].min && v[i].value <= v[i].max))
			return tp_fail(err, TP_EINVAL, "%s is %g; it may be %g..%g", v[i].what, v[i].value,
				v[i].min, v[i].max);
	for (const char *p = o->contact ? o->contact : ""; *p; p++)
		if (*p < ' ' || *p > '~' || p - o->contact >= 160)
			return tp_fail(err, TP_EINVAL, "the contact is at most 160 letters of ASCII");
	return TP_OK;
}

static tp_code set_up(run *r, tp_err *err)
{
	const tp_fetch_opts *o = r->o;
	tp_code rc = tp_hosts_new(&r->hosts, o->per_host, o->pause, err);
	if (!rc)
		rc = tp_store_new(&r->env.store, r->catalog, o->dir, err);
	if (rc)
		return rc;
	snprintf(r->env.agent, sizeof r->env.agent, "tepal/%s (%s)", o->version,
		o->contact ? o->contact : "plant photos for a data set");
	r->transfer = tp_calloc((size_t)o->jobs, sizeof *r->transfer);
	r->multi = r->transfer ? curl_multi_init() : NULL;
	if (!r->multi)
		return tp_nomem(err, (size_t)o->jobs * sizeof *r->transfer);
	curl_multi_setopt(r->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)o->per_host);
	curl_multi_setopt(r->multi, CURLMOPT_MAXCONNECTS, 2L * o->jobs);
	return TP_OK;
}

/* A run that ends for want of room drops its parts: the catalog needs some to be written. */
static void stop_running(run *r, bool drop_parts)
{
	for (int i = 0; i < r->ready; i++) {
		tp_transfer *x = &r->transfer[i];
		if (x->task) {
			curl_multi_remove_handle(r->multi, x->easy);
			if (drop_parts && x->begun)
				tp_part_drop(&x->part, r->env.store);
			tp_fetch_task_free(x->task);
		}
		tp_transfer_dispose(x);
	}
	tp_free(r->transfer);
	curl_multi_cleanup(r->multi);
}

static tp_code fetch_all(run *r, tp_err *err)
{
	tp_catalog_filter f = TP_CATALOG_FILTER_INIT;
	f.not_here = true;
	tp_code rc = load_findings(r, err);
	if (!rc)
		rc = tp_catalog_each_photo(r->catalog, &f, count_photo, r, err);
	if (!rc)
		rc = set_up(r, err);
	if (!rc) {
		r->began = r->committed = tp_now();
		r->progress = tp_progress_start("fetch", r->n->wanted, r->o->quiet);
		rc = loop(r, err);
		tp_progress_end(r->progress);
	}
	stop_running(r, rc && rc != TP_ECANCEL);
	if (r->env.store) {
		tp_code ended = tp_store_commit(r->env.store, rc ? NULL : err);
		rc = rc ? rc : ended;
	}
	r->n->left = r->n->wanted - r->n->fetched - r->n->here - r->n->failed;
	return rc;
}

tp_code tp_fetch(tp_fetched *out, const tp_fetch_opts *o, tp_err *err)
{
	run r = { .o = o, .n = out, .rng = tp_rng_seed(o->seed) };
	*out = (tp_fetched){ 0 };
	r.env.o = o;
	tp_code rc = check(o, err);
	if (rc)
		return rc;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return tp_fail(err, TP_EBACKEND, "libcurl cannot begin");
	rc = tp_catalog_open(&r.catalog, o->dir, TP_CATALOG_WRITE, err);
	if (!rc)
		rc = fetch_all(&r, err);
	tp_store_free(r.env.store);
	tp_hosts_free(r.hosts);
	tp_free(r.found);
	tp_catalog_close(r.catalog);
	curl_global_cleanup();
	return rc;
}
