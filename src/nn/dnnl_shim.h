/* What differs between oneDNN 2.6 (Debian 12) and 3.x (Debian 13), and nothing else: memory descriptors became
 * opaque, operation descriptors went away, two post-ops changed their arguments. */
#ifndef TP_NN_DNNL_SHIM_H
#define TP_NN_DNNL_SHIM_H

#include <dnnl.h>
#include <dnnl_version.h>
#include <stdbool.h>

#include "nn/plan_int.h"

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t tp_md; /* owned: tp_md_free() */
typedef const_dnnl_memory_desc_t tp_cmd;
#define TP_CMD(md) (*(md))
#else
typedef dnnl_memory_desc_t tp_md;
typedef const dnnl_memory_desc_t *tp_cmd;
#define TP_CMD(md) (md)
#endif

dnnl_status_t tp_md_init(tp_md *md, int ndims, const dnnl_dims_t dims, dnnl_format_tag_t tag); /* f32 */
void tp_md_free(tp_md *md);

dnnl_status_t tp_attr_new(dnnl_primitive_attr_t *attr, bool sum, tp_act act); /* user scratchpad */

/* Training, with a scratchpad of the user's: the forward pass, the data's gradient, the weights' gradient. b may be NULL;
 * forward is the primitive descriptor of the forward pass, for the other two. */
typedef enum { TP_PASS_FORWARD, TP_PASS_DATA, TP_PASS_WEIGHTS, TP_PASSES } tp_pass;
dnnl_status_t tp_conv_train_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, tp_pass pass, tp_cmd src,
	tp_cmd w, tp_cmd b, tp_cmd dst, const tp_geo *g, dnnl_primitive_desc_t forward);

/* Channels to a block of the layout for this processor: 16 with AVX-512, 8 on other x86 with SSE 4.1. 0: none, oneDNN
 * has no kernels that it compiles for this processor, and its references are slower than plain ops. That is so on ARM;
 * built with TP_DNNL_REFERENCE it is 4 there, and NEON's kernels run in networks. And that layout's tag. */
int tp_dnnl_block(void);
dnnl_format_tag_t tp_dnnl_tag(int block);

tp_code tp_dnnl_fail(tp_err *err, dnnl_status_t s, const char *what);
/* Threads that the calling thread's primitives use from now on; the number before. */
int tp_dnnl_threads(int n);

/* Forward, inference, direct algorithm. w: groups make it 5-D. */
dnnl_status_t tp_conv_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const tp_md *src, const tp_md *w,
	const tp_md *b, const tp_md *dst, const tp_geo *g, dnnl_primitive_attr_t attr);

dnnl_status_t tp_reorder_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, tp_cmd from, tp_cmd to);
/* The same, added to what is there. */
dnnl_status_t tp_reorder_add_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, tp_cmd from, tp_cmd to);
/* A part of a memory: entries first..first + n - 1 of its outermost dimension, whole blocks or up to its end. ndims and
 * dims are the whole's. */
dnnl_status_t tp_md_slice(tp_md *md, tp_cmd whole, int ndims, const dnnl_dims_t dims, int first, int n);

#endif
