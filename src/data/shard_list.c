/* shards.json, the list of what a folder of shards holds: see shard_int.h, and docs/formats.md. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/shard_int.h"

static const char where[] = TP_SHARD_LIST;
enum { VERSION = 1 };
static const long long MOST = (long long)1 << 50; /* bytes, photos: more than any disk holds */

const char *const tp_split_names[TP_SPLITS] = { "train", "val", "test" };

bool tp_is_shards(const char *dir)
{
	char path[4096]; /* no memory, so that there is nothing to fail; a longer one cannot be opened */
	int n = snprintf(path, sizeof path, "%s/%s", dir, TP_SHARD_LIST);
	return n > 0 && (size_t)n < sizeof path && tp_is_file(path);
}

static void file_dispose(tp_shard_file *f)
{
	tp_free(f->file);
	*f = (tp_shard_file){ 0 };
}

void tp_shard_list_dispose(tp_shard_list *l)
{
	for (int s = 0; s < TP_SPLITS; s++) {
		for (size_t i = 0; i < l->set[s].n; i++)
			file_dispose(&l->set[s].shard[i]);
		tp_free(l->set[s].shard);
		file_dispose(&l->set[s].index);
	}
	file_dispose(&l->excluded);
	json_decref(l->classes);
	json_decref(l->made);
	json_decref(l->rules);
	*l = (tp_shard_list){ 0 };
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static tp_code count(size_t *out, const json_t *o, const char *key, tp_err *err)
{
	long long v = 0;
	tp_code rc = tp_json_int(&v, o, key, 0, MOST, where, err);
	*out = (size_t)v;
	return rc;
}

/* A file beside the list: a name, never a path. */
static tp_code read_file(tp_shard_file *f, const json_t *o, tp_err *err)
{
	const char *name = NULL, *sum = NULL;
	size_t bytes = 0;
	tp_code rc = tp_json_text(&name, o, "file", where, err);
	if (!rc)
		rc = count(&bytes, o, "bytes", err);
	if (!rc)
		rc = count(&f->photos, o, "photos", err);
	if (!rc)
		rc = tp_json_text(&sum, o, "sha256", where, err);
	if (rc)
		return rc;
	if (!*name || *name == '.' || strchr(name, '/'))
		return tp_fail(
			err, TP_EFORMAT, "%s: file \"%.80s\" is not a name in this folder", where, name);
	if (strlen(sum) != 64 || strspn(sum, "0123456789abcdef") != 64)
		return tp_fail(err, TP_EFORMAT, "%s: %.80s: sha256 \"%.70s\"", where, name, sum);
	f->bytes = bytes;
	memcpy(f->sum.hex, sum, sizeof f->sum.hex);
	f->file = tp_strdup(name);
	return f->file ? TP_OK : tp_nomem(err, strlen(name));
}

static tp_code read_set(tp_shard_set *s, const json_t *o, const char *name, tp_err *err)
{
	json_t *index = NULL, *shards = NULL;
	size_t photos = 0;
	tp_code rc = tp_json_object(&index, o, "index", where, err);
	if (!rc)
		rc = read_file(&s->index, index, err);
	if (!rc)
		rc = tp_json_array(&shards, o, "shards", where, err);
	if (rc)
		return rc;
	size_t n = json_array_size(shards);
	if (!n || n > TP_MAX_SHARDS)
		return tp_fail(err, TP_EFORMAT, "%s: %s: %zu shards", where, name, n);
	s->shard = tp_calloc(n, sizeof *s->shard);
	if (!s->shard)
		return tp_nomem(err, n * sizeof *s->shard);
	for (; s->n < n && !rc; s->n++) {
		rc = read_file(&s->shard[s->n], json_array_get(shards, s->n), err);
		photos += s->shard[s->n].photos;
	}
	if (!rc && (photos != s->index.photos || !photos))
		rc = tp_fail(err, TP_EFORMAT, "%s: %s: the shards hold %zu photos, the index %zu", where,
			name, photos, s->index.photos);
	return rc;
}

static tp_code read_sets(tp_shard_list *l, const json_t *doc, tp_err *err)
{
	json_t *splits = NULL;
	tp_code rc = tp_json_object(&splits, doc, "splits", where, err);
	size_t photos = 0;
	for (int s = 0; s < TP_SPLITS && !rc; s++) {
		const json_t *o = json_object_get(splits, tp_split_names[s]);
		if (o)
			rc = read_set(&l->set[s], o, tp_split_names[s], err);
		photos += l->set[s].index.photos;
	}
	if (!rc && photos != l->packed)
		rc = tp_fail(err, TP_EFORMAT, "%s: the splits hold %zu photos, %zu were packed", where,
			photos, l->packed);
	return rc;
}

/* Only of a catalog's photos; 0 when it is not there. */
static tp_code optional(size_t *out, const json_t *o, const char *key, tp_err *err)
{
	return json_object_get(o, key) ? count(out, o, key, err) : TP_OK;
}

static tp_code read_rules(tp_shard_list *l, const json_t *photos, tp_err *err)
{
	json_t *rules = NULL, *v;
	const char *rule;
	tp_code rc = optional(&l->held_out, photos, "held_out", err);
	if (!rc)
		rc = optional(&l->not_here, photos, "not_here", err);
	if (!rc && json_object_get(photos, "rules"))
		rc = tp_json_object(&rules, photos, "rules", where, err);
	json_object_foreach(rules, rule, v)
	{
		size_t n = 0;
		rc = rc ? rc : count(&n, rules, rule, err);
		l->by_rules += n;
	}
	l->rules = json_incref(rules);
	return rc;
}

static tp_code read_counts(tp_shard_list *l, const json_t *doc, tp_err *err)
{
	json_t *o = NULL, *excluded = NULL;
	tp_code rc = tp_json_object(&o, doc, "photos", where, err);
	if (!rc)
		rc = count(&l->seen, o, "seen", err);
	if (!rc)
		rc = count(&l->packed, o, "packed", err);
	if (!rc)
		rc = count(&l->not_photo, o, "not_photo", err);
	if (!rc)
		rc = count(&l->no_species, o, "no_species", err);
	if (!rc)
		rc = count(&l->listed_twice, o, "listed_twice", err);
	if (!rc)
		rc = read_rules(l, o, err);
	if (!rc)
		rc = tp_json_object(&excluded, doc, "excluded", where, err);
	if (!rc)
		rc = read_file(&l->excluded, excluded, err);
	size_t sum = l->packed + l->excluded.photos + l->not_photo + l->no_species + l->listed_twice +
		     l->held_out + l->not_here + l->by_rules;
	if (!rc && sum != l->seen)
		rc = tp_fail(err, TP_EFORMAT, "%s: %zu photos were seen, but %zu accounted for", where,
			l->seen, sum);
	return rc;
}

tp_code tp_shard_list_parse(tp_shard_list *out, const char *text, size_t len, tp_err *err)
{
	tp_shard_list l = { 0 };
	json_t *doc = NULL, *classes = NULL, *made = NULL;
	long long version = 0;
	tp_code rc = tp_json_parse(&doc, text, len, where, err);
	if (!rc)
		rc = tp_json_int(&version, doc, "tepal_shards", VERSION, VERSION, where, err);
	if (!rc)
		rc = read_counts(&l, doc, err);
	if (!rc)
		rc = read_sets(&l, doc, err);
	if (!rc)
		rc = tp_json_array(&classes, doc, "classes", where, err);
	if (!rc)
		rc = tp_json_object(&made, doc, "made", where, err);
	if (!rc && (json_array_size(classes) < 1 || json_array_size(classes) > TP_MAX_CLASSES))
		rc = tp_fail(err, TP_EFORMAT, "%s: %zu classes", where, json_array_size(classes));
	l.classes = json_incref(classes);
	l.made = json_incref(made);
	json_decref(doc);
	if (rc)
		tp_shard_list_dispose(&l);
	else
		*out = l;
	return rc;
}

tp_code tp_shard_list_read(tp_shard_list *out, const char *dir, tp_err *err)
{
	uint8_t *text = NULL;
	size_t len = 0;
	char *path = tp_path_join(dir, TP_SHARD_LIST);
	tp_code rc = path ? tp_file_read(&text, &len, path, TP_MAX_JSON, err) : tp_nomem(err, strlen(dir));
	if (!rc) {
		rc = tp_shard_list_parse(out, (const char *)text, len, err);
		if (rc)
			tp_context(err, rc, "%s/", dir);
	}
	tp_free(text);
	tp_free(path);
	return rc;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

json_t *tp_shard_text_json(const char *s)
{
	json_t *j = json_string(s);
	char *copy = j ? NULL : tp_strdup(s);
	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c > 127)
			*c = '?';
	if (copy)
		j = json_string(copy);
	tp_free(copy);
	return j;
}

static json_t *file_json(const tp_shard_file *f)
{
	return json_pack("{s:s, s:I, s:I, s:s}", "file", f->file, "bytes", (json_int_t)f->bytes, "photos",
		(json_int_t)f->photos, "sha256", f->sum.hex);
}

static json_t *set_json(const tp_shard_set *s)
{
	json_t *shards = json_array();
	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(shards, file_json(&s->shard[i]));
	return json_pack("{s:o, s:o}", "index", file_json(&s->index), "shards", shards);
}

json_t *tp_shard_classes_json(const tp_manifest *m)
{
	json_t *a = json_array();
	for (size_t i = 0; a && i < m->n_taxa; i++) {
		const tp_taxon *t = &m->taxa[i];
		json_t *common = json_array();
		for (size_t k = 0; k < 8 && t->common[k][0]; k++)
			json_array_append_new(common, json_pack("[s, s]", t->common[k][0], t->common[k][1]));
		json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", t->name, "authorship",
			t->authorship, "family", t->family, "powo", t->powo, "common", common);
		if (!o || json_array_append_new(a, o)) {
			json_decref(a);
			a = NULL;
		}
	}
	return a;
}

