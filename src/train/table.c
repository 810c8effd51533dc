/* Tables of samples and the report over them: see table.h. */
#include "train/table.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

tp_code tp_table_make(tp_table *t, const tp_manifest *m, const tp_features *f, tp_split split,
	const int *class_of, int classes, tp_err *err)
{
	size_t n = 0, dim = (size_t)f->dim;
	float *x = tp_alloc_aligned(m->n_photos * dim * sizeof *x);
	int *y = tp_calloc(m->n_photos, sizeof *y);
	*t = (tp_table){ .photo = tp_calloc(m->n_photos, sizeof(size_t)) };
	t->s = (tp_samples){ .x = x, .y = y, .dim = f->dim, .classes = classes };
	if (!x || !y || !t->photo) {
		tp_table_free(t);
		return tp_nomem(err, m->n_photos * dim * sizeof *x);
	}
	for (size_t i = 0; i < m->n_photos; i++) {
		int c = class_of ? class_of[m->photos[i].species] : m->photos[i].species;
		if (m->photos[i].split != split || f->state[i] != TP_FEATURE_DONE || c < 0)
			continue;
		memcpy(x + n * dim, f->v + i * dim, dim * sizeof *x);
		y[n] = c;
		t->photo[n++] = i;
	}
	t->s.n = n;
	return TP_OK;
}

void tp_table_free(tp_table *t)
{
	tp_free_aligned((void *)(uintptr_t)t->s.x);
	tp_free((void *)(uintptr_t)t->s.y);
	tp_free(t->photo);
	*t = (tp_table){ 0 };
}

static const char *group_of(const tp_photo *p, bool organ)
{
	return organ ? p->organ : p->source;
}

static void line(const char *what, const char *name, const tp_metrics *m)
{
	printf("  %-22s %-12s %6zu   %5.1f %%  (%.1f to %.1f)   %5.1f %%   %5.1f %%\n", what, name, m->n,
		100 * m->top1, 100 * m->low, 100 * m->high, 100 * m->top5, 100 * m->macro_top1);
}

typedef struct {
	const tp_manifest *m;
	const tp_table *t;
	const float *scores;
	float *part; /* scores of one group */
	int *y;
	uint8_t *allowed;
} reporter;

static void group(const reporter *r, const char *name, bool organ, bool restricted)
{
	size_t n = 0, classes = (size_t)r->t->s.classes;
	memset(r->allowed, 0, classes);
	for (size_t i = 0; i < r->t->s.n; i++) {
		if (strcmp(group_of(&r->m->photos[r->t->photo[i]], organ), name) != 0)
			continue;
		memcpy(r->part + n * classes, r->scores + i * classes, classes * sizeof(float));
		r->y[n++] = r->t->s.y[i];
		r->allowed[r->t->s.y[i]] = 1;
	}
	tp_metrics out;
	tp_measure(&out, r->part, r->y, n, r->t->s.classes, restricted ? r->allowed : NULL);
	line(restricted ? "only its species, of" : organ ? "organ" : "source", name, &out);
}

/* Each different value of the field once, in order of first sight; nothing when there is only one. */
static void groups(const reporter *r, bool organ, bool restricted)
{
	const char *seen[64];
	int n = 0;
	for (size_t i = 0; i < r->t->s.n && n < 64; i++) {
		const char *g = group_of(&r->m->photos[r->t->photo[i]], organ);
		int k = 0;
		while (k < n && strcmp(seen[k], g) != 0)
			k++;
		if (k == n)
			seen[n++] = g;
	}
	for (int k = 0; k < n && n > 1; k++)
		group(r, seen[k], organ, restricted);
}

tp_code tp_print_report(const tp_manifest *m, const tp_table *t, const float *scores, tp_err *err)
{
	size_t classes = (size_t)t->s.classes;
	reporter r = { .m = m, .t = t, .scores = scores };
	tp_metrics all;
	r.part = tp_alloc_aligned(t->s.n * classes * sizeof(float));
	r.y = tp_calloc(t->s.n, sizeof *r.y);
	r.allowed = tp_calloc(classes, 1);
	tp_code rc = r.part && r.y && r.allowed ? TP_OK : tp_nomem(err, t->s.n * classes * sizeof(float));
	if (!rc) {
		tp_measure(&all, scores, t->s.y, t->s.n, t->s.classes, NULL);
		printf("  %-22s %-12s %6s   %7s  %-16s %7s   %7s\n", "", "", "photos", "top-1",
			"(95 % interval)", "top-5", "macro");
		line("all", "", &all);
		groups(&r, true, false);
		groups(&r, false, false);
		groups(&r, false, true);
		printf("  log-loss %.3f, calibration error %.3f\n", all.nll, all.ece);
	}
	tp_free_aligned(r.part);
	tp_free(r.y);
	tp_free(r.allowed);
	return rc;
}
