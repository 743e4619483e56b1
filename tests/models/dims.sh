#!/usr/bin/env bash
# --dim NAME=LO..HI@{N,...}: which code runs for which sizes, that all of it is right, and that it is what --dim NAME=N makes.
#
# usage: dims.sh BUILD [SHARED]
set -u
source "$(dirname "$0")/common.sh"
build=$(cd "${1:?usage: dims.sh BUILD [SHARED]}" && pwd)
shared=${2:-/nonexistent}
digits=$root/examples/digits
model=$digits/digits_cnn.onnx
values=(--dim "batch=1..20@{1,5,16}")
flags="-std=gnu11 -O1 -Wall -I$root/runtime -I."
cd "$work" || exit 2

# compiles WHAT LIBRARY DLCC-OPTIONS...: `dims` and `cpus` with the model; LIBRARY is what holds it, with the runtime or not.
compiles() {
	local what=$1 library=$2
	shift 2
	succeeds "$what" "$build/dlcc" "$model" "${values[@]}" --name=model -o "$library" --header=model.h "$@" &&
		succeeds "$what: linking" cc $flags "$here/dims.c" "./$library" "$build/libdlrt.a" -lm -lpthread -o dims &&
		succeeds "$what: linking" cc $flags "$here/cpus.c" "./$library" "$build/libdlrt.a" -lm -lpthread -o cpus
}

# runs WHAT: every batch, then the data sets, whose batches are 1, 17 and 5.
runs() {
	./dims 1 5 16 > log 2>&1
	add_sums log "$1"
	./cpus 2e-4 - "$digits"/test_data_set_* > log 2>&1
	add_sums log "$1: data sets"
	[ "$(awk '/^picked/ { sub(/.*-batch_/, ""); sub(/picked.*/, "all"); print }' log | tr '\n' ' ')" = "1 all 5 " ] && ok ||
		fail "$1: the data sets run $(grep -h '^picked' log | tr '\n' ' ')"
}

compiles "an object" model.o && runs "an object"
compiles "an archive" libmodel.a --emit=lib && runs "an archive"
compiles "a shared library" libmodel.so --emit=shared && runs "a shared library"
compiles "-O0" o0.o -O0 && runs "-O0"
compiles "--sanitize" s.o --sanitize && runs "--sanitize"
[ "$(uname -m)" = x86_64 ] && compiles "two CPUs" both.o --cpu=x86-64-v3,x86-64-v4 && runs "two CPUs"

# The same bytes every time; two global symbols.
"$build/dlcc" "$model" "${values[@]}" --name=model -o again.o --no-header --threads=1
cmp -s model.o again.o && ok || fail "the object depends on the number of threads"
[ "$(nm -g --defined-only model.o | awk '{ print $3 }' | sort | tr '\n' ' ')" = "model model_run " ] && ok ||
	fail "the object defines other global symbols than NAME and NAME_run"

# Weights that several bodies read are stored once.
"$build/dlcc" "$model" "${values[@]}" --report=json -o r.o > report.json
python3 -c 'import json; r = json.load(open("report.json")); exit(not 0 < r["shared_weights_bytes"] <= r["weights_bytes"] < sum(b["weights_bytes"] for b in r["cpus"]))' && ok ||
	fail "no weights are shared"

# In memory.
succeeds "dlcc test" "$build/dlcc" test "$model" "${values[@]}"
for set in 0:1 1: 2:5; do
	batch=${set#*:}
	"$build/dlcc" bench "$model" "${values[@]}" --repeat=2 --profile --data "$digits/test_data_set_${set%:*}" > out 2>&1
	if [ -n "$batch" ]; then grep -q "^compiled for [^,]*, batch = $batch, 1 thread" out; else grep -q '^compiled for [^,]*, 1 thread' out; fi &&
		grep -q '^ *2 .*Conv' out && ok || fail "dlcc bench with data set ${set%:*}: $(grep '^compiled' out)"
done

# alike FILE FILE: the same kernels but for the symbols of the program and the numbers in names of variables
alike() {
	cmp -s <(plain "$1") <(plain "$2")
}
plain() { grep -v '^dim ' "$1" | sed -E 's/\b([a-z]+)_?[0-9]+\b/\1/g'; }

# as_fixed WHAT MODEL BODY "FIXED OPTIONS" OPTIONS...: the body is what an object for these sizes alone has
as_fixed() {
	local what=$1 file=$2 body=$3 fixed=$4
	shift 4
	"$build/dlcc" "$file" $fixed -g -o alone.o && "$build/dlcc" "$file" "$@" -g -o among.o &&
		alike alone.kernels "$(ls among.*-"$body".kernels)" && ok || fail "$what: other kernels than with $fixed"
}
as_fixed digits_cnn "$model" batch_5 "--dim batch=5" "${values[@]}"

# Models with more dims: what runs for a listed combination and for others.
gpt=$shared/zoo/real/char_gpt
if [ -d "$gpt" ]; then
	as_fixed char_gpt "$gpt/model.onnx" batch_1-seq_25 "--dim batch=1 --dim seq=25" --dim "batch=1..4@{1}" --dim "seq=1..64@{16,25}"
	succeeds "char_gpt" "$build/dlcc" "$gpt/model.onnx" --dim "batch=1..4@{1,2}" --dim "seq=1..64@{25,32}" --name=model -o gpt.o &&
		succeeds "char_gpt: linking" cc $flags "$here/cpus.c" gpt.o "$build/libdlrt.a" -lm -lpthread -o gpt && ./gpt 2e-4 - "$gpt"/test_data_set_* > log 2>&1
	add_sums log char_gpt
	[ "$(grep '^picked' log | sed 's/picked [^ ]*-batch/batch/; s/picked.*/all/' | tr '\n' ' ')" = "batch_1-seq_25 all " ] && ok ||
		fail "char_gpt: runs $(grep -h '^picked' log | tr '\n' ' ')"
fi
transformer=$shared/zoo/real/digits_transformer
if [ -d "$transformer" ]; then
	as_fixed digits_transformer "$transformer/model.onnx" batch_17 "--dim batch=17" --dim "batch=1..32@{17}"
	succeeds "digits_transformer" "$build/dlcc" test "$transformer/model.onnx" --dim "batch=1..32@{17}"
fi
finish