static json_t *list_json(const tp_shard_list *l)
{
	json_t *splits = json_object();
	for (int s = 0; s < TP_SPLITS; s++)
		if (l->set[s].n)
			json_object_set_new(splits, tp_split_names[s], set_json(&l->set[s]));
	json_t *photos = json_pack("{s:I, s:I, s:I, s:I, s:I}", "seen", (json_int_t)l->seen, "packed",
		(json_int_t)l->packed, "not_photo", (json_int_t)l->not_photo, "no_species",
		(json_int_t)l->no_species, "listed_twice", (json_int_t)l->listed_twice);
	if (l->held_out)
		json_object_set_new(photos, "held_out", json_integer((json_int_t)l->held_out));
	if (l->not_here)
		json_object_set_new(photos, "not_here", json_integer((json_int_t)l->not_here));
	if (l->by_rules)
		json_object_set(photos, "rules", l->rules);
	return json_pack("{s:i, s:O, s:o, s:o, s:o, s:O}", "tepal_shards", VERSION, "made", l->made, "photos",
		photos, "excluded", file_json(&l->excluded), "splits", splits, "classes", l->classes);
}

tp_code tp_shard_list_write(const tp_shard_list *l, const char *dir, tp_err *err)
{
	char *path = tp_path_join(dir, TP_SHARD_LIST);
	json_t *j = list_json(l);
	tp_code rc = path && j ? tp_json_write(path, j, err) : tp_nomem(err, 0);
	json_decref(j);
	tp_free(path);
	return rc;
}
