# SPDX-License-Identifier: MIT
# Discard and write-zeroes on file punch holes in a regular file, and reach a block device below;
# zeroes that shall keep their space (blkdiscard --zeroout: NOUNMAP) keep it.
. "$UBLK_TEST_LIB"
need_tool blkdiscard fallocate losetup
need_module loop

# DEVICE FILE WHAT: the file is what holds the device's bytes, directly or below a loop device
punch() {
	local node=$1 file=$2 how before after
	for how in blkdiscard "fallocate --punch-hole" "blkdiscard --zeroout"; do
		write_at "$node" 0 $((4 << 20)) "$T/data"
		before=$(blocks_of "$file")
		at_least "$3: space of 4 MiB (KiB)" "$before" 4000
		$how --offset 1M --length 2M "$node"
		sync "$node"
		after=$(blocks_of "$file")
		note "$3: $how: $before -> $after KiB"
		case $how in
		*zeroout) at_least "$3: space after $how (KiB)" "$after" "$before" ;;
		*) at_most "$3: space after $how (KiB)" "$after" $((before - 2000)) ;;
		esac
		same "$3: zeroes" "$(read_at "$node" 1048576 $((2 << 20)) | tr -d '\0' | wc -c)" 0
		same "$3: data before" "$(read_at "$node" 0 1048576 | sum)" "$(head -c 1048576 "$T/data" | sum)"
		same "$3: data after" "$(read_at "$node" $((3 << 20)) 1048576 | sum)" "$(tail -c 1048576 "$T/data" | sum)"
	done
}

random_file "$T/data" $((4 << 20))
truncate -s 4M "$T/backing"
serve --plugin file --opt path="$T/backing"
punch "$dev" "$T/backing" "regular file"
stop

truncate -s 4M "$T/disk"
loop=$(losetup --find --show "$T/disk")
serve --plugin file --opt path="$loop"
punch "$dev" "$T/disk" "block device"
stop
losetup -d "$loop"
