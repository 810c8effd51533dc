/* oneDNN 2.6 and 3.x behind one face: see dnnl_shim.h. */
#include "nn/dnnl_shim.h"

#include <string.h>

#define V3 (DNNL_VERSION_MAJOR >= 3)

dnnl_status_t tp_md_init(tp_md *md, int ndims, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
#if V3
	return dnnl_memory_desc_create_with_tag(md, ndims, dims, dnnl_f32, tag);
#else
	return dnnl_memory_desc_init_by_tag(md, ndims, dims, dnnl_f32, tag);
#endif
}

void tp_md_free(tp_md *md)
{
#if V3
	if (*md)
		dnnl_memory_desc_destroy(*md);
	*md = NULL;
#else
	(void)md;
#endif
}

dnnl_status_t tp_attr_new(dnnl_primitive_attr_t *attr, bool sum, tp_act act)
{
	dnnl_post_ops_t ops = NULL;
	dnnl_alg_kind_t kind = act == TP_ACT_RELU ? dnnl_eltwise_relu : dnnl_eltwise_clip;
	float most = act == TP_ACT_RELU ? 0 : 6;
	dnnl_status_t rc = dnnl_primitive_attr_create(attr);
	if (!rc)
		rc = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
	if (!rc)
		rc = dnnl_post_ops_create(&ops);
#if V3
	if (!rc && sum)
		rc = dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
	if (!rc && act)
		rc = dnnl_post_ops_append_eltwise(ops, kind, 0, most);
#else
	if (!rc && sum)
		rc = dnnl_post_ops_append_sum(ops, 1);
	if (!rc && act)
		rc = dnnl_post_ops_append_eltwise(ops, 1, kind, 0, most);
#endif
	if (!rc)
		rc = dnnl_primitive_attr_set_post_ops(*attr, ops);
	if (ops)
		dnnl_post_ops_destroy(ops);
	return rc;
}

int tp_dnnl_block(void)
{
	dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
#if defined __x86_64__
	if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core)
		return 16;
	return isa & dnnl_cpu_isa_sse41 ? 8 : 0;
#elif defined __aarch64__ && defined TP_DNNL_REFERENCE
	(void)isa;
	return 4;
#else
	(void)isa;
	return 0;
#endif
}

dnnl_format_tag_t tp_dnnl_tag(int block)
{
	return block == 16 ? dnnl_nChw16c : block == 8 ? dnnl_nChw8c : dnnl_nChw4c;
}

/* Padding behind, so much that the last window ends with the picture or the padding; a remainder that no window
 * reaches counts as none. */
static int behind(int in, int out, int k, int stride, int before)
{
	int after = (out - 1) * stride + k - in - before;
	return after > 0 ? after : 0;
}

dnnl_status_t tp_conv_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tp_md *src, const tp_md *w,
	const tp_md *b, const tp_md *dst, const tp_geo *g, dnnl_primitive_attr_t attr)
{
	const dnnl_dims_t s = { g->stride, g->stride }, d = { 0, 0 }, l = { g->top, g->left },
			  r = { behind(g->h, g->oh, g->kh, g->stride, g->top),
				  behind(g->w, g->ow, g->kw, g->stride, g->left) };
#if V3
	return dnnl_convolution_forward_primitive_desc_create(pd, engine, dnnl_forward_inference,
		dnnl_convolution_direct, *src, *w, *b, *dst, s, d, l, r, attr);
#else
	dnnl_convolution_desc_t c;
	dnnl_status_t rc = dnnl_dilated_convolution_forward_desc_init(
		&c, dnnl_forward_inference, dnnl_convolution_direct, src, w, b, dst, s, d, l, r);
	return rc ? rc : dnnl_primitive_desc_create(pd, &c, attr, engine, NULL);
#endif
}

