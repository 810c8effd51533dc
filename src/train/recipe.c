/* The settings of fine-tuning: see recipe.h. */
#include "train/recipe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

static const char *const optimizers[] = { "sgd", "adamw", NULL },
			 *const starts[] = { "fitted", "random", NULL },
			 *const statistics[] = { "batch", "running", NULL },
			 *const schedules[] = { "constant", "cosine", "step", NULL },
			 *const balances[] = { "none", "softmax", "logit-adjustment", "weights", NULL },
			 *const monitors[] = { "loss", "top1", "macro_top1", NULL };

#define AT(f) offsetof(tp_recipe, f)
const tp_cfg_item tp_recipe_items[] = {
	{ "epochs", TP_CFG_INT, AT(epochs), "4", 1, 10000, NULL, "passes over the training photos" },
	{ "head_epochs", TP_CFG_INT, AT(head_epochs), "0", 0, 10000, NULL,
		"of these, passes in which only the classifier is trained" },
	{ "head", TP_CFG_CHOICE, AT(head), "fitted", 0, 0, starts,
		"where the classifier starts: fitted to the frozen features, or at random" },
	{ "batch", TP_CFG_INT, AT(batch), "32", 1, 4096, NULL, "photos the network takes at once" },
	{ "accumulate", TP_CFG_INT, AT(accumulate), "1", 1, 1024, NULL,
		"batches whose gradients make one step" },
	{ "optimizer", TP_CFG_CHOICE, AT(optimizer), "adamw", 0, 0, optimizers, "how weights move" },
	{ "lr", TP_CFG_REAL, AT(lr), "0.0002", 0, 100, NULL, "learning rate, at its highest" },
	{ "momentum", TP_CFG_REAL, AT(momentum), "0.9", 0, 0.9999, NULL, "of SGD" },
	{ "nesterov", TP_CFG_FLAG, AT(nesterov), "yes", 0, 0, NULL, "SGD looks ahead" },
	{ "beta1", TP_CFG_REAL, AT(beta1), "0.9", 0, 0.9999, NULL, "of AdamW" },
	{ "beta2", TP_CFG_REAL, AT(beta2), "0.999", 0, 0.999999, NULL, "of AdamW" },
	{ "weight_decay", TP_CFG_REAL, AT(weight_decay), "0.02", 0, 10, NULL,
		"pull towards zero; norms and biases have none" },
	{ "layer_decay", TP_CFG_REAL, AT(layer_decay), "1", 0.01, 1, NULL,
		"learning rate of a stage as a share of that of the next one" },
	{ "clip", TP_CFG_REAL, AT(clip), "0", 0, 1e6, NULL, "longest gradient; 0: any" },
	{ "ema", TP_CFG_REAL, AT(ema), "0.99", 0, 0.99999, NULL,
		"decay of the weights' moving average, which is then what is kept; 0: none" },
	{ "batch_norm", TP_CFG_CHOICE, AT(batch_norm), "running", 0, 0, statistics,
		"normalises by the statistics of each batch, or by the running ones, which then stay" },
	{ "bn_momentum", TP_CFG_REAL, AT(bn_momentum), "0.1", 0, 1, NULL,
		"how fast running statistics follow the batches'; 0: as the network was published" },
	{ "schedule", TP_CFG_CHOICE, AT(schedule), "cosine", 0, 0, schedules, "how the learning rate falls" },
	{ "warmup_epochs", TP_CFG_REAL, AT(warmup_epochs), "2", 0, 1000, NULL,
		"rise at the beginning; at most half of the run" },
	{ "floor", TP_CFG_REAL, AT(floor), "0", 0, 100, NULL, "where the cosine ends" },
	{ "drop", TP_CFG_TEXT, AT(drop), "", 0, 0, NULL, "epochs at which a step schedule falls: 20,25" },
	{ "factor", TP_CFG_REAL, AT(factor), "0.1", 0, 1, NULL, "what it is multiplied by there" },
	{ "smoothing", TP_CFG_REAL, AT(smoothing), "0.1", 0, 0.99, NULL, "label smoothing" },
	{ "dropout", TP_CFG_FLAG, AT(dropout), "yes", 0, 0, NULL,
		"features are dropped as the network was published; no: none are" },
	{ "drop_path", TP_CFG_REAL, AT(drop_path), "0", 0, 0.99, NULL,
		"stochastic depth: share of photos that residual blocks pass by, rising to this at the end "
		"of the "
		"network; 0: none" },
	{ "balance", TP_CFG_CHOICE, AT(balance), "none", 0, 0, balances, "what is done for rare species" },
	{ "tau", TP_CFG_REAL, AT(tau), "1", 0, 10, NULL, "strength of logit adjustment" },
	{ "beta", TP_CFG_REAL, AT(beta), "0.999", 0, 0.999999, NULL, "of class-balanced weights" },
	{ "sampling", TP_CFG_REAL, AT(sampling), "0.5", 0, 1, NULL,
		"1: every photo once; 0.5: square root; 0: all species alike" },
	{ "mixup", TP_CFG_REAL, AT(mixup), "0", 0, 100, NULL, "alpha of mixup; 0: off" },
	{ "cutmix", TP_CFG_REAL, AT(cutmix), "0", 0, 100, NULL, "alpha of cutmix; 0: off" },
	{ "erase", TP_CFG_REAL, AT(erase), "0", 0, 1, NULL, "chance of random erasing" },
	{ "augment", TP_CFG_TEXT, AT(augment), "standard", 0, 0, NULL,
		"how photos are varied: none, light, standard or strong" },
	{ "freeze", TP_CFG_TEXT, AT(freeze), "", 0, 0, NULL, "stages that stay as they are: stem,stage1" },
	{ "monitor", TP_CFG_CHOICE, AT(monitor), "top1", 0, 0, monitors,
		"validation figure that says which epoch is best" },
	{ "patience", TP_CFG_INT, AT(patience), "0", 0, 10000, NULL,
		"epochs without a better one before the run ends; 0: it never does" },
	{ "blend", TP_CFG_TEXT, AT(blend), "0.75", 0, 0, NULL,
		"share of the tuned weights in the finished ones, the rest is what they were before; auto: "
		"what is "
		"best on validation" },
	{ "loader_threads", TP_CFG_INT, AT(loader_threads), "1", 1, 256, NULL,
		"threads that decode photos ahead" },
	{ "cache_mib", TP_CFG_INT, AT(cache_mib), "0", 0, 1 << 20, NULL,
		"memory for decoded photos, shrunk to cache_side" },
	{ "cache_side", TP_CFG_INT, AT(cache_side), "0", 0, 4096, NULL, "their short side; 0: not shrunk" },
	{ "save_minutes", TP_CFG_REAL, AT(save_minutes), "10", 0, 1e6, NULL,
		"between checkpoints inside an epoch" },
	{ "direct", TP_CFG_FLAG, AT(direct), "no", 0, 0, NULL, "convolutions without Winograd's short cut" },
	{ "seed", TP_CFG_INT, AT(seed), "1", 0, 2147483647, NULL, "of everything that is drawn in training" },
	{ 0 },
};

