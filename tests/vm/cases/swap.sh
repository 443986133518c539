# SPDX-License-Identifier: MIT
# limit: 240
# Swap on a device whose server is swap-safe: every thread of it is marked, its memory is locked, and a program
# that is larger than the memory it may have goes through the device, again and again, with its data right.
. "$UBLK_TEST_LIB"
need_tool mkswap perl
[[ -e /proc/swaps ]] || skip "this kernel has no swap"
off() {
	[[ ! -b ${dev:-} ]] || swapoff "$dev" 2>/dev/null || :
	[[ ! -d $T/cgroup/hog ]] || rmdir "$T/cgroup/hog" || :
	umount "$T/cgroup" 2>/dev/null || :
}
trap off EXIT
mkdir "$T/cgroup"
mount -t cgroup2 none "$T/cgroup" 2>/dev/null || skip "this kernel has no cgroup2"
echo +memory >"$T/cgroup/cgroup.subtree_control" 2>/dev/null || skip "this kernel has no memory control groups"

status_of() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; } # PID KEY

# Its file has all of its space, in memory that is not to be swapped itself.
store() {
	need_module brd rd_nr=1 rd_size=163840
	head -c 157286400 /dev/zero | tr '\0' '\1' | dd of=/dev/ram0 bs=1M iflag=fullblock status=none
	echo /dev/ram0
}
backing=$(store)
[[ -b $backing ]] || skip "this kernel has no brd"
up --plugin file --opt path="$backing" --swap-safe --name swap
pid=$(server_pid swap)

same "the killer's interest in it" "$(cat "/proc/$pid/oom_score_adj")" -1000
at_least "locked memory, KiB" "$(status_of "$pid" VmLck)" "$(($(status_of "$pid" VmExe) + $(status_of "$pid" VmLib)))"
flushers() { # all threads have PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE
	local t flags
	for t in "/proc/$pid"/task/*; do
		flags=$(sed 's/.*) //' "$t/stat" 2>/dev/null | cut -d ' ' -f 7) || continue
		[[ ! $flags ]] || (((flags & 0x180000) == 0x180000)) ||
			fail "thread $(cat "$t/comm") would wait for memory: flags $(printf %x "$flags")"
	done
}
flushers

mkswap "$dev" >"$T/mkswap" 2>&1 || fail "mkswap: $(cat "$T/mkswap")"
swapon "$dev" 2>"$T/swapon" || fail "swapon: $(cat "$T/swapon")"
expect_fail 1 'used as swap' ublk-host down swap

mkdir "$T/cgroup/hog"
echo 40M >"$T/cgroup/hog/memory.max"
# 96 blocks of a MiB, each a pattern of its own; three times through all of them.
(
	echo $BASHPID >"$T/cgroup/hog/cgroup.procs"
	exec perl -e '
		my @blocks = map { pack("N", $_) x 262144 } 1 .. 96;
		for my $round (1 .. 3) {
			for my $n (1 .. 96) {
				$blocks[$n - 1] eq pack("N", $n * $round) x 262144 or die "block $n, round $round\n";
				$blocks[$n - 1] = pack("N", $n * ($round + 1)) x 262144;
			}
		}'
) >"$T/hog" 2>&1 &
hog=$!
peak=0
end=$((SECONDS + 150))
while kill -0 $hog 2>/dev/null; do
	used=$(awk -v dev="$dev" '$1 == dev { print $4 }' /proc/swaps)
	((used <= peak)) || peak=$used
	flushers
	((SECONDS < end)) || fail "the program is not done after 150 s; swap: $(cat /proc/swaps)"
	sleep 0.2
done
wait $hog || fail "the program's data: status $?: $(cat "$T/hog")"
note "swap in use at most: $peak KiB; $(ublk-host stats swap | head -n 5 | tr '\n' ';')"
at_least "swap in use at most, KiB" "$peak" 40960
swapoff "$dev" || fail "swapoff: $?"
down swap
