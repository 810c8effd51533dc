/* Training steps of one network: forward, loss, backward, SGD with momentum. For bench/train/run.py, which runs peers
 * beside it.
 *
 *     train_bench NETWORK BATCH THREADS SECONDS [SIDE]
 *
 * Prints JSON: seconds of each step after the first two, the processor's seconds of all threads for a step, bytes of the
 * arena, the process's largest size. TRAIN_BENCH_OPS=1 adds milliseconds a step by op, on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "nn/learn.h"
#include "train/loss.h"
#include "train/optim.h"

enum { CLASSES = 1000 };

typedef struct {
	tp_net *net;
	tp_params p;
	tp_learner *l;
	tp_optim *o;
	float *in, *logits;
	double *rows;
	int *y;
	tp_param_group group;
} bench;

/* Any weights are as fast as any others, as long as nothing overflows. */
static void fill(bench *b, int batch, size_t image)
{
	tp_rng r = tp_rng_seed(1);
	for (size_t i = 0; i < tp_net_params(b->net); i++) {
		const tp_net_param *q = tp_net_param_at(b->net, i);
		size_t n = 1, fan = 1;
		for (int d = 0; d < q->ndim; d++) {
			n *= (size_t)q->dim[d];
			fan *= d ? (size_t)q->dim[d] : 1;
		}
		for (size_t k = 0; k < n && !q->buffer; k++)
			b->p.w[b->p.off[i] + k] = q->ndim > 1 ? (float)tp_rng_normal(&r) / (float)fan : 1;
	}
	for (size_t i = 0; i < (size_t)batch * image; i++)
		b->in[i] = (float)tp_rng_normal(&r);
	for (int i = 0; i < batch; i++)
		b->y[i] = i % CLASSES;
}

static tp_code init(bench *b, const char *name, const tp_learn_opts *o, tp_err *err)
{
	const tp_arch *a = tp_arch_find(name);
	tp_optim_opts oo = TP_OPTIM_OPTS_INIT;
	size_t n = (size_t)o->batch, image = 3 * (size_t)o->side * (size_t)o->side;
	if (!a)
		return tp_fail(err, TP_EINVAL, "\"%s\" is no network", name);
	tp_code rc = tp_net_new(&b->net, a, CLASSES, err);
	if (!rc)
		rc = tp_params_init(&b->p, b->net, err);
	if (!rc)
		rc = tp_learner_new(&b->l, b->net, &b->p, o, err);
	b->in = tp_alloc_aligned(n * image * sizeof(float));
	b->logits = tp_alloc_aligned(n * CLASSES * sizeof(float));
	b->rows = tp_alloc(n * sizeof(double));
	b->y = tp_alloc(n * sizeof(int));
	if (!rc && (!b->in || !b->logits || !b->rows || !b->y))
		rc = tp_nomem(err, n * image * sizeof(float));
	if (rc)
		return rc;
	fill(b, o->batch, image);
	b->group = (tp_param_group){ .name = "all", .count = b->p.n, .lr_scale = 1 };
	oo.kind = TP_SGD;
	oo.threads = o->threads;
	return tp_optim_new(&b->o, b->p.n, &b->group, 1, &oo, err);
}

static tp_code step(bench *b, int batch, tp_err *err)
{
	tp_targets y = { .a = b->y };
	tp_loss_opts lo = TP_LOSS_OPTS_INIT;
	double loss = 0;
	tp_code rc = tp_learner_forward(b->l, b->in, b->logits, 1, err);
	if (!rc)
		rc = tp_loss_softmax(
			&loss, b->rows, b->logits, b->logits, (size_t)batch, CLASSES, &y, &lo, err);
	if (!rc)
		rc = tp_learner_backward(b->l, b->logits, false, err);
	return rc ? rc : tp_optim_step(b->o, b->p.w, b->p.g, loss, 1e-4, NULL, err);
}

/* Milliseconds a step by op, on stderr: where the time goes. */
static void print_ops(const tp_learner *l, int steps)
{
	static const char *const pass[] = { "forward", "data", "weights" };
	for (size_t i = 0; i < tp_learner_ops(l); i++)
		if (tp_learner_op_seconds(l, i) > 0)
			fprintf(stderr, "%8.3f  %-8s %-32s %s\n", 1e3 * tp_learner_op_seconds(l, i) / steps,
				pass[i % 3], tp_learner_op_name(l, i), tp_learner_op_impl(l, i));
}

/* Of all threads: what a busy machine changes least. */
static double processor_seconds(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
	bench b = { 0 };
	tp_err err = { 0 };
	if (argc < 5)
		return fprintf(stderr, "train_bench NETWORK BATCH THREADS SECONDS [SIDE]\n"), 2;
	tp_learn_opts o = { .batch = (int)strtol(argv[2], NULL, 10),
		.threads = (int)strtol(argv[3], NULL, 10),
		.side = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 224 };
	double most = strtod(argv[4], NULL);
	tp_code rc = init(&b, argv[1], &o, &err);
	int steps = 0;
	for (; steps < 2 && !rc; steps++)
		rc = step(&b, o.batch, &err);
	double t0 = tp_now(), t = t0, busy = processor_seconds();
	int warm = steps;
	printf("{\"seconds\": [");
	for (int i = 0; !rc && (i == 0 || t - t0 < most); i++, steps++) {
		double from = tp_now();
		rc = step(&b, o.batch, &err);
		t = tp_now();
		printf("%s%.5f", i ? ", " : "", t - from);
	}
	busy = (processor_seconds() - busy) / (steps > warm ? steps - warm : 1);
	if (getenv("TRAIN_BENCH_OPS") && b.l)
		print_ops(b.l, steps);
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("], \"processor\": %.5f, \"arena_mib\": %.1f, \"peak_mib\": %.1f}\n", busy,
		b.l ? (double)tp_learner_arena_bytes(b.l) / 1048576 : 0, (double)u.ru_maxrss / 1024);
	if (rc)
		fprintf(stderr, "train_bench: %s\n", err.msg);
	return rc ? 1 : 0;
}
