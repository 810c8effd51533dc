/* Progress: see progress.h. */
#include "base/progress.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

struct tp_progress {
	const char *what;
	size_t total, done;
	double t0, last;
	bool tty;
	char note[96];
	pthread_mutex_t lock;
};

static double seconds_of(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double tp_now(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

double tp_thread_seconds(void)
{
	return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

tp_progress *tp_progress_start(const char *what, size_t total, bool quiet)
{
	tp_progress *p = quiet ? NULL : tp_calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->what = what;
	p->total = total;
	p->t0 = tp_now();
	p->last = p->t0;
	p->tty = isatty(STDERR_FILENO);
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

static const char *grouped(char out[32], size_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%zu", n), k = 0;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[k++] = ',';
		out[k++] = digits[i];
	}
	out[k] = 0;
	return out;
}

static void draw(const tp_progress *p, double now, bool last)
{
	char a[32], b[32];
	double dt = now - p->t0, rate = dt > 0 ? (double)p->done / dt : 0;
	fprintf(stderr, "%s%s  %s", p->tty ? "\r\033[K" : "", p->what, grouped(a, p->done));
	if (p->total)
		fprintf(stderr, " of %s  %zu %%", grouped(b, p->total), p->done * 100 / p->total);
	fprintf(stderr, "  %.1f/s", rate);
	if (last)
		fprintf(stderr, "  %.1f s%s\n", dt, p->note);
	else if (p->total && rate > 0) {
		long left = (long)((double)(p->total - p->done) / rate + 0.5);
		if (left >= 3600)
			fprintf(stderr, "  %ld h %ld min left", left / 3600, left / 60 % 60);
		else if (left >= 60)
			fprintf(stderr, "  %ld min %ld s left", left / 60, left % 60);
		else
			fprintf(stderr, "  %ld s left", left);
	}
	if (!last)
		fputs(p->note, stderr);
	if (!last && !p->tty)
		fputc('\n', stderr);
	fflush(stderr);
}

void tp_progress_add(tp_progress *p, size_t done)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->done += done;
	double now = tp_now();
	if (now - p->last > (p->tty ? 0.2 : 10)) {
		p->last = now;
		draw(p, now, false);
	}
	pthread_mutex_unlock(&p->lock);
}

void tp_progress_note(tp_progress *p, const char *fmt, ...)
{
	va_list ap;
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	va_start(ap, fmt);
	p->note[0] = p->note[1] = ' ';
	vsnprintf(p->note + 2, sizeof p->note - 2, fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&p->lock);
}

void tp_progress_end(tp_progress *p)
{
	if (!p)
		return;
	draw(p, tp_now(), true);
	pthread_mutex_destroy(&p->lock);
	tp_free(p);
}
