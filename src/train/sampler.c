/* The order of samples: see sampler.h. Classes get whole numbers of places by systematic sampling: their shares laid end
 * to end, cut at a random offset and every 1 after it. That has the right expectation with the least variance, and at
 * power 1 it is exactly one place a sample. */
#include "train/sampler.h"

#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"

enum { STREAM = 0x5a3e }; /* this file's use of a seed, see tp_rng_stream() */

struct tp_sampler {
	size_t n;
	int classes;
	double power;
	uint64_t seed;
	uint32_t *by_class; /* n samples, classes one after the other */
	size_t *start;      /* classes + 1: where each begins */
};

static tp_code check(const int *label, size_t n, int classes, double power, tp_err *err)
{
	if (!(power >= 0 && power <= 1))
		return tp_fail(err, TP_EINVAL, "the power of a class's count is %g, not in 0..1", power);
	if (n > TP_MAX_SAMPLES)
		return tp_fail(err, TP_ELIMIT, "%zu samples, at most %d", n, TP_MAX_SAMPLES);
	for (size_t i = 0; i < n; i++)
		if (label[i] < 0 || label[i] >= classes)
			return tp_fail(
				err, TP_EINVAL, "sample %zu is of class %d of %d", i, label[i], classes);
	return TP_OK;
}

/* A counting sort; start[c] runs ahead while class c is filled, and is set back after. */
static void sort_by_class(tp_sampler *s, const int *label)
{
	for (size_t i = 0; i < s->n; i++)
		s->start[label[i] + 1]++;
	for (int c = 0; c < s->classes; c++)
		s->start[c + 1] += s->start[c];
	for (size_t i = 0; i < s->n; i++)
		s->by_class[s->start[label[i]]++] = (uint32_t)i;
	memmove(s->start + 1, s->start, (size_t)s->classes * sizeof *s->start);
	s->start[0] = 0;
}

tp_code tp_sampler_new(
	tp_sampler **out, const int *label, size_t n, int classes, double power, uint64_t seed, tp_err *err)
{
	tp_code rc = check(label, n, classes, power, err);
	if (rc)
		return rc;
	tp_sampler *s = tp_calloc(1, sizeof *s);
	if (!s)
		return tp_nomem(err, sizeof *s);
	*s = (tp_sampler){ .n = n, .classes = classes, .power = power, .seed = seed };
	s->by_class = tp_calloc(n ? n : 1, sizeof *s->by_class);
	s->start = tp_calloc((size_t)classes + 1, sizeof *s->start);
	if (!s->by_class || !s->start) {
		tp_sampler_free(s);
		return tp_nomem(err, n * sizeof *s->by_class);
	}
	sort_by_class(s, label);
	*out = s;
	return TP_OK;
}

void tp_sampler_free(tp_sampler *s)
{
	if (!s)
		return;
	tp_free(s->by_class);
	tp_free(s->start);
	tp_free(s);
}

/* A class's share before division by all shares; a class without samples has none. */
static double share(const tp_sampler *s, int c)
{
	size_t count = s->start[c + 1] - s->start[c];
	return count ? pow((double)count, s->power) : 0;
}

/* `places` samples of a class: whole rounds of it, each in a new order, and the beginning of one more. */
static void fill(uint32_t *order, size_t places, uint32_t *members, size_t count, tp_rng *r)
{
	while (places) {
		size_t now = places < count ? places : count;
		tp_rng_shuffle(r, members, count);
		memcpy(order, members, now * sizeof *order);
		order += now;
		places -= now;
	}
}

tp_code tp_sampler_order(uint32_t *order, const tp_sampler *s, uint64_t epoch, tp_err *err)
{
	tp_rng r = tp_rng_stream(s->seed, STREAM, epoch, 0);
	double all = 0, sum = 0, offset = tp_rng_unit(&r);
	size_t done = 0;
	if (!s->n)
		return TP_OK;
	uint32_t *members = tp_alloc(s->n * sizeof *members);
	if (!members)
		return tp_nomem(err, s->n * sizeof *members);
	memcpy(members, s->by_class, s->n * sizeof *members);
	for (int c = 0; c < s->classes; c++)
		all += share(s, c);
	for (int c = 0; c < s->classes; c++) {
		sum += share(s, c);
		size_t end = (size_t)(sum * (double)s->n / all + offset);
		if (sum >= all)
			end = s->n; /* whatever rounding says */
		fill(order + done, end - done, members + s->start[c], s->start[c + 1] - s->start[c], &r);
		done = end;
	}
	tp_free(members);
	tp_rng_shuffle(&r, order, s->n);
	return TP_OK;
}
