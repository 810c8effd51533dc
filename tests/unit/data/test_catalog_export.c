/* A catalog handed out: the table is what tepal reads back, photos that are not in it are counted, and the Croissant
 * description holds what the specification requires and the checksums of the files it names. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "data/catalog_export.h"
#include "data/pack.h"
#include "data/split_groups.h"
#include "image/image.h"
#include "t.h"

enum { N = 12 };

static char dir[64];
static tp_catalog *c;

static const char *at(const char *name)
{
	static char path[16][256]; /* the last 16 stay */
	static int k;
	k = (k + 1) % 16;
	snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
	return path[k];
}

static int draw(const char *path)
{
	tp_image *img = NULL;
	tp_buf b;
	tp_buf_init(&b, 1 << 20);
	CHECK(!tp_image_new(&img, 40, 30, NULL), "no memory");
	memset(img->px, path[strlen(path) - 5], (size_t)img->w * (size_t)img->h * 3);
	CHECK(!tp_image_encode_jpeg(&b, img, 90, NULL), "encode");
	FILE *f = fopen(path, "wb");
	CHECK(f && fwrite(b.ptr, 1, b.len, f) == b.len && !fclose(f), "%s", path);
	tp_buf_dispose(&b);
	tp_image_free(img);
	return 0;
}

static int set(int column, int64_t photo, tp_catalog_value v)
{
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_set(c, &column, 1, &photo, 1, &v, &err), err);
	return 0;
}

/* 12 photos of three species and one that only has an address; number 1 is excluded, 2 and 3 are held out, 4 to test. */
static int made(void)
{
	char photos[96], path[32], name[64];
	tp_err err = { 0 };
	tp_added how;
	snprintf(dir, sizeof dir, "/tmp/tepal-export-XXXXXX");
	CHECK(mkdtemp(dir), "no folder");
	CHECK(!tp_make_dirs(at("photos"), NULL), "no folder");
	snprintf(photos, sizeof photos, "%s/photos", dir);
	const tp_catalog_source here = {
		.kind = "csv", .root = photos, .options = "", .citation = "Ann 2024", .licence = "CC0"
	};
	CHECK_OK(tp_catalog_open(&c, at("catalog"), TP_CATALOG_CREATE, &err), err);
	CHECK_OK(tp_catalog_source_begin(c, &here, &err), err);
	for (int i = 0; i <= N; i++) {
		tp_row r = TP_ROW_INIT;
		snprintf(path, sizeof path, "%c.jpg", 'a' + i);
		snprintf(name, sizeof name, "Planta %c", 'a' + i % 3);
		if (i < N)
			r.path = path;
		else
			r.url = "https://x.org/1.jpg";
		r.name = name, r.family = "Plantaceae", r.organ = "leaf", r.author = "Ann \"A\", B";
		r.licence = i % 2 ? "CC BY" : NULL, r.date = "2024-05-06", r.observation = i < 2 ? "o" : NULL;
		r.lat = 45.5, r.lon = -3.25, r.where = "line";
		CHECK_OK(tp_catalog_add(c, &r, &how, &err), err);
		CHECK(how == TP_ADDED, "%s", path);
		snprintf(name, sizeof name, "photos/%s", path);
		CHECK(i == N || !draw(at(name)), "%s", name);
	}
	CHECK_OK(tp_catalog_set_all(c, TP_SET_SPLIT, (tp_catalog_value){ .kind = TP_VALUE_INT }, &err), err);
	int bad = set(TP_SET_EXCLUDED, 1, (tp_catalog_value){ .kind = TP_VALUE_TEXT, .p = "dark" });
	for (int64_t i = 2; i <= 4; i++)
		bad |= set(TP_SET_SPLIT, i,
			(tp_catalog_value){ .kind = TP_VALUE_INT, .i = i < 4 ? TP_HELD_OUT : TP_TEST });
	return bad;
}

static int clean(int result)
{
	char cmd[96];
	tp_catalog_close(c);
	c = NULL;
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) ? 1 : result;
}

static int read_text(char **out, const char *path)
{
	uint8_t *p = NULL;
	size_t n = 0;
	tp_err err = { 0 };
	CHECK_OK(tp_file_read(&p, &n, path, 1 << 20, &err), err);
	*out = (char *)p; /* a NUL follows */
	return 0;
}

static int exports(tp_export_opts o, size_t written, size_t held_out, size_t other, size_t not_here)
{
	tp_exported n;
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_export(&n, c, at("catalog"), &o, &err), err);
	CHECK(n.written == written && n.excluded == 1 && n.held_out == held_out && n.other_split == other &&
			n.not_here == not_here,
		"%zu written, %zu excluded, %zu held out, %zu, %zu", n.written, n.excluded, n.held_out,
		n.other_split, n.not_here);
	CHECK(n.written + n.excluded + n.held_out + n.other_split + n.not_here == N + 1, "a photo vanished");
	return 0;
}

