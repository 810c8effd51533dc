/* Shards: what is packed is what is read, the same bytes whatever the threads, damage is named, nothing leaves the
 * folder. Photos are drawn here. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/catalog.h"
#include "data/import.h"
#include "data/loader.h"
#include "data/shard_int.h"
#include "data/split_groups.h"
#include "data/tar.h"
#include "image/image.h"
#include "t.h"

enum { SPECIES = 3, EACH = 31, PHOTOS = SPECIES * EACH };

static char dir[64];

static const char *at(const char *name)
{
	static char path[64][256]; /* the last 64 stay */
	static int k;
	k = (k + 1) % 64;
	snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
	return path[k];
}

static int put(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");
	CHECK(f && fwrite(p, 1, n, f) == n && !fclose(f), "%s", path);
	return 0;
}

/* A JPEG that is told to be turned, with a place in it that nobody should learn. */
static int put_turned(const char *path, const char *jpeg, size_t len)
{
	static const uint8_t exif[] = "\xff\xe1\x00\x28"
				      "Exif\0\0"
				      "II*\0\x08\0\0\0"
				      "\x01\0"
				      "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
				      "\0\0\0\0"
				      "SECRET";
	uint8_t b[1 << 16];
	CHECK(len + sizeof exif < sizeof b, "too large");
	memcpy(b, jpeg, 2);
	memcpy(b + 2, exif, 42);
	memcpy(b + 44, jpeg + 2, len - 2);
	return put(path, b, len + 42);
}

static int draw_photo(int s, int i)
{
	char path[128];
	tp_image *img = NULL;
	tp_buf b;
	tp_buf_init(&b, 1 << 20);
	CHECK(!tp_image_new(&img, 40 + i % 7 * 9, 60 + s * 11, NULL), "no memory");
	for (int k = 0; k < img->w * img->h * 3; k++)
		img->px[k] = (uint8_t)(k * (i + 1) / 40 + s * 60 + i);
	bool png = i % 5 == 4;
	CHECK(!(png ? tp_image_encode_png(&b, img, NULL) : tp_image_encode_jpeg(&b, img, 93, NULL)),
		"encode");
	snprintf(path, sizeof path, "photos/Species_%c/%s%02d.%s", 'a' + s, i % 2 ? "leaf_" : "", i,
		png ? "png" : "jpg");
	int bad = i == 3 && s == 0 ? put_turned(at(path), b.ptr, b.len) : put(at(path), b.ptr, b.len);
	tp_buf_dispose(&b);
	tp_image_free(img);
	return bad;
}

static int draw_all(void)
{
	snprintf(dir, sizeof dir, "/tmp/tepal-shards-XXXXXX");
	CHECK(mkdtemp(dir), "no folder");
	for (int s = 0; s < SPECIES; s++) {
		char name[32];
		snprintf(name, sizeof name, "photos/Species_%c", 'a' + s);
		CHECK(!tp_make_dirs(at(name), NULL), "no folder");
		for (int i = 0; i < EACH; i++)
			if (draw_photo(s, i))
				return 1;
	}
	return put(at("photos/Species_b/broken.jpg"), "\xff\xd8\xff broken", 10) ||
	       put(at("photos/Species_c/notes.txt"), "x", 1);
}

static int clean(int result)
{
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) ? 1 : result;
}

static tp_pack_opts options(const char *out)
{
	tp_pack_opts o = TP_PACK_OPTS_INIT;
	static char photos[96];
	snprintf(photos, sizeof photos, "%s/photos", dir);
	o.photos = photos;
	o.output = out;
	o.short_side = 48;
	o.shards = 4;
	o.threads = 2;
	o.quiet = true;
	return o;
}

