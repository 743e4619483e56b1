#!/usr/bin/env bash
# Whole networks against references, compiled in memory: at -O3, at -O0, and with every access checked.
#
# usage: models.sh DLCC [SHARED]
#
# Models that dlcc refuses are listed in expected_failures.txt, "name  reason": they must be refused with a message, and be
# taken out of the list when they run.  With BLESS=1 the list is written anew.
set -u
source "$(dirname "$0")/common.sh"
dlcc=${1:?usage: models.sh DLCC [SHARED]}

if [ "${BLESS:-}" = 1 ]; then
	while read -r name dir model; do
		timeout 600 "$dlcc" test "$model" > "$work/out" 2>&1 || echo "$name  $(grep -m1 'error: ' "$work/out" | sed 's/.*error: //')"
	done < <(models "${2:-}") > "$here/expected_failures.txt"
fi

while read -r name dir model; do
	if is_expected_failure "$name"; then
		"$dlcc" test "$model" > "$work/out" 2>&1
		status=$?
		if [ $status = 1 ] && grep -q 'error: ' "$work/out"; then ok; else
			fail "$name: listed as refused, but the status is $status"
		fi
		continue
	fi
	succeeds "$name -O3" timeout 600 "$dlcc" test "$model"
	succeeds "$name -O3 --threads=2" timeout 600 "$dlcc" test "$model" --threads=2
	[ "$(stat -c %s "$model")" -lt 1000000 ] || continue
	succeeds "$name -O3 --sanitize" timeout 600 "$dlcc" test "$model" --sanitize --verify-each
	succeeds "$name -O0 --sanitize" timeout 600 "$dlcc" test "$model" -O0 --sanitize --verify-each
	for cpu in x86-64 x86-64-v3; do
		if is_expected_failure "$name@$cpu"; then
			timeout 600 "$dlcc" test "$model" --cpu=$cpu > "$work/out" 2>&1
			[ $? = 1 ] && ok || fail "$name: listed as beyond the tolerance with --cpu=$cpu, but is not"
		else
			succeeds "$name $cpu" timeout 600 "$dlcc" test "$model" --cpu=$cpu
		fi
	done
done < <(models "${2:-}")
finish
