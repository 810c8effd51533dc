/* The pickle machine: see pickle_int.h. A stack, a memo, and values that live until the machine goes.
 * Opcodes: Python's pickletools. Every value costs at least one byte of input, so that memory is bounded by the
 * input's length; values may contain themselves, so nobody may walk them without a bound on depth. */
#include "nn/pickle_int.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

enum { MAX_STACK = 1 << 20, MAX_MEMO = 1 << 22, BLOCK = 256 };

typedef struct block {
	struct block *next;
	size_t n;
	tp_pk v[BLOCK];
} block;

struct tp_pickle {
	const uint8_t *p;
	size_t len, at, op_at;
	block *blocks;
	tp_pk **stack, **memo, **storages;
	size_t n, cap, memo_cap, n_storages, storages_cap;
	size_t marks[64]; /* stack heights; a state dict nests a handful deep */
	int n_marks;
	tp_code rc; /* the first failure */
	tp_err *err;
};

enum { G_ORDERED_DICT, G_TENSOR, G_OLD_TENSOR, G_PARAMETER, G_STORAGE };
static const struct {
	const char *name;
	int what;
	tp_dtype dtype;
} globals[] = {
	{ "collections.OrderedDict", G_ORDERED_DICT, TP_F32 },
	{ "torch._utils._rebuild_tensor_v2", G_TENSOR, TP_F32 },
	{ "torch._utils._rebuild_tensor", G_OLD_TENSOR, TP_F32 },
	{ "torch._utils._rebuild_parameter", G_PARAMETER, TP_F32 },
	{ "torch.FloatStorage", G_STORAGE, TP_F32 },
	{ "torch.HalfStorage", G_STORAGE, TP_F16 },
	{ "torch.BFloat16Storage", G_STORAGE, TP_BF16 },
	{ "torch.DoubleStorage", G_STORAGE, TP_F64 },
	{ "torch.LongStorage", G_STORAGE, TP_I64 },
	{ "torch.IntStorage", G_STORAGE, TP_I32 },
	{ "torch.CharStorage", G_STORAGE, TP_I8 },
	{ "torch.ByteStorage", G_STORAGE, TP_U8 },
	{ "torch.BoolStorage", G_STORAGE, TP_BOOL },
};

static void bad(tp_pickle *k, const char *what)
{
	if (!k->rc)
		k->rc = tp_fail(k->err, TP_EFORMAT, "pickle: %s at byte %zu", what, k->op_at);
}

static void no_memory(tp_pickle *k, size_t size)
{
	if (!k->rc)
		k->rc = tp_nomem(k->err, size);
}

tp_code tp_pickle_new(tp_pickle **out, const void *bytes, size_t len, tp_err *err)
{
	tp_pickle *k = tp_calloc(1, sizeof *k);
	if (!k)
		return tp_nomem(err, sizeof *k);
	k->p = bytes;
	k->len = len;
	k->cap = 256; /* never NULL: an empty tuple may be the first value */
	k->stack = tp_alloc(k->cap * sizeof *k->stack);
	if (!k->stack) {
		tp_pickle_free(k);
		return tp_nomem(err, sizeof *k);
	}
	*out = k;
	return TP_OK;
}

void tp_pickle_free(tp_pickle *k)
{
	if (!k)
		return;
	for (block *b = k->blocks, *next; b; b = next) {
		for (size_t i = 0; i < b->n; i++)
			tp_free(b->v[i].item);
		next = b->next;
		tp_free(b);
	}
	tp_free(k->stack);
	tp_free(k->memo);
	tp_free(k->storages);
	tp_free(k);
}

const tp_pk *tp_pickle_storage(const tp_pickle *k, size_t i)
{
	return i < k->n_storages ? k->storages[i] : NULL;
}

size_t tp_pickle_at(const tp_pickle *k)
{
	return k->at;
}

bool tp_pk_is(const tp_pk *v, const char *text)
{
	return v->kind == TP_PK_TEXT && v->len == strlen(text) && !memcmp(v->text, text, v->len);
}

