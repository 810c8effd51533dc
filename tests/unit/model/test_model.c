/* Model files: what is saved is loaded, what is damaged or lies is refused, and scores are what model.h says. */
#include "t.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/model_int.h"

enum { CLASSES = 3 };
static char dir[] = "/tmp/tepal-test-XXXXXX", path[64];

typedef struct {
	tp_model_parts parts;
	tp_weights *backbone;
	json_t *classes, *record;
	float *head_w, *means, *centre;
	float head_b[CLASSES];
} fixture;

static void fixture_free(fixture *f)
{
	tp_weights_free(f->backbone);
	json_decref(f->classes);
	json_decref(f->record);
	tp_free(f->head_w);
	tp_free(f->means);
	tp_free(f->centre);
}

/* A backbone of small constants; every tensor shares one block of memory. */
static tp_code make_backbone(tp_weights **out, const tp_arch *arch, tp_err *err)
{
	size_t most = (size_t)1 << 20, n;
	float *v = tp_alloc(most * sizeof *v);
	tp_tensor *t = NULL;
	tp_net *net = NULL;
	tp_code rc = v ? tp_net_new(&net, arch, 0, err) : TP_ENOMEM;
	for (size_t i = 0; v && i < most; i++)
		v[i] = 0.01f + 0.001f * (float)(i % 7);
	n = rc ? 0 : tp_net_params(net);
	if (!rc && !(t = tp_calloc(n, sizeof *t)))
		rc = TP_ENOMEM;
	for (size_t i = 0; i < n && !rc; i++) {
		const tp_net_param *p = tp_net_param_at(net, i);
		t[i] = (tp_tensor){ .name = p->name, .ndim = p->ndim, .data = v, .size = 4 };
		for (int d = 0; d < p->ndim; d++) {
			t[i].dim[d] = p->dim[d];
			t[i].size *= (size_t)p->dim[d];
		}
	}
	if (!rc)
		rc = tp_weights_copy(out, t, n, err);
	tp_net_free(net);
	tp_free(t);
	tp_free(v);
	return rc;
}

static tp_code make(fixture *f, tp_err *err)
{
	const tp_arch *arch = tp_arch_find("efficientnet-lite0");
	size_t nf = (size_t)arch->n_features;
	*f = (fixture){ .head_b = { 0.5f, 0, -0.5f } };
	f->classes =
		json_loads("[{\"name\":\"Mangifera indica\",\"authorship\":\"L.\",\"genus\":\"Mangifera\","
			   "\"family\":\"Anacardiaceae\",\"gbif\":\"3190638\",\"n_train\":12,"
			   "\"common\":{\"en\":[\"Mango\"],\"pt\":[\"Manga\"]},\"organs\":[\"leaf\"]},"
			   "{\"name\":\"Quercus robur\"},{\"name\":\"Ficus carica\",\"common\":null}]",
			0, NULL);
	f->record = json_loads("{\"seed\":1}", 0, NULL);
	f->head_w = tp_calloc(CLASSES * nf, sizeof(float));
	f->means = tp_calloc(CLASSES * nf, sizeof(float));
	f->centre = tp_calloc(nf, sizeof(float));
	for (size_t c = 0; c < CLASSES; c++) {
		f->head_w[c * nf + c] = 1;
		f->means[c * nf + c] = 2; /* loading makes it unit */
	}
	f->centre[0] = 1;
	f->parts = (tp_model_parts){ .name = "three",
		.version = "2026-11-24 (1.0)",
		.arch = arch,
		.prep = { .side = 224,
			.resize = 256,
			.fit = TP_FIT_CROP,
			.filter = TP_BICUBIC,
			.mean = { 127, 127, 127 },
			.std = { 128, 128, 128 } },
		.calibration = { .temperature = 2, .novelty_a = -1, .novelty_b = 3, .reject_below = 0.1 },
		.classes = f->classes,
		.record = f->record,
		.head_w = f->head_w,
		.head_b = f->head_b,
		.novelty_means = f->means,
		.novelty_centre = f->centre,
		.half = true };
	tp_code rc = make_backbone(&f->backbone, arch, err);
	f->parts.backbone = f->backbone;
	return rc;
}

