/* The feature cache: what stays known when photos come, go and change, and what is never believed. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "t.h"
#include "train/cache.h"

enum { PHOTOS = 4 };

typedef struct {
	char dir[64], photos[80], cache[80];
	tp_manifest m;
	tp_photo photo[PHOTOS];
	tp_feature_opts o;
	tp_weights *w;
} world;

static void write_photo(const world *w, const char *name, const char *text)
{
	char path[160];
	snprintf(path, sizeof path, "%s/%s", w->photos, name);
	FILE *f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

/* Weights of the network, all `value`, stored as F32 or F16. */
static tp_weights *weights(const tp_arch *arch, float value, tp_dtype type)
{
	enum { MOST = 1 << 20 };
	static uint8_t bytes[MOST * sizeof(float)];
	tp_tensor t[512] = { 0 };
	tp_net *net = NULL;
	tp_weights *w = NULL;
	uint16_t half = tp_float_to_half(value);
	for (size_t i = 0; i < MOST; i++)
		memcpy(bytes + i * (type == TP_F32 ? 4 : 2),
			type == TP_F32 ? (const void *)&value : (const void *)&half, type == TP_F32 ? 4 : 2);
	if (tp_net_new(&net, arch, 0, NULL))
		return NULL;
	for (size_t i = 0; i < tp_net_params(net) && i < 512; i++) {
		const tp_net_param *p = tp_net_param_at(net, i);
		t[i] = (tp_tensor){ .name = p->name, .dtype = type, .ndim = p->ndim, .data = bytes };
		t[i].size = type == TP_F32 ? 4 : 2;
		for (int d = 0; d < p->ndim; d++) {
			t[i].dim[d] = p->dim[d];
			t[i].size *= (size_t)p->dim[d];
		}
	}
	if (tp_weights_copy(&w, t, tp_net_params(net), NULL))
		w = NULL;
	tp_net_free(net);
	return w;
}

static bool build(world *w)
{
	static char *const names[PHOTOS] = { "a.jpg", "b b.jpg", "c.jpg", "d.jpg" };
	*w = (world){ .dir = "/tmp/tepal-cache-XXXXXX" };
	if (!mkdtemp(w->dir))
		return false;
	snprintf(w->photos, sizeof w->photos, "%s/photos", w->dir);
	snprintf(w->cache, sizeof w->cache, "%s/cache", w->dir);
	mkdir(w->photos, 0755);
	for (int i = 0; i < PHOTOS; i++) {
		w->photo[i].path = names[i];
		write_photo(w, names[i], "a photo");
	}
	w->m = (tp_manifest){ .root = w->photos, .photos = w->photo, .n_photos = PHOTOS };
	w->o.arch = tp_arch_find("efficientnet-lite0");
	w->w = weights(w->o.arch, 0.5f, TP_F32);
	w->o.backbone = w->w;
	w->o.prep = (tp_prep){ .side = 224, .resize = 224 };
	w->o.cache_dir = w->cache;
	return w->w != NULL;
}

static void remove_dir(const char *dir)
{
	tp_names n = { 0 };
	if (!tp_dir_list(&n, dir, NULL))
		for (size_t i = 0; i < n.len; i++) {
			char *path = tp_path_join(dir, n.v[i]);
			unlink(path);
			tp_free(path);
		}
	tp_names_free(&n);
	rmdir(dir);
}

static void tear_down(world *w)
{
	tp_weights_free(w->w);
	remove_dir(w->photos);
	remove_dir(w->cache);
	rmdir(w->dir);
}

/* Loads, computes what is missing (a row is `value`), saves. -1, or how many rows were missing. */
static int run(const world *w, float value, float first[PHOTOS])
{
	tp_cache c = { 0 };
	tp_features f = { .n = w->m.n_photos, .dim = w->o.arch->n_features };
	tp_err err = { 0 };
	int missing = 0;
	tp_code rc = tp_cache_load(&c, &f, &w->m, &w->o, &err);
	for (size_t i = 0; i < f.n && !rc; i++) {
		if (f.state[i] != TP_FEATURE_DONE) {
			missing++;
			for (int k = 0; k < f.dim; k++)
				f.v[i * (size_t)f.dim + (size_t)k] = value;
			f.state[i] = TP_FEATURE_DONE;
		}
		first[i] = f.v[i * (size_t)f.dim];
	}
	if (!rc && missing)
		rc = tp_cache_save(&c, &f, &err);
	if (rc)
		printf("%s\n", err.msg);
	tp_cache_dispose(&c);
	tp_features_free(&f);
	return rc ? -1 : missing;
}

