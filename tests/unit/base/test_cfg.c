/* Settings from text: what is taken, what each refusal says, and what is written back. */
#include <math.h>
#include <string.h>

#include "base/cfg.h"
#include "base/file.h"
#include "base/mem.h"
#include "t.h"

typedef struct {
	int epochs, seed, how;
	double lr, clip;
	bool nesterov;
	char freeze[TP_CFG_TEXT_MAX];
} settings;

static const char *const hows[] = { "sgd", "adamw", NULL };
#define AT(f) offsetof(settings, f)
static const tp_cfg_item items[] = {
	{ "epochs", TP_CFG_INT, AT(epochs), "8", 1, 10000, NULL, "passes" },
	{ "seed", TP_CFG_INT, AT(seed), "1", 0, 2147483647, NULL, "of all that is drawn" },
	{ "optimizer", TP_CFG_CHOICE, AT(how), "sgd", 0, 0, hows, "how weights move" },
	{ "lr", TP_CFG_REAL, AT(lr), "0.01", 0, 100, NULL, "learning rate" },
	{ "clip", TP_CFG_REAL, AT(clip), "0", 0, 1e6, NULL, "longest gradient" },
	{ "nesterov", TP_CFG_FLAG, AT(nesterov), "yes", 0, 0, NULL, "looks ahead" },
	{ "freeze", TP_CFG_TEXT, AT(freeze), "", 0, 0, NULL, "stages that stay" },
	{ 0 },
};

static tp_code parse(settings *s, const char *text, tp_err *err)
{
	tp_cfg_defaults(s, items);
	return tp_cfg_parse(s, items, text, strlen(text), "a.conf", err);
}

static int test_defaults_are_the_table_s(void)
{
	settings s;
	memset(&s, 0xff, sizeof s);
	tp_cfg_defaults(&s, items);
	CHECK(s.epochs == 8 && s.seed == 1 && s.how == 0 && s.lr == 0.01 && s.clip == 0 && s.nesterov,
		"epochs %d, seed %d, how %d, lr %g, clip %g", s.epochs, s.seed, s.how, s.lr, s.clip);
	CHECK_STR(s.freeze, "");
	return 0;
}

static int test_what_is_taken(void)
{
	static const char
		unix_text[] = "# a comment\n\n  epochs=3\nlr = 0.5 # fast\n\tseed\t=\t2147483647\n"
			      "optimizer = adamw\nnesterov = no\nfreeze = stem, stage1",
		dos_text[] = "\xef\xbb\xbf# a comment\r\n\r\nepochs = 3\r\nlr = 0.5\r\nseed = 2147483647\r\n"
			     "optimizer=adamw\r\nnesterov=no\r\nfreeze = stem, stage1\r\n";
	const char *const texts[] = { unix_text, dos_text };
	for (size_t i = 0; i < 2; i++) {
		settings s;
		tp_err err = { 0 };
		CHECK_OK(parse(&s, texts[i], &err), err);
		CHECK(s.epochs == 3 && s.lr == 0.5 && s.seed == 2147483647 && s.how == 1 && !s.nesterov,
			"text %zu: epochs %d, lr %g, seed %d, how %d", i, s.epochs, s.lr, s.seed, s.how);
		CHECK_STR(s.freeze, "stem, stage1");
	}
	settings s;
	tp_err err = { 0 };
	CHECK_OK(parse(&s, "freeze = \xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb1\n", &err), err);
	CHECK_STR(s.freeze, "\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb1");
	CHECK_OK(parse(&s, "freeze = a = b\n", &err), err);
	CHECK_STR(s.freeze, "a = b");
	CHECK_OK(parse(&s, "", &err), err);
	CHECK_OK(parse(&s, "\xef\xbb\xbf", &err), err);
	return 0;
}

