/* The loader: the same batches whatever the threads, bad photos, stopping at any time, no leak. Photos come from
 * memory: small JPEGs drawn here; a "bad" one is text. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/loader.h"
#include "t.h"

enum { N = 37, SIDE = 32, FLOATS = 3 * SIDE * SIDE };

typedef struct {
	char *jpeg[N];
	size_t len[N];
	bool bad[N];
	tp_labelled samples[N];
	unsigned slow_us; /* up to this long a read takes, another for each sample */
	atomic_int reads;
	atomic_int
		fail; /* the code of every read past the 10th; other workers still read when one was told */
} photos;

static photos ph;

static tp_code read_photo(void *ud, size_t sample, uint8_t **bytes, size_t *len, tp_err *err)
{
	photos *p = ud;
	int n = atomic_fetch_add(&p->reads, 1);
	tp_code fail = (tp_code)atomic_load(&p->fail);
	if (fail && n >= 10)
		return tp_fail(err, fail, "the source is gone");
	if (p->slow_us) {
		struct timespec t = { 0, (long)(sample * 7919 % p->slow_us) * 1000 };
		nanosleep(&t, NULL);
	}
	*len = p->bad[sample] ? 4 : p->len[sample];
	*bytes = tp_alloc(*len);
	if (!*bytes)
		return tp_nomem(err, *len);
	memcpy(*bytes, p->bad[sample] ? "text" : p->jpeg[sample], *len);
	return TP_OK;
}

static int draw_photos(void)
{
	for (int s = 0; s < N; s++) {
		tp_image *img = NULL;
		tp_buf buf;
		tp_buf_init(&buf, 1 << 20);
		CHECK(!tp_image_new(&img, 40 + s % 7 * 9, 90 - s % 5 * 11, NULL), "no memory");
		for (int i = 0; i < img->w * img->h * 3; i++)
			img->px[i] = (uint8_t)(i * (s + 1) / 40 + s * 6);
		CHECK(!tp_image_encode_jpeg(&buf, img, 90, NULL), "encode");
		tp_image_free(img);
		ph.len[s] = buf.len;
		ph.jpeg[s] = tp_buf_take(&buf);
		ph.samples[s] = (tp_labelled){ "x.jpg", s % 5 };
	}
	return 0;
}

static tp_loader_opts options(const tp_augment *a, int batch, int threads)
{
	tp_loader_opts o = TP_LOADER_OPTS_INIT;
	o.samples = ph.samples;
	o.n_samples = N;
	o.read = read_photo;
	o.ud = &ph;
	o.prep = (tp_prep){ .side = SIDE,
		.resize = 36,
		.filter = TP_BICUBIC,
		.mean = { 127, 120, 110 },
		.std = { 128, 64, 32 } };
	o.augment = a;
	o.seed = 11;
	o.batch = batch;
	o.threads = threads;
	return o;
}

static tp_augment strong(void)
{
	tp_augment a = TP_AUGMENT_INIT;
	if (tp_augment_preset(&a, "strong", NULL))
		abort();
	return a;
}

/* All that an epoch hands out, one photo after the other. */
typedef struct {
	size_t n;
	uint32_t sample[4 * N];
	int label[4 * N], batches, last;
	float x[4 * N][FLOATS];
} run;

static int collect(run *r, tp_loader *l, int batch)
{
	tp_err err = { 0 };
	tp_loaded b;
	r->n = 0;
	r->batches = r->last = 0;
	for (;;) {
		CHECK_OK(tp_loader_next(&b, l, &err), err);
		if (!b.n)
			return 0;
		CHECK(!r->last || r->last == batch, "a short batch in the middle");
		CHECK(r->n + (size_t)b.n <= 4 * N, "too many photos");
		r->last = b.n;
		r->batches++;
		memcpy(r->x[r->n], b.x, (size_t)b.n * sizeof r->x[0]);
		memcpy(r->sample + r->n, b.samples, (size_t)b.n * sizeof *b.samples);
		memcpy(r->label + r->n, b.labels, (size_t)b.n * sizeof *b.labels);
		memset(b.x, 0, (size_t)b.n * sizeof r->x[0]); /* the caller may write */
		r->n += (size_t)b.n;
	}
}

