#!/bin/sh
# What make test does not: clang's warnings, the thread sanitizer, a build without oneDNN, every public header
# compiled alone. Needs clang (Debian: clang).
set -eu
cd "$(dirname "$0")/.."

for h in src/*/*.h; do
	cc -std=c17 -Wall -Wextra -Wpedantic -Werror -Isrc -fsyntax-only -x c "$h"
done
echo "headers: each compiles alone"

if command -v clang >/dev/null; then
	CC=clang cmake --preset dev -B build/clang >/dev/null
	cmake --build build/clang
else
	echo "clang is not installed: its warnings were not looked at" >&2
fi

cmake --preset dev -B build/plain -DTP_WITH_DNNL=OFF -DTP_WITH_HEIF=OFF >/dev/null
cmake --build build/plain
ctest --test-dir build/plain --output-on-failure -R 'unit|fuzz'

tools/build.sh tsan
TSAN_OPTIONS=suppressions=$PWD/tests/suppressions/tsan.txt ctest --test-dir build/tsan --output-on-failure \
	-R 'unit.(base|loader|engine|server|train)|e2e.server'
