/* The index of reference photos: what is written is read back, and search against a loop over all rows. Damaged
 * files: test_damage.c. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "nn/nn.h"
#include "retrieve/index_int.h"
#include "t.h"

static char file[64]; /* the index, in a folder of its own */

static void fresh(void)
{
	char dir[] = "/tmp/tepal-index-XXXXXX";
	if (!mkdtemp(dir))
		abort();
	snprintf(file, sizeof file, "%s/x.safetensors", dir);
}

static int clean(int result)
{
	unlink(file);
	*strrchr(file, '/') = 0;
	return rmdir(file) ? 1 : result;
}

/* ---- photos to index -------------------------------------------------------------------------------- */

enum { MAX_ROWS = 600, MAX_SPECIES = 8 };
static const char *const organs[] = { "leaf", "flower", "fruit" };

typedef struct {
	int dim, n_species;
	size_t n;
	tp_index_row row[MAX_ROWS];
	char id[MAX_ROWS][41], path[MAX_ROWS][32], source[MAX_ROWS][16];
	char species[MAX_SPECIES][16];
	float *v;
} photo_set;

/* The source of a photo is its number: a row that comes back says which it was. */
static void add_photo(photo_set *s, int species, tp_rng *r)
{
	size_t i = s->n++;
	for (int d = 0; d < 40; d++)
		s->id[i][d] = "0123456789abcdef"[tp_rng_below(r, 16)];
	s->id[i][40] = 0;
	snprintf(s->path[i], sizeof s->path[i], "%d/a b/%zu.jpg", species, i);
	snprintf(s->source[i], sizeof s->source[i], "%zu", i);
	for (int d = 0; d < s->dim; d++)
		s->v[i * (size_t)s->dim + (size_t)d] = (float)(tp_rng_normal(r) * 7 + 1);
	s->row[i] = (tp_index_row){ .ref = { s->id[i], s->path[i], organs[tp_rng_below(r, 3)], "An Author",
					    i % 2 ? "CC0" : NULL, s->source[i] },
		.species = s->species[species],
		.feature = s->v + i * (size_t)s->dim };
}

static photo_set *random_set(uint64_t seed)
{
	tp_rng r = tp_rng_seed(seed);
	photo_set *s = tp_calloc(1, sizeof *s);
	if (!s)
		abort();
	s->dim = 1 + (int)tp_rng_below(&r, 40);
	s->n_species = 1 + (int)tp_rng_below(&r, MAX_SPECIES);
	s->v = tp_alloc((size_t)MAX_ROWS * (size_t)s->dim * sizeof *s->v);
	if (!s->v)
		abort();
	for (int k = 0; k < s->n_species; k++)
		snprintf(s->species[k], sizeof s->species[k], "Species %c", 'h' - k);
	for (int k = 0; k < s->n_species; k++)
		for (size_t many = 1 + tp_rng_below(&r, 70); many; many--)
			add_photo(s, k, &r);
	return s;
}

static void set_free(photo_set *s)
{
	tp_free(s->v);
	tp_free(s);
}

static tp_code save(const photo_set *s, const char *root, tp_err *err)
{
	return tp_index_save(file, "abc", s->dim, s->row, s->n, root, err);
}

/* ---- written and read ------------------------------------------------------------------------------- */

static int same_row(const tp_index *x, size_t row, const photo_set *s, bool *seen)
{
	const tp_ref *got = tp_index_ref(x, row);
	size_t i = strtoul(got->source, NULL, 10);
	const tp_ref *want = &s->row[i].ref;
	CHECK(i < s->n && !seen[i], "row %zu is photo %zu", row, i);
	seen[i] = true;
	CHECK_STR(got->id, want->id);
	CHECK_STR(got->path, want->path);
	CHECK_STR(got->organ, want->organ);
	CHECK_STR(got->author, want->author);
	CHECK_STR(got->licence, want->licence ? want->licence : "");
	CHECK(tp_index_find(x, want->id) == (long)row, "photo %zu: row %ld, not %zu", i,
		tp_index_find(x, want->id), row);
	return 0;
}

static int round_trip(uint64_t seed)
{
	photo_set *s = random_set(seed);
	bool seen[MAX_ROWS] = { false };
	tp_index *x = NULL;
	tp_err err = { 0 };
	CHECK_OK(save(s, "/photos", &err), err);
	CHECK_OK(tp_index_open(&x, file, &err), err);
	CHECK(tp_index_count(x) == s->n && tp_index_dim(x) == s->dim, "%zu x %d", tp_index_count(x),
		tp_index_dim(x));
	CHECK_STR(tp_index_model_sha256(x), "abc");
	for (size_t row = 0; row < s->n; row++)
		CHECK(!same_row(x, row, s, seen), "seed %llu", (unsigned long long)seed);
	CHECK(!tp_index_ref(x, s->n), "a row behind the last");
	CHECK(tp_index_find(x, "0000000000000000000000000000000000000000") == -1, "an id that is not there");
	CHECK(tp_index_find(x, "ffffffffffffffffffffffffffffffffffffffff") == -1, "another one");
	CHECK(tp_index_find(x, "") == -1 && tp_index_find(x, "../../etc/passwd") == -1, "no ids at all");
	tp_index_close(x);
	set_free(s);
	return 0;
}

