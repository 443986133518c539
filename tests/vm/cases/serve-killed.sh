# SPDX-License-Identifier: MIT
# limit: 180
# The supervisor itself is killed under I/O that verifies itself: devices go on being served, and the next
# supervisor finds them, with those that lost their server meanwhile. It gets along with upgrade and
# recover by hand.
. "$UBLK_TEST_LIB"
need_tool fio

manifest() { # NAME PLUGIN OPTIONS
	printf '{ "ublk_device_manifest": "1.0", "plugin": "%s", "options": { %s } }\n' \
		"$2" "$3" >"$T/devices/$1.json"
}

mkdir "$T/devices"
truncate -s 32M "$T/image"
manifest image file '"path": "../image"'
manifest ram mem '"size": "32M"'
manifest late mem '"size": "16M"'
supervise "$T/devices"
image=$(readlink -f /run/ublk-host/by-name/image)
verify_begin "$image" 8M

before=$(for name in image ram; do server_pid $name; done)
for i in 1 2 3; do
	if ((i < 3)); then
		kill -9 "$supervisor"
		wait "$supervisor" || :
	else # as a unit that is restarted
		kill -USR1 "$supervisor"
		wait "$supervisor" || fail "it was told to leave, and ended with status $?"
	fi
	same "servers without a supervisor" "$(for name in image ram; do server_pid $name; done)" "$before"
	((i > 1)) || kill -9 "$(server_pid late)"
	read_at "$image" 0 4096 >/dev/null
	supervise "$T/devices"
	matches "$log" 'ready: 3 of 3 devices served'
	matches "$log" 'image: served by process'
	((i > 1)) || matches "$log" 'late: served again'
	same "servers" "$(for name in image ram; do server_pid $name; done)" "$before"
done

# An adopted server is watched like any other.
before=$(server_pid image)
kill -9 "$before"
served_anew() { now=$(server_pid image) && [[ $now && $now != "$before" ]] && state_is image live; }
wait_for 10 served_anew

# upgrade and recover by hand: the supervisor takes what they bring.
if kernel_has quiesce; then
	for i in 1 2 3 4 5; do
		timeout 60 ublk-host upgrade image >"$T/out" 2>&1 || fail "upgrade: $(cat "$T/out")"
		pid=$(server_pid image)
		end=$((SECONDS + 10))
		until grep -q "image: served by process $pid " "$log"; do
			((SECONDS < end)) || fail "upgrade $i: process $pid is not adopted: $(tail -n 5 "$log")"
			sleep 0.05
		done
	done
fi
verify_goes_on
verify_end
stop "$supervisor"
nothing_served

# How long an idle device is without a server when that is killed: until a request is served again. Each
# server gets on first, so that the next follows at once.
supervise "$T/devices"
ram=$(readlink -f /run/ublk-host/by-name/ram)
worst=0 total=0
for ((i = 0; i < 10; i++)); do
	dd if="$ram" of=/dev/null bs=4k count=600 iflag=direct status=none
	kill -9 "$(server_pid ram)"
	began=$(now_ms)
	timeout 30 dd if="$ram" of=/dev/null bs=4k count=1 iflag=direct status=none || fail "no read after kill $i"
	outage=$(($(now_ms) - began))
	total=$((total + outage))
	((outage <= worst)) || worst=$outage
	served() { [[ $(server_pid ram) ]]; }
	wait_for 10 served
	sleep 0.3
done
note "10 kills: outage $((total / 10)) ms on average, $worst ms at worst"
note "$(sed -n 's/.*\(served again, [0-9]* ms.*\)/\1/p' "$log" | tail -n 4)"
stop "$supervisor"
nothing_served
