/* Measures of a photo: see measure.h. One pass over the pixels makes the luma; the passes over the luma are loops
 * that compilers turn into vectors, because decoding must remain what cleaning a set of photos waits for. */
#include "image/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/image_int.h"

enum {
	CELLS = 32, /* the hash is made of CELLS x CELLS mean lumas */
	FREQS = 9,  /* frequencies 0..8 each way */
	TILES = 8,  /* sharpness by tile */
	SHARPEST = 8,
	STEP = 4,    /* rows that contrast, sharpness and strokes look at: every 4th */
	GRID = 6,    /* colours are counted on every 6th pixel of every 6th row */
	PAPER = 176, /* luma from which a pixel without colour is paper */
	GREY = 28,   /* largest less smallest channel of a pixel without colour */
	INK = 56,    /* a stroke is darker than the paper beside it by this */
	STROKES = 8,
};

typedef struct {
	int w, h;
	uint8_t *y;       /* luma, rows without gaps */
	uint32_t *column; /* w sums */
} plane;

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

/* A row into the sums of its columns, or two rows at once. */
INLINE void sums_body(uint32_t *restrict column, const uint8_t *restrict y, int w, bool two)
{
	if (two)
		for (int x = 0; x < w; x++)
			column[x] += (uint32_t)(y[x] + y[x + w]);
	else
		for (int x = 0; x < w; x++)
			column[x] += y[x];
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
INLINE void laplace_body(uint32_t *restrict column, const uint8_t *restrict y, int w)
{
	const uint8_t *up = y - w, *down = y + w;
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
	void (*sums)(uint32_t *column, const uint8_t *y, int w, bool two);
	void (*squares)(uint64_t *sum, uint64_t *squares, const uint8_t *y, int w);
	void (*laplace)(uint32_t *column, const uint8_t *y, int w);
} loops;

static void luma_c(uint8_t *y, const uint8_t *px, size_t n)
{
	luma_body(y, px, n);
}
static void sums_c(uint32_t *column, const uint8_t *y, int w, bool two)
{
	sums_body(column, y, w, two);
}
static void squares_c(uint64_t *sum, uint64_t *squares, const uint8_t *y, int w)
{
	squares_body(sum, squares, y, w);
}
static void laplace_c(uint32_t *column, const uint8_t *y, int w)
{
	laplace_body(column, y, w);
}

static int changes_c(const uint8_t *y, int w)
{
	return changes_body(y, w);
}

#ifdef VECTORS
VECTORS static int changes_v(const uint8_t *y, int w)
{
	return changes_body(y, w);
}
VECTORS static void luma_v(uint8_t *y, const uint8_t *px, size_t n)
{
	luma_body(y, px, n);
}
VECTORS static void sums_v(uint32_t *column, const uint8_t *y, int w, bool two)
{
	sums_body(column, y, w, two);
}
VECTORS static void squares_v(uint64_t *sum, uint64_t *squares, const uint8_t *y, int w)
{
	squares_body(sum, squares, y, w);
}
VECTORS static void laplace_v(uint32_t *column, const uint8_t *y, int w)
{
	laplace_body(column, y, w);
}
#endif

static loops choose_loops(void)
{
#ifdef VECTORS
	if (__builtin_cpu_supports("avx2"))
		return (loops){ changes_v, luma_v, sums_v, squares_v, laplace_v };
#endif
	return (loops){ changes_c, luma_c, sums_c, squares_c, laplace_c };
}

/* --- the measures --- */

/* Where cell i of n begins on a side of len pixels: the same from both ends, so that a mirrored photo has mirrored
 * cells. */
static int edge(int i, int n, int len)
{
	return 2 * i <= n ? (int)((int64_t)i * len / n) : len - (int)((int64_t)(n - i) * len / n);
}

static int edge_end(int i, int n, int len)
{
	int from = edge(i, n, len), to = edge(i + 1, n, len);
	return to > from ? to : from + 1; /* a side of fewer pixels than cells */
}

/* Means of the cells, and the mean of all. */
static void cells(double cell[CELLS][CELLS], tp_measures *m, plane *p, const loops *l)
{
	uint64_t sum = 0;
	for (int v = 0; v < CELLS; v++) {
		int y0 = edge(v, CELLS, p->h), y1 = edge_end(v, CELLS, p->h);
		bool counts = edge(v + 1, CELLS, p->h) > y0; /* not a row that another cell has told */
		y0 = y0 < p->h ? y0 : p->h - 1;
		y1 = y1 < p->h ? y1 : p->h;
		memset(p->column, 0, (size_t)p->w * sizeof *p->column);
		for (int y = y0; y < y1; y += 2)
			l->sums(p->column, p->y + (size_t)y * (size_t)p->w, p->w, y + 1 < y1);
		for (int x = 0; counts && x < p->w; x++)
			sum += p->column[x];
		for (int u = 0; u < CELLS; u++) {
			int x0 = edge(u, CELLS, p->w), x1 = edge_end(u, CELLS, p->w);
			uint64_t s = 0;
			x0 = x0 < p->w ? x0 : p->w - 1;
			x1 = x1 < p->w ? x1 : p->w;
			for (int x = x0; x < x1; x++)
				s += p->column[x];
			cell[v][u] = (double)s / ((double)(x1 - x0) * (y1 - y0));
		}
	}
	m->brightness = (float)((double)sum / ((double)p->w * p->h));
}

/* Of every STEP-th row. */
static float contrast(const plane *p, const loops *l)
{
	uint64_t sum = 0, squares = 0;
	double n = 0;
	for (int y = 0; y < p->h; y += STEP, n += p->w)
		l->squares(&sum, &squares, p->y + (size_t)y * (size_t)p->w, p->w);
	double mean = (double)sum / n, var = (double)squares / n - mean * mean;
	return var > 0 ? (float)sqrt(var) : 0;
}

static int falling(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* Every STEP-th row is enough. */
static float sharpness(plane *p, const loops *l)
{
	double tile[TILES * TILES] = { 0 };
	if (p->w < 3 || p->h < 3)
		return 0;
	for (int v = 0; v < TILES; v++) {
		int y0 = edge(v, TILES, p->h), y1 = edge(v + 1, TILES, p->h), rows = 0;
		memset(p->column, 0, (size_t)p->w * sizeof *p->column);
		for (int y = y0 > 1 ? y0 : 1; y < y1 && y < p->h - 1; y += STEP, rows++)
			l->laplace(p->column, p->y + (size_t)y * (size_t)p->w, p->w);
		for (int u = 0; u < TILES && rows; u++) {
			int x0 = edge(u, TILES, p->w), x1 = edge(u + 1, TILES, p->w);
			uint64_t s = 0;
			for (int x = x0; x < x1; x++)
				s += p->column[x];
			if (x1 > x0)
				tile[v * TILES + u] = (double)s / ((double)rows * (x1 - x0));
		}
	}
	qsort(tile, TILES * TILES, sizeof *tile, falling);
	double sum = 0;
	for (int i = 0; i < SHARPEST; i++)
		sum += tile[i];
	return (float)sqrt(sum / SHARPEST);
}

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

static bool is_near(int a, int b)
{
	return (unsigned)(a - b + 1) <= 2;
}

static void colours(tp_measures *m, const tp_image *img)
{
	size_t row = (size_t)img->w * 3;
	moments rg = { 0 }, yb = { 0 };
	uint32_t n = 0, paper = 0, flat = 0;
	for (int y = 0; y < img->h; y += GRID)
		for (int x = 0; x < img->w; x += GRID, n++) {
			const uint8_t *p = img->px + ((size_t)y * (size_t)img->w + (size_t)x) * 3;
			int r = p[0], g = p[1], b = p[2];
			int hi = r > g ? r : g, lo = r < g ? r : g;
			hi = b > hi ? b : hi;
			lo = b < lo ? b : lo;
			add(&rg, r - g);
			add(&yb, r + g - 2 * b); /* twice the yellow less blue */
			flat += is_near(g, p[x + 1 < img->w ? 4 : 1]) &
				is_near(g, p[y + 1 < img->h ? row + 1 : 1]);
			paper += (lo >= PAPER) & (hi - lo <= GREY);
		}
	m->colour = (float)(sqrt(variance(&rg, n, 1) + variance(&yb, n, 0.5)) +
			    0.3 * hypot(mean(&rg, n, 1), mean(&yb, n, 0.5)));
	m->paper = (float)paper / (float)n;
	m->flat = (float)flat / (float)n;
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

static float text(const plane *p, const loops *l)
{
	int rows = 0, n = 0;
	for (int y = 0; y < p->h; y += STEP, n++) {
		const uint8_t *row = p->y + (size_t)y * (size_t)p->w;
		/* a stroke changes twice: most rows are done with here */
		rows += l->changes(row, p->w) >= 2 * STROKES && strokes(row, p->w) >= STROKES;
	}
	return (float)rows / (float)n;
}

/* cosine[u][x]: frequency u at cell x. */
static void cosines(double c[FREQS][CELLS])
{
	for (int u = 0; u < FREQS; u++)
		for (int x = 0; x < CELLS; x++)
			c[u][x] = cos(3.14159265358979323846 * (2 * x + 1) * u / (2 * CELLS));
}

static uint64_t hash_of(double cell[CELLS][CELLS])
{
	double c[FREQS][CELLS], across[CELLS][FREQS] = { { 0 } };
	uint64_t hash = 0;
	cosines(c);
	for (int y = 0; y < CELLS; y++)
		for (int u = 0; u < FREQS; u++)
			for (int x = 0; x < CELLS; x++)
				across[y][u] += cell[y][x] * c[u][x];
	for (int bit = 0; bit < 64; bit++) {
		int u = bit % 8 + 1, v = bit / 8 + 1;
		double f = 0;
		for (int y = 0; y < CELLS; y++)
			f += across[y][u] * c[v][y];
		hash |= (uint64_t)(f > 1e-6)
			<< bit; /* rounding must not decide for a picture of one colour */
	}
	return hash;
}

static tp_code measure(tp_measures *m, const tp_image *img, tp_err *err)
{
	plane p = { img->w, img->h, NULL, NULL };
	loops l = choose_loops();
	double cell[CELLS][CELLS];
	size_t n = (size_t)p.w * (size_t)p.h;
	p.y = tp_alloc(n);
	p.column = tp_alloc((size_t)p.w * sizeof *p.column);
	tp_code rc = p.y && p.column ? TP_OK : tp_nomem(err, n);
	if (!rc) {
		l.luma(p.y, img->px, n);
		cells(cell, m, &p, &l);
		m->contrast = contrast(&p, &l);
		m->sharpness = sharpness(&p, &l);
		m->hash = hash_of(cell);
		colours(m, img);
		m->text = text(&p, &l);
	}
	tp_free(p.y);
	tp_free(p.column);
	return rc;
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

tp_code tp_measure_image(tp_measures *out, const tp_image *img, tp_err *err)
{
	int s = img->w < img->h ? img->w : img->h, b = img->w < img->h ? img->h : img->w;
	tp_measures m = { .w = img->w, .h = img->h, .aspect = (float)b / (float)s };
	tp_image *small = NULL;
	tp_code rc = TP_OK;
	if (s >= 2 * TP_MEASURE_SIDE)
		rc = shrink(&small, img, s / TP_MEASURE_SIDE, err);
	if (!rc)
		rc = measure(&m, small ? small : img, err);
	tp_image_free(small);
	if (!rc)
		*out = m;
	return rc;
}

tp_code tp_measure_photo(tp_measures *out, const void *bytes, size_t len, tp_err *err)
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
		out->w = lies ? info.h : info.w;
		out->h = lies ? info.w : info.h;
		out->aspect = (float)(info.w > info.h ? info.w : info.h) /
			      (float)(info.w < info.h ? info.w : info.h);
	}
	tp_image_free(img);
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
