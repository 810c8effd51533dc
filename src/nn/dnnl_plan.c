/* The fast twin: convolutions by oneDNN or Winograd's kernels, in one blocked layout from end to end. See plan_int.h.
 *
 * The layout is ours to choose, not the library's: nChw16c with AVX-512, nChw8c below (docs/benchmarks.md has the
 * figures), none where oneDNN compiles nothing: see tp_dnnl_block(). Every primitive is made under the thread count it will run with, has its scratchpad from the exec, and
 * is only called from plain threads. The weights are folded already; here they are laid out once for each primitive. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "nn/dnnl_shim.h"
#include "nn/plan_int.h"

typedef struct {
	dnnl_primitive_desc_t pd;
	dnnl_primitive_t prim;
	tp_md src, dst, b;
	dnnl_memory_t w_mem, b_mem; /* shared, read only */
	float *w, *bias;            /* what they hold */
	bool wino;                  /* by a kernel of ours: no primitive, w is transformed */
} fast_conv;

struct tp_fast {
	dnnl_engine_t engine;
	const tp_kernels *k; /* for what is no convolution */
	dnnl_format_tag_t tag;
	fast_conv *conv; /* one a step; empty for steps that are no convolution */
	int n;
	size_t scratchpad; /* bytes */
};

typedef struct {
	dnnl_memory_t src, dst, scratch;
	dnnl_exec_arg_t arg[5];
} bound; /* a convolution's arguments for one exec */

struct tp_fast_exec {
	dnnl_stream_t stream;
	bound *conv;
	int n;
	uint8_t *scratchpad;
};

static dnnl_status_t describe(
	fast_conv *c, tp_md *w_user, tp_md *w_any, const tp_step *s, dnnl_format_tag_t tag)
{
	const tp_geo *g = &s->geo;
	dnnl_dims_t src = { g->n, g->c, g->h, g->w }, dst = { g->n, g->oc, g->oh, g->ow }, b = { g->oc };
	dnnl_dims_t w = { g->oc, g->c, g->kh, g->kw };
	dnnl_dims_t wg = { g->groups, g->oc / g->groups, g->c / g->groups, g->kh, g->kw };
	bool grouped = g->groups > 1;
	dnnl_status_t rc = tp_md_init(&c->src, 4, src, s->src < 0 ? dnnl_nchw : tag);
	if (!rc)
		rc = tp_md_init(&c->dst, 4, dst, tag);
	if (!rc)
		rc = tp_md_init(&c->b, 1, b, dnnl_x);
	if (!rc)
		rc = tp_md_init(w_user, grouped ? 5 : 4, grouped ? wg : w, grouped ? dnnl_goihw : dnnl_oihw);
	if (!rc)
		rc = tp_md_init(w_any, grouped ? 5 : 4, grouped ? wg : w, dnnl_format_tag_any);
	return rc;
}

static dnnl_status_t make_conv(tp_fast *f, fast_conv *c, const tp_step *s, tp_md *w_any)
{
	dnnl_primitive_attr_t attr = NULL;
	dnnl_status_t rc = tp_attr_new(&attr, s->add >= 0, s->act);
	if (!rc)
		rc = tp_conv_pd(&c->pd, f->engine, &c->src, w_any, &c->b, &c->dst, &s->geo, attr);
	if (!rc)
		rc = dnnl_primitive_create(&c->prim, c->pd);
	if (attr)
		dnnl_primitive_attr_destroy(attr);
	return rc;
}

/* Lays the folded weights out as the primitive wants them. */
static tp_code bind_weights(tp_fast *f, fast_conv *c, tp_step *s, const tp_md *w_user, tp_err *err)
{
	tp_cmd want = dnnl_primitive_desc_query_md(c->pd, dnnl_query_weights_md, 0);
	size_t bytes = dnnl_memory_desc_get_size(want);
	dnnl_primitive_desc_t rpd = NULL;
	dnnl_primitive_t reorder = NULL;
	dnnl_memory_t from = NULL;
	dnnl_stream_t stream = NULL;
	c->w = tp_alloc_aligned(bytes);
	if (!c->w)
		return tp_nomem(err, bytes);
	dnnl_status_t rc = dnnl_memory_create(&from, TP_CMD(w_user), f->engine, s->w);
	if (!rc)
		rc = dnnl_memory_create(&c->w_mem, want, f->engine, c->w);
	if (!rc)
		rc = tp_reorder_pd(&rpd, f->engine, TP_CMD(w_user), want);
	if (!rc)
		rc = dnnl_primitive_create(&reorder, rpd);
	if (!rc)
		rc = dnnl_stream_create(&stream, f->engine, dnnl_stream_default_flags);
	if (!rc) {
		dnnl_exec_arg_t arg[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, c->w_mem } };
		rc = dnnl_primitive_execute(reorder, stream, 2, arg);
	}
	if (!rc)
		rc = dnnl_stream_wait(stream);
	if (!rc)
		rc = dnnl_memory_create(&c->b_mem, TP_CMD(&c->b), f->engine, s->b);
	if (stream)
		dnnl_stream_destroy(stream);
	if (reorder)
		dnnl_primitive_destroy(reorder);
	if (rpd)
		dnnl_primitive_desc_destroy(rpd);
	if (from)
		dnnl_memory_destroy(from);
	if (rc)
		return tp_dnnl_fail(err, rc, s->name);
	c->bias = s->b; /* moved from the step; the plain copy of w is not needed any more */
	s->b = NULL;
	tp_free_aligned(s->w);
	s->w = NULL;
	return TP_OK;
}

