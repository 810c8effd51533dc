/* Splits of a catalog: what belongs together goes one way, what is held out is out, the leak test finds what is planted,
 * and how it was split is remembered. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/catalog_split.h"
#include "t.h"

enum { SPECIES = 6, EACH = 60, N = SPECIES * EACH };

static char dir[64];
static tp_catalog *c;
static const tp_catalog_source here = { .kind = "csv", .root = "/photos", .options = "" };

/* Photos come in pairs of one observation; species by species; the k-th observation is of author k mod 9 and day k mod 20
 * of year 2010 + k mod 10. Only the first half has a place. */
static int add(int i, int given)
{
	char path[32], name[32], observation[16], author[16], date[16];
	int k = i / 2;
	tp_added how;
	tp_err err = { 0 };
	tp_row r = TP_ROW_INIT;
	snprintf(path, sizeof path, "p/%03d.jpg", i);
	snprintf(name, sizeof name, "Planta %c", 'a' + i / EACH);
	snprintf(observation, sizeof observation, "o%d", k);
	snprintf(author, sizeof author, "Author %d", k % 9);
	snprintf(date, sizeof date, "%d-05-%02d", 2010 + k % 10, 1 + k % 20);
	r.path = path, r.name = name, r.observation = observation, r.author = author, r.date = date;
	r.split = given, r.where = "line";
	if (i < N / 2)
		r.lat = k % 80, r.lon = 2 * k;
	CHECK_OK(tp_catalog_add(c, &r, &how, &err), err);
	CHECK(how == TP_ADDED, "%s", path);
	return 0;
}

static int made(int (*given)(int i))
{
	tp_err err = { 0 };
	int bad = 0;
	snprintf(dir, sizeof dir, "/tmp/tepal-splits-XXXXXX");
	CHECK(mkdtemp(dir), "no folder");
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_CREATE, &err), err);
	CHECK_OK(tp_catalog_begin(c, &err), err);
	CHECK_OK(tp_catalog_source_begin(c, &here, &err), err);
	for (int i = 0; i < N && !bad; i++)
		bad = add(i, given ? given(i) : -1);
	CHECK_OK(tp_catalog_source_end(c, 1, N, 0, &err), err);
	CHECK_OK(tp_catalog_commit(c, &err), err);
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

static int split[N + 1]; /* by number of the photo, which is that of its row and 1 */
static tp_code note(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	(void)ud, (void)err;
	split[p->id] = p->split;
	return TP_OK;
}

static int read_splits(void)
{
	tp_err err = { 0 };
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	CHECK_OK(tp_catalog_each_photo(c, &all, note, NULL, &err), err);
	return 0;
}

static int set(int column, int64_t photo, tp_catalog_value v)
{
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_set(c, &column, 1, &photo, 1, &v, &err), err);
	return 0;
}

static int set_split(int64_t photo, int to)
{
	return set(TP_SET_SPLIT, photo, (tp_catalog_value){ .kind = TP_VALUE_INT, .i = to });
}

static char leaks[4096], unknown[256];
static void on_leak(void *ud, const char *text)
{
	(void)ud;
	snprintf(leaks + strlen(leaks), sizeof leaks - strlen(leaks), "%s\n", text);
}

static void on_unknown(void *ud, const char *what, const char *name)
{
	(void)ud;
	snprintf(unknown + strlen(unknown), sizeof unknown - strlen(unknown), "%s %s\n", what, name);
}

static tp_catalog_split_opts options(void)
{
	tp_catalog_split_opts o = TP_CATALOG_SPLIT_OPTS_INIT;
	o.leak = on_leak;
	o.unknown = on_unknown;
	*leaks = *unknown = 0;
	return o;
}

/* The leak test finds n leaks; the first is told with `text` in it. */
static int finds(size_t n, const char *text)
{
	tp_err err = { 0 };
	size_t found = 0;
	const tp_catalog_split_opts o = options();
	CHECK_OK(tp_catalog_split_check(&found, c, &o, &err), err);
	CHECK(found == n && strstr(leaks, text), "%zu leaks, want %zu with \"%s\": %s", found, n, text,
		leaks);
	return 0;
}

