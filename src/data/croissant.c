/* A data set described as MLCommons Croissant 1.0 (JSON-LD): what is in the files that are handed out, field by field. See
 * catalog_export.h; what must be told is the table "Required" of http://mlcommons.org/croissant/1.0. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/catalog_export.h"
#include "data/data_int.h"
#include "data/shard_int.h"

typedef struct {
	const tp_croissant_opts *o;
	char *folder; /* of the file, with links resolved; ends without "/" */
	json_t *doc, *distribution, *record_sets;
	tp_buf citation;
	json_t *licences;
} croissant;

/* ---- the JSON-LD context, which readers expect to be just this ---- */

static const char *const terms[] = { "citeAs", "column", "equivalentProperty", "extract", "field",
	"fileProperty", "fileObject", "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key",
	"md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace",
	"samplingRate", "separator", "source", "subField", "transform" };

static json_t *context_json(void)
{
	char value[64];
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s}}",
		"@language", "en", "@vocab", "https://schema.org/", "cr", "http://mlcommons.org/croissant/",
		"rai", "http://mlcommons.org/croissant/RAI/", "dct", "http://purl.org/dc/terms/", "sc",
		"https://schema.org/", "conformsTo", "dct:conformsTo", "data", "@id", "cr:data", "@type",
		"@json", "examples", "@id", "cr:examples", "@type", "@json", "dataType", "@id", "cr:dataType",
		"@type", "@vocab");
	for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
		snprintf(value, sizeof value, "cr:%s", terms[i]);
		json_object_set_new(j, terms[i], json_string(value));
	}
	return j;
}

static json_t *reference(const char *id)
{
	return json_pack("{s:s}", "@id", id);
}

/* ---- files ---- */

/* Where a file lies, from the folder of the description: a URL that holds wherever both are put. */
static tp_code relative_url(char *out, size_t size, const croissant *x, const char *path, tp_err *err)
{
	size_t n = strlen(x->folder);
	char *real = realpath(path, NULL);
	tp_code rc = real ? TP_OK : tp_fail(err, TP_ENOTFOUND, "%s: no such file", path);
	if (!rc && (strncmp(real, x->folder, n) != 0 || real[n] != '/'))
		rc = tp_fail(err, TP_EINVAL,
			"%s does not lie below %s, where its description is to be written", path,
			*x->folder ? x->folder : "/");
	if (!rc && strlen(real) - n > size)
		rc = tp_fail(err, TP_ELIMIT, "%s: a path too long", path);
	if (!rc)
		snprintf(out, size, "%s", real + n + 1);
	free(real);
	return rc;
}

static tp_code add_file(
	croissant *x, const char *url, const char *format, uint64_t bytes, const tp_sha256 *sum, tp_err *err)
{
	char size[32];
	snprintf(size, sizeof size, "%llu B", (unsigned long long)bytes);
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "@type", "cr:FileObject", "@id", url,
		"name", url, "contentUrl", url, "contentSize", size, "encodingFormat", format, "sha256",
		sum->hex);
	if (!j || json_array_append_new(x->distribution, j))
		return tp_fail(err, TP_EFORMAT, "%s: a file whose name is not UTF-8", url);
	return TP_OK;
}

static json_t *field_json(const char *set, const char *name, const char *type, const char *help,
	const char *source_kind, const char *source, const char *how, const char *what)
{
	char id[96];
	snprintf(id, sizeof id, "%s/%s", set, name);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:o, s:{s:s}}}", "@type", "cr:Field", "@id", id,
		"name", name, "description", help, "dataType", type, "source", source_kind, reference(source),
		"extract", how, what);
}

static json_t *record_set_json(const char *name, const char *help, json_t *fields)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "@type", "cr:RecordSet", "@id", name, "name", name,
		"description", help, "field", fields);
}

/* ---- a table ---- */

