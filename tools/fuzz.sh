#!/bin/sh
# Fuzzes one target of tests/fuzz with libFuzzer: tools/fuzz.sh TARGET [SECONDS]. Needs Debian's clang and
# libclang-rt-14-dev. Seeds are the committed corpus; what is found on the way stays in build/fuzz/found/TARGET,
# an input that breaks a promise in build/fuzz/broken/TARGET. How long it was run before: docs/fuzzing.md.
set -eu
cd "$(dirname "$0")/.."
target=${1:?usage: tools/fuzz.sh TARGET [SECONDS]}
seconds=${2:-300}
found=build/fuzz/found/$target
broken=build/fuzz/broken/$target
mkdir -p "$found" "$broken"
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >build/fuzz-configure.log
cmake --build --preset fuzz --target "${target}_fuzz" >build/fuzz/"$target"-build.log ||
	{ cat build/fuzz/"$target"-build.log >&2; exit 1; }
export LSAN_OPTIONS="suppressions=$PWD/tests/suppressions/lsan.txt:print_suppressions=0"
exec "build/fuzz/tests/${target}_fuzz" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
	-print_final_stats=1 -artifact_prefix="$broken/" "$found" "tests/fuzz/corpus/$target"
