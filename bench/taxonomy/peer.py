#!/usr/bin/env python3
"""rapidfuzz over the same list: peer.py BACKBONE NAMES. The nearest of all names within 3 edits, as tepal looks for it."""
import sys
import time

import rapidfuzz
from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

with open(sys.argv[1], encoding="utf-8") as f:
    at = next(f).rstrip("\n").split("|").index("taxon_name")
    names = [line.split("|")[at] for line in f]
given = [line.strip() for line in open(sys.argv[2], encoding="utf-8")][:50]
times = []
for g in given:
    began = time.process_time()
    extractOne(g, names, scorer=OSA.distance, score_cutoff=3)
    times.append(time.process_time() - began)
print(f"rapidfuzz {rapidfuzz.__version__}: {len(names)} names, {len(given)} looked for, "
      f"{1e3 * sum(times) / len(times):.1f} ms each, {1e3 * max(times):.1f} ms at most")
