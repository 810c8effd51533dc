/* Brightness, contrast, saturation and hue, in any order, as torchvision 0.14's adjust_* on float pictures
 * (transforms/functional_tensor.py), on 0..255 instead of 0..1. tests/golden/jitter.bin, made by gen_jitter.py.
 * Strips of planar floats stay in the first cache and are what a compiler vectorises. Only contrast asks for all
 * pixels (their mean grey), so the picture is walked once, or twice when contrast moves; what comes before
 * contrast is then computed again instead of kept. */
#include "image/image_int.h"

enum { STRIP = 256 };
typedef struct {
	float r[STRIP], g[STRIP], b[STRIP];
} strip;

static const float GREY_R = 0.2989f, GREY_G = 0.587f, GREY_B = 0.114f;

static inline float clamp(float v)
{
	v = v < 0 ? 0 : v;
	return v > 255 ? 255 : v;
}

static void load(strip *s, const uint8_t *px)
{
	for (int i = 0; i < STRIP; i++, px += 3) {
		s->r[i] = px[0];
		s->g[i] = px[1];
		s->b[i] = px[2];
	}
}

static void store(uint8_t *px, const strip *s, int n)
{
	for (int i = 0; i < n; i++, px += 3) {
		px[0] = (uint8_t)(int)(s->r[i] + 0.5f);
		px[1] = (uint8_t)(int)(s->g[i] + 0.5f);
		px[2] = (uint8_t)(int)(s->b[i] + 0.5f);
	}
}

/* f of the picture and 1 - f of one level */
static void blend(strip *s, float f, float level)
{
	float add = (1 - f) * level;
	for (int i = 0; i < STRIP; i++) {
		s->r[i] = clamp(f * s->r[i] + add);
		s->g[i] = clamp(f * s->g[i] + add);
		s->b[i] = clamp(f * s->b[i] + add);
	}
}

static void saturate(strip *s, float f)
{
	for (int i = 0; i < STRIP; i++) {
		float r = s->r[i], g = s->g[i], b = s->b[i];
		float add = (1 - f) * (GREY_R * r + GREY_G * g + GREY_B * b);
		s->r[i] = clamp(f * r + add);
		s->g[i] = clamp(f * g + add);
		s->b[i] = clamp(f * b + add);
	}
}

/* One channel of HSV to RGB: `k` is where on the circle of 6 the channel stands. */
static inline float channel(float k, float max, float chroma)
{
	k -= k >= 6 ? 6.f : 0.f;
	float t = k < 4 - k ? k : 4 - k;
	t = t < 0 ? 0 : t;
	return max - chroma * (t > 1 ? 1 : t);
}

/* RGB to HSV and back with another hue: value and saturation stay, so only hue, max and chroma are needed. Choices are
 * between values that are there, never between sums: so it becomes vector code. */
static void turn_hue(strip *s, float turns)
{
	float shift = 6 * turns;
	for (int i = 0; i < STRIP; i++) {
		float r = s->r[i], g = s->g[i], b = s->b[i];
		float max = r > g ? r : g, min = r < g ? r : g;
		max = b > max ? b : max;
		min = b < min ? b : min;
		float plus = g == max ? b : r, minus = g == max ? r : g, sector = g == max ? 2.f : 4.f;
		plus = r == max ? g : plus;
		minus = r == max ? b : minus;
		sector = r == max ? 0.f : sector;
		float chroma = max - min, part = chroma > 0 ? chroma : 1;
		float h = (plus - minus) / part + sector + shift;
		h += h < 0 ? 6.f : 0.f;
		h -= h >= 6 ? 6.f : 0.f;
		s->r[i] = channel(h + 5, max, chroma);
		s->g[i] = channel(h + 3, max, chroma);
		s->b[i] = channel(h + 1, max, chroma);
	}
}

/* Of a whole strip: what is beyond the picture is black and adds nothing. Eight sums side by side, in an order that
 * does not depend on the machine. */
static double grey_sum(const strip *s)
{
	enum { LANES = 8 };
	float sum[LANES] = { 0 };
	double all = 0;
	for (int i = 0; i < STRIP; i += LANES)
		for (int k = 0; k < LANES; k++)
			sum[k] += GREY_R * s->r[i + k] + GREY_G * s->g[i + k] + GREY_B * s->b[i + k];
	for (int k = 0; k < LANES; k++)
		all += (double)sum[k];
	return all;
}

/* Steps from .. to - 1 of the order. */
static void steps(strip *s, const tp_augment_params *d, int from, int to, float grey)
{
	for (int i = from; i < to; i++) {
		int what = d->order[i];
		if (what == TP_JITTER_BRIGHTNESS && d->brightness != 1)
			blend(s, d->brightness, 0);
		if (what == TP_JITTER_CONTRAST && d->contrast != 1)
			blend(s, d->contrast, grey);
		if (what == TP_JITTER_SATURATION && d->saturation != 1)
			saturate(s, d->saturation);
		if (what == TP_JITTER_HUE && d->hue != 0)
			turn_hue(s, d->hue);
	}
}

/* The strip at pixel i; the last one is short, and what is beyond it is black. */
static int take(strip *s, const tp_image *img, size_t i, size_t n)
{
	if (n - i >= STRIP) {
		load(s, img->px + i * 3);
		return STRIP;
	}
	uint8_t px[3 * STRIP] = { 0 };
	for (size_t k = 0; k < (n - i) * 3; k++)
		px[k] = img->px[i * 3 + k];
	load(s, px);
	return (int)(n - i);
}

static float mean_grey(const tp_image *img, const tp_augment_params *d)
{
	size_t n = (size_t)img->w * (size_t)img->h;
	double sum = 0;
	int before = 0;
	while (d->order[before] != TP_JITTER_CONTRAST)
		before++;
	for (size_t i = 0; i < n; i += STRIP) {
		strip s;
		take(&s, img, i, n);
		steps(&s, d, 0, before, 0);
		sum += grey_sum(&s);
	}
	return (float)(sum / (double)n);
}

void tp_jitter(tp_image *img, const tp_augment_params *d)
{
	if (d->brightness == 1 && d->contrast == 1 && d->saturation == 1 && d->hue == 0)
		return;
	size_t n = (size_t)img->w * (size_t)img->h;
	float grey = d->contrast != 1 ? mean_grey(img, d) : 0;
	for (size_t i = 0; i < n; i += STRIP) {
		strip s;
		int len = take(&s, img, i, n);
		steps(&s, d, 0, TP_JITTERS, grey);
		store(img->px + i * 3, &s, len);
	}
}
