/* Learning rates: see schedule.h. */
#include "train/schedule.h"

#include <math.h>

static double in_steps(double epochs, uint64_t steps_per_epoch)
{
	return round(epochs * (double)steps_per_epoch);
}

tp_code tp_lr_check(const tp_lr_opts *o, uint64_t total, uint64_t steps_per_epoch, tp_err *err)
{
	if (!(o->lr > 0 && isfinite(o->lr)))
		return tp_fail(err, TP_EINVAL, "the learning rate is %g, not above 0", o->lr);
	if (!(o->warmup_from >= 0 && o->warmup_from <= 1))
		return tp_fail(err, TP_EINVAL, "warm-up begins at %g of the learning rate, not in 0..1",
			o->warmup_from);
	if (!(o->warmup_epochs >= 0 && in_steps(o->warmup_epochs, steps_per_epoch) <= (double)total))
		return tp_fail(err, TP_EINVAL, "a warm-up of %g epochs of %llu steps in a run of %llu steps",
			o->warmup_epochs, (unsigned long long)steps_per_epoch, (unsigned long long)total);
	if (!(o->floor >= 0 && o->floor <= o->lr))
		return tp_fail(err, TP_EINVAL, "the cosine ends at %g, not in 0..%g", o->floor, o->lr);
	if (!(o->factor > 0 && o->factor <= 1))
		return tp_fail(err, TP_EINVAL, "a drop multiplies with %g, not in (0, 1]", o->factor);
	if (o->n_drops < 0 || o->n_drops > TP_LR_DROPS)
		return tp_fail(err, TP_EINVAL, "%d drops, at most %d", o->n_drops, TP_LR_DROPS);
	return TP_OK;
}

double tp_lr_at(const tp_lr_opts *o, uint64_t step, uint64_t total, uint64_t steps_per_epoch)
{
	double s = (double)step, warm = in_steps(o->warmup_epochs, steps_per_epoch);
	if (s < warm)
		return o->lr * (o->warmup_from + (1 - o->warmup_from) * s / warm);
	double lr = o->lr;
	if (o->kind == TP_LR_COSINE) {
		double done = s < (double)total ? (s - warm) / ((double)total - warm) : 1;
		lr = o->floor + (o->lr - o->floor) * (1 + cos(3.141592653589793 * done)) / 2;
	} else if (o->kind == TP_LR_STEP) {
		for (int i = 0; i < o->n_drops; i++)
			lr *= s >= in_steps(o->drop[i], steps_per_epoch) ? o->factor : 1;
	}
	return lr;
}
