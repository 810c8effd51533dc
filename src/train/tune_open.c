/* What a run of fine-tuning is made of, from its job: photos, weights, loss, loader, optimiser, network. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/tune_int.h"

/* The manifest's readable photos: those to train with, and those to validate with. */
static tp_code list_photos(tp_tuner *t, tp_err *err)
{
	const tp_manifest *m = t->job->m;
	t->train = tp_calloc(m->n_photos, sizeof *t->train);
	t->label = tp_calloc(m->n_photos, sizeof *t->label);
	t->val = tp_calloc(m->n_photos, sizeof *t->val);
	t->photo = tp_calloc(m->n_photos, sizeof *t->photo);
	if (!t->train || !t->label || !t->val || !t->photo)
		return tp_nomem(err, m->n_photos * sizeof *t->train);
	for (size_t i = 0; i < m->n_photos; i++) {
		const tp_photo *p = &m->photos[i];
		if (t->job->state && t->job->state[i] == TP_FEATURE_BAD)
			continue;
		if (p->split == TP_VAL)
			t->val[t->n_val++] = i;
		if (p->split != TP_TRAIN)
			continue;
		t->label[t->n_train] = p->species;
		t->photo[t->n_train] = i;
		t->train[t->n_train++] = (tp_labelled){ p->path, p->species };
	}
	return t->n_train ? TP_OK : tp_fail(err, TP_EINVAL, "no photos to train with");
}

static int n_stages(const tp_net *net)
{
	int n = 0;
	while (tp_net_stage_name(net, n))
		n++;
	return n;
}

static size_t count_of(const tp_net_param *p)
{
	size_t n = 1;
	for (int d = 0; d < p->ndim; d++)
		n *= (size_t)p->dim[d];
	return n;
}

/* A group a parameter, so that errors name it: no decay for norms and biases, slower learning towards the input. */
static tp_code make_groups(tp_tuner *t, tp_err *err)
{
	size_t n = tp_net_params(t->net);
	t->group = tp_calloc(n, sizeof *t->group);
	if (!t->group)
		return tp_nomem(err, n * sizeof *t->group);
	for (size_t i = 0; i < n; i++) {
		const tp_net_param *p = tp_net_param_at(t->net, i);
		if (p->buffer)
			continue;
		t->group[t->n_groups++] = (tp_param_group){ .name = p->name,
			.offset = t->p.off[i],
			.count = count_of(p),
			.lr_scale = pow(t->r->layer_decay, n_stages(t->net) - 1 - p->stage),
			.weight_decay = p->ndim > 1 ? t->r->weight_decay : 0 };
	}
	return TP_OK;
}

/* The classifier: fitted to the frozen features, or small numbers, uniform as torch.nn.Linear's. */
static void start_classifier(tp_tuner *t)
{
	size_t n = tp_net_params(t->net);
	const tp_net_param *w = tp_net_param_at(t->net, n - 2);
	size_t dim = (size_t)w->dim[1], rows = (size_t)w->dim[0];
	float *at = t->p.w + t->p.off[n - 2], *bias = t->p.w + t->p.off[n - 1];
	if (t->job->head) {
		memcpy(at, t->job->head->w, rows * dim * sizeof *at);
		memcpy(bias, t->job->head->b, rows * sizeof *bias);
		return;
	}
	tp_rng r = tp_rng_stream((uint64_t)t->r->seed, 0x636c7366, 0, 0);
	double bound = 1 / sqrt((double)dim);
	for (size_t i = 0; i < rows * dim; i++)
		at[i] = (float)((2 * tp_rng_unit(&r) - 1) * bound);
	for (size_t i = 0; i < rows; i++)
		bias[i] = (float)((2 * tp_rng_unit(&r) - 1) * bound);
}

