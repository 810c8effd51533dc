/* One step of fine-tuning: batches forward and backward, and the update. */
#include <math.h>
#include <string.h>

#include "base/progress.h"
#include "train/ema.h"
#include "train/tune_int.h"

static size_t count_right(const tp_tuner *t, const int *y)
{
	size_t right = 0;
	for (int i = 0; i < t->batch; i++) {
		const float *z = t->logits + (size_t)i * (size_t)t->classes;
		int top = 0;
		for (int c = 1; c < t->classes; c++)
			top = z[c] > z[top] ? c : top;
		right += top == y[i];
	}
	return right;
}

static void erase(const tp_tuner *t, const tp_loaded *b)
{
	size_t side = (size_t)t->job->prep->side;
	tp_erase_opts o = TP_ERASE_OPTS_INIT;
	o.chance = t->r->erase;
	for (int i = 0; i < b->n && o.chance > 0; i++)
		tp_erase(b->x + (size_t)i * 3 * side * side, (int)side, (int)side, &o, (uint64_t)t->r->seed,
			(uint64_t)t->s.epoch, b->samples[i]);
}

/* A batch from the loader as the network sees it: photos erased and mixed as the recipe says, and what they are. */
tp_targets tp_tune_vary(tp_tuner *t, const tp_loaded *b, uint64_t draw)
{
	int side = t->job->prep->side;
	tp_mix_opts mix = TP_MIX_OPTS_INIT;
	mix.mixup = t->r->mixup;
	mix.cutmix = t->r->cutmix;
	erase(t, b);
	bool mixed = (mix.mixup > 0 || mix.cutmix > 0) &&
		     tp_mix(b->x, b->n, 3, side, side, b->labels, t->other, t->share, &mix,
			     (uint64_t)t->r->seed, draw) != TP_MIX_NONE;
	return (tp_targets){
		.a = b->labels, .b = mixed ? t->other : NULL, .weight = mixed ? t->share : NULL
	};
}

/* A batch forward and backward; its gradient is added to what is there, or written over it. */
static tp_code learn(tp_tuner *t, const tp_loaded *b, uint64_t draw, bool add, double *loss, tp_err *err)
{
	tp_loss_opts lo = TP_LOSS_OPTS_INIT;
	tp_targets y = tp_tune_vary(t, b, draw);
	lo.smoothing = t->r->smoothing;
	lo.shift = t->shift;
	lo.weights = t->weights;
	double mean = 0;
	tp_code rc = tp_learner_forward(t->l, b->x, t->logits, (uint64_t)t->r->seed << 32 ^ draw, err);
	if (rc)
		return rc;
	t->s.right += (double)count_right(t, b->labels);
	rc = tp_loss_softmax(&mean, t->rows, t->logits, t->logits, (size_t)b->n, t->classes, &y, &lo, err);
	float scale = 1 / (float)t->r->accumulate;
	for (size_t i = 0; t->r->accumulate > 1 && i < (size_t)b->n * (size_t)t->classes; i++)
		t->logits[i] *= scale;
	if (!rc)
		rc = tp_learner_backward(t->l, t->logits, add, err);
	t->s.loss += mean * b->n;
	t->s.seen += (size_t)b->n;
	*loss += mean / t->r->accumulate;
	return rc;
}

static tp_code update(tp_tuner *t, double loss, double *lr, double *norm, tp_err *err)
{
	tp_lr_opts o;
	tp_code rc = tp_recipe_schedule(&o, t->r, err);
	if (rc)
		return rc;
	*lr = tp_lr_at(&o, t->s.step, t->steps * (size_t)t->r->epochs, t->steps);
	rc = tp_optim_step(t->o, t->p.w, t->p.g, loss, *lr, norm, err);
	if (!rc && t->ema) {
		double decay = tp_ema_decay(t->r->ema, true, t->s.step);
		rc = tp_ema_update(t->ema, t->p.w, t->p.n, decay, t->job->threads, err);
		if (!rc)
			rc = tp_ema_update(t->ema_buf, t->p.buf, t->p.n_buf, decay, t->job->threads, err);
	}
	t->s.step += !rc;
	return rc;
}

static double epochs_done(const tp_tuner *t)
{
	return t->s.epoch + (double)t->s.at / (double)t->n_train;
}

static void log_step(tp_tuner *t, double loss, double lr, double norm)
{
	tp_loader_stats s;
	double now = tp_now(), took = now - t->clock;
	tp_loader_get_stats(&s, t->loader);
	const tp_run_value v[] = { { TP_TAG_LOSS, loss }, { TP_TAG_LR, lr }, { TP_TAG_GRAD_NORM, norm },
		{ TP_TAG_IMAGES_PER_S, t->batch * t->r->accumulate / took },
		{ TP_TAG_WAIT, fmin(1, (s.waited - t->waited) / took) } };
	tp_runlog_add(t->log, t->s.step, epochs_done(t), v, sizeof v / sizeof *v);
	t->clock = now;
	t->waited = s.waited;
}

/* A batch is the readable photos of the order, one after the other: those between could not be read. */
static void move_on(tp_tuner *t, const tp_loaded *b)
{
	for (int i = 0; i < b->n; i++) {
		while (t->s.place < t->n_train && t->order[t->s.place] != b->samples[i])
			t->s.place++;
		t->s.place++;
	}
}

/* The gradient of a step's batches; *over when the epoch has no whole step left. */
static tp_code gather(tp_tuner *t, double *loss, bool *over, tp_err *err)
{
	tp_code rc = TP_OK;
	for (int k = 0; k < t->r->accumulate && !rc; k++) {
		tp_loaded b;
		rc = tp_loader_next(&b, t->loader, err);
		*over = !rc && b.n < t->batch;
		if (*over)
			return TP_OK;
		if (!rc)
			move_on(t, &b);
		if (!rc)
			rc = learn(t, &b, t->s.step * (uint64_t)t->r->accumulate + (uint64_t)k, k > 0, loss,
				err);
	}
	return rc;
}

/* One optimiser step, whole or not at all: after an error the run is where it was, and can be written as a checkpoint. */
tp_code tp_tune_step(tp_tuner *t, bool *over, tp_err *err)
{
	double loss = 0, lr = 0, norm = 0;
	tp_tune_state before = t->s;
	memcpy(t->undo, t->p.buf, t->p.n_buf * sizeof *t->undo);
	tp_code rc = gather(t, &loss, over, err);
	if (!rc && !*over)
		rc = update(t, loss, &lr, &norm, err);
	if (rc || *over) {
		memcpy(t->p.buf, t->undo, t->p.n_buf * sizeof *t->undo);
		t->s = before;
		return rc;
	}
	t->s.at += (size_t)t->batch * (size_t)t->r->accumulate;
	log_step(t, loss, lr, norm);
	return TP_OK;
}
