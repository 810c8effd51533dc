/* Kernels of ours beside oneDNN's, layer by layer, one thread, in one run: rounds take turns, medians are printed.
 *
 *   kernel_bench [BATCH [ROUNDS [dense|depthwise|planes]]]        ONEDNN_MAX_CPU_ISA=AVX2 for blocks of 8
 *
 * Columns: what, its shape, oneDNN's milliseconds and ours (with GFLOP/s counted as a direct convolution has them, or
 * GB/s read and written), and how many times faster ours is. Weights are transformed outside the clock; what that costs
 * has lines of its own. Forward, every call has another copy of the weights, so that they come from memory as in a
 * network, where the other layers' have displaced them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "nn/dnnl_shim.h"

/* A dense (k == 0: 3x3) or depthwise layer: planes of h x h. */
typedef struct {
	const char *net;
	int c, oc, h, k, stride;
} layer;

static const layer dense[] = {
	{ "bn-inception", 64, 192, 56, 0, 1 },
	{ "bn-inception", 64, 64, 28, 0, 1 },
	{ "bn-inception", 64, 96, 28, 0, 1 },
	{ "bn-inception", 96, 96, 28, 0, 1 },
	{ "bn-inception", 96, 128, 14, 0, 1 },
	{ "bn-inception", 128, 128, 14, 0, 1 },
	{ "bn-inception", 128, 160, 14, 0, 1 },
	{ "bn-inception", 160, 160, 14, 0, 1 },
	{ "bn-inception", 128, 192, 14, 0, 1 },
	{ "bn-inception", 160, 192, 14, 0, 1 },
	{ "bn-inception", 192, 192, 14, 0, 1 },
	{ "bn-inception", 192, 256, 14, 0, 1 },
	{ "bn-inception", 192, 320, 7, 0, 1 },
	{ "bn-inception", 160, 224, 7, 0, 1 },
	{ "bn-inception", 224, 224, 7, 0, 1 },
	{ "bn-inception", 192, 224, 7, 0, 1 },
	{ "resnet-50", 64, 64, 56, 0, 1 },
	{ "resnet-50", 128, 128, 28, 0, 1 },
	{ "resnet-50", 256, 256, 14, 0, 1 },
	{ "resnet-50", 512, 512, 7, 0, 1 },
	{ "bn-inception", 128, 160, 28, 0, 2 },
	{ "bn-inception", 96, 96, 28, 0, 2 },
	{ "bn-inception", 192, 256, 14, 0, 2 },
	{ "resnet-50", 128, 128, 56, 0, 2 },
	{ "resnet-50", 256, 256, 28, 0, 2 },
	{ "resnet-50", 512, 512, 14, 0, 2 },
	{ "other sides", 192, 192, 4, 0, 1 },
	{ "other sides", 192, 192, 5, 0, 1 },
	{ "other sides", 192, 192, 6, 0, 1 },
	{ "other sides", 192, 192, 8, 0, 1 },
	{ "other sides", 192, 192, 9, 0, 1 },
	{ "other sides", 192, 192, 10, 0, 1 },
	{ "other sides", 192, 192, 12, 0, 1 },
	{ "other sides", 32, 32, 40, 0, 1 },
	{ "other sides", 16, 16, 40, 0, 1 },
};

static const layer deep[] = {
	{ "lite0", 32, 32, 112, 3, 1 },
	{ "lite0", 96, 96, 112, 3, 2 },
	{ "lite0", 144, 144, 56, 3, 1 },
	{ "lite0", 144, 144, 56, 5, 2 },
	{ "lite0", 240, 240, 28, 5, 1 },
	{ "lite0", 240, 240, 28, 3, 2 },
	{ "lite0", 480, 480, 14, 3, 1 },
	{ "lite0", 480, 480, 14, 5, 1 },
	{ "lite0", 672, 672, 14, 5, 1 },
	{ "lite0", 672, 672, 14, 5, 2 },
	{ "lite0", 1152, 1152, 7, 5, 1 },
	{ "lite0", 1152, 1152, 7, 3, 1 },
};

#define LEN(a) (sizeof(a) / sizeof *(a))

static const tp_kernels *k;
static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_format_tag_t tag;
static int rounds = 7;

static void must(dnnl_status_t s, const char *what)
{
	if (s) {
		fprintf(stderr, "kernel_bench: %s: oneDNN status %d\n", what, (int)s);
		exit(1);
	}
}

