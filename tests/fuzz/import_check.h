/* For the fuzz targets of importers: a folder for the input's files, and a sink that aborts when a row breaks a promise of
 * data/row.h. The input is files one behind another, with a byte 0 between them. */
#ifndef TP_TESTS_IMPORT_CHECK_H
#define TP_TESTS_IMPORT_CHECK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/data.h"
#include "data/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MAX_FILES = 4 };
static char dir[64], file[MAX_FILES][160];
static int n_files;

static void leave(void)
{
	for (int i = 0; i < n_files; i++)
		unlink(file[i]);
	rmdir(dir);
}

static void enter(const char *const *name)
{
	snprintf(dir, sizeof dir, "%s/tepal-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(dir))
		abort();
	for (; name[n_files]; n_files++)
		snprintf(file[n_files], sizeof file[n_files], "%s/%s", dir, name[n_files]);
	atexit(leave);
}

/* The last file is all that is left; those that are not there are removed. */
static inline void put_files(const uint8_t *p, size_t n)
{
	for (int i = 0; i < n_files; i++) {
		const uint8_t *end = n && i + 1 < n_files ? memchr(p, 0, n) : NULL;
		size_t len = end ? (size_t)(end - p) : n;
		unlink(file[i]);
		if (!p)
			continue;
		FILE *f = fopen(file[i], "wb");
		if (!f || (len && fwrite(p, 1, len, f) != len) || fclose(f))
			abort();
		p = end ? end + 1 : NULL;
		n = end ? n - len - 1 : 0;
	}
}

typedef struct {
	tp_sink sink;
	size_t rows, refused;
} check_sink;

static void check_text(const char *s, const char *what)
{
	size_t n = s ? strlen(s) : 0; /* reads it all: the sanitizer sees what is not ours */
	if (n > ((size_t)1 << 23)) {
		fprintf(stderr, "%s of %zu bytes\n", what, n);
		abort();
	}
}

static tp_code check_row(tp_sink *s, const tp_row *r, tp_err *err)
{
	(void)err;
	((check_sink *)s)->rows++;
	const char *text[] = { r->path, r->url, r->name, r->family, r->authorship, r->organ, r->author,
		r->licence, r->origin, r->date, r->observation };
	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		check_text(text[i], "text");
	if (!r->name || !*r->name || !r->where || !*r->where || r->split < -1 || r->split >= TP_SPLITS)
		abort();
	if (!(isnan(r->lat) || fabs(r->lat) <= 90) || !(isnan(r->lon) || fabs(r->lon) <= 180) ||
		r->width < 0 || r->height < 0)
		abort();
	return TP_OK;
}

static tp_code check_refuse(
	tp_sink *s, tp_refusal why, tp_code code, const char *where, const char *reason, tp_err *err)
{
	(void)err;
	((check_sink *)s)->refused++;
	if (why > TP_NOT_WANTED || !code || !where || !*where || !reason || !*reason)
		abort();
	return TP_OK;
}

static tp_code check_species(tp_sink *s, const tp_species *x, tp_err *err)
{
	(void)s, (void)err;
	check_text(x->name, "name");
	return TP_OK;
}

/* Twice: the same rows. */
static inline void check_import(const char *kind, const tp_import_opts *o)
{
	size_t rows[2], refused[2];
	for (int k = 0; k < 2; k++) {
		check_sink s = {
			.sink = { .row = check_row, .refuse = check_refuse, .species = check_species }
		};
		tp_err err = { 0 };
		tp_code rc = tp_importer_named(kind)->run(&s.sink, o, &err);
		if (rc && (err.code != rc || !err.msg[0]))
			abort();
		rows[k] = s.rows;
		refused[k] = s.refused;
	}
	if (rows[0] != rows[1] || refused[0] != refused[1])
		abort();
}

#endif
