#!/usr/bin/python3
"""Writes schedule.txt beside this file: learning rates by PyTorch 1.13's schedulers.

A line a case: kind (0 constant, 1 cosine, 2 drops), steps, steps an epoch, warm-up epochs, its first share, floor, factor,
two drops in epochs; then a line with the rate of every step.
"""
import warnings
from pathlib import Path

import torch
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, MultiStepLR, SequentialLR

LR = 0.4
CASES = [
    (0, 12, 4, 0, 1, 0, 1, 0, 0),
    (0, 12, 4, 1.5, 0.1, 0, 1, 0, 0),
    (1, 30, 5, 0, 1, 0, 1, 0, 0),
    (1, 30, 5, 2, 0.01, 0.003, 1, 0, 0),
    (2, 30, 5, 0, 1, 0, 0.1, 2, 4),
    (2, 30, 5, 1, 0.25, 0, 0.3, 2.2, 5),
]


def rates(kind, total, epoch, warm, share, floor, factor, drop1, drop2):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    warm = round(warm * epoch)
    then = [
        lambda: ConstantLR(opt, factor=1, total_iters=1),
        lambda: CosineAnnealingLR(opt, total - warm, eta_min=floor),
        lambda: MultiStepLR(opt, [round(drop1 * epoch) - warm, round(drop2 * epoch) - warm], factor),
    ][kind]
    if warm:
        first = LinearLR(opt, start_factor=share, total_iters=warm)
        schedule = SequentialLR(opt, [first, then()], [warm])
    else:
        schedule = then()
    out = []
    for _ in range(total):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    return out


def main():
    warnings.simplefilter("ignore")
    lines = []
    for case in CASES:
        lines.append(" ".join(f"{v:g}" for v in case))
        lines.append(" ".join(f"{v:.12g}" for v in rates(*case)))
    Path(__file__).with_name("schedule.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
