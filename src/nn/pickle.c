/* The pickle machine: see pickle_int.h. */
#include "nn/pickle_int.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

enum { MAX_VALUES = 1 << 20, MAX_STACK = 1 << 18, MAX_MEMO = 1 << 20 };

typedef struct {
	tp_pickle *k;
	const uint8_t *p;
	size_t len, at;
	tp_err *err;
} reader;

static tp_code bad(reader *r, const char *what)
{
	return tp_fail(r->err, TP_EFORMAT, "pickle: %s at byte %zu", what, r->at);
}

/* Makes room for one more in an array of `size`-byte things. */
static tp_code room(reader *r, void **v, int n, int *cap, size_t size, int max, const char *what)
{
	if (n < *cap)
		return TP_OK;
	if (n >= max)
		return tp_fail(r->err, TP_ELIMIT, "pickle: more than %d %s", max, what);
	int want = *cap ? 2 * *cap : 32;
	void *p = tp_realloc(*v, (size_t)want * size);
	if (!p)
		return tp_nomem(r->err, (size_t)want * size);
	*v = p;
	*cap = want;
	return TP_OK;
}

static tp_code push_number(reader *r, int value)
{
	void *v = r->k->stack;
	tp_code rc =
		room(r, &v, r->k->depth, &r->k->stack_cap, sizeof(int), MAX_STACK, "values on the stack");
	r->k->stack = v;
	if (!rc)
		r->k->stack[r->k->depth++] = value;
	return rc;
}

static tp_code push(reader *r, tp_pk_value value)
{
	void *v = r->k->v;
	tp_code rc = room(r, &v, r->k->n, &r->k->cap, sizeof value, MAX_VALUES, "values");
	r->k->v = v;
	if (rc)
		return rc;
	r->k->v[r->k->n] = value;
	return push_number(r, r->k->n++);
}

static tp_code push_kind(reader *r, tp_pk_kind kind, int64_t i)
{
	return push(r, (tp_pk_value){ .kind = kind, .i = i });
}

static tp_code pop(reader *r, int *value)
{
	if (!r->k->depth)
		return bad(r, "the stack is empty");
	*value = r->k->stack[--r->k->depth];
	return TP_OK;
}

static tp_code append(reader *r, int container, int value)
{
	tp_pk_value *c = &r->k->v[container];
	void *v = c->item;
	tp_code rc = room(r, &v, c->n, &c->cap, sizeof(int), MAX_VALUES, "items");
	c->item = v;
	if (!rc)
		c->item[c->n++] = value;
	return rc;
}

/* The stack position just above the topmost mark. */
static tp_code find_mark(reader *r, int *above)
{
	for (int i = r->k->depth; i > 0; i--)
		if (r->k->v[r->k->stack[i - 1]].kind == TP_PK_MARK) {
			*above = i;
			return TP_OK;
		}
	return bad(r, "no mark on the stack");
}

static tp_code need(reader *r, size_t n)
{
	return n > r->len - r->at ? bad(r, "ends in the middle of an opcode") : TP_OK;
}

