/* ResNet-18 and ResNet-50 (He et al. 2015, arXiv 1512.03385), with the stride in a bottleneck's 3 x 3 convolution as
 * torchvision has it. Parameter names are torchvision's. 11.69 and 25.56 M parameters, 1.81 and 4.09 G multiply-adds
 * at 224 px. */
#include <stdio.h>

#include "nn/net_int.h"
#include "nn/zoo.h"

typedef struct {
	int repeat[4];
	int expand; /* channels out of a block, by its width; 1: two 3 x 3 convolutions instead of a bottleneck */
} variant;

static int conv_bn(
	tp_net *net, int x, const char *at, const char *conv, const char *bn, int channels, tp_window win)
{
	char name[48];
	snprintf(name, sizeof name, "%s%s", at, conv);
	x = tp_net_conv(net, x, name, channels, win, 1, false);
	snprintf(name, sizeof name, "%s%s", at, bn);
	return tp_net_batch_norm(net, x, name, 1e-5f, 0.1f);
}

/* The shortcut stands before the last convolution, which then adds to it in place. */
static int shortcut(tp_net *net, int x, const char *at, int channels, int stride, bool reshape)
{
	return reshape ? conv_bn(net, x, at, "downsample.0", "downsample.1", channels,
				 TP_SQUARE(1, stride, 0))
		       : x;
}

static int block(tp_net *net, int x, const char *at, int width, int expand, int stride, bool reshape)
{
	int out = width * expand, y, by;
	tp_net_block(net);
	if (expand == 1) {
		y = tp_net_relu(net, conv_bn(net, x, at, "conv1", "bn1", width, TP_SQUARE(3, stride, 1)));
		by = shortcut(net, x, at, out, stride, reshape);
		y = conv_bn(net, y, at, "conv2", "bn2", out, TP_SQUARE(3, 1, 1));
	} else {
		y = tp_net_relu(net, conv_bn(net, x, at, "conv1", "bn1", width, TP_SQUARE(1, 1, 0)));
		y = tp_net_relu(net, conv_bn(net, y, at, "conv2", "bn2", width, TP_SQUARE(3, stride, 1)));
		by = shortcut(net, x, at, out, stride, reshape);
		y = conv_bn(net, y, at, "conv3", "bn3", out, TP_SQUARE(1, 1, 0));
	}
	return tp_net_relu(net, tp_net_add(net, y, by));
}

static tp_code build(tp_net *net, const variant *v, int n_classes)
{
	char at[32];
	int x = tp_net_input(net);
	x = tp_net_relu(net, conv_bn(net, x, "", "conv1", "bn1", 64, TP_SQUARE(7, 2, 3)));
	x = tp_net_max_pool(net, x, TP_SQUARE(3, 2, 1));
	for (int s = 0; s < 4; s++) {
		tp_net_stage(net, "stage%d", s + 1);
		for (int i = 0; i < v->repeat[s]; i++) {
			int stride = s && !i ? 2 : 1;
			snprintf(at, sizeof at, "layer%d.%d.", s + 1, i);
			x = block(net, x, at, 64 << s, v->expand, stride, !i && (s || v->expand > 1));
		}
	}
	tp_net_stage(net, "head");
	net->features = tp_net_global_pool(net, x);
	if (n_classes > 0) {
		tp_net_stage(net, "classifier");
		net->logits = tp_net_linear(net, net->features, "fc", n_classes);
	}
	return TP_OK;
}

static tp_code build18(tp_net *net, int n_classes, tp_err *err)
{
	(void)err;
	return build(net, &(variant){ { 2, 2, 2, 2 }, 1 }, n_classes);
}

static tp_code build50(tp_net *net, int n_classes, tp_err *err)
{
	(void)err;
	return build(net, &(variant){ { 3, 4, 6, 3 }, 4 }, n_classes);
}

/* torchvision/models/resnet.py: kaiming_normal_(mode="fan_out"); fc stays as nn.Linear makes it. */
static const tp_init init = {
	.conv = { TP_FILL_NORMAL, TP_FAN_OUT, 2 },
	.linear = { TP_FILL_UNIFORM, TP_FAN_IN, 1 },
	.linear_bias = { TP_FILL_UNIFORM, TP_FAN_IN, 1 },
};

const tp_arch tp_arch_resnet18 = {
	.name = "resnet18",
	.help = "ResNet-18: plain and quick to train",
	.classifier_weight = "fc.weight",
	.classifier_bias = "fc.bias",
	.n_features = 512,
	.side = 224,
	.mean = { TP_IMAGENET_MEAN },
	.std = { TP_IMAGENET_STD },
	.init = &init,
	.build = build18,
};

const tp_arch tp_arch_resnet50 = {
	.name = "resnet50",
	.help = "ResNet-50: the yardstick of the literature",
	.classifier_weight = "fc.weight",
	.classifier_bias = "fc.bias",
	.n_features = 2048,
	.side = 224,
	.mean = { TP_IMAGENET_MEAN },
	.std = { TP_IMAGENET_STD },
	.init = &init,
	.build = build50,
};
