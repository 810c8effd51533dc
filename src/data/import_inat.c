/* iNaturalist 2021 (visipedia/inat_comp): train.json and its like, COCO's form. Hundreds of megabytes with the parts in any
 * order, so it is read twice: first who is what (12 bytes an image), then the images. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/data.h"
#include "data/import_int.h"
#include "data/json_items.h"

/* Numbers of the file's to places in our arrays. */
typedef struct {
	int64_t *key;
	int32_t *value; /* -1: an empty slot */
	size_t cap, len;
} numbers;
enum { NOBODY = -1, TWO_SPECIES = -2 };

typedef struct {
	char *name, *family, *kingdom;
} category;

typedef struct {
	tp_sink *s;
	const tp_import_opts *o;
	numbers category_of_id, licence_of_id, category_of_image;
	category *category;
	char **licence;
	size_t n_categories, n_licences;
} inat;

static size_t slot_of(const numbers *n, int64_t key)
{
	size_t at = (size_t)((uint64_t)key * 0x9e3779b97f4a7c15u >> 20) & (n->cap - 1);
	while (n->value[at] != NOBODY && n->key[at] != key)
		at = (at + 1) & (n->cap - 1);
	return at;
}

static int32_t get(const numbers *n, int64_t key)
{
	return n->cap ? n->value[slot_of(n, key)] : NOBODY;
}

static void dispose(numbers *n)
{
	tp_free(n->key);
	tp_free(n->value);
}

static tp_code grow(numbers *n, tp_err *err)
{
	numbers m = { .cap = n->cap ? 2 * n->cap : 1024, .len = n->len };
	if (m.cap > TP_MAX_SAMPLES)
		return tp_fail(err, TP_ELIMIT, "more than %d annotations", TP_MAX_SAMPLES / 2);
	m.key = tp_alloc(m.cap * sizeof *m.key);
	m.value = tp_alloc(m.cap * sizeof *m.value);
	if (!m.key || !m.value) {
		dispose(&m);
		return tp_nomem(err, m.cap * sizeof *m.key);
	}
	for (size_t i = 0; i < m.cap; i++)
		m.value[i] = NOBODY;
	for (size_t i = 0; i < n->cap; i++)
		if (n->value[i] != NOBODY) {
			size_t at = slot_of(&m, n->key[i]);
			m.key[at] = n->key[i];
			m.value[at] = n->value[i];
		}
	dispose(n);
	*n = m;
	return TP_OK;
}

static tp_code put(numbers *n, int64_t key, int32_t value, tp_err *err)
{
	tp_code rc = n->len >= n->cap / 2 ? grow(n, err) : TP_OK;
	if (rc)
		return rc;
	size_t at = slot_of(n, key);
	n->len += n->value[at] == NOBODY;
	n->key[at] = key;
	n->value[at] = value;
	return TP_OK;
}

static tp_code id_of(
	int64_t *out, const json_t *item, const char *key, const char *what, size_t index, tp_err *err)
{
	const json_t *v = json_object_get(item, key);
	if (!json_is_integer(v))
		return tp_fail(err, TP_EFORMAT, "%s %zu: \"%s\" is no whole number", what, index, key);
	*out = json_integer_value(v);
	return TP_OK;
}

static tp_code add_category(inat *x, const json_t *item, size_t index, tp_err *err)
{
	int64_t id = 0;
	tp_code rc = id_of(&id, item, "id", "category", index, err);
	if (rc)
		return rc;
	if (x->n_categories == TP_MAX_CLASSES)
		return tp_fail(err, TP_ELIMIT, "more than %d categories", TP_MAX_CLASSES);
	if (x->n_categories % 64 == 0) {
		category *v = tp_realloc(x->category, (x->n_categories + 64) * sizeof *v);
		if (!v)
			return tp_nomem(err, sizeof *v);
		x->category = v;
	}
	category *c = &x->category[x->n_categories++];
	c->name = tp_strdup(tp_json_text_or_empty(item, "name"));
	c->family = tp_strdup(tp_json_text_or_empty(item, "family"));
	c->kingdom = tp_strdup(tp_json_text_or_empty(item, "kingdom"));
	if (!c->name || !c->family || !c->kingdom)
		return tp_nomem(err, 1);
	return put(&x->category_of_id, id, (int32_t)x->n_categories - 1, err);
}

static tp_code add_licence(inat *x, const json_t *item, size_t index, tp_err *err)
{
	int64_t id = 0;
	tp_code rc = id_of(&id, item, "id", "licence", index, err);
	if (rc)
		return rc;
	if (x->n_licences == TP_MAX_CSV_FIELDS)
		return tp_fail(err, TP_ELIMIT, "more than %d licences", TP_MAX_CSV_FIELDS);
	char **v = tp_realloc(x->licence, (x->n_licences + 1) * sizeof *v);
	if (!v)
		return tp_nomem(err, sizeof *v);
	x->licence = v;
	const char *url = tp_json_text_or_empty(item, "url");
	v[x->n_licences] = tp_strdup(*url ? url : tp_json_text_or_empty(item, "name"));
	if (!v[x->n_licences++])
		return tp_nomem(err, 1);
	return put(&x->licence_of_id, id, (int32_t)x->n_licences - 1, err);
}

