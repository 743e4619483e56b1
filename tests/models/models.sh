#!/usr/bin/env bash
# Whole networks against references, compiled in memory: at -O3, at -O0, with every access checked, and for portable CPUs.
#
# usage: models.sh DLCC [SHARED]
#
# expected_failures.txt lists "NAME  reason": models that dlcc refuses, which it must do with a message; and "NAME@CPU  reason":
# those beyond the tolerance on that CPU.  A listed one that works is a failure.  With BLESS=1 the former are written anew.
set -u
source "$(dirname "$0")/common.sh"
dlcc=${1:?usage: models.sh DLCC [SHARED]}
list=$here/expected_failures.txt
small=1000000 # bytes of a model that is tested in every way

if [ "${BLESS:-}" = 1 ]; then
	grep -E '^#|^[^ ]*@' "$list" > "$work/others"
	while read -r name dir model; do
		timeout 600 "$dlcc" test "$model" > "$work/out" 2>&1 || echo "$name  $(grep -m1 'error: ' "$work/out" | sed 's/.*error: //')"
	done < <(models "${2:-}") > "$list"
	cat "$work/others" >> "$list"
fi

# A line per run: what is expected (works, refused, differs), its name, the model, the options.
tasks() {
	local name dir model cpu
	while read -r name dir model; do
		if is_expected_failure "$name"; then
			echo "refused $name $model"
			continue
		fi
		echo "works $name $model"
		echo "works $name $model --threads=2"
		[ "$(stat -c %s "$model")" -lt $small ] || continue
		echo "works $name $model --sanitize --verify-each"
		echo "works $name $model -O0 --sanitize --verify-each"
		for cpu in x86-64 x86-64-v3; do
			if is_expected_failure "$name@$cpu"; then
				echo "differs $name $model --cpu=$cpu"
			else
				echo "works $name $model --cpu=$cpu"
			fi
		done
	done
}

# one_task EXPECTED NAME MODEL OPTIONS...: prints "ok" or "FAIL ..." and why.
one_task() {
	local expected=$1 name=$2 log status=0 got
	shift 2
	log=$(mktemp "$work/log.XXXXXX")
	timeout 900 "$dlcc" test "$@" > "$log" 2>&1 || status=$?
	got="status $status"
	[ $status = 0 ] && got=works
	[ $status = 1 ] && grep -q ' FAIL ' "$log" && got=differs
	[ $status = 1 ] && grep -q 'error: ' "$log" && got=refused
	shift
	if [ "$got" = "$expected" ]; then echo ok; else
		printf 'FAIL %s: expected %s, is %s\n' "$name $*" "$expected" "$got"
		tail -5 "$log" | sed 's/^/    /'
	fi
	rm -f "$log"
}
export -f one_task
export dlcc work

tasks < <(models "${2:-}") | xargs -P "$(nproc)" -L1 bash -c 'one_task "$@"' one_task > "$work/results"
grep -v '^ok$' "$work/results"
passed=$(grep -c '^ok$' "$work/results")
failed=$(grep -c '^FAIL' "$work/results")
finish
