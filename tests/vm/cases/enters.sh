# SPDX-License-Identifier: MIT
# limit: 120
# 4 KiB random reads on null, one queue, depth 64: a system call serves a batch, not a request.
. "$UBLK_TEST_LIB"
need_tool fio

reads=20000
load() {
	fio --name=load --filename="$dev" --rw=randread --bs=4k --size=1G --number_ios=$reads --direct=1 \
		--ioengine=libaio --iodepth=64 --iodepth_batch_complete_max=64 --iodepth_batch_submit=16 \
		--output="$T/fio" </dev/null || fail "$(cat "$T/fio")"
}

emulated && reads=6000
serve --plugin null --queues 1 --depth 64
tracing=/sys/kernel/tracing
mountpoint -q $tracing || mount -t tracefs tracefs $tracing 2>/dev/null || true
event=$tracing/events/syscalls/sys_enter_io_uring_enter
if [[ -e $event/trigger ]] && echo 'hist:keys=common_pid.execname' >"$event/trigger" 2>/dev/null; then
	load
	cat "$event/hist" >"$T/hist"
	echo '!hist:keys=common_pid.execname' >"$event/trigger"
	enters=0
	for task in "/proc/$pid/task"/*; do
		n=$(sed -n "s/.*\[ *${task##*/}\].*hitcount: *\([0-9]*\).*/\1/p" "$T/hist")
		enters=$((enters + ${n:-0}))
	done
else
	need_tool strace
	strace -f -c -e trace=io_uring_enter -o "$T/strace" -p "$pid" 2>/dev/null &
	tracer=$!
	sleep 1
	load
	kill -INT $tracer
	wait $tracer || true
	enters=$(awk '$NF == "io_uring_enter" { print $4 }' "$T/strace")
	enters=${enters:-0}
fi
done_reads=$(awk '{ print $1 }' "/sys/block/${dev#/dev/}/stat")
note "$enters calls of io_uring_enter for $done_reads reads"
at_least "reads" "$done_reads" "$reads"
at_least "calls of io_uring_enter" "$enters" 1
at_most "calls of io_uring_enter per 1000 reads" $((enters * 1000 / done_reads)) 199
stop
umount $tracing 2>/dev/null || true
