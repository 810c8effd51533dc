#!/bin/sh
# check_docs.sh TEPAL: every command and option that the README and docs/ show exists in that program, and with
# TEPAL_PHOTOS the README's commands run as they stand there (those that end by themselves and need no network).
set -eu
tepal=$(realpath "$1")
cd "$(dirname "$0")/.."
bad=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Shown command lines: indented or in a code block, one a line, or goes on after a backslash.
sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' README.md docs/*.md |
	grep -E '^[[:space:]]*(build/release/src/cli/)?tepal [a-z]+ ' | sed 's,.*/cli/,,; s/^[[:space:]]*//; s/   .*//' >"$tmp/lines"
while read -r line; do
	command=$(echo "$line" | cut -d' ' -f2)
	# the commands of data have options of their own
	case $command in data) command="data $(echo "$line" | cut -d' ' -f3)" ;; esac
	case $line in *"tepal data "[a-z]*": "*) continue ;; esac # what a command said
	case $line in "tepal serve answers"*|"tepal names the"*) continue ;; esac
	# shellcheck disable=SC2086
	if ! "$tepal" $command --help >"$tmp/help" 2>&1; then
		echo "the docs show \"$line\": no such command"
		bad=1
		continue
	fi
	for option in $(echo "$line" | grep -oE -- ' --[a-z-]+' || true); do
		grep -qE -- "$option( |=|$)" "$tmp/help" || { echo "the docs show \"$line\": no option $option"; bad=1; }
	done
done <"$tmp/lines"
[ "$(wc -l <"$tmp/lines")" -ge 6 ] || { echo "the commands of the README were not found"; bad=1; }

if [ -n "${TEPAL_PHOTOS:-}" ] && [ -d "$TEPAL_PHOTOS/tiny" ]; then
	photos=$(realpath "$TEPAL_PHOTOS/tiny")
	ln -s "$photos" "$tmp/PHOTOS"
	ln -s "$PWD/models" "$tmp/models"
	cp "$(find "$photos/" -name '*.jpg' | sort | head -n 1)" "$tmp/leaf.jpg"
	sed -n 's,^build/release/src/cli/\(tepal .*\),\1,p' README.md | sed 's/   .*//' | grep -vE '^tepal (serve|model fetch)' >"$tmp/run"
	while read -r line; do
		# shellcheck disable=SC2086
		if ! (cd "$tmp" && "$tepal" ${line#tepal } </dev/null >out 2>&1); then
			echo "the README's \"$line\" fails:"
			cat "$tmp/out"
			bad=1
		fi
	done <"$tmp/run"
	echo "$(wc -l <"$tmp/run") commands of the README ran"
else
	echo "TEPAL_PHOTOS is not set: the README's commands were looked at, not run"
fi
exit $bad
