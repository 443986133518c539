#!/bin/bash
# SPDX-License-Identifier: MIT
# The conformance kit: passes what keeps the contract, and finds each seeded defect by the check that is for
# it. Built with the thread sanitizer: only the former, whose data races would be ours.
set -u
top_srcdir=${top_srcdir:-.}
build=${top_builddir:-$top_srcdir}
kit=$build/tests/kit
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
n=0
threads=$(grep -c '^CFLAGS = .*-fsanitize=thread' "$build/Makefile")

result() { # NAME STATUS [FILE]
	n=$((n + 1))
	if (($2 == 0)); then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		[[ -z ${3:-} ]] || sed 's/^/# /' "$3"
	fi
}

skip() { # NAME WHY
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

"$kit" check "$build/plugins/.libs/null.so" --only open >"$work/out" 2>&1 || {
	if grep -q 'passes no messages' "$work/out"; then
		echo "1..0 # SKIP this kernel's io_uring passes no messages between rings"
		exit 0
	fi
}

# -- what passes

passes() { # NAME PLUGIN OPTION...
	local out=$work/${1// /-}.out
	"$kit" check "$2" --seed 7 "${@:3}" >"$out" 2>&1
	result "$1 passes" $? "$out"
}

truncate -s 64M "$work/file" "$work/one" "$work/two" "$work/three" "$work/four"
truncate -s 8M "$work/ram"
passes null "$build/plugins/.libs/null.so" --opt size=1G
passes mem "$build/plugins/.libs/mem.so" --opt size=48M
passes file "$build/plugins/.libs/file.so" --opt "path=$work/file"
passes stripe "$build/plugins/.libs/stripe.so" --opt "paths=$work/one:$work/two"
passes callmem "$build/tests/plugins/.libs/callmem.so"
passes asyncmem "$build/tests/plugins/.libs/asyncmem.so"
for example in heap ram; do
	passes "the example $example" "$build/tests/defects/$example.so"
done
passes "the example ring" "$build/tests/defects/ring.so" --opt "path=$work/three"
passes "the example concat" "$build/tests/defects/concat.so" --opt "first=$work/three" --opt "second=$work/four"
for profile in call async map; do
	passes "good-$profile" "$build/tests/defects/good-$profile.so" --opt size=8M --opt "path=$work/ram"
done
narrow=$build/tests/defects/good-narrow.so
for depth in 4 1; do
	passes "good-narrow with depth $depth" "$narrow" --opt size=8M --opt "depth=$depth"
done
truncate -s 8M "$work/chunks"
for chunk in 65536 6144 1024; do
	passes "good-narrow with chunk $chunk" "$narrow" --opt size=8M --opt "path=$work/chunks" --opt "chunk=$chunk"
done

finish() {
	echo "1..$n"
	exit 0
}
((threads == 0)) || finish

# -- what does not

# The first lines of a file of tests/defects say which check is for it, and with what options.
defect() { # FILE
	local name line check opts=() out
	name=$(basename "$1" .c)
	out=$work/$name.out
	line=$(sed -n 's|^/\* check: \(.*\) \*/$|\1|p' "$1")
	check=${line%% *}
	[[ $check != none ]] || return 0
	case $line in
	*' with path') opts=(--opt size=8M --opt "path=$work/$name.disk") ;;
	*' with size='*) opts=(--opt "${line##* }") ;;
	esac
	"$kit" check "$build/tests/defects/$name.so" --overwrite --only "$check" --seed 7 "${opts[@]}" >"$out" 2>&1
	if (($? == 1)) && grep -q "^not ok [0-9]* - $check:" "$out" && grep -q '^  seen: ".' "$out"; then
		echo "ok $name is found by $check" >"$work/$name.result"
	else
		{
			echo "not ok $name is found by $check"
			sed 's/^/# /' "$out"
		} >"$work/$name.result"
	fi
	rm -f "$work/$name.disk"
}

