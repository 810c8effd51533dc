/* A reader for the pickles that PyTorch writes for a state dict. It builds plain values and never calls anything:
 * an opcode or a global that a state dict does not need is an error. */
#ifndef TP_NN_PICKLE_INT_H
#define TP_NN_PICKLE_INT_H

#include "nn/nn.h"

typedef enum {
	TP_PK_NONE,
	TP_PK_BOOL,
	TP_PK_INT,
	TP_PK_FLOAT,
	TP_PK_TEXT,
	TP_PK_TUPLE,
	TP_PK_LIST,
	TP_PK_DICT,    /* items: key, value, key, value, ... */
	TP_PK_GLOBAL,  /* num: which */
	TP_PK_STORAGE, /* dtype, text: its key, num: elements */
	TP_PK_TENSOR,  /* items: storage, offset, sizes, strides */
} tp_pk_kind;

typedef struct tp_pk tp_pk;
struct tp_pk {
	tp_pk_kind kind;
	tp_dtype dtype;
	int64_t num;
	const char *text; /* in the pickle, not terminated */
	tp_pk **item;
	size_t len, cap; /* of text, or of item */
};

typedef struct tp_pickle tp_pickle; /* owns every value it made */

TP_CHECKED tp_code tp_pickle_new(tp_pickle **out, const void *bytes, size_t len, tp_err *err);
void tp_pickle_free(tp_pickle *p);
/* Reads the next pickle. The bytes must outlive the values. */
TP_CHECKED tp_code tp_pickle_next(tp_pk **out, tp_pickle *p, tp_err *err);
/* The storages named so far, in no order; NULL after the last. */
const tp_pk *tp_pickle_storage(const tp_pickle *p, size_t i);
size_t tp_pickle_at(const tp_pickle *p); /* where the next one would begin */

bool tp_pk_is(const tp_pk *v, const char *text);

#endif