dnnl_status_t tp_conv_train_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, tp_pass pass, tp_cmd src,
	tp_cmd w, tp_cmd b, tp_cmd dst, const tp_geo *g, dnnl_primitive_desc_t forward)
{
	const dnnl_dims_t s = { g->stride, g->stride }, d = { 0, 0 }, l = { g->top, g->left },
			  r = { behind(g->h, g->oh, g->kh, g->stride, g->top),
				  behind(g->w, g->ow, g->kw, g->stride, g->left) };
	dnnl_primitive_attr_t attr = NULL;
	dnnl_status_t rc = dnnl_primitive_attr_create(&attr);
	if (!rc)
		rc = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
#if V3
	if (!rc && pass == TP_PASS_FORWARD)
		rc = dnnl_convolution_forward_primitive_desc_create(pd, engine, dnnl_forward_training,
			dnnl_convolution_direct, src, w, b, dst, s, d, l, r, attr);
	else if (!rc && pass == TP_PASS_DATA)
		rc = dnnl_convolution_backward_data_primitive_desc_create(
			pd, engine, dnnl_convolution_direct, src, w, dst, s, d, l, r, forward, attr);
	else if (!rc)
		rc = dnnl_convolution_backward_weights_primitive_desc_create(
			pd, engine, dnnl_convolution_direct, src, w, b, dst, s, d, l, r, forward, attr);
#else
	dnnl_convolution_desc_t c;
	if (!rc && pass == TP_PASS_FORWARD)
		rc = dnnl_dilated_convolution_forward_desc_init(
			&c, dnnl_forward_training, dnnl_convolution_direct, src, w, b, dst, s, d, l, r);
	else if (!rc && pass == TP_PASS_DATA)
		rc = dnnl_dilated_convolution_backward_data_desc_init(
			&c, dnnl_convolution_direct, src, w, dst, s, d, l, r);
	else if (!rc)
		rc = dnnl_dilated_convolution_backward_weights_desc_init(
			&c, dnnl_convolution_direct, src, w, b, dst, s, d, l, r);
	if (!rc)
		rc = dnnl_primitive_desc_create(
			pd, &c, attr, engine, pass == TP_PASS_FORWARD ? NULL : forward);
#endif
	if (attr)
		dnnl_primitive_attr_destroy(attr);
	return rc;
}

/* oneDNN's Debian builds bring libgomp; a build with another runtime has no such function, and needs none. */
extern void omp_set_num_threads(int n) __attribute__((weak));
extern int omp_get_max_threads(void) __attribute__((weak));

int tp_dnnl_threads(int n)
{
	int before = omp_get_max_threads ? omp_get_max_threads() : 1;
	if (omp_set_num_threads)
		omp_set_num_threads(n);
	return before;
}

tp_code tp_dnnl_fail(tp_err *err, dnnl_status_t s, const char *what)
{
	return tp_fail(
		err, s == dnnl_out_of_memory ? TP_ENOMEM : TP_EBACKEND, "%s: oneDNN status %d", what, (int)s);
}

dnnl_status_t tp_reorder_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, tp_cmd from, tp_cmd to)
{
	return dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, NULL);
}

dnnl_status_t tp_reorder_add_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, tp_cmd from, tp_cmd to)
{
	dnnl_post_ops_t ops = NULL;
	dnnl_primitive_attr_t attr = NULL;
	dnnl_status_t rc = dnnl_primitive_attr_create(&attr);
	if (!rc)
		rc = dnnl_post_ops_create(&ops);
#if V3
	if (!rc)
		rc = dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
#else
	if (!rc)
		rc = dnnl_post_ops_append_sum(ops, 1);
#endif
	if (!rc)
		rc = dnnl_primitive_attr_set_post_ops(attr, ops);
	if (!rc)
		rc = dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, attr);
	if (ops)
		dnnl_post_ops_destroy(ops);
	if (attr)
		dnnl_primitive_attr_destroy(attr);
	return rc;
}

dnnl_status_t tp_md_slice(tp_md *md, tp_cmd whole, int ndims, const dnnl_dims_t dims, int first, int n)
{
	dnnl_dims_t size, at = { first };
	memcpy(size, dims, (size_t)ndims * sizeof *size);
	size[0] = n;
#if V3
	return dnnl_memory_desc_create_submemory(md, whole, size, at);
#else
	return dnnl_memory_desc_init_submemory(md, whole, size, at);
#endif
}