static int test_what_is_refused(void)
{
	static const struct {
		const char *text;
		tp_code code;
		const char *why;
	} bad[] = {
		{ "epoch = 3", TP_EINVAL,
			"a.conf:1: there is no setting \"epoch\"; did you mean \"epochs\"?" },
		{ "\n\nlearning = 3", TP_EINVAL, "a.conf:3: there is no setting \"learning\"" },
		{ "Epochs = 3", TP_EINVAL, "there is no setting \"Epochs\"; did you mean \"epochs\"?" },
		{ "epochs 3", TP_EINVAL, "a.conf:1: \"epochs 3\" is no setting: KEY = VALUE is wanted" },
		{ "= 3", TP_EINVAL, "there is no setting \"\"" },
		{ "epochs =", TP_EINVAL, "epochs is a whole number from 1 to 10000, not \"\"" },
		{ "epochs = 0", TP_EINVAL, "epochs is a whole number from 1 to 10000, not \"0\"" },
		{ "epochs = 2.5", TP_EINVAL, "not \"2.5\"" },
		{ "epochs = 3 4", TP_EINVAL, "not \"3 4\"" },
		{ "seed = 2147483648", TP_EINVAL,
			"seed is a whole number from 0 to 2147483647, not \"2147483648\"" },
		{ "seed = 99999999999999999999999", TP_EINVAL,
			"seed is a whole number from 0 to 2147483647" },
		{ "clip = -1", TP_EINVAL, "clip is a number from 0 to 1000000, not \"-1\"" },
		{ "lr = nan", TP_EINVAL, "lr is a number from 0 to 100, not \"nan\"" },
		{ "lr = inf", TP_EINVAL, "not \"inf\"" },
		{ "lr = 0,5", TP_EINVAL, "not \"0,5\"" },
		{ "optimizer = adam", TP_EINVAL, "optimizer is one of sgd, adamw, not \"adam\"" },
		{ "nesterov = true", TP_EINVAL, "nesterov is yes or no, not \"true\"" },
		{ "lr = 1\nseed = 2\nlr = 1", TP_EINVAL, "a.conf:3: lr is set on line 1 already" },
		{ "lr = 1\nfreeze = \xe9t\xe9", TP_EFORMAT, "a.conf:2: byte 0xe9 is not UTF-8 text" },
		{ "# caf\xe9", TP_EFORMAT, "a.conf:1: byte 0xe9 is not UTF-8" },
		{ "\xff\xfel", TP_EFORMAT, "a.conf:1: byte 0xff is not UTF-8" },
		{ "freeze = \xc0\xaf", TP_EFORMAT, "byte 0xc0 is not UTF-8" },
		{ "freeze = \xe0\x80\xaf", TP_EFORMAT, "byte 0xe0 is not UTF-8" },
		{ "freeze = \xed\xa0\x80", TP_EFORMAT, "byte 0xed is not UTF-8" },
		{ "freeze = \xf4\x90\x80\x80", TP_EFORMAT, "byte 0xf4 is not UTF-8" },
		{ "freeze = \xe2\x82", TP_EFORMAT, "byte 0xe2 is not UTF-8" },
		{ "freeze = \xe2\x82\n", TP_EFORMAT, "byte 0xe2 is not UTF-8" },
		{ "freeze = \x1b[31m", TP_EFORMAT, "byte 0x1b is a control character" },
		{ "lr = 1\rseed = 2", TP_EFORMAT, "byte 0x0d is a control character" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		settings s;
		tp_err err = { 0 };
		tp_code rc = parse(&s, bad[i].text, &err);
		CHECK(rc == bad[i].code && strstr(err.msg, bad[i].why), "case %zu: %d \"%s\", not %d \"%s\"",
			i, rc, err.msg, bad[i].code, bad[i].why);
	}
	settings s;
	tp_err err = { 0 };
	CHECK(tp_cfg_parse(&s, items, "lr = 1\n\0", 8, "z", &err) == TP_EFORMAT &&
			strstr(err.msg, "z:2: byte 0x00"),
		"%s", err.msg);
	return 0;
}

static int test_a_refused_value_changes_nothing(void)
{
	static const char *const bad[] = { "nesterov=maybe", "epochs=0", "lr=101", "optimizer=x",
		"freeze=\xff" };
	settings s, was;
	memset(&s, 0, sizeof s);
	tp_cfg_defaults(&s, items);
	memcpy(&was, &s, sizeof s);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tp_err err = { 0 };
		CHECK(tp_cfg_set(&s, items, bad[i], &err), "%s was taken", bad[i]);
		CHECK(!memcmp(&s, &was, sizeof s), "%s changed something", bad[i]);
	}
	return 0;
}

