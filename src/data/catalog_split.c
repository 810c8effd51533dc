/* The columns of a catalog, split: see catalog_split.h. What to hold out is in catalog_hold.c. */
#include "data/catalog_split.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/catalog_split_int.h"

enum { MAX_KEYS = 6, MAX_TAXON = 1 << 26, BATCH = 4096 };

typedef struct {
	size_t cap;
	tp_split_photos p;
	int64_t *id;
	uint32_t *species;
	uint64_t *name, *key[MAX_KEYS], *author;
	uint8_t *given, *was, *excluded; /* was: what stands in the catalog, TP_SPLIT_FREE for nothing */
	float *lat, *lon;
	int *year;
	const char *key_name[MAX_KEYS];
	bool ignore_given;
} columns;

/* ---- keys ---- */

static uint64_t observation_key(const tp_catalog_photo *p)
{
	return (uint64_t)p->observation;
}

static uint64_t duplicates_key(const tp_catalog_photo *p)
{
	return (uint64_t)p->duplicates;
}

static uint64_t bytes_key(const tp_catalog_photo *p)
{
	uint64_t h = 0;
	if (p->sha256)
		memcpy(&h, p->sha256, sizeof h);
	return h;
}

static uint64_t author_key(const tp_catalog_photo *p)
{
	return (uint64_t)p->author;
}

/* "2024-05-06", and what follows: the length of a day. */
static bool has_day(const char *date)
{
	static const char form[] = "dddd-dd-dd";
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? date[i] != '-' : date[i] < '0' || date[i] > '9')
			return false;
	return true;
}

static uint64_t day_key(const tp_catalog_photo *p)
{
	char text[48];
	if (!p->author || !has_day(p->date))
		return 0;
	snprintf(text, sizeof text, "%lld %.10s", (long long)p->author, p->date);
	return tp_key_of(text);
}

static uint64_t place_key(const tp_catalog_photo *p)
{
	char text[48];
	if (isnan(p->lat) || isnan(p->lon))
		return 0;
	snprintf(text, sizeof text, "%.3f %.3f", p->lat, p->lon);
	return tp_key_of(text);
}

static const struct {
	const char *name, *by; /* in messages; asked for, NULL: always */
	uint64_t (*of)(const tp_catalog_photo *p);
} keys[MAX_KEYS] = {
	{ "observation", NULL, observation_key },
	{ "duplicates", NULL, duplicates_key },
	{ "sha256", NULL, bytes_key },
	{ "author", "author", author_key },
	{ "author and day", "day", day_key },
	{ "place", "place", place_key },
};

tp_code tp_split_by(unsigned *bits, const char *name, tp_err *err)
{
	for (unsigned k = 0; k < MAX_KEYS; k++)
		if (keys[k].by && !strcmp(keys[k].by, name)) {
			*bits |= 1u << k;
			return TP_OK;
		}
	return tp_fail(
		err, TP_EINVAL, "photos cannot be kept together by \"%.40s\"; by author, day, place", name);
}

const char *tp_split_by_name(unsigned bit)
{
	return bit < MAX_KEYS ? keys[bit].by : NULL;
}

/* ---- photos into columns ---- */

static int year_of(const char *date)
{
	for (int i = 0; i < 4; i++)
		if (date[i] < '0' || date[i] > '9')
			return 0;
	return date[4] >= '0' && date[4] <= '9' ? 0 : (int)strtol(date, NULL, 10);
}

static tp_code add_verdict(void *ud, const char *rule, int64_t photos, tp_err *err)
{
	(void)rule, (void)err;
	*(size_t *)ud += (size_t)photos;
	return TP_OK;
}

static tp_code make_room(columns *x, const tp_split_rule *r, tp_err *err)
{
	struct {
		void **slot;
		size_t size;
	} all[16] = { { (void **)&x->id, 8 }, { (void **)&x->species, 4 }, { (void **)&x->name, 8 },
		{ (void **)&x->given, 1 }, { (void **)&x->was, 1 }, { (void **)&x->excluded, 1 } };
	size_t n = 6;
	for (unsigned k = 0; k < MAX_KEYS; k++)
		if (!keys[k].by || r->by & 1u << k) {
			x->key_name[x->p.n_keys] = keys[k].name;
			all[n].slot = (void **)&x->key[x->p.n_keys++];
			all[n++].size = 8;
		}
	for (size_t k = 0; k < r->n_hold; k++) {
		if (r->hold[k].kind == TP_HOLD_AUTHOR && !x->author)
			x->author = tp_alloc((x->cap + 1) * sizeof *x->author);
		if (r->hold[k].kind == TP_HOLD_YEARS && !x->year)
			x->year = tp_alloc((x->cap + 1) * sizeof *x->year);
		if (r->hold[k].kind == TP_HOLD_BOX && !x->lat) {
			x->lat = tp_alloc((x->cap + 1) * sizeof *x->lat);
			x->lon = tp_alloc((x->cap + 1) * sizeof *x->lon);
		}
	}
	for (size_t i = 0; i < n; i++)
		if (!(*all[i].slot = tp_alloc((x->cap + 1) * all[i].size)))
			return tp_nomem(err, x->cap * all[i].size);
	return TP_OK;
}

