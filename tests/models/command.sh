#!/usr/bin/env bash
# The command line: every way to write a model, every way to be wrong.
#
# usage: command.sh BUILD
set -u
source "$(dirname "$0")/common.sh"
build=$(cd "${1:?usage: command.sh BUILD}" && pwd)
dlcc=$build/dlcc
digits=$root/examples/digits
model=$digits/digits_cnn.onnx
cd "$work" || exit 2

# refuses TEXT ARGUMENTS...: exit status 1, with TEXT on stderr.
refuses() {
	local text=$1 status=0
	shift
	"$dlcc" "$@" > "$work/out" 2> "$work/err" || status=$?
	if [ $status = 1 ] && grep -qF -- "$text" "$work/err"; then ok; else
		fail "dlcc $*: status $status, wanted 1 and '$text'"
		sed 's/^/    /' "$work/err" | head -5
	fi
}

# prints TEXT ARGUMENTS...: exit status 0, with TEXT on stdout.
prints() {
	local text=$1
	shift
	if "$dlcc" "$@" > "$work/out" 2> "$work/err" && grep -qF -- "$text" "$work/out"; then ok; else
		fail "dlcc $*: wanted '$text'"
		head -3 "$work/err" | sed 's/^/    /'
	fi
}

# differs ARGUMENTS...: `dlcc test` says FAIL, exit status 1.
differs() {
	local status=0
	"$dlcc" test "$@" > "$work/out" 2> "$work/err" || status=$?
	[ $status = 1 ] && grep -q FAIL "$work/out" && ok || fail "dlcc test $*: status $status, wanted 1 and FAIL"
}

same() { cmp -s "$1" "$2" && ok || fail "$3"; }

# ---- help -------------------------------------------------------------------------------------------------------------
prints "--emit=" --help
prints "--rtol=" test --help
prints "--profile" bench --help
prints "--output-dir" run -h
prints "dlcc 0" --version
prints "contract" --help-ops
prints "fuse" --help-passes
prints "MatMul  1, 9, 13" --help-onnx
prints "x86-64-v3" --help-targets
prints ".TH DLCC 1" --help-man
for command in "" run test bench; do
	for option in --help --version; do
		prints "" $command $option
	done
done

# ---- what is wrong is said --------------------------------------------------------------------------------------------
refuses "no model given"
refuses "no model given" run
refuses "unknown option '--emti'" --emti=obj "$model"
refuses "did you mean --emit?" --emti=obj "$model"
refuses "unknown option '-q'" -q "$model"
refuses "none of obj, lib" --emit=exe "$model"
refuses "needs an argument" "$model" -o
refuses "takes no argument" "$model" --sanitize=yes
refuses "is no option of dlcc run" run "$model" --emit=obj
refuses "the levels are -O0 to -O3" -O4 "$model"
refuses "the levels are -O0 to -O3" -O "$model"
refuses "is no count" run "$model" --threads=two
refuses "is no non-negative number" test "$model" --rtol=-1
refuses "expected NAME=N" --dim batch "$model"
refuses "LO <= HI" --dim batch=8..1 "$model"
refuses "expected NAME=TYPE" --input image=ones "$model"
refuses "is no dimension" --input "image=f32[-1]" "$model"
refuses "unknown element type" --input "image=f33[1]" "$model"
refuses "unknown CPU 'z80'" --cpu=z80 "$model"
refuses "no target for the architecture" --target=z80-linux "$model"
refuses "but --target says" --target=aarch64-linux-gnu --cpu=x86-64 "$model"
refuses "none of off, f2, f4" --winograd=f8 "$model"
refuses "there is no pass 'fuze'" --passes=fuze --emit=ir "$model"
refuses "nothing.onnx" nothing.onnx
refuses "one model at a time" "$model" "$model"
refuses "nothing says how large dimension 'batch' is" run "$model"
refuses "--dim batch=N" run "$model"
refuses "has no input 'picture'" run "$model" --input picture=ones
mkdir -p none && cp "$model" none/
refuses "no test data" test none/digits_cnn.onnx
refuses "is no directory of test data" test "$model" nowhere
refuses "cannot" "$model" -o "$work/no/such/dir/x.o"
echo text > not.onnx
refuses "error: " not.onnx
: > empty.onnx
refuses "error: " empty.onnx
refuses "error: " "$work"