static int test_long_ones_are_refused(void)
{
	char line[1100];
	settings s;
	tp_err err = { 0 };
	tp_cfg_defaults(&s, items);
	for (int n = 254; n <= 257; n++) {
		snprintf(line, sizeof line, "freeze=%0*d", n, 1);
		tp_code rc = tp_cfg_set(&s, items, line, &err);
		CHECK(rc == (n < TP_CFG_TEXT_MAX ? TP_OK : TP_EINVAL), "%d bytes: %d", n, rc);
	}
	CHECK(strstr(err.msg, "freeze may have 255 bytes"), "%s", err.msg);
	memset(line, ' ', sizeof line);
	memcpy(line, "lr=1", 4);
	line[1024] = 0;
	CHECK(tp_cfg_set(&s, items, line, &err) == TP_ELIMIT, "1024 bytes were taken");
	CHECK(parse(&s, line, &err) == TP_ELIMIT &&
			strstr(err.msg, "a.conf:1: a line of more than 1023 bytes"),
		"%s", err.msg);
	line[1023] = 0;
	CHECK_OK(tp_cfg_set(&s, items, line, &err), err);
	CHECK_OK(parse(&s, line, &err), err);
	return 0;
}

/* The example file is the defaults, and names every limit with all its digits. */
static int test_the_example_reads_as_the_defaults(void)
{
	char *text = NULL;
	size_t len = 0;
	settings a, b;
	tp_err err = { 0 };
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	FILE *f = open_memstream(&text, &len);
	CHECK(f, "no memory");
	tp_cfg_example(f, items);
	fclose(f);
	tp_cfg_defaults(&a, items);
	CHECK_OK(tp_cfg_parse(&b, items, text, len, "example", &err), err);
	CHECK(!memcmp(&a, &b, sizeof a), "other values");
	CHECK(strstr(text, "# of all that is drawn (0 to 2147483647)\nseed = 1\n"), "%s", text);
	CHECK(strstr(text, "(0 to 1000000)\nclip = 0\n"), "%s", text);
	CHECK(strstr(text, "# how weights move: sgd, adamw\noptimizer = sgd\n"), "%s", text);
	free(text);
	return 0;
}

static int test_json_has_every_key(void)
{
	settings s;
	tp_err err = { 0 };
	CHECK_OK(parse(&s, "lr = 0.3\nfreeze = \xc3\xa9\n", &err), err);
	json_t *j = tp_cfg_to_json(&s, items);
	char *text = json_dumps(j, JSON_COMPACT);
	CHECK_STR(text,
		"{\"epochs\":8,\"seed\":1,\"optimizer\":\"sgd\",\"lr\":0.29999999999999999,\"clip\":0.0,"
		"\"nesterov\":true,\"freeze\":\"\xc3\xa9\"}");
	free(text);
	json_decref(j);
	return 0;
}

static int test_a_missing_file_is_named(void)
{
	settings s;
	tp_err err = { 0 };
	CHECK(tp_cfg_read(&s, items, "/nowhere/x.conf", &err) == TP_ENOTFOUND &&
			strstr(err.msg, "/nowhere/x.conf"),
		"%s", err.msg);
	return 0;
}

int main(void)
{
	return RUN(T(test_defaults_are_the_table_s), T(test_what_is_taken), T(test_what_is_refused),
		T(test_a_refused_value_changes_nothing), T(test_long_ones_are_refused),
		T(test_the_example_reads_as_the_defaults), T(test_json_has_every_key),
		T(test_a_missing_file_is_named));
}
