# SPDX-License-Identifier: MIT
# limit: 240
# The async profile under fio with verification: own ring operations, completions from a foreign thread
# and inside submit(), each with and without refusals (EBUSY).
. "$UBLK_TEST_LIB"
need_plugin asyncmem

for mode in ring thread inline; do
	for busy in 0 3; do
		serve --plugin "$plugins/asyncmem.so" --opt size=64M --opt mode=$mode --opt busy_every=$busy
		fio_verify "$dev" --iodepth=32 --size=4M
		same "queued and never served" "$(tr -s " " <"/sys/block/${dev#/dev/}/inflight")" " 0 0"
		stop
	done
done
serve --plugin "$plugins/asyncmem.so" --opt size=64M --opt mode=ring --depth 2 --queues 1
fio_verify "$dev" --iodepth=64 --size=4M
stop
