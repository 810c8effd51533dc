/* A line on stderr that says how far long work is: "features  1,204 of 7,397  16 %  83.1/s  1 min 14 s left".
 * On a terminal the line is redrawn a few times a second; elsewhere a new line is printed every ten seconds.
 * Threads: tp_progress_add() from any thread. */
#ifndef TP_BASE_PROGRESS_H
#define TP_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct tp_progress tp_progress;

/* total 0: unknown. NULL when out of memory or `quiet`; every call below takes NULL. `what` is borrowed. */
tp_progress *tp_progress_start(const char *what, size_t total, bool quiet);
void tp_progress_add(tp_progress *p, size_t done);
/* What stands at the end of the line from now on: "loss 0.412  top-1 87.1 %". */
void tp_progress_note(tp_progress *p, const char *fmt, ...) TP_PRINTF(2, 3);
void tp_progress_end(tp_progress *p); /* prints the last state and frees */

double tp_now(void);            /* seconds on a clock that never goes back */
double tp_thread_seconds(void); /* of a processor, that the calling thread has had */

#endif
