#!/bin/sh
# The documents say what the compiler does: lists from its tables (`dev docs --check`), and the output of every command that a
# document shows.
#
# usage: docs.sh [--write]     environment: DLCC (build/dlcc)
#
# A command stands behind "$ " on the first line of a ```console block and is run in the root of the repository; --write puts its
# output there.
set -u
cd "$(dirname "$0")/.." || exit 2
write=${1:-}
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
dlcc=${DLCC:-build/dlcc}
case $dlcc in /*) ;; *) dlcc=$PWD/$dlcc ;; esac
[ -x "$dlcc" ] || { echo "docs.sh: no compiler at $dlcc" >&2; exit 2; }
ln -s "$dlcc" "$tools/dlcc"
PATH=$tools:$PATH
export PATH

bad=0 shown=0
for document in docs/*.md README.md; do
	grep -q '^```console' "$document" || continue
	awk '
		/^```console/ { print; fence = 1; next }
		fence == 1 { print; command = substr($0, 3) " 2>&1"; fence = 2; fflush()
			while ((command | getline line) > 0) print line
			close(command); next }
		fence == 2 && /^```/ { fence = 0 }
		fence == 2 { next }
		{ print }' "$document" > "$tools/new.md"
	shown=$((shown + $(grep -c '^```console' "$document")))
	if [ "$write" = --write ]; then
		cmp -s "$tools/new.md" "$document" || cat "$tools/new.md" > "$document"
	else
		diff -u "$document" "$tools/new.md" || bad=1
	fi
done
if [ $bad != 0 ]; then
	echo "docs.sh: tests/docs.sh --write shows the output anew" >&2
	exit 1
fi
echo "$shown commands in documents"
