/* See match.h. From the strictest question to the loosest; the first that has an answer ends it. Approximate search compares
 * the given words with every genus and every epithet of the genera that are near enough: a word's letters and length are
 * held against each other first, which leaves few to be compared, and misses none. */
#include "taxonomy/match.h"

#include <string.h>

#include "taxonomy/backbone_int.h"
#include "taxonomy/text_int.h"

enum { MAX_ROWS = 256, MAX_GENERA = 512 };

/* A given word in the forms it is compared in. */
typedef struct {
	const char *text;
	char plain[TP_NAME_WORD], stem[TP_NAME_WORD],
		written[TP_NAME_WORD]; /* written: "mueller" of "müller" */
	size_t n;
	tp_shape shape;
} word;

typedef struct {
	const tp_backbone *b;
	const tp_name *given;
	const char *author; /* of what is looked for: the name, or its species */
	word genus, species, infra;
	uint32_t row[MAX_ROWS]; /* found so far */
	size_t n;
} query;

const char *tp_how_name(tp_how h)
{
	static const char *const names[TP_HOWS] = { "unmatched", "exact", "name", "variant", "fuzzy" };
	return names[h];
}

int tp_match_tolerance(size_t n)
{
	return n < 4 ? 0 : n < 8 ? 1 : n < 12 ? 2 : 3;
}

static void read_word(word *w, const char *text, bool epithet)
{
	w->text = text;
	w->n = tp_plain_word(w->plain, text);
	w->shape = tp_shape_of(text, epithet);
	tp_fold(w->written, sizeof w->written, text, strlen(text), (tp_fold_opts){ .transcribed = true });
	tp_stem(w->stem, text);
}

static void found(query *q, uint32_t row)
{
	if (q->n < MAX_ROWS)
		q->row[q->n++] = row;
}

