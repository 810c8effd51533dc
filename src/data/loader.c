/* Prefetching loader: see loader.h.
 *
 * The order is cut into chunks of `batch` places. A worker takes the next place: the first place of a chunk takes a
 * buffer from the free ones with it, or waits until the caller has given one back. Photos land where a batch wants
 * them, and a batch without bad photos is handed out as it stands. After a bad one the places of the order and of the
 * batches are apart: the caller's thread then moves photos to the front and takes what is missing from the chunk
 * behind, which is the same whatever the workers' timing was. One lock guards all but pixels. */
#include "data/loader.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/progress.h"
#include "data/cache_int.h"

typedef enum { PENDING, GOOD, BAD } place_state;

typedef struct {
	float *x;
	int *labels;
	uint32_t *samples;
	uint8_t *state; /* place_state of each place */
	size_t first;   /* position in the order of place 0 */
	int n, taken;   /* places; those that workers took */
	int used;       /* places whose photos were handed out or moved to another batch */
} chunk;

typedef struct {
	tp_loader *l;
	pthread_t thread;
	tp_scratch *scratch;
	double read;
	double read_done; /* copies that the lock guards */
	tp_augment_times times;
} worker;

typedef struct {
	uint32_t sample;
	char why[128];
} bad_photo;

struct tp_loader {
	tp_loader_opts o;
	tp_augment augment;
	pthread_mutex_t lock;
	pthread_cond_t work,
		done; /* for workers: a place to fill; for the caller: a place filled, a worker idle */
	worker *workers;
	int n_workers, busy;
	bool quit;
	/* the epoch */
	uint64_t epoch;
	uint32_t *order, *repeat; /* repeat: how often the order named the sample before */
	uint32_t *times_named;    /* by sample, while an epoch starts */
	size_t n_order, next;     /* next: the first position not taken */
	bool running;
	tp_code rc;
	tp_err err;
	/* chunks: free ones, and a queue of those in work, by position */
	chunk *chunks, **idle, **queue;
	int n_idle, n_queue;
	/* photos */
	tp_photo_cache *cache;
	bad_photo *bad; /* sorted by sample */
	size_t n_bad, cap_bad, skipped, photos;
	double waited;
};

/* ---- bad photos ------------------------------------------------------------------------------------------ */