static tp_code make_loss(tp_tuner *t, tp_err *err)
{
	size_t classes = (size_t)t->classes, batch = (size_t)t->batch;
	size_t *count = tp_calloc(classes, sizeof *count);
	t->logits = tp_alloc_aligned(batch * classes * sizeof *t->logits);
	t->rows = tp_calloc(batch, sizeof *t->rows);
	t->other = tp_calloc(batch, sizeof *t->other);
	t->share = tp_calloc(batch, sizeof *t->share);
	t->undo = tp_alloc_aligned((t->p.n_buf + 1) * sizeof *t->undo);
	float *v = tp_calloc(classes, sizeof *v);
	if (!count || !t->logits || !t->rows || !t->other || !t->share || !t->undo || !v) {
		tp_free(count);
		tp_free(v);
		return tp_nomem(err, batch * classes * sizeof *t->logits);
	}
	for (size_t i = 0; i < t->n_train; i++)
		count[t->label[i]]++;
	if (t->r->balance == TP_BALANCE_WEIGHTS) {
		tp_loss_balanced_weights(v, count, t->classes, t->r->beta);
		t->weights = v;
	} else if (t->r->balance != TP_BALANCE_NONE) {
		tp_loss_prior_shift(
			v, count, t->classes, t->r->balance == TP_BALANCE_SOFTMAX ? 1 : t->r->tau);
		t->shift = v;
	} else {
		tp_free(v);
	}
	tp_free(count);
	return TP_OK;
}

/* A training photo, from a file or from a shard. */
static tp_code read_sample(void *ud, size_t sample, uint8_t **bytes, size_t *len, tp_err *err)
{
	const tp_tuner *t = ud;
	return tp_photo_read(bytes, len, t->job->m, t->photo[sample], err);
}

static tp_code make_loader(tp_tuner *t, tp_err *err)
{
	tp_augment a;
	tp_code rc = tp_recipe_augment(&a, t->r, err);
	if (rc)
		return rc;
	tp_loader_opts o = TP_LOADER_OPTS_INIT;
	o.read = read_sample;
	o.ud = t;
	o.samples = t->train;
	o.n_samples = t->n_train;
	o.prep = *t->job->prep;
	o.augment = &a;
	o.seed = (uint64_t)t->r->seed;
	o.batch = t->batch;
	o.threads = t->r->loader_threads;
	o.cache_side = t->r->cache_side;
	o.cache_bytes = (size_t)t->r->cache_mib << 20;
	rc = tp_loader_new(&t->loader, &o, err);
	if (!rc)
		rc = tp_sampler_new(&t->sampler, t->label, t->n_train, t->classes, t->r->sampling,
			(uint64_t)t->r->seed, err);
	t->order = tp_alloc(t->n_train * sizeof *t->order);
	return rc || t->order ? rc : tp_nomem(err, t->n_train * sizeof *t->order);
}

/* Compiled anew when the phase changes: in the first epochs only the classifier may be trained. */
tp_code tp_tune_make_learner(tp_tuner *t, tp_err *err)
{
	bool head_only = t->s.epoch < t->r->head_epochs;
	tp_learn_opts o = { .batch = t->batch, .side = t->job->prep->side, .threads = t->job->threads };
	o.bn_momentum = (float)t->r->bn_momentum;
	o.running_stat = t->r->batch_norm;
	o.direct = t->r->direct;
	o.whole = !t->r->dropout;
	o.drop_path = (float)t->r->drop_path;
	if (t->l && head_only == t->head_only)
		return TP_OK;
	tp_learner_free(t->l);
	t->l = NULL;
	t->head_only = head_only;
	tp_code rc = tp_recipe_frozen(o.frozen, t->r, t->net, err);
	for (int i = 0; i < n_stages(t->net) - 1; i++)
		o.frozen[i] = o.frozen[i] || head_only;
	for (size_t i = 0, g = 0; i < tp_net_params(t->net) && !rc; i++)
		if (!tp_net_param_at(t->net, i)->buffer)
			t->group[g++].frozen = o.frozen[tp_net_param_at(t->net, i)->stage];
	return rc ? rc : tp_learner_new(&t->l, t->net, &t->p, &o, err);
}

