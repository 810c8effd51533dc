/* Losses: see loss.h. Exponentials are float, all that is summed is double. */
#include "train/loss.h"

#include <assert.h>
#include <math.h>

#include "base/par.h"

typedef struct {
	double *rows;
	float *gradient;
	const float *logits;
	int classes;
	const tp_targets *y;
	const tp_loss_opts *o;
	double over;          /* what the sum of the rows is divided by */
	double total_weights; /* of all classes */
} batch;

static double weight_of(const tp_loss_opts *o, int c)
{
	return o->weights ? (double)o->weights[c] : 1;
}

/* Logits become exp(logit + shift - top). Returns log of their sum, with the top back in; *sum is the sum itself. */
static double exponentials(double *sum, float *out, const float *z, const float *shift, int classes)
{
	float top = -INFINITY;
	for (int c = 0; c < classes; c++) {
		out[c] = shift ? z[c] + shift[c] : z[c];
		top = out[c] > top ? out[c] : top;
	}
	*sum = 0;
	for (int c = 0; c < classes; c++)
		*sum += out[c] = expf(out[c] - top);
	return log(*sum) + (double)top;
}

/* The sum over classes of weight times shifted logit: what smoothing asks for. */
static double weighted_logits(const float *z, const tp_loss_opts *o, int classes)
{
	double sum = 0;
	for (int c = 0; c < classes; c++)
		sum += weight_of(o, c) * (double)(o->shift ? z[c] + o->shift[c] : z[c]);
	return sum;
}

/* With q the weighted target and Q its sum: loss Q log sum exp z - sum q z, gradient Q p - q. */
static tp_code one_row(void *ud, size_t i, int worker, tp_err *err)
{
	const batch *b = ud;
	const tp_loss_opts *o = b->o;
	const float *z = b->logits + i * (size_t)b->classes;
	float *g = b->gradient + i * (size_t)b->classes;
	int first = b->y->a[i], second = b->y->b ? b->y->b[i] : first;
	double share = b->y->b ? (double)b->y->weight[i] : 1, each = o->smoothing / b->classes, sum;
	double q1 = weight_of(o, first) * share * (1 - o->smoothing);
	double q2 = weight_of(o, second) * (1 - share) * (1 - o->smoothing);
	double total = q1 + q2 + each * b->total_weights;
	double z1 = (double)(o->shift ? z[first] + o->shift[first] : z[first]);
	double z2 = (double)(o->shift ? z[second] + o->shift[second] : z[second]);
	double smooth = each > 0 ? each * weighted_logits(z, o, b->classes) : 0;
	(void)worker;
	(void)err;
	double log_sum = exponentials(&sum, g, z, o->shift, b->classes);
	b->rows[i] = total * log_sum - q1 * z1 - q2 * z2 - smooth;
	for (int c = 0; c < b->classes; c++) {
		double q = each * weight_of(o, c) + (c == first ? q1 : 0) + (c == second ? q2 : 0);
		g[c] = (float)((total * (double)g[c] / sum - q) / b->over);
	}
	return TP_OK;
}

static tp_code check(const tp_targets *y, size_t n, int classes, const tp_loss_opts *o, tp_err *err)
{
	if (!(o->smoothing >= 0 && o->smoothing < 1))
		return tp_fail(err, TP_EINVAL, "label smoothing is %g, not in [0, 1)", o->smoothing);
	for (size_t i = 0; i < n; i++) {
		int worst = y->b && (y->b[i] < 0 || y->b[i] >= classes) ? y->b[i] : y->a[i];
		if (worst < 0 || worst >= classes)
			return tp_fail(err, TP_EINVAL, "row %zu is of class %d of %d", i, worst, classes);
		if (y->b && !(y->weight[i] >= 0 && y->weight[i] <= 1))
			return tp_fail(err, TP_EINVAL, "row %zu: its first class weighs %g, not 0..1", i,
				(double)y->weight[i]);
	}
	return TP_OK;
}

tp_code tp_loss_softmax(double *mean, double *rows, float *gradient, const float *logits, size_t n,
	int classes, const tp_targets *y, const tp_loss_opts *o, tp_err *err)
{
	batch b = { rows, gradient, logits, classes, y, o, (double)n, 0 };
	double sum = 0;
	tp_code rc = check(y, n, classes, o, err);
	if (rc)
		return rc;
	for (int c = 0; c < classes; c++)
		b.total_weights += weight_of(o, c);
	if (o->weights && !y->b) {
		b.over = 0;
		for (size_t i = 0; i < n; i++)
			b.over += weight_of(o, y->a[i]);
	}
	rc = tp_par_for(n, o->threads, one_row, &b, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		sum += rows[i];
	*mean = sum / b.over;
	return TP_OK;
}

static double at_least_one(size_t count)
{
	return count ? (double)count : 1;
}

void tp_loss_prior_shift(float *shift, const size_t *count, int classes, double tau)
{
	double all = 0;
	for (int c = 0; c < classes; c++)
		all += at_least_one(count[c]);
	for (int c = 0; c < classes; c++)
		shift[c] = (float)(tau * log(at_least_one(count[c]) / all));
}

void tp_loss_balanced_weights(float *weights, const size_t *count, int classes, double beta)
{
	double sum = 0;
	assert(beta >= 0 && beta < 1);
	for (int pass = 0; pass < 2; pass++)
		for (int c = 0; c < classes; c++) { /* expm1: beta^n is close to 1 where it matters */
			double w = (1 - beta) / -expm1(at_least_one(count[c]) * log(beta));
			if (pass)
				weights[c] = (float)(w / sum * classes);
			else
				sum += w;
		}
}
