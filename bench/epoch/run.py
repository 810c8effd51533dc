"""A whole epoch of fine-tuning from JPEG shards against the same steps on batches that are in memory already.

    python3 bench/epoch/run.py --shards DIR [--rounds 3] [--photos 960] [--threads 2] [--loader-threads 1] [--under CMD]

Needs the release build with `cmake --build --preset release --target epoch_bench`, the ImageNet weights (`tepal model fetch
efficientnet-lite0`) and a folder that `tepal data pack PHOTOS --output DIR` wrote. A step is forward + loss + backward + SGD with
momentum, single precision, 224 pixels; from shards also reading, decoding and the standard augmentation, in the loader's
threads, on the same processors. The two sides take turns in blocks of five batches, so that what else goes on
meets both alike; batches are compared bit for bit. Every round is a process of its own, an epoch of each side. --under runs each round under another command.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shlex
import statistics as st
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "build/release/bench/epoch_bench"
WEIGHTS = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "tepal/efficientnet-lite0.safetensors"


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def every(values, form="{:.1f}"):
    return f"{form.format(st.median(values))} ({', '.join(form.format(v) for v in values)})"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--shards", required=True)
    p.add_argument("--weights", default=WEIGHTS)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--photos", type=int, default=960)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--loader-threads", type=int, default=1)
    p.add_argument("--augment", default="standard")
    p.add_argument("--under", default="")
    a = p.parse_args()
    made = json.loads((pathlib.Path(a.shards) / "shards.json").read_text())["made"]
    cmd = [*shlex.split(a.under), BENCH, a.shards, "efficientnet-lite0", a.weights, a.photos, a.batch, a.threads,
           a.loader_threads, a.augment]
    print(f"{processor()}, {os.cpu_count()} processors · Linux {platform.release()} · tepal {made['tepal']} · "
          f"{datetime.date.today()} · EfficientNet-Lite0, 224 pixels, batch {a.batch}, {a.threads} threads + "
          f"{a.loader_threads} of the loader · augmentation {a.augment} · {a.photos} photos, packed with short side "
          f"{made['short_side']} and quality {made['quality']} · {a.rounds} rounds\n")
    rounds = []
    for i in range(a.rounds):
        out = subprocess.run([str(c) for c in cmd], check=True, stdout=subprocess.PIPE, text=True).stdout
        rounds.append(json.loads(out))
        r = rounds[-1]
        print(f"round {i + 1}: memory {r['memory']:.2f} s, shards {r['shards']:.2f} s, ratio {r['memory'] / r['shards']:.3f}, "
              f"blocks {', '.join(f'{x:.3f}' for x in r['block_ratios'])}; loader ms a photo {r['loader_ms']}", flush=True)
    rate = lambda key: [r["photos"] / r[key] for r in rounds]  # noqa: E731
    ratios = [r["memory"] / r["shards"] for r in rounds]
    blocks = [x for r in rounds for x in r["block_ratios"]]
    cpu = [1e3 * (r["shards_cpu"] - r["memory_cpu"]) / r["photos"] for r in rounds]
    step = [1e3 * r["memory_cpu"] / r["photos"] for r in rounds]
    print("\n| photos/s from memory (each round) | photos/s from shards | shards / memory, epochs | shards / memory, median of the "
          "blocks | loader, ms of a processor a photo | network, ms of processors a photo | share of time waited |"
          "\n|---|---|---|---|---|---|---|")
    print(f"| {every(rate('memory'))} | {every(rate('shards'))} | {every(ratios, '{:.3f}')} | {st.median(blocks):.3f} of "
          f"{len(blocks)} ({min(blocks):.3f} to {max(blocks):.3f}) | {every(cpu, '{:.2f}')} | {every(step)} | "
          f"{every([100 * r['waited'] / r['shards'] for r in rounds])} % |")


if __name__ == "__main__":
    main()
