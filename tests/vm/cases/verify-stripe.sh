# SPDX-License-Identifier: MIT
# limit: 240
# stripe under fio with verification, over files and over block devices; the bytes are in the members
# where RAID-0 has them, discards and flushes reach each of them, and large requests span many.
. "$UBLK_TEST_LIB"
need_tool losetup blkdiscard
need_module loop

members() { # NAME...: as paths=
	local IFS=:
	echo "paths=${*/#/$T/}"
}

gather() { # CHUNK FILE...: the device's bytes, put together from the members, to standard output
	local chunk=$1 i=0 f
	shift
	rm -rf "$T/chunks"
	mkdir "$T/chunks"
	for f; do # ROW.MEMBER, so that their names are in the device's order
		split -b "$chunk" -d -a 6 --additional-suffix ".$((i++))" "$f" "$T/chunks/"
	done
	cat "$T/chunks"/*
}

check_members() { # CHUNK NAME...: what is read from the device is what its members hold
	local chunk=$1
	shift
	gather "$chunk" "${@/#/$T/}" | cmp - "$dev" || fail "chunk $chunk: other bytes in the members"
}

no_workers() { # WHAT: it was done without a thread for what may block
	! grep -qs '^ublk-w' "/proc/$pid/task"/*/comm || fail "$1 started a worker"
}

random_file "$T/data" $((4 << 20))
for chunk in 4K 64K; do
	bytes=$((${chunk%K} << 10))
	for f in a b c; do
		rm -f "$T/$f"
		truncate -s 4M "$T/$f"
	done
	serve --plugin stripe --opt "$(members a b c)" --opt chunk=$chunk
	same "size" "$(size_of "$dev")" $((12 << 20))
	same "minimum I/O size" "$(attr "$dev" minimum_io_size)" $bytes
	fio_verify "$dev" --size=4M
	# One request of 512 KiB in chunks of all members, and 4 MiB in several of them.
	dd if="$T/data" of="$dev" bs=512K count=1 oflag=direct conv=notrunc status=none
	dd if="$T/data" of="$dev" bs=4M seek=1 count=1 oflag=direct conv=notrunc status=none
	dd if="$dev" bs=4M skip=1 count=1 iflag=direct status=none | cmp - "$T/data"
	# A discard over all members, from within a row of chunks to within another.
	before=$(($(blocks_of "$T/a") + $(blocks_of "$T/b") + $(blocks_of "$T/c")))
	blkdiscard --offset 4M --length 4M "$dev"
	after=$(($(blocks_of "$T/a") + $(blocks_of "$T/b") + $(blocks_of "$T/c")))
	at_most "space after a discard of 4 MiB (KiB)" $after $((before - 4000))
	same "discarded bytes" "$(read_at "$dev" $((4 << 20)) $((4 << 20)) | tr -d '\0' | wc -c)" 0
	blkdiscard --zeroout --offset 8K --length 24K "$dev"
	same "zeroed bytes" "$(read_at "$dev" 8192 24576 | tr -d '\0' | wc -c)" 0
	same "bytes before" "$(read_at "$dev" 0 8192 | sum)" "$(head -c 8192 "$T/data" | sum)"
	same "bytes after" "$(read_at "$dev" 32768 32768 | sum)" "$(head -c 65536 "$T/data" | tail -c 32768 | sum)"
	sync "$dev"
	check_members $bytes a b c
	stop
done

# Members of different sizes, read-only, and block devices of which one has large blocks.
truncate -s 6M "$T/c"
cp --sparse=always "$T/a" "$T/was-a"
serve --plugin stripe --opt "$(members a b c)" --read-only
same "size by the smallest" "$(size_of "$dev")" $((12 << 20))
same "read-only" "$(blockdev --getro "$dev")" 1
stop
cmp "$T/a" "$T/was-a"
loops=()
for f in a b; do
	truncate -s 4M "$T/$f"
	loops+=("$(losetup --find --show --sector-size "$([[ $f == a ]] && echo 512 || echo 4096)" "$T/$f")")
done
serve --plugin stripe --opt "paths=${loops[0]}:${loops[1]}" --opt chunk=16K
same "the strictest logical block" "$(blockdev --getss "$dev")" 4096
fio_verify "$dev" --size=4M
blkdiscard --offset 1M --length 4M "$dev"
no_workers "a discard of block devices"
same "discarded bytes" "$(read_at "$dev" 1048576 $((4 << 20)) | tr -d '\0' | wc -c)" 0
write_at "$dev" 0 $((4 << 20)) "$T/data"
sync "$dev"
check_members 16384 a b
stop
losetup -d "${loops[@]}"

# A flush reaches every member: devices that tell of their flushes.
need_plugin callmem
lower=() servers=()
for i in 0 1 2; do
	: >"$T/calls-$i"
	serve --plugin "$plugins/callmem.so" --opt size=16M --opt log="$T/calls-$i"
	lower+=("$dev") servers+=("$pid")
done
serve --plugin stripe --opt "paths=${lower[0]}:${lower[1]}:${lower[2]}"
dd if="$T/data" of="$dev" bs=4k count=1 oflag=direct conv=notrunc status=none
before=() # a member that was not written to is flushed, too
for i in 0 1 2; do before+=("$(grep -c flush "$T/calls-$i" || true)"); done
dd if="$T/data" of="$dev" bs=4k count=1 oflag=direct conv=notrunc,fsync status=none
for i in 0 1 2; do
	at_least "flushes of member $i" "$(grep -c flush "$T/calls-$i" || true)" $((before[i] + 1))
done
stop
for pid in "${servers[@]}"; do stop "$pid"; done

# What cannot be: one clear line each.
expect_fail 1 "$T/missing: does not exist" ublk-host --plugin stripe --opt "$(members a missing)"
expect_fail 1 "$T/a: is a part of the device already" ublk-host --plugin stripe --opt "$(members a b a)"
expect_fail 1 "b: is not an absolute path" ublk-host --plugin stripe --opt paths=b
expect_fail 1 "chunk=12K is not a power of two" ublk-host --plugin stripe --opt "$(members a b)" --opt chunk=12K
nothing_served
