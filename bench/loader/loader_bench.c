/* The loader alone: photos a second and where the time goes.
 *
 *   loader_bench PHOTOS PRESET SIDE THREADS EPOCHS [CACHE_SIDE]
 *
 * PHOTOS is what tepal train takes, packed or not; its training photos are read EPOCHS times. Prints a line an epoch: photos/s, and
 * milliseconds of one thread a photo by step. With CACHE_SIDE, shrunk photos are kept in memory (up to 1 GiB). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "data/data.h"
#include "data/loader.h"

static int die(const tp_err *err)
{
	fprintf(stderr, "loader_bench: %s\n", err->msg);
	return 1;
}

static void print(const tp_loader_stats *a, const tp_loader_stats *b, double seconds)
{
	double n = (double)(b->photos - a->photos), ms = 1e3 / n;
	const tp_augment_times *s = &a->times, *t = &b->times;
	printf("%7.1f photos/s  waited %4.1f s of %4.1f  bad %zu  ms a photo: read %.3f decode %.3f resize "
	       "%.3f "
	       "turn %.3f colour %.3f blur %.3f jpeg %.3f floats %.3f\n",
		n / seconds, b->waited - a->waited, seconds, b->bad, ms * (b->read - a->read),
		ms * (t->decode - s->decode), ms * (t->resize - s->resize), ms * (t->turn - s->turn),
		ms * (t->colour - s->colour), ms * (t->blur - s->blur), ms * (t->jpeg - s->jpeg),
		ms * (t->floats - s->floats));
	fflush(stdout);
}

static tp_code read_sample(void *ud, size_t sample, uint8_t **bytes, size_t *len, tp_err *err)
{
	return tp_photo_read(bytes, len, ud, sample, err);
}

static tp_code run(tp_loader *l, uint32_t *order, size_t n, int epochs, tp_err *err)
{
	tp_rng rng = tp_rng_seed(1);
	for (int e = 0; e < epochs; e++) {
		tp_loader_stats before, after;
		tp_loaded b = { .n = 1 };
		double t = tp_now();
		tp_rng_shuffle(&rng, order, n);
		tp_loader_get_stats(&before, l);
		tp_code rc = tp_loader_start(l, (uint64_t)e, order, n, 0, err);
		while (!rc && b.n)
			rc = tp_loader_next(&b, l, err);
		if (rc)
			return rc;
		tp_loader_get_stats(&after, l);
		print(&before, &after, tp_now() - t);
	}
	return TP_OK;
}

int main(int argc, char **argv)
{
	tp_augment a = TP_AUGMENT_INIT;
	tp_loader_opts o = TP_LOADER_OPTS_INIT;
	tp_manifest m = { 0 };
	tp_loader *l = NULL;
	tp_err err = { 0 };
	if (argc < 6) {
		fprintf(stderr, "usage: loader_bench PHOTOS PRESET SIDE THREADS EPOCHS [CACHE_SIDE]\n");
		return 2;
	}
	if (tp_augment_preset(&a, argv[2], &err) || tp_manifest_open(&m, argv[1], 1, &err))
		return die(&err);
	tp_labelled *samples = tp_calloc(m.n_photos, sizeof *samples);
	uint32_t *order = tp_calloc(m.n_photos, sizeof *order);
	size_t n = 0;
	for (size_t i = 0; samples && order && i < m.n_photos; i++) {
		samples[i] = (tp_labelled){ m.photos[i].path, m.photos[i].species };
		if (m.photos[i].split == TP_TRAIN)
			order[n++] = (uint32_t)i;
	}
	int side = (int)strtol(argv[3], NULL, 10);
	o.read = read_sample, o.ud = &m, o.samples = samples, o.n_samples = m.n_photos, o.augment = &a;
	o.prep = (tp_prep){ .side = side,
		.resize = side * 8 / 7,
		.filter = TP_BICUBIC,
		.mean = { 127, 127, 127 },
		.std = { 128, 128, 128 } };
	o.threads = (int)strtol(argv[4], NULL, 10);
	if (argc > 6) {
		o.cache_side = (int)strtol(argv[6], NULL, 10);
		o.cache_bytes = (size_t)1 << 30;
	}
	tp_code rc = tp_loader_new(&l, &o, &err);
	if (!rc)
		rc = run(l, order, n, (int)strtol(argv[5], NULL, 10), &err);
	tp_loader_free(l);
	tp_free(samples);
	tp_free(order);
	tp_manifest_free(&m);
	return rc ? die(&err) : 0;
}