/* First row of genus g whose species is at least s. */
static uint32_t lower_bound(const tp_backbone *b, uint32_t g, uint32_t s)
{
	uint32_t from = b->genus_start[g], to = b->genus_start[g + 1];
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		if (b->row[mid].species < s)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool same_stem(const char *stem, const tp_backbone *b, uint32_t epithet)
{
	char other[TP_NAME_WORD];
	tp_stem(other, tp_pool_get(&b->epithets, epithet));
	return !strcmp(stem, other);
}

/* Is the epithet a spelling variant of the given one? */
static bool is_variant(const word *w, const tp_backbone *b, uint32_t epithet)
{
	char stem[TP_NAME_WORD];
	if (!epithet || !*w->text)
		return !epithet && !*w->text;
	if (b->epithet_shape[epithet].stem == w->shape.stem && same_stem(w->stem, b, epithet))
		return true;
	if (!strcmp(w->written, w->plain))
		return false;
	tp_stem(stem, w->written);
	return same_stem(stem, b, epithet);
}

static void add_exact(query *q, uint32_t g, uint32_t s, uint32_t infra)
{
	const tp_backbone *b = q->b;
	for (uint32_t i = lower_bound(b, g, s); i < b->genus_start[g + 1] && b->row[i].species == s; i++)
		if (b->row[i].infra == infra)
			found(q, i);
}

/* Numbers of the given words; UINT32_MAX for one that is not in the list. */
static uint32_t find(const tp_pool *p, const word *w)
{
	return tp_pool_find(p, w->text, strlen(w->text));
}

static bool exact(query *q, bool with_infra)
{
	uint32_t g = find(&q->b->genera, &q->genus), s = find(&q->b->epithets, &q->species);
	uint32_t i = with_infra ? find(&q->b->epithets, &q->infra) : 0;
	q->n = 0;
	if (g != UINT32_MAX && s != UINT32_MAX && i != UINT32_MAX)
		add_exact(q, g, s, i);
	return q->n > 0;
}

static bool same_genus(const query *q, uint32_t g)
{
	char plain[TP_NAME_WORD];
	if (q->b->genus_shape[g].stem != q->genus.shape.stem || q->b->genus_shape[g].len != q->genus.n)
		return false;
	tp_plain_word(plain, tp_pool_get(&q->b->genera, g));
	return !strcmp(plain, q->genus.plain);
}

/* The same words, but for what spelling may vary. */
static bool variant(query *q, bool with_infra)
{
	const tp_backbone *b = q->b;
	word none = { .text = "" };
	q->n = 0;
	for (uint32_t g = 0; g < b->genera.n; g++) {
		if (!same_genus(q, g))
			continue;
		for (uint32_t i = b->genus_start[g]; i < b->genus_start[g + 1]; i++)
			if (is_variant(&q->species, b, b->row[i].species) &&
				is_variant(with_infra ? &q->infra : &none, b, b->row[i].infra))
				found(q, i);
	}
	return q->n > 0;
}

/* "Secale xderzhavinii": a hybrid sign that lost its blank. */
static bool variant_with_x(query *q, bool with_infra)
{
	word whole = q->species;
	if (*whole.text != 'x' || whole.n < 4)
		return false;
	read_word(&q->species, whole.text + 1, true);
	bool any = variant(q, with_infra);
	q->species = any ? q->species : whole;
	return any;
}

static int bits(uint32_t v)
{
	return __builtin_popcount(v);
}

/* The distance of a listed word, or most + 1. Each edit changes the length by at most one, and which letters there are by at
 * most two. */
static int distance_to(const word *w, const tp_pool *p, const tp_shape *shape, uint32_t i, int most)
{
	char plain[TP_NAME_WORD];
	int longer = (int)shape[i].len - (int)w->n;
	if (longer > most || -longer > most || bits(shape[i].letters ^ w->shape.letters) > 2 * most)
		return most + 1;
	size_t n = tp_plain_word(plain, tp_pool_get(p, i));
	return tp_word_distance(w->plain, w->n, plain, n, most);
}

static int epithet_distance(const query *q, const word *w, uint32_t epithet, int most)
{
	if (!*w->text || !epithet)
		return !*w->text && !epithet ? 0 : most + 1;
	return distance_to(w, &q->b->epithets, q->b->epithet_shape, epithet, most);
}

/* The species of genus g that are nearest, when nearer than *best - or as near, these are added. `off` is the genus's own
 * distance. */
static void nearest_species(query *q, uint32_t g, int off, int most, int *best)
{
	const tp_backbone *b = q->b;
	for (uint32_t i = b->genus_start[g]; i < b->genus_start[g + 1];) {
		uint32_t s = b->row[i].species, next = i;
		int bound = *best - off < most ? *best - off : most;
		int d = epithet_distance(q, &q->species, s, bound);
		while (next < b->genus_start[g + 1] && b->row[next].species == s)
			next++;
		if (d <= bound && off + d < *best)
			q->n = 0;
		if (d <= bound) {
			*best = off + d;
			for (; i < next && !b->row[i].infra; i++)
				found(q, i);
		}
		i = next;
	}
}

/* Genus and species within their words' tolerances, the least sum of both. -1 when there is none. */
static int fuzzy(query *q)
{
	const tp_backbone *b = q->b;
	int of_genus = tp_match_tolerance(q->genus.n), of_species = tp_match_tolerance(q->species.n);
	int best = *q->species.text ? 3 : of_genus;
	q->n = 0;
	for (uint32_t g = 0; g < b->genera.n; g++) {
		int most = best < of_genus ? best : of_genus;
		int d = distance_to(&q->genus, &b->genera, b->genus_shape, g, most);
		if (d <= most)
			nearest_species(q, g, d, of_species, &best);
	}
	return q->n ? best : -1;
}

/* Among rows of one species: those whose epithet below it is the nearest to the given one. */
static int fuzzy_infra(query *q)
{
	uint32_t species[MAX_ROWS];
	size_t n = q->n;
	int best = tp_match_tolerance(q->infra.n);
	memcpy(species, q->row, n * sizeof *species);
	q->n = 0;
	for (size_t k = 0; k < n; k++) {
		const tp_row *of = &q->b->row[species[k]];
		for (uint32_t i = lower_bound(q->b, of->genus, of->species);
			i < q->b->genus_start[of->genus + 1] && q->b->row[i].species == of->species; i++) {
			int d = q->b->row[i].infra ? epithet_distance(q, &q->infra, q->b->row[i].infra, best)
						   : best + 1;
			if (d > best)
				continue;
			q->n = d < best ? 0 : q->n;
			best = d;
			found(q, i);
		}
	}
	if (q->n)
		return best;
	memcpy(q->row, species, n * sizeof *species);
	q->n = n;
	return -1;
}

/* Keeps the rows for which `keep` is true, unless it is true for none. */
static void prefer(query *q, bool (*keep)(const query *, const tp_row *))
{
	size_t n = 0;
	uint32_t kept[MAX_ROWS];
	for (size_t i = 0; i < q->n; i++)
		if (keep(q, &q->b->row[q->row[i]]))
			kept[n++] = q->row[i];
	if (!n)
		return;
	memcpy(q->row, kept, n * sizeof *kept);
	q->n = n;
}

static bool of_first_source(const query *q, const tp_row *r)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->b->row[q->row[i]].source < r->source &&
			q->b->row[q->row[i]].status != TP_STATUS_IMPLIED)
			return false;
	return r->status != TP_STATUS_IMPLIED;
}

/* A name used by mistake is meant only by those who say so. */
static bool used_as_meant(const query *q, const tp_row *r)
{
	return (r->status == TP_STATUS_MISAPPLIED) == ((q->given->qualifier & TP_QUAL_SENSU) != 0);
}

