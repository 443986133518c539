# SPDX-License-Identifier: MIT
# limit: 120
# A server at work for a while holds what it held at first: descriptors, threads, memory.
. "$UBLK_TEST_LIB"
need_tool fio

random_load() {
	fio --name=load --filename="$dev" --rw=randrw --bs=4k --size=8M --io_size=24M --direct=1 \
		--ioengine=libaio --iodepth=32 --numjobs=2 --group_reporting >"$T/fio" 2>&1 || fail "$(cat "$T/fio")"
}
# io_uring's own workers come and go.
threads() { cat "/proc/$pid/task"/*/comm | grep -vc '^iou-'; }
counts() { echo "$(entries "/proc/$pid/fd") fds, $(threads) threads"; }

truncate -s 64M "$T/backing"
for backend in "mem --opt size=64M" "file --opt path=$T/backing"; do
	# shellcheck disable=SC2086 # words
	serve --plugin $backend
	random_load
	before=$(counts) rss=$(rss_kib "$pid")
	for _ in 1 2 3; do
		random_load
	done
	same "what a server holds" "$(counts)" "$before"
	at_most "growth of a server's memory (KiB)" $(($(rss_kib "$pid") - rss)) 2048
	stop
done
