# SPDX-License-Identifier: MIT
# limit: 180
# xfs on mem and on file: a tree of files with checksums survives an unmount, fstrim and a restart of
# the server; the checker finds nothing.
. "$UBLK_TEST_LIB"
need_tool mkfs.xfs xfs_repair
need_module xfs

mkdir "$T/mnt"
check_fs() { xfs_repair -n "$dev" >"$T/fsck" 2>&1 || fail "$(cat "$T/fsck")"; }

serve --plugin mem --opt size=320M
make_fs xfs "$dev"
mount "$dev" "$T/mnt"
write_tree "$T/mnt"
umount "$T/mnt"
check_fs
mount "$dev" "$T/mnt"
verify_tree "$T/mnt"
rm -r "$T/mnt/tree/d1"
fstrim "$T/mnt"
umount "$T/mnt"
check_fs
stop

truncate -s 320M "$T/backing"
serve --plugin file --opt path="$T/backing"
make_fs xfs "$dev"
mount "$dev" "$T/mnt"
write_tree "$T/mnt"
umount "$T/mnt"
stop
serve --plugin file --opt path="$T/backing"
check_fs
mount "$dev" "$T/mnt"
verify_tree "$T/mnt"
fstrim "$T/mnt"
verify_tree "$T/mnt"
umount "$T/mnt"
check_fs
stop