static bool of_same_rank(const query *q, const tp_row *r)
{
	return r->rank == q->given->rank;
}

static bool of_same_word(const query *q, const tp_row *r)
{
	return !strcmp(tp_pool_get(&q->b->epithets, r->species), q->species.text) ||
	       !strcmp(tp_pool_get(&q->b->epithets, r->species), q->species.written);
}

static tp_author_fit fit_of(const query *q, const tp_row *r)
{
	return tp_author_compare(q->author, tp_pool_get(&q->b->authors, r->author));
}

/* The best of the rows' authors; rows with others go. With the authors of nobody given, or nobody's, all stay. */
static tp_author_fit by_author(query *q)
{
	static const tp_author_fit order[] = { TP_AUTHOR_SAME, TP_AUTHOR_ALIKE, TP_AUTHOR_UNKNOWN,
		TP_AUTHOR_OTHER };
	tp_author_fit fit[MAX_ROWS];
	for (size_t i = 0; i < q->n; i++)
		fit[i] = fit_of(q, &q->b->row[q->row[i]]);
	for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
		size_t n = 0;
		for (size_t i = 0; i < q->n; i++)
			if (fit[i] == order[k])
				q->row[n++] = q->row[i];
		if (n) {
			q->n = n;
			return order[k];
		}
	}
	return TP_AUTHOR_UNKNOWN;
}

/* Their accepted names, once each. */
static void list_candidates(tp_match *out, const query *q)
{
	out->n_candidates = 0;
	out->ambiguous = false;
	for (size_t i = 0; i < q->n; i++) {
		uint32_t a = q->b->row[q->row[i]].accepted;
		int k = 0;
		while (k < out->n_candidates && out->candidate[k] != a)
			k++;
		if (k == out->n_candidates && k < TP_MATCH_CANDIDATES)
			out->candidate[out->n_candidates++] = a;
	}
	out->ambiguous = out->n_candidates > 1;
	if (!out->ambiguous)
		out->n_candidates = 0;
}

/* The one of several taxa that is meant: the only accepted one among them, or none. */
static uint32_t only_accepted(const query *q)
{
	uint32_t one = TP_NO_NAME;
	for (size_t i = 0; i < q->n; i++) {
		if (q->b->row[q->row[i]].status != TP_STATUS_ACCEPTED)
			continue;
		if (one != TP_NO_NAME)
			return TP_NO_NAME;
		one = q->row[i];
	}
	return one;
}

/* Of the rows found, the one that is meant. They have the same words, or are as far from the given ones. */
static void choose(tp_match *out, query *q)
{
	prefer(q, used_as_meant);
	prefer(q, of_first_source);
	prefer(q, of_same_word);
	if (q->given->rank != TP_RANK_INFRASPECIFIC)
		prefer(q, of_same_rank);
	out->author = by_author(q);
	list_candidates(out, q);
	uint32_t one = only_accepted(q);
	out->matched = one != TP_NO_NAME ? one : q->row[0];
	out->accepted = one != TP_NO_NAME ? one : out->ambiguous ? TP_NO_NAME : q->b->row[q->row[0]].accepted;
	out->synonym = out->accepted != out->matched && out->accepted != TP_NO_NAME;
}

static bool sign_differs(const query *q, uint32_t row)
{
	unsigned signs = TP_HYBRID_GENUS | TP_HYBRID_SPECIES;
	return (q->b->row[row].hybrid & signs) != (q->given->hybrid & signs);
}

static void accept(tp_match *out, query *q, tp_how how, int distance, bool parent)
{
	if (parent)
		q->author = *q->given->infra   ? q->given->species_author
			    : *q->species.text ? q->given->author
					       : "";
	choose(out, q);
	out->how = how;
	out->distance = distance;
	out->parent = parent;
	if (how == TP_HOW_NAME && (out->author == TP_AUTHOR_SAME || out->author == TP_AUTHOR_ALIKE) &&
		!parent)
		out->how = TP_HOW_EXACT;
	if (how == TP_HOW_NAME && sign_differs(q, out->matched))
		out->how = TP_HOW_VARIANT;
}

/* Without authors that agree, a slip in each word is all that may be taken for granted: two letters lie between many
 * species that both exist (Trifolium patens, T. pratense). */
static bool is_slip(const query *q, uint32_t row)
{
	const tp_row *r = &q->b->row[row];
	return distance_to(&q->genus, &q->b->genera, q->b->genus_shape, r->genus, 1) <= 1 &&
	       epithet_distance(q, &q->species, r->species, 1) <= 1 &&
	       (!r->infra || epithet_distance(q, &q->infra, r->infra, 1) <= 1);
}