static int pairs_go_one_way(void)
{
	tp_err err = { 0 };
	tp_catalog_splitted s;
	tp_catalog_split_opts o = options();
	size_t n = 7;
	CHECK(tp_catalog_split_check(&n, c, &o, &err) == TP_EINVAL && strstr(err.msg, "360 of 360"), "%s",
		err.msg);
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(s.kept == N && !s.excluded && s.changed == N && !s.leaks && s.species == SPECIES &&
			!s.no_test && !s.no_val && !s.no_train,
		"%zu kept, %zu changed, %zu leaks, %zu species", s.kept, s.changed, s.leaks, s.species);
	CHECK(s.split.groups == N / 2 && s.split.n[TP_TEST] == N / 10 && s.split.n[TP_VAL] == N / 10,
		"%zu groups, %zu and %zu", s.split.groups, s.split.n[TP_VAL], s.split.n[TP_TEST]);
	CHECK(!read_splits(), "read");
	size_t by[TP_SPLITS] = { 0 };
	for (int i = 1; i <= N; i += 2) {
		CHECK(split[i] == split[i + 1] && split[i] >= 0, "photos %d and %d", i, i + 1);
		by[split[i]] += 2;
	}
	CHECK(by[TP_TEST] == s.split.n[TP_TEST] && by[TP_VAL] == s.split.n[TP_VAL],
		"what is told is written");
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(!s.changed, "the same seed changes %zu", s.changed);
	o.seed = 2;
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(s.changed > N / 10, "another seed changes %zu", s.changed);
	return 0;
}

static int test_observations(void)
{
	return clean(made(NULL) || pairs_go_one_way());
}

static int plant(void)
{
	tp_err err = { 0 };
	tp_catalog_splitted s;
	tp_catalog_split_opts o = options();
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(!finds(0, ""), "before");
	CHECK(!read_splits(), "read");
	CHECK(!set_split(8, split[7] == TP_TEST ? TP_TRAIN : TP_TEST), "set");
	CHECK(!finds(1, "photos 7 (p/006.jpg) and 8 (p/007.jpg) share a value of observation"),
		"observation");
	CHECK(!set_split(8, split[7]), "set");
	int other = 9; /* whose split is another one */
	while (split[other] == split[8])
		other++;
	CHECK(!set(TP_SET_DUPLICATES, 8, (tp_catalog_value){ .kind = TP_VALUE_INT, .i = 4 }) &&
			!set(TP_SET_DUPLICATES, other, (tp_catalog_value){ .kind = TP_VALUE_INT, .i = 4 }),
		"set");
	CHECK(!finds(1, "share a value of duplicates"), "duplicates");
	CHECK(!set(TP_SET_DUPLICATES, 8, (tp_catalog_value){ 0 }), "set");
	uint8_t sha[32] = "the same bytes";
	tp_catalog_value v = { .kind = TP_VALUE_BYTES, .p = sha, .len = sizeof sha };
	CHECK(!set(TP_SET_SHA256, 8, v) && !set(TP_SET_SHA256, other, v), "set");
	CHECK(!finds(1, "share a value of sha256"), "bytes");
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err); /* mends it */
	CHECK(!s.leaks && s.split.groups == N / 2 - 1, "%zu leaks, %zu groups", s.leaks, s.split.groups);
	return finds(0, "");
}

static int test_planted_leaks(void)
{
	return clean(made(NULL) || plant());
}

/* Photo 2 is excluded, as a copy of photo 9: so 1, of the plant of 2, and 9 and 10 are one plant. */
static int tie(void)
{
	tp_err err = { 0 };
	tp_catalog_splitted s;
	uint8_t sha[32] = "x";
	tp_catalog_value same = { .kind = TP_VALUE_BYTES, .p = sha, .len = sizeof sha };
	CHECK(!set(TP_SET_SHA256, 2, same) && !set(TP_SET_SHA256, 9, same), "set");
	CHECK(!set(TP_SET_EXCLUDED, 2, (tp_catalog_value){ .kind = TP_VALUE_TEXT, .p = "duplicate" }), "set");
	for (int seed = 1; seed < 12; seed++) {
		tp_catalog_split_opts o = options();
		o.seed = (uint64_t)seed;
		CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
		CHECK(!read_splits(), "read");
		CHECK(split[1] == split[9] && split[2] == split[9] && split[10] == split[9],
			"seed %d: %d %d %d %d", seed, split[1], split[2], split[9], split[10]);
	}
	CHECK(s.kept == N - 1 && s.excluded == 1 && !s.leaks, "%zu and %zu", s.kept, s.excluded);
	CHECK(s.split.n[0] + s.split.n[1] + s.split.n[2] == N - 1, "an excluded one is counted");
	int to = split[9] == TP_TEST ? TP_TRAIN : TP_TEST;
	CHECK(!set_split(1, to), "set");
	CHECK(!finds(2, "photos 1 (p/000.jpg) and 9 (p/008.jpg) belong together through excluded ones"),
		"tied");
	CHECK(!set_split(1, split[9]) && !set_split(2, to), "set"); /* of one that is excluded nobody asks */
	return finds(0, "");
}

