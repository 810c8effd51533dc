/* An epoch of fine-tuning from shards against the same steps on batches already in memory. For bench/epoch/run.py.
 *
 *     epoch_bench SHARDS NETWORK WEIGHTS PHOTOS BATCH THREADS LOADER_THREADS PRESET
 *
 * SHARDS is a folder that tepal data pack wrote; its first PHOTOS training photos are the epoch, in a shuffled order.
 * First the loader makes all batches, which stay in memory. Then an epoch on those and one from the shards, in blocks that
 * take turns; batches that are not the same bit for bit are an error. Prints JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "data/data.h"
#include "data/loader.h"
#include "nn/learn.h"
#include "train/loss.h"
#include "train/optim.h"

typedef struct {
	tp_manifest m;
	tp_labelled *samples;
	size_t *photo, n;
	uint32_t *order;
	tp_loader *loader;
	float *kept; /* n / batch batches */
	int *kept_labels;
	tp_weights *weights;
	const tp_arch *arch;
	tp_net *net;
	tp_params p;
	tp_learner *l;
	tp_optim *o;
	tp_param_group group;
	float *logits;
	double *rows;
	int batch, threads, classes, side;
	size_t image; /* floats of a photo */
} bench;

/* What a side took. */
typedef struct {
	double seconds, cpu, loss;
} epoch;
enum { BLOCK = 5 }; /* batches */

static tp_code read_sample(void *ud, size_t sample, uint8_t **bytes, size_t *len, tp_err *err)
{
	const bench *b = ud;
	return tp_photo_read(bytes, len, &b->m, b->photo[sample], err);
}

static tp_code init_loader(bench *b, size_t photos, int loader_threads, const char *preset, tp_err *err)
{
	tp_augment a;
	tp_loader_opts o = TP_LOADER_OPTS_INIT;
	const tp_arch *arch = b->arch;
	tp_code rc = tp_augment_preset(&a, preset, err);
	b->samples = tp_calloc(b->m.n_photos, sizeof *b->samples);
	b->photo = tp_calloc(b->m.n_photos, sizeof *b->photo);
	b->order = tp_calloc(b->m.n_photos, sizeof *b->order);
	if (!b->samples || !b->photo || !b->order)
		return tp_nomem(err, b->m.n_photos * sizeof *b->samples);
	/* every k-th, so that all species are there */
	size_t train = 0, k = 0;
	for (size_t i = 0; i < b->m.n_photos; i++)
		train += b->m.photos[i].split == TP_TRAIN;
	for (size_t i = 0; i < b->m.n_photos && b->n < photos; i++) {
		const tp_photo *p = &b->m.photos[i];
		if (p->split != TP_TRAIN || k++ * photos / train < b->n)
			continue;
		b->photo[b->n] = i;
		b->order[b->n] = (uint32_t)b->n;
		b->samples[b->n++] = (tp_labelled){ p->path, p->species };
	}
	b->n -= b->n % (size_t)b->batch;
	tp_rng r = tp_rng_seed(1);
	tp_rng_shuffle(&r, b->order, b->n);
	o.samples = b->samples, o.n_samples = b->n, o.read = read_sample, o.ud = b, o.augment = &a;
	o.prep = (tp_prep){ .side = b->side, .resize = b->side, .filter = TP_BICUBIC };
	memcpy(o.prep.mean, arch->mean, sizeof o.prep.mean);
	memcpy(o.prep.std, arch->std, sizeof o.prep.std);
	o.batch = b->batch, o.threads = loader_threads;
	return rc ? rc : tp_loader_new(&b->loader, &o, err);
}

