#!/bin/sh
# What make test does not: clang's warnings, every header alone, the layout, the optimised build, a build without
# oneDNN and HEIC, the thread sanitizer with a crowd at the server, the docs' examples, 64-bit ARM by emulation. Needs
# what tools/setup.sh check installs, on Debian 12: its clang-format is the one the layout is held against.
set -eu
cd "$(dirname "$0")/.."

say() {
	echo "== $*"
}

build() { # folder, then cmake's options: everything is built, and the compilers' warnings are errors
	dir=$1
	shift
	log=$dir.log
	mkdir -p build
	cmake --preset dev -B "$dir" "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	cmake --build "$dir"
}

say "layers, banned words, layout"
command -v clang-format-14 >/dev/null || { echo "clang-format-14 is not installed" >&2; exit 1; }
tools/check_layers.sh
tools/check_style.sh
clang-format-14 --dry-run -Werror tests/*.h tests/*/*.c tests/unit/*/*.[ch] bench/*.c

say "each header alone"
for h in src/*/*.h tests/t.h; do
	for cc in gcc clang; do
		$cc -std=c17 -Wall -Wextra -Wpedantic -Werror -Isrc -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE \
			-Wno-unused-function -fsyntax-only -x c "$h"
	done
done

say "clang"
build build/clang -DCMAKE_C_COMPILER=clang
ctest --test-dir build/clang --output-on-failure -R 'unit|fuzz'

say "gcc, optimised"
cmake --preset release >build/release-configure.log
cmake --build build/release

say "the docs' examples"
tools/check_docs.sh build/release/src/cli/tepal

say "without oneDNN and HEIC"
build build/plain -DTP_WITH_DNNL=OFF -DTP_WITH_HEIF=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O2 -g"
ctest --test-dir build/plain --output-on-failure -R 'unit|fuzz|e2e.server'

say "thread sanitizer"
tools/build.sh tsan
ctest --test-dir build/tsan --output-on-failure -R 'unit|fuzz|e2e.server'

tools/check_neon.sh

say "all is well"
