#!/bin/sh
# Banned words, and the layout that .clang-format describes (where clang-format is installed).
set -eu
cd "$(dirname "$0")/.."
bad=0
if grep -nE '\b(strcpy|strcat|sprintf|vsprintf|atoi|atol|atof|gets|rand|srand|strtok)[[:space:]]*\(' src/*/*.[ch]; then
	echo "these calls are banned: they have no limit, no error or hidden state"
	bad=1
fi
if grep -nE -- '-ffast-math' CMakeLists.txt src/*/CMakeLists.txt; then
	echo "-ffast-math breaks golden numbers"
	bad=1
fi
if command -v clang-format-14 >/dev/null; then
	clang-format-14 --dry-run -Werror src/*/*.[ch] || bad=1
fi
exit $bad