static tp_code make_optimizer(tp_tuner *t, tp_err *err)
{
	tp_optim_opts o;
	tp_code rc = make_groups(t, err);
	if (!rc)
		rc = tp_recipe_optim(&o, t->r, t->job->threads, err);
	if (!rc)
		rc = tp_optim_new(&t->o, t->p.n, t->group, t->n_groups, &o, err);
	if (rc || t->r->ema <= 0)
		return rc;
	t->ema = tp_alloc_aligned(t->p.n * sizeof *t->ema);
	t->ema_buf = tp_alloc_aligned((t->p.n_buf + 1) * sizeof *t->ema_buf);
	if (!t->ema || !t->ema_buf)
		return tp_nomem(err, t->p.n * sizeof *t->ema);
	memcpy(t->ema, t->p.w, t->p.n * sizeof *t->ema);
	memcpy(t->ema_buf, t->p.buf, t->p.n_buf * sizeof *t->ema_buf);
	return TP_OK;
}

/* A mix needs weights at the start that are good for something, and a choice photos to choose by. */
static tp_code check_blend(const tp_tune_job *job, tp_err *err)
{
	double blend;
	bool validates = false;
	tp_code rc = tp_recipe_blend(&blend, job->recipe, err);
	if (rc || blend == 1)
		return rc;
	if (!job->backbone || job->recipe->head == TP_HEAD_RANDOM)
		return tp_fail(err, TP_EINVAL,
			"blend = %s mixes with the weights before the first step, which are random here: set "
			"blend = 1, or begin with a backbone and head = fitted",
			job->recipe->blend);
	for (size_t i = 0; i < job->m->n_photos; i++)
		validates = validates || job->m->photos[i].split == TP_VAL;
	if (blend == TP_BLEND_AUTO && !validates)
		return tp_fail(
			err, TP_EINVAL, "blend = auto chooses by validation photos, and there are none");
	return TP_OK;
}

tp_code tp_tune_check(const tp_tune_job *job, tp_err *err)
{
	bool frozen[TP_MAX_STAGES] = { 0 };
	tp_lr_opts lr;
	tp_augment a;
	tp_net *net = NULL;
	tp_code rc = tp_tune_check_dir(job, err);
	if (!rc)
		rc = tp_recipe_schedule(&lr, job->recipe, err);
	if (!rc)
		rc = tp_recipe_augment(&a, job->recipe, err);
	if (!rc)
		rc = tp_net_new(&net, job->arch, (int)job->m->n_taxa, err);
	if (!rc)
		rc = tp_recipe_frozen(frozen, job->recipe, net, err);
	if (!rc && job->recipe->drop_path > 0 && !tp_net_blocks(net))
		rc = tp_fail(err, TP_EINVAL,
			"drop_path = %g: %s has no residual blocks that photos could pass by",
			job->recipe->drop_path, job->arch->name);
	if (!rc)
		rc = check_blend(job, err);
	tp_net_free(net);
	return rc;
}

/* What the run trains with, and how that is cut into steps. */
static tp_code make_steps(tp_tuner *t, tp_err *err)
{
	t->classes = (int)t->job->m->n_taxa;
	tp_code rc = list_photos(t, err);
	if (rc)
		return rc;
	t->batch = (size_t)t->r->batch < t->n_train ? t->r->batch : (int)t->n_train;
	if (t->batch < t->r->batch)
		tp_log(TP_LOG_WARN,
			"batch=%d there are only %zu photos to train with: that many are taken at once",
			t->r->batch, t->n_train);
	t->steps = t->n_train / (size_t)t->batch / (size_t)t->r->accumulate;
	if (!t->steps)
		return tp_fail(err, TP_EINVAL,
			"accumulate = %d batches of %d photos are more than the %zu there are to train with",
			t->r->accumulate, t->batch, t->n_train);
	return TP_OK;
}

