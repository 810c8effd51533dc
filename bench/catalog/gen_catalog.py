#!/usr/bin/env python3
"""Writes a table as large as Pl@ntNet's to standard output: gen_catalog.py [ROWS] [SPECIES] [SEED]

No pixels, only rows: photos of 30,261 species with a long tail (Zipf), 1.7 photos an observation, some thousand authors.
Rows are in the order of observations, so species come mixed, as in a download."""
import bisect
import itertools
import random
import sys

rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_900_000
species = int(sys.argv[2]) if len(sys.argv) > 2 else 30_261
rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
SYLLABLES = ["ra", "li", "mo", "te", "sa", "no", "vi", "ca", "du", "pe", "xi", "lo", "ber", "qua", "tri", "ful"]


def word(n, ending):
    out = ""
    while True:
        out += SYLLABLES[n % 16]
        n //= 16
        if not n:
            return out + ending


NAMES = [f"{word(i // 12, 'ia').capitalize()} {word(i, 'ensis')}" for i in range(species)]
FAMILIES = [word(i, "aceae").capitalize() for i in range(420)]
ORGANS = ["leaf", "flower", "fruit", "bark", "habit", "other"]
LICENCES = ["cc-by-sa", "cc-by-nc", "cc-by-nc-sa", "cc-by", "cc0"]
SPLITS = ["train"] * 8 + ["val", "test"]
weights = list(itertools.accumulate(1 / (k + 10) for k in range(species)))
out = sys.stdout
out.write("path,species,family,organ,author,licence,observation,date,latitude,longitude,split\n")
done, observation = 0, 0
while done < rows:
    # every species once, then as it comes
    s = observation if observation < species else bisect.bisect(weights, rng.random() * weights[-1])
    s = min(s, species - 1)
    observation += 1
    author = int(rng.paretovariate(0.6)) % 90_000
    licence = LICENCES[author % 5]
    date = f"20{rng.randrange(10, 26)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
    lat, lon = f"{rng.uniform(-55, 70):.5f}", f"{rng.uniform(-180, 180):.5f}"
    split = SPLITS[observation % 10]
    for _ in range(min(rows - done, 1 + (rng.random() < 0.4) + (rng.random() < 0.3))):
        key = f"{rng.getrandbits(128):032x}"
        out.write(f"{split}/{s:05d}/{key}.jpg,{NAMES[s]},{FAMILIES[s % 420]},{ORGANS[rng.randrange(6)]},user {author},"
                  f"{licence},{100_000_000 + observation},{date},{lat},{lon},{split}\n")
        done += 1
