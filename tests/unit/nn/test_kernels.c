/* Kernels of ours against the plain truth, for every instruction set this machine runs: values, gradients, shares, and
 * that gradients are adjoint to what they are gradients of. Buffers are no longer than they must be, so that a sanitizer
 * sees what reads past them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "nn/kernels.h"
#include "t.h"

static const char *const isas[] = { "avx512", "avx2", "neon", "c", "c16" };
enum { N_ISAS = sizeof isas / sizeof *isas };

/* The largest difference a check has seen, to choose tolerances by. */
static double worst;

static double seen(double d)
{
	worst = fmax(worst, d);
	return d;
}

/* Runs a check for every instruction set there is. */
static int each_isa(int (*check)(const tp_kernels *k))
{
	int ran = 0;
	worst = 0;
	for (size_t i = 0; i < N_ISAS; i++) {
		const tp_kernels *k = tp_kernels_find(isas[i]);
		if (k && check(k))
			return 1;
		ran += k != NULL;
	}
	CHECK(ran >= 2, "only %d instruction sets", ran);
	printf("%d instruction sets, largest difference %.1e\n", ran, worst);
	return 0;
}

/* The portable ones run anywhere, and NEON on every 64-bit ARM: none of them may be lost without notice. */
static int test_tables(void)
{
	static const char *const always[] = { "c", "c16" };
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		CHECK(tp_kernels_find(always[i]), "no kernels for %s", always[i]);
	for (size_t i = 0; i < N_ISAS; i++) {
		const tp_kernels *k = tp_kernels_find(isas[i]);
		if (k)
			printf("%s: blocks of %d%s\n", k->isa, k->block, k->native ? "" : ", not native");
		if (k && k->native)
			CHECK(tp_kernels_best(k->block) == k, "%s is not the best of its blocks", k->isa);
	}
#ifdef __aarch64__
	CHECK(tp_kernels_best(4) && tp_kernels_best(4)->native, "no kernels for NEON");
#endif
	CHECK(!tp_kernels_find("x") && !tp_kernels_best(5), "kernels for what there is not");
	return 0;
}

/* ---- pictures --------------------------------------------------------------------------------------------------- */

/* n floats in [-1, 1), the same for the same seed. */
static float *made_up(size_t n, uint32_t seed)
{
	float *v = tp_alloc(n * sizeof *v);
	for (size_t i = 0; i < n; i++) {
		uint32_t x = (uint32_t)i * 0x9e3779b1u + seed * 0x85ebca6bu;
		x = (x ^ x >> 16) * 0x85ebca6bu;
		x = (x ^ x >> 13) * 0xc2b2ae35u;
		x ^= x >> 16;
		v[i] = (float)((double)(x >> 8) / 8388608 - 1);
	}
	return v;
}

static float *blank(size_t n)
{
	return tp_calloc(n, sizeof(float));
}

typedef struct {
	int n, c, area;
} plane_set;

static plane_set source(const tp_geo *g)
{
	return (plane_set){ g->n, g->c, g->h * g->w };
}

static plane_set result(const tp_geo *g)
{
	return (plane_set){ g->n, g->oc, g->oh * g->ow };
}

static size_t plain_len(plane_set s)
{
	return (size_t)s.n * (size_t)s.c * (size_t)s.area;
}

static size_t packed_len(plane_set s, int block)
{
	return (size_t)s.n * (size_t)((s.c + block - 1) / block * block) * (size_t)s.area;
}

static size_t packed_at(plane_set s, int block, int n, int c, int i)
{
	int blocks = (s.c + block - 1) / block;
	return (((size_t)n * (size_t)blocks + (size_t)(c / block)) * (size_t)s.area + (size_t)i) *
		       (size_t)block +
	       (size_t)(c % block);
}

/* From NCHW to nChwBc; the caller frees it. */
static float *packed(const float *x, plane_set s, int block)
{
	float *p = blank(packed_len(s, block));
	for (int n = 0; n < s.n; n++)
		for (int c = 0; c < s.c; c++)
			for (int i = 0; i < s.area; i++)
				p[packed_at(s, block, n, c, i)] = *x++;
	return p;
}

/* And back: p, from nChwBc to NCHW. */
static float *unpacked(const float *p, plane_set s, int block)
{
	float *x = tp_alloc(plain_len(s) * sizeof *x), *at = x;
	for (int n = 0; n < s.n; n++)
		for (int c = 0; c < s.c; c++)
			for (int i = 0; i < s.area; i++)
				*at++ = p[packed_at(s, block, n, c, i)];
	return x;
}

/* Are the channels past the last still 0? */
static bool padding_is_zero(const float *p, plane_set s, int block)
{
	for (int n = 0; n < s.n; n++)
		for (int c = s.c; c % block; c++)
			for (int i = 0; i < s.area; i++)
				if (p[packed_at(s, block, n, c, i)] != 0)
					return false;
	return true;
}

