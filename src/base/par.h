/* A loop over many independent items on a few plain threads (never OpenMP: oneDNN must not be called from a
 * parallel region of its own runtime). */
#ifndef TP_BASE_PAR_H
#define TP_BASE_PAR_H

#include <stddef.h>

#include "base/err.h"

/* Work on item i as worker w (0..threads-1). The first failure (lowest worker to report it) stops the loop. */
typedef tp_code (*tp_par_fn)(void *ud, size_t i, int worker, tp_err *err);

/* Calls fn for every i in 0..n-1, each once, in no fixed order; returns when all have finished.
 * threads <= 1, or n <= 1, runs on the calling thread. */
TP_CHECKED tp_code tp_par_for(size_t n, int threads, tp_par_fn fn, void *ud, tp_err *err);

int tp_cpu_count(void); /* processors this process may run on, at least 1 */

#endif