/* Have both folders the same files with the same bytes? */
static int same_folders(const char *a, const char *b)
{
	tp_names x = { 0 }, y = { 0 };
	CHECK(!tp_dir_list(&x, a, NULL) && !tp_dir_list(&y, b, NULL), "list");
	CHECK(x.len == y.len && x.len > 5, "%zu and %zu files", x.len, y.len);
	for (size_t i = 0; i < x.len; i++) {
		uint8_t *p = NULL, *q = NULL;
		size_t n = 0, m = 0;
		CHECK_STR(x.v[i], y.v[i]);
		char *xp = tp_path_join(a, x.v[i]), *yp = tp_path_join(b, y.v[i]);
		CHECK(!tp_file_read(&p, &n, xp, 1 << 28, NULL) && !tp_file_read(&q, &m, yp, 1 << 28, NULL),
			"read");
		CHECK(n == m && !memcmp(p, q, n), "%s differs", x.v[i]);
		tp_free(p);
		tp_free(q);
		tp_free(xp);
		tp_free(yp);
	}
	tp_names_free(&x);
	tp_names_free(&y);
	return 0;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static int test_crc(void)
{
	CHECK(tp_crc32("123456789", 9) == 0xcbf43926u, "%08x", (unsigned)tp_crc32("123456789", 9));
	CHECK(tp_crc32("", 0) == 0, "nothing");
	return 0;
}

static int test_tar_names_stay_in_the_folder(void)
{
	static const char *const bad[] = { "../a", "a/b", "/a", "..", ".", "" };
	tp_tar_member m = { "a.jpg", 5 };
	uint8_t block[TP_TAR_BLOCK];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tp_err err = { 0 };
		unsigned sum = 0;
		tp_tar_header(block, &m);
		memset(block, 0, 100);
		memcpy(block, bad[i], strlen(bad[i]));
		memset(block + 148, ' ', 8); /* the sum made right, so that only the name is wrong */
		for (int k = 0; k < TP_TAR_BLOCK; k++)
			sum += block[k];
		snprintf((char *)block + 148, 8, "%06o", sum);
		CHECK(tp_tar_parse(&m, block, &err) == TP_EFORMAT && strstr(err.msg, "without folders"),
			"\"%s\": %s", bad[i], err.msg);
	}
	return 0;
}

static int packed_is_read(void)
{
	tp_pack_opts o = options(at("one"));
	tp_packed done = { 0 };
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	CHECK_OK(tp_pack(&done, &o, &err), err);
	CHECK(done.seen == PHOTOS + 2 && done.packed == PHOTOS && done.excluded == 1 && done.skipped == 1,
		"seen %zu packed %zu excluded %zu skipped %zu", done.seen, done.packed, done.excluded,
		done.skipped);
	CHECK_OK(tp_manifest_open(&m, o.output, 99, &err), err);
	CHECK(m.n_taxa == SPECIES && m.n_photos == PHOTOS && m.shards, "%zu species, %zu photos", m.n_taxa,
		m.n_photos);
	CHECK(m.seen == m.n_photos + m.skipped_not_photo + m.skipped_no_species + m.skipped_listed_twice +
				m.skipped_unreadable,
		"a file vanished");
	tp_manifest files = { 0 };
	CHECK_OK(tp_manifest_open(&files, o.photos, o.seed, &err), err);
	for (size_t i = 0, k = 0; i < m.n_photos; i++, k++) {
		uint8_t *p = NULL;
		size_t n = 0;
		tp_image *img = NULL;
		if (strstr(files.photos[k].path, "broken"))
			k++;
		const tp_photo *a = &m.photos[i], *b = &files.photos[k];
		CHECK_STR(a->path, b->path);
		CHECK_STR(a->organ, b->organ);
		CHECK(a->species == b->species && a->split == b->split, "%s: species or split", a->path);
		CHECK_OK(tp_photo_read(&p, &n, &m, i, &err), err);
		CHECK_OK(tp_image_decode(&img, p, n, NULL, &err), err);
		CHECK((img->w < img->h ? img->w : img->h) <= 48, "%s: %d x %d", a->path, img->w, img->h);
		for (size_t c = 0; c + 6 <= n; c++)
			CHECK(memcmp(p + c, "SECRET", 6) != 0, "the place is still there");
		if (!strcmp(a->path, "Species_a/leaf_03.jpg"))
			CHECK(img->w == 48 && img->h == 54, "not turned: %d x %d", img->w,
				img->h); /* was 67 x 60 */
		tp_image_free(img);
		tp_free(p);
	}
	tp_manifest_free(&files);
	tp_manifest_free(&m);
	return 0;
}

static int test_packed_is_read(void)
{
	return draw_all() || clean(packed_is_read());
}

