#!/bin/sh
# Configures and builds one preset of CMakePresets.json; quiet when all goes well.
set -eu
cd "$(dirname "$0")/.."
log=build/$1-configure.log
mkdir -p build
cmake --preset "$1" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
if [ "$1" = release ]; then
	cmake --build --preset release --target tepal tepal_bench kernel_bench
else
	cmake --build --preset "$1"
fi
