/* Dealing groups of photos to splits: see split_groups.h. */
#include "data/split_groups.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/unite.h"

enum { MAX_PHOTOS = 1 << 30, RARE_VAL = 3, RARE_TEST = 5, JUDGED = 10 };

typedef struct {
	uint64_t order; /* hash of seed and smallest key */
	uint32_t name;  /* in parent */
	uint32_t start, n;
	uint8_t mixed, fixed; /* of several species; TP_SPLIT_FREE or where it must go */
} group;

/* What a species has and still needs; photos. */
typedef struct {
	uint32_t n, groups, held;
	int32_t need[TP_SPLITS], quota[TP_SPLITS];
	uint32_t train, left; /* in training; not dealt yet */
} species;

typedef struct {
	const tp_split_photos *p;
	const tp_split_opts *o;
	uint8_t *split, *held;     /* held: what a rule finds */
	uint32_t *parent, *member; /* member: photos by group */
	group *group;
	size_t n_groups;
	species *species;
	tp_split_stats stats;
} dealer;

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

uint64_t tp_key_of(const char *text)
{
	uint64_t h = 0xcbf29ce484222325u;
	if (!*text)
		return 0;
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3u;
	h = mix(h);
	return h ? h : 1;
}

static tp_code check_hold(const tp_split_photos *p, const tp_hold *h, tp_err *err)
{
	const char *missing = NULL;
	if (h->kind == TP_HOLD_AUTHOR && !p->author)
		missing = "author";
	if (h->kind == TP_HOLD_COUNTRY && !p->country)
		missing = "country";
	if (h->kind == TP_HOLD_YEARS && !p->year)
		missing = "year";
	if (h->kind == TP_HOLD_BOX && !(p->lat && p->lon))
		missing = "place";
	if (missing)
		return tp_fail(err, TP_EINVAL, "cannot hold out by %s: no photo has one", missing);
	if (h->kind == TP_HOLD_SPECIES && h->key >= p->n_species)
		return tp_fail(err, TP_EINVAL, "cannot hold out species %llu of %zu",
			(unsigned long long)h->key, p->n_species);
	return TP_OK;
}

static tp_code check_input(const tp_split_photos *p, const tp_split_opts *o, tp_err *err)
{
	tp_code rc = TP_OK;
	if (p->n > MAX_PHOTOS)
		return tp_fail(err, TP_ELIMIT, "%zu photos to split, the limit is %d", p->n, MAX_PHOTOS);
	if (!(o->val >= 0 && o->test >= 0 && o->val + o->test < 1))
		return tp_fail(err, TP_EINVAL,
			"shares of %g for validation and %g for test leave nothing to train", o->val,
			o->test);
	for (size_t i = 0; i < p->n; i++)
		if (p->species[i] >= p->n_species)
			return tp_fail(err, TP_EINVAL, "photo %zu is of species %u of %zu", i,
				(unsigned)p->species[i], p->n_species);
	for (size_t i = 0; i < o->n_hold && !rc; i++)
		rc = check_hold(p, &o->hold[i], err);
	return rc;
}

static bool in_box(const tp_hold *h, double lat, double lon)
{
	if (isnan(lat) || isnan(lon) || lat < h->south || lat > h->north)
		return false;
	return h->west <= h->east ? lon >= h->west && lon <= h->east : lon >= h->west || lon <= h->east;
}

static bool holds(const tp_hold *h, const tp_split_photos *p, size_t i)
{
	switch (h->kind) {
	case TP_HOLD_SPECIES:
		return p->species[i] == h->key;
	case TP_HOLD_AUTHOR:
		return h->key && p->author[i] == h->key;
	case TP_HOLD_COUNTRY:
		return h->key && p->country[i] == h->key;
	case TP_HOLD_YEARS:
		return p->year[i] && p->year[i] >= h->from && p->year[i] <= h->to;
	case TP_HOLD_BOX:
		return in_box(h, p->lat[i], p->lon[i]);
	}
	return false;
}

