/* Copies among the photos: see clean.h, and docs/data.md for which of several is kept.
 *
 * Photos with one hash are a point. Points that are near, or near once turned, are links; both are found once and kept,
 * but links between points that share no species only when they are near enough to doubt the names: across species
 * pairs are as many as photos squared, and most of those at six bits mean nothing.
 * Then each photo that nothing was found of, from the best to the worst, makes its copies its own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/clean_int.h"
#include "data/near.h"
#include "data/unite.h"

enum { MAX_LINKS = 1 << 26, FEW = 16, TRIES = 4 };

typedef struct {
	uint32_t a, b; /* points */
	uint8_t bits, turned;
} edge;

typedef struct {
	uint32_t to; /* a point */
	uint8_t bits, turned;
} near_link;

struct tp_clean_near {
	tp_clean_work *w;
	uint32_t *by_rank, *rank; /* photos from the best on; the place of each there */
	uint32_t *by_sha,
		*at_sha; /* photos by bytes, then species, then rank; the place of each there, or NONE */
	uint32_t *order, *point; /* photos by hash, then species, then rank; each one's point, or NONE */
	uint32_t n_order, n_sha, n_points;
	uint32_t *first; /* n_points + 1: where a point begins in order */
	uint64_t *hash;  /* n_points */
	edge *edge;
	size_t n_edges, cap_edges;
	size_t *head; /* n_points + 1: where a point's links begin */
	near_link *links;
	bool turned;               /* the search that is running */
	int near, turn, strangers; /* bits, -1: off; strangers: of two species */
};

/* ---- orders ---- */

typedef struct {
	uint64_t major, middle;
	uint32_t taxon, rank, photo;
} sort_key;

static int by_key(const void *a, const void *b)
{
	const sort_key *x = a, *y = b;
	if (x->major != y->major)
		return x->major < y->major ? -1 : 1;
	if (x->middle != y->middle)
		return x->middle < y->middle ? -1 : 1;
	if (x->taxon != y->taxon)
		return x->taxon < y->taxon ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* The better of two copies has more pixels, then more bytes: it was compressed less; then it came first. Major and
 * middle are turned round, as the smallest key comes first. */
static void rank_key(sort_key *k, const tp_clean_photo *p, uint32_t i)
{
	*k = (sort_key){
		.major = UINT32_MAX - p->pixels, .middle = UINT32_MAX - p->bytes, .rank = i, .photo = i
	};
}

static void sha_key(sort_key *k, const tp_clean_photo *p, uint32_t i, uint32_t rank)
{
	*k = (sort_key){ .taxon = p->taxon, .rank = rank, .photo = i };
	memcpy(&k->major, p->sha, 8);
	memcpy(&k->middle, p->sha + 8, 8);
}

static void hash_key(sort_key *k, const tp_clean_photo *p, uint32_t i, uint32_t rank)
{
	*k = (sort_key){ .major = p->hash, .taxon = p->taxon, .rank = rank, .photo = i };
}

static uint32_t *numbers(size_t n, tp_err *err)
{
	uint32_t *v = tp_alloc((n + 1) * sizeof *v);
	if (!v)
		(void)!tp_nomem(err, (n + 1) * sizeof *v);
	return v;
}

/* Photos in the order of their keys into *order; each one's place into *at, NONE for those left out. */
static void take_order(uint32_t *order, uint32_t *at, sort_key *k, size_t n)
{
	if (n)
		qsort(k, n, sizeof *k, by_key);
	for (size_t i = 0; i < n; i++) {
		order[i] = k[i].photo;
		at[k[i].photo] = (uint32_t)i;
	}
}

static tp_code make_orders(tp_clean_near *x, tp_err *err)
{
	const tp_clean_photo *p = x->w->p;
	size_t n = x->w->n;
	uint32_t **all[] = { &x->by_rank, &x->rank, &x->by_sha, &x->at_sha, &x->order, &x->point };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!(*all[i] = numbers(n, err)))
			return TP_ENOMEM;
	sort_key *k = tp_alloc((n + 1) * sizeof *k);
	if (!k)
		return tp_nomem(err, n * sizeof *k);
	for (size_t i = 0; i < n; i++)
		rank_key(&k[i], &p[i], (uint32_t)i);
	take_order(x->by_rank, x->rank, k, n);
	memset(x->at_sha, 0xff, n * sizeof *x->at_sha);
	memset(x->point, 0xff, n * sizeof *x->point);
	for (size_t i = 0; i < n; i++)
		if (p[i].readable)
			sha_key(&k[x->n_sha++], &p[i], (uint32_t)i, x->rank[i]);
	take_order(x->by_sha, x->at_sha, k, x->n_sha);
	for (size_t i = 0; i < n; i++)
		if (p[i].hash)
			hash_key(&k[x->n_order++], &p[i], (uint32_t)i, x->rank[i]);
	take_order(x->order, x->point, k, x->n_order);
	tp_free(k);
	return TP_OK;
}

