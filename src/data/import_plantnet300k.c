/* Pl@ntNet-300K. v1.1: images/SPLIT/SPECIES_ID/HASH.jpg with plantnet300K_metadata.json (an object with a member for each
 * photo) and the species' names in plantnet300K_species_id_2_name.json. v2.0: SPLIT/0000/HASH.jpg with
 * plantnet300K_metadata.csv and species_metadata.csv. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/import_int.h"
#include "data/json_items.h"

typedef struct {
	tp_sink *s;
	const tp_import_opts *o;
	/* v1.1: names by id */
	json_t *names;
	/* v2.0: names and families by number, and the columns of the table being read */
	char **name, **family;
	size_t n_names;
	bool has_head;
	int at[8];
	size_t n_fields;
} set300k;

static char *in_folder(const set300k *x, const char *name)
{
	return tp_path_join(x->o->path, name);
}

static tp_code refuse(set300k *x, const char *where, const char *reason, tp_err *err)
{
	return x->s->refuse(x->s, TP_BAD_ROW, TP_EFORMAT, where, reason, err);
}

/* A folder's or file's name: nothing that could be a path. */
static bool is_name(const char *s)
{
	return *s && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 && strlen(s) < 200;
}

static void spaces(char *s)
{
	for (; *s; s++)
		if (*s == '_')
			*s = ' ';
}

/* ---- v1.1 ---- */

/* Observations and species are numbers in one release and texts in another. */
static const char *text_of(const json_t *item, const char *key, char room[32])
{
	const json_t *v = json_object_get(item, key);
	if (!json_is_integer(v))
		return json_is_string(v) ? json_string_value(v) : "";
	snprintf(room, 32, "%lld", (long long)json_integer_value(v));
	return room;
}

static tp_code one_photo(void *ud, const char *key, size_t index, const json_t *item, tp_err *err)
{
	set300k *x = ud;
	char path[512], id_text[32], obs_text[32], name[TP_MAX_NAME + 1];
	const char *where = *key ? key : "a photo without a name";
	tp_row row = TP_ROW_INIT;
	(void)index;
	const char *id = text_of(item, "species_id", id_text), *split = tp_json_text_or_empty(item, "split"),
		   *given = json_string_value(json_object_get(x->names, id));
	if (!json_is_object(item))
		return refuse(x, where, "no object", err);
	if (!is_name(key) || !is_name(id) || !tp_split_named(&row.split, split) || row.split < 0)
		return refuse(x, where, "species_id, split or name is not as it should be", err);
	if (!given)
		return x->s->refuse(x->s, TP_NO_SPECIES, TP_EFORMAT, where, "its species has no name", err);
	snprintf(path, sizeof path, "images/%s/%s/%s.jpg", split, id, key);
	snprintf(name, sizeof name, "%s", given);
	spaces(name);
	row.path = path;
	row.name = name;
	row.organ = tp_json_text_or_empty(item, "organ");
	row.author = tp_json_text_or_empty(item, "author");
	row.licence = tp_json_text_or_empty(item, "license");
	row.observation = text_of(item, "obs_id", obs_text);
	row.no_train = json_is_false(json_object_get(item, "is_shareable"));
	row.where = where;
	return x->s->row(x->s, &row, err);
}

static tp_code read_names(set300k *x, tp_err *err)
{
	static const char *const files[] = { "plantnet300K_species_id_2_name.json",
		"plantnet300K_species_names.json" };
	for (size_t i = 0; i < 2; i++) {
		char *path = in_folder(x, files[i]);
		uint8_t *text = NULL;
		size_t len = 0;
		if (!path)
			return tp_nomem(err, strlen(x->o->path));
		bool found = tp_is_file(path);
		tp_code rc = found ? tp_file_read(&text, &len, path, TP_MAX_JSON, err) : TP_OK;
		if (!rc && found)
			rc = tp_json_parse(&x->names, (const char *)text, len, files[i], err);
		tp_free(text);
		tp_free(path);
		if (rc || found)
			return rc;
	}
	return tp_fail(err, TP_ENOTFOUND, "%s: no %s", x->o->path, files[0]);
}

static tp_code version_1(set300k *x, const char *metadata, tp_err *err)
{
	tp_bytes bytes = { 0 };
	tp_code rc = read_names(x, err);
	if (!rc)
		rc = tp_bytes_file(&bytes, metadata, err);
	if (!rc) {
		rc = tp_json_items(&bytes, NULL, one_photo, x, err);
		if (rc)
			tp_context(err, rc, "%s: ", metadata);
	}
	tp_bytes_close(&bytes);
	json_decref(x->names);
	return rc;
}

/* ---- v2.0 ---- */

enum { ID, OBSERVATION, ORGAN, AUTHOR, LICENCE, SPLIT, HASH, N_PHOTO_COLUMNS };
static const char *const photo_columns[] = { "species_id", "PN_observation_id", "organ", "author", "license",
	"split", "PN_hash" };
enum { SPECIES_ID, FULL_SPECIES, FAMILY, N_SPECIES_COLUMNS };
static const char *const species_columns[] = { "species_id", "full_species", "family" };