/* Largest difference, relative to the largest value. */
static double apart(const float *a, const float *b, size_t n)
{
	double most = 0, top = 1e-30;
	for (size_t i = 0; i < n; i++) {
		most = fmax(most, fabs((double)a[i] - (double)b[i]));
		top = fmax(top, fabs((double)b[i]));
	}
	return seen(most / top);
}

static double packed_apart(const float *p, const float *want, plane_set s, int block)
{
	float *x = unpacked(p, s, block);
	double d = padding_is_zero(p, s, block) ? apart(x, want, plain_len(s)) : INFINITY;
	tp_free(x);
	return d;
}

static double dot(const float *a, const float *b, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

static int blocks_in(int channels, const tp_kernels *k)
{
	return (channels + k->block - 1) / k->block;
}

static tp_geo geo(int n, int c, int h, int w, int oc, tp_window win)
{
	return (tp_geo){ .n = n,
		.c = c,
		.h = h,
		.w = w,
		.oc = oc,
		.oh = tp_window_out(h, win.kh, win.ph, &win),
		.ow = tp_window_out(w, win.kw, win.pw, &win),
		.kh = win.kh,
		.kw = win.kw,
		.stride = win.stride,
		.top = tp_window_pad(h, win.kh, win.ph, &win),
		.left = tp_window_pad(w, win.kw, win.pw, &win),
		.groups = 1,
		.count_pad = win.count_pad };
}

/* ---- pools ------------------------------------------------------------------------------------------------------ */

static const struct {
	int n, c, h, w;
	tp_window win;
} pools[] = {
	{ 2, 16, 28, 28, { .kh = 3, .kw = 3, .stride = 1, .ph = 1, .pw = 1 } },
	{ 2, 24, 14, 13, { .kh = 3, .kw = 3, .stride = 2, .ph = 0, .pw = 0, .ceil = true } },
	{ 1, 19, 15, 16, { .kh = 3, .kw = 3, .stride = 2, .ph = 1, .pw = 1 } },
	{ 1, 8, 7, 7, { .kh = 3, .kw = 3, .stride = 1, .ph = 1, .pw = 1, .count_pad = true } },
	{ 1, 5, 2, 2, { .kh = 3, .kw = 3, .stride = 1, .ph = 1, .pw = 1 } },
	{ 2, 20, 4, 1, { .kh = 3, .kw = 3, .stride = 1, .ph = 1, .pw = 1 } },
	{ 1, 5, 1, 9, { .kh = 3, .kw = 3, .stride = 2, .ph = 1, .pw = 1, .ceil = true } },
	{ 1, 33, 9, 8, { .kh = 3, .kw = 3, .stride = 2, .same = true } },
	{ 1, 16, 9, 8, { .kh = 2, .kw = 2, .stride = 2, .ceil = true } },
	{ 1, 16, 11, 12, { .kh = 5, .kw = 3, .stride = 1, .ph = 2, .pw = 1, .count_pad = true } },
	{ 2, 16, 12, 12, { .kh = 3, .kw = 3, .stride = 3, .ph = 1, .pw = 1, .count_pad = true } },
};
enum { N_POOLS = sizeof pools / sizeof *pools };

static tp_geo pool_geo(size_t i)
{
	return geo(pools[i].n, pools[i].c, pools[i].h, pools[i].w, pools[i].c, pools[i].win);
}

/* Sums of up to 49 values in another order: 2.2e-7 of the largest value seen, times 4. Maxima are the same bits. */
static const double pool_tol = 9e-7;

static int pool_fwd(const tp_kernels *k)
{
	for (size_t i = 0; i < N_POOLS; i++) {
		tp_geo g = pool_geo(i);
		plane_set in = source(&g), out = result(&g);
		float *x = made_up(plain_len(in), 1), *want = blank(plain_len(out));
		float *xp = packed(x, in, k->block), *y = blank(packed_len(out, k->block));
		int blocks = g.n * blocks_in(g.c, k);
		tp_max_pool_plain(want, x, &g);
		k->max_pool(y, xp, &g, 0, blocks / 2);
		k->max_pool(y, xp, &g, blocks / 2, blocks);
		double d = packed_apart(y, want, out, k->block);
		CHECK(d == 0, "%s: max pool %zu is off by %g", k->isa, i, d);
		tp_avg_pool_plain(want, x, &g);
		k->avg_pool(y, xp, &g, 0, blocks);
		d = packed_apart(y, want, out, k->block);
		CHECK(d <= pool_tol, "%s: average pool %zu is off by %g", k->isa, i, d);
		tp_free(x);
		tp_free(want);
		tp_free(xp);
		tp_free(y);
	}
	return 0;
}

static int test_pools(void)
{
	return each_isa(pool_fwd);
}

/* Few different values, so that there are ties. */
static void coarse(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = roundf(x[i] * 3);
}

static int pool_back(const tp_kernels *k)
{
	for (size_t i = 0; i < N_POOLS; i++) {
		tp_geo g = pool_geo(i);
		plane_set in = source(&g), out = result(&g);
		float *x = made_up(plain_len(in), 2), *dy = made_up(plain_len(out), 3);
		coarse(x, plain_len(in));
		float *want = blank(plain_len(in)), *xp = packed(x, in, k->block);
		float *dyp = packed(dy, out, k->block), *dx = made_up(packed_len(in, k->block), 4);
		int blocks = g.n * blocks_in(g.c, k);
		tp_max_pool_plain_back(want, dy, x, &g);
		k->max_pool_back(dx, dyp, xp, &g, 0, 1);
		k->max_pool_back(dx, dyp, xp, &g, 1, blocks);
		double d = packed_apart(dx, want, in, k->block);
		CHECK(d <= pool_tol, "%s: gradient of max pool %zu is off by %g", k->isa, i, d);
		tp_avg_pool_plain_back(want, dy, &g);
		k->avg_pool_back(dx, dyp, &g, 0, blocks);
		d = packed_apart(dx, want, in, k->block);
		CHECK(d <= pool_tol, "%s: gradient of average pool %zu is off by %g", k->isa, i, d);
		float *y = blank(packed_len(out, k->block));
		k->avg_pool(y, xp, &g, 0, blocks);
		double a = dot(y, dyp, packed_len(out, k->block)), b = dot(xp, dx, packed_len(in, k->block));
		CHECK(fabs(a - b) <= 1e-5 * sqrt((double)plain_len(out)),
			"%s: average pool %zu: %g, adjoint %g", k->isa, i, a, b);
		tp_free(x);
		tp_free(dy);
		tp_free(want);
		tp_free(xp);
		tp_free(dyp);
		tp_free(dx);
		tp_free(y);
	}
	return 0;
}

static int test_gradients_of_pools(void)
{
	return each_isa(pool_back);
}

static int global_pools(const tp_kernels *k)
{
	static const int size[][4] = { { 2, 32, 7, 7 }, { 3, 21, 4, 3 }, { 1, 5, 1, 1 } };
	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		tp_geo g =
			geo(size[i][0], size[i][1], size[i][2], size[i][3], size[i][1], TP_SQUARE(1, 1, 0));
		plane_set in = source(&g);
		int planes = g.n * g.c;
		float *x = made_up(plain_len(in), 5), *dy = made_up((size_t)planes, 6);
		float *want = blank((size_t)planes), *y = blank((size_t)planes),
		      *dwant = blank(plain_len(in));
		float *xp = packed(x, in, k->block), *dx = blank(packed_len(in, k->block));
		tp_global_pool_plain(want, x, planes, in.area);
		k->global_pool(y, xp, &g);
		CHECK(apart(y, want, (size_t)planes) <= pool_tol, "%s: global pool %zu", k->isa, i);
		tp_global_pool_plain_back(dwant, dy, planes, in.area);
		k->global_pool_back(dx, dy, &g, 0, g.n * blocks_in(g.c, k));
		CHECK(packed_apart(dx, dwant, in, k->block) <= pool_tol, "%s: gradient of global pool %zu",
			k->isa, i);
		tp_free(x);
		tp_free(dy);
		tp_free(want);
		tp_free(y);
		tp_free(dwant);
		tp_free(xp);
		tp_free(dx);
	}
	return 0;
}

