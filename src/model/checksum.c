/* The checksum of a model file: see model_int.h. It covers the header, its padding and all tensors, so that no
 * byte can change unseen. It guards against broken disks and downloads, not against forgery. */
#include <string.h>

#include "model/model_int.h"

static const char mark[] = "\"" TP_KEY_SUM "\":\"";
enum { DIGITS = 64 };

/* The first place where the key stands: JSON escapes quotes inside texts, so no other text can hold the mark. */
static uint8_t *find_digits(uint8_t *bytes, size_t len)
{
	size_t n = sizeof mark - 1;
	for (size_t i = 8; i + n + DIGITS < len; i++)
		if (bytes[i] == '"' && !memcmp(bytes + i, mark, n))
			return bytes[i + n + DIGITS] == '"' ? bytes + i + n : NULL;
	return NULL;
}

static tp_code no_sum(tp_err *err)
{
	return tp_fail(
		err, TP_EFORMAT, "no %s in the metadata: not a model of tepal, or damaged", TP_KEY_SUM);
}

tp_code tp_sum_set(uint8_t *bytes, size_t len, tp_err *err)
{
	uint8_t *at = find_digits(bytes, len);
	if (!at)
		return no_sum(err);
	memset(at, '0', DIGITS);
	tp_sha256 sum = tp_sha256_of(bytes, len);
	memcpy(at, sum.hex, DIGITS);
	return TP_OK;
}

tp_code tp_sum_check(uint8_t *bytes, size_t len, tp_err *err)
{
	char said[DIGITS];
	uint8_t *at = find_digits(bytes, len);
	if (!at)
		return no_sum(err);
	memcpy(said, at, DIGITS);
	memset(at, '0', DIGITS);
	tp_sha256 sum = tp_sha256_of(bytes, len);
	memcpy(at, said, DIGITS);
	if (memcmp(sum.hex, said, DIGITS) != 0)
		return tp_fail(err, TP_EFORMAT, "the file is damaged: its SHA-256 is not the one it carries");
	return TP_OK;
}
