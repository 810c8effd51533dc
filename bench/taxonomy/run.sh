#!/bin/sh
# Matching names to a list of 1,400,000, tepal and rapidfuzz in turn: run.sh TPL_SAMPLE [BUILD]. Processor time of one thread.
# rapidfuzz is looked for by python3 (pip install rapidfuzz); without it only tepal is run.
set -eu
cd "$(dirname "$0")/../.."
sample=${1:?usage: run.sh tpl11_sample.tsv [BUILD]}
build=${2:-build/release}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 bench/taxonomy/make_backbone.py "$sample" 1400000 "$dir/names.csv"
python3 - "$dir" <<'PY'
import random, sys
rng = random.Random(2)
lines = open(sys.argv[1] + "/names.csv", encoding="utf-8").read().split("\n")[1:-1]
with open(sys.argv[1] + "/given.txt", "w", encoding="utf-8") as f:
    for line in rng.sample(lines, 600):
        name = line.split("|")[4]
        for _ in range(rng.randrange(0, 5)):
            i = rng.randrange(1, len(name) - 1)
            name = name[:i] + rng.choice("abcdefghilmnoprstu") + name[i + rng.randrange(0, 2):]
        f.write(name + "\n")
PY
for _ in 1 2; do
	"$build/bench/match_bench" "$dir/names.csv" "$dir/given.txt"
	python3 -c 'import rapidfuzz' 2>/dev/null && python3 bench/taxonomy/peer.py "$dir/names.csv" "$dir/given.txt"
done
