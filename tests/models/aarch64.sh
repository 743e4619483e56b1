#!/usr/bin/env bash
# The same model compiled for AArch64: linked statically with a runtime built by a cross compiler, run under qemu.
#
# usage: aarch64.sh BUILD
set -u
source "$(dirname "$0")/common.sh"
build=$(cd "${1:?usage: aarch64.sh BUILD}" && pwd)
cc=aarch64-linux-gnu-gcc
qemu=qemu-aarch64
digits=$root/examples/digits
flags="-O1 -static -I$work -I$root/runtime -I$root"

if ! command -v $cc > /dev/null || ! command -v $qemu > /dev/null; then
	fail "$cc or $qemu is missing"
	finish
	exit
fi
rows=$("$build/dlcc" --help-targets | awk '$2 == "aarch64" { print $1 }')
for cpu in $rows; do
	succeeds "compiling for $cpu" "$build/dlcc" "$digits/digits_cnn.onnx" --target=aarch64-linux-gnu --cpu=$cpu --dim batch=1 \
		-o "$work/digits_cnn.o" || continue
	succeeds "linking for $cpu" $cc -std=c11 $flags "$digits/digits.c" "$work/digits_cnn.o" "$root"/runtime/*.c -lm -lpthread \
		-o "$work/digits" || continue
	succeeds "digits on $cpu" $qemu -cpu max "$work/digits"
	grep -q '23 of 23' "$work/out" && ok || fail "digits on $cpu: not all read"
done

# References, for one row of each set of instructions.
for cpu in armv8-a armv8.2-a neoverse-v1 neoverse-v2; do
	succeeds "compiling for $cpu, any batch" "$build/dlcc" "$digits/digits_cnn.onnx" --target=aarch64-linux-gnu --cpu=$cpu \
		--name=model -o "$work/model.o" || continue
	succeeds "linking for $cpu, any batch" $cc -std=gnu11 -DNO_COUNTING $flags "$here/linked.c" "$work/model.o" "$root"/runtime/*.c \
		-lm -lpthread -o "$work/linked" || continue
	timeout 600 $qemu -cpu max "$work/linked" 2e-4 - "$digits"/test_data_set_* > "$work/log" 2>&1
	add_sums "$work/log" "data sets on $cpu"
done

# A CPU that lacks what the object needs is told so; nothing dies of an illegal instruction.
succeeds "compiling for armv8.2-a" "$build/dlcc" "$digits/digits_cnn.onnx" --target=aarch64-linux-gnu --cpu=armv8.2-a --dim batch=1 \
	-o "$work/digits_cnn.o"
succeeds "linking" $cc -std=c11 $flags "$digits/digits.c" "$work/digits_cnn.o" "$root"/runtime/*.c -lm -lpthread -o "$work/digits"
if $qemu -cpu cortex-a53 "$work/digits" > "$work/out" 2>&1; then
	fail "a Cortex-A53 runs code for armv8.2-a with dot products"
elif grep -qi 'cpu' "$work/out"; then ok; else
	fail "no word of the CPU: $(tail -1 "$work/out")"
fi
finish