static int test_what_is_written_is_read_back(void)
{
	int bad = 0;
	fresh();
	for (uint64_t seed = 1; seed <= 5 && !bad; seed++)
		bad = round_trip(seed);
	return clean(bad);
}

static int empty_index(void)
{
	const float f[3] = { 1, 0, 0 };
	tp_index *x = NULL;
	tp_hit hit[4];
	tp_err err = { 0 };
	CHECK_OK(tp_index_save(file, "abc", 3, NULL, 0, ".", &err), err);
	CHECK_OK(tp_index_open(&x, file, &err), err);
	CHECK(tp_index_count(x) == 0 && tp_index_dim(x) == 3 && !tp_index_ref(x, 0), "not empty");
	CHECK(tp_index_find(x, "") == -1 && !tp_index_search(hit, 4, x, "Aloe vera", f, NULL), "a find");
	tp_index_close(x);
	return 0;
}

static int test_an_index_of_nothing(void)
{
	fresh();
	return clean(empty_index());
}

/* One file under two species is two rows; twice under one species it is one. */
static int twins(void)
{
	static const char id[] = "00112233445566778899aabbccddeeff00112233";
	const float f[2] = { 3, 4 };
	const tp_index_row rows[] = { { .ref = { id, "b/1.jpg" }, .species = "B b", .feature = f },
		{ .ref = { id, "a/1.jpg" }, .species = "A a", .feature = f },
		{ .ref = { id, "b/2.jpg" }, .species = "B b", .feature = f } };
	tp_index *x = NULL;
	tp_hit hit[4];
	tp_err err = { 0 };
	CHECK_OK(tp_index_save(file, "abc", 2, rows, 3, ".", &err), err);
	CHECK_OK(tp_index_open(&x, file, &err), err);
	CHECK(tp_index_count(x) == 2 && tp_index_find(x, id) >= 0, "%zu rows", tp_index_count(x));
	CHECK(tp_index_search(hit, 4, x, "A a", f, NULL) == 1 && hit[0].row == 0, "A a");
	CHECK(tp_index_search(hit, 4, x, "B b", f, NULL) == 1 && hit[0].row == 1, "B b");
	tp_index_close(x);
	return 0;
}

static int test_one_photo_of_two_species(void)
{
	fresh();
	return clean(twins());
}

/* ---- search ----------------------------------------------------------------------------------------- */

typedef struct {
	bool preferred;
	size_t photo;
	double similarity;
} scored;

static int best_first(const void *a, const void *b)
{
	const scored *x = a, *y = b;
	if (x->preferred != y->preferred)
		return x->preferred ? -1 : 1;
	return (x->similarity < y->similarity) - (x->similarity > y->similarity);
}

/* Cosine with the vector as the file keeps it: scaled to length 1, each number a half. */
static double stored_cosine(const float *v, const float *f, int dim)
{
	double vv = 0, ff = 0, sum = 0;
	for (int d = 0; d < dim; d++) {
		vv += (double)v[d] * v[d];
		ff += (double)f[d] * f[d];
	}
	for (int d = 0; d < dim; d++)
		sum += (double)tp_half_to_float(tp_float_to_half((float)(v[d] / sqrt(vv)))) * f[d];
	return fmin(1, fmax(-1, sum / sqrt(ff)));
}

static size_t brute(scored *out, const photo_set *s, const char *species, const float *f, const char *prefer)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->row[i].species, species))
			out[n++] = (scored){ prefer && !strcmp(prefer, s->row[i].ref.organ), i,
				stored_cosine(s->row[i].feature, f, s->dim) };
	qsort(out, n, sizeof *out, best_first);
	return n;
}

/* Sums of 40 products in float against double: at most 1e-6 apart over these seeds; times 4. Closer ones than that
 * may change places. */
static const double tol = 4e-6;

