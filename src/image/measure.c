/* Measures of a photo: see measure.h. One pass over the pixels makes the luma; the passes over the luma are loops
 * that compilers turn into vectors, because decoding must remain what cleaning a set of photos waits for. */
#include "image/measure.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/image_int.h"

enum {
	CELLS = 32, /* the hash is made of CELLS x CELLS mean lumas */
	FREQS = 8,  /* frequencies 1..8 each way */
	TILES = 8,  /* sharpness by tile */
	SHARPEST = 8,
	STEP = 4,    /* rows that contrast, sharpness and strokes look at: every 4th */
	GRID = 6,    /* colours are counted on every 6th pixel of every 6th row */
	PAPER = 176, /* luma from which a pixel without colour is paper */
	GREY = 28,   /* largest less smallest channel of a pixel without colour */
	INK = 56,    /* a stroke is darker than the paper beside it by this */
	STROKES = 8,
};

/* A picture as the measures need it: its luma, and its colours where they are asked for. */
typedef struct {
	int w, h;
	const uint8_t *y;        /* luma */
	size_t stride;           /* of luma */
	const tp_image *img;     /* colours are here, or ... */
	const tp_planes *planes; /* ... here */
	uint16_t *column;        /* w sums */
	uint32_t *squares;
	uint8_t *rgb; /* pixels of the grid in one row */
} picture;

#ifdef __x86_64__
#define VECTORS __attribute__((target("avx2")))
#endif
#define INLINE static inline __attribute__((always_inline))

/* --- loops over pixels: each body once, compiled for AVX2 and for any processor --- */

INLINE void luma_body(uint8_t *restrict y, const uint8_t *restrict px, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = (uint8_t)((77 * px[3 * i] + 150 * px[3 * i + 1] + 29 * px[3 * i + 2] + 128) >> 8);
}

/* A row into the sums of its columns, or two rows at once. At most 256 rows fit. */
INLINE void sums_body(uint16_t *restrict column, const uint8_t *restrict y, int w, size_t second)
{
	if (second)
		for (int x = 0; x < w; x++)
			column[x] = (uint16_t)(column[x] + y[x] + y[(size_t)x + second]);
	else
		for (int x = 0; x < w; x++)
			column[x] = (uint16_t)(column[x] + y[x]);
}

INLINE uint32_t total_body(const uint16_t *column, int w)
{
	uint32_t s = 0;
	for (int x = 0; x < w; x++)
		s += column[x];
	return s;
}

INLINE void squares_body(uint64_t *sum, uint64_t *squares, const uint8_t *y, int w)
{
	uint32_t s = 0, sq = 0; /* 65535 * 255^2 fits */
	for (int x = 0; x < w; x++) {
		int16_t v = y[x]; /* 16-bit factors have a fast product */
		s += y[x];
		sq += (uint32_t)(v * v);
	}
	*sum += s;
	*squares += sq;
}

/* Squares of the Laplacian of a row, added to columns 1..w - 2. */
INLINE void laplace_body(uint32_t *restrict column, const uint8_t *restrict y, size_t stride, int w)
{
	const uint8_t *up = y - stride, *down = y + stride;
	for (int x = 1; x < w - 1; x++) {
		int16_t l = (int16_t)(4 * y[x] - y[x - 1] - y[x + 1] - up[x] - down[x]);
		column[x] += (uint32_t)(l * l);
	}
}

/* How often a row goes from paper to something else or back. */
INLINE int changes_body(const uint8_t *y, int w)
{
	int n = 0;
	for (int x = 0; x + 1 < w; x++)
		n += (y[x] >= PAPER) != (y[x + 1] >= PAPER);
	return n;
}

typedef struct {
	int (*changes)(const uint8_t *y, int w);
	void (*luma)(uint8_t *y, const uint8_t *px, size_t n);
	void (*sums)(uint16_t *column, const uint8_t *y, int w, size_t second);
	uint32_t (*total)(const uint16_t *column, int w);
	void (*squares)(uint64_t *sum, uint64_t *squares, const uint8_t *y, int w);
	void (*laplace)(uint32_t *column, const uint8_t *y, size_t stride, int w);
} loops;

