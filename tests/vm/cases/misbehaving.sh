# SPDX-License-Identifier: MIT
# limit: 240
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb|lost async page write|unable to read partition
# A plugin that breaks the contract gets a clear line and an I/O error; the host does not crash, does
# not hang, goes on serving, and ends in good order.
. "$UBLK_TEST_LIB"
need_tool fio
need_plugin bad

# what the host says of each way to be wrong; a regular expression of one line of its log
declare -A says=(
	[double]='completed twice' [double-late]='completed twice' [double-remote]='completed twice'
	[never]='held it for more than 1 s' [late]='held it for more than 1 s'
	[short]='completed with .*short' [long]='completed with' [baderr]='completed with'
	[positive]='submit returned 7' [foreign]="not the queue's" [thread]="thread that is not the queue's"
	[refuse]='submit completed an io and then returned' [uncommitted]='without sqe_commit'
	[badmap]='map returned 99 extents' [stuck-call]='held it for more than 1 s'
)

misbehave() { # HOW: in a folder of its own, so that several can at a time
	local how=$1 every=100 good=0 status=0 i
	mkdir "$T/$how"
	T=$T/$how
	# those two are about discards and zeroes, which are sent one by one
	[[ $how != badmap && $how != stuck-call ]] || every=5
	serve --plugin "$plugins/bad.so" --opt how="$how" --opt every=$every --opt size=16M \
		--io-timeout 1 --queues 1
	# reads and writes that may fail, but must come back; fio goes on after errors
	((every == 5)) || timeout --kill-after=5 100 fio --name=bad --filename="$dev" --rw=randrw --bs=4k --size=4M \
		--ioengine=libaio --direct=1 --iodepth=4 --continue_on_error=all --output="$T/fio.out" \
		>/dev/null 2>&1 || true
	if [[ $how == badmap ]]; then
		for i in {0..9}; do blkdiscard -f -o $((i * 65536)) -l 65536 "$dev" 2>/dev/null || true; done
	elif [[ $how == stuck-call ]]; then
		for i in {0..9}; do
			timeout 20 blkdiscard -f -z -o $((i * 65536)) -l 65536 "$dev" 2>/dev/null || true
		done
	fi
	matches "$log" "${says[$how]}"
	at_most "lines of the log with how=$how" "$(wc -l <"$log")" 200
	# most requests are served all the same
	for i in {1..10}; do
		! timeout 10 dd if="$dev" of=/dev/null bs=4k count=1 skip="$i" iflag=direct status=none 2>/dev/null ||
			good=$((good + 1))
	done
	at_least "reads of 10 that are served with how=$how" "$good" 6
	kill -TERM "$pid"
	wait_for 30 eval "! kill -0 $pid"
	wait "$pid" || status=$?
	# 1: a call was still in the plugin when the device stopped
	((status <= 1)) || fail "how=$how: the server ended with $status: $(tail -n 5 "$log")"
	matches "$log" 'broke the contract [0-9]+ times'
}

running=0
finish_one() {
	wait -n || fail "see above"
	running=$((running - 1))
}
for how in "${!says[@]}"; do
	misbehave "$how" &
	((++running < 4)) || finish_one
done
while ((running)); do
	finish_one
done
nothing_served
