# SPDX-License-Identifier: MIT
# limit: 120
# 4 KiB logical blocks: asked for, and taken over from a backing block device.
. "$UBLK_TEST_LIB"
need_module loop
need_module ext4
need_tool mkfs.ext4

for backend in "mem --opt size=64M" "null --opt size=1T" "file --opt path=$T/backing"; do
	truncate -s 64M "$T/backing"
	# shellcheck disable=SC2086 # words
	serve --plugin $backend --logical-block 4096
	same "logical block" "$(blockdev --getss "$dev")" 4096
	same "physical block" "$(blockdev --getpbsz "$dev")" 4096
	expect_fail 1 'Invalid argument' dd if="$dev" of=/dev/null bs=512 count=1 iflag=direct
	[[ $backend == null* ]] || fio_verify "$dev" --size=4M
	stop
done

serve --plugin mem --opt size=64M --logical-block 512 --physical-block 4096
same "logical block" "$(blockdev --getss "$dev")" 512
same "physical block" "$(blockdev --getpbsz "$dev")" 4096
fio_verify "$dev" --bsrange=512-8k --size=1M
stop

truncate -s 32M "$T/disk"
loop=$(losetup --find --show --sector-size 4096 "$T/disk")
serve --plugin file --opt path="$loop"
same "logical block of a 4 KiB device" "$(blockdev --getss "$dev")" 4096
fio_verify "$dev" --size=4M
stop
losetup -d "$loop"

# What a disk can do changes while it is used; its device gets its next server all the same. Not of a loop device, which
# would keep it.
up --plugin mem --opt size=32M --logical-block 4096 --name below
below=$dev
up --plugin file --opt path="$below" --name less
less=$dev
can=$(attr "$less" discard_max_bytes)
same "what the disk offers" "$can" "$(attr "$below" discard_max_bytes)"
echo 0 >"/sys/block/${below#/dev/}/queue/discard_max_bytes"
server=$(server_pid less)
kill -9 "$server"
wait_for 10 gone "$server"
timeout 30 ublk-host recover less >"$T/out" 2>&1 || fail "recover: $(cat "$T/out")"
same "what it offers" "$(attr "$less" discard_max_bytes)" "$can"
fio_verify "$less" --size=4M
if kernel_has quiesce; then
	timeout 30 ublk-host upgrade less >"$T/out" 2>&1 || fail "upgrade: $(cat "$T/out")"
	read_at "$less" 0 4096 >/dev/null
fi
down less
down below

# A file on a disk of such blocks that is served through the page cache, as its size is odd, is so by the next server,
# too, when its size has come to suit direct I/O: the device keeps its own blocks.
up --plugin mem --opt size=64M --logical-block 4096 --name disk
mkfs.ext4 -q "$dev" >"$T/out" 2>&1
mkdir "$T/mnt"
mount "$dev" "$T/mnt"
truncate -s $(((8 << 20) + 512)) "$T/mnt/image"
up --plugin file --opt path="$T/mnt/image" --name odd
odd=$dev
is_direct() { # the server's file
	local fd server
	server=$(server_pid odd)
	for fd in "/proc/$server/fd"/*; do
		[[ $(readlink "$fd") != "$T/mnt/image" ]] ||
			(($(sed -n 's/^flags:[[:space:]]*/0/p' "/proc/$server/fdinfo/${fd##*/}") & 040000)) || return 1
	done
}
! is_direct || fail "the size is odd, and I/O direct"
same "logical block" "$(blockdev --getss "$odd")" 512
dd if=/dev/urandom of="$odd" bs=512 seek=1 count=1 oflag=direct status=none
want=$(read_at "$odd" 0 4096 | sum)
if kernel_has update_size; then
	ublk-host resize odd 16M >/dev/null
else
	truncate -s 16M "$T/mnt/image"
fi
server=$(server_pid odd)
kill -9 "$server"
wait_for 10 gone "$server"
timeout 30 ublk-host recover odd >"$T/out" 2>&1 || fail "recover: $(cat "$T/out")"
! is_direct || fail "I/O is direct, and needs larger blocks"
same "logical block" "$(blockdev --getss "$odd")" 512
same "what was written" "$(read_at "$odd" 0 4096 | sum)" "$want"
dd if=/dev/urandom of="$odd" bs=512 seek=1 count=1 oflag=direct status=none
down odd
umount "$T/mnt"
down disk
