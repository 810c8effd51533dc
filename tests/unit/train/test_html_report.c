/* Curves in little memory, and what the page says of errors. What is on the page: read_report.py, e2e/report.test.mjs. */
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "t.h"
#include "train/curves.h"
#include "train/html_report.h"

static char log_path[64], record_path[64], out_path[64];

static int paths(void)
{
	static const char *const form = "/tmp/tepal-report-XXXXXX";
	char *const all[] = { log_path, record_path, out_path };
	for (int i = 0; i < 3; i++) {
		snprintf(all[i], 64, "%s", form);
		int fd = mkstemp(all[i]);
		CHECK(fd >= 0, "no temporary files");
		close(fd);
	}
	unlink(out_path);
	return 0;
}

static int write_to(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && !fclose(f), "cannot write %s", path);
	return 0;
}

/* A spike, a pit and a hole in a long run are all still there, where they were. */
static int test_a_thinned_curve_keeps_its_extremes(void)
{
	enum { STEPS = 20000, SPIKE = 7777, PIT = 12345, HOLE = 15000 };
	tp_curves all = { 0 };
	tp_err err = { 0 };
	double sum = 0, seen = 0;
	FILE *f = fopen(log_path, "w");
	CHECK(f, "cannot write");
	for (int s = 1; s <= STEPS; s++) {
		double v = s == SPIKE ? 100 : s == PIT ? -100 : sin(s);
		if (s == HOLE) {
			fprintf(f, "{\"step\":%d,\"a\":null}\n", s);
			continue;
		}
		fprintf(f, "{\"step\":%d,\"a\":%.17g}\n", s, v);
		sum += v;
	}
	fclose(f);
	CHECK_OK(tp_curves_read(&all, log_path, &err), err);
	const tp_curve *c = tp_curve_find(&all, "a");
	CHECK(c && all.len == 1 && all.lines == STEPS && all.step == STEPS, "%zu curves", all.len);
	CHECK(c->n == STEPS && c->not_finite == 1 && c->first_not_finite == HOLE, "not finite");
	CHECK(c->width == 64 && c->n_cells == (STEPS + 63) / 64, "%zu cells", c->n_cells);
	CHECK(c->high.value == 100 && c->high.step == SPIKE && c->low.value == -100 && c->low.step == PIT,
		"extremes");
	CHECK(c->last.step == STEPS && c->last.value == sin(STEPS), "last");
	for (size_t i = 0; i < c->n_cells; i++) {
		const tp_cell *cell = &c->cell[i];
		CHECK(cell->first == (double)(64 * i + 1) && cell->last == fmin(cell->first + 63, STEPS),
			"cell %zu", i);
		CHECK((cell->max == 100) == (cell->first <= SPIKE && SPIKE <= cell->last), "cell %zu", i);
		CHECK((cell->min == -100) == (cell->first <= PIT && PIT <= cell->last), "cell %zu", i);
		CHECK(cell->not_finite == (cell->first <= HOLE && HOLE <= cell->last), "cell %zu", i);
		seen += cell->sum;
	}
	CHECK(fabs(seen - sum) < 1e-9, "sums differ by %g", seen - sum);
	tp_curves_dispose(&all);
	return 0;
}

static int test_too_many_tags_are_counted(void)
{
	tp_curves all = { 0 };
	tp_err err = { 0 };
	FILE *f = fopen(log_path, "w");
	CHECK(f, "cannot write");
	for (int i = 0; i < 70; i++)
		fprintf(f, "{\"step\":1,\"tag-%d\":1,\"word\":\"no number\"}\n", i);
	fclose(f);
	CHECK_OK(tp_curves_read(&all, log_path, &err), err);
	CHECK(all.len == 64 && all.odd_values == 6 + 70, "%zu curves, %zu odd values", all.len,
		all.odd_values);
	tp_curves_dispose(&all);
	return 0;
}

static const char SHORT_LOG[] = "{\"step\":1,\"epoch\":1,\"time\":5,\"train/loss\":1,\"own\":2}\n";
static const char RECORD[] = "{\"a\":{\"b\":[1,2]},\"c\":[{\"d\":\"e\"}]}";

static int test_what_cannot_be_read_is_an_error(void)
{
	tp_err err = { 0 };
	CHECK(!write_to(log_path, SHORT_LOG) && !write_to(record_path, "[1,"), "written");
	CHECK(tp_html_report("/nothing/here", NULL, out_path, &err) == TP_ENOTFOUND, "%s", err.msg);
	CHECK(tp_html_report(log_path, record_path, out_path, &err) == TP_EFORMAT, "%s", err.msg);
	CHECK(strstr(err.msg, record_path), "the record is not named: %s", err.msg);
	CHECK(tp_html_report(log_path, NULL, "/nothing/here/out.html", &err) == TP_ENOTFOUND, "%s", err.msg);
	CHECK(!tp_is_file(out_path), "a page was written all the same");
	return 0;
}

/* Numbers of settings are cut, in depth and in breadth, and the page stands. */
static int test_a_monstrous_record_is_cut(void)
{
	tp_err err = { 0 };
	uint8_t *text = NULL;
	size_t len = 0;
	FILE *f = fopen(record_path, "w");
	CHECK(f && !write_to(log_path, SHORT_LOG), "written");
	fputs("{\"deep\":", f);
	for (int i = 0; i < 500; i++)
		fputs("{\"a key of some length\":", f);
	fputs("1", f);
	for (int i = 0; i < 500; i++)
		fputs("}", f);
	fputs(",\"long\":[0", f);
	for (int i = 1; i < 100; i++)
		fprintf(f, ",%d", i);
	fputs("]", f);
	for (int i = 0; i < 3000; i++)
		fprintf(f, ",\"%d\":%d", i, i);
	fputs("}", f);
	fclose(f);
	CHECK_OK(tp_html_report(log_path, record_path, out_path, &err), err);
	CHECK_OK(tp_file_read(&text, &len, out_path, 1 << 20, &err), err);
	CHECK(strstr((char *)text, " … and 50 more<"), "the long array");
	CHECK(strstr((char *)text, "1,002 more entries are left out."), "the many keys");
	tp_free(text);
	return 0;
}

static int test_a_report_survives_any_failed_allocation(void)
{
	CHECK(!write_to(log_path, SHORT_LOG) && !write_to(record_path, RECORD), "written");
	for (int n = 1;; n++) {
		long live = tp_mem_live();
		unlink(out_path);
		tp_mem_fail_at(n);
		tp_code rc = tp_html_report(log_path, record_path, out_path, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == live, "allocation %d leaks", n);
		/* without memory the file is committed all the same, only its folder is not synchronised */
		CHECK(rc == TP_OK || (failed && rc == TP_ENOMEM), "allocation %d: code %d", n, rc);
		CHECK(tp_is_file(out_path) == !rc, "allocation %d: a page that should not be there", n);
		if (!failed)
			return 0;
	}
}

int main(void)
{
	if (paths())
		return 1;
	int result = RUN(T(test_a_thinned_curve_keeps_its_extremes), T(test_too_many_tags_are_counted),
		T(test_what_cannot_be_read_is_an_error), T(test_a_monstrous_record_is_cut),
		T(test_a_report_survives_any_failed_allocation));
	unlink(log_path);
	unlink(record_path);
	unlink(out_path);
	return result;
}