static float *made_up(size_t n)
{
	float *v = tp_alloc_aligned(n * sizeof *v);
	for (size_t i = 0; v && i < n; i++)
		v[i] = (float)(i * 2654435761u >> 8 & 0xffff) / 32768 - 1;
	return v;
}

/* ---- oneDNN ----------------------------------------------------------------------------------------------------- */

enum { COLD = 96 << 20, MAX_COPIES = 1024 };

typedef struct {
	dnnl_primitive_t prim;
	dnnl_exec_arg_t arg[5];
	int n;
	dnnl_memory_t w[MAX_COPIES]; /* forward: taken in turn */
	int copies, turn;
} theirs;

/* So many copies of n floats that none is left in a cache when its turn comes. */
static int copies_of(size_t n)
{
	size_t copies = COLD / (n * sizeof(float)) + 1;
	return copies < MAX_COPIES ? (int)copies : MAX_COPIES;
}

static dnnl_memory_t memory(tp_cmd md, void *p)
{
	dnnl_memory_t m = NULL;
	must(dnnl_memory_create(&m, md, engine, p), "memory");
	return m;
}

static dnnl_memory_t queried(const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
	tp_cmd md = dnnl_primitive_desc_query_md(pd, what, 0);
	return memory(md, made_up(dnnl_memory_desc_get_size(md) / sizeof(float) + 16));
}

typedef struct {
	tp_md src, w, b, dst;
} descs;

static descs describe(const tp_geo *g)
{
	descs d;
	dnnl_dims_t src = { g->n, g->c, g->h, g->w }, dst = { g->n, g->oc, g->oh, g->ow }, b = { g->oc };
	dnnl_dims_t w = { g->oc, g->c, g->kh, g->kw };
	dnnl_dims_t wg = { g->groups, g->oc / g->groups, g->c / g->groups, g->kh, g->kw };
	must(tp_md_init(&d.src, 4, src, tag), "source");
	must(tp_md_init(&d.dst, 4, dst, tag), "destination");
	must(tp_md_init(&d.b, 1, b, dnnl_x), "bias");
	must(tp_md_init(&d.w, g->groups > 1 ? 5 : 4, g->groups > 1 ? wg : w, dnnl_format_tag_any), "weights");
	return d;
}

static theirs theirs_fwd(const tp_geo *g, float *x, float *y)
{
	theirs t = { .n = 5 };
	descs d = describe(g);
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t pd = NULL;
	must(tp_attr_new(&attr, false, TP_ACT_RELU), "attributes");
	must(tp_conv_pd(&pd, engine, &d.src, &d.w, &d.b, &d.dst, g, attr), "convolution");
	must(dnnl_primitive_create(&t.prim, pd), "convolution");
	t.arg[0] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, memory(TP_CMD(&d.src), x) };
	t.arg[1] = (dnnl_exec_arg_t){ DNNL_ARG_WEIGHTS, queried(pd, dnnl_query_weights_md) };
	t.copies = copies_of((size_t)g->oc * (size_t)g->c * 9);
	for (int i = 0; i < t.copies; i++)
		t.w[i] = queried(pd, dnnl_query_weights_md);
	t.arg[2] = (dnnl_exec_arg_t){ DNNL_ARG_BIAS, memory(TP_CMD(&d.b), made_up((size_t)g->oc)) };
	t.arg[3] = (dnnl_exec_arg_t){ DNNL_ARG_DST, memory(TP_CMD(&d.dst), y) };
	t.arg[4] = (dnnl_exec_arg_t){ DNNL_ARG_SCRATCHPAD, queried(pd, dnnl_query_scratchpad_md) };
	return t;
}

