/* The log of a run: what is on disk after a kill, a resume and a full disk. "test_train_runlog write DIR" writes a log
 * with a resume in it for read_events.py, which reads the event files in its own way. */
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "t.h"
#include "train/runlog.h"
#include "train/tfevents.h"

static char root[64], dir[80]; /* each test has its folder in root */

static const char *in_dir(const char *name)
{
	static char path[2][256];
	static int i;
	i = !i;
	snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
	return path[i];
}

static void new_dir(void)
{
	static int n;
	snprintf(dir, sizeof dir, "%s/%d", root, n++);
}

static int warnings;
static char first_warning[256];

static void count_warnings(tp_log_level level, const char *line, void *ud)
{
	(void)ud;
	if (level == TP_LOG_WARN && !warnings++)
		snprintf(first_warning, sizeof first_warning, "%s", line);
}

static void listen_to_log(void)
{
	warnings = 0;
	*first_warning = 0;
	tp_log_set_sink(count_warnings, NULL);
}

static void add(tp_runlog *l, uint64_t step)
{
	tp_run_value v[] = { { TP_TAG_LOSS, 1 / (1 + (double)step) }, { TP_TAG_LR, 0.1 } };
	tp_runlog_add(l, step, (double)step / 4, v, 2);
}

typedef struct {
	size_t n;
	uint64_t step[64];
	double loss[64];
} seen;

static tp_code see(void *ud, const tp_run_line *line, tp_err *err)
{
	seen *s = ud;
	if (s->n == 64)
		return tp_fail(err, TP_ELIMIT, "more lines than were written");
	s->step[s->n] = line->step;
	s->loss[s->n++] = json_number_value(json_object_get(line->json, TP_TAG_LOSS));
	return TP_OK;
}

/* Every line is steps 1..n, in order, with its loss to the last digit. */
static int check_steps(size_t n, size_t want_bad)
{
	seen s = { 0 };
	size_t bad;
	tp_err err = { 0 };
	CHECK_OK(tp_runlog_read(in_dir("metrics.jsonl"), see, &s, &bad, &err), err);
	CHECK(s.n == n && bad == want_bad, "%zu lines, %zu bad", s.n, bad);
	for (size_t i = 0; i < n; i++) {
		CHECK(s.step[i] == i + 1, "line %zu: step %llu", i, (unsigned long long)s.step[i]);
		CHECK(s.loss[i] == 1 / (2 + (double)i), "line %zu: loss %.17g", i, s.loss[i]);
	}
	return 0;
}

static int test_crc32c_is_the_standards(void)
{
	uint8_t b[32] = { 0 };
	CHECK(tp_crc32c(b, 32) == 0x8a9136aa, "32 zeros"); /* RFC 3720, B.4 */
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	CHECK(tp_crc32c(b, 32) == 0x46dd794e, "0 to 31");
	memset(b, 0xff, 32);
	CHECK(tp_crc32c(b, 32) == 0x62a8ab43, "32 times 255");
	CHECK(tp_crc32c("123456789", 9) == 0xe3069283, "the check of the catalogue of CRCs");
	CHECK(tp_crc32c("", 0) == 0, "nothing");
	return 0;
}

/* The first record of any TensorFlow event file, but for its time, which is 0 here. */
static int test_a_record_has_the_bytes_it_must_have(void)
{
	static const uint8_t want[] = { 24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22, 9, 0, 0, 0, 0, 0, 0,
		0, 0, 0x1a, 13, 'b', 'r', 'a', 'i', 'n', '.', 'E', 'v', 'e', 'n', 't', ':', '2' };
	tp_tfevent e;
	tp_tfevent_version(&e, 0);
	CHECK(e.len == sizeof want + 4, "%zu bytes", e.len);
	for (size_t i = 0; i < sizeof want; i++)
		CHECK(e.v[i] == want[i], "byte %zu is 0x%02x", i, e.v[i]);
	return 0;
}

