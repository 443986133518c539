# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set here is for the cases
# What the cases of the real-kernel suite share. A case is bash, sources this file as its first step,
# runs as root in the empty folder $T and ends with 0 (ok), 77 (skip) or anything else (failed).
# Heads that suite reads: "# limit: SECONDS" (60), "# dmesg-ok: REGEX" for expected kernel messages.
set -euo pipefail
trap 'echo "FAIL: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND (status $?)" >&2' ERR
set -o errtrace

plugins=$UBLK_TEST_PLUGINS # test plugins and tools, built in the tree and never installed
lib_devices=0

fail() { # MESSAGE
	echo "FAIL: $(caller_line): $*" >&2
	trap - ERR
	exit 1
}

skip() { # REASON
	echo "skip: $*" >&2
	trap - ERR
	exit 77
}

caller_line() { # the case's line that called into this file
	local i
	for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
		[[ ${BASH_SOURCE[i]} == */lib.sh ]] || break
	done
	echo "${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
}

note() { echo "# $*" >&2; }

emulated() { [[ $UBLK_TEST_SPEED == emulated ]]; }

need_tool() { # NAME...
	local t
	for t; do
		command -v "$t" >/dev/null || skip "no $t on this machine"
	done
}

need_plugin() { # NAME: a test plugin
	[[ -e $plugins/$1.so ]] || skip "test plugin $1 was not built"
}

need_module() { # NAME [PARAMETER...]: a module of the kernel, loaded (with its dependencies)
	local name=$1 file
	shift
	[[ -d /sys/module/$name ]] && return
	grep -qw "$name" /proc/filesystems && return
	if [[ -e /run/modules/others ]]; then
		# In a guest: the order of the list is that of the dependencies.
		while read -r file; do
			case $file in
			"$name.ko") insmod "/run/modules/$file" "$@" && return ;;
			virtio_blk.ko | null_blk.ko | nbd.ko | brd.ko | scsi_debug.ko | ext4.ko | xfs.ko | loop.ko) ;;
			*) insmod "/run/modules/$file" 2>/dev/null || true ;;
			esac
		done </run/modules/others
	elif modprobe "$name" "$@" 2>/dev/null; then
		return
	fi
	skip "this kernel has no $name"
}

kernel_has() { # NAME: a feature of the ublk driver, as `ublk-host features` names it
	# Not -q: that ends early, and a program that is writing still would fail by SIGPIPE.
	ublk-host features | grep -E "^ *$1 +yes" >/dev/null
}

data_paths() { # the names of all, a line each
	ublk-host features --json |
		sed -n '/"data_paths"/,/}/s/^ *"\([a-z+-]*\)": *"[^"]*",\?$/\1/p'
}

# -- waiting and comparing

