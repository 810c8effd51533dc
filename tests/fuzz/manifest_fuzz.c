/* Fuzz target: a photo set told by tables. The input up to the first byte 0 is split.csv, the rest is classes.csv. What
 * is accepted is sorted, counted and inside its folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char dir[64], split[96], classes[96];

static void leave(void)
{
	unlink(split);
	unlink(classes);
	rmdir(dir);
}

static void put(const char *path, const uint8_t *p, size_t n)
{
	FILE *f = fopen(path, "wb");
	if (!f || (n && fwrite(p, 1, n, f) != n) || fclose(f))
		abort();
}

static void enter(void)
{
	snprintf(dir, sizeof dir, "/tmp/tepal-fuzz-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(split, sizeof split, "%s/split.csv", dir);
	snprintf(classes, sizeof classes, "%s/classes.csv", dir);
	atexit(leave);
}

static void check_taxa(const tp_manifest *m)
{
	for (size_t i = 0; i < m->n_taxa; i++) {
		const tp_taxon *t = &m->taxa[i];
		if (!*t->name || (i && strcmp(m->taxa[i - 1].name, t->name) >= 0))
			abort();
		if (!t->family || !t->authorship || !t->powo || t->common[7][0])
			abort();
		for (size_t k = 0; t->common[k][0]; k++)
			if (!*t->common[k][1])
				abort();
	}
}

static void check_photos(const tp_manifest *m)
{
	for (size_t i = 0; i < m->n_photos; i++) {
		const tp_photo *p = &m->photos[i];
		if (i && strcmp(m->photos[i - 1].path, p->path) >= 0)
			abort();
		if (!*p->path || *p->path == '/' || !strncmp(p->path, "../", 3) || strstr(p->path, "/../"))
			abort();
		if (p->species < 0 || (size_t)p->species >= m->n_taxa || p->split < 0 ||
			p->split >= TP_SPLITS)
			abort();
		if (!p->organ || !p->source || !p->licence || !p->author)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *end = n ? memchr(p, 0, n) : NULL;
	size_t len = end ? (size_t)(end - p) : n;
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	if (!*dir)
		enter();
	put(split, p, len);
	unlink(classes);
	if (end)
		put(classes, end + 1, n - len - 1);
	tp_code rc = tp_manifest_open(&m, dir, 1, &err);
	if (rc && (err.code != rc || !err.msg[0] || m.photos || m.taxa))
		abort();
	if (!rc) {
		if (m.n_taxa < 2 || !m.n_photos ||
			m.seen != m.n_photos + m.skipped_not_photo + m.skipped_no_species +
					  m.skipped_listed_twice)
			abort();
		check_taxa(&m);
		check_photos(&m);
	}
	tp_manifest_free(&m);
	return 0;
}
