/* A folder of shards as a source of photos: species, splits and labels are those it was packed with. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/shard_import.h"

static tp_code add_common(tp_taxon *t, const json_t *common, tp_err *err)
{
	tp_code rc = TP_OK;
	for (size_t k = 0; k < json_array_size(common) && !rc; k++) {
		const json_t *pair = json_array_get(common, k);
		const char *lang = json_string_value(json_array_get(pair, 0)),
			   *name = json_string_value(json_array_get(pair, 1));
		if (k >= 7 || !lang || !name || !*lang || !*name)
			return tp_fail(err, TP_EFORMAT, "common name %zu", k);
		rc = tp_set_text(&t->common[k][0], lang, err);
		if (!rc)
			rc = tp_set_text(&t->common[k][1], name, err);
	}
	return rc;
}

static tp_code add_class(tp_builder *b, const json_t *o, const char *before, tp_err *err)
{
	const char *name = NULL;
	int k = 0;
	tp_code rc = tp_json_text(&name, o, "name", "class", err);
	/* in order, so that numbers stay labels when the manifest sorts them */
	if (!rc && (!*name || strcmp(before, name) >= 0))
		rc = tp_fail(err, TP_EFORMAT, "class \"%.60s\" behind \"%.60s\"", name, before);
	if (!rc)
		rc = tp_builder_new_taxon(b, &k, name, err);
	if (rc)
		return rc;
	tp_taxon *t = &b->m.taxa[k];
	rc = tp_set_text(&t->family, tp_json_text_or_empty(o, "family"), err);
	if (!rc)
		rc = tp_set_text(&t->authorship, tp_json_text_or_empty(o, "authorship"), err);
	if (!rc)
		rc = tp_set_text(&t->powo, tp_json_text_or_empty(o, "powo"), err);
	return rc ? rc : add_common(t, json_object_get(o, "common"), err);
}

static tp_code add_photos(tp_builder *b, const tp_shards *s, tp_err *err)
{
	tp_code rc = TP_OK;
	for (size_t i = 0; i < tp_shards_count(s) && !rc; i++) {
		tp_split split;
		tp_shard_row r = tp_shards_row(s, i, &split);
		tp_photo_row row = { r.path, r.organ, r.source, r.licence, r.author, (int)r.label, split };
		rc = tp_builder_photo(b, &row, err);
		if (!rc)
			b->m.photos[b->m.n_photos - 1].at = i;
	}
	return rc;
}

tp_code tp_import_shards(tp_builder *b, const char *dir, tp_err *err)
{
	tp_code rc = tp_shards_open(&b->m.shards, dir, err);
	if (rc)
		return rc;
	const tp_shard_list *l = tp_shards_list(b->m.shards);
	const char *before = "";
	for (size_t i = 0; i < json_array_size(l->classes) && !rc; i++) {
		rc = add_class(b, json_array_get(l->classes, i), before, err);
		before = rc ? "" : b->m.taxa[i].name;
	}
	if (!rc)
		rc = add_photos(b, b->m.shards, err);
	b->m.seen = l->seen;
	b->m.skipped_not_photo = l->not_photo;
	b->m.skipped_no_species = l->no_species;
	b->m.skipped_listed_twice = l->listed_twice;
	b->m.skipped_unreadable = l->excluded.photos;
	b->has_split = true;
	return rc ? tp_context(err, rc, "%s: ", dir) : TP_OK;
}
