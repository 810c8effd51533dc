/* Confident learning against cleanlab, and on labels swapped here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/confident.h"
#include "t.h"

enum { MAX_N = 400, K = 7 };

static float p[MAX_N * K];
static uint32_t labels[MAX_N];

static int golden(FILE *f)
{
	int n, k, n_issues, issue[MAX_N], joint[K][K];
	double t[K], v;
	tp_confident c = { 0 };
	tp_err err = { 0 };
	CHECK(fscanf(f, "%d %d", &n, &k) == 2 && n <= MAX_N && k == K, "head");
	for (int j = 0; j < K; j++)
		CHECK(fscanf(f, "%lf", &t[j]) == 1, "thresholds");
	for (int j = 0; j < K * K; j++)
		CHECK(fscanf(f, "%d", &joint[j / K][j % K]) == 1, "joint");
	CHECK(fscanf(f, "%d", &n_issues) == 1 && n_issues > 10 && n_issues <= MAX_N, "issues");
	for (int i = 0; i < n_issues; i++)
		CHECK(fscanf(f, "%d", &issue[i]) == 1, "issues");
	for (int i = 0; i < n; i++) {
		CHECK(fscanf(f, "%u", &labels[i]) == 1, "row %d", i);
		for (int j = 0; j < K; j++) {
			CHECK(fscanf(f, "%lf", &v) == 1, "row %d", i);
			p[i * K + j] = (float)v;
		}
	}
	CHECK_OK(tp_confident_learn(&c, p, labels, (size_t)n, K, &err), err);
	for (int j = 0; j < K; j++) /* cleanlab says 2 for a class without items; floats of 6 digits */
		CHECK(t[j] == 2 ? isnan(c.threshold[j]) : fabs(c.threshold[j] - t[j]) < 1e-6,
			"class %d: %g, %g", j, c.threshold[j], t[j]);
	for (int j = 0; j < K * K; j++)
		CHECK(c.joint[j] == (uint32_t)joint[j / K][j % K], "joint %d, %d: %u, not %d", j / K, j % K,
			(unsigned)c.joint[j], joint[j / K][j % K]);
	CHECK(c.n_doubts == (size_t)n_issues, "%zu doubts, not %d", c.n_doubts, n_issues);
	for (int i = 0; i < n_issues; i++)
		CHECK(c.doubts[i].item == (uint32_t)issue[i], "doubt %d is item %u, not %d", i,
			(unsigned)c.doubts[i].item, issue[i]);
	tp_confident_free(&c);
	return 0;
}

static int test_as_cleanlab(void)
{
	FILE *f = fopen(TP_TESTS_DIR "/golden/confident.txt", "r");
	CHECK(f, "golden/confident.txt");
	int bad = golden(f);
	fclose(f);
	return bad;
}

static int test_swapped_labels_come_first(void)
{
	tp_rng r = tp_rng_seed(3);
	tp_confident c = { 0 };
	tp_err err = { 0 };
	for (uint32_t i = 0; i < MAX_N; i++) {
		uint32_t true_class = i % K;
		labels[i] = i % 20 == 3 ? (true_class + 1 + i % 5) % K : true_class;
		for (uint32_t j = 0; j < K; j++)
			p[i * K + j] = j == true_class ? 0.7f : 0.05f;
		p[i * K + true_class] += (float)tp_rng_unit(&r) * 0.01f;
	}
	CHECK_OK(tp_confident_learn(&c, p, labels, MAX_N, K, &err), err);
	CHECK(c.n_doubts == MAX_N / 20 && c.n_off == MAX_N / 20, "%zu doubts", c.n_doubts);
	for (size_t i = 0; i < c.n_doubts; i++) {
		const tp_doubt *d = &c.doubts[i];
		CHECK(d->item % 20 == 3 && d->likely == d->item % K && d->label == labels[d->item], "item %u",
			(unsigned)d->item);
		CHECK(!i || d->margin >= d[-1].margin, "not in order");
	}
	tp_confident_free(&c);
	return 0;
}

static int test_what_is_refused(void)
{
	tp_confident c = { 0 };
	tp_err err = { 0 };
	labels[5] = K;
	CHECK(tp_confident_learn(&c, p, labels, 10, K, &err) == TP_EINVAL && strstr(err.msg, "item 5"), "%s",
		err.msg);
	labels[5] = 0;
	p[2 * K + 1] = NAN;
	CHECK(tp_confident_learn(&c, p, labels, 10, K, &err) == TP_EINVAL && strstr(err.msg, "class 1"), "%s",
		err.msg);
	p[2 * K + 1] = 0;
	CHECK(tp_confident_learn(&c, p, labels, 0, 20001, &err) == TP_ELIMIT, "%s", err.msg);
	CHECK_OK(tp_confident_learn(&c, p, labels, 0, K, &err), err);
	CHECK(!c.n_doubts, "no items");
	tp_confident_free(&c);
	float sure = 1;
	uint32_t only = 0;
	CHECK_OK(tp_confident_learn(&c, &sure, &only, 1, 1, &err), err);
	CHECK(!c.n_doubts && c.joint[0] == 1, "one class");
	tp_confident_free(&c);
	for (int n = 1;; n++) {
		tp_mem_fail_at(n);
		tp_code rc = tp_confident_learn(&c, p, labels, 10, K, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		tp_confident_free(&c);
		CHECK(!tp_mem_live(), "allocation %d leaks", n);
		if (!failed)
			return rc ? 1 : 0;
		CHECK(rc == TP_ENOMEM, "allocation %d: code %d", n, rc);
	}
}

int main(void)
{
	return RUN(T(test_as_cleanlab), T(test_swapped_labels_come_first), T(test_what_is_refused));
}
