/* CSV, class folders, splits: what a manifest makes of what lies on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
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
	for (size_t i = 0; i < n; i++)
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
	put("A_a/1.jpg", "x");
	put("B_b/1.jpg", "x");
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

static int test_every_failed_allocation_is_reported(void)
{
	fresh();
	return clean(starve());
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
	return RUN(T(test_csv_records), T(test_csv_refuses_what_is_broken), T(test_class_folders),
		T(test_split_csv), T(test_every_failed_allocation_is_reported), T(test_the_photo_set));
}
