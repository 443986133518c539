# SPDX-License-Identifier: MIT
# limit: 150
# file with O_DIRECT on a real filesystem, with requests whose memory is not aligned to blocks.
. "$UBLK_TEST_LIB"
need_tool mkfs.ext4 losetup
need_module loop
need_module ext4

truncate -s 96M "$T/disk"
mkfs.ext4 -q -F -O ^has_journal "$T/disk"
mkdir "$T/mnt"
mount -o loop "$T/disk" "$T/mnt"
truncate -s 48M "$T/mnt/backing"
serve --plugin file --opt path="$T/mnt/backing" --opt direct=on
fio_verify "$dev"
fio_verify "$dev" --iomem_align=512 --bsrange=512-16k --size=4M --blockalign=512
stop
serve --plugin file --opt path="$T/mnt/backing" --opt direct=on --data-path copy
fio_verify "$dev"
stop
umount "$T/mnt"
