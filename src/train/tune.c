/* The loop of fine-tuning: see tune.h. What a run is made of is in tune_open.c, its folder in tune_dir.c and tune_ckpt.c,
 * a step in tune_step.c, validation in tune_eval.c, and what comes out in tune_finish.c. */
#include "train/tune.h"

#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "train/tune_int.h"

/* ---- an epoch --------------------------------------------------------------------------------------------------- */

tp_code tp_tune_weights(tp_weights **out, tp_tuner *t, tp_err *err)
{
	tp_params p = t->p;
	if (t->ema) {
		p.w = t->ema;
		p.buf = t->ema_buf;
	}
	return tp_params_copy(out, &p, err);
}

static tp_code save_best(tp_tuner *t, tp_err *err)
{
	tp_code rc = t->best_unsaved ? tp_tune_save_best(t, err) : TP_OK;
	t->best_unsaved = rc;
	return rc;
}

/* A checkpoint that cannot be written is no reason to lose the run: the one before is still there. It is not written
 * either when the best weights it counts on are not on the disk. */
static void save(tp_tuner *t)
{
	tp_err err = { 0 };
	tp_code rc = save_best(t, &err);
	if (!rc)
		rc = tp_tune_save(t, &err);
	if (!rc) {
		t->saved = true;
		t->saved_step = t->s.step;
		return;
	}
	tp_log(TP_LOG_WARN, "step=%llu no checkpoint was written%s: %s", (unsigned long long)t->s.step,
		t->saved ? ", the one before is kept" : "", err.msg);
}

static tp_code train_epoch(tp_tuner *t, tp_err *err)
{
	char what[32];
	double began = tp_now(), saved = began;
	bool over = false;
	snprintf(what, sizeof what, "epoch %d of %d", t->s.epoch + 1, t->r->epochs);
	tp_code rc = tp_tune_make_learner(t, err);
	if (!rc)
		rc = tp_sampler_order(t->order, t->sampler, (uint64_t)t->s.epoch, err);
	if (!rc)
		rc = tp_loader_start(t->loader, (uint64_t)t->s.epoch, t->order, t->n_train, t->s.place, err);
	size_t a_step = (size_t)t->batch * (size_t)t->r->accumulate;
	t->clock = tp_now();
	tp_progress *p = tp_progress_start(what, t->steps * a_step - t->s.at, t->job->quiet);
	while (!rc && !over && t->s.at + a_step <= t->steps * a_step) {
		rc = tp_tune_step(t, &over, err);
		if (!rc && !over) {
			tp_progress_add(p, a_step);
			tp_progress_note(p, "loss %.3f  right %.1f %%", t->s.loss / (double)t->s.seen,
				100 * t->s.right / (double)t->s.seen);
			rc = tp_cancel_check(err);
		}
		double now = tp_now();
		if (rc == TP_ECANCEL || (!rc && !over && now - saved > 60 * t->r->save_minutes)) {
			t->s.seconds += now - began;
			began = saved = now;
			save(t);
		}
	}
	tp_progress_end(p);
	if (!rc && !t->s.at)
		rc = tp_fail(err, TP_EINVAL, "too few of the %zu photos could be read for a step of %zu",
			t->n_train, a_step);
	t->s.seconds += tp_now() - began;
	return rc;
}

/* Without validation photos it is the last epoch with the smallest loss. */
static double monitored(const tp_tuner *t, const tp_metrics *m, double train_loss)
{
	if (!m->n)
		return !strcmp(tp_recipe_stop(t->r).metric, "loss") ? train_loss : -train_loss;
	return tp_tune_figure(t, m);
}

/* save(), which follows, writes them. */
static void keep_best(tp_tuner *t, tp_weights *w)
{
	tp_weights_free(t->best);
	t->best = w;
	t->best_unsaved = true;
}

static void note_epoch(tp_tuner *t, const tp_metrics *m, double loss, double right)
{
	tp_loader_stats s;
	tp_loader_get_stats(&s, t->loader);
	json_t *e = json_pack("{s:i, s:f, s:f, s:f, s:f}", "epoch", t->s.epoch + 1, "loss", loss, "top1",
		right, "seconds", t->s.seconds, "waited", s.waited);
	if (m->n) {
		json_object_set_new(e, "val_loss", json_real(m->nll));
		json_object_set_new(e, "val_top1", json_real(m->top1));
		json_object_set_new(e, "val_macro_top1", json_real(m->macro_top1));
	}
	json_array_append_new(t->epochs, e);
	const tp_run_value v[] = { { TP_TAG_VAL_LOSS, m->nll }, { TP_TAG_VAL_TOP1, m->top1 },
		{ TP_TAG_VAL_TOP5, m->top5 }, { TP_TAG_VAL_MACRO_TOP1, m->macro_top1 },
		{ "train/top1", right } };
	/* without validation photos only the last of these says anything */
	tp_runlog_add(t->log, t->s.step, t->s.epoch + 1, m->n ? v : v + 4, m->n ? 5 : 1);
	if (!t->job->quiet && m->n)
		fprintf(stderr,
			"epoch %d: loss %.4f, right %.1f %%; validation: loss %.4f, top-1 %.2f %%, mean over "
			"species %.2f %%\n",
			t->s.epoch + 1, loss, 100 * right, m->nll, 100 * m->top1, 100 * m->macro_top1);
}

