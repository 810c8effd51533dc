/* The log of a run: see runlog.h. Plain write(2) a line, so that nothing waits in this process to be lost with it. */
#include "train/runlog.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/tfevents.h"

static const char METRICS[] = "metrics.jsonl", EVENTS[] = "events.out.tfevents.";

/* A file that grows by whole records only. */
typedef struct {
	int fd;
	off_t len; /* bytes of whole records */
	bool torn; /* there is half a record behind them */
} sink;

struct tp_runlog {
	sink metrics, events;
	char *dir;
	uint64_t step;
	size_t lost;
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

static tp_code take_line(
	const char *text, size_t len, uint64_t *step, tp_run_line_fn fn, void *ud, size_t *bad, tp_err *err)
{
	json_t *j = NULL;
	tp_code rc = TP_OK;
	if (len <= TP_MAX_RUN_LINE && tp_json_parse(&j, text, len, "", NULL) == TP_OK) {
		const json_t *s = json_object_get(j, "step");
		if (json_is_integer(s) && json_integer_value(s) >= 0 &&
			(uint64_t)json_integer_value(s) >= *step) {
			tp_run_line line = { .step = *step = (uint64_t)json_integer_value(s),
				.epoch = json_number_value(json_object_get(j, "epoch")),
				.time = json_number_value(json_object_get(j, "time")),
				.json = j,
				.text = text,
				.len = len };
			rc = fn(ud, &line, err);
			json_decref(j);
			return rc;
		}
		json_decref(j);
	}
	++*bad;
	return rc;
}

tp_code tp_runlog_read(const char *path, tp_run_line_fn fn, void *ud, size_t *bad, tp_err *err)
{
	tp_map m = { 0 };
	uint64_t step = 0;
	tp_code rc = tp_map_open(&m, path, err);
	*bad = 0;
	const char *p = (const char *)m.ptr, *end = p + m.len;
	while (!rc && p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((eol ? eol : end) - p);
		rc = take_line(p, len, &step, fn, ud, bad, err);
		p += len + 1;
	}
	tp_map_close(&m);
	return rc;
}

/* ---- opening ------------------------------------------------------------------------------------------ */

static tp_code fail_errno(tp_err *err, const char *path)
{
	return tp_fail(err, errno == EACCES ? TP_EDENIED : TP_EIO, "%s: %s", path, strerror(errno));
}

typedef struct {
	tp_outfile *f;
	uint64_t last; /* step */
	bool once, had_last;
	size_t kept, cut;
} cutting;

static tp_code keep_line(void *ud, const tp_run_line *line, tp_err *err)
{
	cutting *c = ud;
	if (line->step > c->last || (c->once && c->had_last)) {
		c->cut++;
		return TP_OK;
	}
	c->had_last = line->step == c->last;
	c->kept += line->len + 1;
	tp_code rc = tp_outfile_write(c->f, line->text, line->len, err);
	if (!rc)
		rc = tp_outfile_write(c->f, "\n", 1, err);
	return rc;
}

/* Leaves lines up to step `last`; once: of that one the first alone. A log that ends there stays as it is. */
static tp_code cut_metrics(const char *path, uint64_t last, bool once, tp_err *err)
{
	cutting c = { .last = last, .once = once };
	size_t bad = 0;
	struct stat st;
	if (stat(path, &st))
		return errno == ENOENT ? TP_OK : fail_errno(err, path);
	tp_code rc = tp_outfile_open(&c.f, path, err);
	if (!rc)
		rc = tp_runlog_read(path, keep_line, &c, &bad, err);
	if (!rc && (bad || c.cut || c.kept != (size_t)st.st_size))
		rc = tp_outfile_commit(&c.f, err);
	tp_outfile_abort(&c.f);
	if (!rc && bad)
		tp_log(TP_LOG_WARN, "%s: %zu lines cannot be read and are left out", path, bad);
	return rc;
}

static bool is_log(const char *name)
{
	return !strcmp(name, METRICS) || !strncmp(name, EVENTS, sizeof EVENTS - 1);
}

static tp_code make_before(char *out, size_t size, const char *dir, tp_err *err)
{
	for (int i = 1; i < 1000; i++) {
		snprintf(out, size, "%s/before-%d", dir, i);
		if (!mkdir(out, 0755))
			return TP_OK;
		if (errno != EEXIST)
			return fail_errno(err, out);
	}
	return tp_fail(err, TP_ELIMIT, "%s: 999 earlier logs lie there already", dir);
}

/* Moves an earlier log's files away; metrics.jsonl, the last of the names, goes last. */
static tp_code set_aside(const char *dir, tp_err *err)
{
	enum { ROOM = 4096 };
	char to[ROOM] = "", from[ROOM + 256], there[ROOM + 256];
	tp_names names = { 0 };
	tp_code rc = tp_dir_list(&names, dir, err);
	for (size_t i = 0; !rc && i < names.len; i++) {
		if (!is_log(names.v[i]))
			continue;
		if (!*to)
			rc = make_before(to, sizeof to, dir, err);
		snprintf(from, sizeof from, "%s/%s", dir, names.v[i]);
		snprintf(there, sizeof there, "%s/%s", to, names.v[i]);
		if (!rc && rename(from, there))
			rc = fail_errno(err, from);
	}
	if (!rc && *to)
		tp_log(TP_LOG_INFO, "the log of an earlier run is now in %s", to);
	tp_names_free(&names);
	return rc;
}

static tp_code open_metrics(sink *s, const char *path, tp_err *err)
{
	struct stat st;
	s->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (s->fd < 0 || fstat(s->fd, &st))
		return fail_errno(err, path);
	s->len = st.st_size;
	return TP_OK;
}

/* Readers take the files in the order of their names, so a new one's second is later than all others', also on a
 * machine whose clock starts anew. */
static tp_code open_events(sink *s, const char *dir, double at, tp_err *err)
{
	char host[65] = "", name[160];
	tp_names names = { 0 };
	long long second = (long long)at;
	tp_code rc = tp_dir_list(&names, dir, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < names.len; i++) {
		long long other;
		if (!strncmp(names.v[i], EVENTS, sizeof EVENTS - 1) &&
			sscanf(names.v[i] + sizeof EVENTS - 1, "%10lld", &other) == 1 && other >= second)
			second = other + 1;
	}
	tp_names_free(&names);
	if (gethostname(host, sizeof host - 1) || !*host)
		snprintf(host, sizeof host, "host");
	for (char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.')
			*c = '-';
	snprintf(name, sizeof name, "%s%010lld.%s.tepal", EVENTS, second, host);
	char *path = tp_path_join(dir, name);
	if (!path)
		return tp_nomem(err, sizeof name);
	s->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (s->fd < 0)
		rc = fail_errno(err, path);
	tp_free(path);
	return rc;
}

/* ---- writing ------------------------------------------------------------------------------------------ */

/* The whole record or nothing of it. Half a record that cannot be taken back is taken back before the next one. */
static bool sink_write(sink *s, const void *p, size_t n)
{
	const char *b = p;
	size_t done = 0;
	if (s->torn && ftruncate(s->fd, s->len))
		return false;
	s->torn = false;
	while (done < n) {
		ssize_t k = write(s->fd, b + done, n - done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			int why = errno;
			s->torn = done && ftruncate(s->fd, s->len);
			errno = why;
			return false;
		}
		done += (size_t)k;
	}
	s->len += (off_t)n;
	return true;
}

static void lose(tp_runlog *l, const char *why)
{
	if (!l->lost++)
		tp_log(TP_LOG_WARN, "the log in %s: %s; the run goes on, its log has gaps", l->dir, why);
}

static bool good_tag(const char *tag)
{
	static const char *const taken[] = { "step", "epoch", "time", "nonfinite" };
	size_t n = strlen(tag);
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		if (!strcmp(tag, taken[i]))
			return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)tag[i]) && !strchr("_.-/", tag[i]))
			return false;
	return n && n <= TP_RUNLOG_TAG;
}