static int same_bytes(void)
{
	tp_pack_opts o = options(at("one"));
	tp_packed done = { 0 };
	tp_err err = { 0 };
	o.threads = 1;
	CHECK_OK(tp_pack(&done, &o, &err), err);
	tp_pack_opts p = options(at("four"));
	p.threads = 4;
	CHECK_OK(tp_pack(&done, &p, &err), err);
	if (same_folders(o.output, p.output))
		return 1;
	CHECK_OK(tp_pack(&done, &p, &err), err);
	CHECK(done.was_there, "done again");
	p.quality = 50;
	CHECK(tp_pack(&done, &p, &err) == TP_EINVAL && strstr(err.msg, "other photos or options"), "%s",
		err.msg);
	return 0;
}

/* A catalog of the photos and of one that is nowhere; three are excluded, two held out. Numbers go by the importer's
 * order, so 1 to 31 are of one species. */
static int made_catalog(void)
{
	static const char *const rules[] = { "dark", "blurred", "dark" };
	char photos[96];
	tp_imported n;
	tp_err err = { 0 };
	tp_catalog *c = NULL;
	tp_added how;
	snprintf(photos, sizeof photos, "%s/photos", dir);
	tp_catalog_import_opts o = {
		.kind = "folders", .source = { .path = photos }, .now = 1, .quiet = true
	};
	CHECK_OK(tp_catalog_import(&n, at("catalog"), &o, &err), err);
	CHECK(n.added == PHOTOS + 1 && n.refused == 1, "%zu added, %zu refused", n.added, n.refused);
	CHECK_OK(tp_catalog_open(&c, at("catalog"), TP_CATALOG_WRITE, &err), err);
	const tp_catalog_source web = { .kind = "csv", .root = "/nowhere", .options = "" };
	tp_row r = TP_ROW_INIT;
	r.url = "https://x.org/1.jpg", r.name = "Species a", r.where = "line 2";
	CHECK_OK(tp_catalog_source_begin(c, &web, &err), err);
	CHECK_OK(tp_catalog_add(c, &r, &how, &err), err);
	CHECK_OK(tp_catalog_set_all(c, TP_SET_SPLIT, (tp_catalog_value){ .kind = TP_VALUE_INT }, &err), err);
	for (int64_t i = 1; i <= 7; i++) {
		int column = i <= 3 ? TP_SET_EXCLUDED : TP_SET_SPLIT;
		const tp_catalog_value v =
			i <= 3 ? (tp_catalog_value){ .kind = TP_VALUE_TEXT, .p = rules[i - 1] }
			       : (tp_catalog_value){ .kind = TP_VALUE_INT,
					 .i = i <= 5 ? TP_HELD_OUT : TP_TEST };
		CHECK_OK(tp_catalog_set(c, &column, 1, &i, 1, &v, &err), err);
	}
	tp_catalog_close(c);
	return 0;
}

static int from_catalog(void)
{
	tp_pack_opts o = options(at("of-catalog"));
	tp_packed done = { 0 };
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	size_t test = 0;
	o.photos = at("catalog");
	CHECK_OK(tp_pack(&done, &o, &err), err);
	CHECK(done.seen == PHOTOS + 2 && done.packed == PHOTOS - 5 && done.by_rules == 3 &&
			done.held_out == 2 && done.not_here == 1 && done.excluded == 1 && !done.skipped,
		"seen %zu, packed %zu, %zu by rules, %zu held out, %zu not here, %zu excluded", done.seen,
		done.packed, done.by_rules, done.held_out, done.not_here, done.excluded);
	CHECK(done.seen == done.packed + done.excluded + done.skipped + done.by_rules + done.held_out +
				   done.not_here,
		"a photo vanished");
	CHECK_STR(done.rules, "blurred 1, dark 2");
	CHECK_OK(tp_manifest_open(&m, o.output, 1, &err), err);
	for (size_t i = 0; i < m.n_photos; i++)
		test += m.photos[i].split == TP_TEST;
	CHECK(m.n_photos == PHOTOS - 5 && test == 2, "%zu photos, %zu to test", m.n_photos, test);
	CHECK(m.seen == m.n_photos + m.skipped_unreadable + m.skipped_excluded + m.skipped_held_out +
					m.skipped_not_here &&
			m.n_excluded_by == 2 && m.excluded_by[1].n == 2,
		"a photo vanished from the list");
	tp_manifest_free(&m);
	CHECK_OK(tp_pack(&done, &o, &err), err);
	CHECK(done.was_there && done.by_rules == 3, "packed again");
	tp_catalog *c = NULL; /* other reasons, the same photos: what the folder says would not be so */
	const int column = TP_SET_EXCLUDED;
	const int64_t second = 2;
	const tp_catalog_value v = { .kind = TP_VALUE_TEXT, .p = "dark" };
	CHECK_OK(tp_catalog_open(&c, o.photos, TP_CATALOG_WRITE, &err), err);
	CHECK_OK(tp_catalog_set(c, &column, 1, &second, 1, &v, &err), err);
	tp_catalog_close(c);
	CHECK(tp_pack(&done, &o, &err) == TP_EINVAL && strstr(err.msg, "other photos"), "%s", err.msg);
	return 0;
}