static int epoch(run *r, const tp_loader_opts *o, uint64_t number, const uint32_t *order, size_t n)
{
	tp_loader *l = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_loader_new(&l, o, &err), err);
	CHECK_OK(tp_loader_start(l, number, order, n, 0, &err), err);
	CHECK(!collect(r, l, o->batch), "epoch");
	tp_loader_free(l);
	return 0;
}

static int same(const run *a, const run *b)
{
	CHECK(a->n == b->n, "%zu photos and %zu", a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		CHECK(a->sample[i] == b->sample[i] && a->label[i] == b->label[i],
			"place %zu: sample %u and %u", i, (unsigned)a->sample[i], (unsigned)b->sample[i]);
		CHECK(!memcmp(a->x[i], b->x[i], sizeof a->x[i]), "place %zu: other pixels", i);
	}
	return 0;
}

static uint32_t forward[N], mixed[N];
static run one, two;

static int good_again(void)
{
	memset(ph.bad, 0, sizeof ph.bad);
	ph.slow_us = 0;
	atomic_store(&ph.fail, TP_OK);
	atomic_store(&ph.reads, 0);
	tp_cancel_reset();
	return 0;
}

static int test_the_order_given_whatever_the_threads(void)
{
	static const int shapes[][3] = { { 4, 1, 2 }, { 4, 2, 3 }, { 4, 5, 2 }, { 1, 3, 4 }, { 37, 2, 2 },
		{ 50, 2, 2 }, { 7, 8, 2 } }; /* batch, threads, ahead */
	tp_augment a = strong();
	tp_loader_opts o = options(&a, 8, 1);
	good_again();
	CHECK(!epoch(&one, &o, 3, mixed, N), "first");
	CHECK(one.n == N && one.batches == 5 && one.last == 5, "%d batches", one.batches);
	for (size_t i = 0; i < N; i++)
		CHECK(one.sample[i] == mixed[i] && one.label[i] == (int)(mixed[i] % 5), "place %zu", i);
	ph.slow_us = 2000;
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		o = options(&a, shapes[i][0], shapes[i][1]);
		o.ahead = shapes[i][2];
		CHECK(!epoch(&two, &o, 3, mixed, N), "shape %zu", i);
		CHECK(!same(&one, &two), "shape %zu", i);
	}
	return 0;
}

/* What a sample looks like depends on seed, epoch and its number. */
static int test_views_do_not_depend_on_the_order(void)
{
	tp_augment a = strong();
	tp_loader_opts o = options(&a, 5, 2);
	good_again();
	CHECK(!epoch(&one, &o, 3, forward, N), "forward");
	CHECK(!epoch(&two, &o, 3, mixed, N), "mixed");
	for (size_t i = 0; i < N; i++)
		CHECK(!memcmp(one.x[mixed[i]], two.x[i], sizeof two.x[i]), "sample %u", (unsigned)mixed[i]);
	CHECK(!epoch(&two, &o, 4, forward, N), "another epoch");
	for (size_t i = 0; i < N; i++)
		CHECK(memcmp(one.x[i], two.x[i], sizeof two.x[i]), "sample %zu in another epoch", i);
	o.seed++;
	CHECK(!epoch(&two, &o, 3, forward, N), "another seed");
	for (size_t i = 0; i < N; i++)
		CHECK(memcmp(one.x[i], two.x[i], sizeof two.x[i]), "sample %zu with another seed", i);
	return 0;
}

static int test_without_augmentation_as_prep(void)
{
	static float want[FLOATS];
	tp_loader_opts o = options(NULL, 6, 2);
	good_again();
	CHECK(!epoch(&one, &o, 0, forward, N), "epoch");
	for (size_t i = 0; i < N; i++) {
		CHECK(!tp_prep_photo(want, &o.prep, ph.jpeg[i], ph.len[i], NULL), "prep");
		CHECK(!memcmp(one.x[i], want, sizeof want), "sample %zu", i);
	}
	return 0;
}

static int test_a_sample_named_again_is_another_view(void)
{
	static const uint32_t order[] = { 4, 9, 4, 4, 9 };
	tp_augment a = strong();
	tp_loader_opts o = options(&a, 2, 2);
	tp_loader *l = NULL;
	tp_err err = { 0 };
	good_again();
	CHECK(!epoch(&one, &o, 0, order, 5), "epoch");
	CHECK(memcmp(one.x[0], one.x[2], sizeof one.x[0]) && memcmp(one.x[2], one.x[3], sizeof one.x[0]),
		"same");
	/* an epoch that goes on in the middle knows what was named before */
	CHECK_OK(tp_loader_new(&l, &o, &err), err);
	CHECK_OK(tp_loader_start(l, 0, order, 5, 2, &err), err);
	CHECK(!collect(&two, l, 2), "rest");
	CHECK(two.n == 3 && !memcmp(one.x[2], two.x[0], 3 * sizeof one.x[0]), "%zu photos", two.n);
	tp_loader_free(l);
	return 0;
}