/* For any processor, and with vectors. */
#define COMPILE(suffix, target)                                                                              \
	target static int changes_##suffix(const uint8_t *y, int w)                                          \
	{                                                                                                    \
		return changes_body(y, w);                                                                   \
	}                                                                                                    \
	target static void luma_##suffix(uint8_t *y, const uint8_t *px, size_t n)                            \
	{                                                                                                    \
		luma_body(y, px, n);                                                                         \
	}                                                                                                    \
	target static void sums_##suffix(uint16_t *column, const uint8_t *y, int w, size_t second)           \
	{                                                                                                    \
		sums_body(column, y, w, second);                                                             \
	}                                                                                                    \
	target static uint32_t total_##suffix(const uint16_t *column, int w)                                 \
	{                                                                                                    \
		return total_body(column, w);                                                                \
	}                                                                                                    \
	target static void squares_##suffix(uint64_t *sum, uint64_t *squares, const uint8_t *y, int w)       \
	{                                                                                                    \
		squares_body(sum, squares, y, w);                                                            \
	}                                                                                                    \
	target static void laplace_##suffix(uint32_t *column, const uint8_t *y, size_t stride, int w)        \
	{                                                                                                    \
		laplace_body(column, y, stride, w);                                                          \
	}                                                                                                    \
	static const loops loops_##suffix = { changes_##suffix, luma_##suffix, sums_##suffix,                \
		total_##suffix, squares_##suffix, laplace_##suffix };

COMPILE(c, )
#ifdef VECTORS
COMPILE(v, VECTORS)
#endif

static const loops *choose_loops(void)
{
#ifdef VECTORS
	if (__builtin_cpu_supports("avx2"))
		return &loops_v;
#endif
	return &loops_c;
}

/* --- the measures --- */

static const uint8_t *row_of(const picture *p, int y)
{
	return p->y + (size_t)y * p->stride;
}

/* Where cell i of n begins on a side of len pixels: the same from both ends, so that a mirrored photo has mirrored
 * cells. */
static int edge(int i, int n, int len)
{
	return 2 * i <= n ? (int)((int64_t)i * len / n) : len - (int)((int64_t)(n - i) * len / n);
}

/* Cells of a side that has fewer pixels than cells share them. */
static void span(int *from, int *to, int i, int n, int len)
{
	int a = edge(i, n, len), b = edge(i + 1, n, len);
	b = b > a ? b : a + 1;
	*from = a < len ? a : len - 1;
	*to = b < len ? b : len;
}

/* Sums of the cells of rows y0..y1 - 1, and of all their pixels. */
static uint64_t row_of_cells(uint64_t sum[CELLS], picture *p, int y0, int y1, const loops *l)
{
	enum { AT_ONCE = 256 };
	uint64_t all = 0;
	for (int from = y0; from < y1; from += AT_ONCE) {
		int to = y1 - from > AT_ONCE ? from + AT_ONCE : y1;
		memset(p->column, 0, (size_t)p->w * sizeof *p->column);
		for (int y = from; y < to; y += 2)
			l->sums(p->column, row_of(p, y), p->w, y + 1 < to ? p->stride : 0);
		all += l->total(p->column, p->w);
		for (int u = 0; u < CELLS; u++) {
			int x0, x1;
			uint32_t s = 0;
			span(&x0, &x1, u, CELLS, p->w);
			for (int x = x0; x < x1; x++)
				s += p->column[x];
			sum[u] += s;
		}
	}
	return all;
}

