/* Tensors in files: safetensors, fp16, checkpoints. Golden checkpoints: tests/golden/gen_checkpoint.py. */
#include "t.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "nn/nn.h"
#include "nn/weights_int.h"

/* ---- fp16 ------------------------------------------------------------------------------------------- */

static int test_every_half_survives_the_way_to_float_and_back(void)
{
	for (uint32_t h = 0; h < 65536; h++) {
		float f = tp_half_to_float((uint16_t)h);
		int exp = h >> 10 & 31, man = h & 1023;
		if (exp == 31 && man) {
			CHECK(isnan(f) && isnan(tp_half_to_float(tp_float_to_half(f))), "half %04x", h);
			continue;
		}
		double want = exp == 31 ? INFINITY : exp ? ldexp(1024 + man, exp - 25) : ldexp(man, -24);
		CHECK((double)f == (h & 0x8000 ? -want : want), "half %04x is %g", h, (double)f);
		CHECK(tp_float_to_half(f) == h, "half %04x comes back as %04x", h, tp_float_to_half(f));
	}
	return 0;
}

/* Between two neighbours: below the middle goes down, above goes up, the middle itself goes to the even one. */
static int test_float_to_half_rounds_to_nearest_even(void)
{
	for (uint32_t h = 0; h < 0x7c00; h++) {
		double lo = (double)tp_half_to_float((uint16_t)h);
		double hi = h == 0x7bff ? 65536 : (double)tp_half_to_float((uint16_t)(h + 1));
		float mid = (float)((lo + hi) / 2);
		uint16_t even = (uint16_t)(h % 2 ? h + 1 : h);
		CHECK(tp_float_to_half(mid) == even, "middle above %04x: %04x", h, tp_float_to_half(mid));
		CHECK(tp_float_to_half(nextafterf(mid, 0)) == h, "below the middle above %04x", h);
		CHECK(tp_float_to_half(nextafterf(mid, INFINITY)) == h + 1, "over the middle above %04x", h);
		CHECK(tp_float_to_half(-mid) == (even | 0x8000), "minus the middle above %04x", h);
	}
	CHECK(tp_float_to_half(1e30f) == 0x7c00 && tp_float_to_half(-INFINITY) == 0xfc00, "infinity");
	return 0;
}

static int test_tensors_of_other_types_become_floats(void)
{
	static const uint16_t bf16[] = { 0x3f80, 0xc000 };
	static const double f64[] = { 0.5, -3 };
	static const int64_t i64[] = { 1, 2 };
	float v[2];
	tp_err err = { 0 };
	tp_tensor t = { .name = "t", .ndim = 1, .dim = { 2 }, .dtype = TP_BF16, .data = bf16, .size = 4 };
	CHECK_OK(tp_tensor_floats(v, 2, &t, &err), err);
	CHECK(v[0] == 1 && v[1] == -2, "bf16: %g %g", (double)v[0], (double)v[1]);
	t.dtype = TP_F64, t.data = f64, t.size = 16;
	CHECK_OK(tp_tensor_floats(v, 2, &t, &err), err);
	CHECK(v[0] == 0.5f && v[1] == -3, "f64: %g %g", (double)v[0], (double)v[1]);
	CHECK(tp_tensor_floats(v, 1, &t, &err) == TP_EINVAL, "another count");
	t.dtype = TP_I64, t.data = i64;
	CHECK(tp_tensor_floats(v, 2, &t, &err) == TP_EINVAL, "whole numbers");
	return 0;
}

/* ---- safetensors ------------------------------------------------------------------------------------ */

static tp_code fixture(uint8_t **out, size_t *len, tp_err *err)
{
	static const float a[] = { 1, 2, 3, 4, 5, 6 };
	static const uint16_t b[] = { 0x3c00, 0x4000, 0x4200 };
	const tp_tensor t[] = {
		{ .name = "a", .dtype = TP_F32, .ndim = 2, .dim = { 2, 3 }, .data = a, .size = 24 },
		{ .name = "b.c", .dtype = TP_F16, .ndim = 1, .dim = { 3 }, .data = b, .size = 6 },
		{ .name = "none", .dtype = TP_U8, .ndim = 2, .dim = { 0, 5 }, .data = b, .size = 0 },
	};
	const tp_meta meta[] = { { "who", "\"quoted\" \xc3\xa9" }, { "empty", "" } };
	return tp_safetensors_render(out, len, t, 3, meta, 2, err);
}