/* One line. Tags need no escapes: good_tag(). */
static tp_code put_line(
	tp_buf *b, uint64_t step, double epoch, double time, const tp_run_value *v, size_t n, tp_err *err)
{
	char number[TP_NUMBER_TEXT];
	int odd = 0;
	tp_number_text(number, epoch);
	tp_code rc = tp_buf_addf(
		b, err, "{\"step\":%llu,\"epoch\":%s,\"time\":%.3f", (unsigned long long)step, number, time);
	for (size_t i = 0; !rc && i < n; i++) {
		if (isfinite(v[i].value))
			tp_number_text(number, v[i].value);
		rc = tp_buf_addf(b, err, ",\"%s\":%s", v[i].tag, isfinite(v[i].value) ? number : "null");
	}
	for (size_t i = 0; !rc && i < n; i++)
		if (!isfinite(v[i].value))
			rc = tp_buf_addf(b, err, "%s\"%s\":\"%s\"", odd++ ? "," : ",\"nonfinite\":{",
				v[i].tag,
				isnan(v[i].value) ? "nan"
				: v[i].value > 0  ? "inf"
						  : "-inf");
	if (!rc)
		rc = tp_buf_adds(b, odd ? "}}\n" : "}\n", err);
	return rc;
}

void tp_runlog_add(tp_runlog *l, uint64_t step, double epoch, const tp_run_value *v, size_t n)
{
	tp_buf b;
	tp_tfevent e;
	tp_err err = { 0 };
	double at = now();
	assert(n <= TP_RUNLOG_VALUES && step >= l->step && step <= INT64_MAX && isfinite(epoch));
	for (size_t i = 0; i < n; i++)
		assert(good_tag(v[i].tag));
	l->step = step;
	tp_buf_init(&b, TP_MAX_RUN_LINE);
	if (put_line(&b, step, epoch, at, v, n, &err)) {
		lose(l, err.msg);
	} else {
		tp_tfevent_values(&e, at, step, v, n);
		if (!sink_write(&l->metrics, b.ptr, b.len) || !sink_write(&l->events, e.v, e.len))
			lose(l, strerror(errno));
	}
	tp_buf_dispose(&b);
}

