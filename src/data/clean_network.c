/* What a network has to say: of copies, of pictures without a plant, of labels that are probably wrong. See clean.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/clean_int.h"
#include "data/confident.h"
#include "data/data_int.h"
#include "data/split_groups.h"

enum { FOLDS = 5 };
static const uint64_t MAX_PROBABILITIES = (uint64_t)8 << 30; /* bytes */

/* ---- the photos it looks at ---- */

typedef struct {
	tp_clean_work *w;
	const uint8_t *wanted;
	tp_clean_roots roots;
	tp_manifest m;
	size_t at, cap;
} listing;

static tp_code room(listing *l, tp_err *err)
{
	if (l->m.n_photos < l->cap)
		return TP_OK;
	size_t cap = l->cap ? 2 * l->cap : 1024;
	tp_photo *p = tp_realloc(l->m.photos, cap * sizeof *p);
	if (!p)
		return tp_nomem(err, cap * sizeof *p);
	l->m.photos = p;
	l->cap = cap;
	return TP_OK;
}

/* Paths from the root of the disk, as a catalog's manifest has them: train then finds the same features. */
static tp_code one_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	listing *l = ud;
	size_t i = l->at++, root;
	const char *rel;
	if (!l->wanted[i] || !tp_clean_place(&root, &rel, p) || root >= l->roots.n || !l->roots.text[root])
		return TP_OK;
	const char *dir = l->roots.text[root];
	size_t len = strlen(dir) + strlen(rel) + 2;
	tp_code rc = room(l, err);
	char *path = rc ? NULL : tp_alloc(len);
	if (!path)
		return rc ? rc : tp_nomem(err, len);
	snprintf(path, len, "%s%s%s", dir + 1, dir[1] ? "/" : "", rel);
	l->w->seen[i] = (uint32_t)l->m.n_photos;
	l->m.photos[l->m.n_photos++] = (tp_photo){ .path = path };
	return TP_OK;
}

static tp_code show(tp_clean_work *w, const uint8_t *wanted, tp_err *err)
{
	static char root[] = "/";
	listing l = { .w = w, .wanted = wanted, .m = { .root = root } };
	tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	tp_code rc = tp_clean_roots_load(&l.roots, w->c, w->dir, err);
	memset(w->seen, 0xff, w->n * sizeof *w->seen);
	if (!rc)
		rc = tp_catalog_each_photo(w->c, &all, one_photo, &l, err);
	w->sum->looked = (int64_t)l.m.n_photos;
	if (!rc && l.m.n_photos)
		rc = w->o->network->look(w->o->network->ud, &l.m, err);
	for (size_t i = 0; i < l.m.n_photos; i++)
		tp_free(l.m.photos[i].path);
	tp_free(l.m.photos);
	tp_clean_roots_free(&l.roots);
	return rc;
}

static bool has(const tp_clean_work *w, size_t i)
{
	const tp_clean_network *net = w->o->network;
	return w->seen[i] != TP_CLEAN_NONE && net->has(net->ud, w->seen[i]);
}

/* Every photo when each is to be judged, else those that are near another. */
static tp_code ask(tp_clean_work *w, const tp_clean_near *near, tp_err *err)
{
	const tp_clean_network *net = w->o->network;
	const bool *on = w->o->rules.on;
	uint8_t *wanted = tp_calloc(w->n + 1, 1);
	w->seen = tp_alloc((w->n + 1) * sizeof *w->seen);
	if (!wanted || !w->seen) {
		tp_free(wanted);
		return tp_nomem(err, (w->n + 1) * sizeof *w->seen);
	}
	tp_clean_near_wanted(wanted, near);
	for (size_t i = 0; i < w->n; i++)
		wanted[i] = w->p[i].readable &&
			    (wanted[i] || on[TP_RULE_LABEL] || (on[TP_RULE_NOT_PLANT] && net->background));
	tp_code rc = show(w, wanted, err);
	tp_free(wanted);
	for (size_t i = 0; i < w->n && net->background && !rc; i++)
		if (has(w, i)) {
			w->p[i].background = net->background(net->ud, w->seen[i]);
			w->p[i].is_new = true;
		}
	return rc;
}

tp_code tp_clean_look(tp_clean_work *w, const tp_clean_near *near, tp_err *err)
{
	tp_code rc = w->o->network ? ask(w, near, err) : TP_OK;
	for (size_t i = 0; i < w->n && !rc; i++)
		if (w->p[i].background > w->o->rules.threshold[TP_RULE_NOT_PLANT]) /* false when not known */
			rc = tp_clean_note(
				w, TP_RULE_NOT_PLANT, (uint32_t)i, w->p[i].background, TP_CLEAN_NONE, err);
	return rc;
}

/* ---- labels ---- */

/* A photo, and what it shares with others that must not be in another fold: one plant has one label, and copies are one
 * picture. */
typedef struct {
	uint64_t key;
	uint32_t taxon, photo;
} labelled;

typedef struct {
	labelled *v;
	size_t n, classes;
	uint32_t *photo, *label; /* photo: as the network counts them */
	uint8_t *fold;
} exam;

static int by_taxon(const void *a, const void *b)
{
	const labelled *x = a, *y = b;
	if (x->taxon != y->taxon)
		return x->taxon < y->taxon ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->photo < y->photo ? -1 : x->photo > y->photo;
}

