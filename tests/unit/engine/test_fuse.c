/* Fusing photos and ranking species. */
#include "base/rng.h"
#include "engine/fuse.h"
#include "t.h"

static int test_mean_counts_every_photo_the_same(void)
{
	static const float scores[] = { 0.9f, 0.1f, 0, 0.3f, 0.3f, 0.4f };
	float out[3];
	tp_fuse_mean(out, scores, 2, 3);
	CHECK(out[0] == 0.6f && out[1] == 0.2f && out[2] == 0.2f, "%g %g %g", out[0], out[1], out[2]);
	return 0;
}

static int test_fused_scores_do_not_depend_on_order(void)
{
	static const float a[] = { 0.5f, 0.25f, 0.125f, 0.75f }, b[] = { 0.125f, 0.75f, 0.5f, 0.25f };
	float x[2], y[2];
	tp_fuse_mean(x, a, 2, 2);
	tp_fuse_mean(y, b, 2, 2);
	CHECK(x[0] == y[0] && x[1] == y[1], "%g %g", x[0], y[0]);
	return 0;
}

static int test_top_k_is_what_sorting_gives(void)
{
	tp_rng r = tp_rng_seed(3);
	float v[200];
	int order[10];
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 200; i++)
			v[i] = (float)tp_rng_below(&r, 40); /* many ties */
		CHECK(tp_top_k(order, 10, v, 200) == 10, "fewer than 10");
		for (int i = 0; i < 10; i++) {
			int better = 0;
			for (int c = 0; c < 200; c++)
				better += v[c] > v[order[i]] || (v[c] == v[order[i]] && c < order[i]);
			CHECK(better == i, "place %d has %d before it", i, better);
		}
	}
	CHECK(tp_top_k(order, 10, v, 4) == 4, "only four there");
	return 0;
}

int main(void)
{
	return RUN(T(test_mean_counts_every_photo_the_same), T(test_fused_scores_do_not_depend_on_order),
		T(test_top_k_is_what_sorting_gives));
}