/* Means of the cells, and the mean of all. */
static void cells(double cell[CELLS][CELLS], tp_measures *m, picture *p, const loops *l)
{
	uint64_t all = 0;
	for (int v = 0; v < CELLS; v++) {
		uint64_t sum[CELLS] = { 0 };
		int y0, y1, x0, x1;
		span(&y0, &y1, v, CELLS, p->h);
		uint64_t here = row_of_cells(sum, p, y0, y1, l);
		if (edge(v + 1, CELLS, p->h) >
			edge(v, CELLS, p->h)) /* not a row that another cell has told */
			all += here;
		for (int u = 0; u < CELLS; u++) {
			span(&x0, &x1, u, CELLS, p->w);
			cell[v][u] = (double)sum[u] / ((double)(x1 - x0) * (y1 - y0));
		}
	}
	m->brightness = (float)((double)all / ((double)p->w * p->h));
}

/* Of every STEP-th row. */
static float contrast(const picture *p, const loops *l)
{
	uint64_t sum = 0, squares = 0;
	double n = 0;
	for (int y = 0; y < p->h; y += STEP, n += p->w)
		l->squares(&sum, &squares, row_of(p, y), p->w);
	double mean = (double)sum / n, var = (double)squares / n - mean * mean;
	return var > 0 ? (float)sqrt(var) : 0;
}

/* The mean of the largest of n. */
static double mean_of_largest(const double *v, int n)
{
	double top[SHARPEST] = { 0 }, sum = 0;
	for (int i = 0; i < n; i++) {
		if (v[i] <= top[SHARPEST - 1])
			continue;
		int k = SHARPEST - 1;
		for (; k > 0 && top[k - 1] < v[i]; k--)
			top[k] = top[k - 1];
		top[k] = v[i];
	}
	for (int i = 0; i < SHARPEST; i++)
		sum += top[i];
	return sum / SHARPEST;
}

/* Every STEP-th row is enough. */
static float sharpness(picture *p, const loops *l)
{
	double tile[TILES * TILES] = { 0 };
	if (p->w < 3 || p->h < 3)
		return 0;
	for (int v = 0; v < TILES; v++) {
		int y0 = edge(v, TILES, p->h), y1 = edge(v + 1, TILES, p->h), rows = 0;
		memset(p->squares, 0, (size_t)p->w * sizeof *p->squares);
		for (int y = y0 > 1 ? y0 : 1; y < y1 && y < p->h - 1; y += STEP, rows++)
			l->laplace(p->squares, row_of(p, y), p->stride, p->w);
		for (int u = 0; u < TILES && rows; u++) {
			int x0 = edge(u, TILES, p->w), x1 = edge(u + 1, TILES, p->w);
			uint64_t s = 0;
			for (int x = x0; x < x1; x++)
				s += p->squares[x];
			if (x1 > x0)
				tile[v * TILES + u] = (double)s / ((double)rows * (x1 - x0));
		}
	}
	return (float)sqrt(mean_of_largest(tile, TILES * TILES));
}

/* ---- colours, on the grid ---- */

/* Of whole numbers, times `scale`. */
typedef struct {
	int64_t sum, squares;
} moments;

static void add(moments *m, int x)
{
	m->sum += x;
	m->squares += (int64_t)x * x;
}

static double mean(const moments *m, double n, double scale)
{
	return (double)m->sum / n * scale;
}

static double variance(const moments *m, double n, double scale)
{
	double v = (double)m->squares / n * scale * scale - mean(m, n, scale) * mean(m, n, scale);
	return v > 0 ? v : 0;
}

