#!/usr/bin/python3
"""Writes jitter.bin beside this file: a picture, and what the colour steps make of it.

Independent of the C code: float64 numpy, HSV by the textbook. Formulas: torchvision 0.14, functional_tensor.py, on
floats in 0..1 (_blend clamps after each step; no rounding between steps), rounded to 8 bits at the end.
All numbers little-endian: w, h (int32), w * h * 3 bytes; then cases: brightness, contrast, saturation, hue (float32),
order (4 bytes: 0 brightness, 1 contrast, 2 saturation, 3 hue), w * h * 3 bytes of result.
"""
import colorsys
import itertools
import struct
from pathlib import Path

import numpy as np

W, H = 41, 29  # more than two strips and a rest
FACTORS = [(1.3, 0.7, 1.4, 0.04), (0.6, 1.5, 0.2, -0.31), (1.0, 1.4, 1.0, 0.0), (1.0, 1.0, 1.0, 0.5), (2.0, 1.0, 0.0, 0.1)]


def picture():
    y, x = np.mgrid[0:H, 0:W]
    a = np.stack([255 * x / (W - 1), 255 * y / (H - 1), 127 + 120 * np.sin(x * 0.9 + y * 0.4)], 2)
    a += np.random.RandomState(7).normal(0, 25, a.shape)
    a = np.clip(a, 0, 255).astype(np.uint8)
    a[0, :6] = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 90, 90)]
    a[1, :6] = [(200, 200, 10), (10, 200, 200), (200, 10, 200), (200, 10, 10), (1, 0, 0), (254, 255, 255)]
    return a


def grey(a):
    return (a @ np.array([0.2989, 0.587, 0.114]))[..., None]


def blend(a, b, f):
    return np.clip(f * a + (1 - f) * b, 0, 1)


def hue(a, turns):
    out = np.empty_like(a)
    for i in np.ndindex(a.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*a[i])
        out[i] = colorsys.hsv_to_rgb((h + turns) % 1.0, s, v)
    return out


def jitter(px, factors, order):
    a = px / 255.0
    for step in order:
        f = factors[step]
        if step == 0:
            a = blend(a, 0, f)
        elif step == 1:
            a = blend(a, grey(a).mean(), f)
        elif step == 2:
            a = blend(a, grey(a), f)
        else:
            a = hue(a, f)
    return np.floor(a * 255 + 0.5).astype(np.uint8)


def main():
    px = picture()
    out = bytearray(struct.pack("<2i", W, H) + px.tobytes())
    for n, order in enumerate(itertools.permutations(range(4))):
        f = np.float32(FACTORS[n % len(FACTORS)])
        r = jitter(px, [float(v) for v in f], order)
        out += f.tobytes() + bytes(order) + r.tobytes()
    Path(__file__).with_name("jitter.bin").write_bytes(out)


if __name__ == "__main__":
    main()