/* The number of a category goes in as it is: its record may stand behind. */
static tp_code add_annotation(inat *x, const json_t *item, size_t index, tp_err *err)
{
	int64_t image = 0, is = 0;
	tp_code rc = id_of(&image, item, "image_id", "annotation", index, err);
	if (!rc)
		rc = id_of(&is, item, "category_id", "annotation", index, err);
	if (!rc && (is < 0 || is > INT32_MAX))
		rc = tp_fail(err, TP_EFORMAT, "annotation %zu: category %lld", index, (long long)is);
	if (rc)
		return rc;
	int32_t before = get(&x->category_of_image, image);
	return put(&x->category_of_image, image, before == NOBODY || before == is ? (int32_t)is : TWO_SPECIES,
		err);
}

static tp_code who_is_what(void *ud, const char *key, size_t index, const json_t *item, tp_err *err)
{
	inat *x = ud;
	if (!strcmp(key, "categories"))
		return add_category(x, item, index, err);
	return !strcmp(key, "licenses") ? add_licence(x, item, index, err)
					: add_annotation(x, item, index, err);
}

static int split_of(const char *path)
{
	return !strncmp(path, "train", 5) ? TP_TRAIN : !strncmp(path, "val", 3) ? TP_VAL : -1;
}

static double number(const json_t *item, const char *key, double max)
{
	double v = json_is_number(json_object_get(item, key)) ? json_number_value(json_object_get(item, key))
							      : NAN;
	return v >= -max && v <= max ? v : NAN;
}

static int pixels(const json_t *item, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(item, key));
	return v > 0 && v <= TP_MAX_SIDE ? (int)v : 0;
}

static tp_code one_image(void *ud, const char *key, size_t index, const json_t *item, tp_err *err)
{
	inat *x = ud;
	char where[48];
	int64_t id = 0;
	tp_row row = TP_ROW_INIT;
	(void)key;
	snprintf(where, sizeof where, "image %zu", index);
	tp_code rc = id_of(&id, item, "id", "image", index, err);
	if (rc)
		return rc;
	int32_t is = get(&x->category_of_image, id), at = is < 0 ? NOBODY : get(&x->category_of_id, is);
	if (is == TWO_SPECIES)
		return x->s->refuse(x->s, TP_BAD_ROW, TP_EFORMAT, where, "annotated as two species", err);
	if (at < 0 || !*x->category[at].name)
		return x->s->refuse(x->s, TP_NO_SPECIES, TP_EFORMAT, where, "no species", err);
	const category *c = &x->category[at];
	if (x->o->kingdom && *c->kingdom && strcasecmp(c->kingdom, x->o->kingdom) != 0) {
		char reason[80];
		snprintf(reason, sizeof reason, "kingdom %.60s", c->kingdom);
		return x->s->refuse(x->s, TP_NOT_WANTED, TP_EFORMAT, where, reason, err);
	}
	int32_t licence = get(&x->licence_of_id, json_integer_value(json_object_get(item, "license")));
	row.path = tp_json_text_or_empty(item, "file_name");
	row.name = c->name;
	row.family = c->family;
	row.author = tp_json_text_or_empty(item, "rights_holder");
	row.licence = licence < 0 ? "" : x->licence[licence];
	row.date = tp_json_text_or_empty(item, "date");
	row.lat = number(item, "latitude", 90);
	row.lon = number(item, "longitude", 180);
	row.split = split_of(row.path);
	row.width = pixels(item, "width");
	row.height = pixels(item, "height");
	row.where = where;
	return x->s->row(x->s, &row, err);
}

static tp_code pass(inat *x, const char *const *wanted, tp_json_item_fn fn, tp_err *err)
{
	tp_bytes bytes = { 0 };
	tp_code rc = tp_bytes_file(&bytes, x->o->path, err);
	if (rc)
		return rc;
	rc = tp_json_items(&bytes, wanted, fn, x, err);
	tp_bytes_close(&bytes);
	return rc ? tp_context(err, rc, "%s: ", x->o->path) : TP_OK;
}

tp_code tp_import_inat(tp_sink *s, const tp_import_opts *o, tp_err *err)
{
	static const char *const names[] = { "categories", "annotations", "licenses", NULL },
				 *const images[] = { "images", NULL };
	inat x = { .s = s, .o = o };
	tp_code rc = pass(&x, names, who_is_what, err);
	if (!rc && !x.n_categories)
		rc = tp_fail(err, TP_EFORMAT, "%s: no \"categories\"", o->path);
	if (!rc)
		rc = pass(&x, images, one_image, err);
	for (size_t i = 0; i < x.n_categories; i++) {
		tp_free(x.category[i].name);
		tp_free(x.category[i].family);
		tp_free(x.category[i].kingdom);
	}
	for (size_t i = 0; i < x.n_licences; i++)
		tp_free(x.licence[i]);
	tp_free(x.category);
	tp_free(x.licence);
	dispose(&x.category_of_id);
	dispose(&x.licence_of_id);
	dispose(&x.category_of_image);
	return rc;
}