for file in "$top_srcdir"/tests/defects/*.c; do
	while (($(jobs -pr | wc -l) >= 3)); do wait -n; done
	defect "$file" &
done
wait
found=0
for file in "$work"/*.result; do
	n=$((n + 1))
	found=$((found + 1))
	sed "1s/^\(not \)\?ok /\1ok $n - /" "$file"
done
result "there are enough defects: $found" "$((found < 25))"

# -- how it says so

good=$build/tests/defects/good-call.so bad=$build/tests/defects/zeroes-rounded.so
# shellcheck disable=SC2016
json() { perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>); '"$1"; }

"$kit" check "$bad" --overwrite --only write-zeroes --json >"$work/json" 2>&1
status=$?
# shellcheck disable=SC2016 # Perl's
json 'my ($c) = @{$j->{checks}}; exit !($j->{failed} == 1 && $j->{passed} == 0 && $c->{check} eq "write-zeroes"
	&& $c->{result} eq "failed" && $c->{seen} =~ /of the device/)' <"$work/json"
result "JSON tells the same" $((status != 1 || $?)) "$work/json"

odd=$work/$'\xe9' # not UTF-8
mkdir "$odd" && cp "$good" "$odd"
# shellcheck disable=SC2016
"$kit" check "$odd/${good##*/}" --opt size=8M --only open --json >"$work/out" 2>&1 &&
	json 'exit !($j->{passed} == 1 && $j->{plugin} =~ /\.so$/)' <"$work/out" &&
	"$kit" check "$odd/${good##*/}" --opt size=8M --bench --json >"$work/out" 2>&1 &&
	json 'exit !(@{$j->{speeds}} == 8)' <"$work/out"
result "JSON tells of a path that is not UTF-8" $? "$work/out"

for i in 1 2; do
	"$kit" check "$build/tests/defects/write-lost.so" --overwrite --only data --seed 99 2>&1 | grep seen: >"$work/seed.$i"
done
cmp -s "$work/seed.1" "$work/seed.2" && [[ -s $work/seed.1 ]]
result "the same seed finds the same" $?

"$kit" check "$build/tests/defects/minus-one.so" --overwrite --only data 2>&1 | grep -q 'seen: .*is to return -errno instead'
result "a system call's -1 is told from an errno" $?

usage() { # NAME WANTED OPTION...
	"$kit" check "${@:3}" >"$work/out" 2>&1
	[[ $? == 2 ]] && grep -q "$2" "$work/out" && [[ $(wc -l <"$work/out") == 1 ]]
	result "$1" $? "$work/out"
}
usage "no plugin" 'which plugin' --only open
usage "an unknown check" 'there is no check "opn" (did you mean "open"?)' "$good" --only opn
usage "an unknown tool" 'expected valgrind or asan, got "gdb"' "$good" --under gdb
usage "a plugin that is not there" 'No such file' "$work/none.so"
usage "an option that the plugin has not" 'no option "sise"' "$good" --opt sise=1M

printf 'precious' | dd of="$work/data" seek=100 bs=512 status=none
truncate -s 8M "$work/data"
cp "$work/data" "$work/copy"
usage "data on the device" 'which the checks would overwrite' "$good" --opt size=8M --opt "path=$work/data"
# Also data that looks like what memory is filled with before a read.
for byte in 132 245 303; do
	head -c 8M /dev/zero | tr '\0' "\\$byte" >"$work/filled"
	usage "bytes of octal $byte on the device" 'which the checks would overwrite' "$build/plugins/.libs/file.so" \
		--opt "path=$work/filled"
	[[ $(tr -d "\\$byte" <"$work/filled" | wc -c) == 0 ]]
	result "which are still there" $?
done
cmp -s "$work/data" "$work/copy"
result "it is left alone" $?
# What cannot be looked at may be data: nothing of it is written to.
unseen() { # NAME WANTED PLUGIN OPTION...
	cp "$work/copy" "$work/unseen"
	usage "$1" "there may be data on this device.*$2" "$build/tests/defects/$3.so" --opt size=8M \
		--opt "path=$work/unseen" "${@:4}"
	cmp -s "$work/unseen" "$work/copy"
	result "$1, left alone" $?
}
unseen "a READ that fails" 'READ offset 0 length [0-9]* failed: Invalid' read-refuses-long --only durable
unseen "a READ that fails, measured" 'READ offset 0 length [0-9]* failed: Invalid' read-refuses-long --bench
truncate -s 8M "$work/tail"
printf 'precious' | dd of="$work/tail" bs=512 seek=16383 conv=notrunc status=none
cp "$work/tail" "$work/copy"
unseen "a READ that does not end" 'not come to an end within 2 s' read-stuck-late \
	--only durable --timeout 2
"$kit" check "$build/tests/defects/open-second-try.so" --opt size=8M --opt "path=$work/unseen" --only durable \
	>"$work/out" 2>&1
[[ $? == 2 ]] && grep -q '^ok 1 - open' "$work/out" && grep -q 'not be looked at (open() failed' "$work/out" &&
	cmp -s "$work/unseen" "$work/copy"
