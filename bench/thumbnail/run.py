#!/usr/bin/env python3
"""12-megapixel JPEGs to thumbnails of a short side of 256: tepal, vipsthumbnail and Pillow in one run, one thread.

    python3 bench/thumbnail/run.py --photos DIR [--rounds 5]

DIR holds photos (JPEG, at least 600 pixels a side); they are tiled and enlarged to 4000 x 3000 in build/thumbnail/.
Needs the target thumb_bench (cmake --build build/release --target thumb_bench) and Debian's libvips-tools
(apt-get install libvips-tools); Pillow comes into build/bench-venv. vipsthumbnail is timed as a program on all photos at
once, tepal beside it likewise: the start of the process counts for both. Every round runs each side once.
"""
import argparse
import os
import pathlib
import shutil
import statistics as st
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
VENV = ROOT / "build/bench-venv"
OUT = ROOT / "build/thumbnail"
MAKE = """
import sys, pathlib
from PIL import Image
src, out, n = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
made = 0
for p in sorted(src.iterdir()):
    if p.suffix.lower() not in ('.jpg', '.jpeg') or made == n:
        continue
    try:
        im = Image.open(p).convert('RGB')
    except Exception:
        continue
    if min(im.size) < 400:
        continue
    big = Image.new('RGB', (4000, 3000))  # four photos' worth of detail: each tile is enlarged to 2000 x 1500
    tile = im.resize((2000, 1500), Image.LANCZOS)
    for k in range(4):
        big.paste(tile.transpose(k) if k < 2 else tile, (k % 2 * 2000, k // 2 * 1500))
    big.save(out / f'{made:02d}.jpg', quality=90)
    made += 1
print(made)
"""


def seconds(cmd, env=None):
    t = time.perf_counter()
    subprocess.run([str(c) for c in cmd], check=True, stdout=subprocess.DEVNULL, env=env)
    return time.perf_counter() - t


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--photos", required=True)
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--count", type=int, default=8)
    o = a.parse_args()
    ours = ROOT / "build/release/bench/thumb_bench"
    vips = shutil.which("vipsthumbnail")
    if not ours.exists():
        sys.exit("build/release/bench/thumb_bench is missing: cmake --build build/release --target thumb_bench")
    if not vips:
        sys.exit("vipsthumbnail is missing: apt-get install libvips-tools")
    py = VENV / "bin/python"
    if not py.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    if subprocess.run([py, "-c", "import PIL"], stderr=subprocess.DEVNULL).returncode:
        subprocess.run([VENV / "bin/pip", "install", "-q", "pillow"], check=True)
    OUT.mkdir(parents=True, exist_ok=True)
    if len(list(OUT.glob("[0-9]*.jpg"))) < o.count:
        subprocess.run([py, "-c", MAKE, o.photos, OUT, str(o.count)], check=True)
    photos = sorted(OUT.glob("[0-9]*.jpg"))
    one = dict(os.environ, VIPS_CONCURRENCY="1")
    sides = {
        "tepal": lambda: seconds([ours, 1, OUT / "tepal.out", *photos]),
        # "x256<" would enlarge only: a width without limit, a height of 256 is the short side of a landscape photo
        "vipsthumbnail": lambda: seconds([vips, "--size", "x256", "-o", str(OUT / "vips_%s.jpg[Q=75]"), *photos], one),
        "Pillow": lambda: seconds([py, HERE / "peer_pillow.py", "plain", 1, OUT / "pillow.jpg", *photos]),
        "Pillow with draft()": lambda: seconds([py, HERE / "peer_pillow.py", "draft", 1, OUT / "pillow.jpg", *photos]),
    }
    seen = {k: [] for k in sides}
    for r in range(-1, o.rounds):
        for k, f in sides.items():
            t = 1e3 * f() / len(photos)
            if r >= 0:
                seen[k].append(t)
    print(f"{len(photos)} photos of 4000 x 3000, {o.rounds} rounds\n\n| | ms a photo (all rounds) | tepal is faster by |\n|---|---:|---:|")
    for k, v in seen.items():
        ratio = st.median(p / t for p, t in zip(v, seen["tepal"]))
        print(f"| {k} | {st.median(v):.1f} ({', '.join(f'{x:.1f}' for x in v)}) | {ratio:.2f} x |")


main()
