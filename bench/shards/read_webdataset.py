#!/usr/bin/env python3
"""Shows that Python's `webdataset` reads what `tepal data pack` wrote.

    python3 bench/shards/read_webdataset.py DIR

Installs webdataset (and Pillow) with pip into a virtual environment in a temporary folder; where that cannot be had, the shards are read
with the standard library's tarfile by webdataset's rules: members in a row with the same name up to the first dot are a
sample. Every sample must have a JPEG that is the size its JSON says, and all that shards.json promises must be there. Says
which reader it was; exit status 1 when anything is missing.
"""
import collections
import json
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile
import venv

WITH_WEBDATASET = """
import json, sys
import webdataset as wds
print("webdataset", wds.__version__, file=sys.stderr)
for url in sys.argv[1:]:
    for s in wds.WebDataset(url, shardshuffle=False).decode("rgb8").to_tuple("__key__", "jpg", "json"):
        key, image, about = s
        print(json.dumps([url, key, image.shape[1], image.shape[0], about]))
"""


def jpeg_size(b):
    at = 2
    while True:
        marker, length = b[at + 1], struct.unpack(">H", b[at + 2:at + 4])[0]
        if 0xc0 <= marker <= 0xcf and marker not in (0xc4, 0xc8, 0xcc):
            height, width = struct.unpack(">HH", b[at + 5:at + 9])
            return width, height
        at += 2 + length


def with_tarfile(tars):
    for tar in tars:
        samples = collections.OrderedDict()
        with tarfile.open(tar) as t:
            for m in t:
                key, _, ext = m.name.partition(".")
                samples.setdefault(key, {})[ext] = t.extractfile(m).read()
        for key, s in samples.items():
            yield [str(tar), key, *jpeg_size(s["jpg"]), json.loads(s["json"])]


def with_webdataset(tars):
    """None: it cannot be had here."""
    with tempfile.TemporaryDirectory() as d:
        try:
            venv.create(d, with_pip=True)
            subprocess.run([f"{d}/bin/pip", "-q", "install", "webdataset", "Pillow"], check=True, timeout=300)
        except (subprocess.SubprocessError, OSError) as e:
            print(f"webdataset cannot be installed: {e}", file=sys.stderr)
            return None
        out = subprocess.run([f"{d}/bin/python", "-c", WITH_WEBDATASET, *map(str, tars)], check=True, stdout=subprocess.PIPE,
                             text=True).stdout
        return [json.loads(line) for line in out.splitlines()]


def main():
    folder = pathlib.Path(sys.argv[1])
    doc = json.loads((folder / "shards.json").read_text())
    bad = total = 0
    for split, s in doc["splits"].items():
        tars = [folder / f["file"] for f in s["shards"]]
        samples = with_webdataset(tars)
        reader = "tarfile" if samples is None else "webdataset"
        samples = list(with_tarfile(tars)) if samples is None else samples
        counts = collections.Counter(pathlib.Path(x[0]).name for x in samples)
        for f in s["shards"]:
            bad += counts[f["file"]] != f["photos"]
        for _, key, w, h, about in samples:
            known = doc["classes"][about["label"]]["name"] == about["species"]
            bad += not known or (w, h) != (about["width"], about["height"])
        bad += len({x[1] for x in samples}) != len(samples)
        total += len(samples)
        print(f"{split}: {len(samples)} samples from {len(tars)} shards, {len({x[4]['species'] for x in samples})} species, "
              f"read with {reader}")
    bad += total != doc["photos"]["packed"]
    print(f"{total} samples, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