static int one_search(
	const photo_set *s, const tp_index *x, const char *species, const float *f, int k, const char *prefer)
{
	scored want[MAX_ROWS];
	tp_hit hit[TP_MAX_HITS + 1];
	bool seen[MAX_ROWS] = { false };
	size_t all = brute(want, s, species, f, prefer);
	int most = k < TP_MAX_HITS ? k : TP_MAX_HITS;
	int n = tp_index_search(hit, k, x, species, f, prefer);
	CHECK(n == (all < (size_t)most ? (int)all : most), "%d of %zu, %d wanted", n, all, k);
	for (int i = 0; i < n; i++) {
		const tp_ref *ref = tp_index_ref(x, hit[i].row);
		size_t photo = strtoul(ref->source, NULL, 10);
		double exact = stored_cosine(s->row[photo].feature, f, s->dim);
		CHECK(!strcmp(s->row[photo].species, species) && !seen[photo], "hit %d: photo %zu", i, photo);
		seen[photo] = true;
		CHECK(fabs(exact - (double)hit[i].similarity) < tol, "hit %d: %g, not %g", i,
			(double)hit[i].similarity, exact);
		CHECK(fabs(want[i].similarity - exact) < tol, "hit %d: %g, but the next is %g", i, exact,
			want[i].similarity);
		CHECK(want[i].preferred == (prefer && !strcmp(ref->organ, prefer)), "hit %d: a %s", i,
			ref->organ);
	}
	return 0;
}

static int searches(uint64_t seed)
{
	static const int many[] = { 0, 1, 5, 64, 65, INT_MAX };
	static const char *const prefer[] = { NULL, "leaf", "flower", "bark" };
	photo_set *s = random_set(seed);
	tp_rng r = tp_rng_seed(seed + 1000);
	tp_index *x = NULL;
	tp_err err = { 0 };
	float f[40];
	CHECK_OK(save(s, ".", &err), err);
	CHECK_OK(tp_index_open(&x, file, &err), err);
	for (int k = 0; k < s->n_species; k++)
		for (size_t m = 0; m < sizeof many / sizeof *many; m++)
			for (size_t p = 0; p < sizeof prefer / sizeof *prefer; p++) {
				for (int d = 0; d < s->dim; d++)
					f[d] = (float)tp_rng_normal(&r) * 100;
				CHECK(!one_search(s, x, s->species[k], f, many[m], prefer[p]),
					"seed %llu, %s, %d, %s", (unsigned long long)seed, s->species[k],
					many[m], prefer[p] ? prefer[p] : "no organ");
			}
	tp_index_close(x);
	set_free(s);
	return 0;
}

static int test_search_is_exact(void)
{
	int bad = 0;
	fresh();
	for (uint64_t seed = 1; seed <= 20 && !bad; seed++)
		bad = searches(seed);
	return clean(bad);
}

static int odd_searches(void)
{
	photo_set *s = random_set(3);
	const char *name = s->species[0];
	tp_index *x = NULL;
	tp_hit a[8], b[8];
	tp_err err = { 0 };
	float f[40] = { 0 };
	for (size_t i = 1; i < s->n; i++)
		s->row[i].ref.organ = "auto"; /* a word like any other in a row */
	CHECK_OK(save(s, ".", &err), err);
	CHECK_OK(tp_index_open(&x, file, &err), err);
	CHECK(!tp_index_search(a, 8, x, "Nobody knows", s->v, NULL), "an unknown species");
	CHECK(!tp_index_search(a, 8, x, "Species", s->v, NULL) && !tp_index_search(a, 8, x, "", s->v, NULL),
		"part of a name");
	CHECK(!tp_index_search(a, -1, x, name, s->v, NULL), "less than none");
	int n = tp_index_search(a, 8, x, name, s->v, "auto");
	CHECK(n > 0 && n == tp_index_search(b, 8, x, name, s->v, NULL) &&
			!memcmp(a, b, (size_t)n * sizeof *a),
		"auto is a preference");
	CHECK(fabsf(a[0].similarity - 1) < 2e-3f, "a photo is like itself by %g", (double)a[0].similarity);
	n = tp_index_search(a, 8, x, name, f, NULL);
	CHECK(n > 0 && a[0].similarity == 0, "like nothing: %g", (double)a[0].similarity);
	f[0] = NAN;
	n = tp_index_search(a, 8, x, name, f, NULL);
	CHECK(n > 0 && a[0].similarity == -1, "like what is no number: %g", (double)a[0].similarity);
	tp_index_close(x);
	set_free(s);
	return 0;
}

static int test_odd_searches(void)
{
	fresh();
	return clean(odd_searches());
}

/* ---- paths ------------------------------------------------------------------------------------------ */

