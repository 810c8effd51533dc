/* See text_int.h. Tables cover Latin-1, Latin Extended-A and the commoner letters beyond. */
#include "taxonomy/text_int.h"

#include <string.h>

/* U+00C0 to U+017F without their marks; '*' where two letters stand for one, '.' where there is no letter. */
static const char plain[] = "AAAAAA*CEEEEIIII*NOOOOO.OUUUUY**"
			    "aaaaaa*ceeeeiiii*nooooo.ouuuuy*y"
			    "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGg"
			    "GgGgHhHhIiIiIiIiIi**JjKkkLlLlLlL"
			    "lLlNnNnNnnNnOoOoOo**RrRrRrSsSsSs"
			    "SsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

static const struct {
	uint16_t code;
	char letters[3];
} doubles[] = { { 0xC6, "AE" }, { 0xD0, "Dh" }, { 0xDE, "Th" }, { 0xDF, "ss" }, { 0xE6, "ae" },
	{ 0xF0, "dh" }, { 0xFE, "th" }, { 0x132, "IJ" }, { 0x133, "ij" }, { 0x152, "OE" }, { 0x153, "oe" },
	{ 0x218, "S" }, { 0x219, "s" }, { 0x21A, "T" }, { 0x21B, "t" }, { 0x1CD, "A" }, { 0x1CE, "a" },
	{ 0x1CF, "I" }, { 0x1D0, "i" }, { 0x1D1, "O" }, { 0x1D2, "o" }, { 0x1D3, "U" }, { 0x1D4, "u" },
	{ 0x1E6, "G" }, { 0x1E7, "g" }, { 0x1E9E, "SS" }, { 0x1EBC, "E" }, { 0x1EBD, "e" }, { 0x1EF2, "Y" },
	{ 0x1EF3, "y" }, { 0x1EF8, "Y" }, { 0x1EF9, "y" } };

/* How ICN art. 60.7 has these letters written in an epithet. */
static const struct {
	uint16_t code;
	char letters[3];
} transcriptions[] = { { 0xE4, "ae" }, { 0xF6, "oe" }, { 0xFC, "ue" }, { 0xF8, "oe" }, { 0xE5, "ao" },
	{ 0xC4, "ae" }, { 0xD6, "oe" }, { 0xDC, "ue" }, { 0xD8, "oe" }, { 0xC5, "ao" } };

static const struct {
	uint16_t mark;
	const char *base;
	const uint16_t *composed;
} marks[] = {
	{ 0x300, "AEIOUaeiou",
		(const uint16_t[]){ 0xC0, 0xC8, 0xCC, 0xD2, 0xD9, 0xE0, 0xE8, 0xEC, 0xF2, 0xF9 } },
	{ 0x301, "AEIOUYaeiouyCcLlNnRrSsZz",
		(const uint16_t[]){ 0xC1, 0xC9, 0xCD, 0xD3, 0xDA, 0xDD, 0xE1, 0xE9, 0xED, 0xF3, 0xFA, 0xFD,
			0x106, 0x107, 0x139, 0x13A, 0x143, 0x144, 0x154, 0x155, 0x15A, 0x15B, 0x179,
			0x17A } },
	{ 0x302, "AEIOUaeiou",
		(const uint16_t[]){ 0xC2, 0xCA, 0xCE, 0xD4, 0xDB, 0xE2, 0xEA, 0xEE, 0xF4, 0xFB } },
	{ 0x303, "ANOanoIiUu",
		(const uint16_t[]){ 0xC3, 0xD1, 0xD5, 0xE3, 0xF1, 0xF5, 0x128, 0x129, 0x168, 0x169 } },
	{ 0x304, "AEIOUaeiou",
		(const uint16_t[]){ 0x100, 0x112, 0x12A, 0x14C, 0x16A, 0x101, 0x113, 0x12B, 0x14D, 0x16B } },
	{ 0x306, "AEGIOUaegiou",
		(const uint16_t[]){ 0x102, 0x114, 0x11E, 0x12C, 0x14E, 0x16C, 0x103, 0x115, 0x11F, 0x12D,
			0x14F, 0x16D } },
	{ 0x307, "CEGIZcegz",
		(const uint16_t[]){ 0x10A, 0x116, 0x120, 0x130, 0x17B, 0x10B, 0x117, 0x121, 0x17C } },
	{ 0x308, "AEIOUaeiouyY",
		(const uint16_t[]){
			0xC4, 0xCB, 0xCF, 0xD6, 0xDC, 0xE4, 0xEB, 0xEF, 0xF6, 0xFC, 0xFF, 0x178 } },
	{ 0x30A, "AaUu", (const uint16_t[]){ 0xC5, 0xE5, 0x16E, 0x16F } },
	{ 0x30B, "OoUu", (const uint16_t[]){ 0x150, 0x151, 0x170, 0x171 } },
	{ 0x30C, "CcDdEeNnRrSsTtZz",
		(const uint16_t[]){ 0x10C, 0x10D, 0x10E, 0x10F, 0x11A, 0x11B, 0x147, 0x148, 0x158, 0x159,
			0x160, 0x161, 0x164, 0x165, 0x17D, 0x17E } },
	{ 0x327, "CcSsTt", (const uint16_t[]){ 0xC7, 0xE7, 0x15E, 0x15F, 0x162, 0x163 } },
	{ 0x328, "AaEeIiUu", (const uint16_t[]){ 0x104, 0x105, 0x118, 0x119, 0x12E, 0x12F, 0x172, 0x173 } },
};