tp_code tp_runlog_open(tp_runlog **out, const char *dir, uint64_t resume_step, bool epoch_open, tp_err *err)
{
	tp_tfevent e;
	double at = now();
	char *path = tp_path_join(dir, METRICS);
	tp_runlog *l = tp_calloc(1, sizeof *l);
	if (l) {
		l->metrics.fd = l->events.fd = -1;
		l->step = resume_step;
		l->dir = tp_strdup(dir);
	}
	tp_code rc = path && l && l->dir ? TP_OK : tp_nomem(err, sizeof *l);
	if (!rc)
		rc = tp_make_dirs(dir, err);
	if (!rc)
		rc = resume_step ? cut_metrics(path, resume_step, epoch_open, err) : set_aside(dir, err);
	if (!rc)
		rc = open_metrics(&l->metrics, path, err);
	if (!rc)
		rc = open_events(&l->events, dir, at, err);
	if (rc)
		goto out;
	tp_tfevent_version(&e, at);
	if (!sink_write(&l->events, e.v, e.len))
		lose(l, strerror(errno));
	tp_tfevent_start(&e, at, resume_step + 1);
	if (resume_step && !sink_write(&l->events, e.v, e.len))
		lose(l, strerror(errno));
	*out = l;
	l = NULL;
out:
	tp_runlog_close(l);
	tp_free(path);
	return rc;
}

void tp_runlog_close(tp_runlog *l)
{
	if (!l)
		return;
	if (l->lost)
		tp_log(TP_LOG_WARN, "the log in %s: %zu lines were lost", l->dir, l->lost);
	if (l->metrics.fd >= 0)
		close(l->metrics.fd);
	if (l->events.fd >= 0)
		close(l->events.fd);
	tp_free(l->dir);
	tp_free(l);
}