static int test_a_line_says_what_is_not_finite(void)
{
	tp_runlog *l = NULL;
	tp_err err = { 0 };
	json_t *j = NULL;
	uint8_t *text = NULL;
	size_t len = 0;
	tp_run_value v[] = { { "a", NAN }, { "b/c", -INFINITY }, { "d", 1e300 }, { "e", 0.1 } };
	new_dir();
	CHECK_OK(tp_runlog_open(&l, in_dir("not/there/yet"), 0, false, &err), err);
	tp_runlog_add(l, 7, 1.5, v, 4);
	tp_runlog_close(l);
	CHECK_OK(tp_file_read(&text, &len, in_dir("not/there/yet/metrics.jsonl"), 4096, &err), err);
	CHECK(len && text[len - 1] == '\n', "the line does not end");
	CHECK_OK(tp_json_parse(&j, (char *)text, len, "line", &err), err);
	CHECK(json_integer_value(json_object_get(j, "step")) == 7, "step");
	CHECK(json_number_value(json_object_get(j, "epoch")) == 1.5, "epoch");
	CHECK(json_number_value(json_object_get(j, "time")) > 1.7e9, "time");
	CHECK(json_is_null(json_object_get(j, "a")) && json_is_null(json_object_get(j, "b/c")), "not null");
	CHECK(json_real_value(json_object_get(j, "d")) == 1e300, "d");
	CHECK(strstr((char *)text, "\"e\":0.1,"), "more digits than needed: %s", (char *)text);
	json_t *odd = json_object_get(j, "nonfinite");
	CHECK(json_object_size(odd) == 2, "%zu not finite", json_object_size(odd));
	CHECK_STR(tp_json_text_or_empty(odd, "a"), "nan");
	CHECK_STR(tp_json_text_or_empty(odd, "b/c"), "-inf");
	json_decref(j);
	tp_free(text);
	return 0;
}