static tp_code read_head(
	set300k *x, const tp_csv_record *r, const char *const *column, int n, int n_required, tp_err *err)
{
	x->has_head = true;
	x->n_fields = r->n;
	for (int c = 0; c < n; c++) {
		x->at[c] = -1;
		for (size_t i = 0; i < r->n; i++)
			if (!strcmp(r->field[i], column[c]))
				x->at[c] = (int)i;
		if (x->at[c] < 0 && c < n_required)
			return tp_fail(err, TP_EFORMAT, "line 1: no column \"%s\"", column[c]);
	}
	return TP_OK;
}

/* Species are numbered from 0, so that the name of number n can stand at place n. */
static bool species_number(size_t *out, const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);
	*out = v;
	return *s >= '0' && *s <= '9' && !*end && v < TP_MAX_CLASSES;
}

static tp_code species_row(void *ud, const tp_csv_record *r, tp_err *err)
{
	set300k *x = ud;
	size_t n;
	if (!x->has_head)
		return read_head(x, r, species_columns, N_SPECIES_COLUMNS, 2, err);
	if (r->n != x->n_fields || !species_number(&n, r->field[x->at[SPECIES_ID]]))
		return tp_fail(
			err, TP_EFORMAT, "line %zu: no species of number 0..%d", r->line, TP_MAX_CLASSES - 1);
	if (n >= x->n_names) {
		size_t more = n + 1024;
		for (int k = 0; k < 2; k++) {
			char **v = tp_realloc(k ? x->family : x->name, more * sizeof *v);
			if (!v)
				return tp_nomem(err, more * sizeof *v);
			memset(v + x->n_names, 0, (more - x->n_names) * sizeof *v);
			*(k ? &x->family : &x->name) = v;
		}
		x->n_names = more;
	}
	if (x->name[n])
		return tp_fail(err, TP_EFORMAT, "line %zu: species %zu came before", r->line, n);
	x->name[n] = tp_strdup(r->field[x->at[FULL_SPECIES]]);
	x->family[n] = tp_strdup(x->at[FAMILY] < 0 ? "" : r->field[x->at[FAMILY]]);
	return x->name[n] && x->family[n] ? TP_OK : tp_nomem(err, 1);
}

static tp_code photo_row(void *ud, const tp_csv_record *r, tp_err *err)
{
	set300k *x = ud;
	char where[32], path[512];
	tp_row row = TP_ROW_INIT;
	size_t n;
	if (!x->has_head)
		return read_head(x, r, photo_columns, N_PHOTO_COLUMNS, N_PHOTO_COLUMNS, err);
	snprintf(where, sizeof where, "line %zu", r->line);
	if (r->n != x->n_fields) {
		snprintf(path, sizeof path, "%zu fields, the first line has %zu", r->n, x->n_fields);
		return refuse(x, where, path, err);
	}
	const char *split = r->field[x->at[SPLIT]], *hash = r->field[x->at[HASH]];
	if (!species_number(&n, r->field[x->at[ID]]) || !is_name(hash) ||
		!tp_split_named(&row.split, split) || row.split < 0)
		return refuse(x, where, "species_id, split or PN_hash is not as it should be", err);
	if (n >= x->n_names || !x->name[n] || !*x->name[n])
		return x->s->refuse(x->s, TP_NO_SPECIES, TP_EFORMAT, where, "its species has no name", err);
	snprintf(path, sizeof path, "%s/%04zu/%s.jpg", split, n, hash);
	row.path = path;
	row.name = x->name[n];
	row.family = x->family[n];
	row.organ = r->field[x->at[ORGAN]];
	row.author = r->field[x->at[AUTHOR]];
	row.licence = r->field[x->at[LICENCE]];
	row.observation = r->field[x->at[OBSERVATION]];
	row.where = where;
	return x->s->row(x->s, &row, err);
}

static tp_code version_2(set300k *x, const char *metadata, tp_err *err)
{
	const tp_csv_format f = TP_CSV_FORMAT_INIT;
	char *species = in_folder(x, "species_metadata.csv");
	tp_code rc = species ? tp_table_each(species, &f, NULL, species_row, x, err) : tp_nomem(err, 1);
	x->has_head = false;
	if (!rc)
		rc = tp_table_each(metadata, &f, x->s, photo_row, x, err);
	for (size_t i = 0; i < x->n_names; i++) {
		tp_free(x->name[i]);
		tp_free(x->family[i]);
	}
	tp_free(x->name);
	tp_free(x->family);
	tp_free(species);
	return rc;
}

tp_code tp_import_plantnet300k(tp_sink *s, const tp_import_opts *o, tp_err *err)
{
	set300k x = { .s = s, .o = o };
	char *json = in_folder(&x, "plantnet300K_metadata.json"),
	     *csv = in_folder(&x, "plantnet300K_metadata.csv");
	tp_code rc;
	if (!json || !csv)
		rc = tp_nomem(err, strlen(o->path));
	else if (tp_is_file(csv))
		rc = version_2(&x, csv, err);
	else if (tp_is_file(json))
		rc = version_1(&x, json, err);
	else
		rc = tp_fail(err, TP_ENOTFOUND,
			"%s: neither plantnet300K_metadata.json (v1.1) nor .csv (v2.0)", o->path);
	tp_free(json);
	tp_free(csv);
	return rc;
}