result "a device that opens at the second try is left alone" $? "$work/out"
"$kit" check "$good" --opt size=8M --opt "path=$work/data" --only reads >"$work/out" 2>&1
result "checks that do not write need not ask" $? "$work/out"
"$kit" check "$good" --opt size=8M --opt "path=$work/data" --overwrite --only data >"$work/out" 2>&1
cmp -s <(head -c 8M /dev/zero) "$work/data"
result "zeroes are left" $?
[[ -z $(find "$work" -name 'ublk-host-check-*') ]]
result "and no folder" $?

"$kit" check --list >"$work/out" 2>&1 && (($(wc -l <"$work/out") >= 20)) && grep -q '^resize  ' "$work/out"
result "the checks are listed" $? "$work/out"
"$kit" check "$build/tests/defects/hang.so" --opt size=8M --overwrite --only reads --timeout 2 >"$work/out" 2>&1
[[ $? == 1 ]] && grep -q 'seen: "it did not come to an end within 2 s.*in the plugin: read()' "$work/out"
result "a check has its time" $? "$work/out"
"$kit" check "$build/tests/plugins/.libs/mortal.so" --opt again=no 2>"$work/out" >&2
[[ $? == 2 ]]
result "a wrong value of an option" $? "$work/out"
"$kit" check "$build/tests/defects/limits-wide.so" >"$work/out" 2>&1
[[ $? == 1 ]] && grep -q '^Bail out!' "$work/out" && [[ $(grep -c '^not ok' "$work/out") == 1 ]]
result "without a device there is nothing to check" $? "$work/out"

"$kit" check "$good" --opt size=8M --bench >"$work/out" 2>&1 &&
	[[ $(grep -cE '^(read|write) +(4096|131072) +(1|32) +[0-9]+ ' "$work/out") == 8 ]]
result "what it costs" $? "$work/out"
# Requests that would cross a border are shorter, or where they do not.
for chunk in 1024:4 6144:8 65536:8; do
	"$kit" check "$narrow" --opt size=8M --opt "chunk=${chunk%:*}" --bench >"$work/out" 2>&1 &&
		[[ $(grep -cE '^(read|write) +[0-9]+ +(1|32) ' "$work/out") == "${chunk#*:}" ]]
	result "what it costs with chunk ${chunk%:*}" $? "$work/out"
done
# shellcheck disable=SC2016 # Perl's
"$kit" check "$good" --opt size=8M --bench --json >"$work/out" 2>&1 &&
	json 'exit !(@{$j->{speeds}} == 8 && $j->{speeds}[0]{iops} > 0 && $j->{speeds}[0]{bare_iops} > 0)' <"$work/out"
result "what it costs, as JSON" $? "$work/out"
"$kit" check "$build/tests/defects/limits-wide.so" --bench >"$work/out" 2>&1
[[ $? == 1 ]] && grep -q 'cannot measure it: get_limits() set what no device can have' "$work/out"
result "what cannot be measured" $? "$work/out"

# -- tools

own_tools=$(grep -cE '^[A-Z_]*CFLAGS = .*-f(sanitize|profile)' "$build/Makefile")
if command -v valgrind >/dev/null && ((own_tools == 0)); then
	"$build/libtool" --mode=execute "$build/ublk-host" check "$good" --under valgrind --only open --only reads \
		--only cycles >"$work/out" 2>&1
	result "under valgrind" $? "$work/out"
else
	skip "under valgrind" "there is none, or this build has tools of its own"
fi
cat >"$work/overflow.c" <<'END'
#include "ram.h"

/* One byte more than there is, for reads of two blocks. */
static int bad_read(void *priv, void *buf, uint64_t length, uint64_t offset, uint32_t flags)
{
	char *copy = malloc(length);

	copy[length == 1024 ? length : 0] = 1;
	memcpy(buf, copy, 1);
	free(copy);
	return ram_read(priv, buf, length, offset, flags);
}

RAM_CALL("overflow", .read = bad_read);
END
if ((own_tools == 0)) && cc -fsanitize=address -O1 -g -fPIC -shared -I"$top_srcdir/include" -I"$top_srcdir/tests/defects" \
	-o "$work/overflow.so" "$work/overflow.c" >"$work/out" 2>&1; then
	CC=cc "$build/ublk-host" check "$work/overflow.so" --opt size=8M --under asan --only boundaries >"$work/out" 2>&1
	[[ $? == 1 ]] && grep -q 'heap-buffer-overflow' "$work/out"
	result "under the address sanitizer" $? "$work/out"
else
	skip "under the address sanitizer" "cc has none, or this build has tools of its own"
fi
finish