static int test_a_killed_process_loses_no_line(void)
{
	int status = 0;
	new_dir();
	pid_t pid = fork();
	if (!pid) {
		tp_runlog *l = NULL;
		if (tp_runlog_open(&l, dir, 0, false, NULL))
			_exit(1);
		for (uint64_t s = 1; s <= 20; s++)
			add(l, s);
		raise(SIGKILL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "status %d", status);
	return check_steps(20, 0);
}

static int append(const char *text)
{
	CHECK(!tp_make_dirs(dir, NULL), "no folder");
	FILE *f = fopen(in_dir("metrics.jsonl"), "a");
	CHECK(f && fputs(text, f) >= 0, "cannot write");
	fclose(f);
	return 0;
}

static int test_a_resumed_log_is_as_if_never_interrupted(void)
{
	tp_runlog *l = NULL;
	tp_err err = { 0 };
	new_dir();
	listen_to_log();
	CHECK_OK(tp_runlog_open(&l, dir, 0, false, &err), err);
	for (uint64_t s = 1; s <= 20; s++)
		add(l, s);
	tp_runlog_close(l);
	CHECK(!append("{\"step\":21,\"epo"), "half a line");
	CHECK(!check_steps(20, 1), "before");
	CHECK_OK(tp_runlog_open(&l, dir, 12, false, &err), err);
	CHECK(!check_steps(12, 0), "after the cut");
	CHECK(warnings == 1 && strstr(first_warning, "1 lines cannot be read"), "%d: %s", warnings,
		first_warning);
	for (uint64_t s = 13; s <= 30; s++)
		add(l, s);
	tp_runlog_close(l);
	/* nothing to cut, and a last line that only lacks its end */
	CHECK(!truncate(in_dir("metrics.jsonl"), 0) && !append("{\"step\":1,\"train/loss\":0.5}"),
		"a short log");
	CHECK_OK(tp_runlog_open(&l, dir, 12, false, &err), err);
	tp_runlog_close(l);
	CHECK(!append("{\"step\":2,\"train/loss\":0.33333333333333331}\n"), "a second line");
	tp_log_set_sink(NULL, NULL);
	return check_steps(2, 0);
}

/* A run that is killed between its epoch's line and the checkpoint after it says that line again. */
static int test_an_open_epoch_has_no_line_yet(void)
{
	static const char steps[] = "{\"step\":1,\"train/loss\":1}\n{\"step\":2,\"train/loss\":0.5}\n",
			  epoch[] = "{\"step\":2,\"val/loss\":0.75}\n";
	for (int open = 0; open < 2; open++) {
		tp_runlog *l = NULL;
		tp_err err = { 0 };
		uint8_t *text = NULL;
		size_t len = 0;
		char want[128];
		new_dir();
		CHECK(!append(steps) && !append(epoch) && !append("{\"step\":3,\"train/loss\":0.25}\n"),
			"a log");
		CHECK_OK(tp_runlog_open(&l, dir, 2, open, &err), err);
		tp_runlog_close(l);
		CHECK_OK(tp_file_read(&text, &len, in_dir("metrics.jsonl"), 1 << 20, &err), err);
		snprintf(want, sizeof want, "%s%s", steps, open ? "" : epoch);
		CHECK_STR((char *)text, want);
		tp_free(text);
	}
	return 0;
}

static int test_an_earlier_log_is_moved_aside(void)
{
	tp_runlog *l = NULL;
	tp_err err = { 0 };
	new_dir();
	tp_log_set_level(TP_LOG_ERROR);
	for (uint64_t run = 1; run <= 3; run++) {
		CHECK_OK(tp_runlog_open(&l, dir, 0, false, &err), err);
		for (uint64_t s = 1; s <= run; s++)
			add(l, s);
		tp_runlog_close(l);
		CHECK(!check_steps(run, 0), "run %d", (int)run);
	}
	tp_log_set_level(TP_LOG_INFO);
	tp_names now = { 0 }, before = { 0 };
	CHECK_OK(tp_dir_list(&now, dir, &err), err);
	CHECK(now.len == 4, "%zu files and folders: two and two", now.len);
	CHECK_OK(tp_dir_list(&before, in_dir("before-2"), &err), err);
	CHECK(before.len == 2, "%zu files of the second run", before.len);
	CHECK_STR(before.v[1], "metrics.jsonl");
	tp_names_free(&now);
	tp_names_free(&before);
	return 0;
}

/* RLIMIT_FSIZE makes write() short and then fail, as a full disk does. */
static int test_a_full_disk_is_a_warning(void)
{
	tp_runlog *l = NULL;
	tp_err err = { 0 };
	struct rlimit old, small;
	new_dir();
	listen_to_log();
	signal(SIGXFSZ, SIG_IGN);
	CHECK(!getrlimit(RLIMIT_FSIZE, &old), "no limits here");
	CHECK_OK(tp_runlog_open(&l, dir, 0, false, &err), err);
	for (uint64_t s = 1; s <= 4; s++)
		add(l, s);
	small = old;
	small.rlim_cur = 450; /* not at the end of a line */
	CHECK(!setrlimit(RLIMIT_FSIZE, &small), "no limits here");
	for (uint64_t s = 5; s <= 40; s++)
		add(l, s);
	CHECK(!setrlimit(RLIMIT_FSIZE, &old), "the limit stays");
	CHECK(warnings == 1 && strstr(first_warning, "gaps"), "%d: %s", warnings, first_warning);
	seen s = { 0 };
	size_t bad = 1;
	CHECK_OK(tp_runlog_read(in_dir("metrics.jsonl"), see, &s, &bad, &err), err);
	CHECK(!bad && s.n >= 4 && s.n < 10 && s.step[s.n - 1] == s.n, "%zu lines, %zu bad", s.n, bad);
	add(l, 41);
	tp_runlog_close(l);
	CHECK(warnings == 2, "%d warnings", warnings);
	tp_log_set_sink(NULL, NULL);
	size_t whole = s.n;
	s.n = 0;
	CHECK_OK(tp_runlog_read(in_dir("metrics.jsonl"), see, &s, &bad, &err), err);
	CHECK(!bad && s.n == whole + 1 && s.step[whole] == 41, "%zu lines, %zu bad", s.n, bad);
	return 0;
}

static int test_lines_that_are_none_are_counted(void)
{
	new_dir();
	CHECK(!append("{\"step\":1,\"train/"
		      "loss\":0.5}\n[1]\n\n{\"step\":-1}\n{\"step\":0}\n{\"step\":\"2\"}\n{\"step\":2"
		      ",\"train/loss\":0.33333333333333331}\nnoise"),
		"written");
	CHECK(!check_steps(2, 6), "lines");
	seen s = { .n = 64 };
	size_t bad;
	tp_err err = { 0 };
	CHECK(tp_runlog_read(in_dir("metrics.jsonl"), see, &s, &bad, &err) == TP_ELIMIT, "%s", err.msg);
	CHECK(tp_runlog_read(in_dir("nothing"), see, &s, &bad, &err) == TP_ENOTFOUND, "%s", err.msg);
	return 0;
}

static int test_open_survives_any_failed_allocation(void)
{
	tp_runlog *l = NULL;
	new_dir();
	tp_log_set_level(TP_LOG_ERROR);
	for (int n = 1;; n++) {
		CHECK(!append("{\"step\":1}\n{\"step\":9}\n"), "written");
		long live = tp_mem_live();
		tp_mem_fail_at(n);
		tp_code rc = tp_runlog_open(&l, dir, n % 2 ? 3 : 0, false, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		if (!rc)
			tp_runlog_close(l);
		CHECK(failed ? rc == TP_ENOMEM : rc == TP_OK, "allocation %d: code %d", n, rc);
		CHECK(tp_mem_live() == live, "allocation %d leaks", n);
		if (!failed && n > 40)
			break;
	}
	tp_log_set_level(TP_LOG_INFO);
	return 0;
}

static int write_sample(const char *where)
{
	tp_runlog *l = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_runlog_open(&l, where, 0, false, &err), err);
	for (uint64_t s = 1; s <= 300; s++) {
		tp_run_value v[] = { { TP_TAG_LOSS, s == 150 ? NAN : 5 / (1 + (double)s) },
			{ TP_TAG_LR, 1e-3 * (double)s }, { "odd/inf", INFINITY }, { "odd/large", -1e300 } };
		tp_runlog_add(l, s, (double)s / 100, v, 4);
	}
	tp_runlog_close(l);
	CHECK_OK(tp_runlog_open(&l, where, 200, false, &err), err);
	for (uint64_t s = 201; s <= 250; s++) {
		tp_run_value v[] = { { TP_TAG_LOSS, 1000 + (double)s } };
		tp_runlog_add(l, s, (double)s / 100, v, 1);
	}
	tp_runlog_close(l);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return write_sample(argv[2]);
	snprintf(root, sizeof root, "/tmp/tepal-runlog-XXXXXX");
	if (!mkdtemp(root))
		return 1;
	int result = RUN(T(test_crc32c_is_the_standards), T(test_a_record_has_the_bytes_it_must_have),
		T(test_a_line_says_what_is_not_finite), T(test_a_killed_process_loses_no_line),
		T(test_a_resumed_log_is_as_if_never_interrupted), T(test_an_open_epoch_has_no_line_yet),
		T(test_an_earlier_log_is_moved_aside), T(test_a_full_disk_is_a_warning),
		T(test_lines_that_are_none_are_counted), T(test_open_survives_any_failed_allocation));
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", root);
	return system(cmd) ? 1 : result;
}