static int test_only_what_is_new_is_missing(void)
{
	world w;
	float v[PHOTOS];
	CHECK(build(&w), "no world");
	CHECK(run(&w, 1, v) == 4, "an empty cache knows nothing");
	CHECK(run(&w, 2, v) == 0 && v[1] == 1, "row %g", (double)v[1]);
	write_photo(&w, "b b.jpg", "another photo");
	CHECK(run(&w, 3, v) == 1 && v[0] == 1 && v[1] == 3 && v[2] == 1, "one photo changed");
	w.m.n_photos = 3; /* another list in the same folder, with a new photo */
	w.photo[2].path = "cc.jpg";
	write_photo(&w, "cc.jpg", "new");
	CHECK(run(&w, 4, v) == 1 && v[1] == 3 && v[2] == 4, "one photo is new");
	w.m.n_photos = 4;
	w.photo[2].path = "c.jpg";
	CHECK(run(&w, 5, v) == 0 && v[2] == 1 && v[3] == 1, "the other list's rows are still there");
	tear_down(&w);
	return 0;
}

static int test_vanished_photos_are_dropped(void)
{
	world w;
	float v[PHOTOS];
	char path[160];
	struct stat st;
	CHECK(build(&w), "no world");
	CHECK(run(&w, 1, v) == 4, "an empty cache knows nothing");
	snprintf(path, sizeof path, "%s/d.jpg", w.photos);
	unlink(path);
	w.m.n_photos = 3;
	write_photo(&w, "a.jpg", "changed, so that the cache is written");
	CHECK(run(&w, 2, v) == 1, "one photo changed");
	tp_names n = { 0 };
	CHECK(!tp_dir_list(&n, w.cache, NULL) && n.len == 1, "%zu files", n.len);
	char *file = tp_path_join(w.cache, n.v[0]);
	CHECK(!stat(file, &st) && st.st_size < 4 * w.o.arch->n_features * (long)sizeof(float),
		"%ld bytes hold four rows", (long)st.st_size);
	tp_free(file);
	tp_names_free(&n);
	tear_down(&w);
	return 0;
}

/* The same values are the same network, however a file stores them; others are not. */
static int test_values_name_the_cache(void)
{
	world w;
	float v[PHOTOS];
	CHECK(build(&w), "no world");
	tp_weights *half = weights(w.o.arch, 0.5f, TP_F16), *other = weights(w.o.arch, 0.25f, TP_F32);
	CHECK(half && other, "no weights");
	CHECK(run(&w, 1, v) == 4, "an empty cache knows nothing");
	w.o.backbone = half;
	CHECK(run(&w, 2, v) == 0, "the same values as F16");
	w.o.backbone = other;
	CHECK(run(&w, 3, v) == 4, "other values");
	w.o.backbone = w.w;
	w.o.prep.side = 256;
	CHECK(run(&w, 4, v) == 4, "another size");
	tp_weights_free(half);
	tp_weights_free(other);
	tear_down(&w);
	return 0;
}

static int test_a_cut_file_is_not_believed(void)
{
	world w;
	float v[PHOTOS];
	struct stat st;
	CHECK(build(&w), "no world");
	CHECK(run(&w, 1, v) == 4, "an empty cache knows nothing");
	tp_names n = { 0 };
	CHECK(!tp_dir_list(&n, w.cache, NULL) && n.len == 1, "%zu files", n.len);
	char *file = tp_path_join(w.cache, n.v[0]);
	CHECK(!stat(file, &st), "%s", file);
	static const int parts[] = { 0, 1, 50, 99 };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		CHECK(!truncate(file, st.st_size * parts[i] / 100), "truncate");
		CHECK(run(&w, 2 + (float)i, v) == 4, "%d %% of the file were taken for whole", parts[i]);
	}
	tp_free(file);
	tp_names_free(&n);
	tear_down(&w);
	return 0;
}