static int test_excluded_photos_tie(void)
{
	return clean(made(NULL) || tie());
}

/* Observations 0, 3, 6, ... are given to test; photo 1 (of observation 0) to train: a leak of the source's. */
static int given(int i)
{
	return i == 1 ? TP_TRAIN : i / 2 % 3 ? -1 : TP_TEST;
}

static int respect(void)
{
	tp_err err = { 0 };
	tp_catalog_splitted s;
	tp_catalog_split_opts o = options();
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(!read_splits(), "read");
	for (int i = 0; i < N; i++)
		CHECK(given(i) < 0 || split[i + 1] == given(i), "photo %d", i + 1);
	CHECK(s.split.conflicts == 1 && s.leaks == 1 && strstr(leaks, "photos 1 (p/000.jpg) and 2"),
		"%zu: %s", s.leaks, leaks);
	o = options();
	o.ignore_given = true;
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(!s.split.conflicts && !s.leaks && s.split.n[TP_TEST] == N / 10, "%zu to test",
		s.split.n[TP_TEST]);
	return 0;
}

static int test_given(void)
{
	return clean(made(given) || respect());
}

/* hold: n photos are held out, and none of them is trained with. */
static int holds(const char *hold, size_t n, tp_catalog_split_opts o)
{
	tp_err err = { 0 };
	tp_catalog_splitted s;
	tp_catalog_counts k;
	tp_manifest m;
	o.hold_out = &hold;
	o.n_hold_out = 1;
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(s.split.n[TP_HELD_OUT] == n && !s.leaks, "%s: %zu held out, want %zu", hold,
		s.split.n[TP_HELD_OUT], n);
	CHECK_OK(tp_catalog_count(&k, c, &err), err);
	CHECK(k.held_out == (int64_t)n && !k.no_split &&
			k.split[0] + k.split[1] + k.split[2] == N - (int64_t)n,
		"counts");
	tp_catalog_close(c);
	c = NULL;
	CHECK_OK(tp_manifest_open(&m, dir, 1, &err), err);
	CHECK(m.n_photos == N - n && m.skipped_held_out == n && m.seen == N, "%zu photos", m.n_photos);
	tp_manifest_free(&m);
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_WRITE, &err), err);
	CHECK(!read_splits(), "read");
	for (int i = 1; i <= N; i++) /* the rule is remembered, so that the test finds one that came back */
		if (split[i] == TP_HELD_OUT) {
			CHECK(!set_split(i, TP_TRAIN), "set");
			return finds(2, "should be held out");
		}
	return 0;
}

static int put_names(char path[96], const char *text)
{
	snprintf(path, 96, "%s/names.txt", dir);
	FILE *f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && !fclose(f), "%s", path);
	return 0;
}

static int hold_out(void)
{
	char names[96], species[128], authors[128];
	CHECK(!holds("species=Planta c", EACH, options()), "species");
	CHECK(!put_names(names, "Planta a\r\n\n  Planta f \nPlanta z\nAuthor 1"), "names");
	snprintf(species, sizeof species, "species=%s", names);
	snprintf(authors, sizeof authors, "author=%s", names);
	CHECK(!holds(species, 2 * EACH, options()), "species of a file");
	CHECK_STR(unknown, "");
	CHECK(!holds(authors, N / 9, options()), "authors of a file");
	CHECK(!holds("author=Author 4", N / 9, options()), "author");
	CHECK(!holds("years=2012-2013", N / 5, options()), "years");
	CHECK(!holds("years=2012", N / 10, options()), "a year");
	CHECK(!holds("box=-1,-1,9.5,180", 20 + 20, options()), "box"); /* k = 0..9 and 80..89 */
	return 0;
}

