"""Fine-tuning side by side with PyTorch: the same weights, batches and recipe; losses, accuracy, time.

    python3 bench/finetune/run.py PHOTOS [--epochs 8] [--seeds 1,2,3] [--set KEY=VALUE]... [--only SIDE]
    python3 bench/finetune/run.py PHOTOS --steps 50                    the first losses alone: minutes instead of hours
    python3 bench/finetune/run.py PHOTOS --network bn-inception --random --side 64      from random weights

PHOTOS is a folder or CSV as for tepal train (a CSV without a column "species" but with "name" is taken too). Needs the
release build with `cmake --build --preset release --target tepal batches` and Debian's python3-torch.

Sides, for each seed one after the other: tepal, direct (tepal without Winograd), torch; and once frozen, the classifier on
the frozen backbone. PyTorch begins with the weights tepal began with (start.safetensors) and reads its batches from the
program `batches`; dropout, which cannot drop the same, is off for all. A run that was stopped goes on where it was, one
that is finished is not run again: all is kept in --work, by configuration. tepal's accuracy is that of the finished model
file (half precision, as served), PyTorch's that of its own weights.
"""
import argparse
import csv
import hashlib
import json
import math
import os
import pathlib
import signal
import statistics as st
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEPAL = ROOT / "build/release/src/cli/tepal"
PEER = ROOT / "bench/finetune/peer_torch.py"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "tepal"
SIDES = ("tepal", "direct", "torch")
FIRST, AGREE = 50, 1e-3  # losses that are compared, and how closely they agree


