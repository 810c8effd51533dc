#!/bin/sh
# A folder of src/ includes only what is below it; a library has one folder that may include it. docs/design.md.
set -eu
cd "$(dirname "$0")/.."
bad=0

allowed() { # folder -> folders it may include
	case $1 in
	base) echo "base" ;;
	taxonomy) echo "base taxonomy" ;;
	image) echo "base image" ;;
	data) echo "base image data" ;;
	nn) echo "base nn" ;;
	model) echo "base image nn model" ;;
	retrieve) echo "base nn retrieve" ;;
	train) echo "base image data nn model train" ;;
	engine) echo "base image nn model retrieve engine" ;;
	server) echo "base image nn model retrieve engine server" ;;
	cli) echo "base taxonomy image data nn model retrieve train engine server cli" ;;
	*) echo "" ;;
	esac
}

for dir in src/*/; do
	m=$(basename "$dir")
	may=" $(allowed "$m") "
	for inc in $(grep -hoE '^#include "[a-z]+/' "$dir"*.[ch] | sed 's/.*"//; s,/,,' | sort -u); do
		case $may in
		*" $inc "*) ;;
		*) echo "src/$m includes $inc/, which is not below it"; bad=1 ;;
		esac
	done
done

only() { # header pattern, then the paths that may include it
	pattern=$1
	shift
	for f in $(grep -lE "^#include <$pattern" src/*/*.[ch] || true); do
		ok=0
		for p in "$@"; do case $f in $p) ok=1 ;; esac; done
		[ $ok = 1 ] || { echo "$f includes <$pattern>, which belongs to $*"; bad=1; }
	done
}
only 'dnnl' 'src/nn/*'
only '(jpeglib|png|webp|libheif)' 'src/image/*'
only 'microhttpd' 'src/server/http_mhd.c'
only 'sqlite3' 'src/data/catalog*.c' 'src/data/catalog_int.h'
only 'expat' 'src/data/*'
only 'curl' 'src/data/fetch*'
only 'archive' 'src/data/*' 'src/nn/import*'
only 'sodium' 'src/base/hash.c' 'src/store/*' 'src/server/*'
exit $bad
