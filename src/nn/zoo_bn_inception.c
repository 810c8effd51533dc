/* Inception with batch normalisation (Ioffe & Szegedy 2015, arXiv 1502.03167, table in the appendix), as Caffe's model
 * has it: convolutions keep their biases, pools that halve a plane round up. Parameter names are those of the PyTorch
 * port in pretrained-models. 11.29 M parameters, 2.03 G multiply-adds at 224 px. The planes before 3c and 4e must be
 * even, so that their three branches agree: sides of 32 n always are. */
#include <stdio.h>

#include "nn/net_int.h"
#include "nn/zoo.h"

enum { MEAN, LARGEST, PASS }; /* the pool's branch: projected, or passed on at half the size */

static const struct {
	const char *name;
	int one, reduce, three, double_reduce, double_three, pool, project;
} blocks[] = {
	{ "3a", 64, 64, 64, 64, 96, MEAN, 32 },
	{ "3b", 64, 64, 96, 64, 96, MEAN, 64 },
	{ "3c", 0, 128, 160, 64, 96, PASS, 0 },
	{ "4a", 224, 64, 96, 96, 128, MEAN, 128 },
	{ "4b", 192, 96, 128, 96, 128, MEAN, 128 },
	{ "4c", 160, 128, 160, 128, 160, MEAN, 128 },
	{ "4d", 96, 128, 192, 160, 192, MEAN, 128 },
	{ "4e", 0, 128, 192, 192, 256, PASS, 0 },
	{ "5a", 352, 192, 320, 160, 224, MEAN, 128 },
	{ "5b", 352, 192, 320, 192, 224, LARGEST, 128 },
};
enum { N_BLOCKS = sizeof blocks / sizeof *blocks, FEATURES = 1024 };

#define ONE TP_SQUARE(1, 1, 0)

/* The port gives its batch-norms Caffe's momentum of 0.9, which counts the other way round: 0.1 is meant. */
static int conv(tp_net *net, int x, const char *at, const char *op, int channels, tp_window win)
{
	char name[96]; /* names of this network have 34 characters at most */
	snprintf(name, sizeof name, "%s%s", at, op);
	x = tp_net_conv(net, x, name, channels, win, 1, true);
	snprintf(name, sizeof name, "%s%s_bn", at, op);
	return tp_net_relu(net, tp_net_batch_norm(net, x, name, 1e-5f, 0.1f));
}

static int halve(tp_net *net, int x)
{
	tp_window win = TP_SQUARE(3, 2, 0);
	win.ceil = true;
	return tp_net_max_pool(net, x, win);
}

static int pool_branch(tp_net *net, int x, const char *at, int kind, int channels)
{
	tp_window win = TP_SQUARE(3, 1, 1);
	win.count_pad = true;
	if (kind == PASS)
		return halve(net, x);
	x = kind == MEAN ? tp_net_avg_pool(net, x, win) : tp_net_max_pool(net, x, win);
	return conv(net, x, at, "pool_proj", channels, ONE);
}

static int block(tp_net *net, int x, int i)
{
	char at[32];
	int b[4], n = 0, stride = blocks[i].pool == PASS ? 2 : 1, wide = blocks[i].double_three;
	snprintf(at, sizeof at, "inception_%s_", blocks[i].name);
	if (blocks[i].one)
		b[n++] = conv(net, x, at, "1x1", blocks[i].one, ONE);
	b[n] = conv(net, x, at, "3x3_reduce", blocks[i].reduce, ONE);
	b[n] = conv(net, b[n], at, "3x3", blocks[i].three, TP_SQUARE(3, stride, 1));
	n++;
	b[n] = conv(net, x, at, "double_3x3_reduce", blocks[i].double_reduce, ONE);
	b[n] = conv(net, b[n], at, "double_3x3_1", wide, TP_SQUARE(3, 1, 1));
	b[n] = conv(net, b[n], at, "double_3x3_2", wide, TP_SQUARE(3, stride, 1));
	n++;
	b[n++] = pool_branch(net, x, at, blocks[i].pool, blocks[i].project);
	return tp_net_concat(net, b, n);
}

static tp_code build(tp_net *net, int n_classes, tp_err *err)
{
	(void)err;
	int x = tp_net_input(net);
	x = conv(net, x, "", "conv1_7x7_s2", 64, TP_SQUARE(7, 2, 3));
	x = halve(net, x);
	x = conv(net, x, "", "conv2_3x3_reduce", 64, ONE);
	x = conv(net, x, "", "conv2_3x3", 192, TP_SQUARE(3, 1, 1));
	x = halve(net, x);
	for (int i = 0; i < N_BLOCKS; i++) {
		if (!i || blocks[i].name[0] != blocks[i - 1].name[0])
			tp_net_stage(net, "stage%d", blocks[i].name[0] - '3' + 1);
		x = block(net, x, i);
	}
	tp_net_stage(net, "head");
	net->features = tp_net_global_pool(net, x);
	if (n_classes > 0) {
		tp_net_stage(net, "classifier");
		net->logits = tp_net_linear(net, net->features, "last_linear", n_classes);
	}
	return TP_OK;
}

/* Caffe's published prototxt: weight_filler "xavier", which is uniform with a variance of 1 / fan_in; biases 0. */
static const tp_init init = {
	.conv = { TP_FILL_UNIFORM, TP_FAN_IN, 3 },
	.linear = { TP_FILL_UNIFORM, TP_FAN_IN, 3 },
};

const tp_arch tp_arch_bn_inception = {
	.name = "bn-inception",
	.help = "Inception with batch normalisation, once Pl@ntNet's network",
	.classifier_weight = "last_linear.weight",
	.classifier_bias = "last_linear.bias",
	.n_features = FEATURES,
	.side = 224,
	.mean = { 128, 117, 104 },
	.std = { 1, 1, 1 },
	.bgr = true,
	.init = &init,
	.build = build,
};