static int test_what_is_saved_is_loaded(void)
{
	tp_err err = { 0 };
	fixture f;
	tp_model *m = NULL;
	CHECK_OK(make(&f, &err), err);
	CHECK_OK(tp_model_save(path, &f.parts, &err), err);
	CHECK_OK(tp_model_load(&m, path, &err), err);
	CHECK_STR(tp_model_name(m), "three");
	CHECK_STR(tp_model_version(m), "2026-11-24 (1.0)");
	CHECK(tp_model_classes(m) == CLASSES && tp_model_arch(m) == f.parts.arch, "classes, architecture");
	const tp_class *c = tp_model_class(m, 0);
	CHECK_STR(c->name, "Mangifera indica");
	CHECK_STR(c->family, "Anacardiaceae");
	CHECK_STR(c->powo, "");
	CHECK(c->n_train == 12, "n_train %d", c->n_train);
	CHECK_STR(json_string_value(json_array_get(tp_class_common(c, "pt-br"), 0)), "Manga");
	CHECK(!tp_class_common(c, "de") && !tp_class_common(tp_model_class(m, 2), "en"), "no such name");
	const tp_prep *p = tp_model_prep(m);
	CHECK(p->side == 224 && p->resize == 256 && p->fit == TP_FIT_CROP && p->filter == TP_BICUBIC &&
			p->mean[2] == 127 && p->std[0] == 128,
		"preprocessing");
	CHECK(!memcmp(tp_model_calibration(m), &f.parts.calibration, sizeof(tp_calibration)), "calibration");
	CHECK(json_equal((json_t *)(uintptr_t)tp_model_record(m), f.record), "record");
	CHECK(tp_weights_find(tp_model_weights(m), "conv_stem.weight")->dtype == TP_F16, "fp16");
	CHECK(tp_weights_find(tp_model_weights(m), "bn1.running_var")->dtype == TP_F32, "batch-norm in fp32");
	tp_sha256 sum;
	CHECK_OK(tp_sha256_file(&sum, path, &err), err);
	CHECK_STR(tp_model_sha256(m), sum.hex);
	tp_model_free(m);
	fixture_free(&f);
	return 0;
}

/* By the formula in model.h, with numbers done by hand: cosines of features - centre with the unit axes. */
static int test_scores_are_what_the_header_says(void)
{
	tp_err err = { 0 };
	tp_model *m = NULL;
	static const float logits[CLASSES] = { 1, 3, -1 };
	float scores[CLASSES], *features = tp_calloc(1280, sizeof *features);
	CHECK_OK(tp_model_load(&m, path, &err), err);
	features[0] = 1; /* the centre's own */
	features[1] = 3;
	features[9] = 4; /* cosine with class 1: 3 / 5 */
	tp_model_scores(scores, m, logits, features);
	double e[] = { exp(0.5), exp(1.5), exp(-0.5) }, share = 1 / (1 + exp(-(-1 + 3 * 0.6)));
	for (int i = 0; i < CLASSES; i++) {
		double want = e[i] / (e[0] + e[1] + e[2]) * share;
		CHECK(fabs((double)scores[i] - want) < 1e-6, "class %d: %g, want %g", i, (double)scores[i],
			want);
	}
	static const float huge[CLASSES] = { 3e38f, -3e38f, 3e38f };
	tp_model_scores(scores, m, huge, features);
	CHECK(fabs((double)scores[0] - share / 2) < 1e-6 && scores[1] == 0, "huge logits");
	features[1] = features[9] = 0;
	tp_model_scores(scores, m, logits, features); /* at the centre: cosine 0 */
	CHECK(fabs((double)(scores[0] + scores[1] + scores[2]) - 1 / (1 + exp(1))) < 1e-6, "at the centre");
	tp_free(features);
	tp_model_free(m);
	return 0;
}

static tp_code write_file(const uint8_t *p, size_t n)
{
	tp_outfile *f = NULL;
	tp_code rc = tp_outfile_open(&f, path, NULL);
	if (!rc)
		rc = tp_outfile_write(f, p, n, NULL);
	if (!rc)
		rc = tp_outfile_commit(&f, NULL);
	tp_outfile_abort(&f);
	return rc;
}

