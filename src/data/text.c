/* UTF-8 and Latin-1: see text.h. */
#include "data/text.h"

#include <stdint.h>
#include <strings.h>

/* Bytes of the character at s, or 0. */
static size_t char_len(const unsigned char *s, size_t n)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80   ? 1
		     : s[0] < 0xc2 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf5 ? 4
				   : 0;
	if (len < 2)
		return len;
	if (len > n)
		return 0;
	uint32_t c = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : len;
}

bool tp_is_utf8(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = char_len((const unsigned char *)s + i, n - i);
		if (!len)
			return false;
		i += len;
	}
	return true;
}

tp_code tp_encoding_named(tp_encoding *out, const char *name, tp_err *err)
{
	static const struct {
		const char *name;
		tp_encoding is;
	} known[] = { { "utf-8", TP_UTF8 }, { "utf8", TP_UTF8 }, { "us-ascii", TP_UTF8 },
		{ "ascii", TP_UTF8 }, { "latin1", TP_LATIN1 }, { "latin-1", TP_LATIN1 },
		{ "iso-8859-1", TP_LATIN1 }, { "iso8859-1", TP_LATIN1 }, { "windows-1252", TP_LATIN1 },
		{ "cp1252", TP_LATIN1 } };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcasecmp(name, known[i].name)) {
			*out = known[i].is;
			return TP_OK;
		}
	return tp_fail(err, TP_EINVAL, "encoding \"%.40s\" is not known; utf-8 and latin1 are", name);
}

/* 0x80..0x9f of windows-1252; five are unused and stay the control characters they are in Latin-1. */
static const uint16_t c1[32] = { 0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030,
	0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178 };

size_t tp_latin1_to_utf8(char *to, const char *from, size_t n)
{
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t c = (unsigned char)from[i];
		if (c >= 0x80 && c < 0xa0)
			c = c1[c - 0x80];
		if (c < 0x80) {
			to[at++] = (char)c;
		} else if (c < 0x800) {
			to[at++] = (char)(0xc0 | c >> 6);
			to[at++] = (char)(0x80 | (c & 0x3f));
		} else {
			to[at++] = (char)(0xe0 | c >> 12);
			to[at++] = (char)(0x80 | (c >> 6 & 0x3f));
			to[at++] = (char)(0x80 | (c & 0x3f));
		}
	}
	to[at] = 0;
	return at;
}