/* The weights before the first step: a backbone's with a classifier for these species, or the whole network from
 * nothing. */
static tp_code make_weights(tp_tuner *t, tp_err *err)
{
	tp_weights *made_up = NULL;
	tp_code rc = tp_net_new(&t->net, t->job->arch, t->classes, err);
	if (!rc)
		rc = tp_params_init(&t->p, t->net, err);
	if (!rc && t->job->backbone) {
		rc = tp_params_load(&t->p, t->job->backbone, true, err);
		if (!rc)
			start_classifier(t);
		return rc;
	}
	if (!rc)
		rc = tp_net_init(&made_up, t->net, (uint64_t)t->r->seed, err);
	if (!rc)
		rc = tp_params_load(&t->p, made_up, false, err);
	tp_weights_free(made_up);
	return rc;
}

/* The weights before the first step are kept for whoever wants them; a run that mixes with them ends without. */
static tp_code keep_start(tp_tuner *t, tp_err *err)
{
	tp_err why = { 0 };
	double blend;
	tp_code rc = tp_recipe_blend(&blend, t->r, err);
	if (!rc && !t->job->resume && tp_tune_save_start(t, &why)) {
		if (blend != 1)
			return tp_fail(err, why.code, "%s", why.msg);
		tp_log(TP_LOG_WARN, "the weights before the first step were not written: %s", why.msg);
	}
	return rc || blend == 1 ? rc : tp_tune_load_start(t, err);
}

tp_code tp_tune_open(tp_tuner *t, tp_err *err)
{
	tp_lr_opts lr;
	t->s.stop = (tp_stop)TP_STOP_INIT;
	t->epochs = json_array();
	tp_code rc = t->epochs ? tp_tune_check(t->job, err) : tp_nomem(err, 0);
	if (!rc)
		rc = tp_tune_take_dir(t, err);
	if (!rc)
		rc = make_steps(t, err);
	if (!rc)
		rc = tp_recipe_schedule(&lr, t->r, err);
	if (!rc)
		rc = tp_lr_check(&lr, t->steps * (size_t)t->r->epochs, t->steps, err);
	if (!rc)
		rc = make_weights(t, err);
	if (!rc)
		rc = tp_tune_hash_backbone(t, err);
	if (!rc)
		rc = make_loss(t, err);
	if (!rc)
		rc = make_loader(t, err);
	if (!rc)
		rc = make_optimizer(t, err);
	if (!rc && t->job->resume)
		rc = tp_tune_load(t, err);
	if (!rc)
		rc = tp_tune_write_recipe(t, err);
	if (!rc)
		rc = keep_start(t, err);
	return rc ? rc : tp_runlog_open(&t->log, t->job->dir, t->s.step, t->s.at > 0, err);
}

tp_code tp_tune_open_batches(tp_tuner *t, tp_err *err)
{
	tp_code rc = make_steps(t, err);
	if (!rc)
		rc = make_loss(t, err);
	return rc ? rc : make_loader(t, err);
}

void tp_tune_close(tp_tuner *t)
{
	if (t->lock >= 0)
		close(t->lock);
	tp_runlog_close(t->log);
	tp_learner_free(t->l);
	tp_optim_free(t->o);
	tp_loader_free(t->loader);
	tp_sampler_free(t->sampler);
	tp_params_dispose(&t->p);
	tp_net_free(t->net);
	tp_weights_free(t->best);
	tp_weights_free(t->start);
	json_decref(t->epochs);
	tp_free_aligned(t->ema);
	tp_free_aligned(t->ema_buf);
	tp_free_aligned(t->logits);
	tp_free_aligned(t->undo);
	tp_free(t->group);
	tp_free(t->train);
	tp_free(t->label);
	tp_free(t->val);
	tp_free(t->photo);
	tp_free(t->order);
	tp_free(t->shift);
	tp_free(t->weights);
	tp_free(t->share);
	tp_free(t->other);
	tp_free(t->rows);
}
