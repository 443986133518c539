# SPDX-License-Identifier: MIT
# limit: 150
# Which way the bytes go: chosen by what the kernel has, said at start, and changed on request.
. "$UBLK_TEST_LIB"

truncate -s 32M "$T/backing"
newer_than() { [[ $(printf '%s\n%s\n' "$1" "$(uname -r)" | sort -V | head -n 1) == "$1" ]]; }
want=copy
newer_than 6.16 && want=auto-buf-reg

serve --plugin file --opt path="$T/backing"
note "$(uname -r): $(grep 'data path' "$log")"
matches "$log" "data path $want"
ublk-host info --json "$id" >"$T/info"
matches "$T/info" "\"$want\""
fio_verify "$dev"
stop

serve --plugin file --opt path="$T/backing" --data-path copy
matches "$log" "data path copy"
fio_verify "$dev"
stop

serve --plugin mem --opt size=16M
matches "$log" "data path user-copy"
stop
serve --plugin null --opt fill=none
if newer_than 6.15; then want_null=zero-copy; else want_null=user-copy; fi
matches "$log" "data path $want_null"
stop

if [[ $want == auto-buf-reg ]]; then
	serve --plugin file --opt path="$T/backing" --data-path auto-buf-reg
	matches "$log" "data path auto-buf-reg"
	fio_verify "$dev"
	stop
else
	expect_fail 1 'auto-buf-reg.*(kernel|driver)' ublk-host --plugin file --opt path="$T/backing" --data-path auto-buf-reg
fi
ublk-host features >"$T/features"
matches "$T/features" "$want"
ublk-host features --json >"$T/features.json"
matches "$T/features.json" "$want"
nothing_served
