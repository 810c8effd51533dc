/* Rows of an importer straight into a manifest. Training takes only whole sources: a row that cannot be taken is an error,
 * but files that are no photos and photos without a name are counted. */
#include <stdio.h>
#include <string.h>

#include "data/data_int.h"

static tp_code same_name(void *ud, uint32_t id, const char *text, size_t len, int *same, tp_err *err)
{
	const tp_manifest *m = ud;
	(void)err, (void)len;
	*same = !strcmp(m->taxa[id - 1].name, text);
	return TP_OK;
}

static tp_code find(tp_manifest_sink *x, uint32_t *id, const char *name, tp_err *err)
{
	return tp_idset_find(id, &x->taxa, name, strlen(name), same_name, &x->b->m, err);
}

static tp_code taxon(tp_manifest_sink *x, int *out, const char *name, tp_err *err)
{
	uint32_t id = 0;
	tp_code rc = find(x, &id, name, err);
	if (rc || id) {
		*out = (int)id - 1;
		return rc;
	}
	rc = tp_builder_new_taxon(x->b, out, name, err);
	return rc ? rc : tp_idset_add(&x->taxa, name, strlen(name), (int64_t)*out + 1, err);
}

/* Either all rows tell their split or none. */
static tp_code check_split(tp_manifest_sink *x, const tp_row *r, tp_err *err)
{
	x->with_split += r->split >= 0;
	x->without_split += r->split < 0;
	if (x->with_split && x->without_split)
		return tp_fail(
			err, TP_EFORMAT, "some photos have a split (train, val, test) and some have none");
	x->b->has_split = x->with_split > 0;
	return TP_OK;
}

static tp_code row(tp_sink *s, const tp_row *r, tp_err *err)
{
	tp_manifest_sink *x = (tp_manifest_sink *)s;
	tp_photo_row p = { .path = r->path ? r->path : "",
		.organ = r->organ,
		.source = r->origin,
		.licence = r->licence,
		.author = r->author,
		.split = r->split < 0 ? TP_TRAIN : (tp_split)r->split };
	x->b->m.seen++;
	tp_code rc = check_split(x, r, err);
	if (!rc)
		rc = taxon(x, &p.species, r->name, err);
	if (!rc)
		rc = tp_set_text(&x->b->m.taxa[p.species].family, r->family ? r->family : "", err);
	if (!rc)
		rc = tp_builder_photo(x->b, &p, err);
	return rc ? tp_context(err, rc, "%s: ", r->where) : TP_OK;
}

static tp_code refuse(
	tp_sink *s, tp_refusal why, tp_code code, const char *where, const char *reason, tp_err *err)
{
	tp_manifest_sink *x = (tp_manifest_sink *)s;
	x->b->m.seen++;
	x->b->m.skipped_not_photo += why == TP_NOT_A_PHOTO;
	x->b->m.skipped_no_species += why == TP_NO_SPECIES;
	return why == TP_NOT_A_PHOTO || why == TP_NO_SPECIES ? TP_OK
							     : tp_fail(err, code, "%s: %s", where, reason);
}

static tp_code species(tp_sink *s, const tp_species *in, tp_err *err)
{
	tp_manifest_sink *x = (tp_manifest_sink *)s;
	uint32_t id = 0;
	tp_code rc = find(x, &id, in->name, err);
	if (rc || !id)
		return rc; /* a species without photos here */
	tp_taxon *t = &x->b->m.taxa[id - 1];
	rc = tp_set_text(&t->family, in->family, err);
	if (!rc)
		rc = tp_set_text(&t->authorship, in->authorship, err);
	if (!rc)
		rc = tp_set_text(&t->powo, in->powo, err);
	for (size_t i = 0, k = 0; i < 7 && in->common[i][0] && !rc; i++) {
		while (k < 7 && t->common[k][0])
			k++;
		if (k == 7)
			break;
		rc = tp_set_text(&t->common[k][1], in->common[i][1], err);
		if (!rc)
			rc = tp_set_text(&t->common[k][0], in->common[i][0], err);
	}
	return rc;
}

void tp_manifest_sink_init(tp_manifest_sink *x, tp_builder *b)
{
	*x = (tp_manifest_sink){ .sink = { .row = row, .refuse = refuse, .species = species }, .b = b };
}

void tp_manifest_sink_dispose(tp_manifest_sink *x)
{
	tp_idset_dispose(&x->taxa);
}