void tp_recipe_defaults(tp_recipe *r, const char *network)
{
	const tp_arch *arch = network ? tp_arch_find(network) : NULL;
	tp_cfg_defaults(r, tp_recipe_items);
	if (!network)
		return;
	r->drop_path = arch ? arch->drop_path : 0;
	r->epochs = 30;
	r->head = TP_HEAD_RANDOM;
	r->lr = 0.001;
	r->batch_norm = 0; /* there are no running statistics worth keeping */
	r->warmup_epochs = 0.5;
	r->sampling = 1;
	snprintf(r->blend, sizeof r->blend, "1"); /* nor weights */
}

tp_code tp_recipe_optim(tp_optim_opts *out, const tp_recipe *r, int threads, tp_err *err)
{
	(void)err;
	*out = (tp_optim_opts)TP_OPTIM_OPTS_INIT;
	out->kind = r->optimizer ? TP_ADAMW : TP_SGD;
	out->momentum = r->momentum;
	out->nesterov = out->kind == TP_SGD && r->nesterov && r->momentum > 0;
	out->beta1 = r->beta1;
	out->beta2 = r->beta2;
	out->clip_norm = r->clip;
	out->threads = threads;
	return TP_OK;
}

/* The next of a list with commas between, without the blanks around it; NULL: there are no more. The text is cut up. */
static char *next_item(char **list)
{
	char *s = *list, *comma = s ? strchr(s, ',') : NULL;
	if (!s)
		return NULL;
	*list = comma ? comma + 1 : NULL;
	size_t n = comma ? (size_t)(comma - s) : strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		n--;
	s[n] = 0;
	return s + strspn(s, " \t");
}