static theirs theirs_dw(const tp_geo *g, float *x, float *dy)
{
	theirs t = { .n = 3 };
	descs d = describe(g);
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t hint = NULL, pd = NULL;
	int bottom = (g->oh - 1) * g->stride + g->kh - g->h - g->top;
	int right = (g->ow - 1) * g->stride + g->kw - g->w - g->left;
	const dnnl_dims_t s = { g->stride, g->stride }, o = { 0, 0 }, l = { g->top, g->left },
			  r = { bottom > 0 ? bottom : 0, right > 0 ? right : 0 };
	must(tp_attr_new(&attr, false, TP_ACT_NONE), "attributes");
	must(tp_conv_pd(&hint, engine, &d.src, &d.w, &d.b, &d.dst, g, attr), "hint");
#if DNNL_VERSION_MAJOR >= 3
	must(dnnl_convolution_backward_weights_primitive_desc_create(
		     &pd, engine, dnnl_convolution_direct, d.src, d.w, NULL, d.dst, s, o, l, r, hint, NULL),
		"weight gradient");
#else
	dnnl_convolution_desc_t c;
	must(dnnl_dilated_convolution_backward_weights_desc_init(
		     &c, dnnl_convolution_direct, &d.src, &d.w, NULL, &d.dst, s, o, l, r),
		"weight gradient");
	must(dnnl_primitive_desc_create(&pd, &c, NULL, engine, hint), "weight gradient");
#endif
	must(dnnl_primitive_create(&t.prim, pd), "weight gradient");
	t.arg[0] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, memory(TP_CMD(&d.src), x) };
	t.arg[1] = (dnnl_exec_arg_t){ DNNL_ARG_DIFF_DST, memory(TP_CMD(&d.dst), dy) };
	t.arg[2] = (dnnl_exec_arg_t){ DNNL_ARG_DIFF_WEIGHTS, queried(pd, dnnl_query_diff_weights_md) };
	return t;
}

/* ---- timing ----------------------------------------------------------------------------------------------------- */

/* All a kernel of ours may want. */
typedef struct {
	tp_geo g;
	float *x, *y, *z, *w, *u, *b, *scratch;
	double *sum;
	tp_norm norm;
	size_t n_u; /* u holds `copies` of so many, taken in turn */
	int copies, turn;
} layer_data;
typedef void (*ours)(layer_data *d);

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void once(theirs *t, ours f, layer_data *d)
{
	if (f) {
		f(d);
		return;
	}
	if (t->copies)
		t->arg[1].memory = t->w[t->turn++ % t->copies];
	must(dnnl_primitive_execute(t->prim, stream, t->n, t->arg), "execute");
	must(dnnl_stream_wait(stream), "wait");
}

/* Seconds of this thread, so that a busy neighbour takes less of the clock with it. */
static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds a call, of as many calls as take 10 ms. */
static double timed(theirs *t, ours f, layer_data *d)
{
	int n = 0;
	double start = now(), end;
	do {
		once(t, f, d);
		n++;
		end = now();
	} while (end - start < 0.01);
	return (end - start) / n;
}

/* t may be NULL. `work` is what a call does, in 1e9 of `unit`. */
static void compare(
	const char *what, const layer *l, theirs *t, ours f, layer_data *d, double work, const char *unit)
{
	double a[64] = { 0 }, b[64] = { 0 };
	for (int i = -1; i < rounds; i++) {
		double their = t ? timed(t, NULL, d) : 0, our = timed(NULL, f, d);
		if (i >= 0) {
			a[i] = their;
			b[i] = our;
		}
	}
	qsort(a, (size_t)rounds, sizeof *a, cmp);
	qsort(b, (size_t)rounds, sizeof *b, cmp);
	double their = a[rounds / 2], our = b[rounds / 2];
	printf("%-14s %-12s %4d -> %4d @ %3d s%d  ", what, l->net, l->c, l->oc, l->h, l->stride);
	if (t)
		printf("%9.3f ms (%6.1f)  %9.3f ms (%6.1f %s)  x%.2f\n", 1e3 * their, work / their, 1e3 * our,
			work / our, unit, their / our);
	else
		printf("%30s %9.3f ms (%6.1f %s)\n", "", 1e3 * our, work / our, unit);
	fflush(stdout);
}

/* ---- the kernels ------------------------------------------------------------------------------------------------ */

static void run_wino(layer_data *d)
{
	const float *u = d->u + (size_t)(d->turn++ % d->copies) * d->n_u;
	k->wino_conv(d->y, d->x, u, d->b, false, TP_ACT_RELU, &d->g, 0, tp_wino_tiles(&d->g), 0,
		d->g.oc / k->block, d->scratch);
}

static void run_wino_dw(layer_data *d)
{
	k->wino_dw(d->w, d->x, d->z, &d->g, 0, d->g.c / k->block, d->scratch);
}

static void run_wino_back(layer_data *d)
{
	const float *u = d->u + (size_t)(d->turn++ % d->copies) * d->n_u;
	k->wino_back(d->x, d->z, u, &d->g, 0, d->g.c / k->block, d->scratch);
}

