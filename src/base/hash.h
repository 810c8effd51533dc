/* SHA-256 (libsodium's). Content addresses, pinned downloads, the fingerprint in a training record. */
#ifndef TP_BASE_HASH_H
#define TP_BASE_HASH_H

#include <stddef.h>

#include "base/err.h"

typedef struct {
	char hex[65]; /* 64 lower-case digits and a NUL */
} tp_sha256;

tp_sha256 tp_sha256_of(const void *p, size_t n);
TP_CHECKED tp_code tp_sha256_file(tp_sha256 *out, const char *path, tp_err *err);

#endif