/* Photos that a rule finds, a byte each; the caller frees. Species may be many (a file of names): they are marked first. */
static tp_code find_held(uint8_t **out, const tp_split_photos *p, const tp_split_opts *o, tp_err *err)
{
	uint8_t *held = tp_calloc(p->n + 1, 1), *wanted = tp_calloc(p->n_species + 1, 1);
	tp_code rc = held && wanted ? TP_OK : tp_nomem(err, p->n + p->n_species);
	for (size_t k = 0; k < o->n_hold && !rc; k++)
		if (o->hold[k].kind == TP_HOLD_SPECIES)
			wanted[o->hold[k].key] = 1;
	for (size_t i = 0; i < p->n && !rc; i++)
		held[i] = wanted[p->species[i]];
	for (size_t k = 0; k < o->n_hold && !rc; k++)
		for (size_t i = 0; i < p->n && o->hold[k].kind != TP_HOLD_SPECIES; i++)
			held[i] |= holds(&o->hold[k], p, i);
	tp_free(wanted);
	if (rc)
		tp_free(held);
	else
		*out = held;
	return rc;
}

static bool is_excluded(const tp_split_photos *p, size_t i)
{
	return p->excluded && p->excluded[i];
}

/* --- keys: an open table of the first photo that has each --- */

typedef struct {
	uint32_t *slot; /* photo + 1 */
	size_t mask;
} key_table;

static tp_code table_new(key_table *t, size_t n, tp_err *err)
{
	size_t cap = 16;
	while (cap < 2 * n)
		cap *= 2;
	t->mask = cap - 1;
	t->slot = tp_calloc(cap, sizeof *t->slot);
	return t->slot ? TP_OK : tp_nomem(err, cap * sizeof *t->slot);
}

/* The first photo with the key of photo i, which may be i. */
static uint32_t first_with(key_table *t, const uint64_t *keys, uint32_t i)
{
	size_t at = mix(keys[i]) & t->mask;
	while (t->slot[at] && keys[t->slot[at] - 1] != keys[i])
		at = (at + 1) & t->mask;
	if (!t->slot[at])
		t->slot[at] = i + 1;
	return t->slot[at] - 1;
}

static tp_code unite_keys(uint32_t *parent, const tp_split_photos *p, tp_err *err)
{
	key_table t = { 0 };
	tp_code rc = table_new(&t, p->n_keys ? p->n : 0, err);
	tp_unite_init(parent, p->n);
	for (size_t k = 0; k < p->n_keys && !rc; k++) {
		memset(t.slot, 0, (t.mask + 1) * sizeof *t.slot);
		for (uint32_t i = 0; i < p->n; i++)
			if (p->keys[k][i])
				tp_unite(parent, i, first_with(&t, p->keys[k], i));
	}
	tp_unite_finish(parent, p->n);
	tp_free(t.slot);
	return rc;
}

/* --- groups --- */

/* The smallest of a photo's keys, or its name when it has none: a group keeps its place when photos join it. */
static uint64_t smallest_key(const tp_split_photos *p, size_t i)
{
	uint64_t least = UINT64_MAX;
	for (size_t k = 0; k < p->n_keys; k++)
		if (p->keys[k][i]) {
			uint64_t key = mix(p->keys[k][i] + 0x9e3779b97f4a7c15u * (k + 1)) >> 1;
			least = key < least ? key : least;
		}
	/* names come after all keys */
	return least < UINT64_MAX ? least : mix(p->name[i]) >> 1 | UINT64_C(1) << 63;
}

/* Photos in order of their groups; group[g].start and n say where. */
static void gather(dealer *d, uint32_t *number)
{
	const tp_split_photos *p = d->p;
	for (uint32_t i = 0; i < p->n; i++) {
		if (d->parent[i] == i) {
			d->group[d->n_groups] =
				(group){ .order = UINT64_MAX, .name = i, .fixed = TP_SPLIT_FREE };
			number[i] = (uint32_t)d->n_groups++;
		}
		d->group[number[d->parent[i]]].n++; /* a name is the smallest member: its number is there */
	}
	uint32_t at = 0;
	for (size_t g = 0; g < d->n_groups; g++) {
		d->group[g].start = at;
		at += d->group[g].n;
		d->group[g].n = 0;
	}
	for (uint32_t i = 0; i < p->n; i++) {
		group *g = &d->group[number[d->parent[i]]];
		d->member[g->start + g->n++] = i;
	}
}

static uint8_t given(const tp_split_photos *p, size_t i)
{
	return p->given && !is_excluded(p, i) ? p->given[i] : TP_SPLIT_FREE;
}

/* The most held out of what the members were given. */
static void fix(dealer *d, group *g, uint32_t i, bool *conflict)
{
	uint8_t to = d->held[i] ? TP_HELD_OUT : given(d->p, i);
	if (to == TP_SPLIT_FREE)
		return;
	if (g->fixed == TP_SPLIT_FREE || g->fixed == to) {
		g->fixed = to;
		return;
	}
	*conflict |= to != TP_HELD_OUT && g->fixed != TP_HELD_OUT;
	g->fixed = to > g->fixed ? to : g->fixed;
}

