/* Inception v3 (Szegedy et al. 2015, arXiv 1512.00567), without the auxiliary classifier. Parameter names are
 * torchvision's. 23.83 M parameters, 5.71 G multiply-adds at 299 px; it needs 75 px. */
#include <stdio.h>

#include "nn/net_int.h"
#include "nn/zoo.h"

#define ONE TP_SQUARE(1, 1, 0)
#define THREE TP_SQUARE(3, 1, 1)
#define HALVE TP_SQUARE(3, 2, 0)
/* 1 x k and k x 1 */
#define ROW(k)                                                                                               \
	(tp_window)                                                                                          \
	{                                                                                                    \
		.kh = 1, .kw = (k), .stride = 1, .pw = (k) / 2                                               \
	}
#define COLUMN(k)                                                                                            \
	(tp_window)                                                                                          \
	{                                                                                                    \
		.kh = (k), .kw = 1, .stride = 1, .ph = (k) / 2                                               \
	}

static int conv(tp_net *net, int x, const char *at, const char *branch, int channels, tp_window win)
{
	char name[48];
	snprintf(name, sizeof name, "%s%s.conv", at, branch);
	x = tp_net_conv(net, x, name, channels, win, 1, false);
	snprintf(name, sizeof name, "%s%s.bn", at, branch);
	return tp_net_relu(net, tp_net_batch_norm(net, x, name, 1e-3f, 0.1f));
}

static int pool_branch(tp_net *net, int x, const char *at, int channels)
{
	tp_window mean = THREE;
	mean.count_pad = true;
	return conv(net, tp_net_avg_pool(net, x, mean), at, "branch_pool", channels, ONE);
}

/* 35 x 35 */
static int mixed_a(tp_net *net, int x, const char *at, int pool)
{
	int b[4];
	b[0] = conv(net, x, at, "branch1x1", 64, ONE);
	b[1] = conv(net, x, at, "branch5x5_1", 48, ONE);
	b[1] = conv(net, b[1], at, "branch5x5_2", 64, TP_SQUARE(5, 1, 2));
	b[2] = conv(net, x, at, "branch3x3dbl_1", 64, ONE);
	b[2] = conv(net, b[2], at, "branch3x3dbl_2", 96, THREE);
	b[2] = conv(net, b[2], at, "branch3x3dbl_3", 96, THREE);
	b[3] = pool_branch(net, x, at, pool);
	return tp_net_concat(net, b, 4);
}

/* 35 x 35 to 17 x 17 */
static int mixed_b(tp_net *net, int x, const char *at)
{
	int b[3];
	b[0] = conv(net, x, at, "branch3x3", 384, HALVE);
	b[1] = conv(net, x, at, "branch3x3dbl_1", 64, ONE);
	b[1] = conv(net, b[1], at, "branch3x3dbl_2", 96, THREE);
	b[1] = conv(net, b[1], at, "branch3x3dbl_3", 96, HALVE);
	b[2] = tp_net_max_pool(net, x, HALVE);
	return tp_net_concat(net, b, 3);
}

/* 17 x 17; mid: channels of the 7 x 7 branches */
static int mixed_c(tp_net *net, int x, const char *at, int mid)
{
	int b[4];
	b[0] = conv(net, x, at, "branch1x1", 192, ONE);
	b[1] = conv(net, x, at, "branch7x7_1", mid, ONE);
	b[1] = conv(net, b[1], at, "branch7x7_2", mid, ROW(7));
	b[1] = conv(net, b[1], at, "branch7x7_3", 192, COLUMN(7));
	b[2] = conv(net, x, at, "branch7x7dbl_1", mid, ONE);
	b[2] = conv(net, b[2], at, "branch7x7dbl_2", mid, COLUMN(7));
	b[2] = conv(net, b[2], at, "branch7x7dbl_3", mid, ROW(7));
	b[2] = conv(net, b[2], at, "branch7x7dbl_4", mid, COLUMN(7));
	b[2] = conv(net, b[2], at, "branch7x7dbl_5", 192, ROW(7));
	b[3] = pool_branch(net, x, at, 192);
	return tp_net_concat(net, b, 4);
}

