/* A team of threads: every run calls every worker once, and a barrier holds all until the last has come. Plain memory is
 * shared on purpose: the thread sanitizer says whether the team orders it. */
#include <string.h>

#include "base/team.h"
#include "t.h"

enum { MOST = 8, RUNS = 2000, ROUNDS = 20 };

typedef struct {
	tp_team *team;
	int calls[MOST], at[MOST], early;
} work;

static void count(void *ud, int worker)
{
	((work *)ud)->calls[worker]++;
}

static void meet(void *ud, int worker)
{
	work *w = ud;
	for (int i = 0; i < ROUNDS; i++) {
		w->at[worker] = i + 1;
		tp_team_barrier(w->team);
		for (int k = 0; worker == 0 && k < tp_team_size(w->team); k++)
			w->early += w->at[k] != i + 1;
		tp_team_barrier(w->team);
	}
}

static int test_every_worker_runs_and_waits(void)
{
	for (int size = 1; size <= MOST; size++) {
		work w = { 0 };
		tp_err err = { 0 };
		CHECK_OK(tp_team_new(&w.team, size, &err), err);
		CHECK(tp_team_size(w.team) == size, "%d of %d", tp_team_size(w.team), size);
		for (int i = 0; i < RUNS / size; i++)
			tp_team_run(w.team, count, &w);
		for (int k = 0; k < MOST; k++)
			CHECK(w.calls[k] == (k < size ? RUNS / size : 0), "worker %d of %d: %d calls", k,
				size, w.calls[k]);
		for (int i = 0; i < 5; i++)
			tp_team_run(w.team, meet, &w);
		CHECK(!w.early, "%d of %d workers went through early", w.early, size);
		tp_team_free(w.team);
	}
	tp_team_free(NULL);
	return 0;
}

int main(void)
{
	return RUN(T(test_every_worker_runs_and_waits));
}
