# SPDX-License-Identifier: MIT
# limit: 150
# dmesg-ok: I/O error, dev ublkb
# Several threads for one queue: each has some of the requests, what they write is what is read, and they
# stop in mid-flight. What they make of one busy queue is told, not judged: that takes a processor for
# each of them and one for the program.
. "$UBLK_TEST_LIB"
need_tool fio

if ! kernel_has per_io_daemon; then
	serve --plugin mem --opt size=8M --queues 1 --threads-per-queue 2
	matches "$log" 'PER_IO_DAEMON'
	fio_verify "$dev" --size=1M
	stop
	note "this kernel has no per_io_daemon, and one thread serves the queue"
	exit 0
fi

turns=6 runtime=700ms
emulated && turns=2

requests() { # NAME: of each queue of the plugin's, a line each
	ublk-host stats "$1" --queues | awk '$1 ~ /^[0-9]+$/ { n[$1] += $3 } END { for (q in n) print n[q] }'
}
all_work() { # NAME THREADS: each has served some
	local n count=0
	for n in $(requests "$1"); do
		count=$((count + (n > 0)))
	done
	((count == $2))
}
all_tags() { # NODE: so many requests at a time that each thread's tags are among them
	fio --name=all --filename="$1" --rw=randread --bs=4k --size=4M --number_ios=512 --direct=1 \
		--ioengine=libaio --iodepth=64 --iodepth_batch_submit=64 --iodepth_batch_complete_min=64 \
		--output="$T/fio" </dev/null >"$T/fio.err" 2>&1 || fail "fio: $(tail -n 5 "$T/fio.err" "$T/fio")"
}
iops() { # NODE
	fio --name=hot --filename="$1" --rw=randread --bs=4k --size=8M --direct=1 --ioengine=libaio \
		--iodepth=64 --iodepth_batch_submit=16 --iodepth_batch_complete_max=64 --time_based \
		--runtime=$runtime --ramp_time=100ms --cpus_allowed=0 --output="$T/fio" --output-format=json \
		</dev/null >"$T/fio.err" 2>&1 || fail "fio: $(tail -n 5 "$T/fio.err" "$T/fio")"
	awk '$1 == "\"iops\"" { print int($3); exit }' "$T/fio"
}

truncate -s 24M "$T/backing"
for backend in "mem --opt size=24M" "file --opt path=$T/backing"; do
	# shellcheck disable=SC2086 # words
	up --plugin $backend --queues 1 --depth 64 --threads-per-queue 3 --name shared
	fio_verify "$dev" --iodepth=48 --size=4M
	all_tags "$dev"
	all_work shared 3 || fail "not all threads have work: $(ublk-host stats shared --queues)"
	down shared
done

# Stopped while there is plenty in flight.
serve --plugin mem --opt size=24M --queues 1 --depth 64 --threads-per-queue 2 --name flying
timeout 60 fio --name=load --filename="$dev" --rw=randrw --bs=4k --size=4M --time_based --runtime=50 \
	--ioengine=libaio --direct=1 --iodepth=64 --allow_file_create=0 --output=/dev/null >/dev/null 2>&1 &
fio=$!
wait_for 30 all_work flying 2
stop
wait $fio || true

# One queue that is as busy as one program can make it, on the same path for both.
for backend in "null --opt size=8M" "mem --opt size=8M"; do
	# shellcheck disable=SC2086
	serve --plugin $backend --queues 1 --depth 128 --cpus none --data-path user-copy --name one
	one=$pid one_dev=$dev a=0 b=0
	# shellcheck disable=SC2086
	serve --plugin $backend --queues 1 --depth 128 --cpus none --data-path user-copy --threads-per-queue 2 --name two
	for ((i = 0; i < turns; i++)); do
		n=$(iops "$one_dev") && ((n <= a)) || a=$n
		n=$(iops "$dev") && ((n <= b)) || b=$n
	done
	note "${backend%% *}: $a reads/s by one thread, $b by two: $((b * 100 / a)) %"
	all_work two 2 || fail "not all threads have work: $(ublk-host stats two --queues)"
	stop
	stop "$one"
done
nothing_served
