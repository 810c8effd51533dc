/* See team.h. One counter and one generation number; the last to arrive opens the gate. */
#include "base/team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/mem.h"

/* About twenty microseconds: longer than partners of even work are apart, shorter than a scheduler's slice. */
enum { SPINS = 10000 };

typedef struct {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	atomic_int arrived;
	atomic_uint generation;
} gate;

typedef struct {
	tp_team *team;
	int worker;
	pthread_t thread;
} member;

struct tp_team {
	int size;
	gate start, inside;
	member *m; /* size - 1 of them */
	tp_team_fn fn;
	void *ud;
	bool quit;
};

static inline void relax(void)
{
#if defined __x86_64__ || defined __i386__
	__builtin_ia32_pause();
#elif defined __aarch64__
	__asm__ volatile("yield");
#endif
}

static void pass(gate *g, int size)
{
	unsigned mine = atomic_load(&g->generation);
	if (atomic_fetch_add(&g->arrived, 1) + 1 == size) {
		atomic_store(&g->arrived, 0);
		pthread_mutex_lock(&g->lock);
		atomic_fetch_add(&g->generation, 1);
		pthread_cond_broadcast(&g->opened);
		pthread_mutex_unlock(&g->lock);
		return;
	}
	for (int i = 0; i < SPINS; i++) {
		if (atomic_load(&g->generation) != mine)
			return;
		relax();
	}
	pthread_mutex_lock(&g->lock);
	while (atomic_load(&g->generation) == mine)
		pthread_cond_wait(&g->opened, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void *live(void *arg)
{
	const member *m = arg;
	tp_team *t = m->team;
	for (;;) {
		pass(&t->start, t->size);
		if (t->quit)
			return NULL;
		t->fn(t->ud, m->worker);
		pass(&t->start, t->size);
	}
}

static void gate_init(gate *g)
{
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->opened, NULL);
	atomic_init(&g->arrived, 0);
	atomic_init(&g->generation, 0);
}

static void gate_dispose(gate *g)
{
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->opened);
}

tp_code tp_team_new(tp_team **out, int threads, tp_err *err)
{
	tp_team *t = tp_calloc(1, sizeof *t);
	member *m = tp_calloc((size_t)threads, sizeof *m);
	if (!t || !m) {
		tp_free(t);
		tp_free(m);
		return tp_nomem(err, (size_t)threads * sizeof *m);
	}
	t->m = m;
	gate_init(&t->start);
	gate_init(&t->inside);
	/* counted first: a member that starts early must not find a smaller team */
	t->size = threads;
	for (int i = 0; i < threads - 1; i++) {
		m[i] = (member){ .team = t, .worker = i + 1 };
		if (pthread_create(&m[i].thread, NULL, live, &m[i])) {
			/* members wait at a gate that never fills: fill it by hand to let them go */
			t->quit = true;
			for (int k = i; k < threads; k++)
				atomic_fetch_add(&t->start.arrived, k < threads - 1);
			pass(&t->start, threads);
			for (int k = 0; k < i; k++)
				pthread_join(m[k].thread, NULL);
			t->size = 1;
			tp_team_free(t);
			return tp_fail(err, TP_EIO, "thread %d of %d could not be started", i + 1, threads);
		}
	}
	*out = t;
	return TP_OK;
}

void tp_team_free(tp_team *t)
{
	if (!t)
		return;
	if (t->size > 1) {
		t->quit = true;
		pass(&t->start, t->size);
		for (int i = 0; i < t->size - 1; i++)
			pthread_join(t->m[i].thread, NULL);
	}
	gate_dispose(&t->start);
	gate_dispose(&t->inside);
	tp_free(t->m);
	tp_free(t);
}

int tp_team_size(const tp_team *t)
{
	return t->size;
}

void tp_team_run(tp_team *t, tp_team_fn fn, void *ud)
{
	t->fn = fn;
	t->ud = ud;
	if (t->size > 1)
		pass(&t->start, t->size);
	fn(ud, 0);
	if (t->size > 1)
		pass(&t->start, t->size);
}

void tp_team_barrier(tp_team *t)
{
	if (t->size > 1)
		pass(&t->inside, t->size);
}
