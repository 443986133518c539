# SPDX-License-Identifier: MIT
# limit: 240
# Devices get larger and smaller while they are written and compared: a hundred times, file and mem, whatever
# the data path; a filesystem grows under its users. What is refused changes nothing, and a next server finds
# the size that there is.
. "$UBLK_TEST_LIB"
need_tool fio

if ! kernel_has update_size; then
	up --plugin mem --opt size=16M --name fixed
	expect_fail 1 'UPDATE_SIZE.*make it anew' ublk-host resize fixed 32M
	same "its size" "$(size_of "$dev")" $((16 << 20))
	down fixed
	skip "this driver cannot change the size of a device"
fi
need_tool resize2fs blockdev
need_module ext4

times=50
truncate -s 32M "$T/backing"
up --plugin file --opt path="$T/backing" --name disk
disk=$dev
up --plugin mem --opt size=32M --name ram --queues 2
ram=$dev
ublk-host resize disk 48M >"$T/out" || fail "resize: $?"
matches "$T/out" "^resized disk \($disk\) from 32M to 48M"
same "the device" "$(size_of "$disk")" $((48 << 20))
same "its file" "$(stat -c %s "$T/backing")" $((48 << 20))
same "its option" "$(size_option disk)" $((48 << 20))
ublk-host resize disk 48M >/dev/null || fail "the same size again"

# Under load, in the part that is always there.
verify_begin "$disk" 24M
verify_disk=$verify_fio
fio --name=ram --filename="$ram" --rw=randwrite --bsrange=4k-64k --size=24M --ioengine=libaio --direct=1 \
	--iodepth=16 --verify=crc32c --verify_fatal=1 --do_verify=1 --loops=1000000 \
	--output="$T/ram.out" >"$T/ram.err" 2>&1 &
verify_ram=$!
worst=0
for ((i = 1; i <= times; i++)); do
	size=$((24 + RANDOM % 200))
	for node in "$disk" "$ram"; do
		kill -0 "$verify_disk" 2>/dev/null || fail "fio on the file ended: $(tail -n 5 "$T/fio.err" "$T/fio.out")"
		kill -0 "$verify_ram" 2>/dev/null || fail "fio on mem ended: $(tail -n 5 "$T/ram.err" "$T/ram.out")"
		began=$(now_ms)
		ublk-host resize --force "$node" ${size}M >"$T/out" 2>&1 || fail "round $i: $node to ${size}M: $(cat "$T/out")"
		took=$(($(now_ms) - began))
		((took <= worst)) || worst=$took
		same "round $i: $node" "$(size_of "$node")" $((size << 20))
	done
done
note "$((times * 2)) times, $worst ms at worst"
for job in $verify_disk $verify_ram; do
	kill -INT "$job"
	wait "$job" || [[ $? == 128 ]] || fail "fio: $(tail -n 15 "$T/fio.err" "$T/fio.out" "$T/ram.err" "$T/ram.out")"
done
not_matches "$T/fio.out" 'verify: bad|err= *[1-9]'
not_matches "$T/ram.out" 'verify: bad|err= *[1-9]'

# What was beyond an end is gone from mem, and what the file had is not touched.
random_file "$T/data" 65536
ublk-host resize --force ram 64M >/dev/null
ublk-host resize --force disk 64M >/dev/null
write_at "$ram" $((40 << 20)) 65536 "$T/data"
write_at "$disk" $((40 << 20)) 65536 "$T/data"
expect_fail 1 'No space left' dd if="$T/data" of="$ram" bs=64k seek=1024 oflag=direct conv=notrunc
for node in "$ram" "$disk"; do
	ublk-host resize "$node" 32M >/dev/null || fail "shrink"
	ublk-host resize "$node" 64M >/dev/null || fail "grow"