static int test_global_pool(void)
{
	return each_isa(global_pools);
}

/* ---- pointwise -------------------------------------------------------------------------------------------------- */

static int pointwise(const tp_kernels *k)
{
	enum { N = 1003 };
	float *x = made_up(N, 7), *d = made_up(N, 8), *y = blank(N), *want = blank(N);
	for (size_t i = 0; i < N; i++)
		x[i] = i == 5 ? 0 : i == 6 ? 6 : i == 7 ? NAN : x[i] * 9;
	k->relu(y, x, N);
	tp_relu_plain(want, x, N);
	CHECK(!memcmp(y, want, N * sizeof *y), "%s: relu", k->isa);
	k->relu_back(y, d, x, N);
	tp_relu_plain_back(want, d, x, N);
	CHECK(!memcmp(y, want, N * sizeof *y), "%s: gradient of relu", k->isa);
	k->relu6(y, x, N);
	tp_relu6_plain(want, x, N);
	CHECK(!memcmp(y, want, N * sizeof *y), "%s: relu6", k->isa);
	k->relu6_back(y, d, x, N);
	tp_relu6_plain_back(want, d, x, N);
	CHECK(!memcmp(y, want, N * sizeof *y), "%s: gradient of relu6", k->isa);
	x[7] = 1;
	k->add(y, x, d, N);
	tp_add_plain(want, x, d, N);
	CHECK(!memcmp(y, want, N * sizeof *y), "%s: add", k->isa);
	for (int alone = 0; alone < 2; alone++) {
		k->add_scaled(y, x, 1.25f, alone ? NULL : d, N);
		tp_add_scaled_plain(want, x, 1.25f, alone ? NULL : d, N);
		for (size_t i = 0; i < N; i++) /* a multiplication and an addition may be rounded once */
			CHECK(fabsf(y[i] - want[i]) <= 1e-6f * (2 * fabsf(x[i]) + fabsf(d[i])),
				"%s: scaled addition: %g, not %g", k->isa, (double)y[i], (double)want[i]);
	}
	tp_add_plain(want, x, d, N);
	memcpy(y, x, N * sizeof *y);
	k->accumulate(y, d, N);
	CHECK(!memcmp(y, want, N * sizeof *y), "%s: accumulate", k->isa);
	tp_free(x);
	tp_free(d);
	tp_free(y);
	tp_free(want);
	return 0;
}

