# SPDX-License-Identifier: MIT
# limit: 180
# A device that was resized under a supervisor: its next server has the size that it has, and so has the next
# supervisor; a manifest that asks for another size is reported, and one that got the new one is not.
. "$UBLK_TEST_LIB"
kernel_has update_size || skip "this driver cannot change the size of a device"

mkdir "$T/devices"
manifest() { # SIZE
	printf '{ "ublk_device_manifest": "1.0", "plugin": "mem", "options": { "size": "%s" } }\n' "$1" \
		>"$T/devices/kept.json"
}
reload() {
	local n
	n=$(grep -c ": ready: " "$log")
	kill -HUP "$supervisor"
	wait_ready $((n + 1))
}
differs='asks for another /options/size than it has: ublk-host resize kept 32M'

manifest 32M
supervise "$T/devices" --keep
dev=$(readlink -f /run/ublk-host/by-name/kept)
ublk-host resize kept 64M >/dev/null || fail "resize"
kill -KILL "$(server_pid kept)"
wait_for 20 grep -q 'kept: served again' "$log"
same "its size after a restart" "$(size_of "$dev") $(size_option kept)" "$((64 << 20)) $((64 << 20))"
manifest 64M
reload
not_matches "$log" "$differs"
manifest 32M
reload
matches "$log" "$differs"
manifest 64M
stop "$supervisor"
supervise "$T/devices" --keep
not_matches "$log" "$differs"
same "its size under another supervisor" "$(size_of "$dev")" $((64 << 20))
stop "$supervisor"
down kept
nothing_served
