/* Search of near hashes: see near.h.
 *
 * A path of the search has chosen some blocks, first to last, and holds the points that agree in all of them. A
 * block that the path stepped over is one in which a pair of this path must differ: so each pair has one path, that
 * of the first blocks it agrees in, and a path that stepped over more than `bits` blocks holds no pair. Small sets
 * are compared at once; only crowded ones are sorted on. */
#include "data/near.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "base/par.h"
#include "data/unite.h"

enum {
	CHOSEN = 4, /* blocks that a full path has chosen */
	MAX_BLOCKS = TP_NEAR_MAX_BITS + CHOSEN,
	SMALL = 32,   /* points that are compared rather than sorted on */
	BATCH = 1024, /* pairs given to the sink at once */
	MAX_KEYS = 1 << 16,
};
#define TURNED (UINT32_C(1) << 31) /* in a point's id: its hash is that of the turned photo */

typedef struct {
	uint64_t *hash;
	uint32_t *id;
	size_t n;
} points;

typedef struct {
	int shift;
	uint64_t mask; /* after the shift */
} block;

typedef struct search search;

/* What a thread has for itself: sorted points by level, and pairs on their way to the sink. */
typedef struct {
	search *s;
	points level[CHOSEN + 1];
	size_t cap[CHOSEN + 1];
	size_t *start[CHOSEN + 1]; /* of each key, and the end: max_keys + 1 */
	tp_near_pair pair[BATCH];
	size_t n_pairs;
} worker;

struct search {
	int bits, n_blocks;
	block block[MAX_BLOCKS];
	size_t max_keys;
	const uint32_t *first; /* the smallest item of a point */
	tp_turn turn;          /* not TP_TURN_NONE: photos with turned photos, not among themselves */
	const tp_near_sink *sink;
	pthread_mutex_t lock;
	worker *worker;
	points top; /* all points by their first chosen block */
	size_t *top_start;
	int top_block;
};

/* The blocks a path has chosen so far. */
typedef struct {
	int n, last;
	unsigned chosen; /* a bit a block */
} path;

static void points_free(points *p)
{
	tp_free(p->hash);
	tp_free(p->id);
	*p = (points){ 0 };
}

static tp_code points_new(points *p, size_t n, tp_err *err)
{
	*p = (points){ tp_alloc(n * sizeof *p->hash), tp_alloc(n * sizeof *p->id), n };
	if (p->hash && p->id)
		return TP_OK;
	points_free(p);
	return tp_nomem(err, n * (sizeof *p->hash + sizeof *p->id));
}

static points part(const points *p, size_t from, size_t to)
{
	return (points){ p->hash + from, p->id + from, to - from };
}

/* src to dst by one block of bits, equal keys in their old order; start[k]..start[k + 1] are those of key k. */
static void sort_by(points *dst, const points *src, block b, size_t *start)
{
	size_t keys = (size_t)b.mask + 1;
	memset(start, 0, (keys + 1) * sizeof *start);
	for (size_t i = 0; i < src->n; i++)
		start[(src->hash[i] >> b.shift & b.mask) + 1]++;
	for (size_t k = 0; k < keys; k++)
		start[k + 1] += start[k];
	for (size_t i = 0; i < src->n; i++) {
		size_t to = start[src->hash[i] >> b.shift & b.mask]++;
		dst->hash[to] = src->hash[i];
		dst->id[to] = src->id[i];
	}
	memmove(start + 1, start, keys * sizeof *start);
	start[0] = 0;
	dst->n = src->n;
}

