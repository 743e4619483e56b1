#!/bin/sh
# Includes go one way: driver -> {frontend, passes, backend} -> ir -> support; runtime/ knows nothing of the others, and
# of runtime/ the backend and the driver know dlrt.h only. Prints each include that breaks this; exit 1 if any does.
cd "${1:-$(dirname "$0")/..}" || exit 2

# check DIR ALLOWED: of the quoted includes in DIR that name one of our directories, only ALLOWED (a regex) are legal.
check() {
	[ -d "$1" ] || return 0
	grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<](\.\./)*(support|ir|frontend|passes|backend|runtime|driver)/' \
		--include='*.[ch]' --include='*.def' "$1" |
		grep -vE "include[[:space:]]*\"($2)" | sed "s,^,layers: $1 may include only $2: ,"
}

bad=$(
	check support 'support/'
	check ir 'support/|ir/'
	check frontend 'support/|ir/|frontend/'
	check passes 'support/|ir/|passes/'
	check backend 'support/|ir/|backend/|runtime/dlrt\.h"'
	check driver 'support/|ir/|frontend/|passes/|backend/|driver/|runtime/dlrt\.h"'
	check runtime 'runtime/'
)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
