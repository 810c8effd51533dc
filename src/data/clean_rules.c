/* The rules that need no other photo, the one that counts them, and which of all decides: see clean.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/clean_int.h"
#include "data/unite.h"

int tp_rule_named(const char *name)
{
	for (int i = 0; i < TP_RULES; i++)
		if (!strcmp(tp_rules[i].name, name))
			return i;
	return -1;
}

bool tp_clean_is_good(const tp_clean_photo *p)
{
	return !p->hit && !p->other;
}

tp_code tp_clean_note(
	tp_clean_work *w, tp_rule_id rule, uint32_t photo, float value, uint32_t other, tp_err *err)
{
	tp_clean_photo *p = &w->p[photo];
	if (!w->o->rules.on[rule] || p->hit >> rule & 1)
		return TP_OK;
	if (w->n_f == w->cap_f) {
		size_t cap = w->cap_f ? 2 * w->cap_f : 4096;
		tp_clean_finding *f = tp_realloc(w->f, cap * sizeof *f);
		if (!f)
			return tp_nomem(err, cap * sizeof *f);
		w->f = f;
		w->cap_f = cap;
	}
	p->hit |= UINT32_C(1) << rule;
	w->f[w->n_f++] = (tp_clean_finding){ photo, other, value, (uint8_t)rule };
	w->sum->rule[rule].found++;
	return TP_OK;
}

/* ---- loading ---- */

/* The number of a reason that no rule has; 1 and up. */
static tp_code other_reason(tp_clean_work *w, const char *text, uint8_t *out, tp_err *err)
{
	int i = 1;
	while (i <= w->n_reasons && strcmp(w->reason[i], text) != 0)
		i++;
	if (i > TP_CLEAN_REASONS)
		return tp_fail(err, TP_ELIMIT,
			"photos are excluded for more than %d reasons besides the rules", TP_CLEAN_REASONS);
	if (i > w->n_reasons)
		snprintf(w->reason[w->n_reasons = i], sizeof *w->reason, "%s", text);
	*out = (uint8_t)i;
	return TP_OK;
}

static tp_measures measures_of(const tp_catalog_photo *p)
{
	int b = p->width > p->height ? p->width : p->height, s = p->width < p->height ? p->width : p->height;
	return (tp_measures){ .w = p->width,
		.h = p->height,
		.aspect = s > 0 ? (float)b / (float)s : 1,
		.brightness = (float)(p->measure[TP_BRIGHTNESS] * 255),
		.contrast = (float)(p->measure[TP_CONTRAST] * 255),
		.sharpness = (float)p->measure[TP_SHARPNESS],
		.text = (float)p->measure[TP_TEXT_SHARE],
		.flat = (float)p->measure[TP_FLAT_SHARE] };
}

static float value_of(tp_rule_id rule, const tp_measures *m)
{
	switch (rule) {
	case TP_RULE_SMALL:
		return (float)(m->w < m->h ? m->w : m->h);
	case TP_RULE_ASPECT:
		return m->aspect;
	case TP_RULE_DARK:
	case TP_RULE_BRIGHT:
		return m->brightness;
	case TP_RULE_CONTRAST:
		return m->contrast;
	case TP_RULE_BLURRED:
		return m->sharpness;
	case TP_RULE_TEXT:
		return m->text;
	case TP_RULE_SYNTHETIC:
		return m->flat;
	default:
		return NAN;
	}
}

static tp_code ask_measured(tp_clean_work *w, uint32_t i, const tp_catalog_photo *from, tp_err *err)
{
	tp_measures m = measures_of(from);
	unsigned hit = tp_rules_measured(&w->o->rules, &m);
	tp_code rc = TP_OK;
	for (int r = 0; r < TP_RULES && !rc; r++)
		if (hit >> r & 1)
			rc = tp_clean_note(
				w, (tp_rule_id)r, i, value_of((tp_rule_id)r, &m), TP_CLEAN_NONE, err);
	return rc;
}

static tp_code ask_own(tp_clean_work *w, uint32_t i, const tp_catalog_photo *from, tp_err *err)
{
	size_t root;
	const char *rel;
	tp_clean_photo *p = &w->p[i];
	tp_code rc = TP_OK;
	if (from->no_train)
		rc = tp_clean_note(w, TP_RULE_FLAGGED, i, NAN, TP_CLEAN_NONE, err);
	if (rc)
		return rc;
	if (!tp_clean_place(&root, &rel, from))
		return tp_clean_note(w, TP_RULE_NOT_FETCHED, i, NAN, TP_CLEAN_NONE, err);
	if (!p->readable)
		return tp_clean_note(w, TP_RULE_UNREADABLE, i, NAN, TP_CLEAN_NONE, err);
	return ask_measured(w, i, from, err);
}

