"""scikit-learn on the features tepal trained on: LogisticRegression and nearest neighbours, chosen on validation.

    python3 bench/accuracy.py FEATURES.safetensors split.csv      (Debian: python3-sklearn)

FEATURES is the file `tepal train` keeps in ~/.cache/tepal/features; its rows are the photos of the table sorted by path.
"""
import csv
import json
import struct
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

data = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", data[:8])[0]
t = json.loads(data[8:8 + n])["features"]
a, b = t["data_offsets"]
x = np.frombuffer(data[8 + n + a:8 + n + b], "<f4").reshape(t["shape"])
rows = sorted(csv.DictReader(open(sys.argv[2], newline="")), key=lambda r: r["path"].encode())
assert len(rows) == len(x)
split = np.array([r["split"] for r in rows])
y = np.array([r["species"] for r in rows])
train, val, test = (split == s for s in ("train", "val", "test"))


def best(models):
    fitted = [(m.fit(x[train], y[train]).score(x[val], y[val]), name, m) for name, m in models]
    score, name, m = max(fitted, key=lambda f: f[0])
    print(f"{name}: validation {score:.4f}, test {m.score(x[test], y[test]):.4f}", flush=True)


best((f"{k} nearest neighbours, cosine", KNeighborsClassifier(k, metric="cosine")) for k in (1, 3, 5, 10))
best((f"LogisticRegression C={c}", LogisticRegression(C=c, max_iter=500)) for c in (0.1, 1, 10, 100))
