"""Forward passes side by side with ONNX Runtime: batches of 1, 8 and 32 photos, one thread and two.

    python3 bench/infer/run.py [--rounds 3] [--seconds 3] [--networks a,b]

Needs the release build with `cmake --build --preset release --target infer_bench` and Debian's python3-torch for the export;
ONNX Runtime, the newest there is, is installed into build/bench-venv. 224 pixels, single precision. Every round runs each
side once, one after the other. Nothing else should run on the machine.
"""
import argparse
import os
import pathlib
import platform
import statistics as st
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BENCH = ROOT / "build/release/bench/infer_bench"
PEER = ROOT / "bench/first_light/peer_ort.py"
VENV = ROOT / "build/bench-venv"


def out(*cmd):
    return subprocess.run([str(c) for c in cmd], check=True, stdout=subprocess.PIPE, text=True).stdout


def prepare(nets):
    py = VENV / "bin/python"
    if not py.exists():
        out(sys.executable, "-m", "venv", VENV)
        out(VENV / "bin/pip", "install", "-q", "onnxruntime", "pillow", "numpy")
    for net in nets:
        if not (ROOT / f"build/{net}.onnx").exists():
            out("/usr/bin/python3", HERE / "export_onnx.py", net, ROOT / f"build/{net}.onnx")
    return py


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--networks", default="bn-inception,efficientnet-lite0,resnet50")
    a = p.parse_args()
    nets = a.networks.split(",")
    py = prepare(nets)
    cpu = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), platform.machine())
    version = out(py, "-c", "import onnxruntime as o; print(o.__version__)").strip()
    print(f"{cpu}, {os.cpu_count()} processors · Linux {platform.release()} · ONNX Runtime {version} · "
          f"{time.strftime('%Y-%m-%d')} · {a.rounds} rounds of {a.seconds:g} s\n")
    print("| network | threads | batch | tepal, ms (each round) | ONNX Runtime, ms | tepal is faster by |\n|---|---|---|---|---|---|")
    every = lambda v: f"{st.median(v):.1f} ({', '.join(f'{x:.1f}' for x in v)})"  # noqa: E731
    for net in nets:
        ratios = []
        for threads in (1, 2):
            for batch in (1, 8, 32):
                ours, theirs = [], []
                for _ in range(a.rounds):
                    ours.append(float(out(BENCH, net, batch, threads, a.seconds)))
                    theirs.append(st.median(float(x) for x in out(
                        py, PEER, ROOT / f"build/{net}.onnx", batch, threads, a.seconds, 224).split()))
                ratios.append(st.median(t / o for o, t in zip(ours, theirs)))
                print(f"| {net} | {threads} | {batch} | {every(ours)} | {every(theirs)} | {ratios[-1]:.2f} |", flush=True)
        print(f"| {net} | | median of the six | | | **{st.median(ratios):.2f}** |", flush=True)
    for net in nets:
        shared = [float(out(BENCH, net, 1, 2, a.seconds)) for _ in range(a.rounds)]
        own = [float(out(BENCH, net, "workers", 2, a.seconds)) for _ in range(a.rounds)]
        print(f"\n{net}: two workers of one thread {every(own)} ms a photo, one worker of two threads {every(shared)}: "
              f"{st.median(s / o for s, o in zip(shared, own)):.2f} x the throughput")


main()
