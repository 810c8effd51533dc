#!/usr/bin/python3
"""Writes optim.bin beside this file: weights after each step of PyTorch 1.13's optimisers, on drawn gradients.

A run of cases, little-endian: 5 int32 (kind: 0 SGD, 1 AdamW; nesterov, steps, floats, groups), 5 doubles (momentum,
beta1, beta2, eps, norm to clip at); a group as 4 int32 (offset, count, step it is thawed at, 0) and 2 doubles (learning
rate scale, weight decay); the weights; then a step as 2 doubles (learning rate, norm before clipping) and the gradients
and weights as floats; at the end the momentum or the two moments.
"""
import struct
from pathlib import Path

import numpy as np
import torch

STEPS, NEVER = 14, 1000
GROUPS = [  # count, thawed at step, learning rate scale, weight decay; a gap of GAP floats follows each
    (37, 0, 1.0, 0.02),
    (8, 0, 1.0, 0.0),
    (11, NEVER, 1.0, 0.02),
    (23, 5, 0.25, 0.1),
    (1, 0, 2.0, 0.0),
]
GAP = 3
CASES = [  # kind, momentum, nesterov, beta1, beta2, norm to clip at, learning rate
    (0, 0.0, False, 0.9, 0.999, 0.0, 0.1),
    (0, 0.9, False, 0.9, 0.999, 0.0, 0.1),
    (0, 0.9, True, 0.9, 0.999, 0.0, 0.1),
    (0, 0.8, True, 0.9, 0.999, 7.5, 0.1),
    (1, 0.0, False, 0.9, 0.999, 0.0, 0.01),
    (1, 0.0, False, 0.8, 0.95, 7.5, 0.01),
]
EPS = 1e-8


def main():
    out = bytearray()
    for seed, (kind, momentum, nesterov, beta1, beta2, clip, base) in enumerate(CASES):
        rng = np.random.RandomState(seed)
        n = sum(g[0] + GAP for g in GROUPS)
        out += struct.pack("<5i5d", kind, nesterov, STEPS, n, len(GROUPS), momentum, beta1, beta2, EPS, clip)
        slab = rng.normal(0, 1, n).astype(np.float32)
        offsets, params, at = [], [], 0
        for count, thaw, scale, decay in GROUPS:
            out += struct.pack("<4i2d", at, count, thaw, 0, scale, decay)
            offsets.append(at)
            params.append(torch.nn.Parameter(torch.tensor(slab[at : at + count])))
            at += count + GAP
        out += slab.tobytes()
        table = [{"params": [p], "weight_decay": g[3]} for p, g in zip(params, GROUPS)]
        if kind == 0:
            opt = torch.optim.SGD(table, lr=base, momentum=momentum, nesterov=nesterov)
        else:
            opt = torch.optim.AdamW(table, lr=base, betas=(beta1, beta2), eps=EPS)
        for step in range(STEPS):
            lr = base * (1 - step / (2 * STEPS))
            grads = rng.normal(0, 0.5 + rng.uniform(), n).astype(np.float32)
            for p, g, offset, group in zip(params, GROUPS, offsets, opt.param_groups):
                p.grad = None if step < g[1] else torch.tensor(grads[offset : offset + g[0]])
                group["lr"] = lr * g[2]
            norm = torch.nn.utils.clip_grad_norm_(params, clip if clip else 1e30)
            opt.step()
            for p, offset in zip(params, offsets):
                slab[offset : offset + p.numel()] = p.detach().numpy()
            out += struct.pack("<2d", lr, norm) + grads.tobytes() + slab.tobytes()
        names = ["momentum_buffer"] if momentum else ["exp_avg", "exp_avg_sq"] if kind else []
        for name in names:
            state = np.zeros(n, np.float32)
            for p, offset in zip(params, offsets):
                if name in opt.state[p]:
                    state[offset : offset + p.numel()] = opt.state[p][name].numpy()
            out += state.tobytes()
    Path(__file__).with_name("optim.bin").write_bytes(out)


if __name__ == "__main__":
    main()