static int tables(void)
{
	tp_export_opts o = { .table = at("photos.csv"), .split = -1 };
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	char *text = NULL;
	size_t test = 0;
	CHECK(!exports(o, 9, 2, 0, 1), "all");
	CHECK(!read_text(&text, o.table), "read");
	static const char head[] =
		"path,url,species,authorship,family,organ,source,split,licence,author,date,latitude,"
		"longitude,observation\n"
		"photos/d.jpg,,Planta a,,Plantaceae,leaf,csv,test,CC BY,\"Ann \"\"A\"\", B\",2024-05-06,"
		"45.5,-3.25,\n";
	CHECK(!strncmp(text, head, strlen(head)), "%s", text);
	tp_free(text);
	CHECK_OK(tp_manifest_open(&m, o.table, 1, &err), err); /* as tepal train does */
	for (size_t i = 0; i < m.n_photos; i++)
		test += m.photos[i].split == TP_TEST;
	CHECK(m.n_photos == 9 && m.n_taxa == 3 && test == 1, "%zu photos, %zu to test", m.n_photos, test);
	CHECK_STR(m.photos[0].author, "Ann \"A\", B");
	CHECK_STR(m.taxa[0].family, "Plantaceae");
	tp_manifest_free(&m);
	o.urls = true;
	CHECK(!exports(o, 10, 2, 0, 0), "with addresses");
	o.urls = false;
	o.split = TP_TEST;
	CHECK(!exports(o, 1, 2, 9, 0), "to test");
	o.split = TP_HELD_OUT;
	CHECK(!exports(o, 2, 0, 10, 0), "held out");
	CHECK(!read_text(&text, o.table) && strstr(text, "photos/b.jpg") && strstr(text, ",test,"), "%s",
		text);
	tp_free(text);
	o.split = -1;
	o.root = at("photos");
	CHECK(!exports(o, 9, 2, 0, 1), "another root");
	CHECK(!read_text(&text, o.table) && strstr(text, "\nd.jpg,"), "%s", text);
	tp_free(text);
	return 0;
}

static int refused_tables(void)
{
	tp_export_opts o = { .table = at("new/photos.csv"), .split = -1 };
	tp_exported n;
	tp_err err = { 0 };
	CHECK(tp_catalog_export(&n, c, at("catalog"), &o, &err) == TP_ENOTFOUND, "%s", err.msg);
	CHECK(!tp_make_dirs(at("photos2"), NULL), "no folder"); /* begins as the photos' folder does */
	o.table = at("photos2/photos.csv");
	CHECK(tp_catalog_export(&n, c, at("catalog"), &o, &err) == TP_EINVAL &&
			strstr(err.msg, "photos/d.jpg") && !tp_is_file(o.table),
		"%s", err.msg);
	o.table = at("photos.csv");
	o.split = TP_VAL;
	CHECK(tp_catalog_export(&n, c, at("catalog"), &o, &err) == TP_EINVAL && strstr(err.msg, "no photo") &&
			!tp_is_file(o.table),
		"%s", err.msg);
	return 0;
}

static int test_tables(void)
{
	return clean(made() || refused_tables() || tables());
}

static tp_croissant_opts about(void)
{
	return (tp_croissant_opts){ .file = at("croissant.json"),
		.table = at("photos.csv"),
		.url = "https://x.org",
		.creator = "A Garden",
		.date = "2026-11-24" };
}

static const char *text_at(json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));
	return s ? s : "";
}

/* Every file named is there with the size and checksum that are told; fields come from what is named. */
static int holds(json_t *doc, size_t files, size_t sets)
{
	static const char *const required[] = { "@context", "@type", "conformsTo", "description", "license",
		"name", "url", "creator", "datePublished", "distribution", "recordSet" };
	size_t i, k, n = 0;
	json_t *v, *f;
	for (i = 0; i < sizeof required / sizeof *required; i++)
		CHECK(json_object_get(doc, required[i]), "no %s", required[i]);
	CHECK_STR(text_at(doc, "conformsTo"), "http://mlcommons.org/croissant/1.0");
	json_array_foreach(json_object_get(doc, "distribution"), i, v)
	{
		if (strcmp(text_at(v, "@type"), "cr:FileObject") != 0)
			continue;
		tp_map map = { 0 };
		tp_err err = { 0 };
		char size[32];
		CHECK_OK(tp_map_open(&map, at(text_at(v, "contentUrl")), &err), err);
		snprintf(size, sizeof size, "%zu B", map.len);
		CHECK_STR(text_at(v, "contentSize"), size);
		CHECK_STR(text_at(v, "sha256"), tp_sha256_of(map.ptr, map.len).hex);
		tp_map_close(&map);
		n++;
	}
	CHECK(n == files, "%zu files, want %zu", n, files);
	CHECK(json_array_size(json_object_get(doc, "recordSet")) == sets, "record sets");
	json_array_foreach(json_object_get(doc, "recordSet"), i, v)
		json_array_foreach(json_object_get(v, "field"), k, f) CHECK(
			json_object_get(json_object_get(f, "source"), "extract") && *text_at(f, "dataType") &&
				!strncmp(text_at(f, "@id"), text_at(v, "@id"), strlen(text_at(v, "@id"))),
			"field %s", text_at(f, "@id"));
	return 0;
}

