#!/bin/sh
# Kills an import with SIGKILL at random moments, runs it again, and compares the whole catalog with that of an import nobody
# disturbed: tools/kill_import.sh [ROUNDS] [SEED]. The seed is printed. `make test` does the same a few times.
set -eu
cd "$(dirname "$0")/.."
[ -x build/asan/tests/test_import ] || { echo "build it first: make test" >&2; exit 1; }
TP_KILLS=${1:-120} TP_SEED=${2:-$(date +%s)} exec build/asan/tests/test_import
