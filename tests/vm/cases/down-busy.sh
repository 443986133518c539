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
# Users may be about to leave, who are waited for: then it is as if they had never been there.
(
	sleep 2
	umount "$T/mnt"
) &
before=$(server_pid held)
start=$(now_ms)
expect_fail 1 "$T/mnt" ublk-host down --wait 1 held
passed=$(($(now_ms) - start))
((passed >= 900)) || fail "it was waited for $passed ms"
down --wait 20 held
wait
up --plugin mem --opt size=32M --name held
[[ $(server_pid held) != "$before" ]] || fail "it was not stopped"
mkfs.ext4 -q -F "$dev"
# What the kernel holds, but does not tell of: the journal of a filesystem on another disk.
disk=$dev
up --plugin mem --opt size=32M --name journal
if mke2fs -q -F -O journal_dev -b 4096 "$dev" >"$T/out" 2>&1 &&
	mkfs.ext4 -q -F -b 4096 -J device="$dev" "$disk" >"$T/out" 2>&1 && mount "$disk" "$T/mnt"; then
	expect_fail 1 "journal .*is in use" ublk-host down journal
	expect_fail 1 "$T/mnt" ublk-host down held
	# That is waited for, too.
	(
		sleep 2
		umount "$T/mnt"
	) &
	down --wait 20 journal
	wait
	mkfs.ext4 -q -F "$disk"
else
	fail "no filesystem with a journal elsewhere: $(cat "$T/out")"
fi
dev=$disk
id=${dev#/dev/ublkb}
mount "$dev" "$T/mnt"
echo data >"$T/mnt/file"
sync "$T/mnt/file"
start=$(now_ms)
ublk-host down --force held
at_most "time of down --force (ms)" $(($(now_ms) - start)) 10000
[[ ! -e /run/ublk-host/by-name/held ]] || fail "the link is left after down --force"
umount -l "$T/mnt"
nothing_served
