/* The order of samples: every sample once, ranks that share it out, classes as often as they should come. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "t.h"
#include "train/sampler.h"

enum { N = 1003, CLASSES = 6 };
static const int sizes[CLASSES] = { 700, 200, 80, 20, 3, 0 };

static int labelled(tp_sampler **out, int *label, double power, uint64_t seed)
{
	tp_err err = { 0 };
	for (int i = 0, c = 0, left = sizes[0]; i < N; i++, left--) {
		while (left == 0)
			left = sizes[++c];
		label[i * 10 % N] = c; /* N and 10 have no common factor: classes are scattered */
	}
	CHECK_OK(tp_sampler_new(out, label, N, CLASSES, power, seed, &err), err);
	return 0;
}

static int test_every_sample_once(void)
{
	static uint32_t a[N], b[N], c[N];
	int label[N], hits[N] = { 0 }, moved = 0, same = 0;
	tp_sampler *s = NULL, *other = NULL;
	tp_err err = { 0 };
	CHECK(!labelled(&s, label, 1, 7) && !labelled(&other, label, 1, 8), "no samplers");
	CHECK_OK(tp_sampler_order(a, s, 3, &err), err);
	CHECK_OK(tp_sampler_order(b, s, 3, &err), err);
	CHECK(!memcmp(a, b, sizeof a), "an epoch's second order is another");
	for (int i = 0; i < N; i++)
		hits[a[i]]++;
	for (int i = 0; i < N; i++)
		CHECK(hits[i] == 1, "sample %d comes %d times", i, hits[i]);
	CHECK_OK(tp_sampler_order(b, s, 4, &err), err);
	CHECK_OK(tp_sampler_order(c, other, 3, &err), err);
	for (int i = 0; i < N; i++) {
		moved += a[i] != b[i];
		same += a[i] == c[i];
	}
	CHECK(moved > N - 20 && same < 20, "epochs differ at %d places, seeds agree at %d", moved, same);
	tp_sampler_free(s);
	tp_sampler_free(other);
	return 0;
}

static int test_four_ranks_cover_every_sample_once(void)
{
	static uint32_t order[N];
	int label[N], hits[N] = { 0 };
	tp_sampler *s = NULL;
	tp_err err = { 0 };
	CHECK(!labelled(&s, label, 1, 7), "no sampler");
	for (int rank = 0; rank < 4; rank++) {
		memset(order, 0, sizeof order); /* each rank computes its own */
		CHECK_OK(tp_sampler_order(order, s, 0, &err), err);
		for (size_t i = 0; i < tp_shard_len(N, rank, 4); i++)
			hits[order[tp_shard_at(i, rank, 4)]]++;
	}
	for (int i = 0; i < N; i++)
		CHECK(hits[i] == 1, "sample %d seen %d times", i, hits[i]);
	tp_sampler_free(s);
	return 0;
}

/* Counts of classes over `epochs`, and of samples; checks that a class's samples come equally often in an epoch. */
static int tally(double *by_class, double *by_sample, double power, int epochs)
{
	static uint32_t order[N];
	int label[N];
	tp_sampler *s = NULL;
	tp_err err = { 0 };
	CHECK(!labelled(&s, label, power, 11), "no sampler");
	for (int e = 0; e < epochs; e++) {
		int hits[N] = { 0 }, low[CLASSES], high[CLASSES] = { 0 };
		CHECK_OK(tp_sampler_order(order, s, (uint64_t)e, &err), err);
		for (int i = 0; i < N; i++) {
			hits[order[i]]++;
			by_class[label[order[i]]]++;
			by_sample[order[i]]++;
		}
		for (int c = 0; c < CLASSES; c++)
			low[c] = N;
		for (int i = 0; i < N; i++) {
			low[label[i]] = hits[i] < low[label[i]] ? hits[i] : low[label[i]];
			high[label[i]] = hits[i] > high[label[i]] ? hits[i] : high[label[i]];
		}
		for (int c = 0; c < CLASSES - 1; c++)
			CHECK(high[c] - low[c] <= 1, "class %d: samples come %d to %d times", c, low[c],
				high[c]);
	}
	tp_sampler_free(s);
	return 0;
}

/* Independent draws of five classes (4 degrees of freedom) would stay below a chi-square of 18.5 in 999 of 1000 cases;
 * systematic sampling varies far less. The largest class does not come whole, so its samples are held against each other:
 * 699 degrees, below 817 in 999 of 1000. */
