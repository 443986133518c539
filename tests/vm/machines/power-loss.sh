#!/bin/bash
# SPDX-License-Identifier: MIT
# power-loss.sh KERNEL SHARE BUILD: a machine loses its power while devices are written, again and again: its
# virtual machine is killed, in every second round shortly after its servers were. What a flush or FUA has
# acknowledged by then is on the machine's disks. A plugin whose flush is a lie is found out.
#
# Two devices at a time: a file on ext4, and a disk; with direct I/O and through the page cache. What the
# guest's kernel has not written is lost with it; what it wrote to its disks is in their images.
# Called by run, as its cases are: exit status 77 skips. UBLK_TEST_ROUNDS, UBLK_TEST_SEED change a run.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "$0")/.." && pwd)
kernel=$1 share=$2 build=$3
work=$share/power-loss
rounds=10
[[ $kernel != uml:* ]] || rounds=20
rounds=${UBLK_TEST_ROUNDS:-$rounds}
RANDOM=${UBLK_TEST_SEED:-$RANDOM}
seed=$RANDOM

fail() {
	echo "FAIL: $*"
	exit 1
}

skip() {
	echo "skip: $*"
	exit 77
}

for tool in mkfs.ext4 e2fsck debugfs; do
	command -v $tool >/dev/null || skip "no $tool on this machine"
done
[[ -x $build/tests/vm/ledger ]] || skip "tests/vm/ledger was not built"

