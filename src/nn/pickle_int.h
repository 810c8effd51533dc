/* A reader of the pickles that PyTorch writes for a state dict. It builds texts, numbers, tuples, lists, dicts and
 * tensors and nothing else: a machine with a stack and a memo, no call into anything. An opcode or a global beyond
 * those is refused by name.
 * Source: CPython's pickletools.py documents the opcodes; torch/_utils.py what _rebuild_tensor_v2 takes. */
#ifndef TP_NN_PICKLE_INT_H
#define TP_NN_PICKLE_INT_H

#include "nn/nn.h"

typedef enum {
	TP_PK_NONE,
	TP_PK_BOOL,
	TP_PK_INT,
	TP_PK_FLOAT,
	TP_PK_TEXT,
	TP_PK_TUPLE, /* items */
	TP_PK_LIST,  /* items */
	TP_PK_DICT,  /* items: key, value, key, value ... */
	TP_PK_GLOBAL,
	TP_PK_STORAGE, /* i: number in storage[] */
	TP_PK_TENSOR,  /* items: storage, offset, size tuple, stride tuple */
	TP_PK_MARK,
} tp_pk_kind;

typedef struct {
	tp_pk_kind kind;
	int64_t i;
	const char *text; /* borrowed from the pickle, not terminated */
	size_t len;
	int *item; /* values by number */
	int n, cap;
} tp_pk_value;

typedef struct {
	const char *key; /* borrowed, not terminated */
	size_t key_len;
	tp_dtype dtype;
	int64_t count;       /* values */
	const uint8_t *data; /* found later, in the container */
} tp_pk_storage;

typedef struct {
	tp_pk_value *v;
	int n, cap;
	int *stack, depth, stack_cap;
	int *memo, memo_cap;
	tp_pk_storage *storage;
	int n_storage;
	int root; /* the value STOP left */
} tp_pickle;

/* Reads one pickle from p; *used (may be NULL) is its length. Dispose also after a failure. */
TP_CHECKED tp_code tp_pickle_read(tp_pickle *k, const uint8_t *p, size_t len, size_t *used, tp_err *err);
void tp_pickle_dispose(tp_pickle *k);

/* The value of a text key in a dict, -1 when it is not there. */
int tp_pickle_get(const tp_pickle *k, int dict, const char *key);

#endif
