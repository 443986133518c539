# SPDX-License-Identifier: MIT
# limit: 120
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb
# A server that is killed: its device waits, is told as such, and goes on under a new server as if
# nothing had been; in each mode of --recovery as that says. Nothing is left behind at the end.
. "$UBLK_TEST_LIB"

kill_server() { # NAME
	local server
	server=$(server_pid "$1")
	kill -9 "$server"
	wait_for 10 gone "$server"
}
recover() { # NAME...
	timeout --kill-after=5 30 ublk-host recover "$@" >"$T/recover.out" 2>&1 ||
		fail "recover $*: status $?: $(cat "$T/recover.out")"
}

random_file "$T/data" 2M

# mem: the contents outlive the server.
up --plugin mem --opt size=16M --name ram
write_at "$dev" 0 2097152 "$T/data"
kill_server ram
wait_for 10 state_is ram quiesced
ublk-host info ram >"$T/info" 2>&1
matches "$T/info" 'ublk-host recover ram'
# A request waits, and is served by the next server.
read_at "$dev" 0 2097152 >"$T/got" &
reader=$!
sleep 0.3
kill -0 $reader || fail "a read did not wait for the new server"
expect_fail 1 'ublk-host recover ram' ublk-host --plugin null --name ram
recover ram
matches "$T/recover.out" "^recovered ram \($dev\)"
wait $reader || fail "a read that waited failed"
cmp "$T/got" "$T/data"
expect_fail 1 'process [0-9]+ serves it' ublk-host recover ram
state_is ram live || fail "not live: $(ublk-host list)"
# Again, by id, with all that is discarded and never written being zeroes, and not taking memory.
blkdiscard -o 0 -l 1048576 "$dev"
kill_server ram
recover "$id"
same "what was discarded" "$(read_at "$dev" 0 1048576 | tr -d '\0' | wc -c)" 0
same "what was not" "$(read_at "$dev" 1048576 1048576 | sum)" "$(tail -c 1048576 "$T/data" | sum)"
same "what never was written" "$(read_at "$dev" 8388608 8388608 | tr -d '\0' | wc -c)" 0
at_most "KiB that the memory takes" "$(du -sk /run/ublk-host/memory | cut -f 1)" 2200
down ram
same "memory that is left" "$(find /run/ublk-host/memory -type f)" ""

# A device that waits is stopped like any other.
up --plugin mem --opt size=16M --name waits
kill_server waits
wait_for 10 state_is waits quiesced
down waits
nothing_served

# file; --recover; all of them.
truncate -s 16M "$T/backing"
up --plugin file --opt path="$T/backing" --name disk
write_at "$dev" 4096 1048576 "$T/data"
disk=$dev
up --plugin null --name nothing
kill_server disk
kill_server nothing
wait_for 10 state_is disk quiesced
up --recover --plugin file --opt path="$T/other" --name disk
same "the device" "$dev" "$disk"
same "its contents" "$(read_at "$dev" 4096 1048576 | sum)" "$(head -c 1048576 "$T/data" | sum)"
recover --all
matches "$T/recover.out" 'recovered nothing'
not_matches "$T/recover.out" 'disk'
recover --all
matches "$T/recover.out" 'no device waits'
# A backing that has become too small is no backing; then it is again.
kill_server disk
truncate -s 1M "$T/backing"
expect_fail 1 'has 16M, and its backing has 1M now' ublk-host recover disk
state_is disk quiesced || fail "a failed recovery changed it: $(ublk-host list)"
truncate -s 16M "$T/backing"
recover disk
read_at "$dev" 0 4096 >/dev/null
down --all

# none: it is dead, and says so.
up --plugin mem --opt size=16M --name mortal --recovery none
kill_server mortal
wait_for 10 state_is mortal dead
expect_fail 1 'made with --recovery none; ublk-host down mortal' ublk-host recover mortal
down mortal

# fail: requests fail meanwhile.
if kernel_has user_recovery_fail_io; then
	up --plugin mem --opt size=16M --name fails --recovery fail
	write_at "$dev" 0 1048576 "$T/data"
	kill_server fails
	wait_for 10 state_is fails fail-io
	expect_fail 1 'error' timeout 10 dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct
	recover fails
	same "contents" "$(read_at "$dev" 0 1048576 | sum)" "$(head -c 1048576 "$T/data" | sum)"
	down fails
else
	expect_fail 1 'USER_RECOVERY_FAIL_IO' ublk-host --plugin mem --opt size=16M --recovery fail
fi

# queue: what had begun fails, what comes later waits.
up --plugin mem --opt size=16M --name queue --recovery queue
kill_server queue
wait_for 10 state_is queue quiesced
recover queue
read_at "$dev" 0 4096 >/dev/null
down queue
expect_fail 2 'expected one of auto, none, queue, reissue, fail' ublk-host --plugin null --recovery often
nothing_served

# The filesystem of the runtime folder is full: the device gets its next server all the same, of which its state tells.
mkdir "$T/small"
mount -t tmpfs -o size=128k none "$T/small"
export UBLK_HOST_RUN_DIR=$T/small
up --plugin file --opt path="$T/backing" --name full
dd if=/dev/zero of="$T/small/filler" bs=4096 status=none 2>/dev/null && fail "it is not full"
kill_server full
recover full
state_is full live || fail "not live: $(ublk-host list)"
kill -0 "$(server_pid full)" || fail "its state tells of another server"
read_at "$dev" 0 4096 >/dev/null
kill_server full
recover full
down full
rm "$T/small/filler"
same "what is left" "$(find "$T/small" -mindepth 1 ! -type d ! -name .lock)" ""
unset UBLK_HOST_RUN_DIR
umount "$T/small"
nothing_served