/* ---- values and the stack --------------------------------------------------------------------------- */

static tp_pk *new_value(tp_pickle *k, tp_pk_kind kind)
{
	if (!k->blocks || k->blocks->n == BLOCK) {
		block *b = tp_calloc(1, sizeof *b);
		if (!b) {
			no_memory(k, sizeof *b);
			return NULL;
		}
		b->next = k->blocks;
		k->blocks = b;
	}
	tp_pk *v = &k->blocks->v[k->blocks->n++];
	v->kind = kind;
	return v;
}

static void push(tp_pickle *k, tp_pk *v)
{
	if (!v)
		return;
	if (k->n == k->cap) {
		size_t cap = 2 * k->cap;
		tp_pk **s = cap > MAX_STACK ? NULL : tp_realloc(k->stack, cap * sizeof *s);
		if (cap > MAX_STACK)
			bad(k, "stack too high");
		else if (!s)
			no_memory(k, cap * sizeof *s);
		if (!s)
			return;
		k->stack = s;
		k->cap = cap;
	}
	k->stack[k->n++] = v;
}

static size_t base(const tp_pickle *k)
{
	return k->n_marks ? k->marks[k->n_marks - 1] : 0;
}

/* The top n values, which stay where they are; NULL when there are not so many above the last mark. */
static tp_pk **top(tp_pickle *k, size_t n)
{
	if (k->n - base(k) < n) {
		bad(k, "too few values on the stack");
		return NULL;
	}
	return k->stack + k->n - n;
}

static tp_pk *pop(tp_pickle *k)
{
	tp_pk **v = top(k, 1);
	if (!v)
		return NULL;
	k->n--;
	return *v;
}

static void append(tp_pickle *k, tp_pk *v, tp_pk *const *item, size_t n)
{
	if (n > v->cap - v->len) {
		size_t cap = v->len + n > 2 * v->cap ? v->len + n : 2 * v->cap;
		tp_pk **p = tp_realloc(v->item, cap * sizeof(tp_pk *));
		if (!p) {
			no_memory(k, cap * sizeof(tp_pk *));
			return;
		}
		v->item = p;
		v->cap = cap;
	}
	if (n)
		memcpy(v->item + v->len, item, n * sizeof(tp_pk *));
	v->len += n;
}

/* The top n values become one tuple. */
static void tuple(tp_pickle *k, size_t n)
{
	tp_pk **v = top(k, n), *t = v ? new_value(k, TP_PK_TUPLE) : NULL;
	if (!t)
		return;
	append(k, t, v, n);
	k->n -= n;
	push(k, t);
}

/* The number of values above the last mark, which goes. */
static size_t unmark(tp_pickle *k)
{
	if (!k->n_marks) {
		bad(k, "no mark");
		return 0;
	}
	return k->n - k->marks[--k->n_marks];
}

static void add_items(tp_pickle *k, size_t n, tp_pk_kind kind)
{
	tp_pk **v = top(k, n + 1);
	if (!v)
		return;
	if (v[0]->kind != kind || (kind == TP_PK_DICT && n % 2)) {
		bad(k, "items for something that takes none");
		return;
	}
	append(k, v[0], v + 1, n);
	k->n -= n;
}

/* ---- input ------------------------------------------------------------------------------------------ */

static const uint8_t *take(tp_pickle *k, size_t n)
{
	if (n > k->len - k->at) {
		bad(k, "input ends");
		return NULL;
	}
	k->at += n;
	return k->p + k->at - n;
}