#define LEN(v) (sizeof(v) / sizeof *(v))

uint32_t tp_utf8_get(const char *p, const char *end, size_t *bytes)
{
	const uint8_t *s = (const uint8_t *)p;
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : 4;
	uint32_t c = n == 1 ? s[0] : s[0] & (0xFFu >> (n + 1));
	*bytes = 0;
	if ((n == 4 && (s[0] < 0xF0 || s[0] > 0xF4)) || (size_t)(end - p) < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3F);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		return 0;
	*bytes = n;
	return c;
}

size_t tp_utf8_put(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3F));
	out[0] = (char)(0xF00u >> n | c);
	return n;
}

bool tp_is_mark(uint32_t c)
{
	return c >= 0x300 && c < 0x370;
}

bool tp_is_letter(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= 0xC0 && c < 0x250 && c != 0xD7 && c != 0xF7) || (c >= 0x1E00 && c < 0x1F00) ||
	       tp_is_mark(c);
}

bool tp_is_upper(uint32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z';
	if (c >= 0xC0 && c < 0xE0)
		return c != 0xD7 && c != 0xDF;
	if (c >= 0x100 && c < 0x180 && plain[c - 0xC0] != '*')
		return plain[c - 0xC0] >= 'A' && plain[c - 0xC0] <= 'Z';
	for (size_t i = 0; i < LEN(doubles); i++)
		if (doubles[i].code == c)
			return doubles[i].letters[0] >= 'A' && doubles[i].letters[0] <= 'Z';
	return c >= 0x1E00 && c < 0x1F00 && c % 2 == 0;
}

uint32_t tp_letter_compose(uint32_t base, uint32_t mark)
{
	for (size_t i = 0; i < LEN(marks); i++) {
		const char *at = marks[i].mark == mark && base && base < 0x80
					 ? strchr(marks[i].base, (int)base)
					 : NULL;
		if (at)
			return marks[i].composed[at - marks[i].base];
	}
	return 0;
}

/* One or two letters, without marks; NULL for what is no letter we know. */
static const char *letters_of(uint32_t c, char one[2], bool transcribed)
{
	for (size_t i = 0; transcribed && i < LEN(transcriptions); i++)
		if (transcriptions[i].code == c)
			return transcriptions[i].letters;
	for (size_t i = 0; c >= 0x80 && i < LEN(doubles); i++)
		if (doubles[i].code == c)
			return doubles[i].letters;
	one[0] = c < 0x80 ? (char)c : c >= 0xC0 && c < 0x180 ? plain[c - 0xC0] : 0;
	one[1] = 0;
	return one[0] && one[0] != '.' && one[0] != '*' ? one : NULL;
}

size_t tp_fold(char *out, size_t room, const char *text, size_t len, tp_fold_opts o)
{
	const char *end = text + len;
	size_t used = 0;
	while (text < end) {
		size_t bytes;
		uint32_t c = tp_utf8_get(text, end, &bytes);
		char one[2];
		text += bytes ? bytes : 1;
		bool kept = bytes && (tp_is_letter(c) || (c >= '0' && c <= '9') || (c == '-' && o.hyphens));
		const char *s = kept && !tp_is_mark(c) ? letters_of(c, one, o.transcribed) : NULL;
		for (; s && *s && used + 1 < room; s++)
			out[used++] = *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : *s;
	}
	if (room)
		out[used] = 0;
	return used;
}
