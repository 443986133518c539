# SPDX-License-Identifier: MIT
# limit: 240
# What a server keeps of root's rights, on every thread; what a plugin is refused, and that the device
# goes on; what the server sees of mounts, and what it holds.
. "$UBLK_TEST_LIB"
switch=/proc/sys/kernel/io_uring_disabled
trap '[[ ! -e $switch ]] || echo 0 >$switch' EXIT
need_plugin outlaw
need_plugin licensed

kept=0000000000004000 # CAP_IPC_LOCK

field() { # STATUS-FILE NAME
	awk -v name="$2:" '$1 == name { print $2 }' "$1"
}

# Every thread, but the kernel's own that work for rings: those act with the rights of who asked.
threads_confined() { # PID
	local t n=0
	for t in /proc/"$1"/task/*/status; do
		[[ -e $t && $(field "$t" Name) != iou-* ]] || continue
		n=$((n + 1))
		for name in CapPrm CapEff CapBnd; do
			same "$name of $t ($(field "$t" Name))" "$(field "$t" $name)" $kept
		done
		same "CapInh of $t" "$(field "$t" CapInh)" 0000000000000000
		same "CapAmb of $t" "$(field "$t" CapAmb)" 0000000000000000
		same "NoNewPrivs of $t" "$(field "$t" NoNewPrivs)" 1
		[[ $has_seccomp == no ]] || same "Seccomp of $t" "$(field "$t" Seccomp)" 2
	done
	at_least "threads that were looked at" $n 3
	grep -qx ublk-q0 /proc/"$1"/task/*/comm || fail "no thread has a queue's name"
}

refused() { # WHAT...: EPERM, or EACCES of Landlock or by the owner's bits, or a file that is not to be seen
	try "$@"
	[[ $answer == 1 || $answer == 13 || $answer == 2 ]] || fail "a plugin could: $* (errno $answer)"
}

allowed() { # WHAT...
	try "$@"
	same "errno of $*" "$answer" 0
}

mounts_of() { awk '{ print $5 }' "/proc/$1/mountinfo" | sort; }

has_seccomp=yes
ublk-host features | grep -E 'filter of system calls +yes' >/dev/null || has_seccomp=no
has_landlock=no
! grep -qw landlock /sys/kernel/security/lsm 2>/dev/null || has_landlock=yes
mount -t securityfs none /sys/kernel/security 2>/dev/null && {
	! grep -qw landlock /sys/kernel/security/lsm || has_landlock=yes
	umount /sys/kernel/security
}
note "seccomp: $has_seccomp, Landlock: $has_landlock"

# -- each kind of thread: the host's worker, the plugin's own of before and after the rights went
for from in worker open start; do
	serve --plugin "$plugins/outlaw.so" --opt from=$from --queues 2 --verbose
	allowed nothing
	not_matches "$log" 'udev is not told'
	threads_confined "$pid"
	if [[ $has_seccomp == yes ]]; then
		for what in exec fork ptrace ring mount unshare mknod setuid tcp "signal 1" "write $T/x"; do
			refused "$what"
		done
	fi
	# Threads of start() and later see next to no files.
	[[ $from == open ]] || refused read /etc/passwd
	[[ $from == open ]] || refused ring-read /etc/passwd
	if [[ $has_landlock == yes && $from != open ]]; then
		allowed read /dev/zero
		for file in /dev/kmsg /dev/vda "$dev"; do
			refused read "$file"
			refused ring-read "$file"
		done
	fi
	[[ ! -e /run/outlaw && ! -e $T/x ]] || fail "a file was made"
	allowed nothing
	fio_verify "$dev" --size=512k --offset=64k
	stop
done

# -- where rings are for who has CAP_SYS_ADMIN, it is there when they are made
if [[ -e $switch ]]; then
	echo 1 >$switch
	serve --plugin "$plugins/outlaw.so" --queues 2
	allowed nothing
	threads_confined "$pid"
	stop
	echo 0 >$switch
fi

# -- a thread that cannot be asked is told of
serve --plugin "$plugins/outlaw.so" --opt from=deaf
matches "$log" '1 thread of the plugin.s keeps rights that serving does not need'
allowed nothing
refused exec
stop

# -- declared, so given; and no more than that
serve --plugin "$plugins/licensed.so"
allowed exec
allowed tcp
allowed read /etc/passwd
allowed ring-read /etc/passwd
refused mount
refused ptrace
threads_confined "$pid"
stop

# -- switched off
serve --plugin "$plugins/outlaw.so" --sandbox off --verbose
allowed exec
allowed read /etc/passwd
allowed ring-read /etc/passwd
allowed ring
allowed tcp
same "mount namespace" "$(readlink "/proc/$pid/ns/mnt")" "$(readlink /proc/self/ns/mnt)"
matches "$log" 'sandbox off'
stop

# -- mounts: neither what was there is held, nor what comes is seen
need_tool mkfs.ext4 perl
need_module ext4
up --plugin mem --opt size=64M --name below
below=$dev
make_fs ext4 "$below"
mkdir shared
mount --bind shared shared
mount --make-shared shared # as systemd makes the root of most machines
mkdir shared/m1 m2
ln -s shared/m1 m1
mount "$below" m1
truncate -s 32M m1/img
for how in mem licensed; do
	case $how in
	mem) serve --plugin mem --opt size=64M ;;
	licensed) serve --plugin "$plugins/licensed.so" ;;
	esac
	[[ $(readlink "/proc/$pid/ns/mnt") != "$(readlink /proc/self/ns/mnt)" ]] || fail "one namespace for all"
	if [[ $how == mem ]]; then
		make_fs ext4 "$dev"
		mount "$dev" m2
		! mounts_of "$pid" | grep -Eq "$T/(shared|m2)" || fail "the server sees a mount: $(mounts_of "$pid")"
		write_tree m2
		verify_tree m2
		umount m2
	fi
	umount m1
	# Nobody has it any more: it can be opened for itself alone.
	perl -MFcntl -e 'sysopen(my $f, shift, O_RDWR | O_EXCL) or die "$!"' "$below" ||
		fail "a server of $how holds what was mounted before it"
	mount "$below" m1
	stop
done

# -- a backing file that is in use keeps its filesystem, as ever
serve --plugin file --opt path="$T/m1/img"
! umount m1 2>/dev/null || fail "the filesystem of a backing file was unmounted"
stop
umount m1
umount shared
down below

# -- killed while its device is mounted: its end waits for nobody, and nothing is left
serve --plugin mem --opt size=64M
make_fs ext4 "$dev"
mount "$dev" m2
umount m2
kill -KILL "$pid"
wait "$pid" || true
down "$id"
nothing_served
