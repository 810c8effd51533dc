/* SHA-256 by the instructions that x86 processors have for it (FIPS 180-4 names the words). */
#include "base/hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

/* The first 32 bits behind the point of the cube roots of the first 64 primes. */
static const uint32_t k[64] __attribute__((aligned(16))) = {
	0x428a2f98,
	0x71374491,
	0xb5c0fbcf,
	0xe9b5dba5,
	0x3956c25b,
	0x59f111f1,
	0x923f82a4,
	0xab1c5ed5,
	0xd807aa98,
	0x12835b01,
	0x243185be,
	0x550c7dc3,
	0x72be5d74,
	0x80deb1fe,
	0x9bdc06a7,
	0xc19bf174,
	0xe49b69c1,
	0xefbe4786,
	0x0fc19dc6,
	0x240ca1cc,
	0x2de92c6f,
	0x4a7484aa,
	0x5cb0a9dc,
	0x76f988da,
	0x983e5152,
	0xa831c66d,
	0xb00327c8,
	0xbf597fc7,
	0xc6e00bf3,
	0xd5a79147,
	0x06ca6351,
	0x14292967,
	0x27b70a85,
	0x2e1b2138,
	0x4d2c6dfc,
	0x53380d13,
	0x650a7354,
	0x766a0abb,
	0x81c2c92e,
	0x92722c85,
	0xa2bfe8a1,
	0xa81a664b,
	0xc24b8b70,
	0xc76c51a3,
	0xd192e819,
	0xd6990624,
	0xf40e3585,
	0x106aa070,
	0x19a4c116,
	0x1e376c08,
	0x2748774c,
	0x34b0bcb5,
	0x391c0cb3,
	0x4ed8aa4a,
	0x5b9cca4f,
	0x682e6ff3,
	0x748f82ee,
	0x78a5636f,
	0x84c87814,
	0x8cc70208,
	0x90befffa,
	0xa4506ceb,
	0xbef9a3f7,
	0xc67178f2,
};

/* State a..h; n blocks of 64 bytes. */
__attribute__((target("sha,sse4.1"))) static void blocks(uint32_t s[8], const uint8_t *p, size_t n)
{
	const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i abef = _mm_set_epi32((int)s[0], (int)s[1], (int)s[4], (int)s[5]);
	__m128i cdgh = _mm_set_epi32((int)s[2], (int)s[3], (int)s[6], (int)s[7]);
	for (; n; n--, p += 64) {
		__m128i w[4], abef_was = abef, cdgh_was = cdgh;
#pragma GCC unroll 16
		for (int g = 0; g < 16; g++) { /* four rounds each; w[g % 4] holds their words */
			if (g < 4) {
				__m128i in = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * g));
				w[g] = _mm_shuffle_epi8(in, big_endian);
			} else {
				__m128i t = _mm_sha256msg1_epu32(w[g % 4], w[(g + 1) % 4]);
				t = _mm_add_epi32(t, _mm_alignr_epi8(w[(g + 3) % 4], w[(g + 2) % 4], 4));
				w[g % 4] = _mm_sha256msg2_epu32(t, w[(g + 3) % 4]);
			}
			__m128i m = _mm_add_epi32(
				w[g % 4], _mm_load_si128((const __m128i *)(const void *)(k + 4 * g)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, m);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(m, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_was);
		cdgh = _mm_add_epi32(cdgh, cdgh_was);
	}
	s[0] = (uint32_t)_mm_extract_epi32(abef, 3), s[1] = (uint32_t)_mm_extract_epi32(abef, 2);
	s[4] = (uint32_t)_mm_extract_epi32(abef, 1), s[5] = (uint32_t)_mm_extract_epi32(abef, 0);
	s[2] = (uint32_t)_mm_extract_epi32(cdgh, 3), s[3] = (uint32_t)_mm_extract_epi32(cdgh, 2);
	s[6] = (uint32_t)_mm_extract_epi32(cdgh, 1), s[7] = (uint32_t)_mm_extract_epi32(cdgh, 0);
}

static void by_instructions(uint8_t out[32], const uint8_t *p, size_t n)
{
	uint32_t s[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
		0x5be0cd19 };
	uint8_t end[128] = { 0 };
	size_t rest = n % 64, last = rest < 56 ? 64 : 128;
	blocks(s, p, n / 64);
	if (rest)
		memcpy(end, p + n - rest, rest);
	end[rest] = 0x80;
	for (int i = 0; i < 8; i++)
		end[last - 1 - (size_t)i] = (uint8_t)((uint64_t)n * 8 >> (8 * i));
	blocks(s, end, last / 64);
	for (int i = 0; i < 32; i++)
		out[i] = (uint8_t)(s[i / 4] >> (24 - 8 * (i % 4)));
}

/* Asking takes long where a hypervisor answers, so it is asked once. */
static int has_instructions(void)
{
	static atomic_int known; /* 0: not asked yet, 1: no, 2: yes */
	int v = atomic_load_explicit(&known, memory_order_relaxed);
	if (!v) {
		unsigned a, b = 0, c, d;
		bool sha = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
		v = sha && __builtin_cpu_supports("sse4.1") ? 2 : 1;
		atomic_store_explicit(&known, v, memory_order_relaxed);
	}
	return v == 2;
}
#endif

void tp_sha256_fast(uint8_t out[32], const void *p, size_t n)
{
#ifdef __x86_64__
	if (has_instructions()) {
		by_instructions(out, p, n);
		return;
	}
#endif
	tp_sha256_plain(out, p, n);
}
