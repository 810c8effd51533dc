"""Training steps side by side with PyTorch: images a second, memory, and what a busy neighbour costs.

    python3 bench/train/run.py [--rounds 3] [--seconds 10] [--batches 16,32] [--networks a,b] [--python PYTHON]

Needs the release build with `cmake --build --preset release --target train_bench` and Debian's python3-torch, or with
--python an interpreter that has another PyTorch (`python3 -m venv V && V/bin/pip install torch numpy`). A step is
forward + loss + backward + SGD with momentum, single precision, 224 pixels, two threads. PyTorch runs with the allocator
settings that were best for it, in both memory layouts; the faster one counts. Every round runs each side once, one after
the other. Nothing else should run on the machine.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics as st
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "build/release/bench/train_bench"
PEER = ROOT / "bench/train/peer_torch.py"
TUNED = dict(os.environ, GLIBC_TUNABLES="glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=100000000000")
SIDE = "224"
PYTHON = "/usr/bin/python3"


def run(cmd, env=None):
    return json.loads(subprocess.run([str(c) for c in cmd], check=True, stdout=subprocess.PIPE, text=True, env=env).stdout)


def tepal(net, batch, seconds, threads=2):
    return run([BENCH, net, batch, threads, seconds, SIDE])


def torch(net, batch, seconds, layout, threads=2):
    return run([PYTHON, PEER, net, batch, threads, seconds, SIDE, layout], TUNED)


def rate(result, batch):
    return batch / st.median(result["seconds"])


def steps(net, batch, rounds, seconds):
    ours, theirs, peak, peer_peak, arena = [], {"nchw": [], "channels_last": []}, 0, 0, 0
    layouts = list(theirs)
    for r in range(rounds):
        d = tepal(net, batch, seconds)
        ours.append(rate(d, batch))
        peak, arena = max(peak, d["peak_mib"]), d["arena_mib"]
        for layout in layouts:
            d = torch(net, batch, seconds, layout)
            theirs[layout].append(rate(d, batch))
            peer_peak = max(peer_peak, d["peak_mib"]) if layout == layouts[-1] else peer_peak
        if r == 0:  # the slower layout has been seen, and is left out from here on
            layouts = [max(layouts, key=lambda k: theirs[k][0])]
            peer_peak = d["peak_mib"] if layouts[0] == layout else peer_peak
    best = layouts[0]
    ratios = [a / b for a, b in zip(ours, theirs[best])]
    every = lambda v: f"{st.median(v):.1f} ({', '.join(f'{x:.1f}' for x in v)})"  # noqa: E731
    print(f"| {net}, batch {batch} | {every(ours)} | {every(theirs[best])} {best} | {st.median(ratios):.2f} | "
          f"{peak:.0f} (arena {arena:.0f}) | {peer_peak:.0f} | {peak / peer_peak:.2f} |", flush=True)


def busy(net, batch, seconds, rounds):
    """The other core taken by a loop that does nothing else."""
    shares = []
    for _ in range(rounds):
        quiet = rate(tepal(net, batch, seconds), batch)
        loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        time.sleep(0.5)
        shares.append(rate(tepal(net, batch, seconds), batch) / quiet)
        loop.kill()
        loop.wait()
    print(f"| {net}, batch {batch}, another process busy on one core | {st.median(shares):.2f} of the quiet rate "
          f"({', '.join(f'{x:.2f}' for x in shares)}) |")


def main():
    global PYTHON
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--batches", default="16,32")
    p.add_argument("--networks", default="bn-inception,resnet50,efficientnet-lite0")
    p.add_argument("--python", default=PYTHON)
    p.add_argument("--skip-busy", action="store_true", help="leave out the rows with a busy neighbour")
    a = p.parse_args()
    PYTHON = a.python
    cpu = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), platform.machine())
    version = torch("efficientnet-lite0", 2, 0.1, "nchw")["version"]
    print(f"{cpu}, {os.cpu_count()} processors · Linux {platform.release()} · PyTorch {version}, 2 threads, tuned allocator · "
          f"{time.strftime('%Y-%m-%d')} · {a.rounds} rounds of {a.seconds:g} s\n")
    print("| network | tepal, images/s (each round) | PyTorch, images/s | tepal is faster by | tepal, MiB | PyTorch, MiB | memory |")
    print("|---|---|---|---|---|---|---|")
    for net in a.networks.split(","):
        for batch in a.batches.split(","):
            steps(net, int(batch), a.rounds, a.seconds)
    if a.skip_busy:
        return
    print("\n| what | result |\n|---|---|")
    busy("bn-inception", 16, a.seconds, a.rounds)


main()