class Runs:
    def __init__(self, a):
        self.a = a
        self.set = [f"epochs={a.epochs}", "dropout=no", *a.set]
        about = {"network": a.network, "side": a.side, "photos": str(a.photos), "random": a.random, "set": self.set}
        text = json.dumps(about, indent=1)
        self.dir = a.work / f"{a.network}-{a.side}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        self.dir.mkdir(parents=True, exist_ok=True)
        (self.dir / "about.json").write_text(text + "\n")
        self.photos = self.with_species(a.photos)
        self.env = dict(os.environ, XDG_CACHE_HOME=str(a.work / "cache"))

    def with_species(self, path):
        """A CSV that calls its species by another name, as one tepal reads: beside links to its folders."""
        if path.is_dir():
            return path
        rows = list(csv.DictReader(open(path, newline="")))
        if "species" in rows[0]:
            return path
        into = self.dir / "photos"
        into.mkdir(exist_ok=True)
        for top in {r["path"].split("/")[0] for r in rows}:
            if not (into / top).exists():
                (into / top).symlink_to(path.parent / top)
        with open(into / "split.csv", "w", newline="") as f:
            out = csv.writer(f)
            out.writerow(["path", "species", "split"])
            out.writerows([r["path"], r["name"], r["split"]] for r in rows)
        return into / "split.csv"

    def run_dir(self, side, seed):
        return self.dir / f"{side}-{seed}"

    def tepal(self, *words):
        r = subprocess.run([str(TEPAL), *map(str, words)], env=self.env, stdout=subprocess.PIPE, text=True)
        if r.returncode:
            sys.exit(f"tepal {words[0]} ended with status {r.returncode}")
        return r.stdout

    def training(self, side, seed):
        """The command of a run, and the model it writes."""
        run = self.run_dir(side, seed)
        model = run.with_suffix(".safetensors")
        start = ["--network", self.a.network] if self.a.random else ["--backbone", self.a.backbone]
        settings = [*self.set, f"seed={seed}", f"direct={'yes' if side == 'direct' else 'no'}"]
        words = ["train", "--finetune", *start, "--side", self.a.side, "--threads", self.a.threads, "--run", run,
                 "--output", model, *(x for s in settings for x in ("--set", s)), self.photos]
        if (run / "last.safetensors").exists():
            words.insert(1, "--resume")
        return words, model

    def until(self, side, seed, ready):
        """Runs tepal until ready(), then stops it: it writes a checkpoint and would go on from there."""
        if ready():
            return
        words, _ = self.training(side, seed)
        child = subprocess.Popen([str(TEPAL), *map(str, words)], env=self.env, stdout=subprocess.DEVNULL)
        try:
            while child.poll() is None and not ready():
                time.sleep(0.2)
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
            child.wait()
        if not ready():
            sys.exit(f"tepal ended with status {child.returncode}")

    def losses(self, side, seed, name="metrics.jsonl"):
        path, key = self.run_dir(side, seed) / name, "loss" if side == "torch" else "train/loss"
        lines = [json.loads(x) for x in path.read_text().splitlines()] if path.exists() else []
        return [x[key] for x in lines if key in x]

    def eval(self, model):
        return json.loads(self.tepal("eval", "--json", "--quiet", "--split", "test", model, self.photos))

    def by_tepal(self, side, seed):
        words, model = self.training(side, seed)
        self.tepal(*words)
        history = json.loads(self.tepal("model", "show", "--json", model))["ModelPerformanceMonitoringStrategy"]
        return {"test": self.eval(model), "losses": self.losses(side, seed), "epochs": history["epochs"],
                "best_epoch": history["best_epoch"], "seconds": history["seconds"] / len(history["epochs"])}

    def start_weights(self, seed):
        path = self.run_dir("tepal", seed) / "start.safetensors"
        self.until("tepal", seed, path.exists)
        return path

    def peer(self, seed, *more):
        settings = [*self.set, f"seed={seed}"]
        tuned = dict(os.environ, GLIBC_TUNABLES="glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=100000000000")
        cmd = ["/usr/bin/python3", PEER, self.a.network, self.a.side, self.photos, "--start", self.start_weights(seed),
               "--run", self.run_dir("torch", seed), "--threads", self.a.threads, *more,
               *(x for s in settings for x in ("--set", s))]
        if subprocess.run([str(c) for c in cmd], env=tuned).returncode:
            sys.exit("PyTorch's run failed")

    def by_torch(self, seed):
        self.peer(seed)
        r = json.loads((self.run_dir("torch", seed) / "result.json").read_text())
        r["seconds"] /= len(r["epochs"])
        return r

    def frozen(self):
        model = self.dir / "frozen.safetensors"
        self.tepal("train", "--backbone", self.a.backbone, "--side", self.a.side, "--threads", self.a.threads,
                   "--output", model, self.photos)
        return {"test": self.eval(model)}

    def result(self, side, seed):
        """Of a run: as it is kept, or by running it."""
        kept = self.dir / f"{side}-{seed}.json"
        if not kept.exists():
            print(f"== {side}, seed {seed} ({time.strftime('%H:%M:%S')})", file=sys.stderr, flush=True)
            r = self.frozen() if side == "frozen" else self.by_torch(seed) if side == "torch" else self.by_tepal(side, seed)
            kept.with_suffix(".new").write_text(json.dumps(r))
            kept.with_suffix(".new").replace(kept)
        return json.loads(kept.read_text())


def furthest(a, b, n=FIRST):
    n = min(n, len(a), len(b))
    return max(abs(x - y) for x, y in zip(a[:n], b[:n]))


def error(v):
    return st.stdev(v) / math.sqrt(len(v)) if len(v) > 1 else float("nan")


def first_losses(runs, seeds, n):
    """Without the rest of the runs: stopped after n steps."""
    print(f"| seed | furthest of the first {n} losses | at step | first 10 | loss at the end, tepal | PyTorch |")
    print("|---|---|---|---|---|---|")
    for seed in seeds:
        runs.until("tepal", seed, lambda s=seed: len(runs.losses("tepal", s)) >= n)
        runs.peer(seed, "--steps", n)
        a, b = runs.losses("tepal", seed)[:n], runs.losses("torch", seed, "steps.jsonl")[:n]
        gap = [abs(x - y) for x, y in zip(a, b)]
        print(f"| {seed} | {max(gap):.1e} | {1 + gap.index(max(gap))} | {max(gap[:10]):.1e} | {a[-1]:.4f} | {b[-1]:.4f} |",
              flush=True)


