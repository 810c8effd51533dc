/* The split of a manifest that came without one: see data_int.h. */
#include "base/mem.h"
#include "data/data_int.h"
#include "data/split_groups.h"

tp_code tp_make_split(tp_manifest *m, uint64_t seed, tp_err *err)
{
	tp_split_opts o = TP_SPLIT_OPTS_INIT;
	uint32_t *species = tp_alloc(m->n_photos * sizeof *species);
	uint64_t *name = tp_alloc(m->n_photos * sizeof *name);
	uint8_t *split = tp_alloc(m->n_photos * sizeof *split);
	tp_split_photos p = { .n = m->n_photos, .n_species = m->n_taxa, .species = species, .name = name };
	tp_code rc = species && name && split ? TP_OK : tp_nomem(err, m->n_photos * sizeof *name);
	o.seed = seed;
	for (size_t i = 0; i < m->n_photos && !rc; i++) {
		species[i] = (uint32_t)m->photos[i].species;
		name[i] = tp_key_of(m->photos[i].path);
	}
	if (!rc)
		rc = tp_split_groups(split, &p, &o, NULL, err);
	for (size_t i = 0; i < m->n_photos && !rc; i++)
		m->photos[i].split = (tp_split)split[i];
	tp_free(species);
	tp_free(name);
	tp_free(split);
	return rc;
}
