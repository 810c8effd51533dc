"""Logits of the default model on real photos, by Pillow and PyTorch: golden numbers for tests/unit/engine.

    /usr/bin/python3 tests/golden/gen_photo_logits.py PHOTOS > tests/golden/photo_logits.txt

PHOTOS is the photo set that TEPAL_PHOTOS names; the 60 photos as uploaded are used. Only numbers are kept. Run it again
when the default model changes. Photos are decoded at full size here, as the test has tepal do too.
"""
import csv
import pathlib
import sys

import numpy as np
import torch
from PIL import Image, ImageOps

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/first_light"))
from export_onnx import Lite0, load  # noqa: E402

SIDE = 256
net = Lite0(load(ROOT / "models/plants83.safetensors")).eval()
folder = pathlib.Path(sys.argv[1]) / "originals"
for row in csv.DictReader(open(folder / "MANIFEST.csv", newline="")):
    if row["kind"] != "original":
        continue
    im = ImageOps.exif_transpose(Image.open(folder / row["file"])).convert("RGB")
    w, h = im.size
    s = SIDE / min(w, h)
    w, h = round(w * s), round(h * s)
    left, top = (w - SIDE) // 2, (h - SIDE) // 2
    im = im.resize((w, h), Image.BICUBIC).crop((left, top, left + SIDE, top + SIDE))
    x = torch.from_numpy((np.asarray(im, np.float32) - 127) / 128).permute(2, 0, 1)[None]
    with torch.no_grad():
        z = net(x)[0]
    print(row["file"])
    print(" ".join(f"{v:.8g}" for v in z.tolist()))
