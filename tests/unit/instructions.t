#!/bin/bash
# SPDX-License-Identifier: MIT
# A ceiling on what a request costs: instructions in user space per 4 KiB io on null, counted by
# callgrind, so that no later change spends them silently. Counted is what the host and the plugin
# execute; the fake transport, which stands in for the driver, is not, but what the real transport
# does for a commit is.
declare -A ceilings=([per-io]=150 [batch]=100)

echo "1..2"
skip() { echo "ok 1 # SKIP $1"; echo "ok 2 # SKIP $1"; exit 0; }
cd "${top_builddir:?}" || exit 1
command -v valgrind >/dev/null || skip "no valgrind"
command -v callgrind_annotate >/dev/null || skip "no callgrind_annotate"
case "$(sed -n 's/^CFLAGS = //p' Makefile)" in
*-fsanitize*) skip "a sanitizer's instructions are not the program's" ;;
*-O2* | *-O3*) ;;
*) skip "only for builds that are optimised" ;;
esac
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT

instructions() { # per-io|batch REQUESTS
	./libtool --mode=execute valgrind --tool=callgrind --callgrind-out-file="$out/$1" --fair-sched=yes \
		tests/unit/cost_null "$1" "$2" >"$out/log" 2>&1 || { cat "$out/log" >&2; return 1; }
	callgrind_annotate --threshold=100 --auto=no --show-percs=no "$out/$1" | tr -d , |
		awk -v n="$2" -v commands="$1" '
			/file:function/ { list = 1; next }
			!list || !/core\/(queue|transport|base)\/|plugins\/|liburing\.h/ || /core\/transport\/fake/ { next }
			# inlined into the fake or into the load itself, and what happens once
			/:(fake_|plane_|message|abort_batch|check_|user_copy_at|tag_claim|tag_fill|table_update|cost_fn)/ { next }
			/:(queue_setup|queue_start|queue_free|queue_teardown|buf_give|request_fetch)/ { next }
			# the call of the fake'\''s commit: commit_for_real is what stands there with the driver
			commands == "per-io" && /transport\/commit\.h:cqes_handle/ { next }
			{ sum += $1 }
			END { printf "%.1f\n", sum / n }'
}

number=0
for commands in per-io batch; do
	number=$((number + 1))
	ceiling=${ceilings[$commands]}
	got=$(instructions $commands 12800) || { echo "not ok $number - $commands: it did not run"; continue; }
	echo "# $commands: $got instructions per io, at most $ceiling are allowed"
	if awk -v got="$got" -v max="$ceiling" 'BEGIN { exit !(got > 30 && got < max) }'; then
		echo "ok $number - $commands commands: fewer than $ceiling instructions per io"
	else
		echo "not ok $number - $commands commands: $got instructions per io, wanted fewer than $ceiling"
	fi
done
