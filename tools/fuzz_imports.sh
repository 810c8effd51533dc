#!/bin/sh
# Fuzzes every importer, one after the other: tools/fuzz_imports.sh [SECONDS EACH]. See tools/fuzz.sh.
set -eu
cd "$(dirname "$0")/.."
for target in tests/fuzz/import_*_fuzz.c; do
	name=$(basename "$target" _fuzz.c)
	echo "== $name"
	tools/fuzz.sh "$name" "${1:-1800}" 2>&1 | grep -E 'DONE|ERROR|SUMMARY|stat::number_of_executed' || true
done
