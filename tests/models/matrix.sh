#!/usr/bin/env bash
# Networks in every configuration that the compiler has: a line for each model and configuration, then the sums.
#
# usage: matrix.sh [--configs=A,B,...] BUILD MODEL_DIR...
#
# MODEL_DIR holds model.onnx and test_data_set_K.  Configurations (matrix.txt says which models get which, --configs gives all
# models the same):
#   default, x86-64-v3, x86-64-v4, sanitize, O0, O0-sanitize    `dlcc test` with these options, on all data sets
#   aarch64     an object for AArch64 linked to linked.c, run by qemu on the smallest data set
#   valgrind    an object for x86-64-v3 linked to linked.c, run by valgrind (which has no AVX-512) on all data sets
# One that cannot run here is skipped, with the reason in its line.  JOBS (all CPUs) run side by side; none may take longer than
# TIME_LIMIT (1800) seconds.
set -u
source "$(dirname "$0")/common.sh"

# ---- what can run here -------------------------------------------------------------------------------------------------

# lacks_flags FLAG...: those that the CPU does not have
lacks_flags() {
	local flag
	for flag in "$@"; do
		grep -qw "$flag" /proc/cpuinfo || printf ' %s' "$flag"
	done
}

# lacks_programs PROGRAM...
lacks_programs() {
	local program
	for program in "$@"; do
		command -v "$program" > /dev/null || printf ' %s' "$program"
	done
}

# Why a configuration cannot run here; nothing when it can.
obstacle_of() {
	local lacks=
	case $1 in
	x86-64-v3) lacks=$(lacks_flags avx2 bmi2 fma f16c) ;;
	x86-64-v4) lacks=$(lacks_flags avx2 bmi2 fma f16c avx512f avx512cd avx512bw avx512dq avx512vl) ;;
	aarch64) lacks=$(lacks_programs aarch64-linux-gnu-gcc qemu-aarch64) ;;
	valgrind) lacks=$(lacks_programs valgrind)$(lacks_flags avx2 bmi2 fma f16c) ;;
	esac
	[ -z "$lacks" ] || echo "not here:$lacks"
}

# ---- the configurations ------------------------------------------------------------------------------------------------

# limited COMMAND...: in the foreground, so that what interrupts this script ends it too
limited() { timeout --foreground "$limit" "$@"; }

# with_dlcc MODEL_DIR OPTIONS...
with_dlcc() {
	local dir=$1
	shift
	limited "$build/dlcc" test "$dir/model.onnx" "$@"
}

smallest_set() { du -sb "$1"/test_data_set_* | sort -n | awk 'NR == 1 { print $2 }'; }

tolerance_of() {
	case $1 in *int8* | *int4* | *u8* | *a16w8*) echo 3e-2 ;; *half* | *fp16*) echo 1e-2 ;; *) echo 2e-4 ;; esac
}

# linked_program DIR WORK "CC FLAGS..." RUNTIME DLCC_OPTIONS...: makes WORK/linked
linked_program() {
	local dir=$1 out=$2 cc=$3 runtime=$4
	shift 4
	limited "$build/dlcc" "$dir/model.onnx" "$@" --name=model -o "$out/model.o" || return 1
	# shellcheck disable=SC2086 # words on purpose
	$cc -std=gnu11 -DNO_COUNTING -I"$root/runtime" -I"$root" "$here/linked.c" "$out/model.o" $runtime -lm -lpthread -o "$out/linked"
}

with_aarch64() {
	local data tolerance
	data=$(smallest_set "$1")
	tolerance=$(tolerance_of "$(basename "$1")")
	linked_program "$1" "$2" "aarch64-linux-gnu-gcc -O1 -static" "$root/runtime/*.c" --target=aarch64-linux-gnu &&
		limited qemu-aarch64 -cpu max "$2/linked" --once "$tolerance" - "$data" &&
		echo "smallest data set of $(ls -d "$1"/test_data_set_* | wc -l): $(basename "$data")"
}

with_valgrind() {
	local tolerance
	tolerance=$(tolerance_of "$(basename "$1")")
	linked_program "$1" "$2" "${CC:-cc} -O1 -g" "$build/libdlrt.a" --cpu=x86-64-v3 &&
		limited valgrind -q --error-exitcode=1 --leak-check=no "$2/linked" --once --heap "$tolerance" - "$1"/test_data_set_* &&
		echo "all data sets: $(ls -d "$1"/test_data_set_* | wc -l)"
}

# configuration NAME MODEL_DIR WORK
configuration() {
	case $1 in
	default) with_dlcc "$2" ;;
	x86-64-v[34]) with_dlcc "$2" --cpu="$1" ;;
	sanitize) with_dlcc "$2" --sanitize ;;
	O0) with_dlcc "$2" -O0 ;;
	O0-sanitize) with_dlcc "$2" -O0 --sanitize ;;
	aarch64) with_aarch64 "$2" "$3" ;;
	valgrind) with_valgrind "$2" "$3" ;;
	*) echo "there is no configuration '$1'"; return 2 ;;
	esac
}

# ---- running them ------------------------------------------------------------------------------------------------------

# one NAME MODEL_DIR: prints its line, and why it failed
one() {
	local config=$1 dir=$2 own status=0 obstacle start=$SECONDS note
	own=$(mktemp -d "$work/run.XXXXXX")
	obstacle=$(obstacle_of "$config")
	if [ -n "$obstacle" ]; then
		printf '%-20s %-12s skipped  %s\n' "$(basename "$dir")" "$config" "$obstacle"
	else
		configuration "$config" "$dir" "$own" > "$own/log" 2>&1 || status=$?
		if [ $status = 0 ] && grep -qE '^[1-9][0-9]* passed, 0 failed$' "$own/log"; then
			note=$(grep -E '^(smallest|all) data set' "$own/log" || sed -n 's/^\([0-9]*\) passed.*/all data sets: \1/p' "$own/log")
			printf '%-20s %-12s ok       %s, %d s\n' "$(basename "$dir")" "$config" "$note" $((SECONDS - start))
		else
			printf '%-20s %-12s FAIL     status %d, %d s\n%s\n' "$(basename "$dir")" "$config" $status $((SECONDS - start)) \
				"$(grep -vE '^ +ok ' "$own/log" | tail -12 | sed 's/^/    /')"
		fi
	fi
	rm -rf "$own"
}

# configurations NAME: those of a model
configurations() {
	if [ -n "$configs" ]; then
		echo "${configs//,/ }"
	else
		echo "default x86-64-v3 x86-64-v4" "$(awk -v name="$1" '$1 == name { $1 = ""; print }' "$here/matrix.txt")"
	fi
}

tasks() {
	local dir config
	for dir in "$@"; do
		for config in $(configurations "$(basename "$dir")"); do
			printf '%s %s\n' "$config" "$dir"
		done
	done
}

configs=
case ${1:-} in --configs=*) configs=${1#*=}; shift ;; esac
[ $# -ge 2 ] || { sed -n '/^# usage/,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 2; }
build=$(cd "$1" && pwd) || exit 2
limit=${TIME_LIMIT:-1800}
shift
export -f one configuration limited obstacle_of lacks_flags lacks_programs with_dlcc with_aarch64 with_valgrind linked_program \
	smallest_set tolerance_of
export build work here root limit
tasks "${@%/}" | xargs -P "${JOBS:-$(nproc)}" -L1 bash -c 'one "$@"' one | tee "$work/results"
passed=$(grep -cE '^[^ ]+ +[^ ]+ +ok ' "$work/results")
failed=$(grep -cE '^[^ ]+ +[^ ]+ +FAIL ' "$work/results")
finish
