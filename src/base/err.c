/* Errors: see err.h. Messages are cut at the size of tp_err.msg, never allocated, so that failing cannot fail. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tp_code tp_fail_at(tp_err *err, tp_code code, const char *file, int line, const char *fmt, ...)
{
	if (err) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(err->msg, sizeof err->msg, fmt, ap);
		va_end(ap);
		err->code = code;
		err->file = file;
		err->line = line;
	}
	return code;
}

tp_code tp_context(tp_err *err, tp_code code, const char *fmt, ...)
{
	if (err) {
		char old[sizeof err->msg];
		memcpy(old, err->msg, sizeof old);
		va_list ap;
		va_start(ap, fmt);
		int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
		va_end(ap);
		if (n >= 0 && (size_t)n < sizeof err->msg)
			snprintf(err->msg + n, sizeof err->msg - (size_t)n, "%s", old);
		err->code = code;
	}
	return code;
}

const char *tp_code_name(tp_code code)
{
	switch (code) {
	case TP_OK:
		return "TP_OK";
	case TP_EINVAL:
		return "TP_EINVAL";
	case TP_ENOTFOUND:
		return "TP_ENOTFOUND";
	case TP_EFORMAT:
		return "TP_EFORMAT";
	case TP_ELIMIT:
		return "TP_ELIMIT";
	case TP_EIO:
		return "TP_EIO";
	case TP_ENOMEM:
		return "TP_ENOMEM";
	case TP_EBACKEND:
		return "TP_EBACKEND";
	case TP_EDENIED:
		return "TP_EDENIED";
	case TP_EBUSY:
		return "TP_EBUSY";
	case TP_ECANCEL:
		return "TP_ECANCEL";
	}
	return "unknown code";
}
