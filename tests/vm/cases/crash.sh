# SPDX-License-Identifier: MIT
# limit: 900
# The server is killed at random moments, again and again, under I/O that verifies itself: fio on a file,
# and a mounted ext4 with a checksummed tree on mem. No request fails, nothing is lost or torn.
. "$UBLK_TEST_LIB"
need_tool fio mkfs.ext4
need_module ext4

rounds=200
emulated && rounds=30
[[ ! ${UBLK_TEST_ROUNDS:-} ]] || rounds=$UBLK_TEST_ROUNDS

truncate -s 64M "$T/backing"
up --plugin file --opt path="$T/backing" --name disk
disk=$dev
# Deep enough never to be full: Linux 6.12 does not see a server end that had all of a queue's requests.
up --plugin mem --opt size=96M --name ram --queues 2 --depth 1024
ram=$dev
make_fs ext4 "$ram"
mkdir "$T/mnt"
mount "$ram" "$T/mnt"
write_tree "$T/mnt"

# Writes of mixed sizes, read back and compared, over and over until the last kill is over.
fio --name=disk --filename="$disk" --rw=randwrite --bsrange=4k-64k --size=16M --ioengine=libaio \
	--direct=1 --iodepth=16 --verify=crc32c --verify_fatal=1 --do_verify=1 --loops=1000000 \
	--output="$T/fio.out" >"$T/fio.err" 2>&1 &
fio=$!
(
	set +e
	i=0
	while [[ ! -e $T/stop ]]; do
		i=$((i + 1))
		cp -r "$T/mnt/tree" "$T/mnt/copy" && sync -f "$T/mnt" &&
			diff -r "$T/mnt/tree" "$T/mnt/copy" && rm -r "$T/mnt/copy" || exit 1
		echo $i >"$T/copies"
	done
) >"$T/tree.out" 2>&1 &
tree=$!

# Outage: from the kill until a request that came meanwhile is served.
worst=0 total=0
for ((i = 0; i < rounds; i++)); do
	name=disk node=$disk
	((i % 2)) || { name=ram node=$ram; }
	server=$(server_pid $name)
	sleep "0.0$((RANDOM % 90 + 10))"
	kill -0 $fio 2>/dev/null || fail "fio ended: $(tail -n 5 "$T/fio.err" "$T/fio.out")"
	kill -0 $tree 2>/dev/null || fail "the tree: $(cat "$T/tree.out")"
	began=$(now_ms)
	kill -9 "$server"
	timeout --kill-after=5 30 ublk-host recover $name >"$T/recover.out" 2>&1 ||
		fail "round $i: recover $name: status $?: $(cat "$T/recover.out")"
	timeout 20 dd if="$node" of=/dev/null bs=4k count=1 iflag=direct status=none ||
		fail "round $i: a read of $name after its recovery failed"
	outage=$(($(now_ms) - began))
	total=$((total + outage))
	((outage <= worst)) || worst=$outage
done
note "$rounds kills: outage $((total / rounds)) ms on average, $worst ms at worst; $(cat "$T/copies") copies of the tree"

# fio compares what it writes at the end of each loop: it is stopped between requests.
touch "$T/stop"
kill -INT $fio
wait $fio || [[ $? == 128 ]] || fail "fio: $(tail -n 15 "$T/fio.err" "$T/fio.out")"
not_matches "$T/fio.out" 'verify: bad|err= *[1-9]'
wait $tree || fail "the tree: $(cat "$T/tree.out")"
at_least "copies of the tree" "$(cat "$T/copies")" 2
verify_tree "$T/mnt"
umount "$T/mnt"
fsck.ext4 -fn "$ram" >"$T/fsck" 2>&1 || fail "fsck: $(cat "$T/fsck")"
down --all
nothing_served
