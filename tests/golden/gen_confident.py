#!/usr/bin/env python3
"""Writes tests/golden/confident.txt: probabilities and labels, and what cleanlab makes of them.

    python3 -m venv V && V/bin/pip install cleanlab==2.9.0 && V/bin/python tests/golden/gen_confident.py

Of several confident classes the paper takes the most probable, cleanlab the most probable of all classes; the script
insists that no row of this set tells the two apart. A class has no items on purpose: cleanlab then keeps it out.
Lines: n k; k thresholds; k rows of the joint; n_issues and their numbers, by normalised margin; then a row an item:
label, k probabilities.
"""
import os

import numpy as np
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues

N, K = 240, 7
rng = np.random.default_rng(7)
true = rng.integers(0, K - 1, N)
labels = np.where(rng.random(N) < 0.12, rng.integers(0, K - 1, N), true)
logits = rng.normal(0, 1, (N, K))
logits[np.arange(N), true] += 2.5
p = np.exp(logits)
p = (p / p.sum(1, keepdims=True)).astype(np.float32)
p = np.array([[float(f"{v:.6f}") for v in row] for row in p], np.float64)

t = get_confident_thresholds(labels=labels, pred_probs=p)
joint = compute_confident_joint(labels=labels, pred_probs=p, calibrate=False)
paper = np.zeros((K, K), int)
for i in range(N):
    ok = p[i] >= t - 1e-6
    if ok.any():
        j = int(np.argmax(np.where(ok, p[i], -1)))
        paper[labels[i], j] += 1
# cleanlab counts at least one item on the diagonal, also of a class that has none
assert joint[K - 1, K - 1] == 1 and paper[K - 1].sum() == 0
joint[K - 1, K - 1] = 0
assert (joint == paper).all(), "a row of this set tells paper and cleanlab apart"
issues = find_label_issues(labels=labels, pred_probs=p, filter_by="confident_learning",
                           return_indices_ranked_by="normalized_margin", n_jobs=1)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "confident.txt"), "w") as f:
    print(N, K, file=f)
    print(*[f"{v:.9g}" for v in t], file=f)
    for row in joint:
        print(*row, file=f)
    print(len(issues), *issues, file=f)
    for i in range(N):
        print(labels[i], *[f"{v:.6f}" for v in p[i]], file=f)
print(len(issues), "issues")