/* `two` has the good photos of `one`, an epoch of `mixed` without bad ones, and nothing else. */
static int the_good_ones(const char *which)
{
	size_t good = 0;
	for (size_t i = 0; i < N; i++) {
		if (ph.bad[mixed[i]])
			continue;
		CHECK(good < two.n && two.sample[good] == mixed[i] && two.label[good] == (int)(mixed[i] % 5),
			"%s: place %zu", which, good);
		CHECK(!memcmp(two.x[good], one.x[i], sizeof one.x[i]), "%s: pixels at %zu", which, good);
		good++;
	}
	CHECK(two.n == good, "%s: %zu photos, want %zu", which, two.n, good);
	return 0;
}

static int bad_case(const char *which, int batch, int threads, int ahead)
{
	tp_augment a = strong();
	tp_loader_opts o = options(&a, batch, threads);
	tp_loader *l = NULL;
	tp_loader_stats s;
	tp_err err = { 0 };
	size_t bad = 0;
	o.ahead = ahead;
	CHECK_OK(tp_loader_new(&l, &o, &err), err);
	for (int again = 0; again < 2; again++) { /* bad ones are known the second time */
		CHECK_OK(tp_loader_start(l, 3, mixed, N, 0, &err), err);
		CHECK(!collect(&two, l, batch), "%s", which);
		CHECK(!the_good_ones(which), "time %d", again);
	}
	for (size_t i = 0; i < N; i++)
		bad += ph.bad[i];
	tp_loader_get_stats(&s, l);
	CHECK(s.bad == bad && s.skipped == 2 * bad && s.photos == 2 * (N - bad), "%s: %zu bad, %zu skipped",
		which, s.bad, s.skipped);
	for (size_t i = 0, k = 0; i < N; i++)
		if (ph.bad[i]) {
			tp_loader_bad b = tp_loader_bad_at(l, k++);
			CHECK(b.sample == i && strstr(b.why, "not a JPEG"), "%s: %zu %s", which, b.sample,
				b.why);
		}
	tp_loader_free(l);
	return 0;
}

/* Bad photos first, last, in runs longer than a batch and than all buffers, and nothing but bad ones. */
static int test_bad_photos_leave_no_hole(void)
{
	static const struct {
		const char *name;
		int from, to, step; /* places of the order */
	} cases[] = { { "first", 0, 1, 1 }, { "last", N - 1, N, 1 }, { "one", 10, 11, 1 },
		{ "run", 5, 21, 1 }, { "every third", 0, N, 3 }, { "most", 0, N - 1, 1 }, { "all", 0, N, 1 },
		{ "tail", 8, N, 1 } };
	static const int shapes[][3] = { { 4, 1, 2 }, { 4, 3, 2 }, { 4, 4, 5 }, { 1, 2, 2 }, { 40, 2, 2 } };
	tp_augment a = strong();
	tp_loader_opts o = options(&a, 8, 2);
	good_again();
	CHECK(!epoch(&one, &o, 3, mixed, N), "good");
	ph.slow_us = 500;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		memset(ph.bad, 0, sizeof ph.bad);
		for (int i = cases[c].from; i < cases[c].to; i += cases[c].step)
			ph.bad[mixed[i]] = true;
		for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
			CHECK(!bad_case(cases[c].name, shapes[i][0], shapes[i][1], shapes[i][2]), "shape %zu",
				i);
	}
	return 0;
}

