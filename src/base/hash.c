/* Hashes: see hash.h. */
#include "base/hash.h"

#include <sodium.h>
#include <string.h>

#include "base/file.h"

void tp_sha256_plain(uint8_t out[32], const void *p, size_t n)
{
	crypto_hash_sha256(out, n ? p : (const void *)"", n);
}

tp_sha256 tp_sha256_of(const void *p, size_t n)
{
	unsigned char d[crypto_hash_sha256_BYTES];
	tp_sha256 h;
	tp_sha256_fast(d, p, n);
	sodium_bin2hex(h.hex, sizeof h.hex, d, sizeof d);
	return h;
}

tp_code tp_sha256_file(tp_sha256 *out, const char *path, tp_err *err)
{
	tp_map m = { 0 };
	tp_code rc = tp_map_open(&m, path, err);
	if (rc)
		return rc;
	*out = tp_sha256_of(m.ptr, m.len);
	tp_map_close(&m);
	return TP_OK;
}

void tp_hash_key(uint8_t key[16])
{
	randombytes_buf(key, 16);
}

uint64_t tp_hash64(const void *p, size_t n, const uint8_t key[16])
{
	unsigned char d[crypto_shorthash_BYTES];
	uint64_t h;
	crypto_shorthash(d, n ? p : (const void *)"", n, key);
	memcpy(&h, d, sizeof h);
	return h;
}
