/* The catalog: what goes in comes out, nothing vanishes, and files that are not ours are told from those that are. */
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/catalog.h"
#include "data/idset.h"
#include "data/text.h"
#include "dump.h"
#include "t.h"

static char dir[64];

static void fresh(void)
{
	snprintf(dir, sizeof dir, "/tmp/tepal-catalog-XXXXXX");
	if (!mkdtemp(dir))
		abort();
}

static int clean(int result)
{
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) ? 1 : result;
}

static const tp_catalog_source here = { .kind = "csv", .root = "/photos", .options = "" };

static int add(tp_catalog *c, const tp_row *r, tp_added want)
{
	tp_err err = { 0 };
	tp_added how;
	CHECK_OK(tp_catalog_add(c, r, &how, &err), err);
	CHECK(how == want, "%s: %d, want %d", r->path ? r->path : "-", how, want);
	return 0;
}

static tp_row leaf(const char *path, const char *name)
{
	tp_row r = TP_ROW_INIT;
	r.path = path;
	r.name = name;
	r.where = "line 1";
	return r;
}

typedef struct {
	size_t n;
	tp_catalog_photo p[8];
	char text[4096];
} photos;

static tp_code note(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	photos *x = ud;
	(void)err;
	size_t at = strlen(x->text);
	snprintf(x->text + at, sizeof x->text - at, "%lld %s%s %s %s %s %s;", (long long)p->id, p->path,
		p->url, p->organ, p->date, p->origin, p->excluded ? p->excluded : "kept");
	if (x->n < 8)
		x->p[x->n] = *p;
	x->n++;
	return TP_OK;
}

static int filled(tp_catalog *c)
{
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_begin(c, &err), err);
	CHECK_OK(tp_catalog_source_begin(c, &here, &err), err);
	tp_row a = { .path = "a.jpg",
		.name = "Aloe  vera (L.) Burm.f.",
		.authorship = "(L.) Burm.f.",
		.family = "Asphodelaceae",
		.organ = "leaf",
		.author = "Ann",
		.licence = "CC0",
		.origin = "garden",
		.date = "2024-05-06",
		.observation = "o1",
		.lat = 45.5,
		.lon = -3.25,
		.split = TP_VAL,
		.width = 40,
		.height = 30,
		.no_train = true,
		.where = "line 2" };
	tp_row b = leaf("b.jpg", "Aloe vera");
	b.observation = "o1";
	b.author = "Ann";
	tp_row u = leaf(NULL, "Mangifera indica");
	u.url = "https://x.org/1.jpg";
	int bad = add(c, &a, TP_ADDED) || add(c, &b, TP_ADDED) || add(c, &u, TP_ADDED) ||
		  add(c, &a, TP_WAS_THERE) || add(c, &u, TP_WAS_THERE);
	CHECK(!bad, "rows");
	CHECK_OK(tp_catalog_source_end(c, 1000, 5, 7, &err), err);
	CHECK_OK(tp_catalog_commit(c, &err), err);
	return 0;
}

static int each_name(tp_catalog *c, const char *want);

static int rows_come_back(void)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	photos x = { 0 };
	tp_catalog_filter f = TP_CATALOG_FILTER_INIT;
	CHECK(!tp_is_catalog(dir), "nothing there yet");
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_CREATE, &err), err);
	CHECK(!filled(c), "rows");
	tp_catalog_close(c);
	CHECK(tp_is_catalog(dir), "catalog.db");
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_READ, &err), err);
	CHECK_OK(tp_catalog_each_photo(c, &f, note, &x, &err), err);
	CHECK_STR(
		x.text, "1 a.jpg leaf 2024-05-06 garden kept;2 b.jpg    kept;3 https://x.org/1.jpg    kept;");
	const tp_catalog_photo *p = x.p;
	CHECK(p[0].lat == 45.5 && p[0].lon == -3.25 && p[0].given == TP_VAL && p[0].split == -1 &&
			p[0].width == 40 && p[0].height == 30 && p[0].no_train && !p[0].bytes &&
			!p[0].sha256 && !p[0].has_phash,
		"the first photo");
	CHECK(isnan(p[1].lat) && p[1].given == -1 && !p[1].no_train && isnan(p[1].measure[TP_DOUBT]),
		"the second");
	CHECK(p[0].observation == 1 && p[1].observation == 1 && !p[2].observation, "one plant");
	CHECK(p[0].author == p[1].author && !p[2].author && p[0].licence == 1, "authors");
	CHECK(p[0].name != p[1].name && p[0].taxon == p[1].taxon && p[2].taxon != p[0].taxon,
		"two ways to write one");
	CHECK(!each_name(c, "1 1 Aloe  vera (L.) Burm.f.  1;2 1 Aloe vera  1;3 2 Mangifera indica  1;"),
		"names");
	tp_catalog_counts k;
	CHECK_OK(tp_catalog_count(&k, c, &err), err);
	CHECK(k.photos == 3 && k.kept == 3 && !k.excluded && k.names == 3 && k.taxa == 2 &&
			k.observations == 1 && k.split[TP_VAL] == 1 && k.no_split == 2,
		"counts");
	tp_added how;
	tp_row r = leaf("c.jpg", "A a");
	CHECK(tp_catalog_add(c, &r, &how, &err) == TP_EINVAL, "no source was begun");
	CHECK(tp_catalog_source_begin(c, &here, &err) == TP_EDENIED, "open for reading: %s", err.msg);
	tp_catalog_close(c);
	return 0;
}