static tp_code flush(worker *w, tp_err *err)
{
	search *s = w->s;
	size_t n = w->n_pairs;
	w->n_pairs = 0;
	if (!n || !s->sink->pairs)
		return TP_OK;
	pthread_mutex_lock(&s->lock);
	tp_code rc = s->sink->pairs(s->sink->ud, w->pair, n, err);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* Does the pair belong to this path? It must differ in every block that was stepped over. */
static bool is_of_path(const search *s, const path *p, uint64_t differ)
{
	for (int b = 0; b < p->last; b++)
		if (!(p->chosen >> b & 1) && !(differ >> s->block[b].shift & s->block[b].mask))
			return false;
	return true;
}

static bool is_own_inverse(tp_turn t)
{
	return t != TP_TURN_RIGHT && t != TP_TURN_LEFT;
}

static tp_code found(worker *w, const path *p, uint32_t i, uint32_t j, uint64_t differ, tp_err *err)
{
	const search *s = w->s;
	tp_turn turn = s->turn;
	if (!is_of_path(s, p, differ))
		return TP_OK;
	if (turn) {
		if (!((i ^ j) & TURNED) || i == (j ^ TURNED)) /* nor a photo with itself */
			return TP_OK;
		uint32_t plain = i & TURNED ? j : i, turned = (i & TURNED ? i : j) ^ TURNED;
		i = plain, j = turned;
		if (s->first[i] > s->first[j]) {
			if (is_own_inverse(turn))
				return TP_OK; /* told the other way round */
			turn = turn == TP_TURN_RIGHT ? TP_TURN_LEFT : TP_TURN_RIGHT;
		}
	}
	uint32_t a = s->first[i], b = s->first[j];
	w->pair[w->n_pairs++] = (tp_near_pair){ a < b ? a : b, a < b ? b : a,
		(uint8_t)tp_near_distance(differ, 0), (uint8_t)turn };
	return w->n_pairs == BATCH ? flush(w, err) : TP_OK;
}

/* The first of h[j..n-1] that is near to x; n when none is. Written once, compiled for processors that count bits
 * in one instruction and for those that do not. */
static inline __attribute__((always_inline)) size_t scan(
	const uint64_t *h, size_t j, size_t n, uint64_t x, int bits)
{
	while (j < n && __builtin_popcountll(h[j] ^ x) > bits)
		j++;
	return j;
}

#ifdef __x86_64__
__attribute__((target("popcnt"))) static tp_code compare_popcnt(
	worker *w, const path *p, const points *v, tp_err *err)
{
	tp_code rc = TP_OK;
	int bits = w->s->bits;
	for (size_t i = 0; i + 1 < v->n && !rc; i++)
		for (size_t j = i; !rc && (j = scan(v->hash, j + 1, v->n, v->hash[i], bits)) < v->n;)
			rc = found(w, p, v->id[i], v->id[j], v->hash[i] ^ v->hash[j], err);
	return rc;
}
#endif

static tp_code compare_plain(worker *w, const path *p, const points *v, tp_err *err)
{
	tp_code rc = TP_OK;
	int bits = w->s->bits;
	for (size_t i = 0; i + 1 < v->n && !rc; i++)
		for (size_t j = i; !rc && (j = scan(v->hash, j + 1, v->n, v->hash[i], bits)) < v->n;)
			rc = found(w, p, v->id[i], v->id[j], v->hash[i] ^ v->hash[j], err);
	return rc;
}

static tp_code compare(worker *w, const path *p, const points *v, tp_err *err)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("popcnt"))
		return compare_popcnt(w, p, v, err);
#endif
	return compare_plain(w, p, v, err);
}

static tp_code room(worker *w, int level, size_t n, tp_err *err)
{
	if (!w->start[level] && !(w->start[level] = tp_alloc((w->s->max_keys + 1) * sizeof *w->start[level])))
		return tp_nomem(err, (w->s->max_keys + 1) * sizeof *w->start[level]);
	if (w->cap[level] >= n)
		return TP_OK;
	points_free(&w->level[level]);
	w->cap[level] = 0;
	tp_code rc = points_new(&w->level[level], n, err);
	if (!rc)
		w->cap[level] = n;
	return rc;
}

static tp_code follow(worker *w, const path *p, const points *v, tp_err *err);

/* The path chooses block c next. */
static tp_code choose(worker *w, const path *p, int c, const points *v, tp_err *err)
{
	path next = { p->n + 1, c, p->chosen | 1u << c };
	tp_code rc = room(w, next.n, v->n, err);
	if (rc)
		return rc;
	points *to = &w->level[next.n];
	const size_t *start = w->start[next.n];
	sort_by(to, v, w->s->block[c], w->start[next.n]);
	for (size_t k = 0; k <= w->s->block[c].mask && !rc; k++) {
		points same_key = part(to, start[k], start[k + 1]);
		if (same_key.n > 1)
			rc = follow(w, &next, &same_key, err);
	}
	return rc;
}

static tp_code follow(worker *w, const path *p, const points *v, tp_err *err)
{
	tp_code rc = TP_OK;
	if (p->n == CHOSEN || v->n <= SMALL)
		return compare(w, p, v, err);
	for (int c = p->last + 1; c <= w->s->bits + p->n && !rc; c++)
		rc = choose(w, p, c, v, err);
	return rc;
}