static int test_pointwise(void)
{
	return each_isa(pointwise);
}

/* ---- batch-norm ------------------------------------------------------------------------------------------------- */

static const int norms[][4] = { { 2, 32, 14, 14 }, { 3, 19, 7, 7 }, { 1, 8, 5, 33 }, { 2, 16, 1, 1 },
	{ 4, 40, 12, 11 } };
enum { N_NORMS = sizeof norms / sizeof *norms };

/* Everything one batch-norm with its activation and shortcut needs, plain. */
typedef struct {
	tp_geo g;
	plane_set s;
	float *x, *dy, *shortcut, *gamma, *beta;
	float *y, *dx, *d; /* the plain answers; d is the gradient behind the activation */
	float *mean, *rstd, *rmean, *rvar, *dgamma, *dbeta;
} norm_case;

static void activate(float *y, size_t n, tp_act act)
{
	if (act == TP_ACT_RELU)
		tp_relu_plain(y, y, n);
	else if (act == TP_ACT_RELU6)
		tp_relu6_plain(y, y, n);
}

static norm_case norm_new(const int size[4], tp_act act, bool shortcut, float offset)
{
	norm_case v = { .g = geo(size[0], size[1], size[2], size[3], size[1], TP_SQUARE(1, 1, 0)) };
	size_t c = (size_t)size[1], n;
	v.s = source(&v.g);
	n = plain_len(v.s);
	v.x = made_up(n, 9);
	v.dy = made_up(n, 10);
	v.gamma = made_up(c, 11);
	v.beta = made_up(c, 12);
	v.shortcut = made_up(n, 13);
	for (size_t i = 0; i < n; i++)
		v.x[i] += offset;
	for (size_t i = 0; i < c; i++)
		v.gamma[i] = 3 + v.gamma[i];
	v.y = blank(n);
	v.dx = blank(n);
	v.d = blank(n);
	v.mean = blank(c);
	v.rstd = blank(c);
	v.rmean = blank(c);
	v.rvar = blank(c);
	v.dgamma = blank(c);
	v.dbeta = blank(c);
	tp_batch_norm_plain(v.y, v.mean, v.rstd, v.rmean, v.rvar, v.x, v.gamma, v.beta, &v.g, 1e-3f, 0.1f);
	if (shortcut)
		tp_add_plain(v.y, v.y, v.shortcut, n);
	activate(v.y, n, act);
	memcpy(v.d, v.dy, n * sizeof *v.d);
	if (act == TP_ACT_RELU)
		tp_relu_plain_back(v.d, v.d, v.y, n);
	else if (act == TP_ACT_RELU6)
		tp_relu6_plain_back(v.d, v.d, v.y, n);
	tp_batch_norm_plain_back(v.dx, v.dgamma, v.dbeta, v.d, v.x, v.mean, v.rstd, v.gamma, &v.g);
	return v;
}

static void norm_free(norm_case *v)
{
	float *all[] = { v->x, v->dy, v->shortcut, v->gamma, v->beta, v->y, v->dx, v->d, v->mean, v->rstd,
		v->rmean, v->rvar, v->dgamma, v->dbeta };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		tp_free(all[i]);
}

/* Sums in doubles across chunks in both twins; the values are rounded once more here: 3.3e-7 of the largest value seen,
 * times 4. */
static const double norm_tol = 1.4e-6;

