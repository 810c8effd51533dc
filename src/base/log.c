/* Log: see log.h. Control characters become '?', so that no input can forge a line. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static tp_log_level max_level = TP_LOG_INFO;
static tp_log_fn sink;
static void *sink_ud;

void tp_log_set_level(tp_log_level most_talkative)
{
	max_level = most_talkative;
}

void tp_log_set_sink(tp_log_fn fn, void *ud)
{
	sink = fn;
	sink_ud = ud;
}

void tp_log(tp_log_level level, const char *fmt, ...)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	char line[1024];
	va_list ap;
	if (level > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '?';
	if (sink)
		sink(level, line, sink_ud);
	else
		fprintf(stderr, "%s %s\n", names[level], line);
}
