# SPDX-License-Identifier: MIT
# dmesg-ok: Can't open blockdev|write access
# Read-only devices, asked for or because the backing is: writes are refused before they are tried.
. "$UBLK_TEST_LIB"
need_module loop

check_read_only() { # WHAT
	same "$1: blockdev --getro" "$(blockdev --getro "$dev")" 1
	expect_fail 1 'Operation not permitted|Read-only|Permission denied' \
		dd if=/dev/zero of="$dev" bs=4k count=1 oflag=direct conv=notrunc
	same "$1: data" "$(read_at "$dev" 0 65536 | sum)" "$(head -c 65536 "$T/backing" | sum)"
}

random_file "$T/backing" $((4 << 20))
before=$(sum <"$T/backing")
serve --plugin file --opt path="$T/backing" --read-only
check_read_only "asked for"
# Another reader may serve it at the same time; a writer may not.
first=$pid
serve --plugin file --opt path="$T/backing" --read-only
stop
expect_fail 1 'in use|lock|written|process' ublk-host --plugin file --opt path="$T/backing"
stop "$first"

loop=$(losetup --find --show --read-only "$T/backing")
serve --plugin file --opt path="$loop"
check_read_only "read-only block device"
matches "$log" 'read-only'
stop
losetup -d "$loop"

mkdir "$T/ro"
mount -t tmpfs tmpfs "$T/ro"
cp "$T/backing" "$T/ro/backing"
mount -o remount,ro "$T/ro"
serve --plugin file --opt path="$T/ro/backing"
check_read_only "read-only filesystem"
stop
umount "$T/ro"

serve --plugin mem --opt size=1M --read-only
same "blockdev --getro" "$(blockdev --getro "$dev")" 1
stop
same "the backing" "$(sum <"$T/backing")" "$before"