static int norm_fwd_check(const tp_kernels *k, const norm_case *v, tp_act act, bool shortcut)
{
	size_t c = (size_t)v->g.c;
	float *xp = packed(v->x, v->s, k->block), *sp = packed(v->shortcut, v->s, k->block);
	float *y = blank(packed_len(v->s, k->block)), *stat = blank(4 * c);
	double *sum = tp_calloc(2 * c, sizeof *sum);
	int blocks = v->g.n * blocks_in(v->g.c, k);
	k->norm_sums(sum, sum + c, xp, &v->g, 0, 1);
	k->norm_sums(sum, sum + c, xp, &v->g, 1, blocks);
	tp_norm_finish(stat, stat + c, stat + 2 * c, stat + 3 * c, sum, sum + c, v->g.c,
		(double)v->g.n * v->s.area, 1e-3f, 0.1f);
	CHECK(apart(stat, v->mean, c) <= norm_tol, "%s: mean", k->isa);
	CHECK(apart(stat + c, v->rstd, c) <= norm_tol, "%s: rstd: %g", k->isa, apart(stat + c, v->rstd, c));
	CHECK(apart(stat + 2 * c, v->rmean, c) <= norm_tol, "%s: running mean", k->isa);
	CHECK(apart(stat + 3 * c, v->rvar, c) <= norm_tol, "%s: running variance", k->isa);
	tp_norm norm = { v->mean, v->rstd, v->gamma, v->beta };
	k->norm_apply(y, xp, shortcut ? sp : NULL, &norm, act, &v->g, 0, blocks / 2);
	k->norm_apply(y, xp, shortcut ? sp : NULL, &norm, act, &v->g, blocks / 2, blocks);
	double d = packed_apart(y, v->y, v->s, k->block);
	CHECK(d <= norm_tol, "%s: batch-norm is off by %g", k->isa, d);
	tp_free(xp);
	tp_free(sp);
	tp_free(y);
	tp_free(stat);
	tp_free(sum);
	return 0;
}

static int norm_back_check(const tp_kernels *k, const norm_case *v, tp_act act, bool shortcut, bool with_y)
{
	size_t c = (size_t)v->g.c, len = packed_len(v->s, k->block);
	float *xp = packed(v->x, v->s, k->block), *yp = packed(v->y, v->s, k->block);
	float *dyp = packed(v->dy, v->s, k->block), *dx = blank(len), *ds = blank(len), *got = blank(2 * c);
	double *sum = tp_calloc(2 * c, sizeof *sum);
	int blocks = v->g.n * blocks_in(v->g.c, k);
	tp_norm norm = { v->mean, v->rstd, v->gamma, v->beta };
	const float *y = with_y ? yp : NULL;
	k->norm_back_sums(sum, sum + c, dyp, y, xp, &norm, act, &v->g, 0, 1);
	k->norm_back_sums(sum, sum + c, dyp, y, xp, &norm, act, &v->g, 1, blocks);
	for (size_t i = 0; i < 2 * c; i++)
		got[i] = (float)sum[i];
	CHECK(apart(got, v->dbeta, c) <= norm_tol, "%s: dbeta: %g", k->isa, apart(got, v->dbeta, c));
	CHECK(apart(got + c, v->dgamma, c) <= norm_tol, "%s: dgamma: %g", k->isa,
		apart(got + c, v->dgamma, c));
	k->norm_back(dx, shortcut ? ds : NULL, dyp, y, xp, &norm, sum, sum + c, (double)v->g.n * v->s.area,
		act, &v->g, 0, blocks);
	double d = packed_apart(dx, v->dx, v->s, k->block);
	CHECK(d <= norm_tol, "%s: gradient of batch-norm is off by %g", k->isa, d);
	if (shortcut)
		CHECK(packed_apart(ds, v->d, v->s, k->block) == 0, "%s: gradient of the shortcut", k->isa);
	tp_free(xp);
	tp_free(yp);
	tp_free(dyp);
	tp_free(dx);
	tp_free(ds);
	tp_free(got);
	tp_free(sum);
	return 0;
}

static int norm(const tp_kernels *k)
{
	for (size_t i = 0; i < N_NORMS; i++)
		for (int act = TP_ACT_NONE; act <= TP_ACT_RELU6; act++)
			for (int shortcut = 0; shortcut < 2; shortcut++) {
				norm_case v = norm_new(norms[i], (tp_act)act, shortcut, 0.5f);
				int bad = norm_fwd_check(k, &v, (tp_act)act, shortcut) ||
					  norm_back_check(k, &v, (tp_act)act, shortcut, true) ||
					  (!shortcut && norm_back_check(k, &v, (tp_act)act, false, false));
				CHECK(!bad, "batch-norm %zu, activation %d, shortcut %d", i, act, shortcut);
				norm_free(&v);
			}
	return 0;
}

static int test_batch_norm(void)
{
	return each_isa(norm);
}

static int far_mean(const tp_kernels *k)
{
	norm_case v = norm_new(norms[0], TP_ACT_NONE, false, 60);
	CHECK(!norm_fwd_check(k, &v, TP_ACT_NONE, false), "a mean of 100 deviations");
	norm_free(&v);
	return 0;
}

static int test_a_mean_far_from_zero_costs_no_digits(void)
{
	return each_isa(far_mean);
}

