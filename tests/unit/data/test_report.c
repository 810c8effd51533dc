/* What the report counts, against figures worked out by hand, and what it does where things are missing or hostile. How
 * the page looks and reads: e2e/data_report.test.mjs. */
#include <stdlib.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/report_int.h"
#include "report_set.h"
#include "t.h"

static char base[64], dir[128], photos[128], out[128];

static void fresh(void)
{
	snprintf(base, sizeof base, "/tmp/tepal-report-XXXXXX");
	if (!mkdtemp(base))
		abort();
	snprintf(dir, sizeof dir, "%s/set", base);
	snprintf(photos, sizeof photos, "%s/photos", base);
	snprintf(out, sizeof out, "%s/report.html", base);
}

static int clean(int result)
{
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", base);
	return system(cmd) ? 1 : result;
}

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-12;
}

/* ---- statistics ---- */

static int test_gini_by_hand(void)
{
	const uint32_t alike[] = { 4, 4, 4, 4 }, two[] = { 1, 3 }, one_has_all[] = { 0, 0, 0, 8 },
		       five[] = { 1, 2, 3, 4, 10 };
	CHECK(near(tp_gini(alike, 4), 0), "%g", tp_gini(alike, 4));
	CHECK(near(tp_gini(two, 2), 0.25), "%g", tp_gini(two, 2));
	CHECK(near(tp_gini(one_has_all, 4), 0.75), "%g", tp_gini(one_has_all, 4));
	/* mean absolute difference of the 25 pairs, 4.0, by twice the mean, 8 */
	CHECK(near(tp_gini(five, 5), 0.4), "%g", tp_gini(five, 5));
	CHECK(near(tp_gini(NULL, 0), 0), "nothing");
	CHECK(near(tp_share_of_largest(five, 5, 0.2), 0.5) && near(tp_share_of_largest(five, 5, 0.21), 0.7),
		"the largest");
	CHECK(near(tp_share_of_largest(NULL, 0, 0.5), 0), "nothing");
	return 0;
}

static uint64_t in_bins(const tp_hist *h)
{
	uint64_t n = 0;
	for (int i = 0; i < TP_HIST_BINS; i++)
		n += h->bin[i][0] + h->bin[i][1];
	return n;
}

/* Whatever scale it finds, each value is in the bin whose edges it lies between: compared with a list. */
static int test_histograms_lose_nothing(void)
{
	enum { N = 2000 };
	static double v[N];
	tp_rng r = tp_rng_seed(7);
	for (int log = 0; log < 2; log++) {
		for (double size = 0.01; size < 1e4; size *= 9) {
			tp_hist h;
			tp_hist_init(&h, log, 65536);
			for (int i = 0; i < N; i++)
				tp_hist_add(&h, v[i] = log + size * tp_rng_unit(&r), i % 2);
			CHECK(in_bins(&h) == N && h.known == N, "%g: %llu", size,
				(unsigned long long)in_bins(&h));
			for (int b = 0; b < TP_HIST_BINS; b++) {
				uint64_t n = 0;
				double low = tp_hist_edge(&h, b), high = tp_hist_edge(&h, b + 1);
				for (int i = 0; i < N; i++)
					n += v[i] >= low && v[i] < high;
				CHECK(n == h.bin[b][0] + h.bin[b][1], "%g: bin %d has %llu, want %llu", size,
					b, (unsigned long long)(h.bin[b][0] + h.bin[b][1]),
					(unsigned long long)n);
			}
		}
	}
	return 0;
}

static int test_histograms_take_odd_values(void)
{
	tp_hist h;
	const double odd[] = { NAN, -1, -INFINITY, INFINITY, 256, 255.5, 0 };
	tp_hist_init(&h, false, 256);
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		tp_hist_add(&h, odd[i], TP_KEPT);
	CHECK(h.unknown[0] == 1 && h.under[0] == 2 && h.over[0] == 2 && in_bins(&h) == 2 && h.known == 6,
		"each in its place");
	CHECK(h.width <= 4, "an odd one does not widen the bins: %g", h.width);
	return 0;
}

