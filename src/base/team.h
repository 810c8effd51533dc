/* A team of plain threads that run the same function side by side, again and again, and wait for each other inside it.
 * Starting it costs microseconds, not a thread's birth; waiting threads spin for a moment and then sleep, so that a busy
 * machine is not made busier. */
#ifndef TP_BASE_TEAM_H
#define TP_BASE_TEAM_H

#include "base/err.h"

typedef struct tp_team tp_team;

/* threads >= 1, the caller included. */
TP_CHECKED tp_code tp_team_new(tp_team **out, int threads, tp_err *err);
void tp_team_free(tp_team *t); /* NULL is fine */
int tp_team_size(const tp_team *t);

typedef void (*tp_team_fn)(void *ud, int worker);
/* Calls fn as worker 0 (the caller) .. size - 1, all at once; returns when all have. One run at a time. */
void tp_team_run(tp_team *t, tp_team_fn fn, void *ud);
/* From inside fn, by every worker: returns when all have called it; what was written before is seen after. */
void tp_team_barrier(tp_team *t);

#endif