static char names_text[1024];
static tp_code note_name(void *ud, const tp_catalog_name *n, tp_err *err)
{
	(void)ud, (void)err;
	size_t at = strlen(names_text);
	snprintf(names_text + at, sizeof names_text - at, "%lld %lld %s %s%s%s %lld;", (long long)n->id,
		(long long)n->taxon, n->text, n->matched, *n->nearest ? "~" : "", n->nearest,
		(long long)n->photos);
	return TP_OK;
}

static int each_name(tp_catalog *c, const char *want)
{
	tp_err err = { 0 };
	*names_text = 0;
	CHECK_OK(tp_catalog_each_name(c, note_name, NULL, &err), err);
	CHECK_STR(names_text, want);
	return 0;
}

static int test_rows_come_back(void)
{
	fresh();
	return clean(rows_come_back());
}

static char refused_text[8192];
static tp_code note_refused(void *ud, int64_t source, const char *where, const char *reason, tp_err *err)
{
	(void)ud, (void)err;
	size_t at = strlen(refused_text);
	snprintf(refused_text + at, sizeof refused_text - at, "%lld %s: %s\n", (long long)source, where,
		reason);
	return TP_OK;
}

static int bad_rows(tp_catalog *c)
{
	static char long_name[TP_MAX_NAME + 2], long_path[TP_MAX_PATH + 2];
	memset(long_name, 'a', TP_MAX_NAME + 1);
	memset(long_path, 'a', TP_MAX_PATH + 1);
	const struct {
		const char *path, *url, *name, *says;
	} bad[] = { { NULL, NULL, "A a", "neither path nor URL" }, { "", "", "A a", "neither path nor URL" },
		{ "../a.jpg", NULL, "A a", "leaves the folder" },
		{ "x/../../a.jpg", NULL, "A a", "leaves the folder" },
		{ "/etc/passwd", NULL, "A a", "leaves the folder" },
		{ "x/..", NULL, "A a", "leaves the folder" },
		{ NULL, "file:///etc/passwd", "A a", "neither http nor https" },
		{ NULL, "ftp://x/y.jpg", "A a", "neither http nor https" },
		{ "a.jpg", NULL, NULL, "no species" }, { "a.jpg", NULL, " \t", "no species" },
		{ "a.jpg", NULL, "caf\xe9", "not UTF-8" }, { "\xff.jpg", NULL, "A a", "path is not UTF-8" },
		{ "a.jpg", NULL, long_name, "species of 1025 bytes" },
		{ long_path, NULL, "A a", "path of 4097 bytes" } };
	tp_err err = { 0 };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tp_row r = leaf(bad[i].path, bad[i].name);
		r.url = bad[i].url;
		*refused_text = 0;
		CHECK_OK(tp_catalog_source_begin(c, &here, &err), err);
		CHECK(!add(c, &r, TP_REFUSED), "row %zu", i);
		CHECK_OK(tp_catalog_each_refused(c, 0, note_refused, NULL, &err), err);
		CHECK(strstr(refused_text, bad[i].says) && !strncmp(refused_text, "1 line 1: ", 10) &&
				strchr(refused_text, '\n')[1] == 0,
			"row %zu: %s", i, refused_text);
	}
	tp_catalog_counts k;
	CHECK_OK(tp_catalog_count(&k, c, &err), err);
	CHECK(!k.photos && k.refused == 1 && !k.names, "%lld photos", (long long)k.photos);
	return 0;
}

