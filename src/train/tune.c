/* The loop of fine-tuning: see tune.h. */
#include "train/tune.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "train/ema.h"
#include "train/html_report.h"
#include "train/tune_int.h"

/* ---- making a run ----------------------------------------------------------------------------------------- */

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
static tp_code make_learner(tp_tuner *t, tp_err *err)
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

static tp_code check_dir(const tp_tune_job *job, tp_err *err)
{
	if (!job->resume && tp_tune_has_checkpoint(job->dir))
		return tp_fail(err, TP_EINVAL,
			"%s holds a run: --resume goes on with it; for a new one name another folder with "
			"--run",
			job->dir);
	if (job->resume && !tp_tune_has_checkpoint(job->dir))
		return tp_fail(err, TP_ENOTFOUND,
			"%s holds no run to go on with; without --resume one is begun", job->dir);
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
			"blend = %s mixes with the weights before the first step, which are random here: it "
			"needs a backbone and head = fitted",
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
	tp_code rc = check_dir(job, err);
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

/* What a killed process left half written. */
static void sweep(const char *dir)
{
	tp_names names = { 0 };
	if (!tp_dir_list(&names, dir, NULL))
		for (size_t i = 0; i < names.len; i++) {
			char *path = strstr(names.v[i], ".tmp") ? tp_path_join(dir, names.v[i]) : NULL;
			if (path && tp_is_file(path))
				unlink(path);
			tp_free(path);
		}
	tp_names_free(&names);
}

/* The folder is one process's at a time. A file system without locks is taken as it is. */
static tp_code take_dir(tp_tuner *t, tp_err *err)
{
	const char *dir = t->job->dir;
	tp_code rc = tp_make_dirs(dir, err);
	if (rc)
		return rc;
	t->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->lock >= 0 && flock(t->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return tp_fail(err, TP_EBUSY, "%s: another process trains in it", dir);
	sweep(dir);
	return TP_OK;
}

/* DIR/recipe.json: what the run was told, every default included. */
static tp_code write_recipe(const tp_tuner *t, tp_err *err)
{
	char *path = tp_path_join(t->job->dir, "recipe.json");
	json_t *j = tp_cfg_to_json(t->r, tp_recipe_items);
	tp_code rc = path && j ? tp_json_write(path, j, err) : tp_nomem(err, 0);
	json_decref(j);
	tp_free(path);
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

static tp_code start(tp_tuner *t, tp_err *err)
{
	tp_lr_opts lr;
	t->s.stop = (tp_stop)TP_STOP_INIT;
	t->epochs = json_array();
	tp_code rc = t->epochs ? tp_tune_check(t->job, err) : tp_nomem(err, 0);
	if (!rc)
		rc = take_dir(t, err);
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
		rc = write_recipe(t, err);
	if (!rc)
		rc = keep_start(t, err);
	return rc ? rc : tp_runlog_open(&t->log, t->job->dir, t->s.step, t->s.at > 0, err);
}

static void dispose(tp_tuner *t)
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

/* ---- a step --------------------------------------------------------------------------------------------------- */

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
static tp_targets vary(tp_tuner *t, const tp_loaded *b, uint64_t draw)
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
	tp_targets y = vary(t, b, draw);
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
static tp_code step(tp_tuner *t, bool *over, tp_err *err)
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
	tp_code rc = make_learner(t, err);
	if (!rc)
		rc = tp_sampler_order(t->order, t->sampler, (uint64_t)t->s.epoch, err);
	if (!rc)
		rc = tp_loader_start(t->loader, (uint64_t)t->s.epoch, t->order, t->n_train, t->s.place, err);
	size_t a_step = (size_t)t->batch * (size_t)t->r->accumulate;
	t->clock = tp_now();
	tp_progress *p = tp_progress_start(what, t->steps * a_step - t->s.at, t->job->quiet);
	while (!rc && !over && t->s.at + a_step <= t->steps * a_step) {
		rc = step(t, &over, err);
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

/* DIR/report.html, to look at while the run goes on. What cannot be written costs a warning. */
static void write_report(const tp_tuner *t)
{
	char *log = tp_path_join(t->job->dir, "metrics.jsonl"),
	     *recipe = tp_path_join(t->job->dir, "recipe.json"),
	     *out = tp_path_join(t->job->dir, "report.html");
	tp_err err = { 0 };
	tp_code rc = log && recipe && out ? tp_html_report(log, recipe, out, &err) : tp_nomem(&err, 0);
	if (rc)
		tp_log(TP_LOG_WARN, "the report was not written: %s", err.msg);
	tp_free(log);
	tp_free(recipe);
	tp_free(out);
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
	write_report(t);
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
	tp_code rc = start(&t, err);
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
	dispose(&t);
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
			out.y = vary(t, &b, draw);
			rc = fn(ud, &out, err);
		}
	}
	return rc;
}

tp_code tp_tune_batches(const tp_tune_job *job, int epoch, tp_tune_batch_fn fn, void *ud, tp_err *err)
{
	tp_tuner t = { .job = job, .r = job->recipe };
	tp_code rc = make_steps(&t, err);
	if (!rc)
		rc = make_loss(&t, err);
	if (!rc)
		rc = make_loader(&t, err);
	for (t.s.epoch = epoch; t.s.epoch < t.r->epochs && !rc; t.s.epoch++)
		rc = hand_out(&t, fn, ud, err);
	if (t.loader)
		tp_tune_name_bad(&t);
	dispose(&t);
	return rc;
}