/* Where the sample is in the list, or would be. */
static size_t bad_slot(const tp_loader *l, uint32_t sample)
{
	size_t lo = 0, hi = l->n_bad;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (l->bad[mid].sample < sample)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_bad(const tp_loader *l, uint32_t sample)
{
	size_t i = bad_slot(l, sample);
	return i < l->n_bad && l->bad[i].sample == sample;
}

static tp_code remember_bad(tp_loader *l, uint32_t sample, const char *why, tp_err *err)
{
	if (is_bad(l, sample))
		return TP_OK;
	if (l->n_bad == l->cap_bad) {
		size_t cap = l->cap_bad ? 2 * l->cap_bad : 16;
		bad_photo *v = tp_realloc(l->bad, cap * sizeof *v);
		if (!v)
			return tp_nomem(err, cap * sizeof *v);
		l->bad = v;
		l->cap_bad = cap;
	}
	size_t i = bad_slot(l, sample);
	memmove(l->bad + i + 1, l->bad + i, (l->n_bad - i) * sizeof *l->bad);
	l->bad[i].sample = sample;
	snprintf(l->bad[i].why, sizeof l->bad[i].why, "%.127s", why);
	l->n_bad++;
	return TP_OK;
}

/* ---- one photo -------------------------------------------------------------------------------------------- */

typedef struct {
	chunk *c;
	int place;
	uint32_t sample, repeat;
	uint64_t epoch;
} ticket;

static tp_code read_bytes(worker *w, uint32_t sample, uint8_t **bytes, size_t *len, tp_err *err)
{
	const tp_loader_opts *o = &w->l->o;
	double t = tp_now();
	tp_code rc;
	if (o->read) {
		rc = o->read(o->ud, sample, bytes, len, err);
	} else {
		char *path = tp_path_join(o->root, o->samples[sample].path);
		if (!path)
			return tp_nomem(err, strlen(o->root));
		rc = tp_file_read(bytes, len, path, TP_MAX_PHOTO_FILE, err);
		tp_free(path);
	}
	w->read += tp_now() - t;
	return rc;
}

/* A photo to floats, without the lock. */
static tp_code make(worker *w, const ticket *t, tp_err *err)
{
	const tp_loader *l = w->l;
	size_t side = (size_t)l->o.prep.side;
	float *out = t->c->x + (size_t)t->place * 3 * side * side;
	tp_augment_key key = { l->o.seed, t->epoch, t->sample, t->repeat };
	uint8_t *bytes = NULL;
	size_t len = 0;
	tp_code rc = TP_OK;
	if (!l->cache || !tp_cache_has(l->cache, t->sample))
		rc = read_bytes(w, t->sample, &bytes, &len, err);
	if (!rc && l->cache)
		rc = tp_cache_photo(
			out, l->cache, t->sample, &l->o.prep, &l->augment, &key, bytes, len, w->scratch, err);
	else if (!rc)
		rc = tp_augment_photo(out, NULL, &l->o.prep, &l->augment, &key, bytes, len, w->scratch, err);
	tp_free(bytes);
	return rc;
}

/* ---- workers ------------------------------------------------------------------------------------------------ */

/* The next place of the order, when there is one and a buffer for it. */
static bool take(tp_loader *l, ticket *t)
{
	if (!l->running || l->next == l->n_order)
		return false;
	chunk *c = l->n_queue ? l->queue[l->n_queue - 1] : NULL;
	if (!c || c->taken == c->n) {
		if (!l->n_idle)
			return false;
		size_t left = l->n_order - l->next;
		c = l->queue[l->n_queue++] = l->idle[--l->n_idle];
		c->first = l->next;
		c->n = left < (size_t)l->o.batch ? (int)left : l->o.batch;
		c->taken = c->used = 0;
		memset(c->state, PENDING, (size_t)c->n);
	}
	*t = (ticket){ c, c->taken++, l->order[l->next], l->repeat[l->next], l->epoch };
	l->next++;
	return true;
}

/* With the lock: the outcome of a place. The first failure that is not a photo's own ends the epoch. */
static void settle(tp_loader *l, const ticket *t, tp_code rc, tp_err *why)
{
	chunk *c = t->c;
	bool fatal = rc == TP_ENOMEM || rc == TP_EBACKEND || rc == TP_ECANCEL;
	if (rc && !fatal) {
		tp_err err = { 0 };
		rc = remember_bad(l, t->sample, why->msg, &err);
		if (rc)
			*why = err;
		fatal = rc;
		l->skipped++;
		c->state[t->place] = BAD;
	} else if (!rc) {
		c->state[t->place] = GOOD;
		c->samples[t->place] = t->sample;
		c->labels[t->place] = l->o.samples[t->sample].label;
	}
	if (fatal && !l->rc) {
		l->rc = rc;
		l->err = *why;
		l->running = false;
	}
}

static void *work(void *arg)
{
	worker *w = arg;
	tp_loader *l = w->l;
	pthread_mutex_lock(&l->lock);
	while (!l->quit) {
		ticket t;
		if (!take(l, &t)) {
			pthread_cond_wait(&l->work, &l->lock);
			continue;
		}
		tp_err why = { 0 };
		bool known = is_bad(l, t.sample);
		l->busy++;
		pthread_mutex_unlock(&l->lock);
		tp_code rc = tp_cancel_check(&why);
		if (!rc)
			rc = known ? tp_fail(&why, TP_EFORMAT, "was bad before") : make(w, &t, &why);
		pthread_mutex_lock(&l->lock);
		l->busy--;
		w->read_done = w->read;
		w->times = *tp_scratch_times(w->scratch);
		settle(l, &t, rc, &why);
		pthread_cond_signal(&l->done);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* ---- the caller's side -------------------------------------------------------------------------------------- */

/* Gives the front chunk back to the workers. */
static void release(tp_loader *l)
{
	l->idle[l->n_idle++] = l->queue[0];
	l->n_queue--;
	memmove(l->queue, l->queue + 1, (size_t)l->n_queue * sizeof(chunk *));
	pthread_cond_broadcast(&l->work);
}

static void drop_used(tp_loader *l)
{
	while (l->n_queue && l->queue[0]->used == l->queue[0]->n)
		release(l);
}

static void wait_done(tp_loader *l)
{
	double t = tp_now();
	pthread_cond_wait(&l->done, &l->lock);
	l->waited += tp_now() - t;
}

/* Copies a photo to a place of another or the same batch. No worker touches either, so the lock is left. */
static void move(tp_loader *l, chunk *to, int place, const chunk *from, int at)
{
	size_t size = 3 * (size_t)l->o.prep.side * (size_t)l->o.prep.side;
	if (to == from && place == at)
		return;
	pthread_mutex_unlock(&l->lock);
	memcpy(to->x + (size_t)place * size, from->x + (size_t)at * size, size * sizeof(float));
	to->labels[place] = from->labels[at];
	to->samples[place] = from->samples[at];
	pthread_mutex_lock(&l->lock);
}

/* Fills the front chunk with the next good photos of the order, from it and the chunks behind it; the front chunk is
 * used up then and stays in front until the next call. A chunk behind it that is used up meanwhile goes back to the
 * workers, so that two buffers are enough. */
static tp_code fill(tp_loader *l, int *n)
{
	chunk *to = l->queue[0];
	*n = 0;
	while (*n < l->o.batch) {
		int i = to->used == to->n;
		if (i == l->n_queue) { /* all chunks begun are used; is there another to come? */
			if (l->next == l->n_order)
				return TP_OK;
			wait_done(l);
		} else {
			chunk *from = l->queue[i];
			place_state s = from->state[from->used];
			if (s == PENDING)
				wait_done(l);
			if (s == GOOD)
				move(l, to, (*n)++, from, from->used);
			from->used += s != PENDING;
			if (i && from->used == from->n) {
				l->queue[1] = l->queue[0];
				l->queue[0] = from;
				release(l);
			}
		}
		if (l->rc)
			return l->rc;
	}
	return TP_OK;
}

static tp_code wait_front(tp_loader *l)
{
	for (;;) {
		drop_used(l);
		if (l->rc)
			return l->rc;
		if (l->n_queue || l->next == l->n_order || !l->running)
			return TP_OK;
		wait_done(l);
	}
}

tp_code tp_loader_next(tp_loaded *out, tp_loader *l, tp_err *err)
{
	int n = 0;
	pthread_mutex_lock(&l->lock);
	if (!l->rc && tp_cancel_check(&l->err)) {
		l->rc = TP_ECANCEL;
		l->running = false;
	}
	tp_code rc = wait_front(l);
	if (!rc && l->n_queue)
		rc = fill(l, &n);
	if (rc && err)
		*err = l->err;
	if (!rc && n) {
		chunk *c = l->queue[0];
		*out = (tp_loaded){ n, c->x, c->labels, c->samples };
		l->photos += (size_t)n;
	} else if (!rc) {
		*out = (tp_loaded){ 0 };
	}
	pthread_mutex_unlock(&l->lock);
	return rc;
}

/* ---- epochs --------------------------------------------------------------------------------------------- */

/* Which view of its photo each place of the order is: how often the sample was named before. */
static tp_code count_repeats(tp_loader *l, const uint32_t *order, size_t n, tp_err *err)
{
	memset(l->times_named, 0, l->o.n_samples * sizeof *l->times_named);
	for (size_t i = 0; i < n; i++) {
		if (order[i] >= l->o.n_samples)
			return tp_fail(err, TP_EINVAL, "order names sample %u, there are %zu",
				(unsigned)order[i], l->o.n_samples);
		l->repeat[i] = l->times_named[order[i]]++;
	}
	return TP_OK;
}

static tp_code room_for_order(tp_loader *l, size_t n, tp_err *err)
{
	uint32_t *order = tp_realloc(l->order, n * sizeof *order);
	if (order)
		l->order = order;
	uint32_t *repeat = order ? tp_realloc(l->repeat, n * sizeof *repeat) : NULL;
	if (repeat)
		l->repeat = repeat;
	return repeat ? TP_OK : tp_nomem(err, n * sizeof *order);
}

/* With the lock: nobody works on an older epoch when this returns. */
static void end_epoch(tp_loader *l)
{
	l->running = false;
	while (l->busy)
		pthread_cond_wait(&l->done, &l->lock);
	while (l->n_queue)
		l->idle[l->n_idle++] = l->queue[--l->n_queue];
	l->rc = TP_OK;
	l->next = l->n_order = 0;
}

tp_code tp_loader_start(
	tp_loader *l, uint64_t epoch, const uint32_t *order, size_t n, size_t from, tp_err *err)
{
	if (from > n)
		return tp_fail(err, TP_EINVAL, "order from %zu on: it has %zu", from, n);
	pthread_mutex_lock(&l->lock);
	end_epoch(l);
	tp_code rc = n ? room_for_order(l, n, err) : TP_OK;
	if (!rc)
		rc = count_repeats(l, order, n, err);
	if (!rc) {
		if (n)
			memcpy(l->order, order, n * sizeof *order);
		l->epoch = epoch;
		l->n_order = n;
		l->next = from;
		l->running = true;
		pthread_cond_broadcast(&l->work);
	}
	pthread_mutex_unlock(&l->lock);
	return rc;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

static tp_code check(const tp_loader_opts *o, tp_err *err)
{
	if (o->batch < 1 || o->batch > 4096)
		return tp_fail(err, TP_EINVAL, "loader.batch %d: 1..4096", o->batch);
	if (o->threads < 1 || o->threads > 256)
		return tp_fail(err, TP_EINVAL, "loader.threads %d: 1..256", o->threads);
	if (o->ahead < 2 || o->ahead > 64)
		return tp_fail(err, TP_EINVAL, "loader.ahead %d: 2..64", o->ahead);
	if (o->cache_side < 0 || o->cache_side > TP_MAX_SIDE)
		return tp_fail(err, TP_EINVAL, "loader.cache_side %d: 0..%d", o->cache_side, TP_MAX_SIDE);
	if (!o->n_samples || o->n_samples > UINT32_MAX || (!o->root && !o->read))
		return tp_fail(err, TP_EINVAL, "loader: %zu samples%s", o->n_samples,
			o->root || o->read ? "" : ", and nowhere to read them from");
	tp_code rc = tp_prep_check(&o->prep, err);
	return rc || !o->augment ? rc : tp_augment_check(o->augment, err);
}

static tp_code chunk_init(chunk *c, const tp_loader_opts *o, tp_err *err)
{
	size_t n = (size_t)o->batch,
	       size = n * 3 * (size_t)o->prep.side * (size_t)o->prep.side * sizeof *c->x;
	c->x = tp_alloc_aligned(size);
	c->labels = tp_calloc(n, sizeof *c->labels);
	c->samples = tp_calloc(n, sizeof *c->samples);
	c->state = tp_calloc(n, 1);
	return c->x && c->labels && c->samples && c->state ? TP_OK : tp_nomem(err, size);
}

static tp_code chunks_init(tp_loader *l, tp_err *err)
{
	size_t n = (size_t)l->o.ahead;
	l->chunks = tp_calloc(n, sizeof *l->chunks);
	l->idle = tp_calloc(n, sizeof(chunk *));
	l->queue = tp_calloc(n, sizeof(chunk *));
	if (!l->chunks || !l->idle || !l->queue)
		return tp_nomem(err, n * sizeof *l->chunks);
	tp_code rc = TP_OK;
	for (size_t i = 0; i < n && !rc; i++) {
		rc = chunk_init(&l->chunks[i], &l->o, err);
		l->idle[l->n_idle++] = &l->chunks[i];
	}
	return rc;
}

/* Fewer threads than asked for is slower, and still right; none is an error. */
static tp_code workers_init(tp_loader *l, tp_err *err)
{
	l->workers = tp_calloc((size_t)l->o.threads, sizeof *l->workers);
	if (!l->workers)
		return tp_nomem(err, (size_t)l->o.threads * sizeof *l->workers);
	tp_code rc = TP_OK;
	for (int i = 0; i < l->o.threads && !rc; i++) {
		l->workers[i].l = l;
		rc = tp_scratch_new(&l->workers[i].scratch, err);
	}
	for (int i = 0; i < l->o.threads && !rc; i++, l->n_workers++)
		if (pthread_create(&l->workers[i].thread, NULL, work, &l->workers[i]))
			break;
	if (!rc && !l->n_workers)
		rc = tp_fail(err, TP_EBACKEND, "no thread can be started");
	return rc;
}

tp_code tp_loader_new(tp_loader **out, const tp_loader_opts *opts, tp_err *err)
{
	tp_code rc = check(opts, err);
	if (rc)
		return rc;
	tp_loader *l = tp_calloc(1, sizeof *l);
	if (!l)
		return tp_nomem(err, sizeof *l);
	l->o = *opts;
	l->augment = opts->augment ? *opts->augment : (tp_augment)TP_AUGMENT_INIT;
	l->o.augment = NULL; /* the caller's, not ours to keep */
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->work, NULL);
	pthread_cond_init(&l->done, NULL);
	l->times_named = tp_calloc(l->o.n_samples, sizeof *l->times_named);
	if (!l->times_named)
		rc = tp_nomem(err, l->o.n_samples * sizeof *l->times_named);
	if (!rc && l->o.cache_side)
		rc = tp_cache_new(&l->cache, l->o.n_samples, l->o.cache_side, l->o.cache_bytes, err);
	if (!rc)
		rc = chunks_init(l, err);
	if (!rc)
		rc = workers_init(l, err);
	if (rc)
		tp_loader_free(l);
	else
		*out = l;
	return rc;
}

static void chunks_free(tp_loader *l)
{
	for (int i = 0; l->chunks && i < l->o.ahead; i++) {
		tp_free_aligned(l->chunks[i].x);
		tp_free(l->chunks[i].labels);
		tp_free(l->chunks[i].samples);
		tp_free(l->chunks[i].state);
	}
	tp_free(l->chunks);
	tp_free(l->idle);
	tp_free(l->queue);
}

void tp_loader_free(tp_loader *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->quit = true;
	pthread_cond_broadcast(&l->work);
	pthread_mutex_unlock(&l->lock);
	for (int i = 0; i < l->n_workers; i++)
		pthread_join(l->workers[i].thread, NULL);
	for (int i = 0; l->workers && i < l->o.threads; i++)
		tp_scratch_free(l->workers[i].scratch);
	tp_free(l->workers);
	chunks_free(l);
	tp_cache_free(l->cache);
	tp_free(l->order);
	tp_free(l->repeat);
	tp_free(l->times_named);
	tp_free(l->bad);
	pthread_cond_destroy(&l->done);
	pthread_cond_destroy(&l->work);
	pthread_mutex_destroy(&l->lock);
	tp_free(l);
}

/* ---- what was seen ----------------------------------------------------------------------------------------- */

static void add_times(tp_augment_times *sum, const tp_augment_times *t)
{
	sum->decode += t->decode;
	sum->resize += t->resize;
	sum->turn += t->turn;
	sum->colour += t->colour;
	sum->blur += t->blur;
	sum->jpeg += t->jpeg;
	sum->floats += t->floats;
}

void tp_loader_get_stats(tp_loader_stats *out, tp_loader *l)
{
	tp_loader_stats s = { 0 };
	pthread_mutex_lock(&l->lock);
	s.waited = l->waited;
	s.photos = l->photos;
	s.skipped = l->skipped;
	s.bad = l->n_bad;
	for (int i = 0; i < l->n_workers; i++) {
		s.read += l->workers[i].read_done;
		add_times(&s.times, &l->workers[i].times);
	}
	if (l->cache)
		tp_cache_size(l->cache, &s.cached, &s.cached_bytes);
	pthread_mutex_unlock(&l->lock);
	*out = s;
}

tp_loader_bad tp_loader_bad_at(tp_loader *l, size_t i)
{
	pthread_mutex_lock(&l->lock);
	assert(i < l->n_bad);
	tp_loader_bad b = { l->bad[i].sample, l->bad[i].why };
	pthread_mutex_unlock(&l->lock);
	return b;
}