static int test_a_catalog_is_packed(void)
{
	return draw_all() || clean(made_catalog() || from_catalog());
}

static int lists_of_a_catalog_lie(void)
{
	tp_pack_opts o = options(at("of-catalog"));
	tp_packed done = { 0 };
	tp_shard_list l = { 0 };
	tp_err err = { 0 };
	uint8_t *text = NULL;
	size_t len = 0;
	o.photos = at("catalog");
	CHECK_OK(tp_pack(&done, &o, &err), err);
	CHECK_OK(tp_file_read(&text, &len, at("of-catalog/shards.json"), 1 << 20, &err), err);
	static const char *const change[][3] = { { "\"dark\":2", "\"dark\":3", "accounted" },
		{ "\"dark\":2", "\"dark\":-", "JSON" }, { "\"held_out\":2", "\"held_out\":1", "accounted" },
		{ "\"not_here\":1", "\"not_here\":9", "accounted" },
		{ "{\"blurred\":1", "[\"blurred\",1", "" } };
	for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
		char *copy = tp_strdup((const char *)text), *where = copy ? strstr(copy, change[i][0]) : NULL;
		CHECK(where, "%s is not in %s", change[i][0], text);
		memcpy(where, change[i][1], strlen(change[i][1]));
		CHECK(tp_shard_list_parse(&l, copy, len, &err) == TP_EFORMAT, "%s: %s", change[i][1],
			err.msg);
		CHECK(i == 1 || strstr(err.msg, change[i][2]), "%s: %s", change[i][1], err.msg);
		tp_free(copy);
	}
	tp_free(text);
	return 0;
}

static int test_lists_of_a_catalog_that_lie(void)
{
	return draw_all() || clean(made_catalog() || lists_of_a_catalog_lie());
}

static int test_same_bytes_for_any_threads(void)
{
	return draw_all() || clean(same_bytes());
}

static int evenly(void)
{
	tp_pack_opts o = options(at("even"));
	tp_packed done = { 0 };
	tp_err err = { 0 };
	tp_shard_list l = { 0 };
	o.shards = 12;
	o.ranks = 5;
	CHECK(tp_pack(&done, &o, &err) == TP_EINVAL && strstr(err.msg, "shared evenly"), "%s", err.msg);
	o.ranks = 4;
	CHECK_OK(tp_pack(&done, &o, &err), err);
	CHECK_OK(tp_shard_list_read(&l, o.output, &err), err);
	const tp_shard_set *s = &l.set[TP_TRAIN];
	CHECK(s->n == 12, "%zu shards", s->n);
	size_t rank[4] = { 0 }, least = SIZE_MAX, most = 0;
	for (size_t i = 0; i < s->n; i++) {
		size_t n = s->shard[i].photos;
		least = n < least ? n : least;
		most = n > most ? n : most;
		rank[i % 4] += n;
	}
	CHECK(least && most - least <= 1, "shards of %zu to %zu photos", least, most);
	for (int r = 0; r < 4; r++)
		CHECK(rank[r] - s->index.photos / 4 <= 1, "rank %d has %zu of %zu", r, rank[r],
			s->index.photos);
	tp_shard_list_dispose(&l);
	return 0;
}

static int test_shards_are_even(void)
{
	return draw_all() || clean(evenly());
}

/* ---- as they are ---------------------------------------------------------------------------------------------------- */

static tp_code from(void *ud, size_t i, uint8_t **bytes, size_t *len, tp_err *err)
{
	return tp_photo_read(bytes, len, ud, i, err);
}

