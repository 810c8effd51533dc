/* Which photos of each rule are shown: the most extreme where the rule has a value, else drawn by seed. See report_int.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/rng.h"
#include "data/report_int.h"

enum { LOT = 0x7265706f }; /* a use of the seed of our own */

double tp_pick_lot(uint64_t seed, int64_t photo)
{
	tp_rng r = tp_rng_stream(seed, LOT, (uint64_t)photo, 0);
	return tp_rng_unit(&r);
}

/* Which end of a rule's values is the extreme one; 0: it has none. Copies that differ most come first: among them are the
 * mistakes. */
static int direction(const tp_rule *known)
{
	static const int of[TP_RULES] = {
		[TP_RULE_NEAR_DUPLICATE] = 1,
		[TP_RULE_TURNED_DUPLICATE] = 1,
		[TP_RULE_TWO_SPECIES] = 1,
		[TP_RULE_SMALL] = -1,
		[TP_RULE_ASPECT] = 1,
		[TP_RULE_DARK] = -1,
		[TP_RULE_BRIGHT] = 1,
		[TP_RULE_CONTRAST] = -1,
		[TP_RULE_BLURRED] = -1,
		[TP_RULE_TEXT] = 1,
		[TP_RULE_SYNTHETIC] = 1,
		[TP_RULE_NOT_PLANT] = 1,
		[TP_RULE_LABEL] = -1,
		[TP_RULE_RARE] = -1,
	};
	return known ? of[known - tp_rules] : 0;
}

typedef struct {
	const tp_excluded *x;
	size_t at; /* in x; findings come in the order of photos too */
	size_t verdict;
	tp_verdict *v;
	int direction;
	uint64_t seed, seen;
	tp_best_item best; /* of the photo being read; id 0: none yet */
} picking;

static void take(picking *p)
{
	if (p->best.id)
		tp_best_add(&p->v->shown, p->best);
	p->best.id = 0;
}

static tp_code one_finding(void *ud, const tp_catalog_finding *f, tp_err *err)
{
	picking *p = ud;
	const tp_excluded *x = p->x;
	tp_code rc = ++p->seen % 4096 ? TP_OK : tp_cancel_check(err);
	p->v->pairs |= f->other > 0;
	if (f->value >= 0 && f->value <= TP_MOST_BITS && f->value == floor(f->value))
		p->v->bits[(int)f->value]++;
	while (p->at < x->n && x->id[p->at] < f->photo)
		p->at++;
	if (rc || p->at == x->n || x->id[p->at] != f->photo || x->verdict[p->at] != p->verdict)
		return rc; /* another rule decided */
	const tp_best_item item = {
		.key = !p->direction     ? 0
		       : isnan(f->value) ? INFINITY
					 : -p->direction * f->value,
		.lot = tp_pick_lot(p->seed, f->photo),
		.id = f->photo,
		.value = f->value,
		.other = f->other,
	};
	if (p->best.id != f->photo)
		take(p);
	if (!p->best.id || item.key < p->best.key)
		p->best = item;
	return TP_OK;
}

/* Those of which no finding tells, as long as there is room. */
static void fill_up(tp_verdict *v)
{
	size_t found = v->shown.n;
	tp_best_sort(&v->shown);
	tp_best_sort(&v->lots);
	for (size_t i = 0; i < v->lots.n && v->shown.n < v->shown.k; i++) {
		bool there = false;
		for (size_t k = 0; k < found; k++)
			there |= v->shown.v[k].id == v->lots.v[i].id;
		if (!there)
			v->shown.v[v->shown.n++] = v->lots.v[i];
	}
}

typedef struct {
	tp_tally *t;
	size_t sheet;
} hitting;

static tp_code one_rule(void *ud, const char *rule, int64_t photos, tp_err *err)
{
	hitting *h = ud;
	tp_verdict *v = NULL;
	tp_code rc = *rule ? tp_tally_verdict(&v, h->t, rule, h->sheet, err) : TP_OK;
	if (!rc && v)
		v->found = (uint64_t)photos;
	return rc;
}

tp_code tp_pick_found(
	tp_tally *t, tp_catalog *c, const tp_excluded *x, const tp_data_report_opts *o, tp_err *err)
{
	hitting h = { t, (size_t)o->sheet };
	tp_code rc = tp_catalog_each_rule(c, one_rule, &h, err);
	for (size_t i = 1; i < t->n_verdicts && !rc; i++) {
		tp_verdict *v = &t->verdict[i];
		picking p = {
			.x = x, .verdict = i, .v = v, .direction = direction(v->known), .seed = o->seed
		};
		if (v->found)
			rc = tp_catalog_each_finding(c, v->rule, one_finding, &p, err);
		take(&p);
	}
	for (size_t i = 0; i < t->n_verdicts && !rc; i++)
		fill_up(&t->verdict[i]);
	return rc;
}