static void grow(size_t *at, size_t n)
{
	if (n > *at)
		*at = n;
}

static tp_code fast_conv_init(tp_fast *f, tp_plan *p, int i, tp_err *err)
{
	fast_conv *c = &f->conv[i];
	tp_step *s = &p->step[i];
	tp_md w_user = { 0 }, w_any = { 0 };
	const char *impl = "?";
	dnnl_status_t st = describe(c, &w_user, &w_any, s, f->tag);
	if (!st)
		st = make_conv(f, c, s, &w_any);
	tp_code rc = st ? tp_dnnl_fail(err, st, s->name) : bind_weights(f, c, s, &w_user, err);
	tp_md_free(&w_user);
	tp_md_free(&w_any);
	if (rc)
		return rc;
	dnnl_primitive_desc_query(c->pd, dnnl_query_impl_info_str, 0, (void *)&impl);
	snprintf(s->impl, sizeof s->impl, "%s", impl);
	tp_cmd scratch = dnnl_primitive_desc_query_md(c->pd, dnnl_query_scratchpad_md, 0);
	if (scratch)
		grow(&f->scratchpad, dnnl_memory_desc_get_size(scratch));
	return TP_OK;
}

/* With several threads to an op it is left to oneDNN, which shares it out. */
static bool wino_fits(const tp_fast *f, const tp_plan *p, const tp_step *s)
{
	return f->k->native && !p->opts.direct && p->op_threads == 1 && s->src >= 0 && s->geo.stride == 1 &&
	       tp_wino_can(&s->geo, f->k->block) && tp_wino_pays(&s->geo);
}

static tp_code fast_wino_init(tp_fast *f, fast_conv *c, tp_step *s, tp_err *err)
{
	const tp_geo *g = &s->geo;
	size_t n = 36 * (size_t)g->oc * (size_t)g->c;
	c->w = tp_alloc_aligned(n * sizeof *c->w);
	if (!c->w)
		return tp_nomem(err, n * sizeof *c->w);
	f->k->wino_weights(c->w, s->w, g->oc, g->c, g->stride, false, 0, g->oc / f->k->block);
	c->wino = true;
	c->bias = s->b; /* moved from the step; the plain copy of w is not needed any more */
	s->b = NULL;
	tp_free_aligned(s->w);
	s->w = NULL;
	snprintf(s->impl, sizeof s->impl, "kernel:%s winograd", f->k->isa);
	grow(&f->scratchpad, f->k->wino_scratch(g) * sizeof(float));
	return TP_OK;
}

static tp_code choose_layout(tp_fast *f, tp_err *err)
{
	int block = tp_dnnl_block();
	if (!block)
		return tp_fail(err, TP_EBACKEND, "oneDNN has no compiled kernels for this processor");
	f->k = tp_kernels_best(block);
	f->tag = tp_dnnl_tag(block);
	return TP_OK;
}

/* Whole blocks of channels. */
static size_t floats_of(const tp_fast *f, int channels, int area)
{
	return (size_t)((channels + f->k->block - 1) / f->k->block * f->k->block) * (size_t)area;
}

