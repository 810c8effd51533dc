"""How many photos of things the model does not know are turned down: non-plants, and plants of other species.

    python3 bench/rejection.py PHOTOS [MODEL]      after make build; PHOTOS as TEPAL_PHOTOS

None of these photos is used to fit anything.
"""
import csv
import json
import math
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEPAL = ROOT / "build/release/src/cli/tepal"
photos = pathlib.Path(sys.argv[1])
model = sys.argv[2] if len(sys.argv) > 2 else str(ROOT / "models/plants83.safetensors")


def rejected(path):
    out = subprocess.run([TEPAL, "identify", "--json", "--model", model, path], capture_output=True, check=True)
    return not json.loads(out.stdout)["likely"]


def report(what, paths):
    n, k = len(paths), sum(rejected(p) for p in paths)
    z, p = 1.96, k / n  # Wilson's interval
    mid, half = p + z * z / 2 / n, z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    low, high = (mid - half) / (1 + z * z / n), (mid + half) / (1 + z * z / n)
    print(f"{what}: {k} of {n} rejected ({100 * low:.0f} to {100 * high:.0f} %)")


known = {r["scientific_name"] for r in csv.DictReader(open(photos / "classes.csv", newline=""))}
report("no plant", sorted((photos / "nonplant").glob("*.jpg")))
rows = [r for r in csv.DictReader(open(photos / "originals/MANIFEST.csv", newline="")) if r["kind"] == "original"]
plants = [r for r in rows if r["species"] and not r["species"].startswith("(")]
report("plants of other species", [photos / "originals" / r["file"] for r in plants if r["species"] not in known])
