/* One measurement of tepal, for the scripts that run it beside its peers. Prints milliseconds, one a line.
 *
 *   tepal_bench prep SIDE SECONDS PHOTO...              bytes to tensor, one thread; a line a photo and pass
 *   tepal_bench forward MODEL BATCH THREADS SECONDS     one line a run of the whole batch
 *   tepal_bench workers MODEL WORKERS SECONDS           N workers with one thread each: one line, ms a photo */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "image/image.h"
#include "model/model.h"

static int die(const tp_err *err)
{
	fprintf(stderr, "tepal_bench: %s\n", err->msg);
	return 1;
}

static int bench_prep(int side, double seconds, char **paths, int n)
{
	tp_err err = { 0 };
	tp_prep p = { .side = side,
		.resize = side,
		.filter = TP_BICUBIC,
		.mean = { 127, 127, 127 },
		.std = { 128, 128, 128 } };
	float *out = tp_alloc_aligned((size_t)3 * (size_t)side * (size_t)side * sizeof *out);
	double end = tp_now() + seconds;
	do {
		for (int i = 0; i < n; i++) {
			tp_map m = { 0 };
			if (tp_map_open(&m, paths[i], &err))
				return die(&err);
			double t = tp_now();
			if (tp_prep_photo(out, &p, m.ptr, m.len, &err))
				return die(&err);
			printf("%.4f\n", 1e3 * (tp_now() - t));
			tp_map_close(&m);
		}
	} while (tp_now() < end);
	tp_free_aligned(out);
	return 0;
}

static int bench_forward(const tp_model *m, int batch, int threads, double seconds)
{
	tp_err err = { 0 };
	tp_plan *plan = NULL;
	tp_exec *x = NULL;
	size_t side = (size_t)tp_model_prep(m)->side, n = (size_t)batch * 3 * side * side;
	if (tp_model_plan(&plan, m, batch, threads, &err) || tp_exec_new(&x, plan, &err))
		return die(&err);
	float *in = tp_alloc_aligned(n * sizeof *in);
	float *logits = tp_alloc_aligned((size_t)batch * (size_t)tp_model_classes(m) * sizeof *logits);
	for (size_t i = 0; i < n; i++)
		in[i] = (float)(i % 251) / 125 - 1;
	if (tp_exec_run(x, in, NULL, logits, &err))
		return die(&err);
	for (double end = tp_now() + seconds; tp_now() < end;) {
		double t = tp_now();
		if (tp_exec_run(x, in, NULL, logits, &err))
			return die(&err);
		printf("%.4f\n", 1e3 * (tp_now() - t));
	}
	tp_free_aligned(in);
	tp_free_aligned(logits);
	tp_exec_free(x);
	tp_plan_free(plan);
	return 0;
}

typedef struct {
	const tp_plan *plan;
	size_t n;
	double seconds;
	long runs;
	int failed;
} job;

static void *work(void *arg)
{
	job *j = arg;
	tp_exec *x = NULL;
	tp_err err = { 0 };
	float *in = tp_alloc_aligned(j->n * sizeof *in);
	j->failed = !in || tp_exec_new(&x, j->plan, &err);
	for (double end = tp_now() + j->seconds; !j->failed && tp_now() < end; j->runs++)
		j->failed = tp_exec_run(x, in, NULL, NULL, &err) != TP_OK;
	tp_exec_free(x);
	tp_free_aligned(in);
	return NULL;
}

static int bench_workers(const tp_model *m, int workers, double seconds)
{
	tp_err err = { 0 };
	tp_plan *plan = NULL;
	job j[64];
	pthread_t t[64];
	size_t side = (size_t)tp_model_prep(m)->side;
	long runs = 0;
	if (workers < 1 || workers > 64 || tp_model_plan(&plan, m, 1, 1, &err))
		return die(&err);
	double t0 = tp_now();
	for (int i = 0; i < workers; i++) {
		j[i] = (job){ .plan = plan, .n = 3 * side * side, .seconds = seconds };
		if (pthread_create(&t[i], NULL, work, &j[i]))
			return 1;
	}
	for (int i = 0; i < workers; i++) {
		pthread_join(t[i], NULL);
		runs += j[i].runs;
		if (j[i].failed)
			return 1;
	}
	printf("%.4f\n", 1e3 * (tp_now() - t0) / (double)runs);
	tp_plan_free(plan);
	return 0;
}

int main(int argc, char **argv)
{
	tp_err err = { 0 };
	tp_model *m = NULL;
	if (argc >= 5 && !strcmp(argv[1], "prep"))
		return bench_prep((int)strtol(argv[2], NULL, 10), strtod(argv[3], NULL), argv + 4, argc - 4);
	if (argc < 5 || tp_model_load(&m, argv[2], &err)) {
		fprintf(stderr, "tepal_bench: %s\n",
			argc < 5 ? "see the head of bench/tepal_bench.c" : err.msg);
		return 2;
	}
	int a = (int)strtol(argv[3], NULL, 10), rc = 2;
	if (!strcmp(argv[1], "forward") && argc == 6)
		rc = bench_forward(m, a, (int)strtol(argv[4], NULL, 10), strtod(argv[5], NULL));
	else if (!strcmp(argv[1], "workers"))
		rc = bench_workers(m, a, strtod(argv[4], NULL));
	tp_model_free(m);
	return rc;
}