static int test_what_is_written_is_read_back(void)
{
	tp_err err = { 0 };
	uint8_t *p = NULL;
	size_t n = 0;
	tp_weights *w = NULL;
	float v[6];
	CHECK_OK(fixture(&p, &n, &err), err);
	CHECK_OK(tp_safetensors_parse(&w, p, n, &err), err);
	CHECK(tp_weights_count(w) == 3, "%zu tensors", tp_weights_count(w));
	CHECK_STR(tp_weights_meta(w, "who"), "\"quoted\" \xc3\xa9");
	CHECK(!tp_weights_meta(w, "nobody") && !tp_weights_find(w, "b"), "what is not there");
	CHECK_OK(tp_tensor_floats(v, 6, tp_weights_find(w, "a"), &err), err);
	CHECK(v[0] == 1 && v[5] == 6, "a");
	CHECK_OK(tp_tensor_floats(v, 3, tp_weights_find(w, "b.c"), &err), err);
	CHECK(v[0] == 1 && v[2] == 3, "b.c");
	CHECK(tp_weights_find(w, "none")->size == 0, "none");
	tp_weights_free(w);
	tp_free(p);
	return 0;
}

static int test_every_truncation_is_refused(void)
{
	tp_err err = { 0 };
	uint8_t *p = NULL;
	size_t n = 0;
	CHECK_OK(fixture(&p, &n, &err), err);
	for (size_t k = 0; k < n; k++) {
		tp_weights *w = NULL;
		CHECK(tp_safetensors_parse(&w, p, k, &err) == TP_EFORMAT && !w, "%zu of %zu bytes", k, n);
	}
	tp_free(p);
	return 0;
}

static tp_code parse_header(const char *json, size_t data)
{
	uint8_t file[1024] = { 0 };
	size_t n = strlen(json);
	tp_weights *w = NULL;
	file[0] = (uint8_t)n;
	file[1] = (uint8_t)(n >> 8);
	memcpy(file + 8, json, n);
	tp_code rc = tp_safetensors_parse(&w, file, 8 + n + data, NULL);
	tp_weights_free(w);
	return rc;
}

static int test_headers_that_lie_are_refused(void)
{
#define TENSOR(name, dtype, shape, from, to)                                                                 \
	"\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"
	static const struct {
		const char *what, *json;
		size_t data;
	} bad[] = {
		{ "not an object", "[]", 0 },
		{ "unknown type", "{" TENSOR("a", "F99", "[1]", 0, 4) "}", 4 },
		{ "no name", "{" TENSOR("", "F32", "[1]", 0, 4) "}", 4 },
		{ "wrong size", "{" TENSOR("a", "F32", "[2]", 0, 4) "}", 4 },
		{ "backwards", "{" TENSOR("a", "F32", "[1]", 4, 0) "}", 4 },
		{ "outside", "{" TENSOR("a", "F32", "[2]", 0, 8) "}", 4 },
		{ "negative offset", "{" TENSOR("a", "F32", "[1]", -4, 0) "}", 4 },
		{ "negative shape", "{" TENSOR("a", "F32", "[-1]", 0, 4) "}", 4 },
		{ "fraction", "{" TENSOR("a", "F32", "[1.0]", 0, 4) "}", 4 },
		{ "overflow", "{" TENSOR("a", "F32", "[4611686018427387905,4]", 0, 16) "}", 16 },
		{ "nine dimensions", "{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4 },
		{ "gap", "{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("b", "F32", "[1]", 8, 12) "}", 12 },
		{ "gap before", "{" TENSOR("a", "F32", "[1]", 4, 8) "}", 8 },
		{ "overlap", "{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[2]", 4, 12) "}",
			12 },
		{ "same place", "{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("b", "F32", "[1]", 0, 4) "}",
			4 },
		{ "bytes after", "{" TENSOR("a", "F32", "[1]", 0, 4) "}", 5 },
		{ "twice", "{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("a", "F32", "[1]", 4, 8) "}", 8 },
		{ "metadata a number", "{\"__metadata__\":{\"x\":1}}", 0 },
		{ "metadata a list", "{\"__metadata__\":[]}", 0 },
		{ "tensor a number", "{\"a\":1}", 0 },
	};
	CHECK(!parse_header("{" TENSOR("a", "F32", "[1]", 0, 4) "}", 4), "a good one");
	CHECK(!parse_header("{" TENSOR("a", "F32", "[]", 0, 4) "}  ", 4), "a scalar, and padding");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(parse_header(bad[i].json, bad[i].data) == TP_EFORMAT, "%s", bad[i].what);
	return 0;
}

