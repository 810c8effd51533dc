"""The networks of the zoo with made-up weights, by PyTorch: golden numbers for tests/unit/nn/test_zoo.c.

    /usr/bin/python3 tests/golden/gen_zoo.py      (Debian: python3-torch; writes tests/golden/zoo/)

Written from the published definitions, apart from tepal's own: torchvision's resnet, mobilenetv2 and inception, the
pretrained-models port of Inception with batch normalisation, TensorFlow's EfficientNet-Lite. Weights and input come from
a counter hashed to [-0.5, 0.5), which the test computes too: only the answer is kept, computed in double precision: two photos'
logits and then the first features of each. A convolution's weights have a variance of 1 / fan_in: with the 2 / fan_in of
gen_lite0.py PyTorch in single precision differs by 2e-5 from itself in double precision, so much do random networks
with ReLU6 make of rounding; with 1 by 4e-7.
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

BATCH, CLASSES, KEPT = 2, 10, 16
OUT = pathlib.Path(__file__).resolve().parent / "zoo"


def unit(name, n):
    seed = 2166136261
    for c in name.encode():
        seed = (seed ^ c) * 16777619 & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        x = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
        for shift, mul in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            x = (x ^ (x >> np.uint32(shift))) * np.uint32(mul)
        x ^= x >> np.uint32(16)
    return ((x >> np.uint32(8)).astype(np.float64) / 2**24 - 0.5).astype(np.float32)


def tensor(name, *shape):
    u = unit(name, int(np.prod(shape)))
    if name.endswith("running_var") or len(shape) == 1 and name.endswith("weight"):
        u = np.float32(1) + u
    elif len(shape) > 1:
        u = u * np.float32(np.sqrt(12.0 / np.prod(shape[1:])))
    return torch.from_numpy(u.reshape(shape)).double()


def conv(x, name, out, k, stride=1, pad=0, groups=1, bias=False):
    k = k if isinstance(k, tuple) else (k, k)
    w = tensor(name + ".weight", out, x.shape[1] // groups, *k)
    return F.conv2d(x, w, tensor(name + ".bias", out) if bias else None, stride, pad, 1, groups)


def norm(x, name, eps=1e-5):
    c = x.shape[1]
    return F.batch_norm(x, tensor(name + ".running_mean", c), tensor(name + ".running_var", c),
                        tensor(name + ".weight", c), tensor(name + ".bias", c), False, 0, eps)


def resnet(counts, bottleneck):
    def net(x):
        x = F.relu(norm(conv(x, "conv1", 64, 7, 2, 3), "bn1"))
        x = F.max_pool2d(x, 3, 2, 1)
        for layer, n in enumerate(counts, 1):
            width = 32 << layer
            for i in range(n):
                at, stride = f"layer{layer}.{i}.", 2 if layer > 1 and i == 0 else 1
                out = 4 * width if bottleneck else width
                if bottleneck:
                    y = F.relu(norm(conv(x, at + "conv1", width, 1), at + "bn1"))
                    y = F.relu(norm(conv(y, at + "conv2", width, 3, stride, 1), at + "bn2"))
                    y = norm(conv(y, at + "conv3", out, 1), at + "bn3")
                else:
                    y = F.relu(norm(conv(x, at + "conv1", width, 3, stride, 1), at + "bn1"))
                    y = norm(conv(y, at + "conv2", out, 3, 1, 1), at + "bn2")
                if stride > 1 or x.shape[1] != out:
                    x = norm(conv(x, at + "downsample.0", out, 1, stride), at + "downsample.1")
                x = F.relu(x + y)
        return x
    return net


def mobilenet_v2(x):
    def step(x, name, out, k, stride=1, groups=1):
        return F.relu6(norm(conv(x, name + ".0", out, k, stride, k // 2, groups), name + ".1"))
    x = step(x, "features.0", 32, 3, 2)
    index = 1
    for t, c, n, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                       (6, 320, 1, 1)):
        for i in range(n):
            at, y, k = f"features.{index}.conv.", x, 0
            if t > 1:
                y, k = step(y, at + "0", t * x.shape[1], 1), 1
            y = step(y, at + str(k), y.shape[1], 3, s if i == 0 else 1, y.shape[1])
            y = norm(conv(y, at + str(k + 1), c, 1), at + str(k + 2))
            x = x + y if y.shape == x.shape and (s == 1 or i > 0) else y
            index += 1
    return step(x, f"features.{index}", 1280, 1)


def inception_v3(x):
    def basic(x, name, out, k, stride=1, pad=0):
        return F.relu(norm(conv(x, name + ".conv", out, k, stride, pad), name + ".bn", 1e-3))

    def chain(x, *steps):
        for s in steps:
            x = basic(x, *s)
        return x

    def mean(x, m, out):
        return basic(F.avg_pool2d(x, 3, 1, 1), m + "branch_pool", out, 1)

    row, column = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    x = chain(x, ("Conv2d_1a_3x3", 32, 3, 2), ("Conv2d_2a_3x3", 32, 3), ("Conv2d_2b_3x3", 64, 3, 1, 1))
    x = F.max_pool2d(x, 3, 2)
    x = F.max_pool2d(chain(x, ("Conv2d_3b_1x1", 80, 1), ("Conv2d_4a_3x3", 192, 3)), 3, 2)
    for m, pool in (("Mixed_5b.", 32), ("Mixed_5c.", 64), ("Mixed_5d.", 64)):
        x = torch.cat([basic(x, m + "branch1x1", 64, 1),
                       chain(x, (m + "branch5x5_1", 48, 1), (m + "branch5x5_2", 64, 5, 1, 2)),
                       chain(x, (m + "branch3x3dbl_1", 64, 1), (m + "branch3x3dbl_2", 96, 3, 1, 1),
                             (m + "branch3x3dbl_3", 96, 3, 1, 1)), mean(x, m, pool)], 1)
    m = "Mixed_6a."
    x = torch.cat([basic(x, m + "branch3x3", 384, 3, 2),
                   chain(x, (m + "branch3x3dbl_1", 64, 1), (m + "branch3x3dbl_2", 96, 3, 1, 1),
                         (m + "branch3x3dbl_3", 96, 3, 2)), F.max_pool2d(x, 3, 2)], 1)
    for m, c in (("Mixed_6b.", 128), ("Mixed_6c.", 160), ("Mixed_6d.", 160), ("Mixed_6e.", 192)):
        x = torch.cat([basic(x, m + "branch1x1", 192, 1),
                       chain(x, (m + "branch7x7_1", c, 1), (m + "branch7x7_2", c, *row),
                             (m + "branch7x7_3", 192, *column)),
                       chain(x, (m + "branch7x7dbl_1", c, 1), (m + "branch7x7dbl_2", c, *column),
                             (m + "branch7x7dbl_3", c, *row), (m + "branch7x7dbl_4", c, *column),
                             (m + "branch7x7dbl_5", 192, *row)), mean(x, m, 192)], 1)
    m = "Mixed_7a."
    x = torch.cat([chain(x, (m + "branch3x3_1", 192, 1), (m + "branch3x3_2", 320, 3, 2)),
                   chain(x, (m + "branch7x7x3_1", 192, 1), (m + "branch7x7x3_2", 192, *row),
                         (m + "branch7x7x3_3", 192, *column), (m + "branch7x7x3_4", 192, 3, 2)),
                   F.max_pool2d(x, 3, 2)], 1)
    for m in ("Mixed_7b.", "Mixed_7c."):
        def fork(y, name):
            return torch.cat([basic(y, name + "a", 384, (1, 3), 1, (0, 1)), basic(y, name + "b", 384, (3, 1), 1, (1, 0))], 1)
        x = torch.cat([basic(x, m + "branch1x1", 320, 1),
                       fork(basic(x, m + "branch3x3_1", 384, 1), m + "branch3x3_2"),
                       fork(chain(x, (m + "branch3x3dbl_1", 448, 1), (m + "branch3x3dbl_2", 384, 3, 1, 1)),
                            m + "branch3x3dbl_3"), mean(x, m, 192)], 1)
    return x


def bn_inception(x):
    def basic(x, name, out, k, stride=1, pad=0):
        return F.relu(norm(conv(x, name, out, k, stride, pad, bias=True), name + "_bn"))
    x = F.max_pool2d(basic(x, "conv1_7x7_s2", 64, 7, 2, 3), 3, 2, ceil_mode=True)
    x = basic(basic(x, "conv2_3x3_reduce", 64, 1), "conv2_3x3", 192, 3, 1, 1)
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    for name, one, r, three, dr, double, pool in (
            ("3a", 64, 64, 64, 64, 96, 32), ("3b", 64, 64, 96, 64, 96, 64), ("3c", 0, 128, 160, 64, 96, 0),
            ("4a", 224, 64, 96, 96, 128, 128), ("4b", 192, 96, 128, 96, 128, 128), ("4c", 160, 128, 160, 128, 160, 128),
            ("4d", 96, 128, 192, 160, 192, 128), ("4e", 0, 128, 192, 192, 256, 0), ("5a", 352, 192, 320, 160, 224, 128),
            ("5b", 352, 192, 320, 192, 224, 128)):
        m, s = f"inception_{name}_", 1 if one else 2
        parts = [basic(x, m + "1x1", one, 1)] if one else []
        parts.append(basic(basic(x, m + "3x3_reduce", r, 1), m + "3x3", three, 3, s, 1))
        y = basic(basic(x, m + "double_3x3_reduce", dr, 1), m + "double_3x3_1", double, 3, 1, 1)
        parts.append(basic(y, m + "double_3x3_2", double, 3, s, 1))
        if not pool:
            parts.append(F.max_pool2d(x, 3, 2, ceil_mode=True))
        else:
            y = F.max_pool2d(x, 3, 1, 1, ceil_mode=True) if name == "5b" else F.avg_pool2d(x, 3, 1, 1, True, True)
            parts.append(basic(y, m + "pool_proj", pool, 1))
        x = torch.cat(parts, 1)
    return x


def lite(width, depth):
    """TensorFlow's round_filters() and round_repeats(); SAME padding."""
    def filters(n):
        new = max(8, int(n * width + 4) // 8 * 8)
        return new + 8 if new < 0.9 * n * width else new

    def step(x, op, bn, out, k, stride=1, groups=1):
        pad = max((-(-x.shape[2] // stride) - 1) * stride + k - x.shape[2], 0)
        x = F.pad(x, (pad // 2, pad - pad // 2) * 2)
        return norm(conv(x, op, out, k, stride, 0, groups), bn, 1e-3)

    stages = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
              (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))

    def net(x):
        x = F.relu6(step(x, "conv_stem", "bn1", 32, 3, 2))
        for s, (e, k, stride, out, repeat) in enumerate(stages):
            for r in range(repeat if s in (0, 6) else int(np.ceil(depth * repeat))):
                at, y, n = f"blocks.{s}.{r}.", x, 1
                if e > 1:
                    y, n = F.relu6(step(y, at + "conv_pw", at + "bn1", e * x.shape[1], 1)), 2
                y = F.relu6(step(y, at + "conv_dw", f"{at}bn{n}", y.shape[1], k, 1 if r else stride, y.shape[1]))
                y = step(y, at + ("conv_pwl" if e > 1 else "conv_pw"), f"{at}bn{n + 1}", filters(out), 1)
                x = x + y if y.shape[1] == x.shape[1] and (r or stride == 1) else y
        return F.relu6(step(x, "conv_head", "bn2", 1280, 1))
    return net


NETS = {  # name: network, classifier, side
    "bn-inception": (bn_inception, "last_linear", 64),
    "efficientnet-lite0": (lite(1.0, 1.0), "classifier", 75),
    "efficientnet-lite1": (lite(1.0, 1.1), "classifier", 72),
    "efficientnet-lite2": (lite(1.1, 1.2), "classifier", 78),
    "inception-v3": (inception_v3, "fc", 107),
    "mobilenet-v2": (mobilenet_v2, "classifier.1", 70),
    "resnet18": (resnet((2, 2, 2, 2), False), "fc", 70),
    "resnet50": (resnet((3, 4, 6, 3), True), "fc", 64),
}


def main():
    OUT.mkdir(exist_ok=True)
    for name, (net, classifier, side) in NETS.items():
        x = torch.from_numpy(4 * unit("input", BATCH * 3 * side * side).reshape(BATCH, 3, side, side)).double()
        features = net(x).mean((2, 3))
        n = features.shape[1]
        logits = F.linear(features, tensor(classifier + ".weight", CLASSES, n), tensor(classifier + ".bias", CLASSES))
        values = list(logits.flatten()) + list(features[:, :KEPT].flatten())
        (OUT / f"{name}.txt").write_text("".join(f"{float(v):.9g}\n" for v in values))
        print(name, side, "largest logit", float(logits.abs().max()))


if __name__ == "__main__":
    main()