static tp_code load(tp_err *err)
{
	tp_model *m = NULL;
	tp_code rc = tp_model_load(&m, path, err);
	tp_model_free(m);
	return rc;
}

/* A file that differs from a good one in one thing; the sum is made right again when `sum`. */
static int refused(const uint8_t *p, size_t n, bool sum, const char *what, const char *said)
{
	tp_err err = { 0 };
	uint8_t *copy = tp_alloc(n);
	memcpy(copy, p, n);
	if (sum)
		CHECK_OK(tp_sum_set(copy, n, &err), err);
	CHECK(!write_file(copy, n), "write");
	tp_code rc = load(&err);
	CHECK(rc == TP_EFORMAT && strstr(err.msg, path) && strstr(err.msg, said), "%s: %d, \"%s\"", what, rc,
		err.msg);
	tp_free(copy);
	return 0;
}

static int test_damage_is_refused_by_a_sentence_that_names_the_file(void)
{
	tp_err err = { 0 };
	uint8_t *p = NULL;
	size_t n = 0;
	tp_rng rng = tp_rng_seed(7);
	CHECK_OK(tp_file_read(&p, &n, path, 1 << 28, &err), err);
	for (int i = 0; i < 60; i++) { /* half of them in the header */
		size_t at = tp_rng_below(&rng, i % 2 ? n : 4096);
		p[at] ^= (uint8_t)(1 << i % 8);
		if (refused(p, n, false, "one bit", ""))
			return 1;
		p[at] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t cut = 1; cut < n; cut *= 3)
		if (refused(p, n - cut, false, "cut", ""))
			return 1;
	CHECK(!write_file(p, n) && !load(&err), "and whole again it is good: %s", err.msg);
	tp_free(p);
	return 0;
}

/* The checksum itself, on a file small enough to try every bit. */
static int test_no_bit_of_a_small_file_can_change(void)
{
	static const float v[] = { 1, 2 };
	const tp_tensor t = { .name = "t", .ndim = 1, .dim = { 2 }, .data = v, .size = 8 };
	const tp_meta meta[] = { { TP_KEY_SUM,
					 "0000000000000000000000000000000000000000000000000000000000000000" },
		{ "name", "\"tepal.sha256\":\"" } };
	tp_err err = { 0 };
	uint8_t *p = NULL;
	size_t n = 0;
	CHECK_OK(tp_safetensors_render(&p, &n, &t, 1, meta, 2, &err), err);
	CHECK_OK(tp_sum_set(p, n, &err), err);
	CHECK_OK(tp_sum_check(p, n, &err), err);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(tp_sum_check(p, n, NULL) == TP_EFORMAT, "bit %zu", bit);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	tp_free(p);
	return 0;
}

static int test_preparation_survives_the_way_to_json_and_back(void)
{
	tp_prep p = { .side = 299,
		.resize = 320,
		.mean = { 128, 117, 104 },
		.std = { 1, 1, 1 },
		.bgr = true },
		got;
	tp_err err = { 0 };
	for (int bgr = 1; bgr >= 0; bgr--) {
		p.bgr = bgr;
		json_t *j = tp_prep_to_json(&p);
		CHECK_OK(tp_prep_from_json(&got, j, "test", &err), err);
		CHECK(got.side == 299 && got.resize == 320 && got.bgr == p.bgr, "%d, %d, %d", got.side,
			got.resize, got.bgr);
		CHECK(!memcmp(got.mean, p.mean, sizeof p.mean), "mean");
		json_object_set_new(j, "planes", json_string("grb"));
		CHECK(tp_prep_from_json(&got, j, "test", &err) == TP_EFORMAT && strstr(err.msg, "grb"), "%s",
			err.msg);
		json_object_set_new(j, "planes", json_integer(3));
		CHECK(tp_prep_from_json(&got, j, "test", &err) == TP_EFORMAT, "planes 3");
		json_decref(j);
	}
	return 0;
}