/* ---- depthwise -------------------------------------------------------------------------------------------------- */

static const struct {
	int n, c, h, w;
	tp_window win;
} deep[] = {
	{ 2, 32, 14, 14, { .kh = 3, .kw = 3, .stride = 1, .same = true } },
	{ 2, 24, 15, 14, { .kh = 3, .kw = 3, .stride = 2, .same = true } },
	{ 2, 19, 14, 15, { .kh = 5, .kw = 5, .stride = 2, .same = true } },
	{ 3, 40, 7, 7, { .kh = 5, .kw = 5, .stride = 1, .same = true } },
	{ 1, 16, 9, 10, { .kh = 3, .kw = 3, .stride = 2, .ph = 1, .pw = 1 } },
	{ 1, 16, 9, 10, { .kh = 5, .kw = 5, .stride = 2, .ph = 2, .pw = 2 } },
	{ 1, 5, 6, 8, { .kh = 3, .kw = 3, .stride = 1 } },
	{ 1, 16, 3, 2, { .kh = 5, .kw = 5, .stride = 1, .same = true } },
	{ 1, 16, 8, 9, { .kh = 4, .kw = 2, .stride = 3, .ph = 1, .pw = 0 } },
	{ 1, 16, 8, 9, { .kh = 1, .kw = 5, .stride = 2, .same = true } },
};

/* Sums of up to 400 products in another order: 5.6e-7 of the largest value seen, times 4. */
static const double deep_tol = 2.3e-6;

static int depthwise(const tp_kernels *k)
{
	for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
		tp_geo g = geo(deep[i].n, deep[i].c, deep[i].h, deep[i].w, deep[i].c, deep[i].win);
		g.groups = g.c;
		plane_set in = source(&g), out = result(&g);
		size_t n = (size_t)(g.c * g.kh * g.kw);
		float *x = made_up(plain_len(in), 20), *dy = made_up(plain_len(out), 21), *w = made_up(n, 22);
		float *want = made_up(n, 23), *dw = made_up(n, 23);
		float *xp = packed(x, in, k->block), *dyp = packed(dy, out, k->block);
		float *scratch = tp_alloc(k->depthwise_scratch(&g) * sizeof *scratch);
		int blocks = blocks_in(g.c, k);
		tp_conv_plain_back(NULL, want, NULL, dy, x, w, &g);
		k->depthwise_dw(dw, xp, dyp, &g, 0, blocks / 2, scratch);
		k->depthwise_dw(dw, xp, dyp, &g, blocks / 2, blocks, scratch);
		double d = apart(dw, want, n);
		CHECK(d <= deep_tol, "%s: depthwise %zu is off by %g", k->isa, i, d);
		tp_free(x);
		tp_free(dy);
		tp_free(w);
		tp_free(want);
		tp_free(dw);
		tp_free(xp);
		tp_free(dyp);
		tp_free(scratch);
	}
	return 0;
}

static int test_weight_gradient_of_depthwise_convolutions(void)
{
	return each_isa(depthwise);
}

/* ---- Winograd --------------------------------------------------------------------------------------------------- */

static const struct {
	int n, c, oc, h, w, top, left, stride;
} winos[] = {
	{ 1, 64, 48, 7, 7, 1, 1, 1 },
	{ 2, 32, 16, 14, 14, 1, 1, 1 },
	{ 1, 16, 80, 28, 28, 1, 1, 1 },
	{ 1, 16, 16, 56, 56, 1, 1, 1 },
	{ 2, 48, 32, 9, 11, 1, 1, 1 },
	{ 1, 16, 32, 13, 6, 0, 0, 1 },
	{ 3, 32, 48, 5, 8, 1, 0, 1 },
	{ 1, 16, 16, 1, 2, 1, 1, 1 },
	{ 9, 16, 32, 12, 12, 1, 1, 1 },
	{ 20, 16, 16, 14, 13, 1, 1, 1 }, /* more tiles than go through at once, of all sorts */
	{ 1, 64, 48, 14, 14, 1, 1, 2 },
	{ 2, 32, 16, 28, 28, 1, 1, 2 },
	{ 1, 16, 80, 56, 56, 1, 1, 2 },
	{ 2, 48, 32, 9, 11, 1, 1, 2 },
	{ 1, 16, 32, 13, 7, 0, 0, 2 },
	{ 3, 32, 48, 5, 9, 1, 0, 2 },
	{ 2, 16, 32, 10, 8, 2, 2, 2 },
	{ 1, 16, 16, 1, 2, 1, 1, 2 },
	{ 1, 16, 16, 4, 3, 1, 1, 2 },
	{ 20, 16, 16, 28, 26, 1, 1, 2 },
};
enum { N_WINOS = sizeof winos / sizeof *winos };