static int described(const tp_croissant_opts *o, size_t files, size_t sets, json_t **doc)
{
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_croissant(c, at("catalog"), o, &err), err);
	*doc = json_load_file(o->file, 0, NULL);
	CHECK(*doc, "no JSON");
	return holds(*doc, files, sets);
}

static int describes(void)
{
	tp_export_opts table = { .table = at("photos.csv"), .split = -1 };
	tp_croissant_opts o = about();
	json_t *doc = NULL;
	CHECK(!exports(table, 9, 2, 0, 1), "table");
	CHECK(!described(&o, 1, 1, &doc), "of a table");
	json_t *fields = json_object_get(json_array_get(json_object_get(doc, "recordSet"), 0), "field");
	size_t n = 0;
	for (; tp_export_columns[n]; n++)
		CHECK_STR(text_at(json_array_get(fields, n), "name"), tp_export_columns[n]);
	CHECK(json_array_size(fields) == n, "a field for each column");
	CHECK_STR(text_at(doc, "name"), "catalog");
	CHECK_STR(text_at(doc, "citeAs"), "Ann 2024");
	json_t *licences = json_object_get(doc, "license");
	CHECK(json_array_size(licences) == 2, "CC0 of the source, CC BY of photos");
	json_decref(doc);
	static const char *const licence[] = { "https://spdx.org/licenses/CC-BY-4.0" };
	o.licence = licence, o.n_licence = 1;
	CHECK(!described(&o, 1, 1, &doc), "of a table");
	CHECK_STR(json_string_value(json_array_get(json_object_get(doc, "license"), 0)), licence[0]);
	json_decref(doc);
	return 0;
}

static int describes_shards(void)
{
	tp_pack_opts p = TP_PACK_OPTS_INIT;
	tp_packed done;
	tp_croissant_opts o = about();
	tp_err err = { 0 };
	json_t *doc = NULL;
	p.photos = at("catalog"), p.output = at("shards"), p.quiet = true, p.shards = 2;
	tp_catalog_close(c); /* packing opens it */
	c = NULL;
	CHECK_OK(tp_pack(&done, &p, &err), err);
	CHECK(done.packed == 9 && done.shards == 3, "%zu in %zu", done.packed, done.shards);
	CHECK_OK(tp_catalog_open(&c, at("catalog"), TP_CATALOG_READ, &err), err);
	o.shards = p.output;
	CHECK(!described(&o, 4, 5, &doc),
		"of both"); /* two splits, photos and labels of each, and the table */
	json_decref(doc);
	o.table = NULL;
	CHECK(!described(&o, 3, 4, &doc), "of shards");
	json_decref(doc);
	return 0;
}

static int refused_descriptions(void)
{
	const struct {
		const char *word;
		size_t at;
	} needed[] = { { "url", offsetof(tp_croissant_opts, url) },
		{ "creator", offsetof(tp_croissant_opts, creator) },
		{ "datePublished", offsetof(tp_croissant_opts, date) } };
	tp_err err = { 0 };
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		tp_croissant_opts o = about();
		o.file = at("refused.json");
		*(const char **)((char *)&o + needed[i].at) = NULL;
		CHECK(tp_catalog_croissant(c, at("catalog"), &o, &err) == TP_EINVAL &&
				strstr(err.msg, needed[i].word) && !tp_is_file(o.file),
			"%s: %s", needed[i].word, err.msg);
	}
	tp_croissant_opts o = about();
	o.table = NULL;
	CHECK(tp_catalog_croissant(c, at("catalog"), &o, &err) == TP_EINVAL, "nothing to describe");
	o = about();
	o.file = at("photos/croissant.json");
	CHECK(tp_catalog_croissant(c, at("catalog"), &o, &err) == TP_EINVAL && strstr(err.msg, "below"), "%s",
		err.msg);
	return 0;
}

static int test_descriptions(void)
{
	return clean(made() || describes() || refused_descriptions() || describes_shards());
}

static int starved(void)
{
	char table[96], catalog[96];
	tp_export_opts o = { .table = table, .split = -1 };
	tp_exported n;
	tp_err err = { 0 };
	snprintf(table, sizeof table, "%s/photos.csv", dir);
	snprintf(catalog, sizeof catalog, "%s/catalog", dir);
	for (int k = 1;; k++) {
		long live = tp_mem_live();
		tp_mem_fail_at(k);
		tp_code rc = tp_catalog_export(&n, c, catalog, &o, &err);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == live, "allocation %d leaks", k);
		if (!failed) {
			CHECK_OK(rc, err);
			return 0;
		}
		/* the folder may stay without its fsync: the file is there all the same */
		CHECK(rc ? rc == TP_ENOMEM && !tp_is_file(table) : tp_is_file(table),
			"allocation %d: code %d", k, (int)rc);
		remove(table);
	}
}

static int test_out_of_memory(void)
{
	return clean(made() || starved());
}

int main(void)
{
	return RUN(T(test_tables), T(test_descriptions), T(test_out_of_memory));
}
