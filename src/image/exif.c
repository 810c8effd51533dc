/* The one thing we want from EXIF: which way is up. Everything else in it is left unread. */
#include "image/image_int.h"

static unsigned u16(const uint8_t *p, bool big)
{
	return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t u32(const uint8_t *p, bool big)
{
	return big ? (uint32_t)u16(p, big) << 16 | u16(p + 2, big)
		   : (uint32_t)u16(p + 2, big) << 16 | u16(p, big);
}

int tp_exif_orientation(const uint8_t *p, size_t n)
{
	enum { TAG_ORIENTATION = 0x112, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY = 12 };
	if (n < 8 || p[0] != p[1] || (p[0] != 'I' && p[0] != 'M'))
		return 1;
	bool big = p[0] == 'M';
	if (u16(p + 2, big) != 42)
		return 1;
	size_t at = u32(p + 4, big);
	if (at > n || n - at < 2)
		return 1;
	unsigned count = u16(p + at, big);
	at += 2;
	for (unsigned i = 0; i < count && n - at >= ENTRY; i++, at += ENTRY) {
		if (u16(p + at, big) != TAG_ORIENTATION)
			continue;
		unsigned type = u16(p + at + 2, big);
		uint32_t v = type == TYPE_SHORT ? u16(p + at + 8, big) : 0;
		if (type == TYPE_LONG)
			v = u32(p + at + 8, big);
		return v >= 1 && v <= 8 ? (int)v : 1;
	}
	return 1;
}
