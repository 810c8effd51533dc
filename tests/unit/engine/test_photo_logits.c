/* From a photo's bytes to logits, against Pillow and PyTorch on the 60 photos as uploaded: the same decoder output, resize,
 * normalisation and network, end to end. tests/golden/photo_logits.txt is made by gen_photo_logits.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/fuse.h"
#include "model/model.h"
#include "t.h"

static const double TOLERANCE = 1e-4; /* of the largest logit; the largest seen is printed */
enum { CLASSES = 83, PHOTOS = 60 };

typedef struct {
	tp_model *model;
	tp_plan *plan;
	tp_exec *exec;
	float *input;
} bench;

static tp_code logits_of(float *logits, bench *b, const char *path, tp_err *err)
{
	tp_map m = { 0 };
	tp_image *img = NULL;
	tp_code rc = tp_map_open(&m, path, err);
	if (!rc)
		rc = tp_image_decode(&img, m.ptr, m.len, NULL, err);
	if (!rc)
		rc = tp_prep_image(b->input, tp_model_prep(b->model), img, err);
	if (!rc)
		rc = tp_exec_run(b->exec, b->input, NULL, logits, err);
	tp_image_free(img);
	tp_map_close(&m);
	return rc;
}

static int compare(const float *got, const float *want, const char *name, double *worst)
{
	int a[5], b[5];
	double top = 0, d = 0;
	for (int c = 0; c < CLASSES; c++) {
		top = fmax(top, fabs((double)want[c]));
		d = fmax(d, fabs((double)got[c] - (double)want[c]));
	}
	*worst = fmax(*worst, d / top);
	tp_top_k(a, 5, got, CLASSES);
	tp_top_k(b, 5, want, CLASSES);
	CHECK(d / top <= TOLERANCE, "%s: logits differ by %g", name, d / top);
	CHECK(!memcmp(a, b, sizeof a), "%s: another top five", name);
	return 0;
}

static int each_photo(bench *b, const char *root, FILE *f)
{
	char name[512], path[1024];
	float got[CLASSES], want[CLASSES];
	double worst = 0;
	int n = 0, bad = 0;
	tp_err err = { 0 };
	while (fgets(name, sizeof name, f)) {
		name[strcspn(name, "\n")] = 0;
		for (int c = 0; c < CLASSES; c++)
			CHECK(fscanf(f, "%f", &want[c]) == 1, "%s: a number is missing", name);
		(void)fgetc(f);
		snprintf(path, sizeof path, "%s/originals/%s", root, name);
		CHECK_OK(logits_of(got, b, path, &err), err);
		bad |= compare(got, want, name, &worst);
		n++;
	}
	printf("%d photos, logits differ by at most %.1e\n", n, worst);
	CHECK(n == PHOTOS, "%d photos", n);
	return bad;
}

static int test_logits_from_bytes(void)
{
	const char *root = getenv("TEPAL_PHOTOS");
	bench b = { 0 };
	tp_err err = { 0 };
	if (!root)
		return SKIP("TEPAL_PHOTOS is not set");
	CHECK_OK(tp_model_load(&b.model, TP_TESTS_DIR "/../models/plants83.safetensors", &err), err);
	CHECK(tp_model_classes(b.model) == CLASSES, "%d classes", tp_model_classes(b.model));
	CHECK_OK(tp_model_plan(&b.plan, b.model, 1, 1, &err), err);
	CHECK_OK(tp_exec_new(&b.exec, b.plan, &err), err);
	size_t side = (size_t)tp_model_prep(b.model)->side;
	b.input = tp_alloc_aligned(3 * side * side * sizeof(float));
	FILE *f = fopen(TP_TESTS_DIR "/golden/photo_logits.txt", "r");
	CHECK(f && b.input, "no golden numbers");
	int bad = each_photo(&b, root, f);
	fclose(f);
	tp_free_aligned(b.input);
	tp_exec_free(b.exec);
	tp_plan_free(b.plan);
	tp_model_free(b.model);
	return bad;
}

int main(void)
{
	return RUN(T(test_logits_from_bytes));
}
