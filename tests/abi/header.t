#!/bin/sh
# SPDX-License-Identifier: MIT
# The contract's header alone: compiles by itself, without a warning, without padding, and twice
# over, in every language version that it promises; and it has the layout that was frozen, here and
# on other machines.
top=${top_srcdir:-.}
build=${top_builddir:-$top}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cc=$(sed -n 's/^CC = //p' "$build/Makefile" 2>/dev/null)
cc=${cc:-cc}
strict="-I$top/include -Wall -Wextra -Wpedantic -Wpadded -Wconversion -Wshadow -Werror -fPIC -c"
n=0

cat >"$dir/alone.c" <<'EOF'
#include "ublk-plugin.h"
#include "ublk-plugin.h"
EOF
cp "$dir/alone.c" "$dir/alone.cc"
# The kernel's own header has macros: none may be a name of ours.
cat >"$dir/beside.c" <<'EOF'
#include <linux/types.h>
#if defined(__has_include)
#if __has_include(<linux/ublk_cmd.h>)
#pragma GCC diagnostic ignored "-Wpadded"
#include <linux/ublk_cmd.h>
#endif
#endif
#include "ublk-plugin.h"
EOF

cat >"$dir/plugin.c" <<'EOF'
#include "ublk-plugin.h"

static const struct ublk_host *host;

static int load(const struct ublk_host *h)
{
	host = h;
	ublk_logf(host, 0, UBLK_LOG_INFO, "%s", "hello");
	return 0;
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0), "x", "1", "X", 0, 0, 0, UBLK_THREADS_SERIAL, 0, 0, 0, 0, 0,
	load, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
};
EOF
cp "$dir/plugin.c" "$dir/plugin.cc"

# try COMPILER STANDARD FILE
try() {
	n=$((n + 1))
	# shellcheck disable=SC2086 # both hold several words
	if $1 -std=$2 $strict -o "$dir/out.o" "$dir/$3" >"$dir/out" 2>&1; then
		echo "ok $n - $3 with $1 as $2"
	else
		echo "not ok $n - $3 with $1 as $2"
		sed 's/^/# /' "$dir/out"
	fi
}

# each COMPILERS STANDARDS SUFFIX
each() {
	for compiler in $1; do
		command -v "$compiler" >/dev/null || continue
		for std in $2; do
			# a compiler that is older than the standard has nothing to say of it
			: >"$dir/empty.$3"
			if ! $compiler -std="$std" -c -o "$dir/out.o" "$dir/empty.$3" 2>/dev/null; then
				n=$((n + 1))
				echo "ok $n - $compiler as $std # SKIP the compiler does not know $std"
				continue
			fi
			try "$compiler" "$std" "alone.$3"
			try "$compiler" "$std" "plugin.$3"
		done
	done
	if [ "$seen" = "$n" ]; then
		n=$((n + 1))
		echo "ok $n - $1 # SKIP no such compiler"
	fi
	seen=$n
}

seen=0
cc_name=${cc%% *}
list="$cc_name"
for other in gcc clang; do
	[ "$other" = "$cc_name" ] || list="$list $other"
done
each "$list" "c99 c11 c17 gnu11" c
try "$cc_name" gnu11 beside.c
each "g++ clang++" "c++11 c++17 c++20" cc

# result NAME COMMAND...
result() {
	name=$1
	n=$((n + 1))
	shift
	if "$@" >"$dir/out" 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$dir/out"
	fi
}

frozen=$top/tests/abi/1.0
fails() {
	! "$@"
}

# Nothing of it is gone or another, but for its comments and the minor; the last of an enumeration gets a comma.
grown() { # FOLDER
	for header in "$1" "$frozen"; do
		$cc_name -E -P -dD -I"$header" "$dir/alone.c" | tr -d ',' | grep -v ' UBLK_PLUGIN_ABI_MINOR ' \
			>"$dir/$(basename "$header").i"
	done
	! diff "$dir/1.0.i" "$dir/$(basename "$1").i" | grep '^<'
}
result "what was frozen is in the header" grown "$top/include"
mkdir "$dir/other"
sed 's/UBLK_OPEN_KEEP = 1u << 2/UBLK_OPEN_KEEP = 1u << 5/' "$top/include/ublk-plugin.h" >"$dir/other/ublk-plugin.h"
result "a constant that is another is noticed" fails grown "$dir/other"
mkdir "$dir/future"
"$top/tests/abi/make-future" <"$top/include/ublk-plugin.h" >"$dir/future/ublk-plugin.h"
minor=$(sed -n 's/^#define UBLK_PLUGIN_ABI_MINOR \([0-9]*\)u.*/\1/p' "$top/include/ublk-plugin.h")
printf '#include "ublk-plugin.h"\n#if UBLK_PLUGIN_ABI_MINOR <= %s\n#error "it has not grown"\n#endif\n' "$minor" >"$dir/grown.c"
result "a header of the future has grown" "$cc_name" -I"$dir/future" -fsyntax-only "$dir/grown.c"
# A member that moves is noticed.
sed 's/^	uint64_t offset; .*from the start.*/	uint32_t flags0;\n&/' "$frozen/ublk-plugin.h" >"$dir/ublk-plugin.h"
result "a layout that is another is refused" sh -c '! "$@" && "$@" 2>&1 | grep -q "the offset of ublk_io"' - \
	"$cc_name" -std=c11 -I"$dir" -fsyntax-only "$top/tests/abi/layout.c"
for header in "$top/include" "$frozen" "$dir/future"; do
	result "the layout of $(basename "$header")/ublk-plugin.h" \
		"$cc_name" -std=c11 -Wall -Werror -I"$header" -fsyntax-only "$top/tests/abi/layout.c"
	for target in x86_64 i386 aarch64 riscv64 s390x arm; do
		triple=$target-linux-gnu
		[ $target != arm ] || triple=armv7-linux-gnueabihf
		what="the layout of $(basename "$header")/ublk-plugin.h for $target"
		if command -v clang >/dev/null; then
			result "$what" clang --target=$triple -std=c11 -ffreestanding -nostdlibinc -Wall -Werror \
				-I"$top/tests/abi/cross" -I"$header" -fsyntax-only "$top/tests/abi/layout.c"
		else
			n=$((n + 1))
			echo "ok $n - $what # SKIP there is no clang"
		fi
	done
done
echo "1..$n"
