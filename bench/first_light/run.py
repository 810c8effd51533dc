"""tepal and its peers side by side: decode + resize, forward, the server. Prints a table in Markdown.

    python3 bench/first_light/run.py [--photos DIR] [--rounds 5] [--seconds 3]

DIR is a folder laid out like the test photo set (main/, originals/). Needs the release build (make build) and
Debian's python3-torch for the export; ONNX Runtime and Pillow are installed into build/bench-venv.
Every round runs each side once, one after the other; the table gives the median of the rounds' medians, all
rounds, and the median of the rounds' ratios. Nothing else should run on the machine.
"""
import argparse
import http.client
import os
import pathlib
import platform
import re
import signal
import statistics as st
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BIN = ROOT / "build/release"
MODEL = ROOT / "models/plants83.safetensors"
VENV = ROOT / "build/bench-venv"
ONNX = ROOT / "build/bench.onnx"


def sh(*cmd, **kw):
    return subprocess.run([str(c) for c in cmd], check=True, stdout=subprocess.PIPE, text=True, **kw).stdout


def median_ms(*cmd):
    return st.median(float(x) for x in sh(*cmd).split())


def prepare():
    py = VENV / "bin/python"
    if not py.exists():
        sh(sys.executable, "-m", "venv", VENV)
        sh(VENV / "bin/pip", "install", "-q", "onnxruntime", "pillow", "numpy")
    if not ONNX.exists() or ONNX.stat().st_mtime < MODEL.stat().st_mtime:
        sh("/usr/bin/python3", HERE / "export_onnx.py", MODEL, ONNX)
    return py


def row(name, sides, rounds):
    """sides: {label: function -> ms}; the first is tepal, the others are peers."""
    seen = {k: [] for k in sides}
    for _ in range(rounds):
        for k, f in sides.items():
            seen[k].append(f())
    ours, *peers = sides
    cells = [f"{k} {st.median(v):.2f} ({', '.join(f'{x:.2f}' for x in v)})" for k, v in seen.items()]
    ratios = [f"{st.median(p / o for p, o in zip(seen[k], seen[ours])):.2f} x {k}" for k in peers]
    print(f"| {name} | {'; '.join(cells)} | {', '.join(ratios) or '-'} |", flush=True)


