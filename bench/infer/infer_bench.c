/* Forward passes of one network of the zoo, by random weights: for bench/infer/run.py, which runs peers beside it.
 *
 *     infer_bench NETWORK BATCH THREADS SECONDS       one exec with so many threads
 *     infer_bench NETWORK workers N SECONDS           N execs with a thread each, batch 1
 *
 * Prints milliseconds a batch (a photo, for workers): the median of the passes, or the mean over all workers. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "nn/nn.h"

enum { MAX_RUNS = 100000, MAX_WORKERS = 64 };

typedef struct {
	const tp_plan *plan;
	size_t floats;
	double seconds;
	long runs;
	int failed;
} job;

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static int passes(const tp_plan *plan, size_t floats, double seconds, tp_err *err)
{
	static double took[MAX_RUNS];
	tp_exec *x = NULL;
	float *in = tp_alloc_aligned(floats * sizeof *in);
	int n = 0;
	tp_code rc = in ? tp_exec_new(&x, plan, err) : tp_nomem(err, floats);
	for (size_t i = 0; !rc && i < floats; i++)
		in[i] = (float)(i % 17) / 17;
	for (int i = 0; i < 3 && !rc; i++)
		rc = tp_exec_run(x, in, NULL, NULL, err);
	for (double end = tp_now() + seconds; !rc && n < MAX_RUNS && (!n || tp_now() < end); n++) {
		double from = tp_now();
		rc = tp_exec_run(x, in, NULL, NULL, err);
		took[n] = 1e3 * (tp_now() - from);
	}
	tp_exec_free(x);
	tp_free_aligned(in);
	if (rc)
		return 1;
	qsort(took, (size_t)n, sizeof *took, ascending);
	printf("%.4f\n", took[n / 2]);
	return 0;
}

static void *work(void *arg)
{
	job *j = arg;
	tp_exec *x = NULL;
	tp_err err = { 0 };
	float *in = tp_alloc_aligned(j->floats * sizeof *in);
	j->failed = !in || tp_exec_new(&x, j->plan, &err);
	for (size_t i = 0; !j->failed && i < j->floats; i++)
		in[i] = (float)(i % 17) / 17;
	for (double end = tp_now() + j->seconds; !j->failed && tp_now() < end; j->runs++)
		j->failed = tp_exec_run(x, in, NULL, NULL, &err) != TP_OK;
	tp_exec_free(x);
	tp_free_aligned(in);
	return NULL;
}

static int workers(const tp_plan *plan, size_t floats, int n, double seconds)
{
	job j[MAX_WORKERS];
	pthread_t t[MAX_WORKERS];
	long runs = 0;
	double t0 = tp_now();
	for (int i = 0; i < n; i++) {
		j[i] = (job){ .plan = plan, .floats = floats, .seconds = seconds };
		if (pthread_create(&t[i], NULL, work, &j[i]))
			return 1;
	}
	for (int i = 0; i < n; i++) {
		pthread_join(t[i], NULL);
		runs += j[i].runs;
		if (j[i].failed)
			return 1;
	}
	printf("%.4f\n", 1e3 * (tp_now() - t0) / (double)runs);
	return 0;
}

int main(int argc, char **argv)
{
	tp_err err = { 0 };
	tp_net *net = NULL;
	tp_weights *w = NULL;
	tp_plan *plan = NULL;
	const tp_arch *a = argc == 5 ? tp_arch_find(argv[1]) : NULL;
	if (!a)
		return fprintf(stderr, "infer_bench NETWORK BATCH|workers THREADS SECONDS\n"), 2;
	bool many = !strcmp(argv[2], "workers");
	int n = (int)strtol(argv[3], NULL, 10);
	tp_plan_opts o = {
		.batch = many ? 1 : (int)strtol(argv[2], NULL, 10), .threads = many ? 1 : n, .side = 224
	};
	if (n < 1 || n > MAX_WORKERS)
		return 2;
	tp_code rc = tp_net_new(&net, a, 1000, &err);
	if (!rc)
		rc = tp_net_init(&w, net, 1, &err);
	if (!rc)
		rc = tp_plan_new(&plan, net, w, &o, &err);
	size_t image = 3 * (size_t)o.side * (size_t)o.side;
	int bad = rc     ? 1
		  : many ? workers(plan, image, n, strtod(argv[4], NULL))
			 : passes(plan, image * (size_t)o.batch, strtod(argv[4], NULL), &err);
	if (bad)
		fprintf(stderr, "infer_bench: %s\n", err.msg);
	tp_plan_free(plan);
	tp_weights_free(w);
	tp_net_free(net);
	return bad;
}
