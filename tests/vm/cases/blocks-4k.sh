# SPDX-License-Identifier: MIT
# limit: 120
# 4 KiB logical blocks: asked for, and taken over from a backing block device.
. "$UBLK_TEST_LIB"
need_module loop

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