static int test_classes_come_by_the_power_of_their_size(void)
{
	static const double powers[] = { 0, 0.25, 0.5, 1 };
	enum { EPOCHS = 40 };
	for (size_t k = 0; k < sizeof powers / sizeof *powers; k++) {
		double by_class[CLASSES] = { 0 }, by_sample[N] = { 0 }, all = 0, chi = 0, within = 0;
		CHECK(!tally(by_class, by_sample, powers[k], EPOCHS), "power %g", powers[k]);
		for (int c = 0; c < CLASSES - 1; c++)
			all += pow(sizes[c], powers[k]);
		for (int c = 0; c < CLASSES - 1; c++) {
			double want = pow(sizes[c], powers[k]) / all * N * EPOCHS, off = by_class[c] - want;
			chi += off * off / want;
		}
		CHECK(chi < 1, "power %g: chi-square %g", powers[k], chi);
		CHECK(by_class[CLASSES - 1] == 0, "a class without samples came");
		for (int i = 0; i < sizes[0]; i++) {
			double want = by_class[0] / sizes[0], off = by_sample[i * 10 % N] - want;
			within += off * off / want;
		}
		CHECK(within < 817, "power %g: chi-square %g within a class", powers[k], within);
	}
	return 0;
}

/* 100 places for three classes that should come alike: 33 or 34, and 33 1/3 over many epochs, within five standard
 * errors. */
static int test_rounding_is_fair(void)
{
	enum { PLACES = 100, EPOCHS = 300 };
	int label[PLACES];
	uint32_t order[PLACES];
	double mean[3] = { 0 };
	tp_sampler *s = NULL;
	tp_err err = { 0 };
	for (int i = 0; i < PLACES; i++)
		label[i] = i < 50 ? 0 : i < 80 ? 1 : 2;
	CHECK_OK(tp_sampler_new(&s, label, PLACES, 3, 0, 1, &err), err);
	for (uint64_t e = 0; e < EPOCHS; e++) {
		int count[3] = { 0 };
		CHECK_OK(tp_sampler_order(order, s, e, &err), err);
		for (int i = 0; i < PLACES; i++)
			count[label[order[i]]]++;
		for (int c = 0; c < 3; c++) {
			CHECK(count[c] == 33 || count[c] == 34, "class %d comes %d times", c, count[c]);
			mean[c] += count[c] / (double)EPOCHS;
		}
	}
	for (int c = 0; c < 3; c++)
		CHECK(fabs(mean[c] - 100.0 / 3) < 0.137, "class %d comes %g times an epoch", c, mean[c]);
	tp_sampler_free(s);
	return 0;
}

/* Five classes come alike: neighbours differ in four of five places, unless the order went by class. */
static int test_order_is_mixed(void)
{
	static uint32_t order[N];
	int label[N], changes = 0;
	tp_sampler *s = NULL;
	tp_err err = { 0 };
	CHECK(!labelled(&s, label, 0, 5), "no sampler");
	CHECK_OK(tp_sampler_order(order, s, 0, &err), err);
	for (int i = 1; i < N; i++)
		changes += label[order[i]] != label[order[i - 1]];
	CHECK(changes > N * 7 / 10 && changes < N * 9 / 10, "%d changes of class, 802 expected", changes);
	tp_sampler_free(s);
	return 0;
}

static int test_bad_samplers(void)
{
	const int label[] = { 0, 1, 2 };
	tp_sampler *s = NULL;
	tp_err err = { 0 };
	CHECK(tp_sampler_new(&s, label, 3, 2, 1, 0, &err) == TP_EINVAL, "class 2 of 2");
	CHECK_STR(err.msg, "sample 2 is of class 2 of 2");
	CHECK(tp_sampler_new(&s, label, 3, 3, 1.5, 0, &err) == TP_EINVAL, "power 1.5");
	CHECK(tp_sampler_new(&s, label, (size_t)TP_MAX_SAMPLES + 1, 3, 1, 0, &err) == TP_ELIMIT, "too many");
	CHECK_OK(tp_sampler_new(&s, label, 0, 3, 0.5, 0, &err), err);
	CHECK_OK(tp_sampler_order(NULL, s, 0, &err), err);
	tp_sampler_free(s);
	return 0;
}

static int test_survives_failed_allocations(void)
{
	long before = tp_mem_live();
	const int label[] = { 0, 1, 2, 1 };
	uint32_t order[4];
	for (int n = 1;; n++) {
		tp_sampler *s = NULL;
		tp_mem_fail_at(n);
		tp_code rc = tp_sampler_new(&s, label, 4, 3, 0.5, 0, NULL);
		if (!rc)
			rc = tp_sampler_order(order, s, 0, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		tp_sampler_free(s);
		CHECK(tp_mem_live() == before, "allocation %d leaks", n);
		if (!failed)
			return n < 4;
		CHECK(rc == TP_ENOMEM, "allocation %d: %s", n, tp_code_name(rc));
	}
}

int main(void)
{
	return RUN(T(test_every_sample_once), T(test_four_ranks_cover_every_sample_once),
		T(test_classes_come_by_the_power_of_their_size), T(test_rounding_is_fair),
		T(test_order_is_mixed), T(test_bad_samplers), T(test_survives_failed_allocations));
}
