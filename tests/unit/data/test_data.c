/* CSV, class folders, splits: what a manifest makes of what lies on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/data.h"
#include "t.h"

typedef struct {
	char text[256];
} seen;

static tp_code note(void *ud, size_t line, char **field, size_t n, tp_err *err)
{
	seen *s = ud;
	(void)err;
	size_t at = strlen(s->text);
	at += (size_t)snprintf(s->text + at, sizeof s->text - at, "%zu:", line);
	for (size_t i = 0; i < n && at < sizeof s->text; i++)
		at += (size_t)snprintf(s->text + at, sizeof s->text - at, "[%s]", field[i]);
	return TP_OK;
}

static int test_csv_records(void)
{
	static const char text[] = "a,b\r\n\"x \"\"y\"\"\",\"1\n2\"\n\n,z";
	seen s = { "" };
	tp_err err = { 0 };
	CHECK_OK(tp_csv_each(text, strlen(text), note, &s, &err), err);
	CHECK_STR(s.text, "1:[a][b]2:[x \"y\"][1\n2]5:[][z]");
	return 0;
}

static int test_csv_refuses_what_is_broken(void)
{
	seen s = { "" };
	tp_err err = { 0 };
	CHECK(tp_csv_each("a\n\"b", 4, note, &s, &err) == TP_EFORMAT && strstr(err.msg, "line 2"), "%s",
		err.msg);
	CHECK(tp_csv_each("a\0b", 3, note, &s, &err) == TP_EFORMAT, "NUL");
	CHECK(tp_csv_each("\"a\0b\"", 5, note, &s, &err) == TP_EFORMAT, "NUL in quotes");
	return 0;
}

static char dir[64];

static void put(const char *rel, const char *text)
{
	char path[256], *slash;
	snprintf(path, sizeof path, "%s/%s", dir, rel);
	slash = strrchr(path, '/');
	*slash = 0;
	(void)!tp_make_dirs(path, NULL);
	*slash = '/';
	FILE *f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void fresh(void)
{
	snprintf(dir, sizeof dir, "/tmp/tepal-data-XXXXXX");
	if (!mkdtemp(dir))
		abort();
}

static int clean(int result)
{
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) ? 1 : result;
}

static int folders(void)
{
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	char name[64];
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "Mangifera_indica/leaf_%d.jpg", i);
		put(name, "x");
		snprintf(name, sizeof name, "Aloe_vera/deep/%d.PNG", i);
		put(name, "x");
	}
	put("Aloe_vera/notes.txt", "x");
	put("loose.jpg", "x");
	char empty[96];
	snprintf(empty, sizeof empty, "%s/Empty_species", dir);
	CHECK_OK(tp_make_dirs(empty, &err), err);
	CHECK_OK(tp_manifest_open(&m, dir, 1, &err), err);
	CHECK(m.n_taxa == 2 && m.n_photos == 40, "%zu species, %zu photos", m.n_taxa, m.n_photos);
	CHECK_STR(m.taxa[0].name, "Aloe vera");
	CHECK_STR(m.taxa[1].name, "Mangifera indica");
	CHECK(m.seen == m.n_photos + m.skipped_not_photo + m.skipped_no_species + m.skipped_listed_twice,
		"a file vanished");
	CHECK(m.skipped_not_photo == 1 && m.skipped_no_species == 1, "skipped %zu, %zu", m.skipped_not_photo,
		m.skipped_no_species);
	size_t n[2][TP_SPLITS] = { { 0 } }, leaves = 0;
	for (size_t i = 0; i < m.n_photos; i++) {
		n[m.photos[i].species][m.photos[i].split]++;
		leaves += !strcmp(m.photos[i].organ, "leaf");
	}
	CHECK(leaves == 20, "%zu leaves", leaves);
	for (int c = 0; c < 2; c++)
		CHECK(n[c][TP_TRAIN] == 16 && n[c][TP_VAL] == 2 && n[c][TP_TEST] == 2,
			"species %d: %zu %zu %zu", c, n[c][0], n[c][1], n[c][2]);
	tp_manifest again = { 0 };
	CHECK_OK(tp_manifest_open(&again, dir, 1, &err), err);
	for (size_t i = 0; i < m.n_photos; i++)
		CHECK(m.photos[i].split == again.photos[i].split, "photo %zu changed its split", i);
	tp_manifest_free(&again);
	tp_manifest_free(&m);
	return 0;
}

static int test_class_folders(void)
{
	fresh();
	return clean(folders());
}

static int wants(const char *csv, tp_code code, const char *words)
{
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	put("split.csv", csv);
	tp_code rc = tp_manifest_open(&m, dir, 1, &err);
	tp_manifest_free(&m);
	CHECK(rc == code && (!words || strstr(err.msg, words)), "code %d: %s", rc, err.msg);
	return 0;
}

static int tables(void)
{
	int bad = 0;
	bad |= wants("path,species,split\na.jpg,A a,train\nb.jpg,B b,test\n", TP_OK, NULL);
	bad |= wants("path,name\na.jpg,A a\n", TP_EFORMAT, "species");
	bad |= wants("path,species\na.jpg,A a\nb.jpg\n", TP_EFORMAT, "line 3");
	bad |= wants("path,species,split\na.jpg,A a,maybe\n", TP_EFORMAT, "maybe");
	bad |= wants("path,species\n../a.jpg,A a\n", TP_EFORMAT, "leaves");
	bad |= wants("path,species\n/etc/passwd,A a\n", TP_EFORMAT, "leaves");
	bad |= wants("path,species\na.jpg,A a\na.jpg,B b\n", TP_EFORMAT, "a.jpg");
	bad |= wants("path,species\na.jpg,A a\nb.jpg,A a\n", TP_EINVAL, "only one species");
	bad |= wants("path,species\n", TP_EINVAL, "no photos");
	return bad;
}

static int test_split_csv(void)
{
	fresh();
	return clean(tables());
}

static int starve(void)
{
	for (int n = 1;; n++) {
		tp_manifest m = { 0 };
		long before = tp_mem_live();
		tp_mem_fail_at(n);
		tp_code rc = tp_manifest_open(&m, dir, 1, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		tp_manifest_free(&m);
		CHECK(tp_mem_live() == before, "allocation %d leaks", n);
		if (!failed)
			return rc ? 1 : 0;
		CHECK(rc == TP_ENOMEM, "allocation %d: code %d", n, rc);
	}
}

static int starve_folders_and_tables(void)
{
	put("A_a/1.jpg", "x");
	put("B_b/1.jpg", "x");
	CHECK(!starve(), "folders");
	put("split.csv", "path,species,family\na.jpg,B b,F\nb.jpg,A a,F\na.jpg,B b,F\nc.jpg,,\n");
	put("classes.csv", "scientific_name,author,ipni_id,common_en,common_fr\nA a,L.,1-2,an a,un a\n");
	CHECK(!starve(), "tables");
	return 0;
}

static int test_every_failed_allocation_is_reported(void)
{
	fresh();
	return clean(starve_folders_and_tables());
}

static int names_of_species(void)
{
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	put("split.csv",
		"\xef\xbb\xbfspecies,license,path,split\r\nB b,CC0,b.jpg,test\r\nA a,,a.jpg,val\r\n");
	put("classes.csv",
		"scientific_name,common_en,family,author,common_fr,ipni_id\nA a,an a,F,L.,\"un, a\",1-2\n");
	CHECK_OK(tp_manifest_open(&m, dir, 1, &err), err);
	CHECK(m.n_taxa == 2 && m.n_photos == 2 && m.photos[0].split == TP_VAL, "%zu species", m.n_taxa);
	CHECK_STR(m.photos[1].licence, "CC0");
	CHECK_STR(m.taxa[0].family, "F");
	CHECK_STR(m.taxa[0].authorship, "L.");
	CHECK_STR(m.taxa[0].powo, "1-2");
	CHECK_STR(m.taxa[0].common[0][0], "en");
	CHECK_STR(m.taxa[0].common[0][1], "an a");
	CHECK_STR(m.taxa[0].common[1][1], "un, a");
	CHECK(!m.taxa[0].common[2][0] && !*m.taxa[1].family && !m.taxa[1].common[0][0], "more than was told");
	tp_manifest_free(&m);
	put("classes.csv", "name\nA a\n");
	CHECK(tp_manifest_open(&m, dir, 1, &err) == TP_EFORMAT && strstr(err.msg, "scientific_name"), "%s",
		err.msg);
	put("classes.csv", "scientific_name,family\nA a\n");
	CHECK(tp_manifest_open(&m, dir, 1, &err) == TP_EFORMAT && strstr(err.msg, "line 2"), "%s", err.msg);
	return 0;
}

static int test_names_come_from_classes_csv(void)
{
	fresh();
	return clean(names_of_species());
}

static int test_csv_limits(void)
{
	seen s = { "" };
	tp_err err = { 0 };
	char *text = tp_alloc(TP_MAX_CSV_LINE + 1);
	CHECK(text, "memory");
	memset(text, 'a', TP_MAX_CSV_LINE + 1);
	CHECK_OK(tp_csv_each(text, TP_MAX_CSV_LINE - 1, note, &s, &err), err);
	text[0] = text[1] = '\n';
	CHECK(tp_csv_each(text, TP_MAX_CSV_LINE + 1, note, &s, &err) == TP_OK, "%s", err.msg);
	text[1] = 'a';
	CHECK(tp_csv_each(text, TP_MAX_CSV_LINE + 1, note, &s, &err) == TP_ELIMIT &&
			strstr(err.msg, "line 2"),
		"%s", err.msg);
	memset(text, ',', 1024);
	s.text[0] = 0;
	CHECK(tp_csv_each(text, 1023, note, &s, &err) == TP_OK, "%s", err.msg);
	CHECK(tp_csv_each(text, 1024, note, &s, &err) == TP_ELIMIT && strstr(err.msg, "1024 fields"), "%s",
		err.msg);
	tp_free(text);
	return 0;
}

static int test_the_photo_set(void)
{
	const char *root = getenv("TEPAL_PHOTOS");
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	if (!root)
		return SKIP("TEPAL_PHOTOS is not set");
	CHECK_OK(tp_manifest_open(&m, root, 1, &err), err);
	CHECK(m.n_photos == 7397 && m.n_taxa == 83, "%zu photos, %zu species", m.n_photos, m.n_taxa);
	tp_manifest_free(&m);
	return 0;
}

int main(void)
{
	return RUN(T(test_csv_records), T(test_csv_refuses_what_is_broken), T(test_csv_limits),
		T(test_class_folders), T(test_split_csv), T(test_names_come_from_classes_csv),
		T(test_every_failed_allocation_is_reported), T(test_the_photo_set));
}
