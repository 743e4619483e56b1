#!/bin/sh
# round_trip.sh DLCC FILE...: what dlcc prints of a file reads back and prints the same bytes; with one file, the file itself, its
# leading comments aside, is what dlcc prints ("exact").
#   round_trip.sh DLCC exact FILE      round_trip.sh DLCC all DIR
set -u
dlcc=$1 mode=$2 from=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The text of a graph as it was read, of a program as it was read.
print() {
	if grep -q '^program ' "$1"; then
		"$dlcc" "$1" --emit=kernels
	else
		"$dlcc" "$1" --passes= --emit=ir
	fi
}

exact() {
	print "$1" > "$tmp/printed.ir" && grep -v '^#' "$1" | diff - "$tmp/printed.ir"
}

again() {
	print "$1" > "$tmp/once.ir" && print "$tmp/once.ir" > "$tmp/twice.ir" && diff "$tmp/once.ir" "$tmp/twice.ir"
}

case $mode in
exact)
	exact "$from"
	;;
all)
	n=0
	for file in $(find "$from" -name '*.ir' | sort); do
		if grep -q '^# RUN:.*\(not dlcc\|%rejects\)' "$file"; then
			continue # rejected texts
		fi
		n=$((n + 1))
		again "$file" || { echo "$file: does not read back as it prints" >&2; exit 1; }
	done
	echo "$n files read back"
	;;
esac
