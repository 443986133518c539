# SPDX-License-Identifier: MIT
# limit: 240
# dmesg-ok: segfault at|error, dev ublkb|Buffer I/O error on dev ublkb
# Plugins that crash, under a supervisor. As long as a device gets on it is served; one that does not is
# given up, with errors for its users, a state that says so, and nothing that hangs.
. "$UBLK_TEST_LIB"
need_tool fio
need_plugin mortal

manifest() { # NAME OPTIONS [MEMBERS]
	printf '{ "ublk_device_manifest": "1.0", "plugin": "%s/mortal.so", "options": { %s }%s }\n' \
		"$plugins" "$2" "${3:-}" >"$T/devices/$1.json"
}
ends() { grep -c "$1: .*its server was killed" "$log" || :; } # NAME

mkdir "$T/devices"
manifest often '"size": "32M", "crash_every": 1000, "again": "ok"'
manifest steady '"size": "32M"'
supervise "$T/devices"
steady=$(server_pid steady)

# A crash every 1,000 requests, far more often than --restart-limit allows: but it gets on.
fio_verify "$(readlink -f /run/ublk-host/by-name/often)" --bsrange=4k-16k --size=32M --loops=2
at_least "crashes" "$(ends often)" 6
state_is often live || fail "it was given up: $(ublk-host list)"
same "the neighbour's server" "$(server_pid steady)" "$steady"
note "$(ends often) crashes: $(sed -n 's/.*served again, \([0-9]*\) ms after.*/\1/p' "$log" | tr '\n' ' ')ms"
stop "$supervisor"
nothing_served

# One whose next servers all crash at once: given up after the limit; requests that waited fail.
rm "$T"/devices/*
manifest gone '"size": "16M", "again": "crash"'
supervise "$T/devices" --restart-limit 3
dev=$(readlink -f /run/ublk-host/by-name/gone)
kill -9 "$(server_pid gone)"
expect_fail 1 'error' dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct
wait_for 10 state_is gone failed
matches "$log" 'gone: given up: 3 servers ended within 60 s, the last one was killed by signal 6'
ublk-host list >"$T/list" 2>&1
matches "$T/list" 'gone has no server: ublk-host down gone'
ublk-host info gone >"$T/info"
matches "$T/info" 'failed: +3 servers ended'
expect_fail 1 'it was given up: .*; ublk-host down gone' ublk-host recover gone
# Its memory is kept: neither a reload nor the end of the supervisor gives it up.
kill -HUP "$supervisor"
wait_ready 2
state_is gone failed || fail "a reload made it anew: $(ublk-host list)"
matches "$log" 'gone: .*its memory is kept'
stop "$supervisor"
state_is gone failed || fail "it is gone: $(ublk-host list)"
# The next supervisor leaves it, too, until it is down.
supervise "$T/devices"
matches "$log" 'ready: 0 of 1 devices served, failed: gone'
down gone
kill -HUP "$supervisor"
wait_ready 2
state_is gone live || fail "not made anew: $(ublk-host list)"
stop "$supervisor"
nothing_served

# Without recovery, it is made anew; one that cannot come up at all leaves nothing.
rm "$T"/devices/*
manifest anew '"size": "16M"' ', "device": { "recovery": "none" }'
# Before Linux 7.0 the driver holds a lock while it reads partitions, and hangs if the server dies of that.
never=
kernel_has batch_io && never=yes
[[ ! $never ]] || manifest never '"size": "16M", "crash_every": 1, "again": "ok"'
supervise "$T/devices" --restart-limit 2
before=$(server_pid anew)
kill -9 "$before"
served_anew() { now=$(server_pid anew) && [[ $now && $now != "$before" ]] && state_is anew live; }
wait_for 10 served_anew
kill -9 "$(server_pid anew)"
wait_for 10 state_is anew failed
given_up() { grep -q 'never: given up: 2 servers ended' "$log"; }
[[ ! $never ]] || wait_for 10 given_up
stop "$supervisor"
# Its first server may have died just after the device was there.
! state_is never failed || down never
nothing_served

# What a device is made from may come later.
rm "$T"/devices/*
printf '{ "ublk_device_manifest": "1.0", "plugin": "file", "options": { "path": "../late" } }\n' >"$T/devices/late.json"
supervise "$T/devices" --restart-limit 2
put_off() { grep -q 'late: it cannot be made: 2 servers ended within .*; that is tried again in 10 s' "$log"; }
wait_for 10 put_off
truncate -s 16M "$T/late"
wait_for 20 state_is late live
stop "$supervisor"
nothing_served
