#!/usr/bin/env bash
# Objects with code for several CPUs: what is in them, what each machine runs of it, and that the rest runs too: see cpus.c.
# Machines that this one is not are qemu's.
#
# usage: cpus.sh BUILD [SHARED]
set -u
source "$(dirname "$0")/common.sh"
build=$(cd "${1:?usage: cpus.sh BUILD [SHARED]}" && pwd)
digits=$root/examples/digits
model=$digits/digits_cnn.onnx
sets=("$digits"/test_data_set_*)
both=--cpu=x86-64-v3,x86-64-v4
flags="-std=gnu11 -O1 -Wall -I$root/runtime"
cd "$work" || exit 2

# machine COMMAND...: runs it on the machine that $on names, "" is this one.
on=
machine() {
	case $on in
		"") "$@" ;;
		*) timeout 1200 qemu-"$arch" -cpu "$on" "$@" 2> err ;; # qemu's own warnings
	esac
}

# takes CPU|TEXT WHAT COMMAND...: the program's checks hold, and it picks this CPU, or says this.
takes() {
	local wanted=$1 what="$2${on:+ on $on}"
	shift 2
	machine "$@" > log 2>&1
	add_sums log "$what"
	if grep '^picked ' log | grep -qF -- "$wanted" && [ -z "$(grep '^picked ' log | grep -vF -- "$wanted")" ]; then ok; else
		fail "$what: wanted $wanted, $(grep -m1 '^picked ' log)"
	fi
}

# hash_of CPU: of its outputs in the first data set
hash_of() { awk -v cpu="$1" '$1 == cpu { print $2; exit }' log; }

has() { grep -qwE "$1" /proc/cpuinfo; }
here() { if has avx512vl && has avx512bw; then echo x86-64-v4; elif has avx2; then echo x86-64-v3; else echo lacks; fi; }

# on_machines WHAT TOLERANCE WEIGHTS DIR PROGRAM: on this machine, and on one that has no AVX-512: the code is what runs by itself here.
on_machines() {
	local what=$1 tolerance=$2 weights=$3 dir=$4 program=$5 native
	on= takes "$(here)" "$what" "$program" "$tolerance" "$weights" "$dir"/test_data_set_*
	native=$(hash_of x86-64-v3)
	command -v qemu-x86_64 > /dev/null || { fail "qemu-x86_64 is missing"; return; }
	on=Haswell takes x86-64-v3 "$what" "$program" "$tolerance" "$weights" "$dir"/test_data_set_0
	[ "$native" = no ] || [ "$native" = "$(hash_of x86-64-v3)" ] && ok || fail "$what: other bits on a Haswell than by x86-64-v3 here"
	[ "$(hash_of x86-64-v4)" = no ] && ok || fail "$what: a Haswell runs AVX-512"
}

