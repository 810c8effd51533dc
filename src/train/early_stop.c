/* Early stopping: see early_stop.h. */
#include "train/early_stop.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	bool higher;
} metrics[] = {
	{ "loss", false },
	{ "nll", false },
	{ "ece", false },
	{ "top1", true },
	{ "top5", true },
	{ "macro_top1", true },
};
enum { METRICS = sizeof metrics / sizeof *metrics };

static size_t find(const char *metric)
{
	size_t i = 0;
	while (i < METRICS && strcmp(metrics[i].name, metric) != 0)
		i++;
	return i;
}

tp_code tp_stop_check(const tp_stop_opts *o, tp_err *err)
{
	if (find(o->metric) == METRICS)
		return tp_fail(err, TP_EINVAL,
			"no metric is called \"%s\": loss, nll, ece, top1, top5, macro_top1", o->metric);
	if (o->patience < 0)
		return tp_fail(err, TP_EINVAL, "patience is %d, below 0", o->patience);
	if (!(o->min_delta >= 0))
		return tp_fail(err, TP_EINVAL, "the least difference is %g, below 0", o->min_delta);
	return TP_OK;
}

bool tp_stop_higher_is_better(const char *metric)
{
	size_t i = find(metric);
	return i < METRICS && metrics[i].higher;
}

tp_stop_verdict tp_stop_next(tp_stop *s, const tp_stop_opts *o, double value)
{
	double gain = tp_stop_higher_is_better(o->metric) ? value - s->best : s->best - value;
	int at = s->seen++;
	if (!isnan(value) && (s->best_at < 0 || gain > o->min_delta)) {
		s->best = value;
		s->best_at = at;
		return TP_STOP_BETTER;
	}
	return o->patience > 0 && at - s->best_at >= o->patience ? TP_STOP_NOW : TP_STOP_WAIT;
}