class Server:
    def __enter__(self):
        t = time.perf_counter()
        self.p = subprocess.Popen([BIN / "src/cli/tepal", "serve", "--model", MODEL, "--port", "0"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.p.stdout:
            m = re.search(r"listening http://127.0.0.1:(\d+)", line)
            if m:
                break
        self.port = int(m.group(1))
        self.start_ms = 1e3 * (time.perf_counter() - t)
        threading.Thread(target=self.p.stdout.read, daemon=True).start()
        return self

    def peak_mb(self):
        text = pathlib.Path(f"/proc/{self.p.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024

    def cpu_s(self):
        f = pathlib.Path(f"/proc/{self.p.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")

    def __exit__(self, *a):
        self.p.send_signal(signal.SIGTERM)
        self.p.wait()


def post_all(port, bodies, clients, seconds):
    """Latencies in ms of a closed loop: each client sends its next photo when the last is answered."""
    took, end = [], time.perf_counter() + seconds

    def client(k):
        c = http.client.HTTPConnection("127.0.0.1", port)
        i = k
        while time.perf_counter() < end:
            body = bodies[i % len(bodies)]
            i += 1
            t = time.perf_counter()
            c.request("POST", "/v2/identify/all?no-reject=true", body,
                      {"Content-Type": "multipart/form-data; boundary=b"})
            r = c.getresponse()
            r.read()
            if r.status != 200:
                raise SystemExit(f"status {r.status}")
            took.append(1e3 * (time.perf_counter() - t))

    threads = [threading.Thread(target=client, args=(k,)) for k in range(clients)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return sorted(took)


def bench_server(files, rounds, seconds):
    bodies = [b"--b\r\nContent-Disposition: form-data; name=\"images\"; filename=\"a.jpg\"\r\n\r\n"
              + f.read_bytes() + b"\r\n--b--\r\n" for f in files]
    starts, peaks, lat, cpu = [], [], {1: [], 8: []}, []
    for _ in range(rounds):
        with Server() as s:
            starts.append(s.start_ms)
            for n in lat:
                c0 = s.cpu_s()
                t = post_all(s.port, bodies, n, seconds)
                lat[n].append((st.median(t), t[int(0.99 * len(t))], len(t) / seconds))
                cpu.append(1e3 * (s.cpu_s() - c0) / len(t))
            peaks.append(s.peak_mb())
    for n, v in lat.items():
        p50, p99, rps = (st.median(x[i] for x in v) for i in range(3))
        print(f"| POST, {n} client(s) | p50 {p50:.1f} ms, p99 {p99:.1f} ms, {rps:.1f} requests/s | - |")
    print(f"| server CPU a request | {st.median(cpu):.1f} ms | - |")
    print(f"| start-up to listening | {st.median(starts):.0f} ms | - |")
    print(f"| peak memory of the server | {max(peaks):.0f} MiB | - |", flush=True)


def cpu_name():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    return re.search(r"model name\s*:\s*(.*)", text).group(1)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--photos", default=os.environ.get("TEPAL_PHOTOS"), required="TEPAL_PHOTOS" not in os.environ)
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--seconds", type=float, default=3)
    o = a.parse_args()
    photos = pathlib.Path(o.photos)
    py = prepare()
    small = sorted((photos / "main").glob("*/*_test_*.jpg"))[:64] or sorted(photos.rglob("*.jpg"))[:64]
    originals = sorted(p for p in (photos / "originals").glob("*.[jJ]*")
                       if not p.name.startswith(("derived", "bad", "wrong", "libvips")))
    large = [photos / "originals/derived_108mp_flat.jpg"]
    versions = sh(py, "-c", "import onnxruntime, PIL; print('ONNX Runtime', onnxruntime.__version__, '· Pillow', "
                  "PIL.__version__)").strip()
    tepal = sh(BIN / "src/cli/tepal", "version").replace("\n", " · ").strip(" ·")
    print(f"{cpu_name()}, {os.cpu_count()} processors · {platform.system()} {platform.release()} · {tepal} · {versions} · "
          f"{time.strftime('%Y-%m-%d')} · {o.rounds} rounds of {o.seconds:g} s\n")
    print("| what | median ms (each round) | tepal is faster by |\n|---|---|---|")
    bench = BIN / "bench/tepal_bench"
    for name, files in [("decode + resize, small photos", small), ("decode + resize, photos as uploaded", originals),
                        ("decode + resize, 108 megapixels", large)]:
        peers = {"tepal": lambda f=files: median_ms(bench, "prep", 224, o.seconds, *f),
                 "Pillow draft": lambda f=files: median_ms(py, HERE / "peer_pillow.py", "draft", o.seconds, *f),
                 "Pillow": lambda f=files: median_ms(py, HERE / "peer_pillow.py", "full", o.seconds, *f)}
        row(name, peers, o.rounds)
    for batch in (1, 32):
        for threads in (1, 2):
            row(f"forward, batch {batch}, {threads} thread(s)", {
                "tepal": lambda: median_ms(bench, "forward", MODEL, batch, threads, o.seconds),
                "ONNX Runtime": lambda: median_ms(py, HERE / "peer_ort.py", ONNX, batch, threads, o.seconds, 256)}, o.rounds)
    row("two workers, one thread each, a photo", {
        "tepal": lambda: float(sh(bench, "workers", MODEL, 2, o.seconds))}, o.rounds)
    bench_server(small, o.rounds, o.seconds)


if __name__ == "__main__":
    main()