static int refusals(void)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_CREATE, &err), err);
	int bad = bad_rows(c);
	tp_catalog_close(c);
	return bad;
}

static int test_what_is_wrong_is_refused_and_listed(void)
{
	fresh();
	return clean(refusals());
}

static int two_names(void)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	photos x = { 0 };
	tp_catalog_filter f = TP_CATALOG_FILTER_INIT;
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_CREATE, &err), err);
	for (int round = 0; round < 2; round++) { /* the second run changes nothing */
		CHECK_OK(tp_catalog_source_begin(c, &here, &err), err);
		tp_row a = leaf("a.jpg", "A a"), b = leaf("a.jpg", "B b"), o = leaf("b.jpg", "A a");
		CHECK(!add(c, &a, round ? TP_WAS_THERE : TP_ADDED) && !add(c, &b, TP_REFUSED) &&
				!add(c, &o, round ? TP_WAS_THERE : TP_ADDED),
			"rows");
		CHECK_OK(tp_catalog_source_end(c, 1, 3, 0, &err), err);
	}
	f.which = TP_PHOTOS_EXCLUDED;
	CHECK_OK(tp_catalog_each_photo(c, &f, note, &x, &err), err);
	CHECK_STR(x.text, "1 a.jpg    two_names;");
	f.which = TP_PHOTOS_KEPT;
	*x.text = 0;
	CHECK_OK(tp_catalog_each_photo(c, &f, note, &x, &err), err);
	CHECK_STR(x.text, "2 b.jpg    kept;");
	*refused_text = 0;
	CHECK_OK(tp_catalog_each_refused(c, 1, note_refused, NULL, &err), err);
	CHECK_STR(refused_text, "1 line 1: photo 1 is there already, as A a\n");
	tp_catalog_close(c);
	return 0;
}

static int test_a_photo_under_two_names(void)
{
	fresh();
	return clean(two_names());
}

static char findings_text[512];
static tp_code note_finding(void *ud, const tp_catalog_finding *f, tp_err *err)
{
	(void)ud, (void)err;
	size_t at = strlen(findings_text);
	snprintf(findings_text + at, sizeof findings_text - at, "%lld %s %g %lld;", (long long)f->photo,
		f->rule, f->value, (long long)f->other);
	return TP_OK;
}

static char verdicts_text[256];
static tp_code note_verdict(void *ud, const char *rule, int64_t n, tp_err *err)
{
	(void)ud, (void)err;
	size_t at = strlen(verdicts_text);
	snprintf(verdicts_text + at, sizeof verdicts_text - at, "%s %lld;", rule, (long long)n);
	return TP_OK;
}

