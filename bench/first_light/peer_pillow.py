"""Pillow and NumPy on the same photos, the same preparation. peer_pillow.py full|draft SECONDS PHOTO..."""
import io
import sys
import time

import numpy as np
from PIL import Image, ImageOps


def prep(data, draft):
    im = Image.open(io.BytesIO(data))
    w, h = im.size
    s = 224 / min(w, h)
    if draft:
        im.draft("RGB", (round(w * s), round(h * s)))
    im = ImageOps.exif_transpose(im).convert("RGB")
    w, h = im.size
    s = 224 / min(w, h)
    w, h = round(w * s), round(h * s)
    im = im.resize((w, h), Image.BICUBIC).crop(((w - 224) // 2, (h - 224) // 2, (w - 224) // 2 + 224,
                                                (h - 224) // 2 + 224))
    return np.ascontiguousarray(((np.asarray(im, np.float32) - 127) / 128).transpose(2, 0, 1))


files = [open(p, "rb").read() for p in sys.argv[3:]]
end = time.perf_counter() + float(sys.argv[2])
while True:
    for data in files:
        t = time.perf_counter()
        prep(data, sys.argv[1] == "draft")
        print(f"{1e3 * (time.perf_counter() - t):.4f}")
    if time.perf_counter() >= end:
        break