static tp_code init(bench *b, char **argv, tp_err *err)
{
	const tp_arch *arch = b->arch = tp_arch_find(argv[2]);
	b->batch = (int)strtol(argv[5], NULL, 10);
	b->threads = (int)strtol(argv[6], NULL, 10);
	tp_code rc = arch ? tp_manifest_open(&b->m, argv[1], 1, err)
			  : tp_fail(err, TP_EINVAL, "\"%s\" is no network", argv[2]);
	if (rc)
		return rc;
	b->side = 224;
	b->classes = (int)b->m.n_taxa;
	rc = tp_safetensors_open(&b->weights, argv[3], err);
	if (!rc)
		rc = tp_net_new(&b->net, arch, b->classes, err);
	if (!rc)
		rc = tp_params_init(&b->p, b->net, err);
	if (!rc)
		rc = init_loader(
			b, (size_t)strtol(argv[4], NULL, 10), (int)strtol(argv[7], NULL, 10), argv[8], err);
	tp_learn_opts lo = { .batch = b->batch, .threads = b->threads, .side = b->side };
	if (!rc)
		rc = tp_learner_new(&b->l, b->net, &b->p, &lo, err);
	size_t image = b->image = 3 * (size_t)b->side * (size_t)b->side;
	b->kept = tp_alloc_aligned(b->n * image * sizeof(float));
	b->kept_labels = tp_calloc(b->n, sizeof *b->kept_labels);
	b->logits = tp_alloc_aligned((size_t)b->batch * (size_t)b->classes * sizeof(float));
	b->rows = tp_calloc((size_t)b->batch, sizeof *b->rows);
	if (!rc && (!b->kept || !b->kept_labels || !b->logits || !b->rows))
		rc = tp_nomem(err, b->n * image * sizeof(float));
	return rc;
}

/* The pretrained weights, a small classifier, an optimiser that remembers nothing. */
static tp_code reset(bench *b, tp_err *err)
{
	tp_optim_opts o = TP_OPTIM_OPTS_INIT;
	tp_rng r = tp_rng_seed(1);
	size_t n = tp_net_params(b->net);
	tp_code rc = tp_params_load(&b->p, b->weights, true, err);
	for (size_t i = b->p.off[n - 2]; i < b->p.n; i++)
		b->p.w[i] = (float)tp_rng_normal(&r) * 0.01f;
	b->group = (tp_param_group){ .name = "all", .count = b->p.n, .lr_scale = 1 };
	o.kind = TP_SGD;
	o.threads = b->threads;
	tp_optim_free(b->o);
	b->o = NULL;
	return rc ? rc : tp_optim_new(&b->o, b->p.n, &b->group, 1, &o, err);
}

static tp_code step(bench *b, double *loss, const float *x, const int *labels, uint64_t draw, tp_err *err)
{
	tp_targets y = { .a = labels };
	tp_loss_opts lo = TP_LOSS_OPTS_INIT;
	lo.smoothing = 0.1;
	tp_code rc = tp_learner_forward(b->l, x, b->logits, draw, err);
	if (!rc)
		rc = tp_loss_softmax(
			loss, b->rows, b->logits, b->logits, (size_t)b->batch, b->classes, &y, &lo, err);
	if (!rc)
		rc = tp_learner_backward(b->l, b->logits, false, err);
	return rc ? rc : tp_optim_step(b->o, b->p.w, b->p.g, *loss, 0.01, NULL, err);
}

static tp_code keep_batches(bench *b, tp_err *err)
{
	size_t image = 3 * (size_t)b->side * (size_t)b->side;
	tp_loaded l = { .n = 1 };
	tp_code rc = tp_loader_start(b->loader, 0, b->order, b->n, 0, err);
	for (size_t at = 0; at < b->n && !rc; at += (size_t)b->batch) {
		rc = tp_loader_next(&l, b->loader, err);
		if (!rc && l.n != b->batch)
			rc = tp_fail(err, TP_EFORMAT, "a photo cannot be read");
		if (rc)
			break;
		memcpy(b->kept + at * image, l.x, (size_t)l.n * image * sizeof(float));
		memcpy(b->kept_labels + at, l.labels, (size_t)l.n * sizeof(int));
	}
	return rc;
}