static int photo_at(const char *open_as, const char *root, const char *want)
{
	const float f[1] = { 1 };
	const tp_index_row row = { .ref = { "00112233445566778899aabbccddeeff00112233", "A a/1.jpg" },
		.species = "A a",
		.feature = f };
	tp_index *x = NULL;
	tp_err err = { 0 };
	char *path = NULL;
	CHECK_OK(tp_index_save(file, "abc", 1, &row, 1, root, &err), err);
	CHECK_OK(tp_index_open(&x, open_as, &err), err);
	CHECK_OK(tp_index_photo_path(&path, x, 0, &err), err);
	CHECK_STR(path, want);
	tp_free(path);
	tp_index_close(x);
	return 0;
}

static int paths(void)
{
	char dir[64], want[128];
	snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(file, '/') - file), file);
	CHECK(!photo_at(file, "/photos/garden", "/photos/garden/A a/1.jpg"), "absolute");
	snprintf(want, sizeof want, "%s/../garden/A a/1.jpg", dir);
	CHECK(!photo_at(file, "../garden", want), "relative to the index");
	char *was = getcwd(NULL, 0);
	CHECK(was && !chdir(dir), "%s", dir);
	int bad = photo_at("x.safetensors", "garden", "./garden/A a/1.jpg");
	bad |= photo_at("./x.safetensors", "garden", "./garden/A a/1.jpg");
	CHECK(!chdir(was) && !bad, "an index in the current folder");
	free(was);
	return 0;
}

static int test_paths_absolute_and_relative(void)
{
	fresh();
	return clean(paths());
}

/* ---- refusals and failures -------------------------------------------------------------------------- */

static int not_written(int dim, tp_index_row row, const char *words)
{
	tp_err err = { 0 };
	tp_code rc = tp_index_save(file, "abc", dim, &row, 1, ".", &err);
	CHECK(rc == TP_EINVAL && strstr(err.msg, words), "%s: %s, \"%s\"", words, tp_code_name(rc), err.msg);
	CHECK(access(file, F_OK), "%s: a file is there", words);
	return 0;
}

static int unwritable(void)
{
	const float f[2] = { 1, 2 }, bad[2] = { 1, INFINITY };
	const tp_index_row good = { .ref = { "00112233445566778899aabbccddeeff00112233", "A a/1.jpg" },
		.species = "A a",
		.feature = f };
	static const char *const out[] = { "", "/etc/passwd", "..", "../x", "a/../../x", "a/.." };
	tp_index_row r = good;
	int failed = not_written(0, good, "0 numbers") | not_written(TP_MAX_DIM + 1, good, "numbers");
	for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
		r.ref.path = out[i];
		failed |= not_written(2, r, "leaves the photo folder");
	}
	r = good, r.ref.id = "00112233445566778899aabbccddeeff0011223";
	failed |= not_written(2, r, "digits");
	r = good, r.ref.id = "0011223344556677889 aabbccddeeff00112233";
	failed |= not_written(2, r, "hexadecimal");
	r = good, r.species = "";
	failed |= not_written(2, r, "no species");
	r = good, r.feature = bad;
	return failed | not_written(2, r, "not finite");
}

static int test_what_could_not_be_read_is_not_written(void)
{
	fresh();
	int bad = unwritable();
	FILE *f = fopen(file, "w"); /* clean() wants one */
	if (f)
		fclose(f);
	return clean(bad);
}

static tp_code write_and_read(const photo_set *s)
{
	tp_index *x = NULL;
	char *path = NULL;
	tp_code rc = save(s, "photos", NULL);
	if (!rc)
		rc = tp_index_open(&x, file, NULL);
	if (!rc)
		rc = tp_index_photo_path(&path, x, 0, NULL);
	tp_free(path);
	tp_index_close(x);
	return rc;
}

/* The one failure that does no harm is that of the folder's fsync after the file is there. */
static int starve(void)
{
	photo_set *s = random_set(2);
	int harmless = 0;
	s->n = 9;
	for (int n = 1;; n++) {
		long before = tp_mem_live();
		tp_mem_fail_at(n);
		tp_code rc = write_and_read(s);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == before, "allocation %d leaks", n);
		CHECK(rc == TP_OK || (failed && rc == TP_ENOMEM), "allocation %d: %s", n, tp_code_name(rc));
		harmless += failed && !rc;
		if (!failed) {
			CHECK(n > 20 && harmless == 1, "%d allocations, %d without harm", n, harmless);
			break;
		}
	}
	set_free(s);
	return 0;
}

static int test_survives_any_failed_allocation(void)
{
	fresh();
	return clean(starve());
}

int main(void)
{
	return RUN(T(test_what_is_written_is_read_back), T(test_an_index_of_nothing),
		T(test_one_photo_of_two_species), T(test_search_is_exact), T(test_odd_searches),
		T(test_paths_absolute_and_relative), T(test_what_could_not_be_read_is_not_written),
		T(test_survives_any_failed_allocation));
}
