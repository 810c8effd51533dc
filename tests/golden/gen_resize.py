#!/usr/bin/python3
"""Writes resize.bin beside this file: pictures drawn here, and what Pillow 9.4 makes of them.

A run of cases, all numbers little-endian 32 bits: filter (0 bilinear, 1 bicubic), w, h, the box as 4 floats, the
new w and h; then w * h * 3 bytes of picture and new w * new h * 3 bytes of result.
"""
import struct
from pathlib import Path

import numpy as np
from PIL import Image

CASES = [  # w, h, box or None, new w, new h
    (97, 61, None, 32, 32),
    (97, 61, None, 48, 30),
    (50, 40, None, 75, 60),
    (23, 37, None, 64, 64),
    (64, 64, None, 64, 31),
    (64, 64, None, 31, 64),
    (64, 48, None, 64, 48),
    (101, 77, (3.25, 5.5, 90.125, 70.75), 40, 33),
    (33, 29, (10.5, 9.25, 14.75, 12.5), 51, 45),
    (400, 3, None, 20, 20),
    (3, 400, None, 20, 20),
    (1, 1, None, 9, 7),
    (90, 70, None, 1, 1),
    (2, 2, None, 17, 5),
]


def picture(w, h, seed):
    """A gradient, hard edges for the overshoot, a fine pattern and some noise."""
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([255 * x / max(1, w - 1), 255 * y / max(1, h - 1), 127 + 120 * np.sin(x * 0.9 + y * 0.4)], 2)
    a[(x - w / 2) ** 2 + (y - h / 2) ** 2 < (min(w, h) / 4) ** 2] = (255, 0, 255)
    a[(x // 2 + y // 2) % 7 == 0] = (0, 255, 0)
    a += np.random.RandomState(seed).normal(0, 8, a.shape)
    return np.clip(a, 0, 255).astype(np.uint8)


def main():
    out = bytearray()
    for seed, (w, h, box, new_w, new_h) in enumerate(CASES):
        a = picture(w, h, seed)
        box = box or (0, 0, w, h)
        for number, name in enumerate((Image.BILINEAR, Image.BICUBIC)):
            r = Image.fromarray(a).resize((new_w, new_h), name, box)
            out += struct.pack("<3i4f2i", number, w, h, *box, new_w, new_h) + a.tobytes() + r.tobytes()
    Path(__file__).with_name("resize.bin").write_bytes(out)


if __name__ == "__main__":
    main()
