# SPDX-License-Identifier: MIT
# limit: 150
# fsync and FUA writes reach a call plugin as such; and through file, the device or filesystem below.
. "$UBLK_TEST_LIB"
need_plugin callmem
need_plugin good-map

count() { grep -c "$1" "$T/calls" || true; } # WORD
dsync() { dd if=/dev/zero of="$dev" bs=4k count=1 seek="$1" oflag=direct,dsync conv=notrunc status=none; }

: >"$T/calls"
serve --plugin "$plugins/callmem.so" --opt size=64M --opt log="$T/calls"
same "write cache" "$(attr "$dev" write_cache)" "write back"
same "FUA offered" "$(attr "$dev" fua)" 1
dd if=/dev/zero of="$dev" bs=4k count=1 oflag=direct conv=notrunc,fsync status=none
at_least "flushes after fsync" "$(count flush)" 1
n=$(count 'fua')
dsync 5
at_least "FUA writes" "$(count 'fua')" $((n + 1))
stop

# A plugin without FUA: the host flushes after the write.
: >"$T/calls"
serve --plugin "$plugins/callmem.so" --opt size=64M --opt log="$T/calls" --opt fua=false
n=$(count flush)
dsync 5
at_least "flushes for an FUA write" "$(count flush)" $((n + 1))
stop

# Bytes in memory, which only the plugin's flush() makes stable: the kernel sends that after the write.
serve --plugin "$plugins/good-map.so" --opt size=8M --opt path="$T/kept"
same "write cache of memory" "$(attr "$dev" write_cache)" "write back"
same "FUA offered for memory" "$(attr "$dev" fua)" 0
random_file data 4096
dd if=data of="$dev" bs=4k seek=5 oflag=direct,dsync conv=notrunc,nocreat status=none
cmp -n 4096 -i 0:20480 data "$T/kept" || fail "a stable write to memory is not in the file behind it"
stop

# file on a block device that tells of its flushes.
: >"$T/calls"
serve --plugin "$plugins/callmem.so" --opt size=64M --opt log="$T/calls"
below=$pid lower=$dev
serve --plugin file --opt path="$lower"
dd if=/dev/zero of="$dev" bs=4k count=1 oflag=direct conv=notrunc status=none
n=$(count 'flush\|fua')
sync "$dev"
dd if=/dev/zero of="$dev" bs=4k count=1 seek=1 oflag=direct conv=notrunc,fsync status=none
at_least "flushes below a block device" "$(count 'flush\|fua')" $((n + 1))
n=$(count 'flush\|fua')
dsync 7
at_least "stable writes below a block device" "$(count 'flush\|fua')" $((n + 1))
stop

# file on a filesystem on that device.
need_module ext4
mkfs.ext4 -q -F "$lower"
mkdir "$T/mnt"
mount "$lower" "$T/mnt"
truncate -s 16M "$T/mnt/backing"
serve --plugin file --opt path="$T/mnt/backing"
n=$(count 'flush\|fua')
dd if=/dev/urandom of="$dev" bs=4k count=4 oflag=direct conv=notrunc,fsync status=none
at_least "flushes below a filesystem" "$(count 'flush\|fua')" $((n + 1))
n=$(count 'flush\|fua')
dsync 9
at_least "stable writes below a filesystem" "$(count 'flush\|fua')" $((n + 1))
stop
umount "$T/mnt"
stop "$below"