static int test_a_cache_changes_nothing_but_reads(void)
{
	tp_augment a = strong();
	good_again();
	ph.bad[7] = true;
	for (int budget = 0; budget < 3; budget++) { /* nothing fits, some, all */
		tp_loader_opts o = options(&a, 4, 3);
		tp_loader *l = NULL;
		tp_loader_stats s;
		tp_err err = { 0 };
		o.cache_side = 40;
		o.cache_bytes = budget == 0 ? 0 : budget == 1 ? 60000 : 1 << 20;
		CHECK_OK(tp_loader_new(&l, &o, &err), err);
		for (uint64_t e = 0; e < 2; e++) {
			atomic_store(&ph.reads, 0);
			CHECK_OK(tp_loader_start(l, e, mixed, N, 0, &err), err);
			CHECK(!collect(&two, l, 4), "epoch");
			int reads = atomic_load(&ph.reads);
			tp_loader_get_stats(&s, l);
			CHECK(s.cached_bytes <= o.cache_bytes, "%zu bytes", s.cached_bytes);
			CHECK(!e || reads == N - 1 - (int)s.cached, "%d reads, %zu cached", reads, s.cached);
			if (e && !budget)
				one = two;
		}
		CHECK(s.cached == (budget ? s.cached : 0) && (budget < 2 || s.cached == N - 1), "%zu cached",
			s.cached);
		CHECK(budget != 1 || (s.cached > 3 && s.cached < N - 4), "%zu cached", s.cached);
		CHECK(!same(&one, &two), "budget %zu", o.cache_bytes);
		tp_loader_free(l);
	}
	return 0;
}

static int test_the_source_breaks(void)
{
	static const tp_code fatal[] = { TP_ENOMEM, TP_EBACKEND };
	tp_loader_opts o = options(NULL, 8, 3);
	for (int i = 0; i < 2; i++) {
		tp_loader *l = NULL;
		tp_loaded b;
		tp_err err = { 0 };
		tp_code rc = TP_OK;
		good_again();
		atomic_store(&ph.fail, fatal[i]);
		CHECK_OK(tp_loader_new(&l, &o, &err), err);
		CHECK_OK(tp_loader_start(l, 0, forward, N, 0, &err), err);
		for (int k = 0; k < 20 && !rc; k++)
			rc = tp_loader_next(&b, l, &err);
		CHECK(rc == fatal[i], "%s", tp_code_name(rc));
		CHECK_STR(err.msg, "the source is gone");
		CHECK(tp_loader_next(&b, l, NULL) == fatal[i], "it stays so");
		usleep(20000);
		CHECK(atomic_load(&ph.reads) <= 10 + 3, "%d reads", atomic_load(&ph.reads));
		atomic_store(&ph.fail, TP_OK);
		CHECK_OK(tp_loader_start(l, 0, forward, N, 0, &err), err);
		CHECK(!collect(&two, l, 8) && two.n == N, "a new epoch");
		tp_loader_free(l);
	}
	return 0;
}

/* Any number of batches taken, then the end: by free, by another epoch, by cancel. */
static int test_stops_at_any_time(void)
{
	tp_augment a = strong();
	tp_loader_opts whole = options(&a, 4, 2);
	good_again();
	CHECK(!epoch(&one, &whole, 3, mixed, N), "whole");
	for (int taken = 0; taken < 9; taken++) {
		for (int how = 0; how < 3; how++) {
			tp_loader_opts o = options(&a, 4, 1 + taken % 4);
			tp_loader *l = NULL;
			tp_loaded b;
			tp_err err = { 0 };
			good_again();
			ph.slow_us = 300;
			ph.bad[mixed[3]] = taken % 2;
			CHECK_OK(tp_loader_new(&l, &o, &err), err);
			CHECK_OK(tp_loader_start(l, 1, forward, N, 0, &err), err);
			for (int i = 0; i < taken; i++)
				CHECK_OK(tp_loader_next(&b, l, &err), err);
			if (how == 1) {
				tp_cancel();
				CHECK(tp_loader_next(&b, l, &err) == TP_ECANCEL, "went on");
				CHECK_STR(err.msg, "stopped");
				tp_cancel_reset();
			}
			if (how) {
				CHECK_OK(tp_loader_start(l, 3, mixed, N, 0, &err), err);
				CHECK(!collect(&two, l, 4), "epoch");
				CHECK(!the_good_ones("after"), "%d batches, %d", taken, how);
			}
			tp_loader_free(l);
		}
	}
	return 0;
}

/* A cancel while the caller waits: the photo being read is the last. */
static void *cancel_soon(void *ud)
{
	(void)ud;
	usleep(20000);
	tp_cancel();
	return NULL;
}

