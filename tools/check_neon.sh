#!/bin/sh
# 64-bit ARM on a machine that is none: everything is cross-compiled, and tests run under qemu-user. What it needs is
# installed by tools/setup.sh check.
#   check_neon.sh quick DIR   only the kernels against their plain twins, with no library but C's, built in DIR; exit
#                             status 77 when the compiler or qemu are not there (a test of every build)
#   check_neon.sh             that with sanitizers; how the hot loops were compiled; the whole project, built for arm64
#                             Debian in build/arm64, and its tests; training's with NEON's kernels in the network
set -eu
cd "$(dirname "$0")/.."

cc=aarch64-linux-gnu-gcc
root=build/arm64-root
warn="-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers -Werror"
common="-std=c17 -g -fno-math-errno -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Isrc -Itests $warn"
vectors="-ffp-contract=fast -Wno-psabi -fno-schedule-insns" # as in src/nn/CMakeLists.txt

say() {
	echo "== $*"
}

kernels() { # folder, then options: its test_kernels
	dir=$1
	shift
	mkdir -p "$dir"
	for f in kernels_neon kernels_c kernels_c16; do
		# shellcheck disable=SC2086
		$cc $common $vectors "$@" -c -o "$dir/$f.o" src/nn/$f.c
	done
	# shellcheck disable=SC2086
	$cc $common "$@" -o "$dir/test_kernels" tests/unit/nn/test_kernels.c src/nn/kernels.c src/nn/op_*.c \
		src/nn/shapes.c src/base/mem.c src/base/err.c "$dir"/kernels_*.o -lm
}

# Where matrix products are made: every sum in a register (no vector goes to the stack inside the loop), multiplied and
# added in one instruction, by a lane.
hot_loops() { # object file
	aarch64-linux-gnu-objdump -d --no-show-raw-insn "$1" | awk '
		/^[0-9a-f]+ </ { name = $2; n = 0 }
		/^ +[0-9a-f]+:/ {
			at = $1; sub(":", "", at); line[n] = $0; place[at] = n++
			if ($2 ~ /^(b|b\.[a-z]+|cbn?z)$/) {
				to = $2 ~ /^cb/ ? $4 : $3
				if (to in place && name ~ /^<product_two>|^<wino_dw>/) look(place[to], n - 1)
			}
		}
		/^$/ { delete place }
		function look(from, end,   i, fma, lane, stack) {
			for (i = from; i <= end; i++) {
				if (line[i] ~ /fmla\tv[0-9]+\.4s/) fma++
				if (line[i] ~ /fmla\tv.*\.s\[[0-3]\]/) lane++
				if (line[i] ~ /\t(ldr|str|ldp|stp|ldur|stur)\t[qds][0-9].*\[sp/) stack++
			}
			if (lane < 3 || end - from > 200) return
			loops++
			printf "%s %d instructions, %d fmla (%d by a lane), %d vectors on the stack\n",
				name, end - from + 1, fma, lane, stack
			if (stack || fma * 3 < end - from + 1) bad++
			if (fma > most) most = fma
		}
		END {
			if (loops < 16 || most < 80) { print loops + 0 " loops, " most + 0 " fmla at most"; bad++ }
			exit bad > 0
		}'
}

# The libraries of arm64 Debian in a folder: the packages of this system, and what apt knows of it, stay as they are.
make_root() {
	[ -e $root/complete ] && return
	apt=build/arm64-apt
	rm -rf $root
	mkdir -p $root $apt/lists/partial $apt/cache/archives/partial
	here=$(pwd)
	cat >$apt/apt.conf <<EOF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
Dir::State "$here/$apt";
Dir::State::status "/dev/null";
Dir::Cache "$here/$apt/cache";
Debug::NoLocking "true";
EOF
	export APT_CONFIG="$here/$apt/apt.conf"
	apt-get update -q || echo "The package lists could not be renewed; trying with those that are here." >&2
	apt-get install --download-only -y -q --no-install-recommends libc6-dev libdnnl-dev libjpeg62-turbo-dev \
		libpng-dev libwebp-dev libheif-dev libmicrohttpd-dev libjansson-dev libarchive-dev libsodium-dev
	unset APT_CONFIG
	for deb in $apt/cache/archives/*.deb; do
		dpkg-deb -x "$deb" $root
	done
	touch $root/complete
}

build() { # folder, then cmake's options
	dir=$1
	shift
	cmake --preset release -B "$dir" -DCMAKE_TOOLCHAIN_FILE="$(pwd)/tools/aarch64.cmake" "$@" >"$dir.log" 2>&1 ||
		{ cat "$dir.log" >&2; exit 1; }
}

for tool in $cc qemu-aarch64; do
	command -v $tool >/dev/null || {
		echo "$tool is not installed, so nothing was tried for ARM: tools/setup.sh check installs it" >&2
		[ "${1:-}" = quick ] && exit 77
		exit 1
	}
done

if [ "${1:-}" = quick ]; then
	kernels "$2" -O2 -static
	qemu-aarch64 "$2/test_kernels"
	exit
fi

say "NEON's kernels, with sanitizers"
kernels build/neon-asan -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
# leaks are looked for by ptrace, which qemu has not
ASAN_OPTIONS=detect_leaks=0 qemu-aarch64 -L /usr/aarch64-linux-gnu build/neon-asan/test_kernels

say "NEON's hot loops"
make_root
build build/arm64
cmake --build build/arm64
hot_loops build/arm64/src/nn/CMakeFiles/tp_nn.dir/kernels_neon.c.o

say "tests on arm64"
ctest --test-dir build/arm64 --output-on-failure -R 'unit|fuzz' -E report_page

say "training on arm64, with NEON's kernels in the network"
build build/arm64-reference -DTP_DNNL_REFERENCE=ON
cmake --build build/arm64-reference --target test_learn
ctest --test-dir build/arm64-reference --output-on-failure -R unit.learn