static int test_the_best_of_many(void)
{
	enum { N = 500, K = 7 };
	tp_rng r = tp_rng_seed(3);
	for (int round = 0; round < 50; round++) {
		tp_best b;
		tp_err err = { 0 };
		double key[N];
		CHECK_OK(tp_best_init(&b, K, &err), err);
		for (int i = 0; i < N; i++)
			tp_best_add(
				&b, (tp_best_item){ .key = key[i] = (double)tp_rng_below(&r, 40), .id = i });
		tp_best_sort(&b);
		for (int k = 0; k < K; k++) {
			int before = 0; /* how many are better than the k-th, looked for one by one */
			for (int i = 0; i < N; i++)
				before += key[i] < b.v[k].key || (key[i] == b.v[k].key && i < b.v[k].id);
			CHECK(before == k, "the %d-th has %d before it", k, before);
		}
		tp_best_dispose(&b);
	}
	return 0;
}

static int test_counts_by_text(void)
{
	tp_text_counts t;
	tp_err err = { 0 };
	tp_text_count *x;
	char text[16];
	tp_text_counts_init(&t, 100);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "t%d", i % 150);
		CHECK_OK(tp_text_counts_get(&x, &t, i % 2, text, &err), err);
		(x ? x->n : t.more)[TP_KEPT]++;
	}
	CHECK_OK(tp_text_counts_get(&x, &t, 0, "", &err), err);
	CHECK(!x && t.len == 100, "%zu", t.len);
	uint64_t sum = t.more[TP_KEPT];
	tp_text_counts_sort(&t);
	for (size_t i = 0; i < t.len; i++) {
		sum += t.v[i].n[TP_KEPT];
		CHECK(!i || t.v[i - 1].n[TP_KEPT] >= t.v[i].n[TP_KEPT], "most first");
	}
	CHECK(sum == 1000, "%llu", (unsigned long long)sum);
	tp_text_counts_dispose(&t);
	return 0;
}

/* ---- counting a catalog ---- */

static const tp_verdict *verdict(const tp_tally *t, const char *rule)
{
	for (size_t i = 0; i < t->n_verdicts; i++)
		if (!strcmp(t->verdict[i].rule, rule))
			return &t->verdict[i];
	return NULL;
}

static int sums(const tp_tally *t)
{
	uint64_t by_verdict = 0, by_species = 0, year = t->no_year[0] + t->no_year[1],
		 month = t->no_month[0] + t->no_month[1], place = t->no_place[0] + t->no_place[1],
		 organ = t->organs.none[0] + t->organs.none[1],
		 author = t->authors.none[0] + t->authors.none[1] + t->authors.more[0] + t->authors.more[1];
	for (size_t i = 0; i < t->n_verdicts; i++)
		by_verdict += t->verdict[i].photos;
	for (size_t i = 0; i < t->n_taxa; i++)
		by_species += t->species[i].n[0] + t->species[i].n[1];
	for (int i = 0; i < TP_YEARS; i++)
		year += t->year[i][0] + t->year[i][1];
	for (int i = 0; i < 12; i++)
		month += t->month[i][0] + t->month[i][1];
	for (int i = 0; i < TP_CELLS_DOWN * TP_CELLS_ACROSS; i++)
		place += t->cell[i][0] + t->cell[i][1];
	for (size_t i = 0; i < t->organs.len; i++)
		organ += t->organs.v[i].n[0] + t->organs.v[i].n[1];
	for (size_t i = 0; i < t->authors.len; i++)
		author += t->authors.v[i].n[0] + t->authors.v[i].n[1];
	const uint64_t all[] = { by_verdict, by_species, year, month, place, organ, author,
		t->source[0].n[0] + t->source[0].n[1], (uint64_t)t->source[0].photos };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		CHECK(all[i] == SET_PHOTOS, "sum %zu is %llu", i, (unsigned long long)all[i]);
	for (int i = 0; i < TP_QUANTITIES; i++) {
		const tp_hist *h = &t->hist[i];
		uint64_t n = in_bins(h) + h->under[0] + h->under[1] + h->over[0] + h->over[1] +
			     h->unknown[0] + h->unknown[1];
		CHECK(n == SET_PHOTOS, "%s: %llu", tp_quantities[i].id, (unsigned long long)n);
	}
	return 0;
}

