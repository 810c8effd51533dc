/* "Somebody asked to stop": Ctrl-C and SIGTERM set a flag that long work looks at between two steps. */
#ifndef TP_BASE_CANCEL_H
#define TP_BASE_CANCEL_H

#include <stdbool.h>

#include "base/err.h"

/* From now on SIGINT and SIGTERM set the flag; a second SIGINT ends the process at once. */
void tp_cancel_on_signals(void);
bool tp_cancelled(void);
void tp_cancel(void); /* as a signal would; also for tests */
void tp_cancel_reset(void);

/* TP_ECANCEL "stopped" when the flag is set, else TP_OK. */
TP_CHECKED tp_code tp_cancel_check(tp_err *err);

#endif