/* 17 x 17 to 8 x 8 */
static int mixed_d(tp_net *net, int x, const char *at)
{
	int b[3];
	b[0] = conv(net, x, at, "branch3x3_1", 192, ONE);
	b[0] = conv(net, b[0], at, "branch3x3_2", 320, HALVE);
	b[1] = conv(net, x, at, "branch7x7x3_1", 192, ONE);
	b[1] = conv(net, b[1], at, "branch7x7x3_2", 192, ROW(7));
	b[1] = conv(net, b[1], at, "branch7x7x3_3", 192, COLUMN(7));
	b[1] = conv(net, b[1], at, "branch7x7x3_4", 192, HALVE);
	b[2] = tp_net_max_pool(net, x, HALVE);
	return tp_net_concat(net, b, 3);
}

/* 8 x 8; two branches fork once more, and all six ends are concatenated at once */
static int mixed_e(tp_net *net, int x, const char *at)
{
	int b[6], y;
	b[0] = conv(net, x, at, "branch1x1", 320, ONE);
	y = conv(net, x, at, "branch3x3_1", 384, ONE);
	b[1] = conv(net, y, at, "branch3x3_2a", 384, ROW(3));
	b[2] = conv(net, y, at, "branch3x3_2b", 384, COLUMN(3));
	y = conv(net, x, at, "branch3x3dbl_1", 448, ONE);
	y = conv(net, y, at, "branch3x3dbl_2", 384, THREE);
	b[3] = conv(net, y, at, "branch3x3dbl_3a", 384, ROW(3));
	b[4] = conv(net, y, at, "branch3x3dbl_3b", 384, COLUMN(3));
	b[5] = pool_branch(net, x, at, 192);
	return tp_net_concat(net, b, 6);
}

static tp_code build(tp_net *net, int n_classes, tp_err *err)
{
	(void)err;
	int x = tp_net_input(net);
	x = conv(net, x, "", "Conv2d_1a_3x3", 32, HALVE);
	x = conv(net, x, "", "Conv2d_2a_3x3", 32, TP_SQUARE(3, 1, 0));
	x = conv(net, x, "", "Conv2d_2b_3x3", 64, THREE);
	x = tp_net_max_pool(net, x, HALVE);
	x = conv(net, x, "", "Conv2d_3b_1x1", 80, ONE);
	x = conv(net, x, "", "Conv2d_4a_3x3", 192, TP_SQUARE(3, 1, 0));
	x = tp_net_max_pool(net, x, HALVE);
	tp_net_stage(net, "stage1");
	x = mixed_a(net, x, "Mixed_5b.", 32);
	x = mixed_a(net, x, "Mixed_5c.", 64);
	x = mixed_a(net, x, "Mixed_5d.", 64);
	tp_net_stage(net, "stage2");
	x = mixed_b(net, x, "Mixed_6a.");
	x = mixed_c(net, x, "Mixed_6b.", 128);
	x = mixed_c(net, x, "Mixed_6c.", 160);
	x = mixed_c(net, x, "Mixed_6d.", 160);
	x = mixed_c(net, x, "Mixed_6e.", 192);
	tp_net_stage(net, "stage3");
	x = mixed_d(net, x, "Mixed_7a.");
	x = mixed_e(net, x, "Mixed_7b.");
	x = mixed_e(net, x, "Mixed_7c.");
	tp_net_stage(net, "head");
	net->features = tp_net_global_pool(net, x);
	if (n_classes > 0) {
		tp_net_stage(net, "classifier");
		x = tp_net_dropout(net, net->features, 0.5f);
		net->logits = tp_net_linear(net, x, "fc", n_classes);
	}
	return TP_OK;
}

/* torchvision/models/inception.py: a normal of 0.1, cut at twice that as in TensorFlow's slim (torchvision did so with
 * scipy's truncnorm; its trunc_normal_ of today cuts at 2); biases stay as nn.Linear makes them. */
static const tp_init init = {
	.conv = { TP_FILL_TRUNCATED, TP_FAN_ONE, 0.01f },
	.linear = { TP_FILL_TRUNCATED, TP_FAN_ONE, 0.01f },
	.linear_bias = { TP_FILL_UNIFORM, TP_FAN_IN, 1 },
};

/* The published weights want -1..1: torchvision takes ImageNet's normalisation back in _transform_input(). */
const tp_arch tp_arch_inception_v3 = {
	.name = "inception-v3",
	.help = "Inception v3: the most work, for large photos",
	.classifier_weight = "fc.weight",
	.classifier_bias = "fc.bias",
	.n_features = 2048,
	.side = 299,
	.mean = { 127.5f, 127.5f, 127.5f },
	.std = { 127.5f, 127.5f, 127.5f },
	.init = &init,
	.build = build,
};
