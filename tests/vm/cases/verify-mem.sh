# SPDX-License-Identifier: MIT
# limit: 120
# mem under fio with verification: one queue and several, small and large requests, huge pages.
. "$UBLK_TEST_LIB"

serve --plugin mem --opt size=64M
fio_verify "$dev"
fio_verify "$dev" --bsrange=256k-1M --size=32M
stop

serve --plugin mem --opt size=64M --queues 1 --depth 1 --cpus none
fio_verify "$dev" --bs=4k --size=2M
stop

serve --plugin mem --opt size=64M --opt huge=always --queues 4 --depth 64 --max-io 64K
same "largest request" "$(attr "$dev" max_hw_sectors_kb)" 64
fio_verify "$dev" --numjobs=2 --size=8M --offset_increment=16M
stop
