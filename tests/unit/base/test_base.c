/* The base library: errors, memory, buffers, files, random numbers, the parallel loop, JSON, hashes. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/rng.h"
#include "t.h"

static int test_context_goes_in_front(void)
{
	tp_err err = { 0 };
	tp_code rc = tp_fail(&err, TP_EFORMAT, "row %d is short", 3);
	rc = tp_context(&err, rc, "%s: ", "a.csv");
	CHECK(rc == TP_EFORMAT && err.code == TP_EFORMAT, "code %d", rc);
	CHECK_STR(err.msg, "a.csv: row 3 is short");
	CHECK(tp_fail(NULL, TP_EIO, "nobody listens") == TP_EIO, "no code");
	return 0;
}

static int test_long_messages_are_cut(void)
{
	tp_err err = { 0 };
	char big[1000];
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	(void)tp_fail(&err, TP_EIO, "%s", big);
	(void)tp_context(&err, TP_EIO, "%s", big);
	CHECK(strlen(err.msg) == sizeof err.msg - 1, "%zu", strlen(err.msg));
	return 0;
}

static int test_buffer_keeps_its_ceiling(void)
{
	tp_buf b;
	tp_err err = { 0 };
	tp_buf_init(&b, 10);
	CHECK_OK(tp_buf_adds(&b, "12345", &err), err);
	CHECK_OK(tp_buf_addf(&b, &err, "%d", 678), err);
	CHECK(tp_buf_add(&b, "abc", 3, &err) == TP_ELIMIT, "went over");
	CHECK(b.len == 8, "%zu bytes", b.len);
	CHECK_STR(b.ptr, "12345678");
	CHECK_OK(tp_buf_add(&b, "90", 2, &err), err);
	char *p = tp_buf_take(&b);
	CHECK_STR(p, "1234567890");
	CHECK(b.len == 0 && !b.ptr, "not empty");
	tp_free(p);
	return 0;
}

static int test_failed_allocations_are_counted(void)
{
	long before = tp_mem_live();
	tp_mem_fail_at(2);
	void *a = tp_alloc(8), *b = tp_alloc(8), *c = tp_alloc(8);
	CHECK(a && !b && c, "the second should fail");
	CHECK(tp_mem_failed(), "not told");
	tp_mem_fail_at(0);
	tp_free(a);
	tp_free(c);
	CHECK(tp_mem_live() == before, "%ld alive", tp_mem_live() - before);
	return 0;
}

static char *temp_dir(void)
{
	static char dir[] = "/tmp/tepal-base-XXXXXX";
	return mkdtemp(dir);
}

static int test_outfile_appears_whole_or_not_at_all(void)
{
	char *dir = temp_dir(), *path = tp_path_join(dir, "x");
	tp_err err = { 0 };
	tp_outfile *f = NULL;
	CHECK_OK(tp_outfile_open(&f, path, &err), err);
	CHECK_OK(tp_outfile_write(f, "old", 3, &err), err);
	CHECK(!tp_is_file(path), "there before commit");
	CHECK_OK(tp_outfile_commit(&f, &err), err);
	CHECK_OK(tp_outfile_open(&f, path, &err), err);
	CHECK_OK(tp_outfile_write(f, "new", 3, &err), err);
	tp_outfile_abort(&f);
	tp_map m = { 0 };
	CHECK_OK(tp_map_open(&m, path, &err), err);
	CHECK(m.len == 3 && !memcmp(m.ptr, "old", 3), "abort changed it");
	tp_map_close(&m);
	tp_names n = { 0 };
	CHECK_OK(tp_dir_list(&n, dir, &err), err);
	CHECK(n.len == 1, "%zu files left", n.len);
	tp_names_free(&n);
	unlink(path);
	rmdir(dir);
	tp_free(path);
	return 0;
}

static int test_file_errors_name_the_path(void)
{
	tp_map m = { 0 };
	tp_err err = { 0 };
	uint8_t *p = NULL;
	size_t n = 0;
	CHECK(tp_map_open(&m, "/nowhere/x", &err) == TP_ENOTFOUND, "%s", err.msg);
	CHECK(strstr(err.msg, "/nowhere/x"), "%s", err.msg);
	CHECK(tp_map_open(&m, "/", &err) == TP_EINVAL, "%s", err.msg);
	CHECK(tp_map_open(&m, "/dev/null", &err) == TP_EINVAL, "%s", err.msg);
	CHECK(tp_file_read(&p, &n, "/proc/self/exe", 10, &err) == TP_ELIMIT, "%s", err.msg);
	return 0;
}

/* The first three numbers of xoshiro256** seeded by splitmix64(1), from an independent run in Python. */
static int test_rng_is_the_published_one(void)
{
	tp_rng r = tp_rng_seed(1);
	static const uint64_t want[] = { 0xb3f2af6d0fc710c5u, 0x853b559647364ceau, 0x92f89756082a4514u };
	for (size_t i = 0; i < 3; i++) {
		uint64_t got = tp_rng_u64(&r);
		CHECK(got == want[i], "number %zu is %016llx", i, (unsigned long long)got);
	}
	return 0;
}