/* Batches of every photo, one behind the other; the caller frees. */
static float *all_views(tp_manifest *m, const char *but)
{
	enum { SIDE = 32, FLOATS = 3 * SIDE * SIDE };
	tp_augment a;
	tp_loader_opts o = TP_LOADER_OPTS_INIT;
	tp_labelled *samples = tp_calloc(m->n_photos, sizeof *samples);
	uint32_t *order = tp_calloc(m->n_photos, sizeof *order);
	float *out = tp_calloc(m->n_photos, FLOATS * sizeof *out);
	tp_loader *l = NULL;
	tp_loaded b = { .n = 1 };
	size_t n = 0;
	if (!samples || !order || !out || tp_augment_preset(&a, "strong", NULL))
		abort();
	for (size_t i = 0; i < m->n_photos; i++) {
		samples[i] = (tp_labelled){ m->photos[i].path, m->photos[i].species };
		if (!strstr(m->photos[i].path, but))
			order[n++] = (uint32_t)i;
	}
	o.samples = samples, o.n_samples = m->n_photos, o.read = from, o.ud = m, o.augment = &a, o.seed = 5;
	o.prep = (tp_prep){
		.side = SIDE, .resize = 36, .filter = TP_BICUBIC, .mean = { 1, 2, 3 }, .std = { 4, 5, 6 }
	};
	o.threads = 2;
	if (tp_loader_new(&l, &o, NULL) || tp_loader_start(l, 3, order, n, 0, NULL))
		abort();
	for (size_t done = 0; b.n; done += (size_t)b.n) {
		if (tp_loader_next(&b, l, NULL))
			abort();
		for (size_t i = 0; i < (size_t)b.n * FLOATS; i++)
			out[done * FLOATS + i] = b.x[i];
	}
	tp_loader_free(l);
	tp_free(samples);
	tp_free(order);
	return out;
}

/* JPEGs that are copied give the very views that their files give. */
static int as_they_are(void)
{
	tp_pack_opts o = options(at("raw"));
	tp_packed done = { 0 };
	tp_manifest m = { 0 }, files = { 0 };
	tp_err err = { 0 };
	o.short_side = 0;
	CHECK(!unlink(at("photos/Species_b/broken.jpg")), "unlink");
	CHECK_OK(tp_pack(&done, &o, &err), err);
	CHECK_OK(tp_manifest_open(&m, o.output, 1, &err), err);
	CHECK_OK(tp_manifest_open(&files, o.photos, 1, &err), err);
	CHECK(m.n_photos == files.n_photos, "%zu and %zu", m.n_photos, files.n_photos);
	for (size_t i = 0; i < m.n_photos; i++) {
		uint8_t *p = NULL, *q = NULL;
		size_t n = 0, k = 0;
		CHECK_OK(tp_photo_read(&p, &n, &m, i, &err), err);
		CHECK_OK(tp_photo_read(&q, &k, &files, i, &err), err);
		if (strstr(m.photos[i].path, ".jpg"))
			CHECK(n == k && !memcmp(p, q, n), "%s was changed", m.photos[i].path);
		else
			CHECK(tp_image_sniff(p, n) == TP_KIND_JPEG, "%s is no JPEG", m.photos[i].path);
		tp_free(p);
		tp_free(q);
	}
	float *a = all_views(&m, ".png"), *b = all_views(&files, ".png");
	CHECK(!memcmp(a, b, m.n_photos * 3 * 32 * 32 * sizeof *a), "views differ");
	tp_free(a);
	tp_free(b);
	tp_manifest_free(&files);
	tp_manifest_free(&m);
	return 0;
}

static int test_copies_give_the_same_views(void)
{
	return draw_all() || clean(as_they_are());
}

/* ---- damage ---------------------------------------------------------------------------------------------------------- */

typedef struct {
	char names[512];
} named;

static void note(void *ud, const char *file, const char *why)
{
	named *n = ud;
	(void)why;
	strncat(n->names, file, sizeof n->names - strlen(n->names) - 2);
	strncat(n->names, " ", 2);
}

static int flip_byte(const char *path, long offset)
{
	FILE *f = fopen(path, "r+b");
	CHECK(f && !fseek(f, offset, SEEK_SET), "%s", path);
	int c = fgetc(f);
	CHECK(c != EOF && !fseek(f, offset, SEEK_SET) && fputc(c ^ 1, f) != EOF && !fclose(f), "%s", path);
	return 0;
}