static void describe(dealer *d, group *g)
{
	bool conflict = false;
	uint32_t first = d->p->species[d->member[g->start]];
	uint64_t least = UINT64_MAX;
	for (uint32_t k = 0; k < g->n; k++) {
		uint32_t i = d->member[g->start + k];
		uint64_t key = smallest_key(d->p, i);
		least = key < least ? key : least;
		g->mixed |= d->p->species[i] != first;
		fix(d, g, i, &conflict);
	}
	g->order = mix(least + mix(d->o->seed + 0x9e3779b97f4a7c15u));
	d->stats.mixed += g->mixed;
	d->stats.conflicts += conflict;
}

static int by_order(const void *a, const void *b)
{
	const group *x = a, *y = b;
	if (x->mixed != y->mixed)
		return y->mixed - x->mixed;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* --- dealing --- */

/* How many species a group has of which it is the first to be seen is not kept: a group of several species counts
 * for each of them once, which is found by marking. */
static void count_groups(dealer *d, uint32_t *mark)
{
	for (size_t g = 0; g < d->n_groups; g++)
		for (uint32_t k = 0; k < d->group[g].n; k++) {
			uint32_t i = d->member[d->group[g].start + k], c = d->p->species[i];
			species *s = &d->species[c];
			if (is_excluded(d->p, i))
				continue;
			if (d->group[g].fixed == TP_HELD_OUT) {
				s->held++;
				continue;
			}
			s->n++;
			s->left++;
			if (mark[c] != g + 1) {
				mark[c] = (uint32_t)g + 1;
				s->groups++;
			}
		}
}

static int32_t quota(double share, const species *s, uint32_t rare)
{
	int32_t q = (int32_t)floor(share * s->n + 0.5);
	if (share <= 0 || s->groups < rare)
		return 0;
	return q ? q : 1;
}

static void set_quotas(dealer *d)
{
	for (size_t c = 0; c < d->p->n_species; c++) {
		species *s = &d->species[c];
		s->need[TP_TEST] = s->quota[TP_TEST] = quota(d->o->test, s, RARE_TEST);
		s->need[TP_VAL] = s->quota[TP_VAL] = quota(d->o->val, s, RARE_VAL);
	}
}

static void put(dealer *d, uint32_t i, uint8_t to)
{
	species *s = &d->species[d->p->species[i]];
	d->split[i] = to;
	if (is_excluded(d->p, i))
		return;
	d->stats.n[to]++;
	if (to == TP_HELD_OUT)
		return;
	s->left--;
	s->train += to == TP_TRAIN;
	s->need[to]--;
}

static void put_fixed(dealer *d, const group *g)
{
	for (uint32_t k = 0; k < g->n; k++) {
		uint32_t i = d->member[g->start + k];
		uint8_t own = given(d->p, i);
		put(d, i, g->fixed == TP_HELD_OUT || own == TP_SPLIT_FREE ? g->fixed : own);
	}
}

/* Does split `to` need the group, and does each species keep a photo to train with? In the first round it must need
 * all of its photos; in the second most of them, so that the group takes its species nearer to their quotas. The
 * needs are counted down member by member and put back. */
static bool wants(dealer *d, const group *g, tp_split to, bool whole)
{
	uint32_t useful = 0, n = 0;
	bool all_gone = false, nothing_yet = true;
	for (uint32_t k = 0; k < g->n; k++) {
		uint32_t i = d->member[g->start + k];
		species *s = &d->species[d->p->species[i]];
		if (is_excluded(d->p, i))
			continue;
		if (n++ == 0)
			nothing_yet = !g->mixed && s->need[to] == s->quota[to];
		useful += s->need[to]-- > 0;
		s->left--;
		all_gone |= !s->left && !s->train;
	}
	for (uint32_t k = 0; k < g->n; k++) {
		uint32_t i = d->member[g->start + k];
		species *s = &d->species[d->p->species[i]];
		s->need[to] += !is_excluded(d->p, i);
		s->left += !is_excluded(d->p, i);
	}
	if (!n || all_gone)
		return false;
	return useful == n || (!whole && 2 * useful >= n + !nothing_yet);
}

static void put_all(dealer *d, group *g, tp_split to)
{
	g->fixed = (uint8_t)to;
	for (uint32_t k = 0; k < g->n; k++)
		put(d, d->member[g->start + k], g->fixed);
}

/* Groups from..end - 1 that `to` wants: test takes them from the front, validation from the back, so that a change at
 * the edge of one does not push the other's. */
static void deal_part(dealer *d, size_t from, size_t end, tp_split to, bool whole)
{
	for (size_t k = from; k < end; k++) {
		group *g = &d->group[to == TP_TEST ? k : end - 1 - (k - from)];
		if (g->fixed == TP_SPLIT_FREE && wants(d, g, to, whole))
			put_all(d, g, to);
	}
}

/* Groups that are wholly needed first; what is left then evens out the rest. */
static void deal(dealer *d)
{
	for (size_t i = 0; i < d->n_groups; i++)
		if (d->group[i].fixed != TP_SPLIT_FREE)
			put_fixed(d, &d->group[i]);
	for (int round = 1; round <= 2; round++)
		for (tp_split to = TP_TEST; to >= TP_VAL; to--) {
			deal_part(d, 0, d->stats.mixed, to, round == 1);
			deal_part(d, d->stats.mixed, d->n_groups, to, round == 1);
		}
	for (size_t i = 0; i < d->n_groups; i++)
		if (d->group[i].fixed == TP_SPLIT_FREE)
			put_all(d, &d->group[i], TP_TRAIN);
}

static void judge(dealer *d)
{
	for (size_t c = 0; c < d->p->n_species; c++) {
		const species *s = &d->species[c];
		for (int to = TP_VAL; to <= TP_TEST && s->groups >= JUDGED; to++) {
			double off = fabs((double)s->need[to]);
			if (off > d->stats.max_off)
				d->stats.max_off = off;
			if (off / s->n > d->stats.max_off_share) {
				d->stats.max_off_share = off / s->n;
				d->stats.worst = (uint32_t)c;
			}
		}
	}
}

static tp_code deal_all(dealer *d, tp_err *err)
{
	size_t n = d->p->n, marks = n > d->p->n_species ? n : d->p->n_species;
	uint32_t *scratch = tp_calloc(marks ? marks : 1, sizeof *scratch);
	if (!scratch)
		return tp_nomem(err, marks * sizeof *scratch);
	gather(d, scratch);
	for (size_t g = 0; g < d->n_groups; g++)
		describe(d, &d->group[g]);
	if (d->n_groups)
		qsort(d->group, d->n_groups, sizeof *d->group, by_order);
	memset(scratch, 0, marks * sizeof *scratch);
	count_groups(d, scratch);
	set_quotas(d);
	deal(d);
	judge(d);
	d->stats.groups = d->n_groups;
	tp_free(scratch);
	return TP_OK;
}

tp_code tp_split_groups(uint8_t *split, const tp_split_photos *p, const tp_split_opts *opts,
	tp_split_stats *stats, tp_err *err)
{
	dealer d = { .p = p, .o = opts, .split = split };
	tp_code rc = check_input(p, opts, err);
	if (rc)
		return rc;
	size_t n = p->n ? p->n : 1, groups = 0;
	d.parent = tp_alloc(n * sizeof *d.parent);
	d.member = tp_alloc(n * sizeof *d.member);
	d.species = tp_calloc(p->n_species + 1, sizeof *d.species);
	rc = d.parent && d.member && d.species ? unite_keys(d.parent, p, err)
					       : tp_nomem(err, n * sizeof *d.parent);
	if (!rc)
		rc = find_held(&d.held, p, opts, err);
	for (uint32_t i = 0; i < p->n && !rc; i++)
		groups += d.parent[i] == i;
	if (!rc && !(d.group = tp_alloc((groups + 1) * sizeof *d.group)))
		rc = tp_nomem(err, (groups + 1) * sizeof *d.group);
	if (!rc)
		rc = deal_all(&d, err);
	if (!rc && stats)
		*stats = d.stats;
	tp_free(d.held);
	tp_free(d.parent);
	tp_free(d.member);
	tp_free(d.species);
	tp_free(d.group);
	return rc;
}

/* --- the leak test: does not know how the split was made --- */

typedef struct {
	tp_leak *v;
	size_t n, max;
	uint8_t *told; /* photos that are in a leak that was told of; NULL: nobody asks */
} leak_list;

static void add_leak(leak_list *l, size_t column, uint32_t a, uint32_t b, const uint8_t *split)
{
	if (l->v && l->n < l->max)
		l->v[l->n] = (tp_leak){ column, a, b, split[a], split[b] };
	if (l->told)
		l->told[a] = l->told[b] = 1;
	l->n++;
}

static tp_code shared_keys(leak_list *l, const uint8_t *split, const tp_split_photos *p, tp_err *err)
{
	key_table t = { 0 };
	tp_code rc = table_new(&t, p->n, err);
	for (size_t k = 0; k < p->n_keys && !rc; k++) {
		memset(t.slot, 0, (t.mask + 1) * sizeof *t.slot);
		for (uint32_t i = 0; i < p->n; i++) {
			if (!p->keys[k][i] || is_excluded(p, i))
				continue;
			uint32_t a = first_with(&t, p->keys[k], i);
			if (split[a] != split[i])
				add_leak(l, k, a, i, split);
		}
	}
	tp_free(t.slot);
	return rc;
}

/* Photos that only excluded ones tie together. Groups in which two photos share a key were told of already. */
static tp_code through_excluded(leak_list *l, const uint8_t *split, const tp_split_photos *p, tp_err *err)
{
	const uint32_t told = UINT32_MAX;
	uint32_t *parent = tp_alloc((p->n + 1) * sizeof *parent), *first = tp_calloc(p->n + 1, sizeof *first);
	tp_code rc = parent && first ? unite_keys(parent, p, err) : tp_nomem(err, p->n * sizeof *parent);
	for (uint32_t i = 0; i < p->n && !rc; i++)
		if (l->told[i])
			first[parent[i]] = told;
	for (uint32_t i = 0; i < p->n && !rc; i++) {
		uint32_t *f = &first[parent[i]];
		if (is_excluded(p, i) || *f == told)
			continue;
		if (!*f)
			*f = i + 1;
		else if (split[*f - 1] != split[i])
			add_leak(l, p->n_keys + 1, *f - 1, i, split);
	}
	tp_free(parent);
	tp_free(first);
	return rc;
}

static tp_code not_held(
	leak_list *l, const uint8_t *split, const tp_split_photos *p, const tp_split_opts *o, tp_err *err)
{
	uint8_t *held = NULL;
	tp_code rc = find_held(&held, p, o, err);
	for (uint32_t i = 0; i < p->n && !rc; i++)
		if (held[i] && split[i] != TP_HELD_OUT && !is_excluded(p, i))
			add_leak(l, p->n_keys, i, i, split);
	tp_free(held);
	return rc;
}

tp_code tp_split_check(size_t *n_leaks, tp_leak *leaks, size_t max_leaks, const uint8_t *split,
	const tp_split_photos *p, const tp_split_opts *opts, tp_err *err)
{
	leak_list l = { .v = leaks, .max = max_leaks };
	tp_code rc = check_input(p, opts, err);
	if (!rc && p->excluded && !(l.told = tp_calloc(p->n + 1, 1)))
		rc = tp_nomem(err, p->n);
	if (!rc)
		rc = shared_keys(&l, split, p, err);
	if (!rc && p->excluded)
		rc = through_excluded(&l, split, p, err);
	if (!rc)
		rc = not_held(&l, split, p, opts, err);
	tp_free(l.told);
	*n_leaks = l.n;
	return rc;
}

const char *const tp_split_words[TP_SPLITS + 1] = { "train", "val", "test", "held out" };

void tp_leak_text_of(
	char *out, size_t size, const tp_leak *leak, const tp_split_photos *p, const char *a, const char *b)
{
	const char *in_a = tp_split_words[leak->split_a], *in_b = tp_split_words[leak->split_b];
	if (leak->column == p->n_keys)
		snprintf(out, size, "photo %s should be held out, but is in %s", a, in_a);
	else if (leak->column > p->n_keys)
		snprintf(out, size,
			"photos %s and %s belong together through excluded ones, but are in %s and %s", a, b,
			in_a, in_b);
	else
		snprintf(out, size, "photos %s and %s share a value of %s, but are in %s and %s", a, b,
			p->key_names ? p->key_names[leak->column] : "a key", in_a, in_b);
}

void tp_leak_text(char *out, size_t size, const tp_leak *leak, const tp_split_photos *p)
{
	char a[16], b[16];
	snprintf(a, sizeof a, "%u", (unsigned)leak->a);
	snprintf(b, sizeof b, "%u", (unsigned)leak->b);
	tp_leak_text_of(out, size, leak, p, a, b);
}