if [ "$(uname -m)" = x86_64 ]; then
	arch=x86_64
	succeeds "compiling" "$build/dlcc" "$model" $both --name=model -o model.o --report
	grep -q 'weights in all: ' out && ok || fail "--report does not say what the weights take"
	cc $flags "$here/cpus.c" model.o "$build/libdlrt.a" -lm -lpthread -o cpus || exit 2
	on_machines digits 2e-4 - "$digits" ./cpus
	on=Nehalem takes "and this CPU lacks movbe" digits ./cpus 2e-4 - "${sets[0]}"

	# Other ways to ship it.
	succeeds "--weights" "$build/dlcc" "$model" $both --name=model --weights=w.bin -o w.o &&
		succeeds "--weights: linking" cc $flags "$here/cpus.c" w.o "$build/libdlrt.a" -lm -lpthread -o cpus_w &&
		on_machines "external weights" 2e-4 w.bin "$digits" ./cpus_w
	succeeds "--emit=shared" "$build/dlcc" "$model" $both --name=model --emit=shared -o libmodel.so &&
		succeeds "--emit=shared: linking" cc $flags "$here/cpus.c" libmodel.so -lm -lpthread -Wl,-rpath,"$work" -o cpus_so &&
		on_machines "shared library" 2e-4 - "$digits" ./cpus_so
	succeeds "--emit=lib" "$build/dlcc" "$model" $both --name=model --emit=lib -o libmodel.a &&
		succeeds "--emit=lib: linking" cc $flags "$here/cpus.c" libmodel.a -lm -lpthread -o cpus_a &&
		on_machines "archive" 2e-4 - "$digits" ./cpus_a
	succeeds "-O0" "$build/dlcc" "$model" $both -O0 --name=model -o o0.o &&
		succeeds "-O0: linking" cc $flags "$here/cpus.c" o0.o "$build/libdlrt.a" -lm -lpthread -o cpus_o0 &&
		on_machines "-O0" 2e-4 - "$digits" ./cpus_o0
	succeeds "--sanitize" "$build/dlcc" "$model" $both --sanitize --name=model -o s.o &&
		succeeds "--sanitize: linking" cc $flags "$here/cpus.c" s.o "$build/libdlrt.a" -lm -lpthread -o cpus_s &&
		on_machines "--sanitize" 2e-4 - "$digits" ./cpus_s

	# The typed call takes the same way.
	succeeds "the example" "$build/dlcc" "$model" $both --dim batch=1 -o digits_cnn.o &&
		succeeds "the example: linking" cc $flags -I. "$digits/digits.c" digits_cnn.o "$build/libdlrt.a" -lm -lpthread -o digits
	for on in "" Haswell; do
		machine ./digits > out && grep -q '23 of 23' out && ok || fail "the example${on:+ on $on}"
	done
	on=Nehalem machine ./digits > out
	grep -q 'CPU' err && ok || fail "the example on a Nehalem: no word of the CPU"

	# A larger network.
	cls=${2:-/nonexistent}/zoo/real/ppocr_v2_cls
	if [ -d "$cls" ]; then
		succeeds "ppocr_v2_cls: compiling" "$build/dlcc" "$cls/model.onnx" $both --name=model -o cls.o &&
			succeeds "ppocr_v2_cls: linking" cc $flags "$here/cpus.c" cls.o "$build/libdlrt.a" -lm -lpthread -o cpus_cls &&
			on_machines ppocr_v2_cls 2e-4 - "$cls" ./cpus_cls
	fi

	# What is in the object: two global symbols, nothing needed but the runtime; the same bytes however it was asked for.
	[ "$(nm -g --defined-only model.o | awk '{ print $3 }' | sort | tr '\n' ' ')" = "model model_run " ] && ok ||
		fail "an object for two CPUs defines other global symbols than NAME and NAME_run"
	nm -u model.o | awk '{ print $2 }' | grep -vxE 'dlrt_run_typed|memcpy|memset|memmove|_GLOBAL_OFFSET_TABLE_' &&
		fail "an object for two CPUs needs more than the runtime, memcpy and memset" || ok
	mkdir other && cp "$model" other/ && "$build/dlcc" other/digits_cnn.onnx --cpu=x86-64-v4,x86-64-v3 --threads=1 --name=model -o other/model.o
	cmp -s other/model.o model.o && cmp -s other/model.h model.h && ok || fail "the object depends on the order of the CPUs, the place, or the threads"

	# Equal panels are stored once: those of the AVX-512 machines are.
	"$build/dlcc" "$model" --cpu=x86-64-v4,cascadelake --report=json -o v.o > report.json &&
		python3 -c 'import json; r = json.load(open("report.json")); exit(r["shared_weights_bytes"] != r["weights_bytes"])' && ok ||
		fail "CPUs with the same tiles have weights of their own"
	"$build/dlcc" "$model" --cpu=x86-64-v4 -o one.o
	[ "$(size -A v.o | awk '$1 == ".rodata.weights" { print $2 }')" = "$(size -A one.o | awk '$1 == ".rodata.weights" { print $2 }')" ] && ok ||
		fail "the weights of two CPUs with the same tiles take more than those of one"

	# Debug information: each CPU has its kernels in a file of its own.
	succeeds "-g" "$build/dlcc" "$model" $both -g -o g.o
	for cpu in x86-64-v3 x86-64-v4; do
		[ -s g.$cpu.kernels ] && readelf --debug-dump=info g.o | grep -q "g.$cpu.kernels" && ok || fail "-g: no g.$cpu.kernels"
	done

	# A page for each CPU.
	succeeds "--report=html" "$build/dlcc" "$model" $both --report=html -o h.o
	[ -s h.x86-64-v3.html ] && [ -s h.x86-64-v4.html ] && ok || fail "--report=html: no page for each CPU"

	# In memory, what this machine runs.
	succeeds "dlcc test" "$build/dlcc" test "$model" $both
	"$build/dlcc" bench "$model" $both --repeat=3 > out && grep -q "compiled for $(here)" out && ok || fail "dlcc bench takes another CPU"
fi

# AArch64, where both CPUs have the same tiles.
arch=aarch64
cc=aarch64-linux-gnu-gcc
if command -v $cc > /dev/null && command -v qemu-aarch64 > /dev/null; then
	succeeds "compiling for AArch64" "$build/dlcc" "$model" --target=aarch64-linux-gnu --cpu=armv8-a,armv8.2-a --name=model -o model.o --report=json &&
		mv out report.json && succeeds "linking for AArch64" $cc $flags -static "$here/cpus.c" model.o "$root"/runtime/*.c -lm -lpthread -o cpus_arm
	python3 -c 'import json; r = json.load(open("report.json")); exit(r["shared_weights_bytes"] != r["weights_bytes"])' && ok ||
		fail "AArch64 CPUs with the same tiles have weights of their own"
	on=cortex-a53 takes armv8-a "AArch64" ./cpus_arm 2e-4 - "${sets[@]}"
	on=max takes armv8.2-a "AArch64" ./cpus_arm 2e-4 - "${sets[@]}"
else
	fail "$cc or qemu-aarch64 is missing"
fi
finish
