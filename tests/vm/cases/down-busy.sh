# SPDX-License-Identifier: MIT
# dmesg-ok: error, dev ublkb|EXT4-fs|Buffer I/O error|Aborting journal|JBD2|device offline
# down refuses a device that is mounted or open and says who holds it; --force takes it away.
. "$UBLK_TEST_LIB"
need_tool mkfs.ext4
need_module ext4

up --plugin mem --opt size=32M --name held
tail -f /dev/null 3<"$dev" &
holder=$!
expect_fail 1 "$holder|tail" ublk-host down held
[[ -b $dev ]] || fail "the device is gone though down refused"
kill "$holder"
wait "$holder" 2>/dev/null || true

mkfs.ext4 -q -F "$dev"
mkdir "$T/mnt"
mount "$dev" "$T/mnt"
expect_fail 1 "$T/mnt" ublk-host down held
expect_fail 1 "$T/mnt" ublk-host down "$id"
echo data >"$T/mnt/file"
sync "$T/mnt/file"
start=$(now_ms)
ublk-host down --force held
at_most "time of down --force (ms)" $(($(now_ms) - start)) 10000
[[ ! -e /run/ublk-host/by-name/held ]] || fail "the link is left after down --force"
umount -l "$T/mnt"
nothing_served
