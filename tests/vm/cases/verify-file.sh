# SPDX-License-Identifier: MIT
# limit: 180
# file under fio with verification: page cache and direct, on a regular file and on a block device,
# whole and in part; the bytes are in the backing at the same places.
. "$UBLK_TEST_LIB"
need_tool losetup
need_module loop

truncate -s 32M "$T/backing"
for direct in off auto; do
	serve --plugin file --opt path="$T/backing" --opt direct=$direct
	fio_verify "$dev"
	random_file "$T/data" 131072
	write_at "$dev" 65536 131072 "$T/data"
	stop
	cmp <(tail -c +65537 "$T/backing" | head -c 131072) "$T/data" || fail "direct=$direct: the backing has other bytes"
done

# A part of it: the rest stays as it is.
head -c $((32 << 20)) /dev/zero | tr '\0' x >"$T/backing"
serve --plugin file --opt path="$T/backing" --opt offset=1M --opt size=16M
same "size" "$(size_of "$dev")" $((16 << 20))
fio_verify "$dev"
stop
same "bytes before the part" "$(head -c 1048576 "$T/backing" | tr -d x | wc -c)" 0
same "bytes after the part" "$(tail -c +$((17 * 1048576 + 1)) "$T/backing" | tr -d x | wc -c)" 0

truncate -s 32M "$T/disk"
loop=$(losetup --find --show "$T/disk")
for direct in off on; do
	serve --plugin file --opt path="$loop" --opt direct=$direct
	same "size" "$(size_of "$dev")" $((32 << 20))
	fio_verify "$dev"
	stop
done
losetup -d "$loop"

# create makes the file, and a second start takes it as it is.
serve --plugin file --opt path="$T/new" --opt size=8M --opt create=true
random_file "$T/data" 4096
write_at "$dev" 0 4096 "$T/data"
stop
same "size of a created file" "$(stat -c %s "$T/new")" $((8 << 20))
serve --plugin file --opt path="$T/new" --opt size=8M --opt create=true
same "data after a restart" "$(read_at "$dev" 0 4096 | sum)" "$(sum <"$T/data")"
stop
