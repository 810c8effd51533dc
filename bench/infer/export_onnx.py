"""Writes a network of the zoo as ONNX, with random weights: export_onnx.py NETWORK OUT (Debian: python3-torch)

The networks are those of tests/golden/gen_zoo.py, in single precision. Weights are small, so that nothing overflows: only
speed is looked at.
"""
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/golden"))
import gen_zoo  # noqa: E402

kept = {}


def tensor(n, *shape):
    if n not in kept:
        kept[n] = torch.ones(shape) if len(shape) == 1 else torch.randn(shape) / np.sqrt(np.prod(shape[1:]))
    return kept[n]


real_pad = F.pad
mark = {}


def pad(x, p, *rest, **more):
    """The same on both sides: by the convolution that follows."""
    p = [int(v) for v in p]  # traced sizes are tensors
    if p[0] == p[1]:
        mark["same"] = p[0]
        return x
    mark["same"] = 0
    return real_pad(x, p, *rest, **more)


def conv(x, name, out, k, stride=1, p=0, groups=1, bias=False):
    k = k if isinstance(k, tuple) else (k, k)
    p = mark.pop("same", 0) or p
    out, groups = int(out), int(groups)
    w = tensor(name + ".weight", out, int(x.shape[1]) // groups, *k)
    return F.conv2d(x, w, tensor(name + ".bias", out) if bias else None, stride, p, 1, groups)


gen_zoo.tensor, gen_zoo.conv = tensor, conv
gen_zoo.F.pad = pad


class Net(torch.nn.Module):
    def forward(self, x):
        net, classifier, _ = gen_zoo.NETS[sys.argv[1]]
        f = net(x).mean((2, 3))
        n = {"bn-inception": 1024, "resnet18": 512, "resnet50": 2048, "inception-v3": 2048}.get(sys.argv[1], 1280)
        return F.linear(f, tensor(classifier + ".weight", 1000, n), tensor(classifier + ".bias", 1000))


net = Net().eval()
with torch.no_grad():
    net(torch.zeros(2, 3, 224, 224))  # makes the weights, so that tracing finds constants
torch.onnx.export(net, torch.zeros(2, 3, 224, 224), sys.argv[2], input_names=["x"], output_names=["logits"],
                  opset_version=13, dynamic_axes={"x": {0: "n"}, "logits": {0: "n"}})
