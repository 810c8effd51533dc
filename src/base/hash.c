/* SHA-256: see hash.h. */
#include "base/hash.h"

#include <sodium.h>

#include "base/file.h"

tp_sha256 tp_sha256_of(const void *p, size_t n)
{
	unsigned char d[crypto_hash_sha256_BYTES];
	tp_sha256 h;
	crypto_hash_sha256(d, n ? p : (const void *)"", n);
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