static tp_code read_drops(tp_lr_opts *o, const char *text, tp_err *err)
{
	char copy[TP_CFG_TEXT_MAX], *list = *text ? copy : NULL, *s;
	memcpy(copy, text, strlen(text) + 1);
	while ((s = next_item(&list))) {
		char *end;
		double v = strtod(s, &end);
		if (end == s || *end || o->n_drops == TP_LR_DROPS)
			return tp_fail(err, TP_EINVAL,
				"drop is up to %d epochs with commas between, not \"%.60s\"", TP_LR_DROPS,
				text);
		o->drop[o->n_drops++] = v;
	}
	return TP_OK;
}

tp_code tp_recipe_schedule(tp_lr_opts *out, const tp_recipe *r, tp_err *err)
{
	static const tp_lr_kind kinds[] = { TP_LR_CONSTANT, TP_LR_COSINE, TP_LR_STEP };
	*out = (tp_lr_opts)TP_LR_OPTS_INIT;
	out->kind = kinds[r->schedule];
	out->lr = r->lr;
	out->warmup_epochs = r->warmup_epochs < r->epochs / 2.0 ? r->warmup_epochs : r->epochs / 2.0;
	out->floor = r->floor;
	out->factor = r->factor;
	return read_drops(out, r->drop, err);
}

tp_code tp_recipe_augment(tp_augment *out, const tp_recipe *r, tp_err *err)
{
	tp_code rc = tp_augment_preset(out, r->augment, err);
	return rc ? tp_context(err, TP_EINVAL, "augment: ") : TP_OK;
}

tp_stop_opts tp_recipe_stop(const tp_recipe *r)
{
	return (tp_stop_opts){ .metric = monitors[r->monitor], .patience = r->patience };
}

tp_code tp_recipe_blend(double *out, const tp_recipe *r, tp_err *err)
{
	char *end;
	if (!strcmp(r->blend, "auto")) {
		*out = TP_BLEND_AUTO;
		return TP_OK;
	}
	*out = strtod(r->blend, &end);
	if (end == r->blend || *end || !(*out >= 0 && *out <= 1))
		return tp_fail(
			err, TP_EINVAL, "blend is a number from 0 to 1, or auto, not \"%.60s\"", r->blend);
	return TP_OK;
}

static tp_code freeze(bool frozen[TP_MAX_STAGES], const char *name, const tp_net *net, tp_err *err)
{
	const char *names[TP_MAX_STAGES], *s;
	size_t n = 0;
	for (int i = 0; (s = tp_net_stage_name(net, i)); i++) {
		names[n++] = s;
		if (!strcmp(s, name)) {
			frozen[i] = true;
			return TP_OK;
		}
	}
	const char *near = tp_nearest(name, names, n);
	return tp_fail(err, TP_EINVAL, "freeze: there is no stage \"%.30s\"; the network has %s to %s%s%s%s",
		name, names[0], names[n - 1], near ? "; did you mean \"" : "", near ? near : "",
		near ? "\"?" : "");
}

tp_code tp_recipe_frozen(bool frozen[TP_MAX_STAGES], const tp_recipe *r, const tp_net *net, tp_err *err)
{
	char text[TP_CFG_TEXT_MAX], *list = *r->freeze ? text : NULL, *name;
	tp_code rc = TP_OK;
	memcpy(text, r->freeze, sizeof text);
	while (!rc && (name = next_item(&list)))
		rc = freeze(frozen, name, net, err);
	return rc;
}
