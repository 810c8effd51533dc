/* How a network is fine-tuned: every setting of a run. A run is its recipe and a seed; the recipe as it was, every default
 * included, is kept in the model. Adding a setting is one line in recipe.c's
 * table, whose default is what was done before: checkpoints without it are taken to have it. */
#ifndef TP_TRAIN_RECIPE_H
#define TP_TRAIN_RECIPE_H

#include "base/cfg.h"
#include "image/augment.h"
#include "nn/nn.h"
#include "train/early_stop.h"
#include "train/mixup.h"
#include "train/optim.h"
#include "train/schedule.h"

typedef enum { TP_BALANCE_NONE, TP_BALANCE_SOFTMAX, TP_BALANCE_LOGIT, TP_BALANCE_WEIGHTS } tp_balance;
typedef enum { TP_HEAD_FITTED, TP_HEAD_RANDOM } tp_head_start;

typedef struct {
	int epochs, head_epochs, batch, accumulate, head, seed;
	int optimizer, batch_norm, monitor, patience;
	double lr, momentum, weight_decay, beta1, beta2, layer_decay, clip, ema, bn_momentum;
	double drop_path;
	bool nesterov, direct, dropout;
	int schedule;
	double warmup_epochs, floor, factor;
	char drop[TP_CFG_TEXT_MAX];
	double smoothing, tau, beta, sampling;
	int balance;
	double mixup, cutmix, erase;
	char augment[TP_CFG_TEXT_MAX], freeze[TP_CFG_TEXT_MAX], blend[TP_CFG_TEXT_MAX];
	int loader_threads, cache_mib, cache_side;
	double save_minutes;
} tp_recipe;

extern const tp_cfg_item tp_recipe_items[];
/* The table's defaults; for a network that begins with random weights: 30 epochs at a rate of 0.001, a random classifier,
 * batch-norms by the batches' statistics, and the stochastic depth it was published with. network: its name (one that
 * does not exist has none); NULL: weights come from a backbone. */
void tp_recipe_defaults(tp_recipe *r, const char *network);

/* What a recipe means to the parts that do it; TP_EINVAL names the setting. */
TP_CHECKED tp_code tp_recipe_optim(tp_optim_opts *out, const tp_recipe *r, int threads, tp_err *err);
TP_CHECKED tp_code tp_recipe_schedule(tp_lr_opts *out, const tp_recipe *r, tp_err *err);
TP_CHECKED tp_code tp_recipe_augment(tp_augment *out, const tp_recipe *r, tp_err *err);
tp_stop_opts tp_recipe_stop(const tp_recipe *r);
/* How much of the tuned weights is in the finished ones, 0..1; TP_BLEND_AUTO: what is best on validation. */
enum { TP_BLEND_AUTO = -1 };
TP_CHECKED tp_code tp_recipe_blend(double *out, const tp_recipe *r, tp_err *err);
/* Marks the stages that `freeze` names. TP_EINVAL names one the network does not have, and those it has. */
TP_CHECKED tp_code tp_recipe_frozen(
	bool frozen[TP_MAX_STAGES], const tp_recipe *r, const tp_net *net, tp_err *err);

#endif