static int shown(const tp_verdict *v, const int64_t *id, size_t n)
{
	CHECK(v && v->shown.n == n, "%zu shown, want %zu", v ? v->shown.n : 0, n);
	for (size_t i = 0; i < n; i++)
		CHECK(v->shown.v[i].id == id[i], "%s: place %zu is %lld, want %lld", v->rule, i,
			(long long)v->shown.v[i].id, (long long)id[i]);
	return 0;
}

static int figures(const tp_tally *t)
{
	CHECK(t->photos == SET_PHOTOS && t->kept == SET_KEPT, "%llu kept", (unsigned long long)t->kept);
	CHECK(!strcmp(t->verdict[0].rule, "") && t->verdict[0].photos == SET_KEPT,
		"the first verdict is: kept");
	CHECK(verdict(t, "dark")->photos == 2 && verdict(t, "blurred")->photos == 1 &&
			verdict(t, "blurred")->found == 2,
		"another rule decided");
	CHECK(verdict(t, "text")->photos == 0 && verdict(t, "text")->found == 1,
		"a hit that excludes nothing");
	CHECK(verdict(t, HOSTILE)->photos == 1 && !verdict(t, HOSTILE)->known, "a rule of somebody else's");
	CHECK(verdict(t, "near-duplicate")->bits[3] == 1 && verdict(t, "near-duplicate")->bits[6] == 1,
		"distances");
	CHECK(t->n_ranked == 3 && t->n_kept_species == 2, "%zu species", t->n_ranked);
	CHECK(t->kept_ascending[0] == 6 && t->kept_ascending[1] == 7, "%u, %u", t->kept_ascending[0],
		t->kept_ascending[1]);
	CHECK(near(tp_gini(t->kept_ascending, 2), 2 * 20 / 26.0 - 1.5), "Gini");
	CHECK(t->families.len == 2 && !strcmp(t->families.v[0].text, "Asphodelaceae") &&
			t->families.none[TP_LEFT_OUT] == 1,
		"families");
	CHECK(t->year[2018 - TP_FIRST_YEAR][0] + t->year[2018 - TP_FIRST_YEAR][1] == 7, "photos of 2018");
	CHECK(t->cell[23 * TP_CELLS_ACROSS + 89][0] + t->cell[23 * TP_CELLS_ACROSS + 89][1] == 7,
		"the cell 42-44 N, 0-2 W");
	CHECK(t->refused.len == 2 && !strcmp(t->refused.v[0].text, "no species") &&
			t->refused.v[0].n[TP_LEFT_OUT] == 2 && !strcmp(t->refused.v[0].example, "line <2>"),
		"refused");
	CHECK(t->names == 3 && t->names_as[TP_MATCHED_NO] == 1 && t->names_as[TP_MATCHED_NOT] == 1 &&
			t->n_unmatched == 1 && !strcmp(t->unmatched[0].nearest, "Nearest <b>name</b>"),
		"names");
	CHECK(t->measured == 16 && t->hashed == 16 && t->not_here == 1, "measured");
	return 0;
}

