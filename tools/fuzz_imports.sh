#!/bin/sh
# Fuzzes every importer: tools/fuzz_imports.sh [SECONDS EACH [AT ONE TIME]], half an hour each, one after the other, unless
# told otherwise. Begins where the last run ended (build/fuzz/found; remove it to begin with the seeds). Prints a line of
# docs/fuzzing.md's table for each as it ends, with the coverage; they stay in build/fuzz/imports.md, the whole output in
# build/fuzz/log. Fails when one of them broke. See tools/fuzz.sh.
set -eu
cd "$(dirname "$0")/.."

row() { # target, seconds, log
	awk -v target="$1" -v seconds="$2" '
		$2 == "INITED" { for (i = 1; i < NF; i++) { if ($i == "cov:") c0 = $(i + 1); if ($i == "ft:") f0 = $(i + 1) } }
		$2 ~ /^(INITED|DONE|NEW|REDUCE|pulse)$/ { for (i = 1; i < NF; i++) {
			if ($i == "cov:") c1 = $(i + 1)
			if ($i == "ft:") f1 = $(i + 1)
			if ($i == "corp:") { split($(i + 1), k, "/"); kept = k[1] } } }
		/^Done / { runs = $2; seconds = $5 }
		/ERROR:|SUMMARY:|deadly signal/ { found = found $0 "; " }
		END { printf "| `%s` | %.0f min | %s | %s / %s | %s / %s | %s | %s |\n", target, seconds / 60, runs ? runs : "?",
			c0, f0, c1, f1, kept, found ? found : "nothing" }' "$3"
}

if [ "${1:-}" = --one ]; then # target, seconds
	log=build/fuzz/log/$2.log
	broke=0
	tools/fuzz.sh "$2" "$3" >"$log" 2>&1 || broke=1
	row "$2" "$3" "$log" | tee -a build/fuzz/imports.md
	[ $broke = 0 ] || { echo "$2 broke: $log" >&2; exit 1; }
	exit 0
fi

mkdir -p build/fuzz/log
: >build/fuzz/imports.md
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >build/fuzz-configure.log
targets=$(for f in tests/fuzz/import_*_fuzz.c; do basename "$f" _fuzz.c; done)
# built first: what runs at one time must not build at one time
# shellcheck disable=SC2046
cmake --build --preset fuzz --target $(for t in $targets; do echo "${t}_fuzz"; done) >build/fuzz/imports-build.log ||
	{ cat build/fuzz/imports-build.log >&2; exit 1; }
for t in $targets; do echo "$t"; done | xargs -P "${2:-1}" -I '{}' tools/fuzz_imports.sh --one '{}' "${1:-1800}"