static int test_names_that_cannot_be_written_are_refused(void)
{
	tp_tensor t[2] = { { .name = "\xff", .dtype = TP_U8, .ndim = 1, .dim = { 0 }, .data = "" } };
	uint8_t *p = NULL;
	size_t n = 0;
	CHECK(tp_safetensors_render(&p, &n, t, 1, NULL, 0, NULL) == TP_EINVAL, "not UTF-8");
	t[0].name = "a";
	t[1] = t[0];
	CHECK(tp_safetensors_render(&p, &n, t, 2, NULL, 0, NULL) == TP_EINVAL, "twice");
	return 0;
}

/* ---- checkpoints ------------------------------------------------------------------------------------ */

static const char *const golden[] = { "types", "views", "module", "nested", "model", "parameters", "sgd",
	"adam" };
enum { N_GOLDEN = sizeof golden / sizeof *golden };

static tp_code read_golden(uint8_t **p, size_t *n, const char *name, const char *suffix, tp_err *err)
{
	char path[512];
	snprintf(path, sizeof path, "%s/golden/checkpoint/%s%s", TP_TESTS_DIR, name, suffix);
	return tp_file_read(p, n, path, 1 << 20, err);
}

/* One line of NAME.txt: name, type, shape, bytes in hex. */
static int check_line(const tp_weights *w, const char *line)
{
	char name[64], dtype[8], shape[32], hex[2048], have[32] = "-";
	CHECK(sscanf(line, "%63s %7s %31s %2047s", name, dtype, shape, hex) == 4, "line: %s", line);
	const tp_tensor *t = tp_weights_find(w, name);
	CHECK(t, "no \"%s\"", name);
	CHECK_STR(tp_dtype_name(t->dtype), dtype);
	for (int d = 0, at = 0; d < t->ndim; d++)
		at += snprintf(have + at, sizeof have - (size_t)at, d ? "x%d" : "%d", (int)t->dim[d]);
	CHECK_STR(have, shape);
	CHECK(strlen(hex) == (t->size ? 2 * t->size : 1), "%s: %zu bytes", name, t->size);
	for (size_t i = 0; i < t->size; i++) {
		char two[3];
		snprintf(two, sizeof two, "%02x", ((const uint8_t *)t->data)[i]);
		CHECK(!memcmp(two, hex + 2 * i, 2), "%s: byte %zu", name, i);
	}
	return 0;
}

static int check_golden(const char *name, const char *suffix)
{
	tp_err err = { 0 };
	uint8_t *p = NULL, *text = NULL;
	size_t n = 0, n_text = 0, lines = 0;
	tp_weights *w = NULL;
	CHECK_OK(read_golden(&p, &n, name, suffix, &err), err);
	CHECK_OK(read_golden(&text, &n_text, name, ".txt", &err), err);
	CHECK_OK(tp_checkpoint_parse(&w, p, n, &err), err);
	tp_free(p); /* nothing of the input is needed any more */
	for (char *s = (char *)text, *e; (e = strchr(s, '\n')); s = e + 1, lines++) {
		*e = 0;
		CHECK(!check_line(w, s), "%s%s", name, suffix);
	}
	CHECK(tp_weights_count(w) == lines, "%s%s: %zu of %zu tensors", name, suffix, tp_weights_count(w),
		lines);
	tp_weights_free(w);
	tp_free(text);
	return 0;
}