/* As many rows and columns of padding behind as before. */
static tp_geo wino_geo(size_t i)
{
	tp_geo g = geo(winos[i].n, winos[i].c, winos[i].h, winos[i].w, winos[i].oc,
		(tp_window){ .kh = 3,
			.kw = 3,
			.stride = winos[i].stride,
			.ph = winos[i].top,
			.pw = winos[i].left });
	return g;
}

/* The transforms multiply by up to 64 and add what cancels: 6.3e-6 of the largest value seen, times 4. */
static const double wino_tol = 2.6e-5;

typedef struct {
	tp_geo g;
	plane_set in, out;
	size_t n_w;
	float *x, *dy, *w, *b, *u, *scratch;
	float *xp, *dyp;
} wino_case;

static wino_case wino_new(const tp_kernels *isa, size_t i)
{
	wino_case v = { .g = wino_geo(i) };
	tp_geo back = v.g.stride == 2 ? v.g : tp_wino_back_geo(&v.g);
	size_t fwd = isa->wino_scratch(&v.g), bwd = isa->wino_scratch(&back);
	v.in = source(&v.g);
	v.out = result(&v.g);
	v.n_w = (size_t)v.g.oc * (size_t)v.g.c * 9;
	v.x = made_up(plain_len(v.in), 30);
	v.dy = made_up(plain_len(v.out), 31);
	v.w = made_up(v.n_w, 32);
	for (size_t k = 0; k < v.n_w; k++) /* outputs of a deviation of 2: some are above 6 */
		v.w[k] *= 2 / sqrtf((float)v.g.c);
	v.b = made_up((size_t)v.g.oc, 33);
	v.u = tp_alloc(v.n_w * 4 * sizeof *v.u);
	v.scratch = tp_alloc((fwd > bwd ? fwd : bwd) * sizeof *v.scratch);
	v.xp = packed(v.x, v.in, isa->block);
	v.dyp = packed(v.dy, v.out, isa->block);
	return v;
}

static void wino_free(wino_case *v)
{
	float *all[] = { v->x, v->dy, v->w, v->b, v->u, v->scratch, v->xp, v->dyp };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		tp_free(all[i]);
}

/* What the plain twin makes of it, plus `was` where it is added to, activated. */
static float *wino_want(const wino_case *v, const float *was, tp_act act)
{
	size_t n = plain_len(v->out);
	float *want = blank(n);
	tp_conv_plain(want, v->x, v->w, v->b, &v->g);
	if (was)
		tp_add_plain(want, want, was, n);
	activate(want, n, act);
	return want;
}

static int wino_fwd(const tp_kernels *k)
{
	for (size_t i = 0; i < N_WINOS; i++) {
		wino_case v = wino_new(k, i);
		int blocks = v.g.oc / k->block, tiles = tp_wino_tiles(&v.g), half = tiles / 2,
		    mid = blocks / 2;
		float *y = packed(v.dy, v.out, k->block);
		CHECK(tp_wino_can(&v.g, k->block), "%s: shape %zu", k->isa, i);
		k->wino_weights(v.u, v.w, v.g.oc, v.g.c, v.g.stride, false, 0, mid);
		k->wino_weights(v.u, v.w, v.g.oc, v.g.c, v.g.stride, false, mid, blocks);
		float *want = wino_want(&v, NULL, TP_ACT_RELU);
		k->wino_conv(y, v.xp, v.u, v.b, false, TP_ACT_RELU, &v.g, 0, half, 0, blocks, v.scratch);
		k->wino_conv(y, v.xp, v.u, v.b, false, TP_ACT_RELU, &v.g, half, tiles, 0, mid, v.scratch);
		k->wino_conv(
			y, v.xp, v.u, v.b, false, TP_ACT_RELU, &v.g, half, tiles, mid, blocks, v.scratch);
		double d = packed_apart(y, want, v.out, k->block);
		CHECK(d <= wino_tol, "%s: convolution %zu is off by %g", k->isa, i, d);
		tp_free(want);
		tp_free(y);
		want = wino_want(&v, v.dy, TP_ACT_RELU6);
		y = packed(v.dy, v.out, k->block);
		k->wino_conv(y, v.xp, v.u, v.b, true, TP_ACT_RELU6, &v.g, 0, tiles, 0, blocks, v.scratch);
		d = packed_apart(y, want, v.out, k->block);
		CHECK(d <= wino_tol, "%s: sum of convolution %zu is off by %g", k->isa, i, d);
		tp_free(want);
		tp_free(y);
		wino_free(&v);
	}
	return 0;
}

static int test_winograd(void)
{
	return each_isa(wino_fwd);
}