/* A task of a thread: one key of the first block, one choice of the second (or the first alone, when few). */
static tp_code task(void *ud, size_t i, int thread, tp_err *err)
{
	search *s = ud;
	worker *w = &s->worker[thread];
	int seconds = s->bits + 1 - s->top_block; /* choices of the second block */
	size_t key = i / (size_t)seconds;
	int c = s->top_block + 1 + (int)(i % (size_t)seconds);
	path p = { 1, s->top_block, 1u << s->top_block };
	points v = part(&s->top, s->top_start[key], s->top_start[key + 1]);
	if (v.n < 2)
		return TP_OK;
	if (v.n <= SMALL)
		return c == s->top_block + 1 ? compare(w, &p, &v, err) : TP_OK;
	return choose(w, &p, c, &v, err);
}

static tp_code search_all(search *s, const points *all, int threads, tp_err *err)
{
	tp_code rc = TP_OK;
	for (int c = 0; c <= s->bits && !rc; c++) {
		size_t keys = (size_t)s->block[c].mask + 1, seconds = (size_t)(s->bits + 1 - c);
		s->top_block = c;
		sort_by(&s->top, all, s->block[c], s->top_start);
		rc = tp_par_for(keys * seconds, threads, task, s, err);
	}
	for (int i = 0; i < threads && !rc; i++)
		rc = flush(&s->worker[i], err);
	return rc;
}

/* 64 bits in bits + CHOSEN blocks, the wider ones first. */
static void lay_blocks(search *s)
{
	int at = 0;
	s->n_blocks = s->bits + CHOSEN;
	for (int b = 0; b < s->n_blocks; b++) {
		int wide = 64 / s->n_blocks + (b < 64 % s->n_blocks);
		s->block[b] = (block){ at, (UINT64_C(1) << wide) - 1 };
		at += wide;
	}
	s->max_keys = (size_t)s->block[0].mask + 1;
}

static tp_code search_points(const points *all, const uint32_t *first, tp_turn turn, const tp_near_opts *o,
	const tp_near_sink *sink, tp_err *err)
{
	search s = { .bits = o->bits, .first = first, .turn = turn, .sink = sink };
	pthread_mutex_init(&s.lock, NULL);
	tp_code rc = TP_OK;
	lay_blocks(&s);
	s.worker = tp_calloc((size_t)o->threads, sizeof *s.worker);
	s.top_start = tp_alloc((s.max_keys + 1) * sizeof *s.top_start);
	if (!s.worker || !s.top_start)
		rc = tp_nomem(err, (size_t)o->threads * sizeof *s.worker);
	else
		rc = points_new(&s.top, all->n, err);
	for (int i = 0; i < o->threads && !rc; i++)
		s.worker[i].s = &s;
	if (!rc)
		rc = search_all(&s, all, o->threads, err);
	for (int i = 0; s.worker && i < o->threads; i++)
		for (int l = 0; l <= CHOSEN; l++) {
			points_free(&s.worker[i].level[l]);
			tp_free(s.worker[i].start[l]);
		}
	points_free(&s.top);
	tp_free(s.top_start);
	tp_free(s.worker);
	pthread_mutex_destroy(&s.lock);
	return rc;
}

/* Items by hash, then by number: four passes of 16 bits, each keeping the order of the one before. */
static tp_code sort_items(points *out, const uint64_t *hash, size_t n, tp_err *err)
{
	points a = { 0 }, b = { 0 };
	size_t *start = tp_alloc((MAX_KEYS + 1) * sizeof *start);
	tp_code rc = start ? points_new(&a, n, err) : tp_nomem(err, (MAX_KEYS + 1) * sizeof *start);
	if (!rc)
		rc = points_new(&b, n, err);
	if (!rc) {
		memcpy(a.hash, hash, n * sizeof *hash);
		for (size_t i = 0; i < n; i++)
			a.id[i] = (uint32_t)i;
		for (int shift = 0; shift < 64; shift += 32) {
			sort_by(&b, &a, (block){ shift, MAX_KEYS - 1 }, start);
			sort_by(&a, &b, (block){ shift + 16, MAX_KEYS - 1 }, start);
		}
		*out = a;
		a = (points){ 0 };
	}
	points_free(&a);
	points_free(&b);
	tp_free(start);
	return rc;
}

