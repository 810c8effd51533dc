/* Fuzz target: a CSV text. The records that come out, written again with every field in quotes, are read the same. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "data/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

typedef struct {
	tp_buf text;
	size_t records, line;
} table;

static void add(tp_buf *b, const char *p, size_t n)
{
	if (tp_buf_add(b, p, n, NULL))
		abort();
}

static void add_field(tp_buf *b, const char *s)
{
	add(b, "\"", 1);
	for (; *s; s++) {
		if (*s == '"')
			add(b, s, 1);
		add(b, s, 1);
	}
	add(b, "\"", 1);
}

static tp_code record(void *ud, size_t line, char **field, size_t n, tp_err *err)
{
	table *t = ud;
	(void)err;
	if (!n || line <= t->line)
		abort(); /* lines only rise */
	t->line = line;
	t->records++;
	for (size_t i = 0; i < n; i++) {
		if (i)
			add(&t->text, ",", 1);
		add_field(&t->text, field[i]);
	}
	add(&t->text, "\r\n", 2);
	return TP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	table once = { 0 }, again = { 0 };
	tp_err err = { 0 };
	tp_buf_init(&once.text, 1 << 28);
	tp_buf_init(&again.text, 1 << 28);
	tp_code rc = tp_csv_each((const char *)p, n, record, &once, &err);
	if (rc && (err.code != rc || strncmp(err.msg, "line ", 5) != 0))
		abort();
	if (!rc && once.records) {
		if (tp_csv_each(once.text.ptr, once.text.len, record, &again, NULL) ||
			again.records != once.records || again.text.len != once.text.len ||
			memcmp(again.text.ptr, once.text.ptr, once.text.len) != 0)
			abort();
	}
	tp_buf_dispose(&once.text);
	tp_buf_dispose(&again.text);
	return 0;
}