static int wino_back(const tp_kernels *k)
{
	for (size_t i = 0; i < N_WINOS; i++) {
		wino_case v = wino_new(k, i);
		tp_geo back = tp_wino_back_geo(&v.g);
		int tiles = tp_wino_tiles(&v.g), blocks = v.g.oc / k->block;
		size_t n_in = packed_len(v.in, k->block), n_out = packed_len(v.out, k->block);
		float *want = blank(plain_len(v.in)), *dx = blank(n_in), *y = blank(n_out);
		tp_conv_plain_back(want, NULL, NULL, v.dy, v.x, v.w, &v.g);
		k->wino_weights(v.u, v.w, v.g.oc, v.g.c, v.g.stride, true, 0, v.g.c / k->block);
		if (v.g.stride == 2) {
			int all = v.g.c / k->block;
			k->wino_back(dx, v.dyp, v.u, &v.g, 0, all / 2, v.scratch);
			k->wino_back(dx, v.dyp, v.u, &v.g, all / 2, all, v.scratch);
		} else {
			k->wino_conv(dx, v.dyp, v.u, NULL, false, TP_ACT_NONE, &back, 0, tp_wino_tiles(&back),
				0, back.oc / k->block, v.scratch);
		}
		double d = packed_apart(dx, want, v.in, k->block);
		CHECK(d <= wino_tol, "%s: data gradient %zu is off by %g", k->isa, i, d);
		k->wino_weights(v.u, v.w, v.g.oc, v.g.c, v.g.stride, false, 0, blocks);
		k->wino_conv(y, v.xp, v.u, NULL, false, TP_ACT_NONE, &v.g, 0, tiles, 0, blocks, v.scratch);
		double a = dot(y, v.dyp, n_out), b = dot(v.xp, dx, n_in),
		       most = sqrt(dot(y, y, n_out) * dot(v.dyp, v.dyp, n_out));
		CHECK(fabs(a - b) <= 1e-6 * most, "%s: convolution %zu: %g, adjoint %g", k->isa, i, a, b);
		tp_free(want);
		tp_free(dx);
		tp_free(y);
		wino_free(&v);
	}
	return 0;
}

static int test_winograd_data_gradient(void)
{
	return each_isa(wino_back);
}

static int wino_weight(const tp_kernels *k)
{
	for (size_t i = 0; i < N_WINOS; i++) {
		wino_case v = wino_new(k, i);
		int blocks = v.g.c / k->block, mid = blocks / 2, tiles = tp_wino_tiles(&v.g);
		size_t n_out = packed_len(v.out, k->block);
		float *want = made_up(v.n_w, 34), *dw = made_up(v.n_w, 34), *y = blank(n_out);
		float *scratch = tp_alloc(k->wino_dw_scratch(&v.g, blocks - mid) * sizeof *scratch);
		tp_conv_plain_back(NULL, want, NULL, v.dy, v.x, v.w, &v.g);
		if (mid)
			k->wino_dw(dw, v.xp, v.dyp, &v.g, 0, mid, scratch);
		k->wino_dw(dw, v.xp, v.dyp, &v.g, mid, blocks, scratch);
		double d = apart(dw, want, v.n_w);
		CHECK(d <= wino_tol, "%s: weight gradient %zu is off by %g", k->isa, i, d);
		memset(dw, 0, v.n_w * sizeof *dw);
		if (mid)
			k->wino_dw(dw, v.xp, v.dyp, &v.g, 0, mid, scratch);
		k->wino_dw(dw, v.xp, v.dyp, &v.g, mid, blocks, scratch);
		k->wino_weights(v.u, v.w, v.g.oc, v.g.c, v.g.stride, false, 0, v.g.oc / k->block);
		k->wino_conv(y, v.xp, v.u, NULL, false, TP_ACT_NONE, &v.g, 0, tiles, 0, v.g.oc / k->block,
			v.scratch);
		double a = dot(y, v.dyp, n_out), b = dot(v.w, dw, v.n_w),
		       most = sqrt(dot(y, y, n_out) * dot(v.dyp, v.dyp, n_out));
		CHECK(fabs(a - b) <= 1e-6 * most, "%s: convolution %zu: %g, adjoint in w %g", k->isa, i, a,
			b);
		tp_free(want);
		tp_free(dw);
		tp_free(y);
		tp_free(scratch);
		wino_free(&v);
	}
	return 0;
}

static int test_winograd_weight_gradient(void)
{
	return each_isa(wino_weight);
}

static int test_nothing_is_left(void)
{
	CHECK(tp_mem_live() == 0, "%ld allocations are left", tp_mem_live());
	return 0;
}

int main(void)
{
	return RUN(T(test_tables), T(test_pools), T(test_gradients_of_pools), T(test_global_pool),
		T(test_pointwise), T(test_batch_norm), T(test_a_mean_far_from_zero_costs_no_digits),
		T(test_weight_gradient_of_depthwise_convolutions), T(test_winograd),
		T(test_winograd_data_gradient), T(test_winograd_weight_gradient), T(test_nothing_is_left));
}