# ---- every output -------------------------------------------------------------------------------------------------------
succeeds "default names" "$dlcc" "$model"
[ -f digits_cnn.o ] && [ -f digits_cnn.h ] && ok || fail "no digits_cnn.o and .h in the current directory"
prints "graph @" "$model" --emit=ir
prints "program @" "$model" --emit=kernels
prints "define" "$model" --emit=llvm
prints ".text" "$model" --emit=asm
prints "digraph" "$model" --emit=dot
prints "digits_cnn_run" "$model" --emit=header
prints "workspace:" "$model" -o r.o --report
prints '"workspace_bytes"' "$model" -o r.o --report=json
prints "code:" "$model" -o r.o --dim batch=1 --report
prints "(ratio 1." "$model" -o r.o --dim batch=1 --report
succeeds "--report=json is JSON" sh -c "'$dlcc' '$model' -o r.o --report=json | python3 -m json.tool"
succeeds "bench --json is JSON" sh -c "'$dlcc' bench '$model' --repeat=3 --json | python3 -m json.tool"
succeeds "bench --report=json is JSON" sh -c "'$dlcc' bench '$model' --repeat=3 --report=json --threads=2 | python3 -m json.tool"
succeeds "bench --report=json -o" "$dlcc" bench "$model" --repeat=3 --report=json -o bench.json
succeeds "bench -o is JSON" python3 -m json.tool bench.json
prints "GFLOP/s" bench "$model" --repeat=3
prints "% roof" bench "$model" --repeat=3 --profile
refuses "-o of dlcc bench" bench "$model" -o x.html
mkdir -p pages
succeeds "run --report=html" "$dlcc" run "$model" --input image=ones --dim batch=1 --report=html -O0
succeeds "--report=html" "$dlcc" "$model" --dim batch=1 --report=html -o pages/net.o
prints "report   pages/bench.html" bench "$model" --repeat=3 --report=html -o pages/bench.html

# Every element is closed, and nothing comes from elsewhere.
cat > page.py <<'PY'
import sys
from html.parser import HTMLParser

EMPTY = {"meta"}

class Page(HTMLParser):
	def __init__(self):
		super().__init__()
		self.open, self.seen = [], set()
	def handle_starttag(self, tag, attributes):
		assert tag not in ("script", "link", "img", "iframe"), tag
		assert not any(name in ("src", "href") for name, _ in attributes), attributes
		self.seen.add(tag)
		if tag not in EMPTY:
			self.open.append(tag)
	def handle_startendtag(self, tag, attributes):
		self.seen.add(tag)
	def handle_endtag(self, tag):
		assert self.open and self.open[-1] == tag, (tag, self.open, self.getpos())
		self.open.pop()

for path in sys.argv[1:]:
	text = open(path, encoding="utf-8").read()
	page = Page()
	page.feed(text)
	assert not page.open and {"svg", "table", "rect"} <= page.seen, (path, page.open)
	assert "http:" not in text and "https:" not in text and "nan" not in text.lower().split(), path
PY
succeeds "pages are HTML" python3 page.py digits_cnn.html pages/net.html pages/bench.html
succeeds "--header" "$dlcc" "$model" -o a.o --header=elsewhere.h
[ -f elsewhere.h ] && [ ! -f a.h ] && ok || fail "--header=elsewhere.h"
succeeds "--no-header" "$dlcc" "$model" -o b.o --no-header
[ ! -f b.h ] && ok || fail "--no-header wrote a header"
succeeds "--name" "$dlcc" "$model" -o c.o --name=net
grep -q "net_run" c.h && ok || fail "--name=net"
succeeds "-g" "$dlcc" "$model" -g -o g.o
[ -s g.kernels ] && ok || fail "-g wrote no kernels"
succeeds "-o -" sh -c "'$dlcc' '$model' -o - > stdout.o"
same stdout.o digits_cnn.o "-o - is not what -o FILE writes"
"$dlcc" "$model" --time-passes -o t.o 2> times && grep -q "fuse" times && ok || fail "--time-passes"
"$dlcc" "$model" --emit=ir --dump-ir=fuse > /dev/null 2> dump && grep -q "after fuse" dump && ok || fail "--dump-ir=fuse"

# ---- text is accepted where it was written -------------------------------------------------------------------------------
cat > relu.ir <<'IR'
graph @relu(%x: f32[N,4]) -> (%y: f32[N,4]) {
  %y = map %x { max(%0, 0.0) } : f32[N,4]
}
IR
prints "y: f32[2,4] = [0, 1, 2, 3, 4, 5, 6, 7]" run relu.ir --input x=iota --dim N=2
succeeds "kernels as text" "$dlcc" relu.ir --emit=kernels -o relu_kernels.ir
succeeds "printed again" "$dlcc" relu_kernels.ir --emit=kernels -o again.ir
same relu_kernels.ir again.ir "kernels print differently after parsing"

