# SPDX-License-Identifier: MIT
# limit: 180
# dmesg-ok: error, dev ublkb|Buffer I/O error
# down and users that come, or are seen, too late: the driver has the last word where it can
# (safe_stop_dev). And down never waits for a server that does nothing.
. "$UBLK_TEST_LIB"

up --plugin mem --opt size=16M --name held
if kernel_has safe_stop_dev; then
	# Whoever looks for this process does not find it.
	tail -f /dev/null 3<"$dev" &
	holder=$!
	mount -t tmpfs tmpfs "/proc/$holder"
	expect_fail 1 'the driver says that it is open' ublk-host down held
	dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct status=none || fail "the device is stopped"
	ublk-host list >"$T/list"
	matches "$T/list" ' held .* live '

	# The same of a device whose server is dead, as long as the kernel has its disk.
	server=$(server_pid held)
	kill -9 "$server"
	wait_for 10 bash -c "ublk-host list | grep -Eq ' held .* (dead|quiesced|fail-io) '"
	if [[ -b $dev ]] && ublk-host list | grep -E ' held .* (quiesced|fail-io) ' >/dev/null; then
		expect_fail 1 'the driver says that it is open' ublk-host down held
		[[ -c /dev/ublkc$id ]] || fail "down removed a device that is in use"
	fi
	umount "/proc/$holder"
	kill "$holder"
	wait "$holder" 2>/dev/null || true
fi
down held
nothing_served

# A server that stands still: down tells so in time, and the device is there as before.
up --plugin mem --opt size=16M --name still
server=$(server_pid still)
kill -STOP "$server"
start=$(now_ms)
expect_fail 1 'has not stopped in time' ublk-host down still --timeout 2
at_most "time of down (ms)" $(($(now_ms) - start)) 12000
kill -CONT "$server"
# shellcheck disable=SC2016 # of the inner shell
wait_for 20 bash -c '! [[ -d /proc/$0 ]]' "$server"
nothing_served

# With --force nobody is waited for who has it mounted or open: its number is taken as long as they do.
up --plugin mem --opt size=16M --name forced
tail -f /dev/null 3<"$dev" &
holder=$!
kill -STOP "$(server_pid forced)"
start=$(now_ms)
ublk-host down --force forced --timeout 1 >"$T/out" 2>&1 || fail "$(cat "$T/out")"
at_most "time of down --force (ms)" $(($(now_ms) - start)) 15000
matches "$T/out" 'killed forced'
[[ ! -e /dev/ublkc$id ]] || fail "the device is left: $(cat "$T/out")"
kill "$holder"
wait "$holder" 2>/dev/null || true
nothing_served
