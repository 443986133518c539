# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set here is for the tests
# For tests of what authors of plugins get (sdk.t, guide.t): an installation in a folder of its own, $sdk, and
# tools to find it. UBLK_TEST_STAGE=DIR takes the one that `make install DESTDIR=DIR` has made.
set -u
export LC_ALL=C.UTF-8
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests
top_srcdir=$(cd "${top_srcdir:-$(dirname "$0")/..}" && pwd) || exit 99
top_builddir=$(cd "${top_builddir:-.}" && pwd) || exit 99
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
umask 022
nr=0

result() { # STATUS NAME; what is in $work/why is shown if it failed
	nr=$((nr + 1))
	if (($1 == 0)); then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		tail -n 40 "$work/why" 2>/dev/null | sed 's/^/# /'
	fi
	: >"$work/why"
}

skip() { # NAME WHY
	nr=$((nr + 1))
	echo "ok $nr - $1 # SKIP $2"
}

stage=${UBLK_TEST_STAGE:-$work/stage}
[[ ${UBLK_TEST_STAGE:-} ]] || make -s -C "$top_builddir" install DESTDIR="$stage" >"$work/why" 2>&1 || {
	sed 's/^/# /' "$work/why"
	echo "Bail out! make install failed"
	exit 99
}
pc=$(find "$stage" -name ublk-host.pc)
host=$(find "$stage" -path '*/bin/ublk-host' -type f)
[[ -e $pc && -x $host ]] || { echo "Bail out! no ublk-host.pc, or no ublk-host, in $stage"; exit 99; }
prefix=$(sed -n 's/^prefix=//p' "$pc")
sdk=$stage$prefix
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$stage PATH=${host%/*}:$PATH
rustc=$(command -v rustc || PATH=${HOME:-/}/.cargo/bin command -v rustc || :)
strict="-O2 -Wall -Wextra -Wno-unused-parameter -Werror"

loads() { # PATH-OF-NAME.so: its code is loaded and its table read; with a manifest beside it, the two agree
	local name=${1##*/}
	name=${name%.so}
	"$host" plugins "$1" 2>&1 | tee -a "$work/why" | grep -q "^$name 1.0 - " &&
		"$host" --dump-plugin "$1" >/dev/null 2>>"$work/why"
}

# The device manifest FILE is right in all: an option that no plugin has is the only mistake that is found.
valid_device() { # FILE PLUGIN-FOLDER
	local status
	"$host" run --plugin-dir "$2" --manifest "$1" --opt nonsense=1 >"$work/why" 2>&1 </dev/null
	status=$?
	((status == 2)) && (($(wc -l <"$work/why") == 1)) && grep -q 'has no option "nonsense"' "$work/why"
}
