"""Training steps by PyTorch, for run.py: python3 peer_torch.py NETWORK BATCH THREADS SECONDS SIDE LAYOUT

LAYOUT is nchw or channels_last. The networks are those of tests/golden/gen_zoo.py, in single precision, padded by the
convolution itself wherever padding is the same on both sides. Prints what train_bench prints.
"""
import json
import pathlib
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/golden"))
import gen_zoo  # noqa: E402

name, batch, threads, seconds, side, layout = sys.argv[1:7]
batch, threads, seconds, side = int(batch), int(threads), float(seconds), int(side)
torch.set_num_threads(threads)
form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
params, buffers = {}, {}


def tensor(n, *shape):
    kept = buffers if "running" in n else params
    if n not in kept:
        v = torch.ones(shape) if len(shape) == 1 else torch.randn(shape) / np.prod(shape[1:])
        if len(shape) == 4:
            v = v.contiguous(memory_format=form)
        kept[n] = v.requires_grad_("running" not in n)
    return kept[n]


def norm(x, n, eps=1e-5):
    c = x.shape[1]
    return F.batch_norm(x, tensor(n + ".running_mean", c), tensor(n + ".running_var", c), tensor(n + ".weight", c),
                        tensor(n + ".bias", c), True, 0.1, eps)


def pad(x, p, *rest, **more):
    """Same on both sides: left to the convolution that follows, by a mark on the tensor."""
    if p[0] == p[1]:
        x.same = p[0]
        return x
    return F_pad(x, p, *rest, **more)


def conv(x, n, out, k, stride=1, p=0, groups=1, bias=False):
    k = k if isinstance(k, tuple) else (k, k)
    p = getattr(x, "same", p) if p == 0 else p
    w = tensor(n + ".weight", out, x.shape[1] // groups, *k)
    return F.conv2d(x, w, tensor(n + ".bias", out) if bias else None, stride, p, 1, groups)


F_pad = F.pad
gen_zoo.tensor, gen_zoo.norm, gen_zoo.conv = tensor, norm, conv
gen_zoo.F.pad = pad
net, classifier, _ = gen_zoo.NETS[name]
x = torch.randn(batch, 3, side, side).contiguous(memory_format=form)
y = torch.arange(batch) % 1000


def forward():
    f = net(x).mean((2, 3))
    return F.linear(f, tensor(classifier + ".weight", 1000, f.shape[1]), tensor(classifier + ".bias", 1000))


with torch.no_grad():
    forward()
optimizer = torch.optim.SGD(list(params.values()), lr=1e-4, momentum=0.9, foreach=True)


def step():
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(forward(), y).backward()
    optimizer.step()


for _ in range(2):
    step()
times, t0 = [], time.monotonic()
while not times or time.monotonic() - t0 < seconds:
    t = time.monotonic()
    step()
    times.append(time.monotonic() - t)
print(json.dumps({"seconds": times, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                  "version": torch.__version__}))
