# SPDX-License-Identifier: MIT
# limit: 120
# dmesg-ok: I/O error, dev (ublkb|loop)
# file with mmap=on: the bytes of a file and of a block device, whole and in part, on every data path
# that takes memory. A backing that is cut short under it gives errors and costs no server.
. "$UBLK_TEST_LIB"
need_module loop

random_file "$T/backing" $((8 << 20))
before=$(sum <"$T/backing")

reads_fail() { # BLOCK...: of 4 KiB
	local block
	for block; do
		expect_fail 1 'Input/output error' timeout --kill-after=5 20 \
			dd if="$dev" of=/dev/null bs=4k skip="$block" count=1 iflag=direct
	done
}

same_bytes() { # BLOCK BLOCKS, of 4 KiB
	cmp <(read_at "$dev" $(($1 << 12)) $(($2 << 12))) \
		<(tail -c +$((($1 << 12) + 1)) "$T/cut" | head -c $(($2 << 12))) || fail "blocks from $1 on differ"
}

for path in copy user-copy commit-address; do
	cp "$T/backing" "$T/cut"
	serve --plugin file --opt path="$T/cut" --opt mmap=on --read-only --queues 1 --data-path "$path"
	same "$path: read-only" "$(blockdev --getro "$dev")" 1
	same "$path: the device" "$(read_at "$dev" 0 $((8 << 20)) | sum)" "$before"
	# Down to 4 MiB and 2 KiB of it.
	truncate -s $(((4 << 20) + 2048)) "$T/cut"
	same_bytes 0 1024
	for _ in 1 2; do
		reads_fail 1025 2047
		same_bytes 0 16
	done
	expect_fail 1 'Input/output error' timeout --kill-after=5 20 \
		dd if="$dev" of=/dev/null bs=64k skip=$((4096 / 64 - 1)) count=2 iflag=direct,fullblock
	# Many that are well and many that are not, at the same time.
	readers=()
	for block in {1020..1060..4}; do
		timeout --kill-after=5 20 dd if="$dev" of=/dev/null bs=16k skip=$((block / 4)) count=1 iflag=direct \
			>/dev/null 2>&1 &
		readers+=($!)
	done
	wait "${readers[@]}" || true
	same_bytes 512 16
	truncate -s 8M "$T/cut"
	same_bytes 2000 8
	stop
	note "$path: served and cut"
done

serve --plugin file --opt path="$T/backing" --opt mmap=on --read-only --opt offset=1536 --opt size=1M
same "a part" "$(read_at "$dev" 0 $((1 << 20)) | sum)" "$(tail -c +1537 "$T/backing" | head -c $((1 << 20)) | sum)"
stop

loop=$(losetup --find --show --read-only "$T/backing")
serve --plugin file --opt path="$loop" --opt mmap=on
same "a block device" "$(read_at "$dev" 0 $((8 << 20)) | sum)" "$before"
stop
losetup -d "$loop"

expect_fail 1 'can be written.*--read-only' ublk-host --plugin file --opt path="$T/backing" --opt mmap=on
same "lines about it" "$(wc -l <"$T/expect.err")" 1
expect_fail 1 'direct=on' ublk-host --plugin file --opt path="$T/backing" --opt mmap=on --opt direct=on --read-only
same "lines about it" "$(wc -l <"$T/expect.err")" 1
same "the backing" "$(sum <"$T/backing")" "$before"
nothing_served
