/* Stratified split: see data_int.h. */
#include "base/mem.h"
#include "base/rng.h"
#include "data/data_int.h"

/* How many of n photos of one species go to validation and to test. */
static void shares(size_t n, size_t *val, size_t *test)
{
	*val = n < 3 ? 0 : n < 10 ? 1 : n / 10;
	*test = n < 5 ? 0 : n < 10 ? 1 : n / 10;
}

tp_code tp_make_split(tp_manifest *m, uint64_t seed, tp_err *err)
{
	uint32_t *order = tp_alloc(m->n_photos * sizeof *order);
	size_t *seen = tp_calloc(m->n_taxa, sizeof *seen), *total = tp_calloc(m->n_taxa, sizeof *total);
	tp_code rc = TP_OK;
	if (!order || !seen || !total) {
		rc = tp_nomem(err, m->n_photos * sizeof *order);
		goto out;
	}
	for (size_t i = 0; i < m->n_photos; i++) {
		order[i] = (uint32_t)i;
		total[m->photos[i].species]++;
	}
	tp_rng rng = tp_rng_seed(seed);
	tp_rng_shuffle(&rng, order, m->n_photos);
	for (size_t i = 0; i < m->n_photos; i++) {
		tp_photo *p = &m->photos[order[i]];
		size_t val, test, k = seen[p->species]++;
		shares(total[p->species], &val, &test);
		p->split = k < test ? TP_TEST : k < test + val ? TP_VAL : TP_TRAIN;
	}
out:
	tp_free(order);
	tp_free(seen);
	tp_free(total);
	return rc;
}