/* A misspelt name has to be near one taxon only, and that one must not have other authors. */
static bool accept_fuzzy(tp_match *out, query *q)
{
	int d = fuzzy(q), below = -1;
	bool has_infra = *q->infra.text || q->given->rank == TP_RANK_CULTIVAR;
	if (d < 0)
		return false;
	if (*q->infra.text && (below = fuzzy_infra(q)) >= 0)
		d += below;
	accept(out, q, TP_HOW_FUZZY, d, has_infra && below < 0);
	bool agree = out->author == TP_AUTHOR_SAME || out->author == TP_AUTHOR_ALIKE;
	if (!out->ambiguous && (agree || (out->author == TP_AUTHOR_UNKNOWN && is_slip(q, out->matched))))
		return true;
	uint32_t nearest = out->matched;
	out->how = TP_HOW_NONE;
	out->nearest = nearest;
	out->matched = out->accepted = TP_NO_NAME;
	out->synonym = out->parent = false;
	return false;
}

/* The best species in genus g whatever it takes; -1 when the genus has none. */
static void nearest_in(query *q, uint32_t g, int off, int *best)
{
	int before = *best;
	nearest_species(q, g, off, before - off, best);
}

/* Genera as near as any: their distance. */
static int nearest_genera(const query *q, uint32_t genus[MAX_GENERA], size_t *n)
{
	int best = 3;
	*n = 0;
	for (int start = 3; !*n && start < 2 * TP_NAME_WORD; start *= 3) {
		best = start;
		for (uint32_t g = 0; g < q->b->genera.n; g++) {
			int d = distance_to(&q->genus, &q->b->genera, q->b->genus_shape, g, best);
			if (d > best)
				continue;
			*n = d < best ? 0 : *n;
			best = d;
			if (*n < MAX_GENERA)
				genus[(*n)++] = g;
		}
	}
	return best;
}

/* The closest name that is listed: in the nearest genera, or with the same epithet in another genus. */
static void find_nearest(tp_match *out, query *q)
{
	const tp_backbone *b = q->b;
	uint32_t genus[MAX_GENERA], s = find(&b->epithets, &q->species);
	size_t n;
	int off = nearest_genera(q, genus, &n), best = 2 * TP_NAME_WORD;
	q->n = 0;
	for (size_t k = 0; k < n; k++)
		nearest_in(q, genus[k], off, &best);
	if (s != UINT32_MAX && *q->species.text)
		for (uint32_t k = b->species_start[s]; k < b->species_start[s + 1]; k++) {
			const tp_row *r = &b->row[b->by_species[k]];
			int d = r->infra ? best
					 : distance_to(
						   &q->genus, &b->genera, b->genus_shape, r->genus, best - 1);
			if (d >= best)
				continue;
			best = d;
			q->n = 0;
			found(q, b->by_species[k]);
		}
	if (!q->n && n) { /* a genus without species */
		found(q, b->genus_start[genus[0]]);
		best = off;
	}
	if (!q->n)
		return;
	tp_match m = { 0 };
	choose(&m, q);
	out->nearest = m.matched;
	out->distance = best;
}

void tp_match_name(tp_match *out, const tp_backbone *b, const tp_name *given, tp_match_opts o)
{
	query q = { .b = b, .given = given, .author = given->author };
	bool infra = *given->infra, formula = given->hybrid & TP_HYBRID_FORMULA;
	bool below = infra || given->rank == TP_RANK_CULTIVAR;
	bool higher = given->rank <= TP_RANK_HIGHER;
	*out = (tp_match){ .matched = TP_NO_NAME, .accepted = TP_NO_NAME, .nearest = TP_NO_NAME };
	if (higher)
		return;
	read_word(&q.genus, given->genus, false);
	read_word(&q.species, given->species, true);
	read_word(&q.infra, given->infra, true);
	if (formula) {
		find_nearest(out, &q);
		return;
	}
	if (exact(&q, infra))
		accept(out, &q, TP_HOW_NAME, 0, below && !infra);
	else if (variant(&q, infra))
		accept(out, &q, TP_HOW_VARIANT, 0, below && !infra);
	else if (variant_with_x(&q, infra))
		accept(out, &q, TP_HOW_VARIANT, 0, below && !infra);
	else if (infra && (exact(&q, false) || variant(&q, false))) {
		bool same = exact(&q, false) || !variant(&q, false);
		int d = o.fuzzy ? fuzzy_infra(&q) : -1;
		accept(out, &q,
			d >= 0 ? TP_HOW_FUZZY
			: same ? TP_HOW_NAME
			       : TP_HOW_VARIANT,
			d < 0 ? 0 : d, d < 0);
	} else if ((!o.fuzzy || !accept_fuzzy(out, &q)) && out->nearest == TP_NO_NAME)
		find_nearest(out, &q);
}