/* How many of the photos can be read; *why is what the last bad one says. */
static size_t readable(const char *folder, char why[256])
{
	tp_shards *s = NULL;
	tp_err err = { 0 };
	size_t good = 0;
	if (tp_shards_open(&s, folder, &err)) {
		memcpy(why, err.msg, 256);
		return SIZE_MAX;
	}
	for (size_t i = 0; i < tp_shards_count(s); i++) {
		uint8_t *p = NULL;
		size_t n = 0;
		if (!tp_shards_read(&p, &n, s, i, &err))
			good++;
		else
			memcpy(why, err.msg, 256);
		tp_free(p);
	}
	tp_shards_free(s);
	return good;
}

static int damaged(void)
{
	tp_pack_opts o = options(at("d"));
	tp_packed done = { 0 };
	tp_shards_verified v = { 0 };
	tp_err err = { 0 };
	named n = { "" };
	char why[256] = "";
	CHECK_OK(tp_pack(&done, &o, &err), err);
	CHECK_OK(tp_shards_verify(&v, o.output, 2, true, note, &n, &err), err);
	CHECK(!v.damaged && !*n.names && v.photos == PHOTOS, "%zu damaged: %s", v.damaged, n.names);
	CHECK(readable(o.output, why) == PHOTOS, "%s", why);
	/* a byte of a photo, then one of a header: that photo is bad, the others are not */
	if (flip_byte(at("d/train-000001.tar"), 700) || flip_byte(at("d/train-000002.tar"), 3))
		return 1;
	CHECK(readable(o.output, why) == PHOTOS - 2 && strstr(why, "train-00000"), "%s", why);
	CHECK_OK(tp_shards_verify(&v, o.output, 1, true, note, &n, &err), err);
	CHECK_STR(n.names, "train-000001.tar train-000002.tar ");
	if (flip_byte(at("d/train-000001.tar"), 700) || flip_byte(at("d/train-000002.tar"), 3))
		return 1;
	if (flip_byte(at("d/val.index"), 100))
		return 1;
	CHECK(readable(o.output, why) == SIZE_MAX && strstr(why, "val.index"), "%s", why);
	n.names[0] = 0;
	CHECK_OK(tp_shards_verify(&v, o.output, 2, true, note, &n, &err), err);
	CHECK_STR(n.names, "val.index ");
	if (flip_byte(at("d/val.index"), 100))
		return 1;
	CHECK(!truncate(at("d/train-000003.tar"), 2000), "truncate");
	CHECK(readable(o.output, why) == SIZE_MAX && strstr(why, "train-000003.tar: 2000 bytes"), "%s", why);
	n.names[0] = 0;
	CHECK_OK(tp_shards_verify(&v, o.output, 2, true, note, &n, &err), err);
	CHECK_STR(n.names, "train-000003.tar ");
	return 0;
}

static int test_damage_is_named(void)
{
	return draw_all() || clean(damaged());
}

/* Cut short after it was opened: the photos that are gone are bad, and the file is named. */
static int cut_while_open(void)
{
	tp_pack_opts o = options(at("c"));
	tp_packed done = { 0 };
	tp_shards *s = NULL;
	tp_err err = { 0 };
	size_t bad = 0;
	CHECK_OK(tp_pack(&done, &o, &err), err);
	CHECK_OK(tp_shards_open(&s, o.output, &err), err);
	CHECK(!truncate(at("c/train-000000.tar"), 2000), "truncate");
	for (size_t i = 0; i < tp_shards_count(s); i++) {
		uint8_t *p = NULL;
		size_t n = 0;
		tp_code rc = tp_shards_read(&p, &n, s, i, &err);
		CHECK(!rc || (rc == TP_EFORMAT && strstr(err.msg, "train-000000.tar")), "%s", err.msg);
		bad += rc != TP_OK;
		tp_free(p);
	}
	CHECK(bad > 5 && bad < 25, "%zu bad", bad);
	tp_shards_free(s);
	return 0;
}

static int test_cut_while_open(void)
{
	return draw_all() || clean(cut_while_open());
}