static const struct {
	const char *column, *type, *help;
} columns[] = {
	{ "path", "sc:Text",
		"file of the photo, relative to the folder the table was written for; empty: see url" },
	{ "url", "sc:URL", "where the photo was published" },
	{ "species", "sc:Text", "scientific name without authors" },
	{ "authorship", "sc:Text", "authors of the name" },
	{ "family", "sc:Text", "family of the species" },
	{ "organ", "sc:Text", "what the photo shows: leaf, flower, fruit, bark, habit, other" },
	{ "source", "sc:Text", "where the photo is from" },
	{ "split", "sc:Text", "train, val or test" },
	{ "licence", "sc:Text", "licence of the photo" },
	{ "author", "sc:Text", "who took the photo" },
	{ "date", "sc:Text", "when the photo was taken, as the source tells it" },
	{ "latitude", "sc:Float", "degrees north" },
	{ "longitude", "sc:Float", "degrees east" },
	{ "observation", "sc:Text", "number of the plant seen: photos with the same one show one plant" },
};

static tp_code describe_table(croissant *x, tp_err *err)
{
	char url[4096];
	tp_map file = { 0 };
	tp_sha256 sum;
	tp_code rc = relative_url(url, sizeof url, x, x->o->table, err);
	if (!rc)
		rc = tp_map_open(&file, x->o->table, err);
	uint64_t bytes = file.len;
	tp_map_close(&file);
	if (!rc)
		rc = tp_sha256_file(&sum, x->o->table, err);
	if (!rc)
		rc = add_file(x, url, "text/csv", bytes, &sum, err);
	if (rc)
		return rc;
	json_t *fields = json_array();
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		json_array_append_new(
			fields, field_json("photos", columns[i].column, columns[i].type, columns[i].help,
					"fileObject", url, "column", columns[i].column));
	json_array_append_new(x->record_sets, record_set_json("photos", "one record a photo", fields));
	return TP_OK;
}

/* ---- shards ---- */

static const struct {
	const char *key, *type, *help;
} labels[] = {
	{ "label", "sc:Integer", "number of the species" },
	{ "species", "sc:Text", "scientific name without authors" },
	{ "family", "sc:Text", "family of the species" },
	{ "organ", "sc:Text", "what the photo shows" },
	{ "path", "sc:Text", "file it was packed from" },
	{ "source", "sc:Text", "where the photo is from" },
	{ "licence", "sc:Text", "licence of the photo" },
	{ "author", "sc:Text", "who took the photo" },
	{ "width", "sc:Integer", "pixels" },
	{ "height", "sc:Integer", "pixels" },
};

static void add_file_set(
	croissant *x, const char *id, const char *pattern, const char *format, json_t *shards)
{
	json_array_append_new(x->distribution,
		json_pack("{s:s, s:s, s:s, s:O, s:s, s:s}", "@type", "cr:FileSet", "@id", id, "name", id,
			"containedIn", shards, "encodingFormat", format, "includes", pattern));
}

/* A photo and its JSON have one name up to the dot; that is what joins the two record sets. */
static json_t *key_json(const char *set, const char *files, const char *ending)
{
	char regex[32];
	json_t *j = field_json(set, "key", "sc:Text", "name of the photo in its tar file, without the ending",
		"fileSet", files, "fileProperty", "filename");
	snprintf(regex, sizeof regex, "^(.*)\\.%s$", ending);
	json_object_set_new(json_object_get(j, "source"), "transform", json_pack("{s:s}", "regex", regex));
	return j;
}

