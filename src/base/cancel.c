/* Cancellation: see cancel.h. */
#include "base/cancel.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_int asked; /* lock-free, so that a signal handler may touch it */

static void on_signal(int sig)
{
	if (atomic_fetch_add(&asked, 1) >= 1 && sig == SIGINT)
		_exit(130);
}

void tp_cancel_on_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

bool tp_cancelled(void)
{
	return atomic_load(&asked) > 0;
}

void tp_cancel(void)
{
	atomic_fetch_add(&asked, 1);
}

void tp_cancel_reset(void)
{
	atomic_store(&asked, 0);
}

tp_code tp_cancel_check(tp_err *err)
{
	return tp_cancelled() ? tp_fail(err, TP_ECANCEL, "stopped") : TP_OK;
}
