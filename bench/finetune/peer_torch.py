"""tepal's fine-tuning in PyTorch: the same initial weights, the same batches, the same recipe, PyTorch's own parts.

    peer_torch.py NETWORK SIDE PHOTOS --start start.safetensors --run DIR [--steps N] [--threads 2] [--set KEY=VALUE]

For run.py; needs Debian's python3-torch and the program `batches`, which hands over what tepal would train with and how
the recipe reads. Networks are those of tests/golden/gen_zoo.py. DIR keeps a line for each step and epoch (log.jsonl), a
checkpoint after each epoch (last.pt; the same command goes on from there) and result.json when all is done. --steps N ends
after so many steps and keeps the log alone. Settings that this file does not know are refused.
"""
import argparse
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/golden"))
import gen_zoo  # noqa: E402

BATCHES = ROOT / "build/release/bench/batches"
# What must be as it is here for the runs to be the same; any other value of the rest is done below.
WARMUP_FROM = 0.01  # TP_LR_OPTS_INIT of src/train/schedule.h
ONLY = {"head_epochs": 0, "accumulate": 1, "balance": "none", "freeze": "", "blend": "1", "drop_path": 0}
NO_MATTER = {"direct", "loader_threads", "cache_mib", "save_minutes", "head"}
DONE = {"epochs", "batch", "optimizer", "lr", "momentum", "nesterov", "beta1", "beta2", "weight_decay", "layer_decay",
        "clip", "ema", "batch_norm", "bn_momentum", "schedule", "warmup_epochs", "floor", "drop", "factor", "smoothing",
        "monitor", "patience", "dropout"}