static void describe_split(croissant *x, const char *split, json_t *shards)
{
	char photos[32], about[32], set[32], photo_key[48];
	snprintf(photos, sizeof photos, "%s-photos", split);
	snprintf(about, sizeof about, "%s-labels", split);
	snprintf(set, sizeof set, "%s_labels", split);
	snprintf(photo_key, sizeof photo_key, "%s/key", split);
	add_file_set(x, photos, "*.jpg", "image/jpeg", shards);
	add_file_set(x, about, "*.json", "application/json", shards);
	json_t *fields = json_array(), *key = key_json(set, about, "json");
	json_array_append_new(fields, key_json(split, photos, "jpg"));
	json_array_append_new(fields, field_json(split, "photo", "sc:ImageObject", "the photo", "fileSet",
					      photos, "fileProperty", "content"));
	json_t *images = record_set_json(split, "photos of this split", fields);
	json_object_set_new(images, "key", reference(photo_key));
	json_array_append_new(x->record_sets, images);
	json_object_set_new(key, "references", json_pack("{s:o}", "field", reference(photo_key)));
	fields = json_array();
	json_array_append_new(fields, key);
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
		json_array_append_new(fields, field_json(set, labels[i].key, labels[i].type, labels[i].help,
						      "fileSet", about, "jsonPath", labels[i].key));
	json_array_append_new(
		x->record_sets, record_set_json(set, "what is known of each photo of this split", fields));
}

static tp_code describe_shards(croissant *x, tp_err *err)
{
	char folder[4096], url[4200];
	tp_shard_list l = { 0 };
	char *list = tp_path_join(x->o->shards, TP_SHARD_LIST);
	tp_code rc = list ? relative_url(folder, sizeof folder, x, list, err) : tp_nomem(err, 0);
	tp_free(list);
	if (!rc)
		rc = tp_shard_list_read(&l, x->o->shards, err);
	if (rc)
		return rc;
	folder[strlen(folder) - strlen(TP_SHARD_LIST)] = 0;
	for (int s = 0; s < TP_SPLITS && !rc; s++) {
		json_t *shards = json_array();
		for (size_t i = 0; i < l.set[s].n && !rc; i++) {
			const tp_shard_file *f = &l.set[s].shard[i];
			snprintf(url, sizeof url, "%s%s", folder, f->file);
			rc = add_file(x, url, "application/x-tar", f->bytes, &f->sum, err);
			json_array_append_new(shards, reference(url));
		}
		if (!rc && l.set[s].n)
			describe_split(x, tp_split_names[s], shards);
		json_decref(shards);
	}
	tp_shard_list_dispose(&l);
	return rc;
}

/* ---- what is known of the whole ---- */

static tp_code add_licence(croissant *x, const char *text, tp_err *err)
{
	size_t i;
	json_t *v;
	json_array_foreach(x->licences, i, v) if (!strcmp(json_string_value(v), text)) return TP_OK;
	if (*text && json_array_append_new(x->licences, json_string(text)))
		return tp_fail(err, TP_EFORMAT, "licence \"%.60s\" is not UTF-8", text);
	return TP_OK;
}

static tp_code add_source(void *ud, const tp_catalog_source *s, tp_err *err)
{
	croissant *x = ud;
	tp_code rc = x->o->n_licence ? TP_OK : add_licence(x, s->licence, err);
	if (!rc && *s->citation && !x->o->citation)
		rc = tp_buf_addf(&x->citation, err, "%s%s", x->citation.len ? "; " : "", s->citation);
	return rc;
}

static tp_code know_licences(croissant *x, tp_catalog *c, tp_err *err)
{
	tp_catalog_texts t = { 0 };
	tp_code rc = TP_OK;
	for (int i = 0; i < x->o->n_licence && !rc; i++)
		rc = add_licence(x, x->o->licence[i], err);
	if (!rc)
		rc = tp_catalog_each_source(c, add_source, x, err);
	if (!rc && !x->o->n_licence)
		rc = tp_catalog_load_texts(&t, c, TP_TEXT_LICENCE, err);
	for (size_t i = 1; i < t.n && !rc; i++)
		if (t.text[i])
			rc = add_licence(x, t.text[i], err);
	tp_catalog_texts_free(&t);
	return rc;
}

static tp_code set_text(croissant *x, const char *key, const char *text, tp_err *err)
{
	if (!text || !*text)
		return tp_fail(err, TP_EINVAL, "Croissant requires %s, and it is not known", key);
	if (json_object_set_new(x->doc, key, json_string(text)))
		return tp_fail(err, TP_EINVAL, "%s is not UTF-8", key);
	return TP_OK;
}