static int columns(tp_catalog *c)
{
	tp_err err = { 0 };
	uint8_t sha[32];
	memset(sha, 7, sizeof sha);
	const int set[] = { TP_SET_SHA256, TP_SET_PHASH, TP_SET_MEASURE + TP_SHARPNESS, TP_SET_EXCLUDED,
		TP_SET_SPLIT, TP_SET_TAXON };
	const int64_t ids[] = { 1, 3 };
	const tp_catalog_value v[] = { { TP_VALUE_BYTES, .p = sha, .len = 32 }, { TP_VALUE_INT, .i = -2 },
		{ TP_VALUE_NUMBER, .d = 0.5 }, { TP_VALUE_TEXT, .p = "blurred" }, { TP_VALUE_NONE },
		{ TP_VALUE_NONE }, { TP_VALUE_NONE }, { TP_VALUE_NONE }, { TP_VALUE_NUMBER, .d = NAN },
		{ TP_VALUE_NONE }, { TP_VALUE_INT, .i = TP_TEST }, { TP_VALUE_INT, .i = 1 } };
	CHECK_OK(tp_catalog_set(c, set, 6, ids, 2, v, &err), err);
	photos x = { 0 };
	tp_catalog_filter f = TP_CATALOG_FILTER_INIT;
	CHECK_OK(tp_catalog_each_photo(c, &f, note, &x, &err), err);
	CHECK(x.p[0].phash == (uint64_t)-2 && x.p[0].has_phash && x.p[0].measure[TP_SHARPNESS] == 0.5,
		"the first photo");
	CHECK(!x.p[2].has_phash && x.p[2].split == TP_TEST && x.p[2].taxon == 1 &&
			isnan(x.p[2].measure[TP_SHARPNESS]),
		"the third");
	CHECK(strstr(x.text, "garden blurred;"), "%s", x.text);
	f.unhashed = true;
	x.n = 0;
	CHECK_OK(tp_catalog_each_photo(c, &f, note, &x, &err), err);
	CHECK(x.n == 2 && x.p[0].id == 2, "%zu without a hash", x.n);
	f = (tp_catalog_filter){ .split = TP_TEST, .taxon = 1, .source = 1, .after = 2, .limit = 5 };
	x.n = 0;
	CHECK_OK(tp_catalog_each_photo(c, &f, note, &x, &err), err);
	CHECK(x.n == 1 && x.p[0].id == 3, "%zu of the test split", x.n);
	const int64_t nobody = 99;
	CHECK(tp_catalog_set(c, set, 1, &nobody, 1, v, &err) == TP_ENOTFOUND, "photo 99: %s", err.msg);
	CHECK(tp_catalog_set(c, set, 0, ids, 1, v, &err) == TP_EINVAL, "no columns");
	*verdicts_text = 0;
	CHECK_OK(tp_catalog_each_verdict(c, note_verdict, NULL, &err), err);
	CHECK_STR(verdicts_text, " 2;blurred 1;");
	CHECK_OK(tp_catalog_set_all(c, TP_SET_EXCLUDED, (tp_catalog_value){ TP_VALUE_NONE }, &err), err);
	*verdicts_text = 0;
	CHECK_OK(tp_catalog_each_verdict(c, note_verdict, NULL, &err), err);
	CHECK_STR(verdicts_text, " 3;");
	return 0;
}

static int findings(tp_catalog *c)
{
	tp_err err = { 0 };
	const tp_catalog_finding f[] = { { 2, "blurred", 0.25, 0 }, { 1, "near_duplicate", 3, 2 },
		{ 1, "blurred", 0.125, 0 }, { 1, "blurred", 0.5, 0 } };
	for (int i = 0; i < 4; i++)
		CHECK_OK(tp_catalog_find(c, &f[i], &err), err);
	*findings_text = 0;
	CHECK_OK(tp_catalog_each_finding(c, NULL, note_finding, NULL, &err), err);
	CHECK_STR(findings_text, "1 blurred 0.5 0;1 near_duplicate 3 2;2 blurred 0.25 0;");
	CHECK_OK(tp_catalog_forget_rule(c, "near_duplicate", &err), err);
	*findings_text = 0;
	CHECK_OK(tp_catalog_each_finding(c, "blurred", note_finding, NULL, &err), err);
	CHECK_STR(findings_text, "1 blurred 0.5 0;2 blurred 0.25 0;");
	return 0;
}

static int matching(tp_catalog *c)
{
	tp_err err = { 0 };
	int64_t id = 0, again = 0;
	const tp_catalog_taxon t = { .name = "Aloe barbadensis", .rank = "species", .family = "F" },
			       more = { .name = "Aloe barbadensis", .powo = "1-2" };
	CHECK_OK(tp_catalog_put_taxon(c, &id, &t, &err), err);
	CHECK_OK(tp_catalog_put_taxon(c, &again, &more, &err), err);
	CHECK(id && id == again, "one taxon");
	CHECK_OK(tp_catalog_match(c, 1, id, "synonym", "Aloe barbadensis", &err), err);
	CHECK_OK(tp_catalog_match(c, 2, id, "exact", "", &err), err);
	CHECK(tp_catalog_match(c, 9, id, "exact", "", &err) == TP_ENOTFOUND, "name 9");
	CHECK(!each_name(c, "1 3 Aloe  vera (L.) Burm.f. synonym~Aloe barbadensis 1;2 3 Aloe vera exact 1;"
			    "3 2 Mangifera indica  1;"),
		"names");
	CHECK_OK(tp_catalog_set_all(c, TP_SET_TAXON, (tp_catalog_value){ TP_VALUE_NONE }, &err), err);
	CHECK_OK(tp_catalog_drop_unused_taxa(c, &err), err);
	const tp_species s = {
		.name = "Mangifera indica", .family = "Anacardiaceae", .common = { { "en", "Mango" } }
	};
	CHECK_OK(tp_catalog_species(c, &s, &err), err);
	tp_catalog_counts k;
	CHECK_OK(tp_catalog_count(&k, c, &err), err);
	CHECK(k.taxa == 2, "%lld taxa", (long long)k.taxa);
	return 0;
}