IN_BATCHES = {"sampling", "mixup", "cutmix", "erase", "augment", "cache_side", "seed", "tau", "beta"}
DROPOUT = {"efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "inception-v3", "mobilenet-v2"}


def read_safetensors(path):
    raw = pathlib.Path(path).read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    head, out = json.loads(raw[8:8 + n]), {}
    for name, t in head.items():
        if name != "__metadata__":
            assert t["dtype"] == "F32", (name, t["dtype"])
            a, b = (8 + n + x for x in t["data_offsets"])
            out[name] = torch.from_numpy(np.frombuffer(raw[a:b], np.float32).reshape(t["shape"]).copy())
    return out


class Feed:
    """What the program `batches` writes."""

    def __init__(self, args, what, epoch=0):
        cmd = [str(BATCHES), args.network, str(args.side), args.photos, what, str(epoch), *args.set]
        self.child = subprocess.Popen(cmd, stdout=subprocess.PIPE, bufsize=1 << 20)
        line = self.child.stdout.readline()
        if not line:
            sys.exit("batches said nothing")
        self.head = json.loads(line)

    def array(self, kind, *shape):
        want = 4 * math.prod(shape)
        raw = self.child.stdout.read(want)
        if len(raw) != want:
            sys.exit("batches ended in the middle of one")
        return torch.from_numpy(np.frombuffer(bytearray(raw), kind).reshape(shape))

    def __iter__(self):
        while True:
            raw = self.child.stdout.read(12)
            if not raw:
                break
            epoch, n, mixed = struct.unpack("=3i", raw)
            a = self.array(np.int32, n).long()
            b, share = (self.array(np.int32, n).long(), self.array(np.float32, n)) if mixed else (None, None)
            yield epoch, self.array(np.float32, n, 3, self.head["side"], self.head["side"]), a, b, share
        if self.child.wait():
            sys.exit("batches failed")

    def close(self):
        self.child.stdout.close()
        self.child.kill()
        self.child.wait()


class Net:
    """A network of gen_zoo.py in single precision over a dictionary of tensors."""

    def __init__(self, name, recipe):
        self.body, self.classifier, _ = gen_zoo.NETS[name]
        self.batch_norm, self.momentum = recipe.get("batch_norm", "batch"), recipe["bn_momentum"]
        self.t, self.training = {}, False
        gen_zoo.conv, gen_zoo.norm = self.conv, self.norm
        self.pad, gen_zoo.F.pad = F.pad, self.padding

    def norm(self, x, n, eps=1e-5):
        by_batch = self.training and self.batch_norm == "batch"
        return F.batch_norm(x, self.t[n + ".running_mean"], self.t[n + ".running_var"], self.t[n + ".weight"],
                            self.t[n + ".bias"], by_batch, self.momentum, eps)

    def padding(self, x, p, *rest, **more):
        """Same on both sides: left to the convolution that follows, by a mark on the tensor."""
        if p[0] == p[1]:
            x.same = p[0]
            return x
        return self.pad(x, p, *rest, **more)

    def conv(self, x, n, out, k, stride=1, pad=0, groups=1, bias=False):
        pad = getattr(x, "same", pad) if pad == 0 else pad
        return F.conv2d(x, self.t[n + ".weight"], self.t[n + ".bias"] if bias else None, stride, pad, 1, groups)

    def __call__(self, x, tensors, training):
        self.t, self.training = tensors, training
        f = self.body(x).mean((2, 3))
        return F.linear(f, tensors[self.classifier + ".weight"], tensors[self.classifier + ".bias"])


def check(recipe, network):
    for key, value in recipe.items():
        if key in ONLY and value != ONLY[key]:
            sys.exit(f"{key} = {value} is not done in PyTorch here, only {ONLY[key]}")
        if key not in ONLY and key not in NO_MATTER and key not in DONE and key not in IN_BATCHES:
            sys.exit(f"the setting {key} is not known here")
    if recipe["dropout"] and network in DROPOUT:
        sys.exit("what dropout drops cannot be the same: dropout=no")
    if not recipe["bn_momentum"] and recipe.get("batch_norm", "batch") == "batch":
        sys.exit("bn_momentum = 0, the network's own, is not known here")


def learning_rate(r, step, total, per_epoch):
    def in_steps(epochs):
        return math.floor(epochs * per_epoch + 0.5)
    warm = in_steps(min(r["warmup_epochs"], r["epochs"] / 2))
    if step < warm:
        return r["lr"] * (WARMUP_FROM + (1 - WARMUP_FROM) * step / warm)
    if r["schedule"] == "cosine":
        return r["floor"] + (r["lr"] - r["floor"]) * (1 + math.cos(math.pi * (step - warm) / (total - warm))) / 2
    lr = r["lr"]
    for at in r["drop"].split(",") if r["schedule"] == "step" and r["drop"] else []:
        lr *= r["factor"] if step >= in_steps(float(at)) else 1
    return lr


def make_optimizer(r, head, tensors):
    stages = 1 + max(p["stage"] for p in head["params"])
    groups = []
    for p in head["params"]:
        if not p["buffer"]:
            v = tensors[p["name"]]
            groups.append({"params": [v], "weight_decay": r["weight_decay"] if v.dim() > 1 else 0,
                           "scale": r["layer_decay"] ** (stages - 1 - p["stage"])})
    if r["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, lr=1, betas=(r["beta1"], r["beta2"]), eps=1e-8)
    return torch.optim.SGD(groups, lr=1, momentum=r["momentum"], nesterov=r["nesterov"] and r["momentum"] > 0)


class Trainer:
    def __init__(self, args, head):
        self.args, self.head, self.r = args, head, head["recipe"]
        check(self.r, args.network)
        self.net = Net(args.network, self.r)
        start = read_safetensors(args.start)
        self.t = {p["name"]: start[p["name"]].requires_grad_(not p["buffer"]) for p in head["params"]}
        self.trained = [self.t[p["name"]] for p in head["params"] if not p["buffer"]]
        self.opt = make_optimizer(self.r, head, self.t)
        self.average = self.copy(self.t) if self.r["ema"] > 0 else None
        self.state = {"step": 0, "epoch": 0, "best": None, "best_epoch": -1, "seconds": 0.0, "losses": [], "epochs": []}
        self.best = None
        self.log = None

    @staticmethod
    def copy(tensors):
        return {n: v.detach().clone() for n, v in tensors.items()}

    def save(self):
        path = pathlib.Path(self.args.run) / "last.pt"
        torch.save({"tensors": self.copy(self.t), "average": self.average, "optimizer": self.opt.state_dict(),
                    "best": self.best, "state": self.state, "recipe": self.r}, str(path) + ".new")
        os.replace(str(path) + ".new", path)

    def load(self):
        path = pathlib.Path(self.args.run) / "last.pt"
        if not path.exists():
            return
        kept = torch.load(path)
        if kept["recipe"] != self.r:
            sys.exit(f"{path} is of another recipe")
        with torch.no_grad():
            for n, v in kept["tensors"].items():
                self.t[n].copy_(v)
        self.opt.load_state_dict(kept["optimizer"])
        self.average, self.best, self.state = kept["average"], kept["best"], kept["state"]

    def loss(self, z, a, b, share):
        if b is None:
            return F.cross_entropy(z, a, label_smoothing=self.r["smoothing"])
        y = share[:, None] * F.one_hot(a, z.shape[1]) + (1 - share[:, None]) * F.one_hot(b, z.shape[1])
        return F.cross_entropy(z, y, label_smoothing=self.r["smoothing"])

    def step(self, x, a, b, share):
        r, s, per_epoch = self.r, self.state["step"], self.head["steps"]
        lr = learning_rate(r, s, per_epoch * r["epochs"], per_epoch)
        for g in self.opt.param_groups:
            g["lr"] = lr * g["scale"]
        self.opt.zero_grad(set_to_none=True)
        loss = self.loss(self.net(x, self.t, True), a, b, share)
        loss.backward()
        if r["clip"] > 0:
            torch.nn.utils.clip_grad_norm_(self.trained, r["clip"])
        self.opt.step()
        if self.average:
            decay = min(r["ema"], (1 + s) / (10 + s))
            with torch.no_grad():
                for n, v in self.average.items():
                    v.mul_(decay).add_(self.t[n], alpha=1 - decay)
        self.state["step"] += 1
        self.state["losses"].append(float(loss))
        self.say({"step": self.state["step"], "loss": float(loss), "lr": lr})
        return float(loss)

    def say(self, line):
        self.log.write(json.dumps(line) + "\n")
        self.log.flush()

    def measure(self, what, tensors):
        """Loss, share that is right, and its mean over species."""
        right, count, nll, n = {}, {}, 0.0, 0
        with torch.no_grad():
            for _, x, y, _, _ in Feed(self.args, what):
                z = self.net(x, tensors, False)
                nll += float(F.cross_entropy(z, y, reduction="sum"))
                n += len(y)
                for label, hit in zip(y.tolist(), (z.argmax(1) == y).tolist()):
                    count[label] = count.get(label, 0) + 1
                    right[label] = right.get(label, 0) + hit
        if not n:
            return {}
        return {"n": n, "loss": nll / n, "top1": sum(right.values()) / n,
                "macro_top1": sum(right[c] / count[c] for c in count) / len(count)}

    def end_epoch(self, seconds):
        s, m = self.state, self.measure("val", self.average or self.t)
        value = m.get(self.r["monitor"], float("nan"))
        value = -value if self.r["monitor"] == "loss" else value
        if s["best"] is None or value > s["best"]:
            s["best"], s["best_epoch"], self.best = value, s["epoch"], self.copy(self.average or self.t)
        s["epoch"] += 1
        s["seconds"] += seconds
        s["epochs"].append({"epoch": s["epoch"], "seconds": seconds, **{"val_" + k: v for k, v in m.items()}})
        self.say(s["epochs"][-1])
        self.save()
        print(f"PyTorch epoch {s['epoch']}: {seconds:.0f} s, loss {np.mean(s['losses'][-self.head['steps']:]):.4f}, "
              f"validation top-1 {100 * m.get('top1', 0):.2f} %", file=sys.stderr, flush=True)

    def enough(self):
        s, patience = self.state, self.r["patience"]
        return s["epoch"] >= self.r["epochs"] or (0 < patience <= s["epoch"] - 1 - s["best_epoch"])

    def run(self, feed):
        began, n = time.monotonic(), self.state["epoch"]
        for epoch, x, a, b, share in feed:
            if epoch != n:
                self.end_epoch(time.monotonic() - began)
                began, n = time.monotonic(), epoch
                if self.enough():
                    return feed.close()
            self.step(x, a, b, share)
            if self.state["step"] == self.args.steps:
                return feed.close()
        self.end_epoch(time.monotonic() - began)

    def finish(self):
        test = self.measure("test", self.best or self.t)
        out = {k: self.state[k] for k in ("best_epoch", "seconds", "losses", "epochs")}
        out.update(best_epoch=self.state["best_epoch"] + 1, test=test, torch=torch.__version__)
        path = pathlib.Path(self.args.run) / "result.json"
        (path.parent / "result.new").write_text(json.dumps(out))
        os.replace(path.parent / "result.new", path)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("network")
    p.add_argument("side", type=int)
    p.add_argument("photos")
    p.add_argument("--start", required=True)
    p.add_argument("--run", required=True)
    p.add_argument("--steps", type=int, default=0)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--set", action="append", default=[])
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    os.makedirs(args.run, exist_ok=True)
    head = Feed(args, "val")
    head.close()
    trainer = Trainer(args, head.head)
    if not args.steps:
        trainer.load()
    lines = pathlib.Path(args.run) / ("steps.jsonl" if args.steps else "log.jsonl")
    with open(lines, "w" if args.steps else "a") as trainer.log:
        if not trainer.enough():
            trainer.run(Feed(args, "train", trainer.state["epoch"]))
        if not args.steps:
            trainer.finish()


if __name__ == "__main__":
    main()