static uint64_t number(tp_pickle *k, size_t bytes)
{
	const uint8_t *p = take(k, bytes);
	uint64_t v = 0;
	for (size_t i = bytes; p && i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

static void push_int(tp_pickle *k, int64_t num, tp_pk_kind kind)
{
	tp_pk *v = new_value(k, kind);
	if (v)
		v->num = num;
	push(k, v);
}

static void push_long(tp_pickle *k)
{
	size_t n = (size_t)number(k, 1);
	if (n > 8) {
		bad(k, "number of more than 64 bits");
		return;
	}
	uint64_t u = number(k, n);
	if (n && n < 8 && u >> (8 * n - 1))
		u |= ~(uint64_t)0 << (8 * n); /* two's complement of n bytes */
	push_int(k, (int64_t)u, TP_PK_INT);
}

static void push_text(tp_pickle *k, size_t n)
{
	const uint8_t *p = take(k, n);
	tp_pk *v = p ? new_value(k, TP_PK_TEXT) : NULL;
	if (!v)
		return;
	v->text = (const char *)p;
	v->len = n;
	push(k, v);
}

static void push_global(tp_pickle *k)
{
	char name[96];
	size_t n = 0;
	for (int lines = 0; lines < 2;) {
		const uint8_t *c = take(k, 1);
		if (!c)
			return;
		if (*c == '\n')
			lines++;
		if (n < sizeof name - 1 && lines < 2)
			name[n++] = *c == '\n' ? '.' : *c < 32 || *c > 126 ? '?' : (char)*c;
	}
	name[n] = 0;
	for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
		if (!strcmp(globals[i].name, name)) {
			push_int(k, (int64_t)i, TP_PK_GLOBAL);
			return;
		}
	if (!k->rc)
		k->rc = tp_fail(k->err, TP_EFORMAT,
			"pickle: global '%s' at byte %zu is not one a state dict needs", name, k->op_at);
}

/* ---- memo ------------------------------------------------------------------------------------------- */

static void memo_put(tp_pickle *k, size_t i)
{
	tp_pk **v = top(k, 1);
	if (!v)
		return;
	if (i >= k->memo_cap) {
		/* an index is at most one more than the puts before it: each took two bytes of input */
		size_t cap = i + 1 > 2 * k->memo_cap ? i + 1 + 64 : 2 * k->memo_cap;
		if (i >= MAX_MEMO || i > k->len) {
			bad(k, "memo index too large");
			return;
		}
		tp_pk **m = tp_realloc(k->memo, cap * sizeof(tp_pk *));
		if (!m) {
			no_memory(k, cap * sizeof(tp_pk *));
			return;
		}
		memset(m + k->memo_cap, 0, (cap - k->memo_cap) * sizeof(tp_pk *));
		k->memo = m;
		k->memo_cap = cap;
	}
	k->memo[i] = *v;
}

static void memo_get(tp_pickle *k, size_t i)
{
	if (i >= k->memo_cap || !k->memo[i])
		bad(k, "memo index never set");
	else
		push(k, k->memo[i]);
}

/* ---- what a state dict is made of --------------------------------------------------------------------- */

static int global_kind(const tp_pk *v)
{
	return v->kind == TP_PK_GLOBAL ? globals[v->num].what : -1;
}

static void note_storage(tp_pickle *k, tp_pk *s)
{
	if (k->n_storages == k->storages_cap) {
		size_t cap = k->storages_cap ? 2 * k->storages_cap : 64;
		tp_pk **v = tp_realloc(k->storages, cap * sizeof(tp_pk *));
		if (!v) {
			no_memory(k, cap * sizeof(tp_pk *));
			return;
		}
		k->storages = v;
		k->storages_cap = cap;
	}
	k->storages[k->n_storages++] = s;
}

/* ('storage', class, key, place, elements[, view]) becomes a storage. */
static void persistent(tp_pickle *k)
{
	tp_pk *t = pop(k);
	if (!t)
		return;
	if (t->kind != TP_PK_TUPLE || t->len < 5 || t->len > 6 || !tp_pk_is(t->item[0], "storage") ||
		global_kind(t->item[1]) != G_STORAGE || t->item[2]->kind != TP_PK_TEXT ||
		t->item[4]->kind != TP_PK_INT || t->item[4]->num < 0 ||
		(t->len == 6 && t->item[5]->kind != TP_PK_NONE)) {
		bad(k, "reference that is not a storage");
		return;
	}
	tp_pk *s = new_value(k, TP_PK_STORAGE);
	if (!s)
		return;
	s->dtype = globals[t->item[1]->num].dtype;
	s->text = t->item[2]->text;
	s->len = t->item[2]->len;
	s->num = t->item[4]->num;
	note_storage(k, s);
	push(k, s);
}

static bool all_sizes(const tp_pk *t)
{
	if (t->kind != TP_PK_TUPLE || t->len > TP_MAX_DIMS)
		return false;
	for (size_t i = 0; i < t->len; i++)
		if (t->item[i]->kind != TP_PK_INT || t->item[i]->num < 0)
			return false;
	return true;
}

static tp_pk *rebuild_tensor(tp_pickle *k, const tp_pk *args)
{
	if (args->len < 4 || args->item[0]->kind != TP_PK_STORAGE || args->item[1]->kind != TP_PK_INT ||
		args->item[1]->num < 0 || !all_sizes(args->item[2]) || !all_sizes(args->item[3]) ||
		args->item[2]->len != args->item[3]->len) {
		bad(k, "tensor with impossible arguments");
		return NULL;
	}
	tp_pk *t = new_value(k, TP_PK_TENSOR);
	if (t)
		append(k, t, args->item, 4);
	return t;
}

/* OrderedDict() or, as Python 2 writes it, OrderedDict([[key, value], ...]). The list is used up: one that the memo
 * brings back again and again must not be copied as often. */
static tp_pk *ordered_dict(tp_pickle *k, const tp_pk *args)
{
	tp_pk *d = new_value(k, TP_PK_DICT);
	if (!d || !args->len)
		return d;
	tp_pk *pairs = args->item[0];
	if (args->len != 1 || pairs->kind != TP_PK_LIST) {
		bad(k, "call that a state dict does not need");
		return NULL;
	}
	for (size_t i = 0; i < pairs->len && !k->rc; i++) {
		const tp_pk *pair = pairs->item[i];
		if ((pair->kind == TP_PK_LIST || pair->kind == TP_PK_TUPLE) && pair->len == 2)
			append(k, d, pair->item, 2);
		else
			bad(k, "call that a state dict does not need");
	}
	pairs->len = 0;
	return d;
}

static void reduce(tp_pickle *k)
{
	tp_pk *args = pop(k), *fn = args ? pop(k) : NULL, *v = NULL;
	if (!fn)
		return;
	int what = args->kind == TP_PK_TUPLE ? global_kind(fn) : -1;
	if (what == G_ORDERED_DICT)
		v = ordered_dict(k, args);
	else if (what == G_TENSOR || (what == G_OLD_TENSOR && args->len == 4))
		v = rebuild_tensor(k, args);
	else if (what == G_PARAMETER && args->len && args->item[0]->kind == TP_PK_TENSOR)
		v = args->item[0];
	else
		bad(k, "call that a state dict does not need");
	push(k, v);
}

/* Attributes of an OrderedDict (its _metadata) say nothing about tensors. */
static void build(tp_pickle *k)
{
	tp_pk **v = top(k, 2);
	if (!v)
		return;
	if (v[0]->kind != TP_PK_DICT || v[1]->kind != TP_PK_DICT)
		bad(k, "attributes for something that is no dict");
	k->n--;
}

static void mark(tp_pickle *k)
{
	if (k->n_marks == (int)(sizeof k->marks / sizeof *k->marks))
		bad(k, "nested too deep");
	else
		k->marks[k->n_marks++] = k->n;
}

static void unknown(tp_pickle *k, uint8_t op)
{
	char what[48];
	snprintf(what, sizeof what, "opcode 0x%02x, which no state dict needs,", op);
	bad(k, what);
}

static void step(tp_pickle *k, uint8_t op)
{
	switch (op) {
	case 0x80:
		(void)number(k, 1);
		break; /* PROTO */
	case '(':
		mark(k);
		break; /* MARK */
	case '}':
		push(k, new_value(k, TP_PK_DICT));
		break; /* EMPTY_DICT */
	case ']':
		push(k, new_value(k, TP_PK_LIST));
		break; /* EMPTY_LIST */
	case ')':
		tuple(k, 0);
		break; /* EMPTY_TUPLE */
	case 't':
		tuple(k, unmark(k));
		break; /* TUPLE */
	case 0x85:
		tuple(k, 1);
		break; /* TUPLE1 */
	case 0x86:
		tuple(k, 2);
		break; /* TUPLE2 */
	case 0x87:
		tuple(k, 3);
		break; /* TUPLE3 */
	case 'X':
		push_text(k, (size_t)number(k, 4));
		break; /* BINUNICODE */
	case 0x8c:
		push_text(k, (size_t)number(k, 1));
		break; /* SHORT_BINUNICODE */
	case 'T':
		push_text(k, (size_t)number(k, 4));
		break; /* BINSTRING: Python 2's texts */
	case 'U':
		push_text(k, (size_t)number(k, 1));
		break; /* SHORT_BINSTRING */
	case 'K':
		push_int(k, (int64_t)number(k, 1), TP_PK_INT);
		break; /* BININT1 */
	case 'M':
		push_int(k, (int64_t)number(k, 2), TP_PK_INT);
		break; /* BININT2 */
	case 'J':
		push_int(k, (int32_t)(uint32_t)number(k, 4), TP_PK_INT);
		break; /* BININT */
	case 0x8a:
		push_long(k);
		break; /* LONG1 */
	case 'G':
		push_int(k, (int64_t)number(k, 8), TP_PK_FLOAT);
		break; /* BINFLOAT: value unused */
	case 0x88:
		push_int(k, 1, TP_PK_BOOL);
		break; /* NEWTRUE */
	case 0x89:
		push_int(k, 0, TP_PK_BOOL);
		break; /* NEWFALSE */
	case 'N':
		push(k, new_value(k, TP_PK_NONE));
		break; /* NONE */
	case 'q':
		memo_put(k, (size_t)number(k, 1));
		break; /* BINPUT */
	case 'r':
		memo_put(k, (size_t)number(k, 4));
		break; /* LONG_BINPUT */
	case 'h':
		memo_get(k, (size_t)number(k, 1));
		break; /* BINGET */
	case 'j':
		memo_get(k, (size_t)number(k, 4));
		break; /* LONG_BINGET */
	case 's':
		add_items(k, 2, TP_PK_DICT);
		break; /* SETITEM */
	case 'u':
		add_items(k, unmark(k), TP_PK_DICT);
		break; /* SETITEMS */
	case 'a':
		add_items(k, 1, TP_PK_LIST);
		break; /* APPEND */
	case 'e':
		add_items(k, unmark(k), TP_PK_LIST);
		break; /* APPENDS */
	case 'c':
		push_global(k);
		break; /* GLOBAL */
	case 'R':
		reduce(k);
		break; /* REDUCE */
	case 'b':
		build(k);
		break; /* BUILD */
	case 'Q':
		persistent(k);
		break; /* BINPERSID */
	default:
		unknown(k, op);
	}
}

tp_code tp_pickle_next(tp_pk **out, tp_pickle *k, tp_err *err)
{
	k->err = err;
	k->rc = TP_OK;
	k->n = 0;
	k->n_marks = 0;
	if (k->memo)
		memset(k->memo, 0, k->memo_cap * sizeof(tp_pk *));
	size_t start = k->at;
	while (!k->rc) {
		k->op_at = k->at;
		if (k->at - start > TP_MAX_PICKLE) {
			k->rc = tp_fail(err, TP_ELIMIT, "pickle: more than %d bytes", TP_MAX_PICKLE);
			break;
		}
		const uint8_t *op = take(k, 1);
		if (!op)
			break;
		if (*op == '.') {
			tp_pk *v = pop(k);
			if (v && k->n)
				bad(k, "values left on the stack");
			if (!k->rc)
				*out = v;
			break;
		}
		step(k, *op);
	}
	return k->rc;
}
