# SPDX-License-Identifier: MIT
# limit: 120
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb
# udev renews the times of a device's nodes, and anybody with the rights may remove one: that says nothing of the
# device, which is neither stopped under its users for it, nor forgotten.
. "$UBLK_TEST_LIB"

touched() { # as each of udev's events does, in its own time
	sleep 0.05
	touch "${dev/ublkb/ublkc}" "$dev"
}

random_file "$T/data" 1M
up --plugin mem --opt size=16M --name ram
write_at "$dev" 0 1048576 "$T/data"
server=$(server_pid ram)
touched
state_is ram live || fail "not live: $(ublk-host list)"
exec 5<"$dev"
expect_fail 1 'open' ublk-host down ram
expect_fail 1 'open' ublk-host down --all
gone "$server" && fail "its server ended"
rm "${dev/ublkb/ublkc}"
expect_fail 1 'open' ublk-host down ram
exec 5<&-
gone "$server" && fail "its server ended"
minors=$(tr : ' ' <"/sys/class/ublk-char/ublkc$id/dev")
# shellcheck disable=SC2086 # two numbers
mknod "${dev/ublkb/ublkc}" c $minors

kill -9 "$server"
wait_for 10 gone "$server"
wait_for 10 state_is ram quiesced
touched
state_is ram quiesced || fail "not quiesced: $(ublk-host list)"
ublk-host gc --yes >"$T/gc" 2>&1 || fail "gc: $(cat "$T/gc")"
matches "$T/gc" "ublk-host recover $id"
expect_fail 1 'the name ram is taken' ublk-host up --plugin null --name ram
ublk-host recover ram >"$T/out" 2>&1 || fail "recover: $(cat "$T/out")"
read_at "$dev" 0 1048576 | cmp - "$T/data"
touched
if kernel_has update_size; then
	ublk-host resize ram 32M >"$T/out" 2>&1 || fail "resize: $(cat "$T/out")"
fi
if kernel_has quiesce; then
	touched
	ublk-host upgrade ram >"$T/out" 2>&1 || fail "upgrade: $(cat "$T/out")"
fi
touched
down ram
matches "$T/down.out" '^stopped ram'
rm -f "${dev/ublkb/ublkc}" # which the kernel takes for somebody else's
nothing_served

# Nor does a supervisor make another in its place.
mkdir "$T/devices"
echo '{ "ublk_device_manifest": "1.0", "plugin": "mem", "options": { "size": "16M" } }' >"$T/devices/ram.json"
supervise "$T/devices"
dev=$(realpath /run/ublk-host/by-name/ram)
write_at "$dev" 0 1048576 "$T/data"
touched
server=$(server_pid ram)
kill -9 "$server"
wait_for 10 gone "$server"
wait_for 20 state_is ram live
same "its node" "$(realpath /run/ublk-host/by-name/ram)" "$dev"
read_at "$dev" 0 1048576 | cmp - "$T/data"
stop "$supervisor"
nothing_served