static int test_shuffle_is_a_permutation(void)
{
	tp_rng r = tp_rng_seed(7);
	uint32_t v[100];
	int seen[100] = { 0 }, moved = 0;
	for (uint32_t i = 0; i < 100; i++)
		v[i] = i;
	tp_rng_shuffle(&r, v, 100);
	for (uint32_t i = 0; i < 100; i++) {
		seen[v[i]]++;
		moved += v[i] != i;
	}
	for (int i = 0; i < 100; i++)
		CHECK(seen[i] == 1, "%d seen %d times", i, seen[i]);
	CHECK(moved > 50, "only %d moved", moved);
	return 0;
}

/* Mean, variance and third central moment of n gammas are those of the distribution, within five standard errors. */
static int test_gamma_has_its_moments(void)
{
	static const double shapes[] = { 0.1, 0.5, 1, 2.5, 20 };
	enum { M = 200000 };
	tp_rng r = tp_rng_seed(21);
	for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
		double a = shapes[k], m1 = 0, m2 = 0, m3 = 0;
		for (int i = 0; i < M; i++) {
			double x = tp_rng_gamma(&r, a) - a;
			m1 += x / M;
			m2 += x * x / M;
			m3 += x * x * x / M;
		}
		double fourth = 3 * a * a + 6 * a, sixth = 15 * a * a * a + 130 * a * a + 120 * a;
		CHECK(fabs(m1) < 5 * sqrt(a / M), "shape %g: mean off by %g", a, m1);
		CHECK(fabs(m2 - a) < 5 * sqrt((fourth - a * a) / M), "shape %g: variance %g", a, m2);
		CHECK(fabs(m3 - 2 * a) < 5 * sqrt((sixth - 4 * a * a) / M), "shape %g: third moment %g", a,
			m3);
	}
	return 0;
}

static int test_beta_has_its_moments(void)
{
	static const double shapes[][2] = { { 0.2, 0.2 }, { 1, 1 }, { 8, 8 }, { 0.5, 2 }, { 1e-4, 1e-4 } };
	enum { M = 200000 };
	tp_rng r = tp_rng_seed(22);
	for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
		double a = shapes[k][0], b = shapes[k][1], mean = a / (a + b), m1 = 0, m2 = 0;
		double want = a * b / ((a + b) * (a + b) * (a + b + 1));
		for (int i = 0; i < M; i++) {
			double x = tp_rng_beta(&r, a, b);
			CHECK(x >= 0 && x <= 1, "%g and %g: drew %g", a, b, x);
			m1 += (x - mean) / M;
			m2 += (x - mean) * (x - mean) / M;
		}
		/* (x - mean)^2 is at most 1: its variance is below its mean */
		CHECK(fabs(m1) < 5 * sqrt(want / M), "%g and %g: mean off by %g", a, b, m1);
		CHECK(fabs(m2 - want) < 5 * sqrt(want / M), "%g and %g: variance %g, not %g", a, b, m2, want);
	}
	return 0;
}

static int test_streams_of_a_seed_differ(void)
{
	enum { M = 3 * 3 * 3 * 3 };
	uint64_t first[M];
	for (uint64_t i = 0; i < M; i++) {
		tp_rng r = tp_rng_stream(i / 27, i / 9 % 3, i / 3 % 3, i % 3), s = r;
		tp_rng again = tp_rng_stream(i / 27, i / 9 % 3, i / 3 % 3, i % 3);
		first[i] = tp_rng_u64(&r);
		CHECK(first[i] == tp_rng_u64(&again) && first[i] == tp_rng_u64(&s), "stream %d", (int)i);
		for (uint64_t j = 0; j < i; j++)
			CHECK(first[i] != first[j], "streams %d and %d begin alike", (int)i, (int)j);
	}
	return 0;
}