/* Whole as a safetensors file, but its parts do not belong together. */
static int test_parts_that_do_not_fit_are_not_believed(void)
{
	world w;
	float v[PHOTOS];
	CHECK(build(&w), "no world");
	CHECK(run(&w, 1, v) == 4, "an empty cache knows nothing");
	tp_names n = { 0 };
	CHECK(!tp_dir_list(&n, w.cache, NULL) && n.len == 1, "%zu files", n.len);
	char *file = tp_path_join(w.cache, n.v[0]);
	static const struct {
		const char *photos;
		size_t text, rows, values;
	} bad[] = { { "a\0b\0c", 6, 4, 4 }, { "a\0b\0c\0d", 7, 4, 4 }, { "a\0b\0c\0d", 8, 4, 3 },
		{ "a\0b\0c\0d", 8, 3, 4 }, { "", 0, 4, 4 } };
	static const uint8_t state[4] = { 1, 1, 1, 1 };
	float *row = tp_alloc_aligned(4 * (size_t)w.o.arch->n_features * sizeof *row);
	CHECK(row, "no memory");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const tp_tensor t[] = {
			{ "features", TP_F32, 2, { (int64_t)bad[i].values, w.o.arch->n_features }, row,
				bad[i].values * (size_t)w.o.arch->n_features * sizeof *row },
			{ "state", TP_U8, 1, { (int64_t)bad[i].rows }, state, bad[i].rows },
			{ "photos", TP_U8, 1, { (int64_t)bad[i].text }, bad[i].photos, bad[i].text },
		};
		tp_err err = { 0 };
		CHECK_OK(tp_safetensors_save(file, t, 3, NULL, 0, &err), err);
		CHECK(run(&w, 2, v) == 4, "case %zu was believed", i);
	}
	tp_free_aligned(row);
	tp_free(file);
	tp_names_free(&n);
	tear_down(&w);
	return 0;
}

static int test_few_caches_are_kept(void)
{
	world w;
	float v[PHOTOS];
	CHECK(build(&w), "no world");
	w.m.n_photos = 1;
	for (int i = 0; i < 18; i++) {
		w.o.prep.resize = 224 + i;
		CHECK(run(&w, 1, v) == 1, "cache %d", i);
		w.o.prep.resize = 224;
		CHECK(run(&w, 1, v) == 0, "the first is used after each, and stays");
	}
	tp_names n = { 0 };
	CHECK(!tp_dir_list(&n, w.cache, NULL) && n.len == 16, "%zu caches", n.len);
	tp_names_free(&n);
	tear_down(&w);
	return 0;
}

/* Without a folder to keep them in, features are computed all the same. */
static int test_a_folder_that_cannot_be_made_costs_a_warning(void)
{
	world w;
	tp_cache c = { 0 };
	tp_err err = { 0 };
	CHECK(build(&w), "no world");
	tp_features f = { .n = w.m.n_photos, .dim = w.o.arch->n_features };
	FILE *in_the_way = fopen(w.cache, "w");
	CHECK(in_the_way && !fclose(in_the_way), "no file");
	CHECK_OK(tp_cache_load(&c, &f, &w.m, &w.o, &err), err);
	CHECK(f.unkept && !c.path, "kept where?");
	for (size_t i = 0; i < f.n; i++)
		CHECK(f.state[i] == TP_FEATURE_MISSING, "photo %zu is known", i);
	CHECK_OK(tp_cache_save(&c, &f, &err), err);
	tp_features_free(&f);
	tp_cache_dispose(&c);
	unlink(w.cache);
	tear_down(&w);
	return 0;
}

int main(void)
{
	return RUN(T(test_only_what_is_new_is_missing), T(test_vanished_photos_are_dropped),
		T(test_values_name_the_cache), T(test_a_cut_file_is_not_believed),
		T(test_parts_that_do_not_fit_are_not_believed), T(test_few_caches_are_kept),
		T(test_a_folder_that_cannot_be_made_costs_a_warning));
}