static int test_checkpoints_hold_what_torch_put_there(void)
{
	for (int i = 0; i < N_GOLDEN; i++)
		if (check_golden(golden[i], "_zip.pth") || check_golden(golden[i], "_old.pth"))
			return 1;
	return check_golden("python2", "_old.pth");
}

static int test_cut_checkpoints_are_errors(void)
{
	static const char *const suffix[] = { "_zip.pth", "_old.pth" };
	for (int s = 0; s < 2; s++) {
		tp_err err = { 0 };
		uint8_t *p = NULL;
		size_t n = 0;
		CHECK_OK(read_golden(&p, &n, "views", suffix[s], &err), err);
		for (size_t k = 0; k < n; k++) {
			tp_weights *w = NULL;
			tp_code rc = tp_checkpoint_parse(&w, p, k, NULL);
			/* a zip whose directory alone is cut still has all its members */
			CHECK(rc || s == 0, "%s: %zu of %zu bytes are taken", suffix[s], k, n);
			tp_weights_free(w);
		}
		tp_free(p);
	}
	return 0;
}

/* Any byte changed: an answer or an error, and nothing else; the sanitizers watch. */
static int test_damaged_checkpoints_do_no_harm(void)
{
	static const char *const suffix[] = { "_zip.pth", "_old.pth" };
	for (int s = 0; s < 2; s++) {
		tp_err err = { 0 };
		uint8_t *p = NULL;
		size_t n = 0;
		CHECK_OK(read_golden(&p, &n, "module", suffix[s], &err), err);
		for (size_t k = 0; k < n; k++) {
			tp_weights *w = NULL;
			uint8_t was = p[k];
			p[k] = (uint8_t)~was;
			if (!tp_checkpoint_parse(&w, p, n, NULL))
				tp_weights_free(w);
			p[k] = was;
		}
		tp_free(p);
	}
	return 0;
}

/* The older container around a pickle of ours. */
static tp_code parse_pickle(const char *pickle, size_t n, tp_err *err)
{
	static const char head[] =
		"\x80\2\x8a\12\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}.";
	char file[512];
	tp_weights *w = NULL;
	memcpy(file, head, sizeof head - 1);
	memcpy(file + sizeof head - 1, pickle, n);
	memcpy(file + sizeof head - 1 + n, "\x80\2].", 4);
	tp_code rc = tp_checkpoint_parse(&w, file, sizeof head - 1 + n + 4, err);
	tp_weights_free(w);
	return rc;
}

static int test_pickles_that_want_more_are_refused(void)
{
#define P(bytes) bytes, sizeof bytes - 1
	static const struct {
		const char *pickle;
		size_t n;
		const char *said;
	} bad[] = {
		{ P("\x80\2cos\nsystem\n(X\2\0\0\0lstR."), "global 'os.system'" },
		{ P("\x80\2cbuiltins\neval\n."), "global 'builtins.eval'" },
		{ P("\x80\2ccollections\nOrderedDict\n(K\1tR."), "call that" },
		{ P("\x80\2(i__main__\nX\n."), "opcode 0x69" }, { P("\x80\2)}\x81."), "opcode 0x81" },
		{ P("\x80\2\x8c"), "input ends" }, { P("\x80\2X\xff\xff\xff\xff."), "input ends" },
		{ P("\x80\2h\7."), "memo index never set" },
		{ P("\x80\2}r\xff\xff\xff\xff."), "memo index too large" }, { P("\x80\2R."), "too few" },
		{ P("\x80\2t."), "no mark" }, { P("\x80\2}(K\1u."), "items for" },
		{ P("\x80\2K\1Q."), "not a storage" }, { P("\x80\2}}."), "values left" },
		{ P("\x80\2}."), "no state dict" }, { P("\x80\2)."), "no state dict" },
		{ P("\x80\2}q\0X\1\0\0\0ah\0s."), "no state dict" }, /* a dict that contains itself */
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tp_err err = { 0 };
		tp_code rc = parse_pickle(bad[i].pickle, bad[i].n, &err);
		CHECK(rc == TP_EFORMAT && strstr(err.msg, bad[i].said), "%zu: %d, \"%s\", not \"%s\"", i, rc,
			err.msg, bad[i].said);
	}
	return 0;
}