# ---- running ---------------------------------------------------------------------------------------------------------------
prints "logits: f32[17,10]" run "$model" --data "$digits/test_data_set_1"
succeeds "--output-dir" "$dlcc" run "$model" --data "$digits/test_data_set_1" --output-dir=outputs --repeat=2
mkdir -p set && cp "$digits/test_data_set_1/input_0.pb" set && cp outputs/output_0.pb set
prints "1 passed, 0 failed" test "$model" set --rtol=0 --atol=0
prints "3 passed, 0 failed" test "$model"
differs "$model" set --cpu=x86-64 --rtol=0 --atol=0
cp outputs/output_0.pb "$work/wrong.pb"
mkdir -p wrong && cp set/input_0.pb wrong && "$dlcc" run "$model" --input image=ones --dim batch=17 --output-dir=wrong > /dev/null
differs "$model" wrong
grep -q "the error is too large" out && ok || fail "a wrong output is not told"
prints "logits: f32[3,10]" run "$model" --input image=random --dim batch=3
prints "logits: f32[3,10]" run "$model" --input "image=f32[3,1,8,8]"

python3 -c "
header = b\"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }\".ljust(117) + b'\\n'
import struct
open('x.npy', 'wb').write(b'\\x93NUMPY\\x01\\x00v\\x00' + header + struct.pack('<8f', -1, 2, -3, 4, -5, 6, -7, 8))"
prints "y: f32[2,4] = [0, 2, 0, 4, 0, 6, 0, 8]" run relu.ir --input x=x.npy
prints "y: f32[2,4] = [0, 2, 0, 4, 0, 6, 0, 8]" run relu_kernels.ir --input x=x.npy
refuses "relu.ir: error: " run relu.ir --input x=x.npy --dim N=3
succeeds "--const" "$dlcc" "$model" --const "image=$digits/test_data_set_0/input_0.pb" -o const.o
prints "logits: f32[1,10]" run "$model" --const "image=$digits/test_data_set_0/input_0.pb"

# ---- reproducible ----------------------------------------------------------------------------------------------------------
mkdir -p other/place && cp "$model" other/place/
(cd other/place && "$dlcc" digits_cnn.onnx --threads=1) > /dev/null
same other/place/digits_cnn.o digits_cnn.o "the object depends on where it is compiled, or by how many threads"
same other/place/digits_cnn.h digits_cnn.h "the header depends on where it is compiled"

# ---- choices that are measured ----------------------------------------------------------------------------------------------
prints "--tuning=FILE" --help
refuses "--tune needs --tuning=FILE" "$model" --tune
refuses "cannot" "$model" --tuning=nothing.txt
[ "$(uname -m)" = x86_64 ] && foreign=aarch64 || foreign=x86_64
refuses "--tune measures on this machine" "$model" --target=$foreign-linux-gnu --tune --tuning=foreign.txt
"$dlcc" bench "$model" --tune=1 --tuning=tuned.txt --repeat=3 --report > out 2> err && grep -q "us  direct .*chosen" err && ok || fail "bench --tune: what was measured is not told"
grep -q "^conv .* = direct" tuned.txt && grep -q "^contract .* = gemm" tuned.txt && ok || fail "bench --tune wrote no choices"
[ "$(grep -v '^#' tuned.txt)" = "$(grep -v '^#' tuned.txt | LC_ALL=C sort -u)" ] && ok || fail "choices are not sorted"
cp tuned.txt before.txt
prints "3 passed, 0 failed" test "$model" --tuning=tuned.txt
prints "3 passed, 0 failed" test "$model" --tuning=tuned.txt --tune=1
same tuned.txt before.txt "--tune measured again what the file has"
succeeds "--tuning" "$dlcc" "$model" --cpu=native --tuning=tuned.txt -o tuned.o
succeeds "--tuning again" "$dlcc" "$model" --cpu=native --tuning=tuned.txt -o tuned2.o --threads=1
same tuned.o tuned2.o "two objects by the same tuning file differ"
succeeds "--tune" "$dlcc" "$model" --tune=1 --tuning=portable.txt -o tuned3.o
succeeds "--tuning of --tune" "$dlcc" "$model" --tuning=portable.txt -o tuned4.o
same tuned3.o tuned4.o "the object made while tuning is not what the file makes again"
echo "conv = " >> tuned.txt
refuses "tuned.txt:$(grep -c '' tuned.txt): error: expected PROBLEM" "$model" --tuning=tuned.txt

# ---- the machine is wrong ----------------------------------------------------------------------------------------------------
if [ -w /dev/full ]; then
	"$dlcc" --help > /dev/full 2> err
	[ $? = 2 ] && ok || fail "a full disk must give exit status 2"
fi
finish
