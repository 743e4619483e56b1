#!/usr/bin/env bash
# Every model of the shared zoo against its references, all data sets from one compiled model: at the default CPU and for x86-64-v3.
#
# usage: zoo.sh DLCC SHARED DIR... [-- NAME...]     DIR: where architectures of the zoo have been materialised
#
# Prints a line per model and CPU, and sums.  No model is left out: one that is refused, is not there, or works for one of its
# data sets at a time only (because an input must be known while compiling) has failed.  With names, only those models.
set -u
source "$(dirname "$0")/common.sh"
dlcc=${1:?usage: zoo.sh DLCC SHARED DIR... [-- NAME...]}
shared=${2:?usage: zoo.sh DLCC SHARED DIR... [-- NAME...]}
shift 2
places=$shared/zoo/real
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	places=$places:$1
	shift
done
[ $# -gt 0 ] && shift
chosen=" $* "
gigabytes_per_job=4 # the largest models: weights of half a GB, in the model, in the compiler and in the code
cpus="default x86-64-v3"

# "NAME KIND" a line; the kind is quantised when an operator of the model computes with quantised integers.
kinds() {
	python3 - "$shared/zoo/list.json" <<- 'END'
		import json, re, sys
		quantised = re.compile("quantize|integer|qlinear|qgemm|qattention|nbits|bnb4|fpq4", re.I)
		for model in json.load(open(sys.argv[1]))["models"]:
		    print(model["name"], "quantised" if any(map(quantised.search, model["ops"])) else "float")
	END
}

# The directory of a model; nothing when it has no test data.
place_of() {
	local dir
	while read -r -d: dir; do
		[ -f "$dir/$1/model.onnx" ] && [ -f "$dir/$1/test_data_set_0/output_0.pb" ] && { echo "$dir/$1"; return; }
	done <<< "$places:"
}

tasks() {
	local name kind cpu
	while read -r name kind; do
		[ "$chosen" = "  " ] || [[ $chosen == *" $name "* ]] || continue
		for cpu in $cpus; do
			echo "$name $kind $cpu $(place_of "$name")"
		done
	done < "$work/kinds"
}

# What is wrong, in one line, from what `dlcc test` printed.
reason() {
	local log=$1 status=$2
	[ "$status" = 124 ] && { echo "takes too long"; return; }
	grep -m1 'error: ' "$log" | sed 's/^[^ ]*: \(node .*\)/\1/; s/error: //' | grep . && return
	grep -m1 ' FAIL ' "$log" | sed 's/^ *FAIL *//' | grep . && return
	grep -m1 ': compiled for its ' "$log" | sed 's/.*: compiled for its /compiled anew for each data set: its /' | grep . && return
	echo "status $status"
}

# one_task NAME KIND CPU DIR
one_task() {
	local name=$1 kind=$2 cpu=$3 dir=${4:-} log status=0 start=$SECONDS result=ok why=
	log=$(mktemp "$work/log.XXXXXX")
	if [ -z "$dir" ]; then
		result=FAILED why="the model is not there"
	else
		timeout 1800 "$dlcc" test "$dir/model.onnx" $([ "$cpu" = default ] || echo "--cpu=$cpu") > "$log" 2>&1 || status=$?
		[ $status = 0 ] && ! grep -q ': compiled for its ' "$log" || { result=FAILED why=$(reason "$log" $status); }
	fi
	printf '%-10s %-28s %-10s %-6s %4d s  %s\n' "$kind" "$name" "$cpu" $result $((SECONDS - start)) "$why" | sed 's/ *$//'
	rm -f "$log"
}
export -f one_task reason
export dlcc work

kinds > "$work/kinds" || exit 2
memory=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
jobs=${JOBS:-$(nproc)}
[ $((memory / gigabytes_per_job)) -ge "$jobs" ] || jobs=$((memory / gigabytes_per_job > 1 ? memory / gigabytes_per_job : 1))
tasks | xargs -P "$jobs" -L1 bash -c 'one_task "$@"' one_task | tee "$work/results"

for kind in float quantised; do
	p=$(grep -cE "^$kind +[^ ]+ +[^ ]+ +ok " "$work/results")
	f=$(grep -cE "^$kind +[^ ]+ +[^ ]+ +FAILED " "$work/results")
	printf '%s: %d passed, %d failed\n' $kind "$p" "$f"
	passed=$((passed + p)) failed=$((failed + f))
done
finish