static double cpu_seconds(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static tp_code from_memory(bench *b, epoch *e, size_t at, size_t n, tp_err *err)
{
	tp_code rc = TP_OK;
	double t = tp_now(), cpu = cpu_seconds();
	for (size_t end = at + n; at < end && !rc; at += (size_t)b->batch)
		rc = step(b, &e->loss, b->kept + at * b->image, b->kept_labels + at, at, err);
	e->seconds += tp_now() - t;
	e->cpu += cpu_seconds() - cpu;
	return rc;
}

/* The loader begins and ends with the block, so that it does nothing while the other side is timed. Comparing the batch with
 * the one in memory is not timed. */
static tp_code from_shards(bench *b, epoch *e, size_t at, size_t n, tp_err *err)
{
	double t = tp_now(), cpu = cpu_seconds(), out = 0, out_cpu = 0;
	tp_code rc = tp_loader_start(b->loader, 0, b->order + at, n, 0, err);
	for (size_t end = at + n; at < end && !rc; at += (size_t)b->batch) {
		tp_loaded l;
		rc = tp_loader_next(&l, b->loader, err);
		double from = tp_now(), cpu_from = cpu_seconds();
		if (!rc && (l.n != b->batch || memcmp(l.x, b->kept + at * b->image,
						       (size_t)l.n * b->image * sizeof(float)) != 0))
			rc = tp_fail(err, TP_EBACKEND, "batch at %zu is not the one in memory", at);
		out += tp_now() - from;
		out_cpu += cpu_seconds() - cpu_from;
		if (!rc)
			rc = step(b, &e->loss, l.x, l.labels, at, err);
	}
	e->seconds += tp_now() - t - out;
	e->cpu += cpu_seconds() - cpu - out_cpu;
	return rc;
}

static void print(const bench *b, const epoch *m, const epoch *s, const tp_loader_stats *from)
{
	tp_loader_stats l;
	tp_loader_get_stats(&l, b->loader);
	const tp_augment_times *t = &l.times, *f = &from->times;
	double ms = 1e3 / (double)b->n;
	printf("{\"photos\": %zu, \"memory\": %.4f, \"shards\": %.4f, \"memory_cpu\": %.4f, \"shards_cpu\": "
	       "%.4f, "
	       "\"waited\": %.4f, \"loss\": %.6f,\n \"loader_ms\": {\"read\": %.3f, \"decode\": %.3f, "
	       "\"resize\": "
	       "%.3f, \"turn\": %.3f, \"colour\": %.3f, \"blur\": %.3f, \"jpeg\": %.3f, \"floats\": %.3f}, ",
		b->n, m->seconds, s->seconds, m->cpu, s->cpu, l.waited - from->waited, s->loss,
		ms * (l.read - from->read), ms * (t->decode - f->decode), ms * (t->resize - f->resize),
		ms * (t->turn - f->turn), ms * (t->colour - f->colour), ms * (t->blur - f->blur),
		ms * (t->jpeg - f->jpeg), ms * (t->floats - f->floats));
}

/* Blocks of batches from memory and from shards in turns, each side first every other time: what else goes on on the machine
 * meets both alike. */
static tp_code run(bench *b, tp_err *err)
{
	epoch m = { 0 }, s = { 0 };
	tp_loader_stats stats;
	double ratio[1024];
	size_t block = BLOCK * (size_t)b->batch, n = 0;
	tp_code rc = reset(b, err);
	if (!rc)
		rc = keep_batches(b, err);
	for (size_t k = 0; k < 2 && !rc; k++) /* memory touched, clocks up */
		rc = step(b, &m.loss, b->kept, b->kept_labels, k, err);
	tp_loader_get_stats(&stats, b->loader);
	for (size_t at = 0; at < b->n && !rc && n < 1024; at += block, n++) {
		size_t len = b->n - at < block ? b->n - at : block;
		double before_m = m.seconds, before_s = s.seconds;
		if (n % 2)
			rc = from_shards(b, &s, at, len, err);
		if (!rc)
			rc = from_memory(b, &m, at, len, err);
		if (!rc && n % 2 == 0)
			rc = from_shards(b, &s, at, len, err);
		ratio[n] = (m.seconds - before_m) / (s.seconds - before_s);
	}
	if (rc)
		return rc;
	print(b, &m, &s, &stats);
	for (size_t i = 0; i < n; i++)
		printf("%s%.4f", i ? ", " : "\"block_ratios\": [", ratio[i]);
	printf("]}\n");
	return TP_OK;
}

int main(int argc, char **argv)
{
	bench b = { 0 };
	tp_err err = { 0 };
	if (argc != 9)
		return fprintf(stderr, "epoch_bench SHARDS NETWORK WEIGHTS PHOTOS BATCH THREADS "
				       "LOADER_THREADS PRESET\n"),
		       2;
	tp_code rc = init(&b, argv, &err);
	if (!rc)
		rc = run(&b, &err);
	if (rc)
		fprintf(stderr, "epoch_bench: %s\n", err.msg);
	tp_loader_free(b.loader);
	tp_learner_free(b.l);
	tp_optim_free(b.o);
	tp_params_dispose(&b.p);
	tp_net_free(b.net);
	tp_weights_free(b.weights);
	tp_free_aligned(b.kept);
	tp_free(b.kept_labels);
	tp_free_aligned(b.logits);
	tp_free(b.rows);
	tp_free(b.samples);
	tp_free(b.photo);
	tp_free(b.order);
	tp_manifest_free(&b.m);
	return rc ? 1 : 0;
}