static int tally(bool cleaned, int sheet, int (*check)(const tp_tally *))
{
	tp_err err = { 0 };
	tp_catalog *c = NULL;
	tp_tally t = { 0 };
	tp_data_report_opts o = TP_DATA_REPORT_OPTS_INIT;
	o.catalog = dir;
	o.sheet = sheet;
	o.quiet = true;
	CHECK_OK(set_make(dir, photos, cleaned, &err), err);
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_READ, &err), err);
	CHECK_OK(tp_tally_read(&t, c, &o, &err), err);
	int bad = sums(&t) || check(&t);
	tp_tally_dispose(&t);
	tp_catalog_close(c);
	return bad;
}

static int test_a_catalog_is_counted(void)
{
	fresh();
	return clean(tally(true, 24, figures));
}

static int extremes(const tp_tally *t)
{
	return shown(verdict(t, "dark"), (const int64_t[]){ 3, 2 }, 2) ||
	       shown(verdict(t, "near-duplicate"), (const int64_t[]){ 5, 4 }, 2);
}

static int only_one(const tp_tally *t)
{
	return shown(verdict(t, "dark"), (const int64_t[]){ 3 }, 1) ||
	       shown(verdict(t, "near-duplicate"), (const int64_t[]){ 5 }, 1);
}

static int test_the_most_extreme_are_shown(void)
{
	fresh();
	if (clean(tally(true, 24, extremes)))
		return 1;
	fresh();
	return clean(tally(true, 1, only_one));
}

/* Photos 1 and 17 are kept and in training; 7 and 8 show one plant, one in training, one in test. */
static int splits(const tp_tally *t)
{
	CHECK(t->torn_observations == 1 && t->torn_duplicates == 0 && !t->duplicate_groups,
		"%llu plants torn", (unsigned long long)t->torn_observations);
	CHECK(t->split[TP_TRAIN] + t->split[TP_TEST] + t->no_split == SET_KEPT && t->split[TP_TRAIN] == 7 &&
			t->split[TP_TEST] == 5,
		"%llu to train", (unsigned long long)t->split[TP_TRAIN]);
	CHECK(t->split_species[TP_TRAIN] == 2 && t->split_species[TP_VAL] == 0 && !t->untrained, "species");
	return 0;
}

static int test_leaks_are_counted(void)
{
	fresh();
	return clean(tally(true, 0, splits));
}

static int nothing_measured(const tp_tally *t)
{
	CHECK(!t->measured && t->kept == SET_PHOTOS && t->no_split == SET_PHOTOS && t->n_verdicts == 1,
		"bare");
	CHECK(t->verdict[0].shown.n == 5, "%zu kept ones shown", t->verdict[0].shown.n);
	return 0;
}

static int test_a_catalog_nobody_has_looked_at(void)
{
	fresh();
	return clean(tally(false, 5, nothing_measured));
}

/* ---- the page ---- */

static char *page;

static int report(int sheet, tp_data_reported *done)
{
	tp_err err = { 0 };
	size_t len = 0;
	tp_data_report_opts o = TP_DATA_REPORT_OPTS_INIT;
	o.catalog = dir;
	o.output = out;
	o.sheet = sheet;
	o.quiet = true;
	CHECK_OK(tp_data_report(done, &o, &err), err);
	CHECK_OK(tp_file_read((uint8_t **)&page, &len, out, 64 << 20, &err), err);
	CHECK(len == done->bytes, "%zu bytes", len);
	return 0;
}

static int whole_page(void)
{
	tp_err err = { 0 };
	tp_data_reported done;
	CHECK_OK(set_make(dir, photos, true, &err), err);
	if (report(24, &done))
		return 1;
	/* not shown: the damaged one, the one that is not there, the one that is only an address */
	CHECK(done.photos == SET_PHOTOS && done.kept == SET_KEPT && done.shown == 17 && done.missing == 3,
		"%zu shown, %zu missing", done.shown, done.missing);
	CHECK(strstr(page, "file not found") && strstr(page, "not fetched yet") &&
			strstr(page, "damaged file"),
		"placeholders");
	CHECK(!strstr(page, "onerror=alert(1)>") && !strstr(page, "<b>name</b>") && !strstr(page, "line <2>"),
		"markup from data");
	CHECK(strstr(page, "Nearest &#60;b&#62;name"), "as text");
	CHECK(!strstr(page, "{{"), "a mark was not filled");
	return 0;
}