static int what_was_found_out(void)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_CREATE, &err), err);
	int bad = filled(c) || columns(c) || findings(c) || matching(c);
	tp_catalog_close(c);
	CHECK(!bad, "above");
	tp_buf b;
	CHECK(!dump(&b, dir), "dump");
	CHECK(strstr(b.ptr, "\n2|Mangifera indica|-|-|-|Anacardiaceae|-|-|\n3|Aloe "
			    "barbadensis|-|species|-|F|-|1-2|\n2|en|Mango|"),
		"%s", b.ptr);
	tp_buf_dispose(&b);
	return 0;
}

static int test_what_was_found_out_stays(void)
{
	fresh();
	return clean(what_was_found_out());
}

static int write_sql(const char *name, const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	unlink(path);
	int bad =
		sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK;
	sqlite3_close(db);
	return bad;
}

static int opens(tp_catalog_mode mode, tp_code want, const char *words)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	tp_code rc = tp_catalog_open(&c, dir, mode, &err);
	if (!rc)
		tp_catalog_close(c);
	CHECK(rc == want && (!words || strstr(err.msg, words)), "code %d, want %d: %s", rc, want, err.msg);
	return 0;
}

static int strangers(void)
{
	char path[128];
	snprintf(path, sizeof path, "%s/catalog.db", dir);
	CHECK(!opens(TP_CATALOG_READ, TP_ENOTFOUND, "no catalog"), "nothing");
	FILE *f = fopen(path, "w");
	CHECK(f &&
			fputs("this is no database, but it is long enough to be asked about one, is it "
			      "not?\n",
				f) >= 0 &&
			!fclose(f),
		"write");
	CHECK(!opens(TP_CATALOG_READ, TP_EFORMAT, "not a catalog"), "text");
	CHECK(!opens(TP_CATALOG_CREATE, TP_EFORMAT, "not a catalog"), "text");
	CHECK(!write_sql("catalog.db", "CREATE TABLE photo(x);"), "sql");
	CHECK(!opens(TP_CATALOG_CREATE, TP_EFORMAT, "no catalog of tepal"), "another's");
	CHECK(!write_sql("catalog.db",
		      "PRAGMA application_id = 1953522540; PRAGMA user_version = 2; CREATE TABLE x(y);"),
		"sql");
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	photos x = { 0 };
	tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_READ, &err), err);
	CHECK(tp_catalog_each_photo(c, &all, note, &x, &err) == TP_EFORMAT, "no table: %s", err.msg);
	tp_catalog_close(c);
	CHECK(!write_sql("catalog.db",
		      "PRAGMA application_id = 1953522540; PRAGMA user_version = 2; CREATE TABLE x(y);"
		      "CREATE VIEW photo AS SELECT y FROM x;"),
		"sql");
	CHECK(!opens(TP_CATALOG_READ, TP_EFORMAT, "views or triggers"), "view");
	CHECK(!write_sql("catalog.db",
		      "PRAGMA application_id = 1953522540; PRAGMA user_version = 77; CREATE TABLE x(y);"),
		"sql");
	CHECK(!opens(TP_CATALOG_READ, TP_EFORMAT, "format 77"), "newer");
	unlink(path);
	CHECK(!(f = fopen(path, "w")) || !fclose(f), "an empty file: killed before the first byte");
	CHECK(!opens(TP_CATALOG_READ, TP_EFORMAT, "older format"), "empty");
	CHECK(!opens(TP_CATALOG_CREATE, TP_OK, NULL), "empty, for writing");
	CHECK(!opens(TP_CATALOG_READ, TP_OK, NULL), "then for reading");
	return 0;
}

static int test_files_that_are_no_catalog(void)
{
	fresh();
	return clean(strangers());
}

