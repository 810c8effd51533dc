/* The loops over pixels for AVX2: see pixels.h. Weights are split into 15 bits and the rest, so that products of 16 bits
 * are exact; what they sum up to is what 32 bits hold, as in the plain loops. */
#define OWN_ACROSS
#define OWN_TURNED
#include <immintrin.h>

#include "image/pixels.inc"

/* Bytes of two pixels that lie side by side, at `a` of a vector, as 16-bit pairs: r r g g b b and zeros. */
#define PAIRS(a) a, -1, a + 3, -1, a + 1, -1, a + 4, -1, a + 2, -1, a + 5, -1, -1, -1, -1, -1

/* Four taps at once: two in each half of the vectors. */
static void row_across(uint8_t *dst, const uint8_t *src, size_t room, const tp_taps *t)
{
	const __m256i pairs = _mm256_setr_epi8(PAIRS(0), PAIRS(6));
	const __m256i low = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1),
		      high = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
	int groups = (t->ksize + 3) / 4;
	for (int i = 0; i < t->len; i++, dst += 3) {
		const uint8_t *s = src + (size_t)t->first[i] * 3;
		const int16_t *q = t->q + (size_t)i * (size_t)groups * 8;
		int used = (t->n[i] + 3) / 4;
		if (used > 32 || (size_t)t->first[i] * 3 + (size_t)used * 12 + 4 > room) {
			one_across(dst, src, t, i);
			continue;
		}
		__m256i lo = _mm256_setzero_si256(), hi = lo;
		for (int g = 0; g < used; g++, s += 12, q += 8) {
			__m256i x = _mm256_broadcastsi128_si256(
				_mm_loadu_si128((const __m128i *)(const void *)s));
			__m256i k = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)q));
			x = _mm256_shuffle_epi8(x, pairs);
			lo = _mm256_add_epi32(lo, _mm256_madd_epi16(x, _mm256_permutevar8x32_epi32(k, low)));
			hi = _mm256_add_epi32(hi, _mm256_madd_epi16(x, _mm256_permutevar8x32_epi32(k, high)));
		}
		__m256i both = _mm256_add_epi32(lo, _mm256_slli_epi32(hi, 15));
		__m128i sum = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
		sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(HALF)), BITS);
		sum = _mm_packus_epi16(_mm_packs_epi32(sum, sum), sum);
		int rgb = _mm_cvtsi128_si32(sum);
		memcpy(dst, &rgb, 3);
	}
}

/* Both rows of four neighbours in one vector: mixed along x with products of 16 bits, then along y. */
static void row_turned(uint8_t *dst, const uint8_t *px, int n, int sx, int sy, int co, int si)
{
	const __m128i pairs = _mm_setr_epi8(PAIRS(0));
	const size_t row = (size_t)n * 3, size = row * (size_t)n;
	for (int x = 0; x < n; x++, dst += 3, sx += co, sy += si) {
		int x0 = sx >> 16, y0 = sy >> 16, fx = sx >> 8 & 255, fy = sy >> 8 & 255;
		size_t at = (size_t)y0 * row + (size_t)x0 * 3;
		if (x0 < 0 || y0 < 0 || x0 + 1 >= n || y0 + 1 >= n || at + row + 8 > size) {
			sample(dst, px, n, sx, sy);
			continue;
		}
		__m128i a = _mm_loadl_epi64((const __m128i *)(const void *)(px + at));
		__m128i b = _mm_loadl_epi64((const __m128i *)(const void *)(px + at + row));
		__m128i kx = _mm_set1_epi32(fx << 16 | (256 - fx));
		a = _mm_madd_epi16(_mm_shuffle_epi8(a, pairs), kx);
		b = _mm_madd_epi16(_mm_shuffle_epi8(b, pairs), kx);
		a = _mm_add_epi32(
			_mm_mullo_epi32(a, _mm_set1_epi32(256 - fy)), _mm_mullo_epi32(b, _mm_set1_epi32(fy)));
		a = _mm_srli_epi32(_mm_add_epi32(a, _mm_set1_epi32(1 << 15)), 16);
		a = _mm_packus_epi16(_mm_packs_epi32(a, a), a);
		int rgb = _mm_cvtsi128_si32(a);
		memcpy(dst, &rgb, 3);
	}
}

extern const tp_pixel_loops tp_pixels_avx2;
const tp_pixel_loops tp_pixels_avx2 = { "avx2", row_across, row_down, row_turned, jitter, planes };
