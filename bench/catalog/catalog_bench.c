/* How fast a catalog takes rows: catalog_bench TABLE DIR. Imports the table into DIR twice, the second time with nothing
 * new, walks it, and opens it as training would; prints rows a second and the most memory used until then. gen_catalog.py
 * writes tables. */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "base/progress.h"
#include "data/catalog.h"
#include "data/import.h"

/* Wall clock, and the processor's seconds since the last line: on a busy machine the second says more. */
static void tell(const char *what, size_t rows, double seconds)
{
	static double before;
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		     1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	printf("%-22s %8zu rows %6.1f s %7.0f rows/s, of processor %5.1f s; at most %.0f MiB until here\n",
		what, rows, seconds, (double)rows / seconds, cpu - before, (double)u.ru_maxrss / 1024);
	before = cpu;
	fflush(stdout);
}

static tp_code count(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	(void)err;
	*(size_t *)ud += p->id > 0;
	return TP_OK;
}

static tp_code run(const char *table, const char *dir, tp_err *err)
{
	const tp_catalog_import_opts o = {
		.kind = "csv", .source = { .path = table }, .now = 1, .quiet = true
	};
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	tp_imported n;
	tp_catalog *c = NULL;
	tp_manifest m = { 0 };
	size_t seen = 0;
	tp_code rc = TP_OK;
	for (int k = 0; k < 2 && !rc; k++) {
		double begin = tp_now();
		rc = tp_catalog_import(&n, dir, &o, err);
		if (!rc)
			tell(k ? "import, nothing new" : "import", n.seen, tp_now() - begin);
		if (!rc && (n.seen != n.added + n.there + n.refused || n.refused || (k ? n.added : n.there)))
			rc = tp_fail(err, TP_EINVAL, "%zu rows: %zu added, %zu there, %zu refused", n.seen,
				n.added, n.there, n.refused);
	}
	double begin = tp_now();
	if (!rc)
		rc = tp_catalog_open(&c, dir, TP_CATALOG_READ, err);
	if (!rc)
		rc = tp_catalog_each_photo(c, &all, count, &seen, err);
	tp_catalog_close(c);
	if (!rc)
		tell("walk over all photos", seen, tp_now() - begin);
	begin = tp_now();
	if (!rc)
		rc = tp_manifest_open(&m, dir, 1, err);
	if (!rc)
		tell("open for training", m.n_photos, tp_now() - begin);
	tp_manifest_free(&m);
	return rc;
}

int main(int argc, char **argv)
{
	tp_err err = { 0 };
	if (argc != 3) {
		fprintf(stderr, "usage: catalog_bench TABLE DIR\n");
		return 2;
	}
	if (run(argv[1], argv[2], &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	return 0;
}