def table(results, seeds, frozen):
    print(f"\n| side | test top-1, %, seeds {', '.join(map(str, seeds))} | mean | standard error | best epochs | "
          "seconds an epoch |\n|---|---|---|---|---|---|")
    if frozen:
        print(f"| classifier on the frozen network | {100 * frozen['test']['top1']:.2f} | | | | |")
    tops = {}
    for side, by_seed in results.items():
        v = tops[side] = [100 * by_seed[s]["test"]["top1"] for s in seeds]
        print(f"| {side} | {', '.join(f'{x:.2f}' for x in v)} | {st.mean(v):.2f} | {error(v):.2f} | "
              f"{', '.join(str(by_seed[s]['best_epoch']) for s in seeds)} | "
              f"{st.median(by_seed[s]['seconds'] for s in seeds):.0f} |")
    return tops


def compare(results, tops, seeds, frozen):
    print(f"\n| compared | difference of means, points | its standard error | allowed | within | furthest of the first "
          f"{FIRST} losses, each seed |\n|---|---|---|---|---|---|")
    for a, b in (("tepal", "torch"), ("tepal", "direct"), ("direct", "torch")):
        if a in tops and b in tops:
            gap, se = st.mean(tops[a]) - st.mean(tops[b]), math.hypot(error(tops[a]), error(tops[b]))
            allowed = max(1, 2 * se) if len(seeds) > 1 else 1
            far = [furthest(results[a][s]["losses"], results[b][s]["losses"]) for s in seeds]
            print(f"| {a} - {b} | {gap:+.2f} | {se:.2f} | {allowed:.2f} | {'yes' if abs(gap) <= allowed else 'NO'} | "
                  f"{', '.join(f'{x:.1e}' for x in far)} ({'agree' if max(far) <= AGREE else 'over'} 1e-3) |")
    for side in tops:
        if frozen:
            gap, se = st.mean(tops[side]) - 100 * frozen["test"]["top1"], error(tops[side])
            print(f"| {side} - frozen | {gap:+.2f} | {se:.2f} | | {'better' if gap > 2 * se else 'not clearly better'} | |")


def main():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    p.add_argument("photos", type=pathlib.Path)
    p.add_argument("--network", default="efficientnet-lite0")
    p.add_argument("--backbone", type=pathlib.Path, help="weights to begin with; default: NETWORK.safetensors in tepal's cache")
    p.add_argument("--random", action="store_true", help="begin with random weights")
    p.add_argument("--side", type=int, default=224)
    p.add_argument("--epochs", type=int, default=8)
    p.add_argument("--seeds", default="1,2,3")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    p.add_argument("--only", choices=("frozen", *SIDES), action="append", help="may be given more than once")
    p.add_argument("--steps", type=int, default=0, metavar="N", help="compare the first N losses and end")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--work", type=pathlib.Path, default=ROOT / "build/finetune")
    a = p.parse_args()
    a.photos, a.work = a.photos.resolve(), a.work.resolve()
    a.backbone = a.backbone or CACHE / f"{a.network}.safetensors"
    if not a.random and not a.backbone.exists():
        p.error(f"{a.backbone} is not there: tepal model fetch {a.network}")
    runs, seeds = Runs(a), [int(s) for s in a.seeds.split(",")]
    if a.steps:
        return first_losses(runs, seeds, a.steps)
    wanted = a.only or ([] if a.random else ["frozen"]) + list(SIDES)
    frozen = runs.result("frozen", 0) if "frozen" in wanted else None
    results = {s: {} for s in SIDES if s in wanted}
    for seed in seeds:
        for side in results:
            results[side][seed] = runs.result(side, seed)
            if len(results[side]) > 1:
                print(f"{side}: {[round(100 * r['test']['top1'], 2) for r in results[side].values()]}", file=sys.stderr)
    if results or frozen:
        compare(results, table(results, seeds, frozen), seeds, frozen)


main()
