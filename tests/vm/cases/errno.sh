# SPDX-License-Identifier: MIT
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb|lost async page write
# A backend's error reaches the application as what it is.
. "$UBLK_TEST_LIB"
need_tool fio

mkdir "$T/small"
mount -t tmpfs -o size=4M tmpfs "$T/small"
truncate -s 16M "$T/small/backing"
serve --plugin file --opt path="$T/small/backing"
expect_fail 1 'No space left on device' dd if=/dev/zero of="$dev" bs=1M count=16 oflag=direct conv=notrunc
# Room again: the device goes on.
blkdiscard "$dev"
dd if=/dev/zero of="$dev" bs=64k count=8 oflag=direct conv=notrunc status=none
stop
umount "$T/small"

need_plugin callmem
# what the kernel's block layer can carry, with the text that dd shows
while read -r number text; do
	serve --plugin "$plugins/callmem.so" --opt size=4M --opt fail_offset=1M --opt fail_errno="$number"
	expect_fail 1 "$text" dd if="$dev" of=/dev/null bs=4k skip=256 count=1 iflag=direct
	expect_fail 1 "$text" dd if=/dev/zero of="$dev" bs=4k seek=256 count=1 oflag=direct conv=notrunc
	read_at "$dev" 0 65536 >/dev/null
	stop
done <<-END
	5 Input/output error
	28 No space left on device
	110 Connection timed out
	95 Operation not supported
END
