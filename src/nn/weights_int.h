/* What stands behind a tp_weights; for the readers of this folder. */
#ifndef TP_NN_WEIGHTS_INT_H
#define TP_NN_WEIGHTS_INT_H

#include "base/file.h"
#include "nn/nn.h"

struct tp_weights {
	tp_tensor *t;
	size_t n, cap;
	size_t *by_name; /* tensor numbers, sorted by name */
	tp_meta *meta;   /* key and value are owned */
	size_t n_meta;
	tp_map map;    /* the file behind it, or empty */
	uint8_t *heap; /* owned bytes behind it, or NULL */
};

size_t tp_dtype_size(tp_dtype d);
const char *tp_dtype_name(tp_dtype d);

/* Adds a tensor; the name is copied. Data is borrowed. */
TP_CHECKED tp_code tp_weights_add(tp_weights *w, const tp_tensor *t, tp_err *err);
TP_CHECKED tp_code tp_weights_add_meta(tp_weights *w, const char *key, const char *value, tp_err *err);
/* Sorts the names; TP_EFORMAT when one stands there twice. Call once, when all have been added. */
TP_CHECKED tp_code tp_weights_seal(tp_weights *w, tp_err *err);

#endif