static void columns_dispose(columns *x)
{
	void *all[] = { x->id, x->species, x->name, x->author, x->given, x->was, x->excluded, x->lat, x->lon,
		x->year };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		tp_free(all[i]);
	for (size_t k = 0; k < MAX_KEYS; k++)
		tp_free(x->key[k]);
	*x = (columns){ 0 };
}

static tp_code add_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	columns *x = ud;
	size_t i = x->p.n, k = 0;
	if (p->taxon <= 0 || p->taxon >= MAX_TAXON)
		return tp_fail(
			err, TP_ELIMIT, "photo %lld: taxon %lld", (long long)p->id, (long long)p->taxon);
	if (i == x->cap)
		return tp_fail(err, TP_EBUSY, "the catalog has grown meanwhile");
	x->id[i] = p->id;
	x->species[i] = (uint32_t)p->taxon;
	x->name[i] = tp_key_of(*p->path ? p->path : p->url);
	for (unsigned j = 0; j < MAX_KEYS; j++)
		if (k < x->p.n_keys && x->key_name[k] == keys[j].name)
			x->key[k++][i] = keys[j].of(p);
	x->excluded[i] = p->excluded != NULL;
	x->given[i] = p->given < 0 || x->ignore_given ? TP_SPLIT_FREE : (uint8_t)p->given;
	x->was[i] = p->split < 0 ? TP_SPLIT_FREE : (uint8_t)p->split;
	if (x->author)
		x->author[i] = (uint64_t)p->author;
	if (x->year)
		x->year[i] = year_of(p->date);
	if (x->lat && x->lon) {
		x->lat[i] = (float)p->lat;
		x->lon[i] = (float)p->lon;
	}
	x->p.n_species = (size_t)p->taxon >= x->p.n_species ? (size_t)p->taxon + 1 : x->p.n_species;
	x->p.n++;
	return TP_OK;
}

static tp_code load(columns *x, tp_catalog *c, const tp_split_rule *r, tp_err *err)
{
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	tp_code rc = tp_catalog_each_verdict(c, add_verdict, &x->cap, err);
	if (!rc)
		rc = make_room(x, r, err);
	if (!rc)
		rc = tp_catalog_each_photo(c, &all, add_photo, x, err);
	for (size_t k = 0; k < r->n_hold; k++) /* a species that every photo of has another taxon now */
		if (r->hold[k].kind == TP_HOLD_SPECIES && r->hold[k].key >= x->p.n_species)
			x->p.n_species = (size_t)r->hold[k].key + 1;
	x->p.species = x->species;
	x->p.name = x->name;
	x->p.keys = (const uint64_t *const *)x->key;
	x->p.key_names = x->key_name;
	x->p.given = x->given;
	x->p.excluded = x->excluded;
	x->p.lat = x->lat;
	x->p.lon = x->lon;
	x->p.year = x->year;
	x->p.author = x->author;
	return rc;
}

/* ---- splitting ---- */

static tp_code write_changed(tp_catalog *c, const columns *x, const uint8_t *split, const tp_split_rule *r,
	size_t *changed, tp_err *err)
{
	static const int column[] = { TP_SET_SPLIT };
	int64_t id[BATCH];
	tp_catalog_value value[BATCH];
	char *rule = NULL;
	size_t n = 0;
	tp_code rc = tp_split_rule_text(&rule, r, err);
	if (!rc)
		rc = tp_catalog_begin(c, err);
	if (rc) {
		tp_free(rule);
		return rc;
	}
	for (size_t i = 0; i < x->p.n && !rc; i++) {
		if (split[i] != x->was[i]) {
			id[n] = x->id[i];
			value[n++] = (tp_catalog_value){ .kind = TP_VALUE_INT, .i = split[i] };
			++*changed;
		}
		if (n == BATCH || (n && i + 1 == x->p.n)) {
			rc = tp_catalog_set(c, column, 1, id, n, value, err);
			n = 0;
		}
	}
	if (!rc)
		rc = tp_catalog_set_fact(c, TP_SPLIT_FACT, rule, err);
	if (!rc)
		rc = tp_catalog_commit(c, err);
	if (rc)
		tp_catalog_rollback(c);
	tp_free(rule);
	return rc;
}

static tp_code count_species(tp_catalog_splitted *out, const columns *x, const uint8_t *split, tp_err *err)
{
	uint8_t *has = tp_calloc(x->p.n_species + 1, 1);
	if (!has)
		return tp_nomem(err, x->p.n_species);
	for (size_t i = 0; i < x->p.n; i++) {
		out->excluded += x->excluded[i];
		if (!x->excluded[i])
			has[x->species[i]] |= (uint8_t)(1u << split[i]);
	}
	out->kept = x->p.n - out->excluded;
	for (size_t s = 0; s < x->p.n_species; s++) {
		if (!(has[s] & ~(1u << TP_HELD_OUT)))
			continue;
		out->species++;
		out->no_test += !(has[s] & 1u << TP_TEST);
		out->no_val += !(has[s] & 1u << TP_VAL);
		out->no_train += !(has[s] & 1u << TP_TRAIN);
	}
	tp_free(has);
	return TP_OK;
}

