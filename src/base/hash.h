/* Hashes (libsodium's). SHA-256: content addresses, pinned downloads, the fingerprint in a training record. */
#ifndef TP_BASE_HASH_H
#define TP_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct {
	char hex[65]; /* 64 lower-case digits and a NUL */
} tp_sha256;

tp_sha256 tp_sha256_of(const void *p, size_t n);
/* The same as 32 bytes, and several times as fast where the processor has instructions for it: for cleaning, which hashes
 * every photo of a set. tp_sha256_plain() is libsodium's, the twin it is tested against. */
void tp_sha256_fast(uint8_t out[32], const void *p, size_t n);
void tp_sha256_plain(uint8_t out[32], const void *p, size_t n);
TP_CHECKED tp_code tp_sha256_file(tp_sha256 *out, const char *path, tp_err *err);

/* SipHash-2-4, for hash tables: with a random key nobody outside can prepare texts that collide. */
void tp_hash_key(uint8_t key[16]);
uint64_t tp_hash64(const void *p, size_t n, const uint8_t key[16]);

#endif
