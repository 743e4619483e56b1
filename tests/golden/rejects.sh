#!/bin/sh
# rejects.sh DLCC FILE [OPTIONS]: every part of FILE, between lines "# ----", is rejected (exit code 1); prints the messages with the
# lines of FILE.
dlcc=$1 file=$2
shift 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
awk -v dir="$tmp" '
	BEGIN { part = sprintf("%s/%03d.ir", dir, 0) }
	/^# ----/ { close(part); part = sprintf("%s/%03d.ir", dir, NR); for (i = 1; i < NR; i++) print "" > part }
	{ print > part }' "$file"
for part in "$tmp"/*.ir; do
	"$dlcc" "$part" --emit=ir "$@" > "$tmp/out" 2> "$tmp/err"
	status=$?
	sed "s|$tmp/||" "$tmp/err"
	if [ $status != 1 ]; then
		echo "$(basename "$part" .ir): exit code $status for:"
		sed '/^$/d' "$part"
	fi
done