tp_code tp_fast_new(tp_fast **out, tp_plan *p, tp_err *err)
{
	tp_fast *f = tp_calloc(1, sizeof *f);
	if (!f)
		return tp_nomem(err, sizeof *f);
	int threads = tp_dnnl_threads(p->op_threads);
	tp_code rc = choose_layout(f, err);
	f->n = p->n_steps;
	f->conv = tp_calloc((size_t)f->n, sizeof *f->conv);
	if (!rc && !f->conv)
		rc = tp_nomem(err, (size_t)f->n * sizeof *f->conv);
	if (!rc) {
		dnnl_status_t st = dnnl_engine_create(&f->engine, dnnl_cpu, 0);
		if (st)
			rc = tp_dnnl_fail(err, st, "engine");
	}
	for (int i = 0; i < p->n_pieces && !rc; i++)
		p->piece[i].bytes = floats_of(f, p->piece[i].channels, p->piece[i].area) * sizeof(float);
	for (int i = 0; i < f->n && !rc; i++) {
		if (p->step[i].kind == TP_OP_CONV && wino_fits(f, p, &p->step[i]))
			rc = fast_wino_init(f, &f->conv[i], &p->step[i], err);
		else if (p->step[i].kind == TP_OP_CONV)
			rc = fast_conv_init(f, p, i, err);
		else
			snprintf(p->step[i].impl, sizeof p->step[i].impl, "kernel:%s", f->k->isa);
	}
	tp_dnnl_threads(threads);
	/* Past the layout a failure is a failure: half of the weights may have moved. */
	if (rc && f->engine) {
		if (rc == TP_EBACKEND)
			rc = TP_EINVAL;
		if (err)
			err->code = rc;
	}
	if (rc) {
		tp_fast_free(f);
		return rc;
	}
	*out = f;
	return TP_OK;
}

void tp_fast_free(tp_fast *f)
{
	if (!f)
		return;
	for (int i = 0; f->conv && i < f->n; i++) {
		fast_conv *c = &f->conv[i];
		if (c->prim)
			dnnl_primitive_destroy(c->prim);
		if (c->pd)
			dnnl_primitive_desc_destroy(c->pd);
		if (c->w_mem)
			dnnl_memory_destroy(c->w_mem);
		if (c->b_mem)
			dnnl_memory_destroy(c->b_mem);
		tp_md_free(&c->src);
		tp_md_free(&c->dst);
		tp_md_free(&c->b);
		tp_free_aligned(c->w);
		tp_free_aligned(c->bias);
	}
	if (f->engine)
		dnnl_engine_destroy(f->engine);
	tp_free(f->conv);
	tp_free(f);
}

static dnnl_status_t bind(bound *b, const tp_fast *f, const fast_conv *c, void *src, void *dst, void *scratch)
{
	tp_cmd smd = dnnl_primitive_desc_query_md(c->pd, dnnl_query_scratchpad_md, 0);
	dnnl_status_t rc = dnnl_memory_create(&b->src, TP_CMD(&c->src), f->engine, src);
	if (!rc)
		rc = dnnl_memory_create(&b->dst, TP_CMD(&c->dst), f->engine, dst);
	if (!rc)
		rc = dnnl_memory_create(&b->scratch, smd, f->engine, scratch);
	b->arg[0] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, b->src };
	b->arg[1] = (dnnl_exec_arg_t){ DNNL_ARG_WEIGHTS, c->w_mem };
	b->arg[2] = (dnnl_exec_arg_t){ DNNL_ARG_BIAS, c->b_mem };
	b->arg[3] = (dnnl_exec_arg_t){ DNNL_ARG_DST, b->dst };
	b->arg[4] = (dnnl_exec_arg_t){ DNNL_ARG_SCRATCHPAD, b->scratch };
	return rc;
}

tp_code tp_fast_exec_new(tp_fast_exec **out, const tp_plan *p, uint8_t *arena, tp_err *err)
{
	const tp_fast *f = p->fast;
	tp_fast_exec *x = tp_calloc(1, sizeof *x);
	if (!x)
		return tp_nomem(err, sizeof *x);
	tp_code rc = TP_OK;
	x->n = f->n;
	x->conv = tp_calloc((size_t)f->n, sizeof *x->conv);
	x->scratchpad = tp_alloc_aligned(f->scratchpad + 64);
	if (!x->conv || !x->scratchpad)
		rc = tp_nomem(err, f->scratchpad);
	dnnl_status_t st =
		rc ? dnnl_success : dnnl_stream_create(&x->stream, f->engine, dnnl_stream_default_flags);
	for (int i = 0; i < f->n && !rc && !st; i++) {
		const tp_step *s = &p->step[i];
		if (f->conv[i].prim) /* the input's handle is set when it is known: arena stands in */
			st = bind(&x->conv[i], f, &f->conv[i],
				arena + (s->src < 0 ? 0 : p->piece[s->src].offset),
				arena + p->piece[s->dst].offset, x->scratchpad);
	}
	if (st)
		rc = tp_dnnl_fail(err, st, "exec");
	if (rc) {
		tp_fast_exec_free(x);
		return rc;
	}
	*out = x;
	return TP_OK;
}

