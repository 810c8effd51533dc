"""Training steps of the networks of the zoo with made-up weights, by PyTorch: golden numbers for
tests/unit/nn/test_zoo_learn.c.

    /usr/bin/python3 tests/golden/gen_zoo_learn.py      (Debian: python3-torch; writes tests/golden/zoo_learn/)

The networks are gen_zoo.py's, in double precision, with batch-norm by the batch's statistics and without dropout. Kept of
each: the losses of three steps of plain gradient descent on one batch; then, of the first step, for each trained parameter
the gradient's norm and its product with a made-up direction; then for each running statistic its norm after that step.
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

import gen_zoo

BATCH, CLASSES, STEPS, LR = 4, 10, 3, 0.002
OUT = pathlib.Path(__file__).resolve().parent / "zoo_learn"
MOMENTUM = {"efficientnet-lite0": 0.01, "efficientnet-lite1": 0.01, "efficientnet-lite2": 0.01}
weights, buffers, state = {}, {}, {}
made_up = gen_zoo.tensor


def tensor(name, *shape):
    kept = buffers if "running" in name else weights
    if name not in kept:
        kept[name] = made_up(name, *shape).clone()
        kept[name].requires_grad_("running" not in name)
    return kept[name]


def norm(x, name, eps=1e-5):
    c = x.shape[1]
    return F.batch_norm(x, tensor(name + ".running_mean", c), tensor(name + ".running_var", c),
                        tensor(name + ".weight", c), tensor(name + ".bias", c), True, state["momentum"], eps)


gen_zoo.tensor, gen_zoo.norm = tensor, norm


def run(name, net, classifier, side):
    weights.clear()
    buffers.clear()
    state["momentum"] = MOMENTUM.get(name, 0.1)
    x = torch.from_numpy(gen_zoo.unit("input", BATCH * 3 * side * side).reshape(BATCH, 3, side, side)).double() * 4
    y = torch.arange(BATCH) * 3 % CLASSES
    losses, lines = [], []
    for step in range(STEPS):
        f = net(x).mean((2, 3))
        z = F.linear(f, tensor(classifier + ".weight", CLASSES, f.shape[1]), tensor(classifier + ".bias", CLASSES))
        loss = F.cross_entropy(z, y)
        losses.append(loss.item())
        for w in weights.values():
            w.grad = None
        loss.backward()
        if step == 0:
            for n, w in weights.items():
                along = torch.from_numpy(gen_zoo.unit(n + "#", w.numel()).reshape(w.shape)).double()
                lines.append(f"{n} {w.grad.norm().item():.9g} {(w.grad * along).sum().item():.9g}\n")
            for n, b in buffers.items():
                lines.append(f"{n} {b.norm().item():.9g} 0\n")
        with torch.no_grad():
            for w in weights.values():
                w -= LR * w.grad
    text = " ".join(f"{v:.9g}" for v in losses) + "\n" + "".join(sorted(lines))
    (OUT / f"{name}.txt").write_text(text)
    print(name, side, losses)


def main():
    OUT.mkdir(exist_ok=True)
    for name, (net, classifier, side) in gen_zoo.NETS.items():
        run(name, net, classifier, side)


if __name__ == "__main__":
    main()
