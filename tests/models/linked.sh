#!/usr/bin/env bash
# Models linked into a C program, which uses and misuses them: see linked.c.
#
# usage: linked.sh BUILD [SHARED]
set -u
source "$(dirname "$0")/common.sh"
build=$(cd "${1:?usage: linked.sh BUILD [SHARED]}" && pwd)
cc=${CC:-cc}
flags="-std=gnu11 -O1 -Wall -I$root/runtime"
$cc $flags -c "$here/linked.c" -o "$work/linked.o" || exit 2

# run_linked NAME DIR TOLERANCE WEIGHTS OBJECT...: links and runs on the data sets of DIR.
run_linked() {
	local name=$1 dir=$2 tolerance=$3 weights=$4
	shift 4
	succeeds "$name: linking" $cc "$work/linked.o" "$@" -lm -lpthread -Wl,-rpath,"$work" -o "$work/linked" || return
	timeout 600 "$work/linked" "$tolerance" "$weights" "$dir"/test_data_set_* > "$work/log" 2>&1
	add_sums "$work/log" "$name"
}

# Types and sizes that linked.c reads: no strings.
is_numeric() { ! grep -q 'string\[' "$1"; }

while read -r name dir model; do
	is_expected_failure "$name" && continue
	[ "$(stat -c %s "$model")" -lt 4000000 ] || continue
	tolerance=2e-4
	case $name in *int8* | *int4* | *u8* | *a16w8*) tolerance=3e-2 ;; *half* | *fp16*) tolerance=1e-2 ;; esac
	succeeds "$name: compiling" "$build/dlcc" "$model" --name=model -o "$work/$name.o" || continue
	is_numeric "$work/$name.h" || continue
	run_linked "$name" "$dir" $tolerance - "$work/$name.o" "$build/libdlrt.a"
done < <(models "${2:-}")

# Other ways to ship the same model.
digits=$root/examples/digits
model=$digits/digits_cnn.onnx
succeeds "--weights" "$build/dlcc" "$model" --name=model --weights="$work/w.bin" -o "$work/w.o" &&
	run_linked "external weights" "$digits" 2e-4 "$work/w.bin" "$work/w.o" "$build/libdlrt.a"
succeeds "--emit=lib" "$build/dlcc" "$model" --name=model --emit=lib -o "$work/libmodel.a" &&
	run_linked "archive" "$digits" 2e-4 - "$work/libmodel.a"
succeeds "--emit=shared" "$build/dlcc" "$model" --name=model --emit=shared -o "$work/libmodel.so" &&
	run_linked "shared library" "$digits" 2e-4 - "$work/libmodel.so"
succeeds "--sanitize" "$build/dlcc" "$model" --name=model --sanitize -o "$work/s.o" &&
	run_linked "sanitized" "$digits" 2e-4 - "$work/s.o" "$build/libdlrt.a"
succeeds "-O0" "$build/dlcc" "$model" --name=model -O0 -o "$work/o0.o" &&
	run_linked "-O0" "$digits" 2e-4 - "$work/o0.o" "$build/libdlrt.a"

# valgrind sees reads of what nothing has set, and accesses beyond memory that comes from the heap.  It has no AVX-512.
valgrind_linked() { timeout 600 valgrind -q --error-exitcode=9 --leak-check=no "$work/linked" --heap 2e-4 - "$@"; }

# for_valgrind WHAT MODEL: makes $work/linked
for_valgrind() {
	succeeds "$1: compiling" "$build/dlcc" "$2" --cpu=x86-64-v3 --name=model -o "$work/v.o" &&
		succeeds "$1: linking" $cc $flags -g -DNO_COUNTING "$here/linked.c" "$work/v.o" "$build/libdlrt.a" -lm -lpthread -o "$work/linked"
}

cat > "$work/beyond.ir" <<'IR'
program @model
input 0 %image: f32[1,1,8,8]
output 0 %y: f32[64]
workspace 0

kernel @beyond(x: f32[64] align 4, out y: f32[64] align 4) {
  for i < 64 {
    y[i] = x[i + 1]
  }
}

run {
  @beyond(%image, %y)
}
IR
if ! command -v valgrind > /dev/null || ! grep -qw avx2 /proc/cpuinfo; then
	echo "not run under valgrind: it, or a CPU with AVX2, is missing"
else
	for_valgrind "valgrind" "$model" && succeeds "under valgrind" valgrind_linked "$digits"/test_data_set_*
	if for_valgrind "valgrind, beyond" "$work/beyond.ir"; then
		valgrind_linked "$digits/test_data_set_0" > "$work/out" 2>&1
		[ $? = 9 ] && grep -q 'model.beyond' "$work/out" && ok || fail "valgrind does not see a read beyond an input"
	fi
fi

# Any number of models in one program; no symbol but the model's two.
succeeds "a second model" "$build/dlcc" "$model" --name=second -o "$work/second.o" &&
	run_linked "two models" "$digits" 2e-4 - "$work/digits.o" "$work/second.o" "$build/libdlrt.a"
if [ "$(nm -g --defined-only "$work/second.o" | awk '{ print $3 }' | sort | tr '\n' ' ')" = "second second_run " ]; then ok; else
	fail "an object defines other global symbols than NAME and NAME_run"
fi
if nm -u "$work/second.o" | awk '{ print $2 }' | grep -vxE 'dlrt_run_typed|memcpy|memset|memmove|_GLOBAL_OFFSET_TABLE_'; then
	fail "an object needs more than the runtime, memcpy and memset"
else ok; fi

# Strings of the caller and of the model.
succeeds "strings: compiling" "$build/dlcc" "$root/tests/golden/graph/strings.ir" --name=strings -o "$work/strings.o" &&
	succeeds "strings: linking" $cc $flags -I"$work" "$here/strings.c" "$work/strings.o" "$build/libdlrt.a" -lm -lpthread -o "$work/strings" &&
	succeeds "strings" "$work/strings"

# The header is C99 and C++.
printf '#include "second.h"\nint main(void) { return second.abi != DLRT_ABI; }\n' > "$work/use.c"
succeeds "header as C99" $cc -std=c99 -Wall -Wextra -pedantic -Werror -I"$work" -I"$root/runtime" -c "$work/use.c" -o "$work/use.o"
succeeds "header as C++" "${CXX:-g++}" -x c++ -std=c++11 -Wall -Wextra -pedantic -Werror -I"$work" -I"$root/runtime" -c "$work/use.c" -o "$work/use.o"
finish
