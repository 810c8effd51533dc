#!/usr/bin/python3
"""Writes loss.bin beside this file: losses and gradients by PyTorch 1.13 in double precision.

A run of cases, little-endian: 4 int32 (rows, classes, mixed, shift: 0 none, 1 balanced softmax, 2 logit adjustment),
4 doubles (smoothing, tau, beta of class-balanced weights or -1, the loss); samples of each class as int32; logits as
float; the classes as int32, the second ones, the first one's weight as float; the gradient as double.
"""
import struct
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

CASES = [  # rows, classes, mixed, shift, smoothing, tau, beta, size of the logits
    (5, 7, 0, 0, 0.0, 0.0, -1, 3),
    (1, 2, 0, 0, 0.0, 0.0, -1, 1),
    (9, 4, 0, 0, 0.1, 0.0, -1, 3),
    (9, 4, 0, 0, 0.0, 0.0, 0.99, 3),
    (9, 4, 0, 0, 0.2, 0.0, 0.999, 3),
    (8, 11, 1, 0, 0.0, 0.0, -1, 3),
    (8, 11, 1, 0, 0.1, 0.0, 0.9, 3),
    (6, 5, 0, 1, 0.0, 1.0, -1, 3),
    (6, 5, 1, 1, 0.1, 1.0, -1, 3),
    (6, 5, 0, 2, 0.0, 1.5, -1, 3),
    (6, 5, 0, 2, 0.1, 0.7, 0.5, 3),
    (4, 300, 0, 0, 0.1, 0.0, -1, 1000),
]


def main():
    out = bytearray()
    for seed, (n, classes, mixed, shift, smoothing, tau, beta, size) in enumerate(CASES):
        rng = np.random.RandomState(seed)
        counts = np.ceil(2000 / (1 + np.arange(classes)) ** 1.5).astype(np.int32)
        logits = (size * rng.normal(0, 1, (n, classes))).astype(np.float32)
        a, b = rng.randint(0, classes, (2, n)).astype(np.int32)
        b[0] = a[0]
        share = rng.beta(0.4, 0.4, n).astype(np.float32)
        z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        spc = torch.tensor(counts, dtype=torch.float64)
        shifted = z + [0, spc.log(), tau * (spc / spc.sum()).log()][shift]
        weights = None
        if beta >= 0:
            weights = (1 - beta) / (1 - beta**spc)
            weights = weights / weights.sum() * classes
        target = torch.tensor(a, dtype=torch.int64)
        if mixed:
            s = torch.tensor(share, dtype=torch.float64)[:, None]
            second = torch.tensor(b, dtype=torch.int64)
            target = s * F.one_hot(target, classes) + (1 - s) * F.one_hot(second, classes)
        loss = F.cross_entropy(shifted, target, weight=weights, label_smoothing=smoothing)
        loss.backward()
        out += struct.pack("<4i4d", n, classes, mixed, shift, smoothing, tau, beta, loss.item())
        for array in (counts, logits, a, b, share, z.grad.numpy()):
            out += array.tobytes()
    Path(__file__).with_name("loss.bin").write_bytes(out)


if __name__ == "__main__":
    main()
