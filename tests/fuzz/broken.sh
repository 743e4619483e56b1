#!/usr/bin/env bash
# Broken models: the compiler says what is wrong and exits with 1, or compiles what is still right; it never crashes.
#
# usage: broken.sh BUILD [SHARED]     BUILD should be a build with sanitizers
set -u
source "$(dirname "$0")/../models/common.sh"
build=$(cd "${1:?usage: broken.sh BUILD [SHARED]}" && pwd)
fuzz=$root/tests/fuzz
${CC:-cc} -std=c11 -O1 -Wall "$fuzz/broken_models.c" -o "$work/broken_models" || exit 2
inputs=("$root/examples/digits/digits_cnn.onnx")
for name in digits_mlp_qdq_int8 char_lstm rf_iris_tree_ensemble silero_vad_16k_op15 digits_transformer; do
	model=${2:-/nonexistent}/zoo/real/$name/model.onnx
	[ -f "$model" ] && [ "$(stat -c %s "$model")" -lt 200000 ] && inputs+=("$model")
done
mkdir "$work/models" && "$work/broken_models" "$work/models" "${inputs[@]}" || exit 2

# one FILE: prints "ok" or "FAIL ..."
one() {
	local name status=0 err=$1.err
	name=$(basename "$1" .onnx)
	timeout 300 "$build/dlcc" "$1" --verify-each -o "$1.o" > /dev/null 2> "$err" || status=$?
	if [ $status -gt 1 ] || grep -qE 'AddressSanitizer|runtime error|assert' "$err"; then
		echo "FAIL $name: status $status: $(grep -m1 -E 'ERROR|runtime error|assert|bug|fatal' "$err")"
	elif [ $status = 1 ] && ! grep -q 'error: ' "$err"; then
		echo "FAIL $name: refused without a message"
	elif [ $status = 0 ] && [[ $name == bad-* ]]; then
		echo "FAIL $name: accepted"
	elif [ $status = 1 ] && [[ $name == ok-* ]]; then
		echo "FAIL $name: $(head -1 "$err")"
	else
		echo "ok $name"
	fi
}
export -f one
export build
find "$work/models" -name '*.onnx' | sort | xargs -P "$(nproc)" -I{} bash -c 'one {}' > "$work/results"
grep FAIL "$work/results" | sort
passed=$(grep -c '^ok' "$work/results")
failed=$(grep -c '^FAIL' "$work/results")
finish
