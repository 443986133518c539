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

load_begin "$disk" "$T/mnt"

# How long nobody serves is what a reader of the device notices of it.
stalls_begin "$disk"
stalls_begin "$ram"
for ((i = 0; i < rounds; i++)); do
	name=disk node=$disk
	((i % 2)) || { name=ram node=$ram; }
	server=$(server_pid $name)
	sleep "0.0$((RANDOM % 90 + 10))"
	load_goes_on
	kill -9 "$server"
	timeout --kill-after=5 30 ublk-host recover $name >"$T/recover.out" 2>&1 ||
		fail "round $i: recover $name: status $?: $(cat "$T/recover.out")"
	timeout 20 dd if="$node" of=/dev/null bs=4k count=1 iflag=direct status=none ||
		fail "round $i: a read of $name after its recovery failed"
done
stalls_end "$rounds kills, under load ($(cat "$T/copies") copies of the tree)" "$rounds"

load_end "$ram"
down --all
nothing_served