static void run_wino_weights(layer_data *d)
{
	k->wino_weights(d->u, d->w, d->g.oc, d->g.c, d->g.stride, false, 0, d->g.oc / k->block);
}

static void run_depthwise(layer_data *d)
{
	k->depthwise_dw(d->w, d->x, d->z, &d->g, 0, (d->g.c + k->block - 1) / k->block, d->scratch);
}

static int blocks_in(const tp_geo *g)
{
	return g->n * ((g->c + k->block - 1) / k->block);
}

static void run_max(layer_data *d)
{
	k->max_pool(d->y, d->x, &d->g, 0, blocks_in(&d->g));
}

static void run_avg(layer_data *d)
{
	k->avg_pool(d->y, d->x, &d->g, 0, blocks_in(&d->g));
}

static void run_max_back(layer_data *d)
{
	k->max_pool_back(d->y, d->z, d->x, &d->g, 0, blocks_in(&d->g));
}

static void run_avg_back(layer_data *d)
{
	k->avg_pool_back(d->y, d->z, &d->g, 0, blocks_in(&d->g));
}

static void run_sums(layer_data *d)
{
	k->norm_sums(d->sum, d->sum + d->g.c, d->x, &d->g, 0, blocks_in(&d->g));
}

static void run_apply(layer_data *d)
{
	k->norm_apply(d->y, d->x, NULL, &d->norm, TP_ACT_RELU, &d->g, 0, blocks_in(&d->g));
}

static void run_back_sums(layer_data *d)
{
	k->norm_back_sums(
		d->sum, d->sum + d->g.c, d->z, NULL, d->x, &d->norm, TP_ACT_RELU, &d->g, 0, blocks_in(&d->g));
}

static void run_back(layer_data *d)
{
	k->norm_back(d->y, NULL, d->z, NULL, d->x, &d->norm, d->sum, d->sum + d->g.c, 1e6, TP_ACT_RELU, &d->g,
		0, blocks_in(&d->g));
}

/* Both planes and weights of any kind fit. */
static layer_data layer_new(tp_geo g, size_t scratch)
{
	size_t side = (size_t)(g.h > g.oh ? g.h : g.oh), most = (size_t)(g.c > g.oc ? g.c : g.oc);
	size_t n = (size_t)g.n * (most + 16) * side * side, w = (size_t)g.oc * (size_t)g.c * 9;
	size_t wg = (size_t)g.c * 25, n_u = g.groups > 1 ? 1 : 4 * w, copies = (size_t)copies_of(n_u);
	return (layer_data){ .g = g,
		.x = made_up(n),
		.y = made_up(n),
		.z = made_up(n),
		.w = made_up(g.groups > 1 ? wg : w),
		.u = made_up(g.groups > 1 ? 1 : n_u * copies),
		.n_u = n_u,
		.copies = (int)copies,
		.b = made_up(most),
		.scratch = made_up(scratch + 16),
		.sum = tp_calloc(2 * most, sizeof(double)) };
}

static void layer_free(layer_data *d)
{
	float *all[] = { d->x, d->y, d->z, d->w, d->u, d->b, d->scratch };
	for (size_t i = 0; i < LEN(all); i++)
		tp_free_aligned(all[i]);
	tp_free(d->sum);
}

static void bench_dense(int batch, const layer *l)
{
	tp_geo g = { .n = batch,
		.c = l->c,
		.oc = l->oc,
		.h = l->h,
		.w = l->h,
		.oh = (l->h + l->stride - 1) / l->stride,
		.ow = (l->h + l->stride - 1) / l->stride,
		.kh = 3,
		.kw = 3,
		.stride = l->stride,
		.top = 1,
		.left = 1,
		.groups = 1 };
	size_t a = k->wino_scratch(&g), b = k->wino_dw_scratch(&g, l->c / k->block);
	layer_data d = layer_new(g, a > b ? a : b);
	double flop = 18e-9 * batch * l->c * l->oc * g.oh * g.ow;
	theirs fwd = theirs_fwd(&g, d.x, d.y), dw = theirs_dw(&g, d.x, d.z);
	compare("winograd", l, &fwd, run_wino, &d, flop, "GFLOP/s");
	compare("winograd dw", l, &dw, run_wino_dw, &d, flop, "GFLOP/s");
	if (l->stride == 2)
		compare("winograd back", l, NULL, run_wino_back, &d, flop, "GFLOP/s");
	compare("wino weights", l, NULL, run_wino_weights, &d, 45e-9 * 4 * l->c * l->oc, "GB/s");
	dnnl_primitive_destroy(fwd.prim);
	dnnl_primitive_destroy(dw.prim);
	layer_free(&d);
}

