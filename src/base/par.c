/* Parallel loop: see par.h. One shared counter hands out the items. */
#define _GNU_SOURCE
#include "base/par.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/mem.h"

typedef struct {
	size_t n;
	tp_par_fn fn;
	void *ud;
	atomic_size_t next;
	atomic_bool stop;
} loop;

typedef struct {
	loop *l;
	int worker;
	tp_code rc;
	tp_err err;
	pthread_t thread;
} worker;

static void *run(void *arg)
{
	worker *w = arg;
	loop *l = w->l;
	while (!atomic_load(&l->stop)) {
		size_t i = atomic_fetch_add(&l->next, 1);
		if (i >= l->n)
			break;
		w->rc = l->fn(l->ud, i, w->worker, &w->err);
		if (w->rc) {
			atomic_store(&l->stop, true);
			break;
		}
	}
	return NULL;
}

tp_code tp_par_for(size_t n, int threads, tp_par_fn fn, void *ud, tp_err *err)
{
	loop l = { .n = n, .fn = fn, .ud = ud };
	if (threads < 1)
		threads = 1;
	if ((size_t)threads > n)
		threads = n ? (int)n : 1;
	worker *w = tp_calloc((size_t)threads, sizeof *w);
	if (!w)
		return tp_nomem(err, (size_t)threads * sizeof *w);
	int started = 0;
	for (int i = 0; i < threads; i++)
		w[i] = (worker){ .l = &l, .worker = i };
	for (int i = 1; i < threads; i++, started++)
		if (pthread_create(&w[i].thread, NULL, run, &w[i]))
			break; /* fewer threads than asked for: slower, and still right */
	run(&w[0]);
	for (int i = 1; i <= started; i++)
		pthread_join(w[i].thread, NULL);
	tp_code rc = TP_OK;
	for (int i = 0; i < threads && !rc; i++) {
		rc = w[i].rc;
		if (rc && err)
			*err = w[i].err;
	}
	tp_free(w);
	return rc;
}

int tp_cpu_count(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set))
		return 1;
	int n = CPU_COUNT(&set);
	return n > 0 ? n : 1;
}
