/* MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381). Parameter names are torchvision's. 3.50 M parameters, 0.30 G
 * multiply-adds at 224 px. */
#include <stdio.h>

#include "nn/net_int.h"
#include "nn/zoo.h"

static const struct {
	int expand, channels, repeat, stride;
} stages[] = {
	{ 1, 16, 1, 1 },
	{ 6, 24, 2, 2 },
	{ 6, 32, 3, 2 },
	{ 6, 64, 4, 2 },
	{ 6, 96, 3, 1 },
	{ 6, 160, 3, 2 },
	{ 6, 320, 1, 1 },
};
enum { N_STAGES = sizeof stages / sizeof *stages, STEM = 32, HEAD = 1280 };

static int conv_bn(
	tp_net *net, int x, const char *conv, const char *bn, int channels, tp_window win, int groups)
{
	x = tp_net_conv(net, x, conv, channels, win, groups, false);
	return tp_net_batch_norm(net, x, bn, 1e-5f, 0.1f);
}

static int conv_relu(tp_net *net, int x, const char *at, int channels, tp_window win, int groups)
{
	char conv[48], bn[48];
	snprintf(conv, sizeof conv, "%s.0", at);
	snprintf(bn, sizeof bn, "%s.1", at);
	return tp_net_relu6(net, conv_bn(net, x, conv, bn, channels, win, groups));
}

/* One inverted residual block: features.INDEX.conv.0, .1, ... */
static int block(tp_net *net, int x, int index, int in, int expand, int out, int stride)
{
	char at[32], bn[32];
	int y = x, n = 0, mid = in * expand;
	tp_net_block(net);
	if (expand > 1) {
		snprintf(at, sizeof at, "features.%d.conv.%d", index, n++);
		y = conv_relu(net, y, at, mid, TP_SQUARE(1, 1, 0), 1);
	}
	snprintf(at, sizeof at, "features.%d.conv.%d", index, n++);
	y = conv_relu(net, y, at, mid, TP_SQUARE(3, stride, 1), mid);
	snprintf(at, sizeof at, "features.%d.conv.%d", index, n++);
	snprintf(bn, sizeof bn, "features.%d.conv.%d", index, n);
	y = conv_bn(net, y, at, bn, out, TP_SQUARE(1, 1, 0), 1);
	return stride == 1 && in == out ? tp_net_add(net, y, x) : y;
}

static tp_code build(tp_net *net, int n_classes, tp_err *err)
{
	(void)err;
	char at[32];
	int channels = STEM, index = 0, x = tp_net_input(net);
	snprintf(at, sizeof at, "features.%d", index++);
	x = conv_relu(net, x, at, STEM, TP_SQUARE(3, 2, 1), 1);
	for (int s = 0; s < N_STAGES; s++) {
		tp_net_stage(net, "stage%d", s + 1);
		for (int i = 0; i < stages[s].repeat; i++) {
			x = block(net, x, index++, channels, stages[s].expand, stages[s].channels,
				i ? 1 : stages[s].stride);
			channels = stages[s].channels;
		}
	}
	tp_net_stage(net, "head");
	snprintf(at, sizeof at, "features.%d", index);
	x = conv_relu(net, x, at, HEAD, TP_SQUARE(1, 1, 0), 1);
	net->features = tp_net_global_pool(net, x);
	if (n_classes > 0) {
		tp_net_stage(net, "classifier");
		x = tp_net_dropout(net, net->features, 0.2f);
		net->logits = tp_net_linear(net, x, "classifier.1", n_classes);
	}
	return TP_OK;
}

/* torchvision/models/mobilenetv2.py: kaiming_normal_(mode="fan_out"), which counts all groups of a depthwise
 * convolution; normal_(0, 0.01) for the classifier. */
static const tp_init init = {
	.conv = { TP_FILL_NORMAL, TP_FAN_OUT, 2 },
	.linear = { TP_FILL_NORMAL, TP_FAN_ONE, 1e-4f },
};

const tp_arch tp_arch_mobilenet_v2 = {
	.name = "mobilenet-v2",
	.help = "MobileNetV2: the least work, for a phone or a small board",
	.classifier_weight = "classifier.1.weight",
	.classifier_bias = "classifier.1.bias",
	.n_features = HEAD,
	.side = 224,
	.mean = { TP_IMAGENET_MEAN },
	.std = { TP_IMAGENET_STD },
	.init = &init,
	.build = build,
};
