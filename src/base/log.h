/* One event a line, at the edges only (server, train loop, cli): "info req=7f3a POST /v2/identify 200 ms=84".
 * stdout is data, stderr is talk: the log goes to stderr unless a test takes it over.
 * Never log photos, keys, coordinates or query strings. Threads: any; a line is written whole. */
#ifndef TP_BASE_LOG_H
#define TP_BASE_LOG_H

#include "base/err.h"

typedef enum { TP_LOG_ERROR, TP_LOG_WARN, TP_LOG_INFO, TP_LOG_DEBUG } tp_log_level;
typedef void (*tp_log_fn)(tp_log_level level, const char *line, void *ud);

void tp_log(tp_log_level level, const char *fmt, ...) TP_PRINTF(2, 3);
void tp_log_set_level(tp_log_level most_talkative); /* default TP_LOG_INFO */
void tp_log_set_sink(tp_log_fn fn, void *ud);       /* NULL: stderr again. Set before threads start */

#endif