static int test_the_page_is_whole(void)
{
	fresh();
	int bad = whole_page();
	tp_free(page);
	page = NULL;
	return clean(bad);
}

static int same_page(void)
{
	tp_err err = { 0 };
	tp_data_reported done;
	CHECK_OK(set_make(dir, photos, true, &err), err);
	if (report(3, &done))
		return 1;
	char *first = page;
	if (report(3, &done))
		return 1;
	CHECK(!strcmp(first, page), "the same catalog and seed, another page");
	tp_free(first);
	return 0;
}

static int test_the_same_page_again(void)
{
	fresh();
	int bad = same_page();
	tp_free(page);
	page = NULL;
	return clean(bad);
}

static int errors(void)
{
	tp_err err = { 0 };
	tp_data_reported done;
	tp_data_report_opts o = TP_DATA_REPORT_OPTS_INIT;
	o.catalog = dir;
	o.output = out;
	o.quiet = true;
	CHECK(tp_data_report(&done, &o, &err) == TP_ENOTFOUND, "no catalog: %s", err.msg);
	CHECK_OK(set_make(dir, photos, true, &err), err);
	o.sheet = TP_REPORT_MAX_SHEET + 1;
	CHECK(tp_data_report(&done, &o, &err) == TP_EINVAL, "sheet: %s", err.msg);
	o.sheet = 2;
	o.output = "/nothing/here/report.html";
	CHECK(tp_data_report(&done, &o, &err) == TP_ENOTFOUND, "nowhere: %s", err.msg);
	CHECK(access(out, F_OK), "a page after errors");
	o.output = out;
	tp_cancel();
	tp_code rc = tp_data_report(&done, &o, &err);
	tp_cancel_reset();
	CHECK(rc == TP_ECANCEL && access(out, F_OK), "stopped: %d", rc);
	return 0;
}

static int test_errors_leave_no_page(void)
{
	fresh();
	return clean(errors());
}

static int failed_allocations(void)
{
	tp_err err = { 0 };
	tp_data_reported done;
	tp_data_report_opts o = TP_DATA_REPORT_OPTS_INIT;
	o.catalog = dir;
	o.output = out;
	o.sheet = 2;
	o.quiet = true;
	CHECK_OK(set_make(dir, photos, true, &err), err);
	CHECK_OK(tp_data_report(&done, &o, &err), err);
	const tp_data_reported whole = done;
	long live = tp_mem_live();
	for (int n = 1;; n++) {
		tp_mem_fail_at(n);
		tp_code rc = tp_data_report(&done, &o, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == live, "allocation %d: %ld leak", n, tp_mem_live() - live);
		CHECK(!failed || rc == TP_ENOMEM || !rc, "allocation %d: code %d", n, rc);
		/* one may do without (a folder that is not synced); but no photo becomes a placeholder for want of memory */
		CHECK(rc || !memcmp(&done, &whole, sizeof done), "allocation %d: another page", n);
		if (!failed) {
			CHECK(!rc && n > 100, "%d allocations, code %d", n, rc);
			return 0;
		}
	}
}

static int test_a_report_survives_any_failed_allocation(void)
{
	fresh();
	return clean(failed_allocations());
}

int main(void)
{
	return RUN(T(test_gini_by_hand), T(test_histograms_lose_nothing), T(test_histograms_take_odd_values),
		T(test_the_best_of_many), T(test_counts_by_text), T(test_a_catalog_is_counted),
		T(test_the_most_extreme_are_shown), T(test_leaks_are_counted),
		T(test_a_catalog_nobody_has_looked_at), T(test_the_page_is_whole),
		T(test_the_same_page_again), T(test_errors_leave_no_page),
		T(test_a_report_survives_any_failed_allocation));
}