/* A list that names a file outside, or whose sums do not agree. */
static int lists(void)
{
	tp_pack_opts o = options(at("l"));
	tp_packed done = { 0 };
	tp_shard_list l = { 0 };
	tp_err err = { 0 };
	uint8_t *text = NULL;
	size_t len = 0;
	CHECK_OK(tp_pack(&done, &o, &err), err);
	CHECK_OK(tp_file_read(&text, &len, at("l/shards.json"), 1 << 20, &err), err);
	static const char *const change[][3] = { { "train-000000.tar", "../tn-000000.tar", "not a name" },
		{ "train-000000.tar", "train/000000.tar", "not a name" },
		{ "\"packed\":93", "\"packed\":92", "accounted" },
		{ "\"tepal_shards\":1", "\"tepal_shards\":7", "7" },
		{ "\"seen\":95", "\"seen\":94", "accounted" } };
	for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
		char *copy = tp_strdup((const char *)text), *where = copy ? strstr(copy, change[i][0]) : NULL;
		CHECK(where, "%s is not in %s", change[i][0], text);
		memcpy(where, change[i][1], strlen(change[i][1]));
		CHECK(tp_shard_list_parse(&l, copy, len, &err) == TP_EFORMAT && strstr(err.msg, change[i][2]),
			"%s: %s", change[i][1], err.msg);
		tp_free(copy);
	}
	tp_free(text);
	return 0;
}

static int test_lists_that_lie(void)
{
	return draw_all() || clean(lists());
}

/* ---- stopping -------------------------------------------------------------------------------------------------------- */

static int stopped(void)
{
	tp_pack_opts o = options(at("s")), p = options(at("once"));
	tp_packed done = { 0 };
	tp_err err = { 0 };
	tp_cancel();
	CHECK(tp_pack(&done, &o, &err) == TP_ECANCEL, "%s", err.msg);
	tp_cancel_reset();
	CHECK(!tp_is_shards(o.output), "it looks finished");
	o.quality = 50;
	CHECK(tp_pack(&done, &o, &err) == TP_EINVAL && strstr(err.msg, "unfinished work"), "%s", err.msg);
	o.quality = p.quality;
	/* what a killed process leaves: half a file of ours */
	if (put(at("s/train-000000.tar.tmpAbCdEf"), "half", 4) ||
		put(at("s/.work/train-00000000.chunk.tmpAbCdEf"), "h", 1))
		return 1;
	/* and what it never would: a shard as long as it should be, with another byte in it */
	uint8_t *tar = NULL;
	size_t len = 0;
	CHECK_OK(tp_pack(&done, &p, &err), err);
	CHECK_OK(tp_file_read(&tar, &len, at("once/train-000001.tar"), 1 << 24, &err), err);
	if (put(at("s/train-000001.tar"), tar, len) || flip_byte(at("s/train-000001.tar"), 900))
		return 1;
	tp_free(tar);
	CHECK_OK(tp_pack(&done, &o, &err), err);
	if (same_folders(o.output, p.output))
		return 1;
	CHECK(!tp_make_dirs(at("full"), NULL) && !put(at("full/mine.txt"), "x", 1), "put");
	p.output = at("full");
	CHECK(tp_pack(&done, &p, &err) == TP_EINVAL && strstr(err.msg, "mine.txt"), "%s", err.msg);
	return 0;
}

static int test_a_stopped_packing_goes_on(void)
{
	return draw_all() || clean(stopped());
}

static int starved(void)
{
	tp_pack_opts o = options("");
	tp_packed done = { 0 };
	char name[32];
	o.threads = 1;
	for (int n = 1;; n = n < 60 ? n + 1 : n * 5 / 4) {
		snprintf(name, sizeof name, "m%d", n);
		o.output = at(name);
		long live = tp_mem_live();
		tp_mem_fail_at(n);
		tp_code rc = tp_pack(&done, &o, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == live, "allocation %d leaks", n);
		if (!failed)
			return rc ? 1 : 0;
		CHECK(rc == TP_ENOMEM || (rc == TP_EFORMAT && n > 1) || !rc, "allocation %d: code %d", n,
			(int)rc);
	}
}

static int test_survives_failed_allocations(void)
{
	return draw_all() || clean(starved());
}

int main(void)
{
	return RUN(T(test_crc), T(test_tar_names_stay_in_the_folder), T(test_packed_is_read),
		T(test_a_catalog_is_packed), T(test_lists_of_a_catalog_that_lie),
		T(test_same_bytes_for_any_threads), T(test_shards_are_even),
		T(test_copies_give_the_same_views), T(test_damage_is_named), T(test_cut_while_open),
		T(test_lists_that_lie), T(test_a_stopped_packing_goes_on),
		T(test_survives_failed_allocations));
}