/* What ends an epoch: validation, the best weights so far, a checkpoint. *stop: enough. */
static tp_code end_epoch(tp_tuner *t, bool *stop, tp_err *err)
{
	tp_weights *w = NULL;
	tp_metrics m = { 0 };
	double n = t->s.seen ? (double)t->s.seen : 1, loss = t->s.loss / n, right = t->s.right / n;
	tp_stop_opts so = tp_recipe_stop(t->r);
	tp_code rc = tp_tune_weights(&w, t, err);
	if (!rc)
		rc = tp_tune_eval(&m, t, w, err);
	if (!rc) {
		note_epoch(t, &m, loss, right);
		tp_stop_verdict v = tp_stop_next(&t->s.stop, &so, monitored(t, &m, loss));
		*stop = v == TP_STOP_NOW;
		if (v == TP_STOP_BETTER) {
			keep_best(t, w);
			w = NULL;
		}
	}
	tp_weights_free(w);
	if (rc == TP_ECANCEL) /* in validation, which is then done again */
		save(t);
	if (rc)
		return rc;
	tp_tune_write_report(t);
	t->s.epoch++;
	t->s.at = t->s.place = t->s.seen = 0;
	t->s.loss = t->s.right = 0;
	save(t);
	return TP_OK;
}

/* A run that ended early is over, also when it is resumed; with more patience it goes on. */
static bool had_enough(const tp_tuner *t)
{
	int patience = t->r->patience;
	return patience > 0 && t->s.stop.seen && t->s.stop.seen - 1 - t->s.stop.best_at >= patience;
}

/* What a run that ended too early leaves. */
static tp_code say_what_is_kept(const tp_tuner *t, tp_code rc, tp_err *err)
{
	const char *dir = t->job->dir;
	if (rc == TP_ECANCEL && t->saved)
		return tp_fail(err, rc,
			"stopped; %s holds the run as it was after step %llu: --resume goes on", dir,
			(unsigned long long)t->saved_step);
	if (rc == TP_ECANCEL)
		return tp_fail(err, rc, "stopped; no checkpoint could be written to %s", dir);
	if (rc == TP_EINVAL && t->saved)
		return tp_context(err, rc, "the last checkpoint, after step %llu, is kept in %s: ",
			(unsigned long long)t->saved_step, dir);
	return rc;
}

tp_code tp_tune(tp_tuned *out, const tp_tune_job *job, tp_err *err)
{
	tp_tuner t = { .job = job, .r = job->recipe, .lock = -1 };
	tp_code rc = tp_tune_open(&t, err);
	bool stop = !rc && had_enough(&t);
	while (!rc && !stop && t.s.epoch < job->recipe->epochs) {
		rc = train_epoch(&t, err);
		if (!rc)
			rc = end_epoch(&t, &stop, err);
	}
	if (t.loader)
		tp_tune_name_bad(&t);
	if (!rc)
		rc = tp_tune_finish(out, &t, err);
	else if (t.log)
		say_what_is_kept(&t, rc, err);
	tp_tune_close(&t);
	return rc;
}

void tp_tuned_dispose(tp_tuned *t)
{
	tp_weights_free(t->weights);
	json_decref(t->history);
	*t = (tp_tuned){ 0 };
}

/* ---- the batches alone --------------------------------------------------------------------------------------- */

static tp_code hand_out(tp_tuner *t, tp_tune_batch_fn fn, void *ud, tp_err *err)
{
	uint64_t draw = (uint64_t)t->s.epoch * t->steps * (uint64_t)t->r->accumulate;
	tp_code rc = tp_sampler_order(t->order, t->sampler, (uint64_t)t->s.epoch, err);
	if (!rc)
		rc = tp_loader_start(t->loader, (uint64_t)t->s.epoch, t->order, t->n_train, 0, err);
	for (size_t i = 0; i < t->steps * (size_t)t->r->accumulate && !rc; i++, draw++) {
		tp_loaded b;
		rc = tp_loader_next(&b, t->loader, err);
		if (!rc && b.n < t->batch)
			break;
		if (!rc) {
			tp_tune_batch out = { .epoch = t->s.epoch, .n = b.n, .x = b.x };
			out.y = tp_tune_vary(t, &b, draw);
			rc = fn(ud, &out, err);
		}
	}
	return rc;
}

tp_code tp_tune_batches(const tp_tune_job *job, int epoch, tp_tune_batch_fn fn, void *ud, tp_err *err)
{
	tp_tuner t = { .job = job, .r = job->recipe };
	tp_code rc = tp_tune_open_batches(&t, err);
	for (t.s.epoch = epoch; t.s.epoch < t.r->epochs && !rc; t.s.epoch++)
		rc = hand_out(&t, fn, ud, err);
	if (t.loader)
		tp_tune_name_bad(&t);
	tp_tune_close(&t);
	return rc;
}
