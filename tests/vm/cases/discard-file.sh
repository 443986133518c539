# SPDX-License-Identifier: MIT
# Discard and write-zeroes on file punch holes in a regular file, and reach a block device below.
. "$UBLK_TEST_LIB"
need_tool blkdiscard losetup
need_module loop

# DEVICE FILE WHAT: the file is what holds the device's bytes, directly or below a loop device
punch() {
	local node=$1 file=$2 how before after
	for how in "" --zeroout; do
		write_at "$node" 0 $((16 << 20)) "$T/data"
		blockdev --flushbufs "$node"
		before=$(blocks_of "$file")
		at_least "$3: space of 16 MiB (KiB)" "$before" 16000
		# shellcheck disable=SC2086 # an option or nothing
		blkdiscard $how --offset 1M --length 14M "$node"
		after=$(blocks_of "$file")
		note "$3: blkdiscard $how: $before -> $after KiB"
		at_most "$3: space after blkdiscard $how (KiB)" "$after" $((before - 14000))
		same "$3: zeroes" "$(read_at "$node" 1048576 $((14 << 20)) | tr -d '\0' | wc -c)" 0
		same "$3: data before" "$(read_at "$node" 0 1048576 | sum)" "$(head -c 1048576 "$T/data" | sum)"
		same "$3: data after" "$(read_at "$node" $((15 << 20)) 1048576 | sum)" "$(tail -c 1048576 "$T/data" | sum)"
	done
}

random_file "$T/data" $((16 << 20))
truncate -s 16M "$T/backing"
serve --plugin file --opt path="$T/backing"
punch "$dev" "$T/backing" "regular file"
stop

truncate -s 16M "$T/disk"
loop=$(losetup --find --show "$T/disk")
serve --plugin file --opt path="$loop"
punch "$dev" "$T/disk" "block device"
stop
losetup -d "$loop"