wait_for() { # SECONDS COMMAND...: until it succeeds
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || fail "in vain waited for: $*"
		sleep 0.05
	done
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

same() { # WHAT GOT WANTED
	[[ $2 == "$3" ]] || fail "$1: got \"$2\", wanted \"$3\""
}

at_most() { # WHAT GOT LIMIT: integers
	(($2 <= $3)) || fail "$1: got $2, wanted at most $3"
}

at_least() { # WHAT GOT LIMIT: integers
	(($2 >= $3)) || fail "$1: got $2, wanted at least $3"
}

matches() { # FILE REGEX
	grep -Eq -- "$2" "$1" || fail "no \"$2\" in: $(head -c 2000 "$1")"
}

not_matches() { # FILE REGEX
	! grep -Eq -- "$2" "$1" || fail "\"$2\" in: $(grep -E -- "$2" "$1" | head -n 3)"
}

# Run a command that must end with STATUS and say REGEX on its output, within 30 seconds. A message
# for people is short: more than 6 lines on standard error fail too.
expect_fail() { # STATUS REGEX COMMAND...
	local want=$1 regex=$2 status=0
	shift 2
	timeout --kill-after=5 30 "$@" >"$T/expect.out" 2>"$T/expect.err" </dev/null || status=$?
	note "\$ $* -> $status: $(head -n 3 "$T/expect.err")"
	# shellcheck disable=SC2053 # a pattern: [12]
	[[ $status == $want ]] || fail "\"$*\" ended with $status, wanted $want: $(head -c 500 "$T/expect.err")"
	cat "$T/expect.out" "$T/expect.err" >"$T/expect.all"
	matches "$T/expect.all" "$regex"
	at_most "lines on standard error of \"$*\"" "$(wc -l <"$T/expect.err")" 6
}

# Debian's udev with the rules of the installation, until the case ends; on a machine that has its own, those
# would have to be the machine's.
udev_begin() { # RULE-FILE...: further rules
	local daemon
	for daemon in /usr/lib/systemd/systemd-udevd /lib/systemd/systemd-udevd ''; do
		[[ ! -x $daemon ]] || break
	done
	need_tool udevadm
	export SYSTEMD_IGNORE_CHROOT=1 # in which a guest of QEMU is
	[[ $daemon ]] || skip "no systemd-udevd on this machine"
	[[ ! -e /run/udev/control ]] || skip "this machine has a udev of its own"
	mkdir -p /run/udev/rules.d
	(($# == 0)) || cp "$@" /run/udev/rules.d/
	"$daemon" --resolve-names=never >"$T/udev.log" 2>&1 &
	udev=$!
	wait_for 20 udevadm control --ping
}

udev_end() {
	kill "$udev" || :
	wait "$udev" || :
	rm -rf /run/udev
}

# -- devices. serve and up set: dev (/dev/ublkbN), id (N), log (the server's messages); serve also pid.

serve() { # OPTION...: in the foreground of a process of its own
	lib_devices=$((lib_devices + 1))
	log=$T/serve-$lib_devices.log
	: >"$T/serve-$lib_devices.out"
	ublk-host "$@" >"$T/serve-$lib_devices.out" 2>"$log" </dev/null &
	pid=$!
	lib_wait_node "$T/serve-$lib_devices.out" "$pid" "$@"
}

lib_wait_node() { # OUT PID ARGUMENT...
	local out=$1 server=$2 end=$((SECONDS + 30))
	shift 2
	until dev=$(grep -m 1 -o '^/dev/ublkb[0-9]*$' "$out"); do
		kill -0 "$server" 2>/dev/null || fail "ublk-host $* ended: $(cat "$log")"
		((SECONDS < end)) || fail "ublk-host $*: no device after 30 s: $(cat "$log")"
		sleep 0.02
	done
	id=${dev#/dev/ublkb}
	[[ -b $dev ]] || fail "$dev is not there when it is said to be"
}

stop() { # [PID]: end a server of serve in good order, within 30 seconds
	local server=${1:-$pid} end=$((SECONDS + 30)) status=0
	kill -TERM "$server" || fail "server $server is gone: $(cat "$log")"
	while kill -0 "$server" 2>/dev/null; do
		((SECONDS < end)) || fail "server $server does not stop: $(cat "$log")"
		sleep 0.02
	done
	wait "$server" || status=$?
	same "exit status of a stopped server ($(tail -n 3 "$log"))" "$status" 0
}

up() { # OPTION...: in the background
	lib_devices=$((lib_devices + 1))
	log=$T/up-$lib_devices.log
	timeout --kill-after=5 30 ublk-host up --log-file "$log" "$@" >"$T/up.out" 2>"$T/up.err" </dev/null ||
		fail "up $*: status $?: $(cat "$T/up.err" "$log" 2>/dev/null)"
	dev=$(grep -m 1 -o '^/dev/ublkb[0-9]*$' "$T/up.out") || fail "up $* printed no node: $(cat "$T/up.out")"
	id=${dev#/dev/ublkb}
	[[ -b $dev ]] || fail "$dev is not there after up"
}

down() { # NAME|ID|OPTION...
	timeout --kill-after=5 30 ublk-host down "$@" >"$T/down.out" 2>&1 </dev/null ||
		fail "down $*: status $?: $(cat "$T/down.out")"
}

supervise() { # [DIR] OPTION...: a supervisor; sets supervisor (its process) and log
	lib_devices=$((lib_devices + 1))
	log=$T/supervisor-$lib_devices.log
	ublk-host serve "$@" >/dev/null 2>"$log" </dev/null &
	supervisor=$!
	wait_ready 1
}

wait_ready() { # NR: the supervisor has said so NR times
	local end=$((SECONDS + 30))
	until (($(grep -c ": ready: " "$log" || :) >= $1)); do
		kill -0 "$supervisor" 2>/dev/null || fail "the supervisor ended: $(cat "$log")"
		((SECONDS < end)) || fail "the supervisor is not ready after 30 s: $(cat "$log")"
		sleep 0.02
	done
}

server_pid() { # ID: of a device that is up
	ublk-host info --json "$1" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | head -n 1
}

state_is() { ublk-host list 2>/dev/null | grep -Eq "^[0-9]+ +$1 .* $2 "; } # NAME STATE

gone() { [[ ! -d /proc/$1 || $(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null) == Z ]]; } # PID: it has ended

try() { # WHAT...: the test plugin outlaw, or licensed, does it while it serves $dev; its errno goes to answer
	printf 'try %s\n' "$*" >"$T/try"
	truncate -s 512 "$T/try"
	write_at "$dev" 4096 512 "$T/try"
	# shellcheck disable=SC2034 # for who asks
	answer=$(read_at "$dev" 4096 512 | tr -d '\0')
}

size_of() { blockdev --getsize64 "$1"; } # NODE
size_option() { # NAME: the plugin's option `size`, as the state has it
	ublk-host info --json "$1" | sed -n '/"options"/,/}/s/.*"size": *\([0-9]*\).*/\1/p' | head -n 1
}
attr() { # NODE NAME: of the block queue, as the kernel tells it
	cat "/sys/block/${1#/dev/}/queue/$2"
}

nothing_served() { # no device of ours, no state, no link
	local left
	left=$(find /run/ublk-host -mindepth 1 ! -type d ! -path '*/ublk-host/.lock')
	[[ ! $left ]] || fail "state is left: $left"
	[[ $UBLK_TEST_SPEED == native && -e $UBLK_TEST_SHARE/stage ]] || # natively there may be others
		same "devices that are left" "$(ls /sys/class/ublk-char)" ""
}

# -- input and output

# Random writes of mixed sizes, then all of it read and compared. Nodes in one word: at the same time.
fio_verify() { # "NODE..." [FIO-OPTION...]
	local node nodes=$1 jobs=()
	shift
	need_tool fio
	for node in $nodes; do
		jobs+=(--name="${node##*/}" --filename="$node")
	done
	timeout --kill-after=5 120 fio --rw=randwrite --bsrange=4k-64k --size=8M --ioengine=libaio \
		--direct=1 --iodepth=16 --verify=crc32c --do_verify=1 --verify_fatal=1 --group_reporting \
		--output="$T/fio.out" --randrepeat=1 --norandommap=0 "$@" "${jobs[@]}" >"$T/fio.err" 2>&1 ||
		fail "fio $nodes $*: status $?: $(tail -n 15 "$T/fio.err" "$T/fio.out")"
	not_matches "$T/fio.out" 'verify: bad|err= *[1-9]'
}

write_at() { # NODE OFFSET BYTES FILE: direct, in blocks of 4096 or what divides the offset and size
	dd if="$4" of="$1" bs="$(lib_block "$2" "$3")" seek="$2"B count="$3"B iflag=fullblock \
		oflag=direct conv=notrunc,nocreat status=none
}

read_at() { # NODE OFFSET BYTES: direct, to standard output
	dd if="$1" bs="$(lib_block "$2" "$3")" skip="$2"B count="$3"B iflag=direct status=none
}

lib_block() { # OFFSET BYTES: the largest block that divides both
	local b
	for b in 65536 4096 512; do
		(($1 % b || $2 % b)) || { echo $b; return; }
	done
	fail "offset $1 and size $2 are not in sectors"
}

random_file() { # FILE BYTES
	head -c "$2" /dev/urandom >"$1"
}

make_fs() { # TYPE NODE
	case $1 in
	ext4) mkfs.ext4 -q -F "$2" ;;
	xfs) mkfs.xfs -q -f "$2" ;;
	esac >"$T/mkfs" 2>&1 || fail "mkfs.$1: $(cat "$T/mkfs")"
}

write_tree() { # FOLDER: files of many sizes, and their checksums
	local d f size=1
	for d in d1 d2 d3; do
		mkdir -p "$1/tree/$d/sub"
		for f in 1 2 3 4 5 6; do
			size=$((size * 7 % 300007 + 1))
			head -c "$size" /dev/urandom >"$1/tree/$d/f$f"
		done
		head -c 2097152 /dev/urandom >"$1/tree/$d/sub/large"
		ln -s ../f1 "$1/tree/$d/sub/link"
	done
	truncate -s 64M "$1/tree/sparse"
	(cd "$1" && find tree -type f -exec sha256sum {} + >"$T/tree.sums")
	sync -f "$1"
}

verify_tree() { # FOLDER
	(cd "$1" && sha256sum --quiet -c "$T/tree.sums") || fail "files in $1 have changed"
}

sum() { sha256sum | cut -d ' ' -f 1; }

blocks_of() { # FILE: space that it takes, in KiB
	echo $(($(stat -c '%b * %B' "$1") / 1024))
}

entries() { # FOLDER: how many
	local names
	names=("$1"/*)
	[[ -e ${names[0]} || -L ${names[0]} ]] || names=()
	echo ${#names[@]}
}

rss_kib() { awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"; } # PID

# Writes of mixed sizes, read back and compared, over and over until it is told to end.
stalls_begin() { # NODE: from here on, how long do its readers wait, where that is more than 10 ms?
	[[ -x $plugins/stalls ]] || skip "tests/vm/stalls was not built"
	"$plugins/stalls" "$1" 10 >"$T/stalls.${1##*/}" 2>&1 &
	lib_stalls+=($!)
}
stalls_end() { # WHAT NR: a note of the longest NR, in ms
	kill "${lib_stalls[@]}" || fail "reading on: $(tail -n 1 "$T"/stalls.*)"
	lib_stalls=()
	note "$1: readers waited $(sort -n "$T"/stalls.* | tail -n "$2" | awk '{ at[NR] = $1 / 1000; sum += at[NR] }
		END { if (NR) printf "%d ms in the middle, %d on average, %d at worst (%d waits)",
			at[int((NR + 1) / 2)], sum / NR, at[NR], NR; else print "not at all" }')"
	rm "$T"/stalls.*
}

has_written() { # NODE NR: more than NR writes have ended
	(($(awk '{ print $5 }' "/sys/block/${1#/dev/}/stat") > $2))
}

verify_begin() { # NODE SIZE
	local before
	before=$(awk '{ print $5 }' "/sys/block/${1#/dev/}/stat")
	fio --name=disk --filename="$1" --rw=randwrite --bsrange=4k-64k --size="$2" --ioengine=libaio \
		--direct=1 --iodepth=16 --verify=crc32c --verify_fatal=1 --do_verify=1 --loops=1000000 \
		--output="$T/fio.out" >"$T/fio.err" 2>&1 &
	verify_fio=$!
	# A signal that comes before it has begun, it may miss.
	wait_for 30 has_written "$1" "$before"
}

verify_goes_on() {
	kill -0 "$verify_fio" 2>/dev/null || fail "fio ended: $(tail -n 5 "$T/fio.err" "$T/fio.out")"
}

verify_end() { # no request has failed, nothing is lost or torn
	# fio compares what it writes at the end of each loop: it is stopped between requests.
	kill -INT "$verify_fio"
	wait "$verify_fio" || [[ $? == 128 ]] || fail "fio: $(tail -n 15 "$T/fio.err" "$T/fio.out")"
	not_matches "$T/fio.out" 'verify: bad|err= *[1-9]'
}

# That on DISK; and of the tree of write_tree() in DIR, on another device, copies are made and compared.
load_begin() { # DISK DIR
	verify_begin "$1" 16M
	load_dir=$2
	(
		set +e
		i=0
		while [[ ! -e $T/stop ]]; do
			i=$((i + 1))
			cp -r "$load_dir/tree" "$load_dir/copy" && sync -f "$load_dir" &&
				diff -r "$load_dir/tree" "$load_dir/copy" && rm -r "$load_dir/copy" || exit 1
			echo $i >"$T/copies"
		done
	) >"$T/tree.out" 2>&1 &
	load_tree=$!
}

load_goes_on() {
	verify_goes_on
	kill -0 "$load_tree" 2>/dev/null || fail "the tree: $(cat "$T/tree.out")"
}

load_end() { # DEVICE-OF-THE-TREE: nor is the tree, which is unmounted and checked
	touch "$T/stop"
	verify_end
	wait "$load_tree" || fail "the tree: $(cat "$T/tree.out")"
	at_least "copies of the tree" "$(cat "$T/copies")" 2
	verify_tree "$load_dir"
	umount "$load_dir"
	fsck.ext4 -fn "$1" >"$T/fsck" 2>&1 || fail "fsck: $(cat "$T/fsck")"
}