done
same "mem, grown again" "$(read_at "$ram" $((40 << 20)) 65536 | tr -d '\0' | wc -c)" 0
same "the file, grown again" "$(read_at "$disk" $((40 << 20)) 65536 | sum)" "$(sum <"$T/data")"

# What is refused changes nothing.
expect_fail 2 'no size.*512K' ublk-host resize ram many
expect_fail 2 'no size' ublk-host resize ram 0
expect_fail 2 'multiple of its logical block' ublk-host resize ram 67108863
expect_fail 2 'which size' ublk-host resize ram
expect_fail 1 'cannot resize ram: mem: cannot grow to .* there is address space for' ublk-host resize ram 4096T
exec 7<"$ram"
expect_fail 1 "is open in bash.*--force" ublk-host resize ram 32M
exec 7<&-
same "mem" "$(size_of "$ram") $(size_option ram)" "$((64 << 20)) $((64 << 20))"
same "the file" "$(size_of "$disk") $(size_option disk)" "$((64 << 20)) $((64 << 20))"
truncate -s 16M "$T/part1"
truncate -s 16M "$T/part2"
up --plugin stripe --opt paths="$T/part1:$T/part2" --name striped
expect_fail 1 'plugin stripe cannot change the size' ublk-host resize striped 64M
down striped

# A filesystem grows with its device, mounted; nobody makes the device smaller under it.
make_fs ext4 "$ram"
mkdir "$T/mnt"
mount "$ram" "$T/mnt"
write_tree "$T/mnt"
ublk-host resize ram 160M >/dev/null || fail "growing a mounted device"
resize2fs "$ram" >"$T/resize2fs" 2>&1 || fail "resize2fs: $(cat "$T/resize2fs")"
at_least "KiB of the filesystem" "$(df --output=size "$T/mnt" | tail -n 1)" 130000
expect_fail 1 "is mounted on $T/mnt.*--force" ublk-host resize ram 64M
verify_tree "$T/mnt"
truncate -s 1M "$T/mnt/image"
up --plugin file --opt path="$T/mnt/image" --name inner
expect_fail 1 'cannot resize inner: file: .*/image: cannot be made .* bytes large: File too large' ublk-host resize inner 64T
matches "$log" 'image: cannot be made .* bytes large: File too large'
same "a file that its filesystem does not let grow" "$(size_of "$dev") $(stat -c %s "$T/mnt/image")" "1048576 1048576"
down inner

# The next server has the size that there is, and the data.
for name in ram disk; do
	kill -KILL "$(server_pid "$name")"
	timeout 30 ublk-host recover "$name" >"$T/out" 2>&1 || fail "recover $name: $(cat "$T/out")"
done
same "mem after its server died" "$(size_of "$ram")" $((160 << 20))
same "the file after its server died" "$(size_of "$disk")" $((64 << 20))
verify_tree "$T/mnt"
ublk-host resize ram 176M >/dev/null || fail "growing what was recovered"
umount "$T/mnt"
fsck.ext4 -fn "$ram" >"$T/fsck" 2>&1 || fail "fsck: $(cat "$T/fsck")"
same "the file's data" "$(read_at "$disk" $((40 << 20)) 65536 | sum)" "$(sum <"$T/data")"
down --all

# Every data path.
for path in $(data_paths); do
	[[ $path != commit-address ]] || continue
	ublk-host up --plugin file --opt path="$T/backing" --data-path "$path" --name path >"$T/up" 2>&1 || continue
	dev=$(grep -m 1 '^/dev/ublkb' "$T/up")
	ublk-host resize path 80M >"$T/out" 2>&1 || fail "$path: $(cat "$T/out")"
	write_at "$dev" $((79 << 20)) 65536 "$T/data"
	same "$path: what was written to the new part" "$(read_at "$dev" $((79 << 20)) 65536 | sum)" "$(sum <"$T/data")"
	ublk-host resize path 64M >"$T/out" 2>&1 || fail "$path: $(cat "$T/out")"
	down path
done
nothing_served
