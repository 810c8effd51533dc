#!/bin/sh
# Installs what tepal is built with (setup.sh build) and what its tests need besides (setup.sh test).
# Does nothing, and needs no network, when everything is there.
set -eu
cd "$(dirname "$0")/.."

build="cmake ninja-build pkg-config gcc libc6-dev libdnnl-dev libjpeg62-turbo-dev libpng-dev libwebp-dev
	libheif-dev libmicrohttpd-dev libjansson-dev libarchive-dev libsodium-dev"
tests="chromium"

missing() {
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"
	done
}

install() {
	[ $# -gt 0 ] || return 0
	echo "tepal needs these Debian packages: $*"
	if [ "$(id -u)" = 0 ]; then
		sudo=
	elif command -v sudo >/dev/null; then
		sudo=sudo
		echo "Installing them with sudo, which may ask for your password."
	else
		echo "Neither root nor sudo is here. As root, run: apt-get install $*" >&2
		exit 1
	fi
	$sudo apt-get update -q || echo "The package lists could not be renewed; trying with those that are here." >&2
	# shellcheck disable=SC2086
	if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; then
		echo "The packages above could not be installed: is there a network, and does apt-get work?" >&2
		exit 1
	fi
}

have_tools() { # what a system that is not Debian must bring itself
	for t in cmake ninja pkg-config cc; do
		command -v $t >/dev/null || { echo "$t is missing" >&2; return 1; }
	done
	pkg-config --exists jansson libsodium libarchive libmicrohttpd libjpeg libpng libwebp
}

packages=$build
if [ "$1" = test ]; then
	packages="$packages $tests"
	# A node of one's own (18 or newer) is as good as Debian's.
	command -v node >/dev/null || packages="$packages nodejs"
	command -v npm >/dev/null || packages="$packages npm"
fi

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
	# shellcheck disable=SC2046,SC2086
	install $(missing $packages)
elif ! have_tools; then
	echo "There is no apt-get here. Install the likes of these with your own package manager, then run make again:" >&2
	echo "$packages" | tr -s '\t\n' ' ' >&2
	echo >&2
	exit 1
fi

if [ "$1" = test ] && [ -f tests/e2e/package.json ] && [ ! -d tests/e2e/node_modules/playwright-core ]; then
	echo "Installing playwright-core, which drives the browser in the page's test."
	(cd tests/e2e && npm ci --no-audit --no-fund --loglevel=error) || {
		echo "npm could not install playwright-core: is there a network?" >&2
		exit 1
	}
fi
