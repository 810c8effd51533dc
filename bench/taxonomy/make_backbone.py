#!/usr/bin/env python3
"""A list of plant names as long as the world's, in WCVP's form: make_backbone.py tpl11_sample.tsv N OUT

Genera and epithets are those of The Plant List's sample, put together anew; a genus gets its share of the names. With
1,400,000 names its genera are five times as full as real ones, which is harder on approximate search."""
import csv
import random
import sys

rows = list(csv.DictReader(open(sys.argv[1], encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE))
rng = random.Random(1)
names = {}
while len(names) < int(sys.argv[2]):
    g, s, a = rng.choice(rows), rng.choice(rows), rng.choice(rows)
    if s["species"].isalpha() and s["species"].isascii():
        names[g["genus"], s["species"]] = (g["family"], a["author"].replace('"', ""))
with open(sys.argv[3], "w", encoding="utf-8") as f:
    f.write("plant_name_id|taxon_rank|taxon_status|family|taxon_name|taxon_authors|accepted_plant_name_id\n")
    accepted = "1"
    for i, ((g, s), (family, author)) in enumerate(names.items(), 1):
        synonym = i > 1 and rng.random() < 0.6
        accepted = accepted if synonym else str(i)
        status = "Synonym" if synonym else "Accepted"
        f.write(f"{i}|Species|{status}|{family}|{g} {s}|{author}|{accepted}\n")
