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

# The innermost loops of matrix products: every sum in a register (no vector goes to the stack), multiplied and added in
# one instruction, by a lane.
hot_loops() { # object file
	aarch64-linux-gnu-objdump -d --no-show-raw-insn "$1" | awk '
		/^[0-9a-f]+ </ {
			judge()
			name = $2
			n = loops = 0
			split("", place)
		}
		/^ +[0-9a-f]+:/ {
			at = $1
			sub(":", "", at)
			line[n] = $0
			place[at] = n
			to = $2 ~ /^cb/ ? $4 : $2 ~ /^b(\.[a-z]+)?$/ ? $3 : ""
			if (to in place) {
				from[loops] = place[to]
				end[loops++] = n
			}
			n++
		}
		END {
			judge()
			if (seen < 20 || most < 80) {
				print seen + 0 " loops with up to " most + 0 " fmla: 20 and 80 were expected"
				bad = 1
			}
			exit bad > 0
		}
		function judge(   i, k, inner, fma, lane, stack) {
			if (name !~ /^<(product_one|product_two|wino_dw)>/)
				return
			for (i = 0; i < loops; i++) {
				inner = 1
				for (k = 0; k < loops; k++)
					if (k != i && from[k] >= from[i] && end[k] <= end[i])
						inner = 0
				fma = lane = stack = 0
				for (k = from[i]; k <= end[i]; k++) {
					fma += line[k] ~ /fmla\tv[0-9]+\.4s/
					lane += line[k] ~ /fmla\tv.*\.s\[[0-3]\]/
					stack += line[k] ~ /\t(ld|st)[a-z]*\t[qds][0-9].*\[sp/
				}
				if (!inner || !lane)
					continue
				printf "%s %d instructions, %d fmla (%d by a lane), %d vectors on the stack\n",
					name, end[i] - from[i] + 1, fma, lane, stack
				seen++
				bad += stack > 0
				if (fma > most)
					most = fma
			}
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
		libpng-dev libwebp-dev libheif-dev libmicrohttpd-dev libjansson-dev libarchive-dev libsodium-dev \
		libsqlite3-dev libexpat1-dev libcurl4-openssl-dev
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

# Without those that take a quarter of an hour by emulation (whole networks of the zoo), and those that start an arm64
# program themselves.
say "tests on arm64"
ctest --test-dir build/arm64 --output-on-failure -R 'unit|fuzz' -E 'report_page|train_events|zoo|train_tune'

say "training on arm64, with NEON's kernels in the network"
build build/arm64-reference -DTP_DNNL_REFERENCE=ON
cmake --build build/arm64-reference --target test_learn
ctest --test-dir build/arm64-reference --output-on-failure -R unit.learn