static int test_lies_with_a_right_checksum_are_refused(void)
{
	static const struct {
		const char *from, *to, *said; /* of equal length, so that offsets hold */
	} lies[] = {
		{ "\"tepal.format\":\"1\"", "\"tepal.format\":\"2\"", "format 2" },
		{ "efficientnet-lite0", "efficientnet-lite9", "not known" },
		{ "\\\"side\\\":224", "\\\"side\\\":257", "side" },
		{ "\\\"resize\\\":256", "\\\"resize\\\":128", "resize" },
		{ "\\\"fit\\\":\\\"crop\\\"", "\\\"fit\\\":\\\"drop\\\"", "fit" },
		{ "\\\"temperature\\\":2", "\\\"temperature\\\":0", "temperature" },
		{ "\\\"n_train\\\":12", "\\\"n_train\\\":-2", "n_train" },
		{ "\\\"name\\\":\\\"Ficus", "\\\"nome\\\":\\\"Ficus", "class 2" },
		{ "{\\\"seed\\\":1}", "[\\\"seed\\\",1]", "record" },
		{ "\"classifier.bias\"", "\"classifier.bios\"", "classifier.bias" },
		{ "\"novelty.means\"", "\"novelty.beans\"", "novelty.means" },
	};
	tp_err err = { 0 };
	uint8_t *p = NULL, *at;
	size_t n = 0;
	CHECK_OK(tp_file_read(&p, &n, path, 1 << 28, &err), err);
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		size_t k = strlen(lies[i].from);
		for (at = p; at < p + n - k && memcmp(at, lies[i].from, k) != 0; at++)
			;
		CHECK(at < p + n - k, "%s is not in the file", lies[i].from);
		memcpy(at, lies[i].to, k);
		if (refused(p, n, true, lies[i].to, lies[i].said))
			return 1;
		memcpy(at, lies[i].from, k);
	}
	CHECK(!write_file(p, n), "write");
	tp_free(p);
	return 0;
}

static int test_values_that_are_not_finite_are_refused(void)
{
	tp_err err = { 0 };
	fixture f;
	CHECK_OK(make(&f, &err), err);
	f.head_w[5] = NAN;
	CHECK_OK(tp_model_save(path, &f.parts, &err), err);
	CHECK(load(&err) == TP_EFORMAT && strstr(err.msg, "classifier.weight"), "NaN: %s", err.msg);
	f.head_w[5] = 1e6f; /* beyond fp16: becomes infinite */
	CHECK_OK(tp_model_save(path, &f.parts, &err), err);
	CHECK(load(&err) == TP_EFORMAT, "infinite");
	f.head_w[5] = 0;
	CHECK_OK(tp_model_save(path, &f.parts, &err), err);
	CHECK_OK(load(&err), err);
	fixture_free(&f);
	return 0;
}

/* Every allocation of the head of a load, then some of the many that only convert a tensor each. */
static int test_failed_allocations_are_survived(void)
{
	tp_err err = { 0 };
	fixture f;
	CHECK_OK(make(&f, &err), err);
	long live = tp_mem_live();
	for (int save = 0; save < 2; save++)
		for (long n = 1;; n += n < 24 ? 1 : 31) {
			tp_mem_fail_at(n);
			tp_code rc = save ? tp_model_save(path, &f.parts, &err) : load(&err);
			bool hit = tp_mem_failed();
			tp_mem_fail_at(0);
			CHECK(rc == (hit ? TP_ENOMEM : TP_OK), "save %d, allocation %ld: %d %s", save, n, rc,
				err.msg);
			CHECK(tp_mem_live() == live, "save %d, allocation %ld leaks", save, n);
			if (!hit)
				break;
		}
	CHECK_OK(load(&err), err); /* a failed save left the good file alone */
	fixture_free(&f);
	return 0;
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof path, "%s/model.safetensors", dir);
	int r = RUN(T(test_what_is_saved_is_loaded), T(test_scores_are_what_the_header_says),
		T(test_no_bit_of_a_small_file_can_change),
		T(test_damage_is_refused_by_a_sentence_that_names_the_file),
		T(test_preparation_survives_the_way_to_json_and_back),
		T(test_lies_with_a_right_checksum_are_refused),
		T(test_values_that_are_not_finite_are_refused), T(test_failed_allocations_are_survived));
	unlink(path);
	rmdir(dir);
	return r;
}
