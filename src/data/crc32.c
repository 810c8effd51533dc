/* CRC-32 as Ethernet, PNG and zlib have it, four bytes a step (Kounavis & Berry 2005). */
#include <pthread.h>

#include "data/shard_int.h"

static uint32_t table[4][256];

static void fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
		table[0][i] = c;
	}
	for (int t = 1; t < 4; t++)
		for (int i = 0; i < 256; i++)
			table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
}

uint32_t tp_crc32(const void *bytes, size_t n)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *p = bytes;
	uint32_t c = 0xffffffffu;
	pthread_once(&once, fill);
	for (; n >= 4; n -= 4, p += 4) {
		c ^= p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		c = table[3][c & 255] ^ table[2][c >> 8 & 255] ^ table[1][c >> 16 & 255] ^ table[0][c >> 24];
	}
	for (; n; n--)
		c = table[0][(c ^ *p++) & 255] ^ c >> 8;
	return ~c;
}