static int tells_unknown(void)
{
	char names[96], species[128];
	const char *hold = species;
	tp_err err = { 0 };
	tp_catalog_splitted s;
	tp_catalog_split_opts o = options();
	CHECK(!put_names(names, "Planta a\nPlanta z\n"), "names");
	snprintf(species, sizeof species, "species=%s", names);
	o.hold_out = &hold;
	o.n_hold_out = 1;
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK_STR(unknown, "species Planta z\n");
	return 0;
}

static int test_hold_outs(void)
{
	return clean(made(NULL) || hold_out() || tells_unknown());
}

static int by_author(void)
{
	static const char *const by[] = { "author", "day", "place" };
	tp_err err = { 0 };
	tp_catalog_splitted s;
	tp_catalog_split_opts o = options();
	o.by = by;
	o.n_by = 1;
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(s.split.groups == 9 && !s.leaks, "%zu groups", s.split.groups);
	CHECK(!read_splits(), "read");
	int i = 1;
	while (i < N && split[i] == TP_TEST)
		i += 2;
	CHECK(!set_split(i, TP_TEST) && !set_split(i + 1, TP_TEST), "set"); /* both of the observation */
	const tp_catalog_split_opts plain = options();
	size_t n = 0;
	CHECK_OK(tp_catalog_split_check(&n, c, &plain, &err), err);
	CHECK(n >= 2 && strstr(leaks, "share a value of author"), "%zu: %s", n, leaks);
	o.by = by + 1;
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(s.split.groups == 180 && !s.leaks, "of a day: %zu groups", s.split.groups); /* 9 x 20 days */
	o.by = by + 2; /* observations k and k + 80 are at one latitude, not at one place */
	CHECK_OK(tp_catalog_split(&s, c, &o, &err), err);
	CHECK(s.split.groups == N / 2, "of a place: %zu groups", s.split.groups);
	return 0;
}

static int test_by_author(void)
{
	return clean(made(NULL) || by_author());
}

static int refuse(void)
{
	static const struct {
		const char *hold, *says;
		tp_code code;
	} all[] = { { "species=Planta z", "no species \"Planta z\"", TP_ENOTFOUND },
		{ "author=Nobody", "no author \"Nobody\"", TP_ENOTFOUND }, { "years=x", "years", TP_EINVAL },
		{ "years=2024-2020", "years", TP_EINVAL }, { "years=2020-", "years", TP_EINVAL },
		{ "box=1,2,3", "box", TP_EINVAL }, { "box=10,0,5,1", "box", TP_EINVAL },
		{ "box=1,2,3,4,5", "box", TP_EINVAL }, { "country=FR", "countries", TP_EINVAL },
		{ "colour=red", "colour", TP_EINVAL }, { "species", "species", TP_EINVAL } };
	tp_err err = { 0 };
	tp_catalog_splitted s;
	tp_catalog_split_opts o = options();
	o.n_hold_out = 1;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		o.hold_out = &all[i].hold;
		CHECK(tp_catalog_split(&s, c, &o, &err) == all[i].code && strstr(err.msg, all[i].says),
			"%s: %s", all[i].hold, err.msg);
	}
	o = options();
	o.val = 0.6, o.test = 0.4;
	CHECK(tp_catalog_split(&s, c, &o, &err) == TP_EINVAL, "%s", err.msg);
	CHECK(!read_splits(), "read");
	CHECK(split[1] == -1 && split[N] == -1, "nothing was written");
	for (int n = 1;; n++) {
		static const char *const hold = "species=Planta b";
		long live = tp_mem_live();
		o = options();
		o.hold_out = &hold, o.n_hold_out = 1;
		tp_mem_fail_at(n);
		tp_code rc = tp_catalog_split(&s, c, &o, &err);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == live, "allocation %d leaks", n);
		if (!failed)
			return rc ? 1 : 0;
		CHECK(rc == TP_ENOMEM, "allocation %d: code %d", n, rc);
	}
}

static int test_what_is_refused(void)
{
	return clean(made(NULL) || refuse());
}

int main(void)
{
	return RUN(T(test_observations), T(test_planted_leaks), T(test_excluded_photos_tie), T(test_given),
		T(test_hold_outs), T(test_by_author), T(test_what_is_refused));
}