static void bench_deep(int batch, const layer *l)
{
	int out = (l->h + l->stride - 1) / l->stride, pad = (out - 1) * l->stride + l->k - l->h;
	tp_geo g = { .n = batch,
		.c = l->c,
		.oc = l->c,
		.h = l->h,
		.w = l->h,
		.oh = out,
		.ow = out,
		.kh = l->k,
		.kw = l->k,
		.stride = l->stride,
		.top = pad / 2,
		.left = pad / 2,
		.groups = l->c };
	layer_data d = layer_new(g, k->depthwise_scratch(&g));
	theirs dw = theirs_dw(&g, d.x, d.z);
	char what[32];
	snprintf(what, sizeof what, "depthwise%d dw", l->k);
	compare(what, l, &dw, run_depthwise, &d, 2e-9 * batch * l->c * out * out * l->k * l->k, "GFLOP/s");
	dnnl_primitive_destroy(dw.prim);
	layer_free(&d);
}

/* Pools of 3x3 and batch-norm with ReLU over c channels of h x h. */
static void bench_planes(int batch, int c, int h, int stride)
{
	layer l = { "", c, c, h, 3, stride };
	int out = stride == 1 ? h : h / 2;
	tp_geo g = { .n = batch,
		.c = c,
		.oc = c,
		.h = h,
		.w = h,
		.oh = out,
		.ow = out,
		.kh = 3,
		.kw = 3,
		.stride = stride,
		.top = stride == 1,
		.left = stride == 1,
		.groups = 1 };
	layer_data d = layer_new(g, 0);
	double in = 4e-9 * batch * c * h * h, pooled = 4e-9 * batch * c * out * out;
	d.norm = (tp_norm){ d.b, d.b, d.b, d.b };
	compare("max pool", &l, NULL, run_max, &d, in + pooled, "GB/s");
	compare("avg pool", &l, NULL, run_avg, &d, in + pooled, "GB/s");
	compare("max pool back", &l, NULL, run_max_back, &d, 2 * in + pooled, "GB/s");
	compare("avg pool back", &l, NULL, run_avg_back, &d, in + pooled, "GB/s");
	if (stride == 1) {
		compare("norm sums", &l, NULL, run_sums, &d, in, "GB/s");
		compare("norm apply", &l, NULL, run_apply, &d, 2 * in, "GB/s");
		compare("norm back sums", &l, NULL, run_back_sums, &d, 2 * in, "GB/s");
		compare("norm back", &l, NULL, run_back, &d, 3 * in, "GB/s");
	}
	layer_free(&d);
}

extern void omp_set_num_threads(int n) __attribute__((weak));

int main(int argc, char **argv)
{
	int batch = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1;
	const char *only = argc > 3 ? argv[3] : "";
	if (argc > 2)
		rounds = (int)strtol(argv[2], NULL, 10);
	if (batch < 1 || rounds < 1 || rounds > 64) {
		fprintf(stderr, "usage: kernel_bench [BATCH [ROUNDS [dense|depthwise|planes]]]\n");
		return 2;
	}
	if (omp_set_num_threads)
		omp_set_num_threads(1);
	int block = tp_dnnl_block() ? tp_dnnl_block() : 4; /* NEON, beside oneDNN's references */
	k = tp_kernels_best(block);
	tag = tp_dnnl_tag(block);
	if (!k) {
		fprintf(stderr, "no kernels in blocks of %d for this processor\n", block);
		return 1;
	}
	must(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
	must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
	printf("kernels %s, batch %d, %d rounds; oneDNN | ours\n", k->isa, batch, rounds);
	for (size_t i = 0; i < LEN(dense) && (!*only || !strcmp(only, "dense")); i++)
		bench_dense(batch, &dense[i]);
	for (size_t i = 0; i < LEN(deep) && (!*only || !strcmp(only, "depthwise")); i++)
		bench_deep(batch, &deep[i]);
	if (!*only || !strcmp(only, "planes")) {
		bench_planes(batch, 64, 112, 2);
		bench_planes(batch, 192, 28, 1);
		bench_planes(batch, 576, 14, 1);
		bench_planes(batch, 1024, 7, 1);
	}
	return 0;
}