static uint8_t byte(int v)
{
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* ITU-R BT.601 as JPEG has it, in 16 bits behind the point, and rounded. */
static void rgb_of(uint8_t *rgb, int y, int cb, int cr)
{
	enum { HALF = 1 << 15 };
	rgb[0] = byte(y + ((91881 * cr + HALF) >> 16));
	rgb[1] = byte(y + ((-22554 * cb - 46802 * cr + HALF) >> 16));
	rgb[2] = byte(y + ((116130 * cb + HALF) >> 16));
}

/* Every GRID-th pixel of row y, into p->rgb. Colours of planes are those of the nearest value. */
static int grid_row(picture *p, int y)
{
	int n = 0;
	if (p->img) {
		const uint8_t *px = p->img->px + (size_t)y * (size_t)p->w * 3;
		for (int x = 0; x < p->w; x += GRID, n++)
			memcpy(p->rgb + 3 * n, px + 3 * (size_t)x, 3);
		return n;
	}
	const tp_planes *s = p->planes;
	const uint8_t *luma = row_of(p, y), *c[2] = { NULL, NULL };
	for (int i = 1; i < s->n; i++)
		c[i - 1] = s->plane[i].px +
			   (size_t)(y * s->plane[i].down / s->plane[i].of_h) * s->plane[i].stride;
	for (int x = 0; x < p->w; x += GRID, n++) {
		int v[2] = { 0, 0 };
		for (int i = 1; i < s->n; i++)
			v[i - 1] = c[i - 1][x * s->plane[i].across / s->plane[i].of_w] - 128;
		rgb_of(p->rgb + 3 * n, luma[x], v[0], v[1]);
	}
	return n;
}

typedef struct {
	moments rg, yb;
	double saturation;
	uint32_t n, paper, flat, histogram[256];
} tally;

static void tally_pixel(tally *t, const uint8_t *p)
{
	int r = p[0], g = p[1], b = p[2];
	int hi = r > g ? r : g, lo = r < g ? r : g;
	hi = b > hi ? b : hi;
	lo = b < lo ? b : lo;
	add(&t->rg, r - g);
	add(&t->yb, r + g - 2 * b); /* twice the yellow less blue */
	t->saturation += hi ? (double)(hi - lo) / hi : 0;
	t->paper += (lo >= PAPER) & (hi - lo <= GREY);
}

static bool is_near(int a, int b)
{
	return (unsigned)(a - b + 1) <= 2;
}

static void tally_luma(tally *t, const picture *p, int y)
{
	const uint8_t *l = row_of(p, y), *below = y + 1 < p->h ? l + p->stride : l;
	for (int x = 0; x < p->w; x += GRID) {
		t->histogram[l[x]]++;
		t->flat += (int)is_near(l[x], l[x + 1 < p->w ? x + 1 : x]) & (int)is_near(l[x], below[x]);
	}
}

static float entropy(const uint32_t histogram[256], uint32_t n)
{
	double sum = 0;
	for (int i = 0; i < 256; i++)
		if (histogram[i])
			sum += histogram[i] * log2f((float)histogram[i]);
	return (float)(log2(n) - sum / n);
}

static void colours(tp_measures *m, picture *p)
{
	tally t = { .n = 0 };
	for (int y = 0; y < p->h; y += GRID) {
		int n = grid_row(p, y);
		for (int i = 0; i < n; i++)
			tally_pixel(&t, p->rgb + 3 * i);
		tally_luma(&t, p, y);
		t.n += (uint32_t)n;
	}
	m->colour = (float)(sqrt(variance(&t.rg, t.n, 1) + variance(&t.yb, t.n, 0.5)) +
			    0.3 * hypot(mean(&t.rg, t.n, 1), mean(&t.yb, t.n, 0.5)));
	m->saturation = (float)(t.saturation / t.n);
	m->entropy = entropy(t.histogram, t.n);
	m->paper = (float)t.paper / (float)t.n;
	m->flat = (float)t.flat / (float)t.n;
}

/* Dark runs of a row that are narrow and have paper on both sides. */
static int strokes(const uint8_t *y, int w)
{
	int n = 0, from = -1, widest = w / 32 > 3 ? w / 32 : 3;
	for (int x = 0; x < w; x++) {
		if (y[x] >= PAPER) {
			n += from >= 0 && x > from && x - from <= widest;
			from = x + 1; /* whatever is dark from here on has paper on its left */
		} else if (y[x] > PAPER - INK && from == x) {
			from = x + 1; /* the soft edge of a letter */
			continue;
		}
	}
	return n;
}

static float text(const picture *p, const loops *l)
{
	int rows = 0, n = 0;
	for (int y = 0; y < p->h; y += STEP, n++) {
		const uint8_t *row = row_of(p, y);
		/* a stroke changes twice: most rows are done with here */
		rows += l->changes(row, p->w) >= 2 * STROKES && strokes(row, p->w) >= STROKES;
	}
	return (float)rows / (float)n;
}

/* ---- the hash ---- */

/* cosine[u][x]: frequency u + 1 at cell x. */
static double cosine[FREQS][CELLS];
static pthread_once_t cosines_made = PTHREAD_ONCE_INIT;

static void make_cosines(void)
{
	for (int u = 0; u < FREQS; u++)
		for (int x = 0; x < CELLS; x++)
			cosine[u][x] = cos(3.14159265358979323846 * (2 * x + 1) * (u + 1) / (2 * CELLS));
}

static uint64_t hash_of(double cell[CELLS][CELLS])
{
	double across[FREQS][CELLS];
	uint64_t hash = 0;
	pthread_once(&cosines_made, make_cosines);
	for (int y = 0; y < CELLS; y++)
		for (int u = 0; u < FREQS; u++) {
			double f = 0;
			for (int x = 0; x < CELLS; x++)
				f += cell[y][x] * cosine[u][x];
			across[u][y] = f;
		}
	for (int bit = 0; bit < 64; bit++) {
		double f = 0;
		for (int y = 0; y < CELLS; y++)
			f += across[bit % 8][y] * cosine[bit / 8][y];
		hash |= (uint64_t)(f > 1e-6)
			<< bit; /* rounding must not decide for a picture of one colour */
	}
	return hash;
}

/* ---- all of it ---- */

static tp_code measure(tp_measures *m, picture *p, tp_err *err)
{
	const loops *l = choose_loops();
	double cell[CELLS][CELLS];
	size_t w = (size_t)p->w, bytes = w * (sizeof *p->squares + sizeof *p->column) + 3 * (w / GRID + 1);
	size_t luma = p->img ? w * (size_t)p->h : 0;
	uint8_t *room = tp_alloc(bytes + luma);
	if (!room)
		return tp_nomem(err, bytes + luma);
	p->squares = (uint32_t *)(void *)room;
	p->column = (uint16_t *)(void *)(p->squares + w);
	p->rgb = (uint8_t *)(p->column + w);
	if (p->img) {
		uint8_t *y = room + bytes;
		l->luma(y, p->img->px, luma);
		p->y = y;
		p->stride = w;
	}
	cells(cell, m, p, l);
	m->contrast = contrast(p, l);
	m->sharpness = sharpness(p, l);
	m->hash = hash_of(cell);
	colours(m, p);
	m->text = text(p, l);
	tp_free(room);
	return TP_OK;
}

/* Means of factor x factor pixels; a rest at the right and below is left out. */
static tp_code shrink(tp_image **out, const tp_image *img, int factor, tp_err *err)
{
	int w = img->w / factor, h = img->h / factor, area = factor * factor;
	tp_code rc = tp_image_new(out, w, h, err);
	if (rc)
		return rc;
	uint8_t *to = (*out)->px;
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++, to += 3) {
			uint32_t sum[3] = { 0 };
			for (int j = 0; j < factor; j++) {
				size_t row = (size_t)y * (size_t)factor + (size_t)j;
				const uint8_t *p =
					img->px + (row * (size_t)img->w + (size_t)x * (size_t)factor) * 3;
				for (int i = 0; i < factor; i++, p += 3)
					sum[0] += p[0], sum[1] += p[1], sum[2] += p[2];
			}
			for (int k = 0; k < 3; k++)
				to[k] = (uint8_t)((sum[k] + (uint32_t)area / 2) / (uint32_t)area);
		}
	return TP_OK;
}