static tp_code make_points(tp_clean_near *x, tp_err *err)
{
	const tp_clean_photo *p = x->w->p;
	x->first = numbers(x->n_order, err);
	x->hash = tp_alloc(((size_t)x->n_order + 1) * sizeof *x->hash);
	if (!x->first || !x->hash)
		return tp_nomem(err, x->n_order * sizeof *x->hash);
	for (uint32_t i = 0; i < x->n_order; i++) {
		uint64_t h = p[x->order[i]].hash;
		if (!i || h != x->hash[x->n_points - 1]) {
			x->first[x->n_points] = i;
			x->hash[x->n_points++] = h;
		}
		x->point[x->order[i]] = x->n_points - 1;
	}
	x->first[x->n_points] = x->n_order;
	return TP_OK;
}

/* ---- links ---- */

static bool share_species(const tp_clean_near *x, uint32_t a, uint32_t b)
{
	uint32_t n = x->first[a + 1] - x->first[a], m = x->first[b + 1] - x->first[b];
	if (n > FEW || m > FEW)
		return true; /* perhaps */
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < m; j++)
			if (x->w->p[x->order[x->first[a] + i]].taxon ==
				x->w->p[x->order[x->first[b] + j]].taxon)
				return true;
	return false;
}

static tp_code keep_pairs(void *ud, const tp_near_pair *p, size_t n, tp_err *err)
{
	tp_clean_near *x = ud;
	for (size_t i = 0; i < n; i++) {
		if ((p[i].turn != TP_TURN_NONE) != x->turned)
			continue; /* the first search had them */
		if (p[i].bits > x->strangers && !share_species(x, p[i].a, p[i].b))
			continue;
		if (x->n_edges == x->cap_edges) {
			size_t cap = x->cap_edges ? 2 * x->cap_edges : 4096;
			if (cap > MAX_LINKS)
				return tp_fail(err, TP_ELIMIT,
					"more than %d pairs of near hashes; ask for fewer bits", MAX_LINKS);
			edge *e = tp_realloc(x->edge, cap * sizeof *e);
			if (!e)
				return tp_nomem(err, cap * sizeof *e);
			x->edge = e;
			x->cap_edges = cap;
		}
		x->edge[x->n_edges++] = (edge){ p[i].a, p[i].b, p[i].bits, p[i].turn != TP_TURN_NONE };
	}
	return TP_OK;
}

static tp_code search(tp_clean_near *x, int bits, bool turned, tp_err *err)
{
	const tp_near_opts o = { .bits = bits, .threads = x->w->o->threads, .turned = turned };
	const tp_near_sink sink = { NULL, keep_pairs, x };
	x->turned = turned;
	return bits < 0 ? TP_OK : tp_near_each(x->hash, x->n_points, &o, &sink, err);
}

