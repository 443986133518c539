# SPDX-License-Identifier: MIT
# limit: 300
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb
# The example plugins: built with their own Makefile against the installed package, and served.
. "$UBLK_TEST_LIB"
need_tool make gcc g++ pkg-config

[[ -d $UBLK_TEST_EXAMPLE ]] || fail "no example plugins"
cp -r "$UBLK_TEST_EXAMPLE" "$T/example"
chown -R 0:0 "$T/example"
chmod -R go-w "$T/example"
cd "$T/example" || fail "no copy"
export PKG_CONFIG_PATH=$UBLK_TEST_PREFIX/lib/pkgconfig
make RUSTC=none CFLAGS="-O1 -Wall -Wextra -Wno-unused-parameter -Werror" >"$T/make.log" 2>&1 ||
	fail "make: $(tail -n 20 "$T/make.log")"
truncate -s 8M first.img second.img
truncate -s 16M ring.img
random_file data 65536

sample() { # NAME SIZE OPTION...: the sample device, served; all of it is written and read back
	local name=$1 size=$2
	shift 2
	serve --plugin-dir . --manifest "devices/$name.json" "$@"
	same "$name: name" "$(readlink -f "/run/ublk-host/by-name/$name-disk")" "$dev"
	same "$name: size" "$(size_of "$dev")" "$size"
	fio_verify "$dev" --size=16M
	write_at "$dev" $(((8 << 20) - 32768)) 65536 data
	read_at "$dev" $(((8 << 20) - 32768)) 65536 | cmp - data || fail "$name: other data comes back"
	note "$name: $(grep -o 'data path [a-z+-]*' "$log" | head -n 1)"
}

sample concat $((16 << 20))
stop
cmp <(tail -c 32768 first.img; head -c 32768 second.img) data || fail "concat: a write across the border is in the wrong place"

# Memory is given as it comes, on every data path that the kernel has.
for path in $(data_paths); do
	ublk-host up --plugin-dir . --manifest devices/heap.json --data-path "$path" >"$T/up" 2>"$T/up.err" || continue
	ublk-host down heap-disk
	note "heap: by $path"
	sample heap $((64 << 20)) --data-path "$path"
	blkdiscard -z -o $((8 << 20)) -l 65536 "$dev"
	read_at "$dev" $((8 << 20)) 65536 | cmp -n 65536 - /dev/zero || fail "heap: zeroed, and not zero"
	stop
done

sample ram $((64 << 20))
stop

sample ring $((16 << 20))
dd if=data of="$dev" bs=65536 conv=notrunc,fsync status=none
ublk-host stats ring-disk | tee "$T/stats" >&2
grep -Eq '^ *flush +[1-9]' "$T/stats" || fail "ring: no flush came"
stop
cmp -n 65536 ring.img data || fail "ring: the file has not what was written"
serve --plugin-dir . --manifest devices/ring.json --read-only
expect_fail 1 'Operation not permitted|Read-only' dd if=data of="$dev" bs=4096 count=1 oflag=direct status=none
read_at "$dev" 0 65536 | cmp - data || fail "ring, read only: other data comes back"
stop
truncate -s 32M ring.img
serve --plugin-dir . --manifest devices/ring.json
truncate -s 16M ring.img
expect_fail 1 'Input/output error' dd if="$dev" of=/dev/null bs=4096 skip=$((20 << 8)) count=1 iflag=direct status=none
stop

sample sparse $((64 << 20))
same "sparse: logical block" "$(attr "$dev" logical_block_size)" 4096
blkdiscard -o 0 -l $((32 << 20)) "$dev"
read_at "$dev" 0 $((16 << 20)) | cmp -n $((16 << 20)) - /dev/zero || fail "sparse: discarded, and not zero"
make_fs ext4 "$dev"
stop
nothing_served
