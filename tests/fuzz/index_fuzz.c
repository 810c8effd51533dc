/* Fuzz target: an index of reference photos. What is accepted can be read, found and searched throughout. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "retrieve/index_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static size_t length_of(const tp_ref *r)
{
	return strlen(r->organ) + strlen(r->author) + strlen(r->licence) + strlen(r->source);
}

static size_t read_rows(const tp_index *x)
{
	size_t sum = 0;
	for (size_t i = 0; i < tp_index_count(x); i++) {
		const tp_ref *r = tp_index_ref(x, i);
		char *path = NULL;
		long found = tp_index_find(x, r->id);
		if (strlen(r->id) != TP_ID_HEX || found < 0 ||
			strcmp(tp_index_ref(x, (size_t)found)->id, r->id))
			abort();
		if (*r->path == '/' || !strncmp(r->path, "../", 3) || strstr(r->path, "/../"))
			abort();
		if (!tp_index_photo_path(&path, x, i, NULL) && !strstr(path, r->path))
			abort();
		sum += length_of(r);
		tp_free(path);
	}
	return sum;
}

static void search(const tp_index *x, const char *species, const char *prefer)
{
	enum { K = 5 };
	size_t dim = (size_t)tp_index_dim(x);
	float *f = tp_calloc(dim, sizeof *f);
	tp_hit hit[K];
	for (size_t i = 0; f && i < dim; i++)
		f[i] = (float)(i % 7) - 2;
	int n = f ? tp_index_search(hit, K, x, species, f, prefer) : 0;
	bool other = false;
	for (int i = 0; i < n; i++) {
		if (hit[i].row >= tp_index_count(x) || !(hit[i].similarity >= -1 && hit[i].similarity <= 1))
			abort();
		bool is = prefer && !strcmp(tp_index_ref(x, hit[i].row)->organ, prefer);
		if (is && other)
			abort(); /* of the organ asked for, behind one that is not */
		if (i && is != other && hit[i].similarity > hit[i - 1].similarity)
			abort();
		other = !is;
	}
	tp_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	tp_index *x = NULL;
	if (tp_index_parse(&x, p, n, "folder", NULL))
		return 0;
	size_t sum = read_rows(x);
	search(x, "Aloe vera", NULL);
	search(x, "Mangifera indica", "leaf");
	tp_index_close(x);
	return sum == (size_t)-1; /* never */
}