static uint32_t narrow(int64_t v)
{
	return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static tp_code room(tp_clean_work *w, tp_err *err)
{
	if (w->n < w->cap)
		return TP_OK;
	size_t cap = w->cap ? w->cap + w->cap / 2 : 4096;
	tp_clean_photo *p = w->n < UINT32_MAX - 1 ? tp_realloc(w->p, cap * sizeof *p) : NULL;
	if (!p)
		return w->n < UINT32_MAX - 1 ? tp_nomem(err, cap * sizeof *p)
					     : tp_fail(err, TP_ELIMIT, "more than %u photos", UINT32_MAX - 1);
	w->p = p;
	w->cap = cap;
	return TP_OK;
}

static tp_code was_excluded(tp_clean_work *w, tp_clean_photo *p, const char *reason, tp_err *err)
{
	int rule = reason ? tp_rule_named(reason) : -1;
	p->was = rule >= 0 ? (uint8_t)rule : TP_CLEAN_KEPT;
	if (!reason || rule >= 0)
		return TP_OK;
	tp_code rc = other_reason(w, reason, &p->other, err);
	p->was = (uint8_t)(TP_CLEAN_OTHERS + p->other);
	return rc;
}

static tp_code one_photo(void *ud, const tp_catalog_photo *from, tp_err *err)
{
	tp_clean_work *w = ud;
	tp_code rc = room(w, err);
	if (!rc && (from->taxon < 0 || from->taxon > TP_MAX_CLASSES))
		rc = tp_fail(err, TP_ELIMIT, "photo %lld: species %lld; at most %d can be",
			(long long)from->id, (long long)from->taxon, TP_MAX_CLASSES);
	if (rc)
		return rc;
	uint32_t i = (uint32_t)w->n++;
	tp_clean_photo *p = &w->p[i];
	*p = (tp_clean_photo){ .id = from->id,
		.was_group = from->duplicates,
		.taxon = (uint32_t)from->taxon,
		.observation = narrow(from->observation),
		.doubt = (float)from->measure[TP_DOUBT],
		.background = (float)from->measure[TP_BACKGROUND],
		.now = TP_CLEAN_KEPT,
		.readable = !*from->broken && from->has_phash };
	if (p->readable) {
		p->hash = from->phash;
		p->pixels = narrow((int64_t)from->width * from->height);
		p->bytes = narrow(from->bytes);
		if (from->sha256)
			memcpy(p->sha, from->sha256, sizeof p->sha);
	}
	rc = was_excluded(w, p, from->excluded, err);
	return rc ? rc : ask_own(w, i, from, err);
}

/* An import that came across a second name after a rule had decided could not say so in `excluded`. */
static tp_code one_two_names(void *ud, const tp_catalog_finding *f, tp_err *err)
{
	tp_clean_work *w = ud;
	size_t lo = 0, hi = w->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (w->p[mid].id < f->photo)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < w->n && w->p[lo].id == f->photo ? other_reason(w, TP_RULE_TWO_NAMES, &w->p[lo].other, err)
						    : TP_OK;
}

tp_code tp_clean_load(tp_clean_work *w, tp_err *err)
{
	tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	tp_code rc = tp_catalog_each_photo(w->c, &all, one_photo, w, err);
	if (!rc)
		rc = tp_catalog_each_finding(w->c, TP_RULE_TWO_NAMES, one_two_names, w, err);
	if (rc)
		return rc;
	w->group = tp_alloc((w->n + 1) * sizeof *w->group);
	if (!w->group)
		return tp_nomem(err, w->n * sizeof *w->group);
	tp_unite_init(w->group, w->n);
	return TP_OK;
}

/* ---- at the end ---- */

tp_code tp_clean_rare(tp_clean_work *w, tp_err *err)
{
	uint32_t *left, most = 0;
	tp_code rc = TP_OK;
	for (size_t i = 0; i < w->n; i++)
		most = w->p[i].taxon > most ? w->p[i].taxon : most;
	left = tp_calloc((size_t)most + 1, sizeof *left);
	if (!left)
		return tp_nomem(err, ((size_t)most + 1) * sizeof *left);
	for (size_t i = 0; i < w->n; i++)
		left[w->p[i].taxon] += tp_clean_is_good(&w->p[i]);
	for (size_t i = 0; i < w->n && !rc; i++) {
		uint32_t k = left[w->p[i].taxon];
		if (tp_clean_is_good(&w->p[i]) && (float)k < w->o->rules.threshold[TP_RULE_RARE])
			rc = tp_clean_note(w, TP_RULE_RARE, (uint32_t)i, (float)k, TP_CLEAN_NONE, err);
	}
	tp_free(left);
	return rc;
}

static void count_other(tp_cleaned *sum, const tp_clean_work *w, int reason)
{
	sum->n_other = w->n_reasons;
	memcpy(sum->other[reason - 1].name, w->reason[reason], sizeof *w->reason);
	sum->other[reason - 1].photos++;
}

void tp_clean_decide(tp_clean_work *w)
{
	tp_cleaned *sum = w->sum;
	for (size_t i = 0; i < w->n; i++) {
		tp_clean_photo *p = &w->p[i];
		p->now = p->other ? (uint8_t)(TP_CLEAN_OTHERS + p->other)
			 : p->hit ? (uint8_t)__builtin_ctz(p->hit) /* the first of the table */
				  : TP_CLEAN_KEPT;
		if (p->other)
			count_other(sum, w, p->other);
		else if (p->hit)
			sum->rule[p->now].decided++;
		sum->photos++;
		sum->kept += p->now == TP_CLEAN_KEPT;
		sum->changed += p->now != p->was;
	}
	sum->excluded = sum->photos - sum->kept;
}
