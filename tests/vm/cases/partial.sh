# SPDX-License-Identifier: MIT
# Sizes that are no multiple of 4 KiB, and files that are no multiple of a sector.
. "$UBLK_TEST_LIB"

random_file "$T/backing" $((1048576 + 3 * 512))
want=$(sum <"$T/backing")
serve --plugin file --opt path="$T/backing" --opt direct=off
same "size" "$(size_of "$dev")" $((1048576 + 3 * 512))
same "all of it, through the page cache" "$(sum <"$dev")" "$want"
read_at "$dev" 1048576 1536 | cmp - <(tail -c 1536 "$T/backing") || fail "the last sectors differ"
random_file "$T/data" 512
write_at "$dev" $((1048576 + 2 * 512)) 512 "$T/data"
expect_fail 1 'No space' dd if=/dev/zero of="$dev" bs=512 count=1 seek=2051 oflag=direct conv=notrunc
stop
cmp <(tail -c 512 "$T/backing") "$T/data" || fail "the last sector is not in the backing"
same "size of the backing" "$(stat -c %s "$T/backing")" $((1048576 + 3 * 512))

# An odd end is not served, is told, and stays as it is.
random_file "$T/backing" $((1048576 + 100))
want=$(tail -c 100 "$T/backing" | sum)
serve --plugin file --opt path="$T/backing"
same "size" "$(size_of "$dev")" 1048576
matches "$log" '100 bytes'
dd if=/dev/zero of="$dev" bs=64k count=16 oflag=direct conv=notrunc status=none
stop
same "the odd end" "$(tail -c 100 "$T/backing" | sum)" "$want"
same "size of the backing" "$(stat -c %s "$T/backing")" $((1048576 + 100))

serve --plugin mem --opt size=1052160 # 4 KiB * 256 + 3584
fio_verify "$dev" --bs=512 --size=256k --offset=796k
stop