/* A tensor of two floats whose storage is in the file; size, stride and offset are the test's. */
static tp_code parse_view(int offset, int size, int stride)
{
	static const char head[] =
		"\x80\2\x8a\12\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}.";
	static const char a[] = "\x80\2}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n(";
	static const char s[] = "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\2NtQ";
	static const char tail[] = "\x89)tRs.\x80\2]X\1\0\0\0000a.\2\0\0\0\0\0\0\0\0\0\x80\77\0\0\0\100";
	char file[512], args[16];
	size_t at = 0;
	tp_weights *w = NULL;
	const char nums[] = { 'K', (char)offset, 'K', (char)size, (char)0x85, 'K', (char)stride, (char)0x85 };
	memcpy(args, nums, sizeof nums);
#define ADD(p, n) (memcpy(file + at, p, n), at += (n))
	ADD(head, sizeof head - 1);
	ADD(a, sizeof a - 1);
	ADD(s, sizeof s - 1);
	ADD(args, sizeof nums);
	ADD(tail, sizeof tail - 1);
	tp_code rc = tp_checkpoint_parse(&w, file, at, NULL);
	tp_weights_free(w);
	return rc;
}

static int test_views_stay_inside_their_storage(void)
{
	CHECK(!parse_view(0, 2, 1) && !parse_view(1, 1, 1) && !parse_view(1, 1, 200), "good views");
	CHECK(parse_view(1, 2, 1) == TP_EFORMAT, "one too far");
	CHECK(parse_view(0, 2, 2) == TP_EFORMAT, "a stride too long");
	CHECK(parse_view(2, 1, 1) == TP_EFORMAT, "begins at the end");
	CHECK(parse_view(0, 200, 0) == TP_EFORMAT, "one value spread over many");
	return 0;
}

static int test_any_failed_allocation_is_survived(void)
{
	tp_err err = { 0 };
	uint8_t *file[3] = { 0 };
	size_t len[3];
	CHECK_OK(fixture(&file[0], &len[0], &err), err);
	CHECK_OK(read_golden(&file[1], &len[1], "module", "_zip.pth", &err), err);
	CHECK_OK(read_golden(&file[2], &len[2], "nested", "_old.pth", &err), err);
	for (int f = 0; f < 3; f++) {
		long live = tp_mem_live();
		for (long n = 1;; n++) {
			tp_weights *w = NULL;
			tp_mem_fail_at(n);
			tp_code rc = f ? tp_checkpoint_parse(&w, file[f], len[f], NULL)
				       : tp_safetensors_parse(&w, file[f], len[f], NULL);
			bool hit = tp_mem_failed();
			tp_mem_fail_at(0);
			CHECK(rc == (hit ? TP_ENOMEM : TP_OK), "file %d, allocation %ld: code %d", f, n, rc);
			tp_weights_free(w);
			CHECK(tp_mem_live() == live, "file %d, allocation %ld leaks", f, n);
			if (!hit)
				break;
		}
		tp_free(file[f]);
	}
	return 0;
}

int main(void)
{
	return RUN(T(test_every_half_survives_the_way_to_float_and_back),
		T(test_float_to_half_rounds_to_nearest_even), T(test_tensors_of_other_types_become_floats),
		T(test_what_is_written_is_read_back), T(test_every_truncation_is_refused),
		T(test_headers_that_lie_are_refused), T(test_names_that_cannot_be_written_are_refused),
		T(test_checkpoints_hold_what_torch_put_there), T(test_cut_checkpoints_are_errors),
		T(test_damaged_checkpoints_do_no_harm), T(test_pickles_that_want_more_are_refused),
		T(test_views_stay_inside_their_storage), T(test_any_failed_allocation_is_survived));
}
