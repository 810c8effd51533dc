/* Fuzz target: a file of settings, read by a table with every kind. What was taken lies in its range, is JSON, and written
 * again as a file reads the same; a refusal names the place. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cfg.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

typedef struct {
	int whole, choice;
	double real;
	bool flag;
	char text[TP_CFG_TEXT_MAX], other[TP_CFG_TEXT_MAX];
} settings;

static const char *const choices[] = { "one", "two", "three", NULL };
static const tp_cfg_item items[] = {
	{ "whole", TP_CFG_INT, offsetof(settings, whole), "7", -5, 2147483647, NULL, "" },
	{ "choice", TP_CFG_CHOICE, offsetof(settings, choice), "two", 0, 0, choices, "" },
	{ "real", TP_CFG_REAL, offsetof(settings, real), "0.5", -1e6, 1e6, NULL, "" },
	{ "flag", TP_CFG_FLAG, offsetof(settings, flag), "no", 0, 0, NULL, "" },
	{ "text", TP_CFG_TEXT, offsetof(settings, text), "", 0, 0, NULL, "" },
	{ "other", TP_CFG_TEXT, offsetof(settings, other), "x y", 0, 0, NULL, "" },
	{ 0 },
};

static void must(bool kept)
{
	if (!kept)
		abort();
}

static void write_again(tp_buf *b, const settings *s)
{
	must(!tp_buf_addf(b, NULL, "whole=%d\nchoice = %s\nreal=%.17g\nflag=%s\ntext=%s\r\nother=%s",
		s->whole, choices[s->choice], s->real, s->flag ? "yes" : "no", s->text, s->other));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	settings s, again;
	tp_err err = { 0 };
	tp_buf b;
	tp_cfg_defaults(&s, items);
	tp_code rc = tp_cfg_parse(&s, items, (const char *)p, n, "file", &err);
	must(!rc || (err.code == rc && !strncmp(err.msg, "file:", 5)));
	must(rc == TP_OK || rc == TP_EINVAL || rc == TP_EFORMAT || rc == TP_ELIMIT);
	/* also after an error every field holds a value that may be there */
	must(s.whole >= -5 && s.choice >= 0 && s.choice < 3 && s.real >= -1e6 && s.real <= 1e6);
	json_t *j = tp_cfg_to_json(&s, items);
	must(j && json_object_size(j) == 6);
	tp_buf_init(&b, 1 << 16);
	write_again(&b, &s);
	tp_cfg_defaults(&again, items);
	must(!tp_cfg_parse(&again, items, b.ptr, b.len, "again", NULL));
	json_t *k = tp_cfg_to_json(&again, items);
	must(k && json_equal(j, k));
	json_decref(j);
	json_decref(k);
	tp_buf_dispose(&b);
	return 0;
}