void tp_fast_exec_free(tp_fast_exec *x)
{
	if (!x)
		return;
	for (int i = 0; x->conv && i < x->n; i++) {
		if (x->conv[i].src)
			dnnl_memory_destroy(x->conv[i].src);
		if (x->conv[i].dst)
			dnnl_memory_destroy(x->conv[i].dst);
		if (x->conv[i].scratch)
			dnnl_memory_destroy(x->conv[i].scratch);
	}
	if (x->stream)
		dnnl_stream_destroy(x->stream);
	tp_free(x->conv);
	tp_free_aligned(x->scratchpad);
	tp_free(x);
}

static void run_wino(tp_fast_exec *x, const tp_fast *f, int i, const tp_step *s, const float *src, float *dst)
{
	const fast_conv *c = &f->conv[i];
	f->k->wino_conv(dst, src, c->w, c->bias, s->add >= 0, s->act, &s->geo, 0, tp_wino_tiles(&s->geo), 0,
		s->geo.oc / f->k->block, (float *)(void *)x->scratchpad);
}

/* What is no convolution, by a kernel of ours. Standalone additions and activations work on whole blocks. */
static void run_kernel(
	const tp_fast *f, const tp_plan *p, uint8_t *arena, const tp_step *s, const float *src, float *dst)
{
	const tp_geo *g = &s->geo;
	int blocks = (g->c + f->k->block - 1) / f->k->block;
	size_t n = floats_of(f, g->oc, g->oh * g->ow);
	switch (s->kind) {
	case TP_OP_MAX_POOL:
		f->k->max_pool(dst, src, g, 0, blocks);
		break;
	case TP_OP_AVG_POOL:
		f->k->avg_pool(dst, src, g, 0, blocks);
		break;
	case TP_OP_GLOBAL_POOL:
		f->k->global_pool(dst, src, g);
		break;
	case TP_OP_ADD:
		f->k->add(dst, src, tp_piece_at(p, arena, s->add), n);
		break;
	case TP_OP_CONCAT:
		memcpy(dst + (size_t)s->at * (size_t)(g->h * g->w), src,
			floats_of(f, g->c, g->h * g->w) * sizeof *dst);
		break;
	default:
		(s->kind == TP_OP_RELU ? f->k->relu : f->k->relu6)(dst, src, n);
	}
	if (s->act == TP_ACT_RELU)
		f->k->relu(dst, dst, n);
	else if (s->act == TP_ACT_RELU6)
		f->k->relu6(dst, dst, n);
}

tp_code tp_fast_run(tp_fast_exec *x, const tp_plan *p, uint8_t *arena, const float *in, tp_err *err)
{
	const tp_fast *f = p->fast;
	tp_dnnl_threads(p->op_threads);
	for (int i = 0; i < p->n_steps; i++) {
		const tp_step *s = &p->step[i];
		const float *src = s->src < 0 ? in : tp_piece_at(p, arena, s->src);
		dnnl_status_t st = dnnl_success;
		if (s->kind != TP_OP_CONV) {
			run_kernel(f, p, arena, s, src, tp_piece_at(p, arena, s->dst));
			continue;
		}
		if (f->conv[i].wino) {
			run_wino(x, f, i, s, src, tp_piece_at(p, arena, s->dst));
			continue;
		}
		if (s->src < 0)
			st = dnnl_memory_set_data_handle(x->conv[i].src, (void *)(uintptr_t)in);
		if (!st)
			st = dnnl_primitive_execute(f->conv[i].prim, x->stream, 5, x->conv[i].arg);
		if (st)
			return tp_dnnl_fail(err, st, s->name);
	}
	dnnl_status_t st = dnnl_stream_wait(x->stream);
	return st ? tp_dnnl_fail(err, st, "stream") : TP_OK;
}

tp_code tp_gemm(float *c, const float *a, const float *b, int m, int n, int k, bool ta, bool tb, float alpha,
	float beta, int threads, tp_err *err)
{
	int before = tp_dnnl_threads(threads);
	dnnl_status_t st = dnnl_sgemm(
		ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, ta ? m : k, b, tb ? k : n, beta, c, n);
	tp_dnnl_threads(before);
	return st ? tp_dnnl_fail(err, st, "gemm") : TP_OK;
}

static char backend[64];

static void name_backend(void)
{
	const dnnl_version_t *v = dnnl_version();
	int block = tp_dnnl_block();
	if (!block) {
		snprintf(backend, sizeof backend, "plain C");
		return;
	}
	snprintf(backend, sizeof backend, "oneDNN %d.%d.%d, %s", v->major, v->minor, v->patch,
		block == 16  ? "AVX-512"
		: block == 8 ? "AVX2 or older"
			     : "references, NEON");
}

const char *tp_nn_backend(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, name_backend);
	return backend;
}