static int test_cancel_while_waiting(void)
{
	tp_loader_opts o = options(NULL, 37, 2);
	tp_loader *l = NULL;
	tp_loader_stats s;
	tp_loaded b;
	tp_err err = { 0 };
	pthread_t t;
	good_again();
	ph.slow_us = 60000;
	CHECK_OK(tp_loader_new(&l, &o, &err), err);
	CHECK_OK(tp_loader_start(l, 1, forward, N, 0, &err), err);
	CHECK(!pthread_create(&t, NULL, cancel_soon, NULL), "thread");
	tp_code rc = tp_loader_next(&b, l, &err);
	pthread_join(t, NULL);
	tp_cancel_reset();
	CHECK(rc == TP_ECANCEL, "%s", tp_code_name(rc));
	tp_loader_get_stats(&s, l);
	CHECK(s.waited > 0.015 && !s.photos, "waited %g s", s.waited);
	CHECK(atomic_load(&ph.reads) < N, "%d reads", atomic_load(&ph.reads));
	tp_loader_free(l);
	return 0;
}

/* Nobody but the caller would see it: all buffers are full and the workers rest. */
static int test_cancel_while_all_is_ready(void)
{
	tp_loader_opts o = options(NULL, 4, 2);
	tp_loader *l = NULL;
	tp_loaded b;
	tp_err err = { 0 };
	good_again();
	CHECK_OK(tp_loader_new(&l, &o, &err), err);
	CHECK_OK(tp_loader_start(l, 1, forward, N, 0, &err), err);
	for (int i = 0; i < 2000 && atomic_load(&ph.reads) < o.ahead * o.batch; i++)
		usleep(1000);
	usleep(20000);
	CHECK(atomic_load(&ph.reads) == o.ahead * o.batch, "%d reads ahead", atomic_load(&ph.reads));
	tp_cancel();
	tp_code rc = tp_loader_next(&b, l, &err);
	tp_cancel_reset();
	CHECK(rc == TP_ECANCEL, "%s", tp_code_name(rc));
	tp_loader_free(l);
	return 0;
}

/* A photo of the epoch left behind is still being read, for 5 ms, when the next begins with one that takes 37. */
static int test_nothing_comes_over_from_the_epoch_before(void)
{
	static const uint32_t before[] = { 36 }, after[] = { 35, 0 };
	tp_loader_opts o = options(NULL, 2, 2);
	tp_loader *l = NULL;
	tp_err err = { 0 };
	good_again();
	CHECK(!epoch(&one, &o, 0, after, 2), "alone");
	atomic_store(&ph.reads, 0);
	ph.slow_us = 40000;
	CHECK_OK(tp_loader_new(&l, &o, &err), err);
	CHECK_OK(tp_loader_start(l, 0, before, 1, 0, &err), err);
	while (!atomic_load(&ph.reads))
		usleep(100);
	CHECK_OK(tp_loader_start(l, 0, after, 2, 0, &err), err);
	CHECK(!collect(&two, l, 2), "epoch");
	CHECK(!same(&one, &two), "from before");
	tp_loader_free(l);
	return 0;
}

static int test_before_and_after(void)
{
	static const uint32_t no_sample[] = { 0, N };
	tp_loader_opts o = options(NULL, 4, 2);
	tp_loader *l = NULL;
	tp_loaded b = { .n = 1 };
	tp_err err = { 0 };
	good_again();
	CHECK_OK(tp_loader_new(&l, &o, &err), err);
	CHECK_OK(tp_loader_next(&b, l, &err), err);
	CHECK(!b.n, "photos before the start");
	CHECK_OK(tp_loader_start(l, 0, NULL, 0, 0, &err), err);
	CHECK_OK(tp_loader_next(&b, l, &err), err);
	CHECK(!b.n, "photos of an empty order");
	CHECK(tp_loader_start(l, 0, no_sample, 2, 0, &err) == TP_EINVAL && strstr(err.msg, "37"), "%s",
		err.msg);
	CHECK_OK(tp_loader_next(&b, l, &err), err);
	CHECK(!b.n, "photos of a refused order");
	CHECK(tp_loader_start(l, 0, forward, 3, 4, &err) == TP_EINVAL, "from beyond the end");
	CHECK_OK(tp_loader_start(l, 0, forward, 3, 3, &err), err);
	CHECK_OK(tp_loader_next(&b, l, &err), err);
	CHECK(!b.n, "photos from the end on");
	tp_loader_free(l);
	tp_loader_free(NULL);
	return 0;
}

