"""Writes a tepal model's network as ONNX, with Debian's PyTorch (apt-get install python3-torch).

    /usr/bin/python3 bench/first_light/export_onnx.py MODEL.safetensors OUT.onnx

Reads the safetensors file by itself, so that the peer runs the very weights tepal runs.
"""
import json
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

SIDE = 256  # traced; the export accepts any batch
STAGES = [(1, 3, 1, 1), (6, 3, 2, 2), (6, 5, 2, 2), (6, 3, 2, 3), (6, 5, 1, 3), (6, 5, 2, 4), (6, 3, 1, 1)]


def load(path):
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        head = json.loads(f.read(n))
        data = f.read()
    out = {}
    for name, t in head.items():
        if name != "__metadata__" and t["dtype"] in ("F16", "F32"):
            a, b = t["data_offsets"]
            v = np.frombuffer(data[a:b], {"F16": "<f2", "F32": "<f4"}[t["dtype"]]).reshape(t["shape"])
            out[name] = torch.from_numpy(v.astype(np.float32))
    return out


class Lite0(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        for k, v in w.items():
            self.register_buffer(k.replace(".", "_"), v)

    def p(self, name):
        return getattr(self, name.replace(".", "_"))

    def conv(self, x, name, stride=1, groups=1):
        w = self.p(name + ".weight")
        k, size = int(w.shape[2]), int(x.shape[2])
        pad = max((-(-size // stride) - 1) * stride + k - size, 0)
        if pad % 2 == 0:
            return F.conv2d(x, w, None, stride, pad // 2, 1, groups)
        return F.conv2d(F.pad(x, (pad // 2, pad - pad // 2) * 2), w, None, stride, 0, 1, groups)

    def bn(self, x, name):
        return F.batch_norm(x, self.p(name + ".running_mean"), self.p(name + ".running_var"),
                            self.p(name + ".weight"), self.p(name + ".bias"), False, 0, 1e-3)

    def forward(self, x):
        x = F.relu6(self.bn(self.conv(x, "conv_stem", 2), "bn1"))
        for s, (e, _k, stride, repeat) in enumerate(STAGES):
            for r in range(repeat):
                b, st, y = f"blocks.{s}.{r}", stride if r == 0 else 1, x
                names = ["conv_dw", "conv_pw"] if e == 1 else ["conv_pw", "conv_dw", "conv_pwl"]
                for i, c in enumerate(names):
                    dw = c == "conv_dw"
                    y = self.bn(self.conv(y, f"{b}.{c}", st if dw else 1, int(y.shape[1]) if dw else 1), f"{b}.bn{i + 1}")
                    if i + 1 < len(names):
                        y = F.relu6(y)
                x = x + y if y.shape == x.shape else y
        x = F.relu6(self.bn(self.conv(x, "conv_head"), "bn2")).mean((2, 3))
        return F.linear(x, self.p("classifier.weight"), self.p("classifier.bias"))


if __name__ == "__main__":
    net = Lite0(load(sys.argv[1])).eval()
    torch.onnx.export(net, torch.zeros(2, 3, SIDE, SIDE), sys.argv[2], input_names=["x"], output_names=["logits"],
                      opset_version=13, dynamic_axes={"x": {0: "n"}, "logits": {0: "n"}})
