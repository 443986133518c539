# SPDX-License-Identifier: MIT
# limit: 120
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb
# A server that is to serve a device on, and whose plugin takes its time: whatever becomes of who started it
# meanwhile, the device stays, with its users and its contents.
. "$UBLK_TEST_LIB"
need_plugin mortal
go=/run/mortal.go
trap 'rm -f $go' EXIT

lose_server() { # NAME: the next one waits for $go
	local server
	rm -f $go
	server=$(server_pid "$1")
	kill -9 "$server"
	wait_for 10 gone "$server"
}
on_its_way() { pgrep -P "$1" >/dev/null; } # PID: who starts a server has one
intact() { read_at "$dev" 0 1048576 | cmp - "$T/data" || fail "$1: other contents"; }

random_file "$T/data" 1M
up --plugin "$plugins/mortal.so" --opt again=late --name ram
write_at "$dev" 0 1048576 "$T/data"

# The verb ends, by what ends verbs.
for signal in TERM KILL; do
	lose_server ram
	wait_for 10 state_is ram quiesced
	setsid ublk-host recover ram >"$T/recover.out" 2>&1 &
	verb=$!
	wait_for 10 on_its_way $verb
	sleep 1
	kill -$signal $verb
	wait $verb && fail "recover ended well"
	touch $go
	wait_for 10 state_is ram live
	intact "recover, SIG$signal"
done
touch $go
down ram
nothing_served

# The supervisor is killed.
mkdir "$T/devices"
printf '{ "ublk_device_manifest": "1.0", "plugin": "%s/mortal.so", "options": { "again": "late" } }\n' "$plugins" \
	>"$T/devices/ram.json"
supervise "$T/devices"
dev=$(realpath /run/ublk-host/by-name/ram)
write_at "$dev" 0 1048576 "$T/data"
lose_server ram
wait_for 10 on_its_way "$supervisor"
sleep 1
kill -9 "$supervisor"
wait "$supervisor" || :
touch $go
wait_for 10 state_is ram live
intact "a supervisor that was killed"

# It is to end, and leave the devices to the next.
supervise "$T/devices" --keep
lose_server ram
wait_for 10 on_its_way "$supervisor"
sleep 1
kill -TERM "$supervisor"
sleep 0.5
touch $go
wait "$supervisor" || fail "serve --keep: $?: $(cat "$log")"
kernel_has quiesce && { wait_for 10 state_is ram quiesced; }
[[ -b $dev ]] || fail "the device went"

# It is to stop the devices, and one is in use.
supervise "$T/devices"
wait_for 10 state_is ram live
intact "the next supervisor"
exec 5<"$dev"
lose_server ram
wait_for 10 on_its_way "$supervisor"
sleep 1
kill -TERM "$supervisor"
sleep 0.5
touch $go
wait "$supervisor" && fail "all were stopped: $(cat "$log")"
state_is ram live || fail "not live: $(ublk-host list)"
intact "in use"
exec 5<&-
down ram
nothing_served
