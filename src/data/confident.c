/* Confident learning: see confident.h. */
#include "data/confident.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_CLASSES = 20000 };
/* A class whose items all have one probability must not lose them to the rounding of its mean. */
static const double SLACK = 1e-6;

void tp_confident_free(tp_confident *c)
{
	tp_free(c->threshold);
	tp_free(c->joint);
	tp_free(c->doubts);
	*c = (tp_confident){ 0 };
}

static tp_code check(const float *p, const uint32_t *labels, size_t n, size_t k, tp_err *err)
{
	if (!k || k > MAX_CLASSES)
		return tp_fail(
			err, k ? TP_ELIMIT : TP_EINVAL, "%zu classes: 1..%d are possible", k, MAX_CLASSES);
	for (size_t i = 0; i < n; i++)
		if (labels[i] >= k)
			return tp_fail(err, TP_EINVAL, "item %zu is labelled %u of %zu classes", i,
				(unsigned)labels[i], k);
	for (size_t i = 0; i < n * k; i++)
		if (!(p[i] >= 0 && p[i] <= 1))
			return tp_fail(err, TP_EINVAL, "item %zu has a probability of %g for class %zu",
				i / k, (double)p[i], i % k);
	return TP_OK;
}

static tp_code thresholds(tp_confident *c, const float *p, const uint32_t *labels, size_t n, tp_err *err)
{
	size_t k = c->n_classes;
	double *sum = tp_calloc(2 * k, sizeof *sum), *count = sum + k;
	if (!sum)
		return tp_nomem(err, 2 * k * sizeof *sum);
	for (size_t i = 0; i < n; i++) {
		sum[labels[i]] += p[i * k + labels[i]];
		count[labels[i]]++;
	}
	for (size_t j = 0; j < k; j++)
		c->threshold[j] = count[j] > 0 ? (float)(sum[j] / count[j]) : NAN;
	tp_free(sum);
	return TP_OK;
}

/* The most probable of the classes that the item is confidently of; k when there is none. */
static size_t confident_class(const float *p, const float *threshold, size_t k)
{
	size_t best = k;
	for (size_t j = 0; j < k; j++)
		if ((double)p[j] >= (double)threshold[j] - SLACK && (best == k || p[j] > p[best]))
			best = j;
	return best; /* comparing with NAN is false: a class without items is nobody's */
}

static tp_doubt doubt_of(const float *p, uint32_t item, uint32_t label, size_t k)
{
	size_t other = label ? 0 : 1;
	for (size_t j = 0; j < k; j++)
		if (j != label && p[j] > p[other])
			other = j;
	return (tp_doubt){ item, label, (uint32_t)other, p[label] - p[other] };
}

static int by_margin(const void *a, const void *b)
{
	const tp_doubt *x = a, *y = b;
	if (x->margin != y->margin)
		return x->margin < y->margin ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

static void count(tp_confident *c, const float *p, const uint32_t *labels, size_t n)
{
	size_t k = c->n_classes;
	for (size_t i = 0; i < n; i++) {
		size_t j = confident_class(p + i * k, c->threshold, k);
		if (j == k)
			continue;
		c->joint[labels[i] * k + j]++;
		if (j == labels[i])
			continue;
		c->n_off++;
		tp_doubt d = doubt_of(p + i * k, (uint32_t)i, labels[i], k);
		if (d.margin < 0)
			c->doubts[c->n_doubts++] = d;
	}
	if (c->n_doubts)
		qsort(c->doubts, c->n_doubts, sizeof *c->doubts, by_margin);
}

tp_code tp_confident_learn(
	tp_confident *out, const float *p, const uint32_t *labels, size_t n, size_t n_classes, tp_err *err)
{
	tp_confident c = { .n_classes = n_classes };
	tp_code rc = check(p, labels, n, n_classes, err);
	if (rc)
		return rc;
	c.threshold = tp_alloc(n_classes * sizeof *c.threshold);
	c.joint = tp_calloc(n_classes * n_classes, sizeof *c.joint);
	c.doubts = tp_alloc((n ? n : 1) * sizeof *c.doubts);
	if (c.threshold && c.joint && c.doubts)
		rc = thresholds(&c, p, labels, n, err);
	else
		rc = tp_nomem(err, n_classes * n_classes * sizeof *c.joint + n * sizeof *c.doubts);
	if (rc) {
		tp_confident_free(&c);
		return rc;
	}
	count(&c, p, labels, n);
	*out = c;
	return TP_OK;
}