static void set_size(tp_measures *m, int w, int h)
{
	m->w = w;
	m->h = h;
	m->aspect = (float)(w > h ? w : h) / (float)(w < h ? w : h);
}

tp_code tp_measure_image(tp_measures *out, const tp_image *img, tp_err *err)
{
	int s = img->w < img->h ? img->w : img->h;
	tp_measures m = { 0 };
	tp_image *small = NULL;
	tp_code rc = TP_OK;
	set_size(&m, img->w, img->h);
	if (s >= 2 * TP_MEASURE_SIDE)
		rc = shrink(&small, img, s / TP_MEASURE_SIDE, err);
	const tp_image *from = small ? small : img;
	picture p = { .w = from->w, .h = from->h, .img = from };
	if (!rc)
		rc = measure(&m, &p, err);
	tp_image_free(small);
	if (!rc)
		*out = m;
	return rc;
}

tp_code tp_measure_decoded(tp_measures *out, const void *bytes, size_t len, tp_err *err)
{
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_image_info info;
	tp_image *img = NULL;
	o.min_side = TP_MEASURE_SIDE;
	tp_code rc = tp_image_probe(&info, bytes, len, err);
	if (!rc)
		rc = tp_image_decode(&img, bytes, len, &o, err);
	if (!rc)
		rc = tp_measure_image(out, img, err);
	if (!rc) {
		bool lies = info.orientation > 4;
		set_size(out, lies ? info.h : info.w, lies ? info.w : info.h);
	}
	tp_image_free(img);
	return rc;
}