static uint64_t little(const uint8_t *p, int n)
{
	uint64_t v = 0;
	for (int i = n - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static tp_code fixed(reader *r, int n, uint64_t *v)
{
	tp_code rc = need(r, (size_t)n);
	if (rc)
		return rc;
	*v = little(r->p + r->at, n);
	r->at += (size_t)n;
	return TP_OK;
}

/* Items above the mark become a tuple, or go into the list or dict below it. */
static tp_code collect(reader *r, tp_pk_kind kind)
{
	int above = 0;
	tp_code rc = find_mark(r, &above);
	if (rc)
		return rc;
	int n = r->k->depth - above, into;
	if (kind == TP_PK_TUPLE) {
		rc = push_kind(r, TP_PK_TUPLE, 0);
		if (rc)
			return rc;
		into = r->k->stack[--r->k->depth];
	} else {
		if (above < 2 || r->k->v[r->k->stack[above - 2]].kind != kind ||
			(kind == TP_PK_DICT && n % 2))
			return bad(r, "items for no list or dict");
		into = r->k->stack[above - 2];
	}
	for (int i = 0; i < n && !rc; i++)
		rc = append(r, into, r->k->stack[above + i]);
	r->k->depth = above - 1; /* the mark goes too */
	return rc || kind != TP_PK_TUPLE ? rc : push_number(r, into);
}

static tp_code short_tuple(reader *r, int n)
{
	if (r->k->depth < n)
		return bad(r, "the stack is empty");
	tp_code rc = push_kind(r, TP_PK_TUPLE, 0);
	if (rc)
		return rc;
	int t = r->k->stack[--r->k->depth];
	for (int i = 0; i < n && !rc; i++)
		rc = append(r, t, r->k->stack[r->k->depth - n + i]);
	r->k->depth -= n;
	return rc ? rc : push_number(r, t);
}

static tp_code set_item(reader *r, bool dict)
{
	int value = 0, key = 0;
	tp_code rc = pop(r, &value);
	if (!rc && dict)
		rc = pop(r, &key);
	if (rc)
		return rc;
	if (!r->k->depth || r->k->v[r->k->stack[r->k->depth - 1]].kind != (dict ? TP_PK_DICT : TP_PK_LIST))
		return bad(r, "an item for no list or dict");
	int into = r->k->stack[r->k->depth - 1];
	if (dict)
		rc = append(r, into, key);
	return rc ? rc : append(r, into, value);
}

static tp_code text(reader *r, int length_bytes)
{
	uint64_t n;
	tp_code rc = fixed(r, length_bytes, &n);
	if (!rc)
		rc = n > r->len ? bad(r, "a text longer than the file") : need(r, (size_t)n);
	if (rc)
		return rc;
	tp_pk_value v = { .kind = TP_PK_TEXT, .text = (const char *)r->p + r->at, .len = (size_t)n };
	r->at += (size_t)n;
	return push(r, v);
}

/* ---- what globals there are ------------------------------------------------------------------------ */

enum { G_ORDERED_DICT, G_REBUILD_TENSOR, G_REBUILD_PARAMETER, G_STORAGE };

static const struct {
	const char *name;
	int what;
	tp_dtype dtype;
} globals[] = {
	{ "collections OrderedDict", G_ORDERED_DICT, TP_F32 },
	{ "torch._utils _rebuild_tensor_v2", G_REBUILD_TENSOR, TP_F32 },
	{ "torch._utils _rebuild_parameter", G_REBUILD_PARAMETER, TP_F32 },
	{ "torch FloatStorage", G_STORAGE, TP_F32 },
	{ "torch HalfStorage", G_STORAGE, TP_F16 },
	{ "torch BFloat16Storage", G_STORAGE, TP_BF16 },
	{ "torch DoubleStorage", G_STORAGE, TP_F64 },
	{ "torch CharStorage", G_STORAGE, TP_I8 },
	{ "torch ByteStorage", G_STORAGE, TP_U8 },
	{ "torch IntStorage", G_STORAGE, TP_I32 },
	{ "torch LongStorage", G_STORAGE, TP_I64 },
	{ "torch BoolStorage", G_STORAGE, TP_BOOL },
};
enum { N_GLOBALS = sizeof globals / sizeof *globals };

static tp_code global(reader *r)
{
	char name[128];
	size_t n = 0, start = r->at;
	for (int lines = 0; lines < 2;) {
		if (r->at == r->len)
			return bad(r, "ends in the middle of a global");
		uint8_t c = r->p[r->at++];
		if (c == '\n')
			lines++;
		if (n + 1 < sizeof name)
			name[n++] = c == '\n' ? ' ' : c < 32 || c > 126 ? '?' : (char)c;
	}
	name[n ? n - 1 : 0] = 0;
	for (int i = 0; i < N_GLOBALS; i++)
		if (!strcmp(globals[i].name, name))
			return push_kind(r, TP_PK_GLOBAL, i);
	for (char *s = name; *s; s++)
		if (*s == ' ')
			*s = '.';
	return tp_fail(r->err, TP_EFORMAT, "pickle: global \"%s\" at byte %zu is not one a state dict needs",
		name, start);
}

/* ('storage', torch.FloatStorage, key, device, count[, view]) becomes a storage; the same key is the same one. */
static tp_code persistent_id(reader *r)
{
	int id = 0;
	tp_code rc = pop(r, &id);
	if (rc)
		return rc;
	tp_pickle *k = r->k;
	const tp_pk_value *t = &k->v[id];
	if (t->kind != TP_PK_TUPLE || t->n < 5 || k->v[t->item[0]].kind != TP_PK_TEXT ||
		k->v[t->item[0]].len != 7 || memcmp(k->v[t->item[0]].text, "storage", 7) != 0 ||
		k->v[t->item[1]].kind != TP_PK_GLOBAL || globals[k->v[t->item[1]].i].what != G_STORAGE ||
		k->v[t->item[2]].kind != TP_PK_TEXT || k->v[t->item[4]].kind != TP_PK_INT ||
		k->v[t->item[4]].i < 0 || (t->n > 5 && k->v[t->item[5]].kind != TP_PK_NONE))
		return bad(r, "a persistent id that is no storage");
	const tp_pk_value *key = &k->v[t->item[2]];
	tp_pk_storage s = { .key = key->text,
		.key_len = key->len,
		.count = k->v[t->item[4]].i,
		.dtype = globals[k->v[t->item[1]].i].dtype };
	for (int i = 0; i < k->n_storage; i++)
		if (k->storage[i].key_len == s.key_len && !memcmp(k->storage[i].key, s.key, s.key_len)) {
			if (k->storage[i].dtype != s.dtype || k->storage[i].count != s.count)
				return bad(r, "one storage with two types");
			return push_kind(r, TP_PK_STORAGE, i);
		}
	if (k->n_storage == TP_MAX_TENSORS)
		return tp_fail(r->err, TP_ELIMIT, "pickle: more than %d storages", TP_MAX_TENSORS);
	tp_pk_storage *v = tp_realloc(k->storage, (size_t)(k->n_storage + 1) * sizeof *v);
	if (!v)
		return tp_nomem(r->err, (size_t)(k->n_storage + 1) * sizeof *v);
	k->storage = v;
	v[k->n_storage] = s;
	return push_kind(r, TP_PK_STORAGE, k->n_storage++);
}

static bool is_int_tuple(const tp_pickle *k, int value)
{
	const tp_pk_value *t = &k->v[value];
	for (int i = 0; i < t->n; i++)
		if (k->v[t->item[i]].kind != TP_PK_INT || k->v[t->item[i]].i < 0)
			return false;
	return t->kind == TP_PK_TUPLE && t->n <= TP_MAX_DIMS;
}

static tp_code rebuild_tensor(reader *r, const int *a, int n)
{
	tp_pickle *k = r->k;
	if (n < 4 || k->v[a[0]].kind != TP_PK_STORAGE || k->v[a[1]].kind != TP_PK_INT || k->v[a[1]].i < 0 ||
		!is_int_tuple(k, a[2]) || !is_int_tuple(k, a[3]) || k->v[a[2]].n != k->v[a[3]].n)
		return bad(r, "a tensor with strange arguments");
	int four[4] = { a[0], a[1], a[2], a[3] }; /* push() may move what a points into */
	tp_code rc = push_kind(r, TP_PK_TENSOR, 0);
	int t = k->n - 1;
	for (int i = 0; i < 4 && !rc; i++)
		rc = append(r, t, four[i]);
	return rc;
}

static tp_code reduce(reader *r)
{
	int args = 0, fn = 0;
	tp_code rc = pop(r, &args);
	if (!rc)
		rc = pop(r, &fn);
	if (rc)
		return rc;
	const tp_pk_value *f = &r->k->v[fn], *a = &r->k->v[args];
	if (f->kind != TP_PK_GLOBAL || a->kind != TP_PK_TUPLE)
		return bad(r, "a call of something that is no global");
	switch (globals[f->i].what) {
	case G_ORDERED_DICT:
		return a->n == 0 ? push_kind(r, TP_PK_DICT, 0) : bad(r, "an OrderedDict with arguments");
	case G_REBUILD_TENSOR:
		return rebuild_tensor(r, a->item, a->n);
	case G_REBUILD_PARAMETER:
		if (a->n >= 1 && r->k->v[a->item[0]].kind == TP_PK_TENSOR)
			return push_number(r, a->item[0]);
		return bad(r, "a parameter that is no tensor");
	default:
		return bad(r, "a call of a storage type");
	}
}

/* An OrderedDict's attributes (_metadata) are dropped; anything else has no state to be given. */
static tp_code build(reader *r)
{
	int state = 0;
	tp_code rc = pop(r, &state);
	if (rc)
		return rc;
	if (!r->k->depth || r->k->v[r->k->stack[r->k->depth - 1]].kind != TP_PK_DICT ||
		r->k->v[state].kind != TP_PK_DICT)
		return bad(r, "BUILD of something that is no OrderedDict");
	return TP_OK;
}

static tp_code memo_put(reader *r, uint64_t i)
{
	if (!r->k->depth)
		return bad(r, "the stack is empty");
	if (i >= MAX_MEMO)
		return tp_fail(r->err, TP_ELIMIT, "pickle: memo number %llu", (unsigned long long)i);
	if ((int)i >= r->k->memo_cap) {
		int cap = r->k->memo_cap ? r->k->memo_cap : 256;
		while (cap <= (int)i)
			cap *= 2;
		int *m = tp_realloc(r->k->memo, (size_t)cap * sizeof *m);
		if (!m)
			return tp_nomem(r->err, (size_t)cap * sizeof *m);
		for (int j = r->k->memo_cap; j < cap; j++)
			m[j] = -1;
		r->k->memo = m;
		r->k->memo_cap = cap;
	}
	r->k->memo[i] = r->k->stack[r->k->depth - 1];
	return TP_OK;
}

static tp_code memo_get(reader *r, uint64_t i)
{
	if (i >= (uint64_t)r->k->memo_cap || r->k->memo[i] < 0)
		return bad(r, "a memo number that was never set");
	return push_number(r, r->k->memo[i]);
}

/* Whole numbers of any length; beyond 64 bits only the low ones are kept (the legacy format's magic number). */
static tp_code long1(reader *r)
{
	uint64_t n;
	tp_code rc = fixed(r, 1, &n);
	if (!rc)
		rc = need(r, (size_t)n);
	if (rc)
		return rc;
	uint64_t v = little(r->p + r->at, n < 8 ? (int)n : 8);
	if (n && n < 8 && r->p[r->at + n - 1] & 0x80)
		v |= ~(uint64_t)0 << (8 * n);
	r->at += (size_t)n;
	return push_kind(r, TP_PK_INT, (int64_t)v);
}

/* Opcodes that carry a number behind them. */
static tp_code numbered(reader *r, uint8_t op, bool *known)
{
	uint64_t v;
	tp_code rc;
	switch (op) {
	case 0x80: /* PROTO */
		rc = fixed(r, 1, &v);
		return rc ? rc : v >= 2 && v <= 5 ? TP_OK : bad(r, "an unknown protocol");
	case 0x95: /* FRAME: a hint for buffered readers */
		return fixed(r, 8, &v);
	case 'J': /* BININT */
		rc = fixed(r, 4, &v);
		return rc ? rc : push_kind(r, TP_PK_INT, (int32_t)(uint32_t)v);
	case 'K': /* BININT1 */
		rc = fixed(r, 1, &v);
		return rc ? rc : push_kind(r, TP_PK_INT, (int64_t)v);
	case 'M': /* BININT2 */
		rc = fixed(r, 2, &v);
		return rc ? rc : push_kind(r, TP_PK_INT, (int64_t)v);
	case 'G': /* BINFLOAT: read past, nothing here needs its value */
		rc = fixed(r, 8, &v);
		return rc ? rc : push_kind(r, TP_PK_FLOAT, 0);
	case 'q': /* BINPUT */
		rc = fixed(r, 1, &v);
		return rc ? rc : memo_put(r, v);
	case 'r': /* LONG_BINPUT */
		rc = fixed(r, 4, &v);
		return rc ? rc : memo_put(r, v);
	case 'h': /* BINGET */
		rc = fixed(r, 1, &v);
		return rc ? rc : memo_get(r, v);
	case 'j': /* LONG_BINGET */
		rc = fixed(r, 4, &v);
		return rc ? rc : memo_get(r, v);
	default:
		*known = false;
		return TP_OK;
	}
}

static tp_code plain_op(reader *r, uint8_t op)
{
	switch (op) {
	case '(':
		return push_kind(r, TP_PK_MARK, 0);
	case '}':
		return push_kind(r, TP_PK_DICT, 0);
	case ']':
		return push_kind(r, TP_PK_LIST, 0);
	case ')':
		return push_kind(r, TP_PK_TUPLE, 0);
	case 'N':
		return push_kind(r, TP_PK_NONE, 0);
	case 0x88:
	case 0x89:
		return push_kind(r, TP_PK_BOOL, op == 0x88);
	case 't':
		return collect(r, TP_PK_TUPLE);
	case 'e':
		return collect(r, TP_PK_LIST);
	case 'u':
		return collect(r, TP_PK_DICT);
	case 0x85:
	case 0x86:
	case 0x87:
		return short_tuple(r, op - 0x84);
	case 'a':
		return set_item(r, false);
	case 's':
		return set_item(r, true);
	case 'X':
		return text(r, 4);
	case 0x8c:
		return text(r, 1);
	case 0x8a:
		return long1(r);
	case 'c':
		return global(r);
	case 'Q':
		return persistent_id(r);
	case 'R':
		return reduce(r);
	case 'b':
		return build(r);
	default:
		return tp_fail(r->err, TP_EFORMAT,
			"pickle: opcode 0x%02x at byte %zu is not one a state dict needs", op, r->at - 1);
	}
}

tp_code tp_pickle_read(tp_pickle *k, const uint8_t *p, size_t len, size_t *used, tp_err *err)
{
	reader r = { .k = k, .p = p, .len = len < TP_MAX_PICKLE ? len : TP_MAX_PICKLE, .err = err };
	*k = (tp_pickle){ 0 };
	for (;;) {
		if (r.at == r.len)
			return bad(&r, "ends without a STOP");
		uint8_t op = p[r.at++];
		if (op == '.')
			break;
		bool known = true;
		tp_code rc = numbered(&r, op, &known);
		if (!rc && !known)
			rc = plain_op(&r, op);
		if (rc)
			return rc;
	}
	tp_code rc = pop(&r, &k->root);
	if (!rc && used)
		*used = r.at;
	return rc;
}

void tp_pickle_dispose(tp_pickle *k)
{
	for (int i = 0; i < k->n; i++)
		tp_free(k->v[i].item);
	tp_free(k->v);
	tp_free(k->stack);
	tp_free(k->memo);
	tp_free(k->storage);
	*k = (tp_pickle){ 0 };
}

int tp_pickle_get(const tp_pickle *k, int dict, const char *key)
{
	const tp_pk_value *d = &k->v[dict];
	size_t n = strlen(key);
	if (d->kind != TP_PK_DICT)
		return -1;
	for (int i = 0; i + 1 < d->n; i += 2) {
		const tp_pk_value *t = &k->v[d->item[i]];
		if (t->kind == TP_PK_TEXT && t->len == n && !memcmp(t->text, key, n))
			return d->item[i + 1];
	}
	return -1;
}
