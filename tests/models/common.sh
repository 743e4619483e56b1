# Sourced by the scripts here: counting, and the list of models.

passed=0
failed=0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ok() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); printf 'FAIL %s\n' "$*"; }
finish() {
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

# succeeds WHAT COMMAND...: the command must exit with 0; what it prints is in $work/out.
succeeds() {
	local what=$1
	shift
	if "$@" > "$work/out" 2>&1; then ok; else
		fail "$what (status $?)"
		tail -5 "$work/out" | sed 's/^/    /'
		return 1
	fi
}

# add_sums FILE: adds the last "N passed, M failed" of a program's output; without one it failed.
add_sums() {
	local line
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$1" | tail -1)
	if [ -z "$line" ]; then
		fail "$2: ended without its sums"
		tail -3 "$1" | sed 's/^/    /'
		return
	fi
	passed=$((passed + ${line%% passed*}))
	line=${line#*, }
	if [ "${line%% failed*}" != 0 ]; then
		failed=$((failed + ${line%% failed*}))
		printf 'FAIL %s\n' "$2"
		grep -A1 FAIL "$1" | head -20 | sed 's/^/    /'
	fi
}

# The models to test, "NAME DIR MODEL" a line: the bundled one and those of the shared zoo.
models() {
	echo "digits $root/examples/digits $root/examples/digits/digits_cnn.onnx"
	local dir
	for dir in "${1:-/nonexistent}"/zoo/real/*/; do
		[ -f "$dir/model.onnx" ] && echo "$(basename "$dir") ${dir%/} ${dir%/}/model.onnx"
	done
}

# Is the model listed as one that dlcc refuses?
is_expected_failure() { grep -qE "^$1( |$)" "$here/expected_failures.txt"; }