/* Identical hashes are told, and become one point: in place, the points before the items they came from.
 * first[u] is the smallest item of point u. */
static tp_code merge_same(points *v, uint32_t *first, const tp_near_sink *sink, tp_err *err)
{
	size_t u = 0;
	tp_code rc = TP_OK;
	for (size_t i = 0, end; i < v->n && !rc; i = end) {
		for (end = i + 1; end < v->n && v->hash[end] == v->hash[i];)
			end++;
		if (end - i > 1 && sink->same)
			rc = sink->same(sink->ud, v->id + i, end - i, err);
		first[u] = v->id[i];
		v->hash[u++] = v->hash[i];
	}
	for (size_t i = 0; i < u; i++)
		v->id[i] = (uint32_t)i;
	v->n = u;
	return rc;
}

/* Each turn with its inverse: to the left is what to the right finds, told the other way round. */
static tp_code search_turned(
	const points *v, const uint32_t *first, const tp_near_opts *o, const tp_near_sink *sink, tp_err *err)
{
	points both = { 0 };
	tp_code rc = points_new(&both, 2 * v->n, err);
	for (int turn = TP_TURN_MIRROR; turn < TP_TURN_LEFT && !rc; turn++) {
		for (size_t i = 0; i < v->n; i++) {
			both.hash[i] = v->hash[i];
			both.id[i] = v->id[i];
			both.hash[v->n + i] = tp_hash_turn(v->hash[i], (tp_turn)turn);
			both.id[v->n + i] = v->id[i] | TURNED;
		}
		rc = search_points(&both, first, (tp_turn)turn, o, sink, err);
	}
	points_free(&both);
	return rc;
}

tp_code tp_near_each(
	const uint64_t *hash, size_t n, const tp_near_opts *opts, const tp_near_sink *sink, tp_err *err)
{
	points v = { 0 };
	if (opts->bits < 0 || opts->bits > TP_NEAR_MAX_BITS)
		return tp_fail(err, TP_EINVAL, "near within %d bits: 0..%d are possible", opts->bits,
			TP_NEAR_MAX_BITS);
	if (opts->threads < 1)
		return tp_fail(err, TP_EINVAL, "near on %d threads", opts->threads);
	if (n > TP_NEAR_MAX_ITEMS)
		return tp_fail(err, TP_ELIMIT, "%zu hashes, the limit is %d", n, TP_NEAR_MAX_ITEMS);
	if (n < 2)
		return TP_OK;
	uint32_t *first = tp_alloc(n * sizeof *first);
	tp_code rc = first ? sort_items(&v, hash, n, err) : tp_nomem(err, n * sizeof *first);
	if (!rc)
		rc = merge_same(&v, first, sink, err);
	if (!rc && opts->bits && v.n > 1)
		rc = search_points(&v, first, TP_TURN_NONE, opts, sink, err);
	if (!rc && opts->turned && v.n > 1)
		rc = search_turned(&v, first, opts, sink, err);
	points_free(&v);
	tp_free(first);
	return rc;
}

typedef struct {
	uint32_t *group;
	size_t n_pairs;
} grouping;

static tp_code unite_same(void *ud, const uint32_t *items, size_t n, tp_err *err)
{
	grouping *g = ud;
	(void)err;
	for (size_t i = 1; i < n; i++)
		tp_unite(g->group, items[0], items[i]);
	return TP_OK;
}

static tp_code unite_pairs(void *ud, const tp_near_pair *p, size_t n, tp_err *err)
{
	grouping *g = ud;
	(void)err;
	for (size_t i = 0; i < n; i++)
		tp_unite(g->group, p[i].a, p[i].b);
	g->n_pairs += n;
	return TP_OK;
}

tp_code tp_near_groups(uint32_t *group, const uint64_t *hash, size_t n, const tp_near_opts *opts,
	size_t *n_pairs, tp_err *err)
{
	grouping g = { group, 0 };
	tp_near_sink sink = { unite_same, unite_pairs, &g };
	if (n > TP_NEAR_MAX_ITEMS)
		return tp_fail(err, TP_ELIMIT, "%zu hashes, the limit is %d", n, TP_NEAR_MAX_ITEMS);
	tp_unite_init(group, n);
	tp_code rc = tp_near_each(hash, n, opts, &sink, err);
	tp_unite_finish(group, n);
	if (n_pairs)
		*n_pairs = g.n_pairs;
	return rc;
}