static uint64_t key_of(tp_clean_work *w, size_t i)
{
	char text[32];
	const tp_clean_photo *p = &w->p[i];
	if (p->observation)
		snprintf(text, sizeof text, "o%u", (unsigned)p->observation);
	else
		snprintf(text, sizeof text, "p%u", (unsigned)i);
	return tp_key_of(text);
}

/* Groups are dealt to the folds in turn, in the order of their keys, which are hashes: as good as at random, and the same
 * in every run. A species with fewer groups than folds is left out: in some fold nobody would have taught it. */
static void deal(exam *x)
{
	size_t kept = 0;
	for (size_t i = 0, end; i < x->n; i = end) {
		size_t groups = 0;
		for (end = i; end < x->n && x->v[end].taxon == x->v[i].taxon; end++)
			groups += end == i || x->v[end].key != x->v[end - 1].key;
		size_t group = SIZE_MAX;
		uint64_t last = 0;
		for (size_t k = i; k < end && groups >= FOLDS; k++) {
			labelled one = x->v[k];
			group += k == i || one.key != last;
			last = one.key;
			x->fold[kept] = (uint8_t)((group + x->classes) % FOLDS);
			x->label[kept] = (uint32_t)x->classes;
			x->v[kept++] = one;
		}
		x->classes += groups >= FOLDS;
	}
	x->n = kept;
}

static tp_code make_exam(exam *x, tp_clean_work *w, tp_err *err)
{
	x->v = tp_alloc((w->n + 1) * sizeof *x->v);
	x->photo = tp_alloc((w->n + 1) * sizeof *x->photo);
	x->label = tp_alloc((w->n + 1) * sizeof *x->label);
	x->fold = tp_alloc(w->n + 1);
	if (!x->v || !x->photo || !x->label || !x->fold)
		return tp_nomem(err, w->n * sizeof *x->v);
	for (size_t i = 0; i < w->n; i++)
		if (tp_clean_is_good(&w->p[i]) && has(w, i))
			x->v[x->n++] = (labelled){ key_of(w, i), w->p[i].taxon, (uint32_t)i };
	if (x->n)
		qsort(x->v, x->n, sizeof *x->v, by_taxon);
	deal(x);
	for (size_t i = 0; i < x->n; i++)
		x->photo[i] = w->seen[x->v[i].photo];
	return TP_OK;
}

/* Doubt is the margin turned into 0..1, for those whose label confident learning takes for wrong. */
static void take_doubts(tp_clean_work *w, const exam *x, const tp_confident *c)
{
	for (size_t i = 0; i < x->n; i++) {
		w->p[x->v[i].photo].doubt = 0;
		w->p[x->v[i].photo].is_new = true;
	}
	for (size_t i = 0; i < c->n_doubts; i++)
		w->p[x->v[c->doubts[i].item].photo].doubt = (1 - c->doubts[i].margin) / 2;
}

static tp_code examine(tp_clean_work *w, const exam *x, tp_err *err)
{
	const tp_clean_network *net = w->o->network;
	tp_confident c = { 0 };
	if (x->classes < 2)
		return TP_OK;
	if ((uint64_t)x->n * x->classes > MAX_PROBABILITIES / sizeof(float))
		return tp_fail(err, TP_ELIMIT,
			"rule label: %zu photos of %zu species need more than %llu GiB of probabilities; "
			"--no-rule "
			"label does without",
			x->n, x->classes, (unsigned long long)(MAX_PROBABILITIES >> 30));
	float *p = tp_alloc(x->n * x->classes * sizeof *p);
	tp_code rc = p ? TP_OK : tp_nomem(err, x->n * x->classes * sizeof *p);
	if (!rc)
		rc = net->predict(net->ud, p, x->photo, x->label, x->fold, x->n, x->classes, FOLDS, err);
	if (!rc)
		rc = tp_confident_learn(&c, p, x->label, x->n, x->classes, err);
	if (!rc) {
		w->sum->judged = (int64_t)x->n;
		take_doubts(w, x, &c);
	}
	tp_confident_free(&c);
	tp_free(p);
	return rc;
}

static tp_code judge_labels(tp_clean_work *w, tp_err *err)
{
	exam x = { 0 };
	for (size_t i = 0; i < w->n; i++) { /* what was said of it is of another time */
		w->p[i].is_new = w->p[i].is_new || !isnan(w->p[i].doubt);
		w->p[i].doubt = NAN;
	}
	tp_code rc = make_exam(&x, w, err);
	if (!rc)
		rc = examine(w, &x, err);
	tp_free(x.v);
	tp_free(x.photo);
	tp_free(x.label);
	tp_free(x.fold);
	return rc;
}

tp_code tp_clean_labels(tp_clean_work *w, tp_err *err)
{
	tp_code rc = w->o->network && w->o->rules.on[TP_RULE_LABEL] ? judge_labels(w, err) : TP_OK;
	for (size_t i = 0; i < w->n && !rc; i++) {
		float margin = 1 - 2 * w->p[i].doubt;
		if (w->p[i].doubt > 0 && margin <= w->o->rules.threshold[TP_RULE_LABEL])
			rc = tp_clean_note(w, TP_RULE_LABEL, (uint32_t)i, margin, TP_CLEAN_NONE, err);
	}
	return rc;
}