static int one_writer(void)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_CREATE, &err), err);
	CHECK(!opens(TP_CATALOG_WRITE, TP_EBUSY, "another process"), "a second writer");
	CHECK(!opens(TP_CATALOG_READ, TP_EBUSY, "another process"), "a reader");
	tp_catalog_close(c);
	CHECK(!opens(TP_CATALOG_WRITE, TP_OK, NULL), "afterwards");
	return 0;
}

static int test_one_writer_at_a_time(void)
{
	fresh();
	return clean(one_writer());
}

static int rolled_back(void)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	tp_added how;
	tp_row r = leaf("a.jpg", "A a");
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_CREATE, &err), err);
	CHECK_OK(tp_catalog_begin(c, &err), err);
	CHECK_OK(tp_catalog_source_begin(c, &here, &err), err);
	CHECK(!add(c, &r, TP_ADDED), "row");
	tp_catalog_rollback(c);
	CHECK(tp_catalog_add(c, &r, &how, &err) == TP_EINVAL, "the source is gone too");
	CHECK_OK(tp_catalog_source_begin(c, &here, &err), err);
	CHECK(!add(c, &r, TP_ADDED), "it is new again");
	tp_catalog_close(c);
	return 0;
}

static int test_rollback_forgets(void)
{
	fresh();
	return clean(rolled_back());
}

static tp_code same_number(void *ud, uint32_t id, const char *text, size_t len, int *same, tp_err *err)
{
	char want[24];
	(void)err;
	++*(size_t *)ud;
	snprintf(want, sizeof want, "k%u", id);
	*same = strlen(want) == len && !memcmp(want, text, len);
	return TP_OK;
}

static int test_idset_finds_what_was_added(void)
{
	tp_idset s = { 0 };
	tp_err err = { 0 };
	size_t asked = 0;
	uint32_t id;
	char key[24];
	enum { N = 20000 };
	for (uint32_t i = 1; i <= N; i++) {
		int n = snprintf(key, sizeof key, "k%u", i);
		CHECK_OK(tp_idset_add(&s, key, (size_t)n, i, &err), err);
	}
	for (uint32_t i = 1; i <= 2 * N; i++) {
		int n = snprintf(key, sizeof key, "k%u", i);
		CHECK_OK(tp_idset_find(&id, &s, key, (size_t)n, same_number, &asked, &err), err);
		CHECK(id == (i <= N ? i : 0), "%s is %u", key, id);
	}
	CHECK(asked >= N && asked < N + N / 100, "asked %zu times for %d", asked, N);
	CHECK(tp_idset_add(&s, "x", 1, (int64_t)1 << 32, &err) == TP_ELIMIT &&
			tp_idset_add(&s, "x", 1, 0, &err) == TP_ELIMIT,
		"numbers");
	tp_idset_dispose(&s);
	return 0;
}

static int test_encodings(void)
{
	static const char *const good[] = { "", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\xb1",
		"\xed\x9f\xbf", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\xaf",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe9t\xe9", "\xff", "a\xe2\x82" };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(tp_is_utf8(good[i], strlen(good[i])), "good %zu", i);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(!tp_is_utf8(bad[i], strlen(bad[i])), "bad %zu", i);
	char all[256], out[3 * 256 + 1];
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	size_t n = tp_latin1_to_utf8(out, all, 256);
	CHECK(tp_is_utf8(out, n) && !memcmp(out + 128, "\xe2\x82\xac", 3) &&
			!memcmp(out + n - 2, "\xc3\xbf", 2),
		"%zu", n);
	tp_encoding e;
	tp_err err = { 0 };
	CHECK(!tp_encoding_named(&e, "ISO-8859-1", &err) && e == TP_LATIN1, "latin1");
	CHECK(!tp_encoding_named(&e, "UTF-8", &err) && e == TP_UTF8, "utf-8");
	CHECK(tp_encoding_named(&e, "UTF-16", &err) == TP_EINVAL && strstr(err.msg, "UTF-16"), "%s", err.msg);
	return 0;
}

int main(void)
{
	return RUN(T(test_idset_finds_what_was_added), T(test_encodings), T(test_rows_come_back),
		T(test_what_is_wrong_is_refused_and_listed), T(test_a_photo_under_two_names),
		T(test_what_was_found_out_stays), T(test_rollback_forgets), T(test_files_that_are_no_catalog),
		T(test_one_writer_at_a_time));
}