rm -rf "$work"
mkdir -p "$work/empty"
cp -r "$share/lib.sh" "$share/plugins" "$share/prefix" "$work/"
cp "$build/tests/vm/ledger" "$work/"
ln "$share/stage.tar" "$work/stage.tar"
cat >"$work/guest.sh" <<'END'
echo "guest: begins"
prefix=$(cat prefix)
mount -t tmpfs tmpfs "$prefix" && tar -C "$prefix" -xf stage.tar
mkdir /run/plugins /run/case /tmp/fs
cp plugins/* /run/plugins && chown -R 0:0 /run/plugins && chmod -R go-w /run/plugins
export PATH=$prefix/bin:$PATH UBLK_TEST_PLUGINS=/run/plugins UBLK_TEST_SPEED=emulated T=/run/case
. ./lib.sh
. ./round
for disk in /dev/vd /dev/ubd; do
	[[ $disk == /dev/ubd ]] || (need_module virtio_blk) || continue
	[[ ! -b ${disk}b ]] || break
done
need_module ext4
mount -t ext4 ${disk}a /tmp/fs
if [[ $lie ]]; then
	up --plugin /run/plugins/liar.so --opt path=/tmp/fs/backing --name onfile
else
	up --plugin file --opt path=${disk}b --opt direct="$direct" --name ondisk
	./ledger write "$dev" ondisk "$seed" &
	up --plugin file --opt path=/tmp/fs/backing --opt direct="$direct" --name onfile
fi
./ledger write "$dev" onfile "$seed" &
if [[ $server_dies ]]; then
	sleep "$server_dies"
	servers="$(server_pid onfile) $([[ $lie ]] || server_pid ondisk)"
	kill -KILL $servers
	echo "guest: killed the servers"
	ublk-host recover --all && echo "guest: recovered"
fi
wait
END

descendants() { # PID
	local child
	# shellcheck disable=SC2013 # numbers
	for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
		echo "$child"
		descendants "$child"
	done
}

# The machine itself, not what runs it here: that would get the chance to end in good order.
kill_machine() { # PID of boot
	local pid found=
	for pid in $(descendants "$1"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		qemu-system* | linux | vmlinux | uml*) kill -KILL "$pid" 2>/dev/null && found=1 ;;
		esac
	done
	[[ $found ]] || fail "round $round: there is no machine to kill: $(tail -n 3 "$work/console")"
}

any_ms() { # FROM TO: seconds, as sleep takes them
	local ms=$(($1 + (RANDOM * 32768 + RANDOM) % ($2 - $1)))
	printf '%d.%03d' $((ms / 1000)) $((ms % 1000))
}

# Status 1: its kernel died in its own boot, as emulated ones at times do.
start_machine() { # sets boot
	local end=$((SECONDS + 120))
	rm -f "$work"/disk[12].img
	truncate -s 16M "$work/empty/backing"
	truncate -s 48M "$work/disk1.img"
	truncate -s 16M "$work/disk2.img"
	mkfs.ext4 -q -F -d "$work/empty" "$work/disk1.img" >"$work/mkfs" 2>&1 || fail "mkfs.ext4: $(cat "$work/mkfs")"
	: >"$work/console" # the last machine's acknowledgements are not this one's
	UBLK_VM_DISKS="$work/disk1.img $work/disk2.img" "$here/boot" "$kernel" "$work" 180 >"$work/console" 2>&1 &
	boot=$!
	until grep -q '^ack onfile' "$work/console"; do
		if ! kill -0 $boot 2>/dev/null; then
			grep -q '^guest: begins' "$work/console" || return 1
			fail "round $round: the machine ended: $(tail -n 5 "$work/console")"
		fi
		((SECONDS < end)) || fail "round $round: nothing is written after 120 s: $(tail -n 5 "$work/console")"
		sleep 0.1
	done
}

run_machine() { # until its power goes
	local boot try
	for try in 1 2 3; do
		! start_machine || break
		echo "# round $round: this kernel died in its own boot, $try times: $(tail -n 1 "$work/console")"
		((try < 3)) || fail "round $round: the machine does not boot: $(tail -n 5 "$work/console")"
	done
	sleep "$(any_ms 300 2500)"
	kill_machine "$boot"
	wait "$boot" || true
}

promises() { grep -c "^ack $1 " "$work/console" || true; }

check() { # NAME FILE: status 0: all that was promised is there
	"$work/ledger" check "$2" "$1" "$seed" <"$work/console" >"$work/check" && status=0 || status=$?
	sed "s/^/# round $round, seed $seed: /" "$work/check"
	((status < 2)) || fail "round $round: ledger check ended with $status"
	return "$status"
}

check_file() {
	# What a mount does after a loss of power.
	e2fsck -fy "$work/disk1.img" >"$work/e2fsck" 2>&1 || (($? < 4)) || fail "round $round: e2fsck: $(cat "$work/e2fsck")"
	rm -f "$work/backing"
	debugfs -R "dump /backing $work/backing" "$work/disk1.img" >"$work/debugfs" 2>&1
	check onfile "$work/backing"
}

echo "# UBLK_TEST_SEED=$seed"
enough=0
for ((round = 1; round <= rounds; round++)); do
	seed=$((RANDOM + 1))
	direct=$( ((round / 2 % 2)) && echo on || echo off)
	server_dies=$( ((round % 2)) || any_ms 100 1500)
	printf 'seed=%s\ndirect=%s\nserver_dies=%s\nlie=\n' "$seed" "$direct" "$server_dies" >"$work/round"
	run_machine
	check_file || fail "round $round, seed $seed: the file lost what was promised"
	check ondisk "$work/disk2.img" || fail "round $round, seed $seed: the disk lost what was promised"
	(($(promises onfile) < 5 || $(promises ondisk) < 5)) || enough=$((enough + 1))
done
((enough * 2 > rounds)) || fail "in $((rounds - enough)) of $rounds rounds too little was written to tell anything"

round=lie
printf 'seed=%s\ndirect=off\nserver_dies=\nlie=1\n' "$seed" >"$work/round"
for try in 1 2 3; do # the guest may have written it back by itself, where little was written
	run_machine
	check_file || break
	((try < 3)) || fail "a flush that is a lie was not noticed, $try times"
done
echo "# $rounds rounds; a flush that is a lie is found out"
rm -rf "$work"