static tp_code describe_whole(croissant *x, tp_catalog *c, const char *dir, tp_err *err)
{
	const tp_croissant_opts *o = x->o;
	char made[256];
	tp_catalog_counts k;
	char *real = realpath(dir, NULL);
	const char *name = real && strrchr(real, '/') ? strrchr(real, '/') + 1 : "plants";
	tp_code rc = tp_catalog_count(&k, c, err);
	if (!rc)
		snprintf(made, sizeof made,
			"%lld photos of plants, of %lld species; each with a scientific name",
			(long long)k.kept, (long long)k.taxa);
	if (!rc)
		rc = set_text(x, "name", o->name ? o->name : name, err);
	free(real);
	if (!rc)
		rc = set_text(x, "description", o->description ? o->description : made, err);
	if (!rc)
		rc = set_text(x, "url", o->url, err);
	if (!rc)
		rc = set_text(x, "creator", o->creator, err);
	if (!rc)
		json_object_set_new(x->doc, "creator",
			json_pack("{s:s, s:s}", "@type", "sc:Organization", "name", o->creator));
	if (!rc)
		rc = set_text(x, "datePublished", o->date, err);
	if (!rc && o->version)
		rc = set_text(x, "version", o->version, err);
	if (!rc)
		rc = know_licences(x, c, err);
	if (!rc && !json_array_size(x->licences))
		rc = tp_fail(err, TP_EINVAL, "Croissant requires license, and it is not known");
	if (!rc)
		json_object_set(x->doc, "license", x->licences);
	const char *citation = o->citation ? o->citation : x->citation.ptr;
	return rc || !citation ? rc : set_text(x, "citeAs", citation, err);
}

static tp_code find_folder(croissant *x, tp_err *err)
{
	const char *slash = strrchr(x->o->file, '/');
	char *folder = slash ? tp_strdup(x->o->file) : tp_strdup("./");
	if (!folder)
		return tp_nomem(err, strlen(x->o->file));
	strrchr(folder, '/')[1] = 0;
	char *real = realpath(folder, NULL);
	tp_code rc = real ? TP_OK : tp_fail(err, TP_ENOTFOUND, "%s: no such folder", folder);
	if (!rc && !(x->folder = tp_strdup(real[1] ? real : "")))
		rc = tp_nomem(err, strlen(real));
	free(real);
	tp_free(folder);
	return rc;
}

tp_code tp_catalog_croissant(tp_catalog *c, const char *dir, const tp_croissant_opts *o, tp_err *err)
{
	croissant x = {
		.o = o, .distribution = json_array(), .record_sets = json_array(), .licences = json_array()
	};
	x.doc = json_pack("{s:o, s:s, s:s}", "@context", context_json(), "@type", "sc:Dataset", "conformsTo",
		"http://mlcommons.org/croissant/1.0");
	tp_buf_init(&x.citation, 1 << 20);
	tp_code rc = x.doc ? find_folder(&x, err) : tp_nomem(err, 0);
	if (!rc && !o->table && !o->shards)
		rc = tp_fail(err, TP_EINVAL, "there is nothing to describe: neither a table nor shards");
	if (!rc)
		rc = describe_whole(&x, c, dir, err);
	if (!rc && o->table)
		rc = describe_table(&x, err);
	if (!rc && o->shards)
		rc = describe_shards(&x, err);
	if (!rc) {
		json_object_set(x.doc, "distribution", x.distribution);
		json_object_set(x.doc, "recordSet", x.record_sets);
		rc = tp_json_write(o->file, x.doc, err);
	}
	json_decref(x.doc);
	json_decref(x.distribution);
	json_decref(x.record_sets);
	json_decref(x.licences);
	tp_buf_dispose(&x.citation);
	tp_free(x.folder);
	return rc;
}