/* A JPEG has luma already: neither upsampled nor converted is less to do than a decoder's own work. What is damaged, or
 * not stored so, or still too large takes the other way, which also says what is wrong. */
tp_code tp_measure_photo(tp_measures *out, const void *bytes, size_t len, tp_err *err)
{
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_planes s = { 0 };
	o.min_side = TP_MEASURE_SIDE;
	bool good = tp_image_sniff(bytes, len) == TP_KIND_JPEG && !tp_jpeg_planes(&s, bytes, len, &o, NULL) &&
		    s.n && (s.w < s.h ? s.w : s.h) < 2 * TP_MEASURE_SIDE;
	if (!good) {
		tp_free(s.px);
		return tp_measure_decoded(out, bytes, len, err);
	}
	tp_measures m = { 0 };
	picture p = { .w = s.w, .h = s.h, .y = s.plane[0].px, .stride = s.plane[0].stride, .planes = &s };
	set_size(&m, s.full_w, s.full_h);
	tp_code rc = measure(&m, &p, err);
	if (!rc)
		*out = m;
	tp_free(s.px);
	return rc;
}

/* --- turned hashes: the bits of odd frequencies are those of even columns and rows --- */

static uint64_t odd_across(uint64_t h)
{
	return h ^ UINT64_C(0x5555555555555555);
}

static uint64_t odd_down(uint64_t h)
{
	return h ^ UINT64_C(0x00ff00ff00ff00ff);
}

/* An 8 x 8 matrix of bits, by swapping ever larger blocks. */
static uint64_t transpose(uint64_t h)
{
	uint64_t t = (h ^ h >> 7) & UINT64_C(0x00aa00aa00aa00aa);
	h ^= t ^ t << 7;
	t = (h ^ h >> 14) & UINT64_C(0x0000cccc0000cccc);
	h ^= t ^ t << 14;
	t = (h ^ h >> 28) & UINT64_C(0x00000000f0f0f0f0);
	return h ^ t ^ t << 28;
}

uint64_t tp_hash_turn(uint64_t hash, tp_turn turn)
{
	switch (turn) {
	case TP_TURN_MIRROR:
		return odd_across(hash);
	case TP_TURN_FLIP:
		return odd_down(hash);
	case TP_TURN_HALF:
		return odd_across(odd_down(hash));
	case TP_TURN_TRANSPOSE:
		return transpose(hash);
	case TP_TURN_ANTI:
		return odd_across(odd_down(transpose(hash)));
	case TP_TURN_RIGHT:
		return odd_across(transpose(hash));
	case TP_TURN_LEFT:
		return odd_down(transpose(hash));
	default:
		return hash;
	}
}