static int by_edge(const void *a, const void *b)
{
	const near_link *x = a, *y = b;
	if (x->bits != y->bits)
		return x->bits < y->bits ? -1 : 1;
	if (x->turned != y->turned)
		return x->turned < y->turned ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/* Both ways, the nearest first: the order in which threads found them must not show. */
static tp_code make_links(tp_clean_near *x, tp_err *err)
{
	x->head = tp_calloc((size_t)x->n_points + 1, sizeof *x->head);
	x->links = tp_alloc((2 * x->n_edges + 1) * sizeof *x->links);
	if (!x->head || !x->links)
		return tp_nomem(err, x->n_points * sizeof *x->head + 2 * x->n_edges * sizeof *x->links);
	size_t *at = x->head;
	for (size_t i = 0; i < x->n_edges; i++)
		at[x->edge[i].a]++, at[x->edge[i].b]++;
	for (uint32_t p = 1; p <= x->n_points; p++)
		at[p] += at[p - 1];
	for (size_t i = 0; i < x->n_edges; i++) { /* filled from the back: at[p] ends as the beginning of p */
		const edge *e = &x->edge[i];
		x->links[--at[e->a]] = (near_link){ e->b, e->bits, e->turned };
		x->links[--at[e->b]] = (near_link){ e->a, e->bits, e->turned };
	}
	for (uint32_t p = 0; p < x->n_points; p++)
		if (x->head[p + 1] - x->head[p] > 1)
			qsort(x->links + x->head[p], x->head[p + 1] - x->head[p], sizeof *x->links, by_edge);
	tp_free(x->edge);
	x->edge = NULL;
	return TP_OK;
}

static int bits_of(const tp_clean_work *w, tp_rule_id r)
{
	return w->o->rules.on[r] ? (int)w->o->rules.threshold[r] : -1;
}

tp_code tp_clean_near_find(tp_clean_near **out, tp_clean_work *w, tp_err *err)
{
	tp_clean_near *x = tp_calloc(1, sizeof *x);
	if (!x)
		return tp_nomem(err, sizeof *x);
	x->w = w;
	x->near = bits_of(w, TP_RULE_NEAR_DUPLICATE);
	x->turn = bits_of(w, TP_RULE_TURNED_DUPLICATE);
	x->strangers = bits_of(w, TP_RULE_TWO_SPECIES);
	*out = x;
	tp_code rc = make_orders(x, err);
	if (!rc)
		rc = make_points(x, err);
	if (!rc)
		rc = search(x, x->near > x->strangers ? x->near : x->strangers, false, err);
	if (!rc)
		rc = search(x, x->turn, true, err);
	return rc ? rc : make_links(x, err);
}

void tp_clean_near_free(tp_clean_near *x)
{
	if (!x)
		return;
	uint32_t *all[] = { x->by_rank, x->rank, x->by_sha, x->at_sha, x->order, x->point, x->first };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		tp_free(all[i]);
	tp_free(x->hash);
	tp_free(x->edge);
	tp_free(x->head);
	tp_free(x->links);
	tp_free(x);
}

void tp_clean_near_wanted(uint8_t *wanted, const tp_clean_near *x)
{
	for (uint32_t i = 0; i < x->n_order; i++) {
		uint32_t p = x->point[x->order[i]];
		if (x->first[p + 1] - x->first[p] > 1 || x->head[p + 1] > x->head[p])
			wanted[x->order[i]] = 1;
	}
}

/* ---- who is a copy of whom ---- */

/* Does the network agree? Where it has not seen one of them, the hashes decide. Bytes that are the same need no asking. */
static bool agrees(const tp_clean_near *x, uint32_t a, uint32_t b)
{
	const tp_clean_work *w = x->w;
	const tp_clean_network *net = w->o->network;
	if (!net || !w->seen || w->seen[a] == TP_CLEAN_NONE || w->seen[b] == TP_CLEAN_NONE ||
		!memcmp(w->p[a].sha, w->p[b].sha, sizeof w->p[a].sha))
		return true;
	return !net->has(net->ud, w->seen[a]) || !net->has(net->ud, w->seen[b]) ||
	       net->cosine(net->ud, w->seen[a], w->seen[b]) >= w->o->cosine;
}

static tp_code two_species(tp_clean_near *x, uint32_t a, uint32_t b, int bits, tp_err *err)
{
	tp_unite(x->w->group, a, b);
	return tp_clean_note(x->w, TP_RULE_TWO_SPECIES, a, (float)bits, b, err);
}

/* Where the photos of a species begin among those of a point. */
static uint32_t species_begin(const tp_clean_near *x, uint32_t point, uint32_t taxon)
{
	uint32_t lo = x->first[point], hi = x->first[point + 1];
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (x->w->p[x->order[mid]].taxon < taxon)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_of_one_species(const tp_clean_near *x, uint32_t point, uint32_t taxon)
{
	return x->w->p[x->order[x->first[point]]].taxon == taxon &&
	       x->w->p[x->order[x->first[point + 1] - 1]].taxon == taxon;
}

/* Photos of point p that look like one of another species in point q. Of each other species the best photo is asked,
 * and at most TRIES species. */
static tp_code strangers(tp_clean_near *x, uint32_t p, uint32_t q, int bits, bool turned, tp_err *err)
{
	tp_code rc = TP_OK;
	for (uint32_t i = x->first[p]; i < x->first[p + 1] && !rc; i++) {
		uint32_t a = x->order[i], j = x->first[q];
		if (x->w->p[a].hit >> TP_RULE_TWO_SPECIES & 1 || is_of_one_species(x, q, x->w->p[a].taxon))
			continue;
		for (int tries = 0; j < x->first[q + 1] && tries < TRIES; tries++) {
			uint32_t b = x->order[j];
			j = species_begin(x, q, x->w->p[b].taxon + 1);
			if (x->w->p[b].taxon == x->w->p[a].taxon)
				continue;
			if (turned || agrees(x, a, b)) {
				rc = two_species(x, a, b, bits, err);
				break;
			}
		}
	}
	return rc;
}

/* The same bytes under two species: by_sha has those of one file together, by species. */
static tp_code same_bytes_two_species(tp_clean_near *x, tp_err *err)
{
	const tp_clean_photo *p = x->w->p;
	tp_code rc = TP_OK;
	for (uint32_t i = 0, end; i < x->n_sha && !rc; i = end) {
		uint32_t head = x->by_sha[i], last;
		for (end = i + 1;
			end < x->n_sha && !memcmp(p[x->by_sha[end]].sha, p[head].sha, sizeof p[head].sha);)
			end++;
		last = x->by_sha[end - 1];
		if (p[last].taxon == p[head].taxon)
			continue;
		for (uint32_t k = i; k < end && !rc; k++) {
			uint32_t a = x->by_sha[k];
			rc = two_species(x, a, p[a].taxon == p[head].taxon ? last : head, 0, err);
		}
	}
	return rc;
}

static tp_code find_strangers(tp_clean_near *x, tp_err *err)
{
	tp_code rc = same_bytes_two_species(x, err);
	for (uint32_t p = 0; p < x->n_points && !rc; p++) {
		rc = strangers(x, p, p, 0, false, err);
		for (size_t l = x->head[p]; l < x->head[p + 1] && !rc; l++) {
			const near_link *k = &x->links[l];
			if (k->bits <= x->strangers && (!k->turned || k->bits <= x->turn))
				rc = strangers(x, p, k->to, k->bits, k->turned, err);
		}
	}
	return rc;
}

static tp_code copy(tp_clean_near *x, tp_rule_id rule, uint32_t of, uint32_t a, int bits, tp_err *err)
{
	if (rule == TP_RULE_NEAR_DUPLICATE && !agrees(x, of, a))
		return TP_OK;
	tp_unite(x->w->group, of, a);
	return tp_clean_note(x->w, rule, a, (float)bits, of, err);
}

static tp_code same_bytes(tp_clean_near *x, uint32_t i, tp_err *err)
{
	const tp_clean_photo *p = x->w->p;
	tp_code rc = TP_OK;
	if (!x->w->o->rules.on[TP_RULE_EXACT_DUPLICATE] || x->at_sha[i] == TP_CLEAN_NONE)
		return TP_OK;
	for (int way = -1; way <= 1 && !rc; way += 2)
		for (uint32_t k = x->at_sha[i] + (uint32_t)way; k < x->n_sha && !rc; k += (uint32_t)way) {
			uint32_t a = x->by_sha[k];
			if (p[a].taxon != p[i].taxon || memcmp(p[a].sha, p[i].sha, sizeof p[a].sha) != 0)
				break;
			rc = copy(x, TP_RULE_EXACT_DUPLICATE, i, a, 0, err);
		}
	return rc;
}

static tp_code copies_in(tp_clean_near *x, uint32_t i, uint32_t point, int bits, bool turned, tp_err *err)
{
	uint32_t taxon = x->w->p[i].taxon;
	tp_code rc = TP_OK;
	for (uint32_t k = species_begin(x, point, taxon);
		k < x->first[point + 1] && x->w->p[x->order[k]].taxon == taxon && !rc; k++)
		if (x->order[k] != i)
			rc = copy(x, turned ? TP_RULE_TURNED_DUPLICATE : TP_RULE_NEAR_DUPLICATE, i,
				x->order[k], bits, err);
	return rc;
}

static tp_code make_own(tp_clean_near *x, uint32_t i, tp_err *err)
{
	uint32_t p = x->point[i];
	tp_code rc = same_bytes(x, i, err);
	if (rc || p == TP_CLEAN_NONE)
		return rc;
	if (x->near >= 0)
		rc = copies_in(x, i, p, 0, false, err);
	for (size_t l = x->head[p]; l < x->head[p + 1] && !rc; l++) {
		const near_link *k = &x->links[l];
		if (k->bits <= (k->turned ? x->turn : x->near))
			rc = copies_in(x, i, k->to, k->bits, k->turned, err);
	}
	return rc;
}

tp_code tp_clean_copies(tp_clean_work *w, const tp_clean_near *near, tp_err *err)
{
	tp_clean_near x = *near;
	tp_code rc = x.strangers >= 0 ? find_strangers(&x, err) : TP_OK;
	for (size_t k = 0; k < w->n && !rc; k++)
		if (w->p[x.by_rank[k]].readable && tp_clean_is_good(&w->p[x.by_rank[k]]))
			rc = make_own(&x, x.by_rank[k], err);
	return rc;
}