static tp_code count_item(void *ud, size_t i, int worker, tp_err *err)
{
	atomic_int *hits = ud;
	(void)worker;
	atomic_fetch_add(&hits[i], 1);
	return i == 700 ? tp_fail(err, TP_EIO, "item %zu", i) : TP_OK;
}

static int test_parallel_loop_visits_each_item_once(void)
{
	static atomic_int hits[1000];
	tp_err err = { 0 };
	CHECK_OK(tp_par_for(700, 4, count_item, hits, &err), err);
	for (int i = 0; i < 700; i++)
		CHECK(hits[i] == 1, "item %d: %d", i, hits[i]);
	CHECK(tp_par_for(1000, 4, count_item, hits, &err) == TP_EIO, "no error");
	CHECK_STR(err.msg, "item 700");
	return 0;
}

static int test_json_errors_name_the_key(void)
{
	static const char text[] = "{\"a\": 1, \"b\": \"x\", \"c\": 1e400}";
	json_t *j = NULL;
	tp_err err = { 0 };
	long long v;
	const char *s;
	CHECK(tp_json_parse(&j, text, strlen(text), "doc", &err) == TP_EFORMAT, "1e400 is no number");
	CHECK(tp_json_parse(&j, "{\"a\": 1", 7, "doc", &err) == TP_EFORMAT && strstr(err.msg, "doc: line 1"),
		"%s", err.msg);
	CHECK_OK(tp_json_parse(&j, "{\"a\": 1, \"b\": \"x\"}", 18, "doc", &err), err);
	CHECK_OK(tp_json_int(&v, j, "a", 0, 5, "doc", &err), err);
	CHECK(tp_json_int(&v, j, "a", 2, 5, "doc", &err) == TP_EFORMAT, "1 is below 2");
	CHECK(tp_json_text(&s, j, "zzz", "doc", &err) == TP_EFORMAT && strstr(err.msg, "zzz"), "%s", err.msg);
	json_decref(j);
	CHECK(tp_json_parse(&j, "{\"a\":1,\"a\":2}", 13, "doc", &err) == TP_EFORMAT, "duplicate key");
	return 0;
}

static int test_sha256_of_nothing_and_abc(void) /* FIPS 180-2's own examples */
{
	CHECK_STR(tp_sha256_of(NULL, 0).hex,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_STR(tp_sha256_of("abc", 3).hex,
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	return 0;
}

static void keep_line(tp_log_level level, const char *line, void *ud)
{
	(void)level;
	snprintf(ud, 100, "%s", line);
}

/* Lengths about the ends of blocks, and many blocks: by the processor's instructions as by libsodium. */
static int test_two_ways_to_sha256(void)
{
	static uint8_t text[3000];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * i >> 3);
	for (size_t n = 0; n <= sizeof text; n += n < 300 ? 1 : 97) {
		uint8_t a[32], b[32];
		tp_sha256_fast(a, text + n % 5, n < 5 ? 0 : n - 5);
		tp_sha256_plain(b, text + n % 5, n < 5 ? 0 : n - 5);
		CHECK(!memcmp(a, b, sizeof a), "%zu bytes", n);
	}
	return 0;
}

static int test_log_lines_cannot_be_forged(void)
{
	char got[100] = "";
	tp_log_set_sink(keep_line, got);
	tp_log(TP_LOG_INFO, "user=%s", "x\ninfo forged");
	tp_log_set_sink(NULL, NULL);
	CHECK_STR(got, "user=x?info forged");
	return 0;
}

static int test_cancel_is_an_error_until_reset(void)
{
	tp_err err = { 0 };
	CHECK_OK(tp_cancel_check(&err), err);
	tp_cancel();
	CHECK(tp_cancel_check(&err) == TP_ECANCEL, "not cancelled");
	tp_cancel_reset();
	CHECK_OK(tp_cancel_check(&err), err);
	return 0;
}

int main(void)
{
	return RUN(T(test_context_goes_in_front), T(test_long_messages_are_cut),
		T(test_buffer_keeps_its_ceiling), T(test_failed_allocations_are_counted),
		T(test_outfile_appears_whole_or_not_at_all), T(test_file_errors_name_the_path),
		T(test_rng_is_the_published_one), T(test_shuffle_is_a_permutation),
		T(test_gamma_has_its_moments), T(test_beta_has_its_moments), T(test_streams_of_a_seed_differ),
		T(test_parallel_loop_visits_each_item_once), T(test_json_errors_name_the_key),
		T(test_sha256_of_nothing_and_abc), T(test_two_ways_to_sha256), T(test_log_lines_cannot_be_forged),
		T(test_cancel_is_an_error_until_reset));
}