static int test_refuses_options(void)
{
	tp_augment a = TP_AUGMENT_INIT;
	tp_loader_opts bad[8];
	for (int i = 0; i < 8; i++)
		bad[i] = options(&a, 4, 1);
	a.hue = 3;
	bad[0].batch = 0, bad[1].threads = 0, bad[2].ahead = 1, bad[3].cache_side = -1, bad[4].n_samples = 0;
	bad[5].read = NULL, bad[6].prep.side = 31; /* bad[7]: the hue */
	for (int i = 0; i < 8; i++) {
		tp_loader *l = NULL;
		tp_err err = { 0 };
		if (i < 7)
			bad[i].augment = NULL;
		CHECK(tp_loader_new(&l, &bad[i], &err) == TP_EINVAL && !l && err.msg[0], "case %d", i);
	}
	return 0;
}

static int test_files(void)
{
	static const tp_labelled samples[] = { { "turn_6.jpg", 0 }, { "text", 1 }, { "missing.jpg", 1 },
		{ "turned.png", 2 } };
	static const uint32_t order[] = { 0, 1, 2, 3 };
	static float want[FLOATS];
	tp_loader_opts o = options(NULL, 4, 2);
	tp_loader *l = NULL;
	tp_loader_stats s;
	tp_map m = { 0 };
	tp_err err = { 0 };
	o.read = NULL;
	o.root = TP_TESTS_DIR "/fuzz/corpus/decode";
	o.samples = samples;
	o.n_samples = 4;
	CHECK_OK(tp_loader_new(&l, &o, &err), err);
	CHECK_OK(tp_loader_start(l, 0, order, 4, 0, &err), err);
	CHECK(!collect(&two, l, 4), "epoch");
	tp_loader_get_stats(&s, l);
	CHECK(two.n == 2 && two.sample[1] == 3 && two.label[1] == 2 && s.bad == 2, "%zu photos", two.n);
	CHECK(strstr(tp_loader_bad_at(l, 1).why, "missing.jpg"), "%s", tp_loader_bad_at(l, 1).why);
	CHECK_OK(tp_map_open(&m, TP_TESTS_DIR "/fuzz/corpus/decode/turned.png", &err), err);
	CHECK_OK(tp_prep_photo(want, &o.prep, m.ptr, m.len, &err), err);
	CHECK(!memcmp(two.x[1], want, sizeof want), "other pixels");
	tp_map_close(&m);
	tp_loader_free(l);
	return 0;
}

static tp_code some_batches(const tp_loader_opts *o)
{
	tp_loader *l = NULL;
	tp_loaded b = { .n = 1 };
	tp_code rc = tp_loader_new(&l, o, NULL);
	if (!rc)
		rc = tp_loader_start(l, 0, forward, 9, 0, NULL);
	while (!rc && b.n)
		rc = tp_loader_next(&b, l, NULL);
	tp_loader_free(l);
	return rc;
}

static int test_survives_any_failed_allocation(void)
{
	tp_augment a = strong();
	tp_loader_opts o = options(&a, 4, 2);
	good_again();
	ph.bad[2] = true;
	o.cache_side = 36;
	o.cache_bytes = 30000;
	long live = tp_mem_live();
	for (int n = 1;; n++) {
		tp_mem_fail_at(n);
		tp_code rc = some_batches(&o);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(rc == (failed ? TP_ENOMEM : TP_OK), "%d: %s", n, tp_code_name(rc));
		CHECK(tp_mem_live() == live, "%d: %ld left", n, tp_mem_live() - live);
		if (!failed)
			return 0;
	}
}

int main(void)
{
	for (uint32_t i = 0; i < N; i++) {
		forward[i] = i;
		mixed[i] = (i * 23 + 5) % N;
	}
	if (draw_photos())
		return 1;
	int rc = RUN(T(test_the_order_given_whatever_the_threads), T(test_views_do_not_depend_on_the_order),
		T(test_without_augmentation_as_prep), T(test_a_sample_named_again_is_another_view),
		T(test_bad_photos_leave_no_hole), T(test_a_cache_changes_nothing_but_reads),
		T(test_the_source_breaks), T(test_stops_at_any_time), T(test_cancel_while_waiting),
		T(test_cancel_while_all_is_ready), T(test_nothing_comes_over_from_the_epoch_before),
		T(test_before_and_after), T(test_refuses_options), T(test_files),
		T(test_survives_any_failed_allocation));
	for (int i = 0; i < N; i++)
		tp_free(ph.jpeg[i]);
	return rc;
}
