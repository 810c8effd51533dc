/* How long the report of a large catalog takes: report_bench DIR fill makes up measures and verdicts for the photos of a
 * catalog (catalog_bench makes one), report_bench DIR OUT.html writes the report and prints seconds and the most memory used.
 * No pixels: all thumbnails are placeholders. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "data/catalog.h"
#include "data/report.h"

typedef struct {
	int64_t *id;
	size_t n, cap;
} ids;

static tp_code one(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	ids *x = ud;
	if (x->n == x->cap) {
		x->cap = x->cap ? 2 * x->cap : 1024;
		x->id = tp_realloc(x->id, x->cap * sizeof *x->id);
		if (!x->id)
			return tp_nomem(err, x->cap * sizeof *x->id);
	}
	x->id[x->n++] = p->id;
	return TP_OK;
}

/* One photo in seven is left out, for one of eight reasons, half of them as copies of another. */
static tp_code fill_one(tp_catalog *c, int64_t id, tp_rng *r, tp_err *err)
{
	static const char *const rules[] = { "near-duplicate", "near-duplicate", "near-duplicate",
		"near-duplicate", "exact-duplicate", "blurred", "dark", "small" };
	static const int column[] = { TP_SET_WIDTH, TP_SET_HEIGHT, TP_SET_PHASH,
		TP_SET_MEASURE + TP_BRIGHTNESS, TP_SET_MEASURE + TP_CONTRAST, TP_SET_MEASURE + TP_SHARPNESS,
		TP_SET_EXCLUDED };
	const char *rule = tp_rng_below(r, 7) ? NULL : rules[tp_rng_below(r, 8)];
	const tp_catalog_value v[] = { { TP_VALUE_INT, .i = 200 + (int64_t)tp_rng_below(r, 4000) },
		{ TP_VALUE_INT, .i = 200 + (int64_t)tp_rng_below(r, 4000) },
		{ TP_VALUE_INT, .i = (int64_t)(tp_rng_u64(r) >> 1) },
		{ TP_VALUE_NUMBER, .d = tp_rng_unit(r) }, { TP_VALUE_NUMBER, .d = tp_rng_unit(r) / 2 },
		{ TP_VALUE_NUMBER, .d = 80 * tp_rng_unit(r) },
		{ rule ? TP_VALUE_TEXT : TP_VALUE_NONE, .p = rule } };
	tp_code rc = tp_catalog_set(c, column, sizeof column / sizeof *column, &id, 1, v, err);
	const tp_catalog_finding f = { id, rule, (double)tp_rng_below(r, 7),
		rule && strstr(rule, "duplicate") && id > 1 ? id - 1 : 0 };
	return rc || !rule ? rc : tp_catalog_find(c, &f, err);
}

static tp_code fill(const char *dir, tp_err *err)
{
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	tp_catalog *c = NULL;
	ids x = { 0 };
	tp_rng r = tp_rng_seed(1);
	tp_code rc = tp_catalog_open(&c, dir, TP_CATALOG_WRITE, err);
	if (!rc)
		rc = tp_catalog_each_photo(c, &all, one, &x, err);
	if (!rc)
		rc = tp_catalog_begin(c, err);
	for (size_t i = 0; i < x.n && !rc; i++)
		rc = fill_one(c, x.id[i], &r, err);
	if (!rc)
		rc = tp_catalog_commit(c, err);
	tp_catalog_close(c);
	tp_free(x.id);
	return rc;
}

int main(int argc, char **argv)
{
	tp_err err = { 0 };
	tp_data_reported done = { 0 };
	struct rusage u;
	if (argc != 3) {
		fprintf(stderr, "usage: report_bench DIR fill|OUT.html\n");
		return 2;
	}
	tp_data_report_opts o = TP_DATA_REPORT_OPTS_INIT;
	o.catalog = argv[1];
	o.output = argv[2];
	o.quiet = true;
	double begin = tp_now();
	tp_code rc = strcmp(argv[2], "fill") ? tp_data_report(&done, &o, &err) : fill(argv[1], &err);
	if (rc) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	getrusage(RUSAGE_SELF, &u);
	printf("%lld photos, %lld kept: %.1f s, of processor %.1f s, at most %.0f MiB, a page of %.2f MiB\n",
		(long long)done.photos, (long long)done.kept, tp_now() - begin,
		(double)u.ru_utime.tv_sec + 1e-6 * (double)u.ru_utime.tv_usec, (double)u.ru_maxrss / 1024,
		(double)done.bytes / (1 << 20));
	return 0;
}
