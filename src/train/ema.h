/* The running mean of the weights over the steps, which is evaluated and saved in their stead: as timm's ModelEmaV2.
 * It starts as a copy of the weights (and of the running statistics, if they are to be averaged too). */
#ifndef TP_TRAIN_EMA_H
#define TP_TRAIN_EMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The decay of update t, counted from 0. With warm-up min(decay, (1 + t) / (10 + t)): a long memory would otherwise
 * hold on to the weights training began with. */
double tp_ema_decay(double decay, bool warm_up, uint64_t t);

/* ema = decay ema + (1 - decay) w, n floats each, the same bits for any number of threads. TP_ENOMEM. */
TP_CHECKED tp_code tp_ema_update(
	float *ema, const float *w, size_t n, double decay, int threads, tp_err *err);

#endif
