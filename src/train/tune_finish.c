/* What a run of fine-tuning ends with: the photos it left out, and the finished weights, mixed with those it began with
 * when `blend` says so (Wortsman et al. 2022, arXiv 2109.01903: such a mix keeps more of what the backbone knew of photos
 * that are not like these). */
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/tune_int.h"

void tp_tune_name_bad(tp_tuner *t)
{
	tp_loader_stats s;
	tp_loader_get_stats(&s, t->loader);
	for (size_t i = 0; i < s.bad && i < 10; i++) {
		tp_loader_bad b = tp_loader_bad_at(t->loader, i);
		tp_log(TP_LOG_WARN, "photo=\"%s\" left out: %s", t->train[b.sample].path, b.why);
	}
	if (s.bad > 10)
		tp_log(TP_LOG_WARN, "%zu photos in all were left out", s.bad);
}

double tp_tune_figure(const tp_tuner *t, const tp_metrics *m)
{
	const char *name = tp_recipe_stop(t->r).metric;
	return !strcmp(name, "loss") ? m->nll : !strcmp(name, "top1") ? m->top1 : m->macro_top1;
}

/* ---- a mix -------------------------------------------------------------------------------------------------- */

/* Training is over: what the network was trained with serves as the place for a mix. */
typedef struct {
	tp_tuner *t;
	tp_params start, best;
} mixer;

static tp_code open_mixer(mixer *x, tp_err *err)
{
	tp_tuner *t = x->t;
	tp_code rc = tp_params_init(&x->start, t->net, err);
	if (!rc)
		rc = tp_params_init(&x->best, t->net, err);
	if (!rc)
		rc = tp_params_load(&x->start, t->start, false, err);
	return rc ? rc : tp_params_load(&x->best, t->best, false, err);
}

static void close_mixer(mixer *x)
{
	tp_params_dispose(&x->start);
	tp_params_dispose(&x->best);
}

/* Its ends are the two themselves, to the sign of a zero. */
static void mix(float *out, const float *start, const float *best, size_t n, double blend)
{
	if (blend == 0 || blend == 1) {
		memcpy(out, blend == 0 ? start : best, n * sizeof *out);
		return;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (float)((1 - blend) * (double)start[i] + blend * (double)best[i]);
}

static tp_code mixed(tp_weights **out, mixer *x, double blend, tp_err *err)
{
	tp_params *p = &x->t->p;
	mix(p->w, x->start.w, x->best.w, p->n, blend);
	mix(p->buf, x->start.buf, x->best.buf, p->n_buf, blend);
	return tp_params_copy(out, p, err);
}

/* The best of five by the monitor's figure on validation; of equals the one nearest to the start. */
static tp_code choose(double *blend, json_t *tried, mixer *x, tp_err *err)
{
	static const double shares[] = { 0, 0.25, 0.5, 0.75, 1 };
	tp_stop stop = TP_STOP_INIT;
	tp_stop_opts so = tp_recipe_stop(x->t->r);
	tp_code rc = TP_OK;
	so.patience = 0;
	for (size_t i = 0; i < sizeof shares / sizeof *shares && !rc; i++) {
		tp_weights *w = NULL;
		tp_metrics m = { 0 };
		rc = mixed(&w, x, shares[i], err);
		if (!rc)
			rc = tp_tune_eval(&m, x->t, w, err);
		if (!rc && !m.n)
			rc = tp_fail(err, TP_EINVAL, "blend = auto: no validation photo could be read");
		if (!rc && tp_stop_next(&stop, &so, tp_tune_figure(x->t, &m)) == TP_STOP_BETTER)
			*blend = shares[i];
		json_array_append_new(
			tried, json_pack("{s:f, s:f, s:f, s:f}", "blend", shares[i], "val_loss", m.nll,
				       "val_top1", m.top1, "val_macro_top1", m.macro_top1));
		tp_weights_free(w);
	}
	if (!rc && stop.best_at < 0)
		rc = tp_fail(err, TP_EINVAL, "blend = auto: no mix gives a figure on validation");
	return rc;
}

/* The weights of the best epoch become the mix, and the history says which it is. */
static tp_code blend_best(tp_tuner *t, json_t *history, tp_err *err)
{
	mixer x = { .t = t };
	tp_weights *w = NULL;
	double blend;
	tp_code rc = tp_recipe_blend(&blend, t->r, err);
	if (rc || blend == 1)
		return rc;
	rc = open_mixer(&x, err);
	if (!rc && blend == TP_BLEND_AUTO) {
		json_t *tried = json_array();
		rc = tried ? choose(&blend, tried, &x, err) : tp_nomem(err, 0);
		json_object_set_new(history, "blends", tried);
	}
	if (!rc)
		rc = mixed(&w, &x, blend, err);
	if (!rc) {
		tp_weights_free(t->best);
		t->best = w;
		json_object_set_new(history, "blend", json_real(blend));
	}
	close_mixer(&x);
	return rc;
}

tp_code tp_tune_finish(tp_tuned *out, tp_tuner *t, tp_err *err)
{
	tp_loader_stats s;
	tp_loader_get_stats(&s, t->loader);
	if (!t->best) /* every epoch's figure was no number */
		return tp_fail(err, TP_EINVAL, "no epoch gave a model");
	json_t *history = json_pack("{s:O, s:i, s:I, s:f, s:f, s:I}", "epochs", t->epochs, "best_epoch",
		t->s.stop.best_at + 1, "steps", (json_int_t)t->s.step, "seconds", t->s.seconds,
		"share_waiting", t->s.seconds > 0 ? s.waited / t->s.seconds : 0, "bad_photos",
		(json_int_t)s.bad);
	tp_code rc = history ? blend_best(t, history, err) : tp_nomem(err, 0);
	if (rc) {
		json_decref(history);
		return rc;
	}
	out->history = history;
	out->weights = t->best;
	t->best = NULL;
	return TP_OK;
}