static tp_code name_worst(void *ud, const tp_catalog_taxon *t, tp_err *err)
{
	tp_catalog_splitted *out = ud;
	(void)err;
	if (t->id == (int64_t)out->split.worst)
		snprintf(out->worst, sizeof out->worst, "%s", t->name);
	return TP_OK;
}

static tp_code deal(tp_catalog_splitted *out, tp_catalog *c, const tp_catalog_split_opts *o,
	const tp_split_rule *r, tp_err *err)
{
	columns x = { .ignore_given = o->ignore_given };
	const tp_split_opts so = { o->val, o->test, o->seed, r->hold, r->n_hold };
	uint8_t *split = NULL;
	tp_code rc = load(&x, c, r, err);
	if (!rc && !(split = tp_alloc(x.p.n + 1)))
		rc = tp_nomem(err, x.p.n);
	if (!rc)
		rc = tp_split_groups(split, &x.p, &so, &out->split, err);
	if (!rc)
		rc = count_species(out, &x, split, err);
	if (!rc && out->split.max_off_share > 0)
		rc = tp_catalog_each_taxon(c, name_worst, out, err);
	if (!rc)
		rc = write_changed(c, &x, split, r, &out->changed, err);
	tp_free(split);
	columns_dispose(&x);
	return rc;
}

tp_code tp_catalog_split(tp_catalog_splitted *out, tp_catalog *c, const tp_catalog_split_opts *o, tp_err *err)
{
	tp_split_rule r = { 0 };
	tp_catalog_split_opts again = *o;
	*out = (tp_catalog_splitted){ 0 };
	tp_code rc = tp_split_rule_read(&r, c, o, err);
	if (!rc)
		rc = deal(out, c, o, &r, err);
	tp_split_rule_dispose(&r);
	if (rc)
		return rc;
	/* what was written is read again: the test must not believe what the splitting thought */
	again.n_by = again.n_hold_out = 0;
	again.unknown = NULL;
	return tp_catalog_split_check(&out->leaks, c, &again, err);
}

/* ---- the leak test ---- */

typedef struct {
	char text[160];
} photo_name;

static tp_code name_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	photo_name *x = ud;
	(void)err;
	snprintf(x->text, sizeof x->text, "%lld (%s)", (long long)p->id, *p->path ? p->path : p->url);
	return TP_OK;
}

static tp_code tell(
	tp_catalog *c, const columns *x, const tp_leak *leak, const tp_catalog_split_opts *o, tp_err *err)
{
	photo_name name[2] = { 0 };
	char text[512];
	tp_code rc = TP_OK;
	for (int k = 0; k < 2 && !rc; k++) {
		tp_catalog_filter f = TP_CATALOG_FILTER_INIT;
		f.after = x->id[k ? leak->b : leak->a] - 1;
		f.limit = 1;
		rc = tp_catalog_each_photo(c, &f, name_photo, &name[k], err);
	}
	tp_leak_text_of(text, sizeof text, leak, &x->p, name[0].text, name[1].text);
	if (!rc)
		o->leak(o->ud, text);
	return rc;
}

/* What is used: decided, or else given. */
static tp_code effective(columns *x, tp_err *err)
{
	size_t none = 0;
	for (size_t i = 0; i < x->p.n; i++) {
		if (x->was[i] == TP_SPLIT_FREE)
			x->was[i] = x->given[i];
		none += !x->excluded[i] && x->was[i] == TP_SPLIT_FREE;
	}
	return none ? tp_fail(err, TP_EINVAL, "%zu of %zu photos have no split: they were not split yet",
			      none, x->p.n)
		    : TP_OK;
}

tp_code tp_catalog_split_check(size_t *leaks, tp_catalog *c, const tp_catalog_split_opts *o, tp_err *err)
{
	tp_split_rule r = { 0 };
	columns x = { 0 };
	tp_leak first[TP_LEAKS_TOLD];
	*leaks = 0;
	tp_code rc = tp_split_rule_recorded(&r, c, err);
	if (!rc)
		rc = tp_split_rule_read(&r, c, o, err);
	if (!rc)
		rc = load(&x, c, &r, err);
	if (!rc)
		rc = effective(&x, err);
	const tp_split_opts so = { .hold = r.hold, .n_hold = r.n_hold };
	if (!rc)
		rc = tp_split_check(leaks, first, TP_LEAKS_TOLD, x.was, &x.p, &so, err);
	for (size_t i = 0; i < *leaks && i < TP_LEAKS_TOLD && o->leak && !rc; i++)
		rc = tell(c, &x, &first[i], o, err);
	columns_dispose(&x);
	tp_split_rule_dispose(&r);
	return rc;
}
