"""EfficientNet-Lite0 with made-up weights, by PyTorch: golden numbers for tests/unit/nn/test_plan.c.

    /usr/bin/python3 tests/golden/gen_lite0.py > tests/golden/lite0.txt      (Debian: python3-torch)

Weights and input come from a counter hashed to [-0.5, 0.5), which the test computes too: nothing but the answer is kept.
"""
import numpy as np
import torch
import torch.nn.functional as F

STAGES = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
          (6, 3, 1, 320, 1)]
SIDE, BATCH, CLASSES = 96, 2, 10


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
        u = u * np.float32(np.sqrt(24.0 / np.prod(shape[1:])))
    return torch.from_numpy(u.reshape(shape))


def conv_bn(x, conv, bn, out, k, stride, groups, relu):
    size = x.shape[2]
    pad = max((-(-size // stride) - 1) * stride + k - size, 0)
    x = F.pad(x, (pad // 2, pad - pad // 2) * 2)
    x = F.conv2d(x, tensor(conv + ".weight", out, x.shape[1] // groups, k, k), None, stride, 0, 1, groups)
    x = F.batch_norm(x, tensor(bn + ".running_mean", out), tensor(bn + ".running_var", out),
                     tensor(bn + ".weight", out), tensor(bn + ".bias", out), False, 0, 1e-3)
    return F.relu6(x) if relu else x


x = torch.from_numpy(4 * unit("input", BATCH * 3 * SIDE * SIDE).reshape(BATCH, 3, SIDE, SIDE))
x = conv_bn(x, "conv_stem", "bn1", 32, 3, 2, 1, True)
for s, (e, k, stride, out, repeat) in enumerate(STAGES):
    for r in range(repeat):
        b, y, n, st = f"blocks.{s}.{r}.", x, 0, stride if r == 0 else 1
        if e > 1:
            n += 1
            y = conv_bn(y, b + "conv_pw", b + "bn1", x.shape[1] * e, 1, 1, 1, True)
        n += 1
        y = conv_bn(y, b + "conv_dw", f"{b}bn{n}", y.shape[1], k, st, y.shape[1], True)
        y = conv_bn(y, b + ("conv_pwl" if e > 1 else "conv_pw"), f"{b}bn{n + 1}", out, 1, 1, 1, False)
        x = x + y if y.shape == x.shape else y
features = conv_bn(x, "conv_head", "bn2", 1280, 1, 1, 1, True).mean((2, 3))
logits = F.linear(features, tensor("classifier.weight", CLASSES, 1280), tensor("classifier.bias", CLASSES))
for v in list(logits.flatten()) + list(features[:, :32].flatten()):
    print(f"{v.item():.9g}")
