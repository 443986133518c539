#!/bin/bash
# SPDX-License-Identifier: MIT
# The measuring half of the benchmark: runs SHARE/plan, candidates in turns, as root on this kernel (in
# a guest of tests/vm/boot, or natively). Called by tests/bench/run, which prepares SHARE: plan, settings,
# builds/. Appends a line per point to SHARE/points and what fio measured to SHARE/fio/. Few processes:
# under emulation each costs up to a tenth of a second. What is started here ends here.
set -uo pipefail

share=$(cd "$(dirname "$0")" && pwd)
. "$share/settings" # rounds runtime_ms warmup_ms engine limit_s file_mib mem_mib
work=/run/ublk-bench
ncpu=$(getconf _NPROCESSORS_ONLN)
last=$((ncpu - 1))
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
declare -A gave_up=() # [WORKLOAD CANDIDATE]
why='' node='' pid='' server_log=$work/log prepared_file='' prepared_tmpfs='' null_made=''

die() { echo "bench: $*" >&2; exit 1; }

# -- the kernel's parts

need_module() { # NAME [PARAMETER...]: loaded, or the reason in $why
	local name=$1 file
	shift
	[[ -d /sys/module/$name ]] && return
	grep -qw "$name" /proc/filesystems && return
	if [[ -e /run/modules/others ]]; then # a guest: the order of the list is that of dependencies
		while read -r file; do
			case $file in
			"$name.ko") insmod "/run/modules/$file" "$@" && return ;;
			null_blk.ko | nbd.ko | brd.ko | scsi_debug.ko | ext4.ko | xfs.ko | loop.ko) ;;
			*) insmod "/run/modules/$file" 2>/dev/null ;;
			esac
		done </run/modules/others
	elif modprobe "$name" "$@" 2>/dev/null; then
		return
	fi
	why="this kernel has no $name"
	return 1
}

need_ram_disks() {
	need_module brd rd_nr=2 rd_size=$(((file_mib + 64) * 1024)) || return
	local sectors
	read -r sectors </sys/block/ram0/size || return
	((sectors / 2048 >= file_mib + 32)) || { why="the RAM disks are smaller than $file_mib MiB (brd.rd_size)"; return 1; }
}

# The backing of file: written once, on ext4 on a RAM disk, so that no block is a hole.
need_file() {
	[[ ! $prepared_file ]] || return 0
	need_ram_disks && need_module ext4 || return
	{
		mkfs.ext4 -q -F -O ^metadata_csum /dev/ram0 && mkdir -p "$work/fs" &&
			mount -t ext4 /dev/ram0 "$work/fs" &&
			dd if=/dev/zero of="$work/fs/image" bs=1M count="$file_mib" oflag=direct status=none
	} >"$work/prepare" 2>&1 || { why="no ext4 on a RAM disk: $(tail -n 1 "$work/prepare")"; return 1; }
	prepared_file=$work/fs/image
}

need_tmpfs() {
	[[ ! $prepared_tmpfs ]] || return 0
	mkdir -p "$work/tmpfs" && mount -t tmpfs tmpfs "$work/tmpfs" &&
		dd if=/dev/zero of="$work/tmpfs/image" bs=1M count="$mem_mib" status=none ||
		{ why="no file on a tmpfs"; return 1; }
	prepared_tmpfs=$work/tmpfs/image
}

need_tools() {
	local t
	for t; do
		command -v "$t" >/dev/null || { why="no $t on this machine"; return 1; }
	done
}

fill() { # NODE: written once, so that no block is a hole
	dd if=/dev/zero of="$1" bs=1M count="$mem_mib" oflag=direct status=none 2>"$work/prepare" ||
		{ why="cannot fill $1: $(tail -n 1 "$work/prepare")"; return 1; }
}

# -- candidates. start_KIND sets node, and pid if a process of ours serves it; or why, and fails.

start_ublk() { # [build=NAME] ARGUMENT...
	local build=main args=()
	[[ ${1:-} != build=* ]] || { build=${1#build=}; shift; }
	case $target in
	null) args=(--plugin null) ;;
	file) need_file || return; args=(--plugin file --opt "path=$prepared_file") ;;
	mem) args=(--plugin mem --opt "size=${mem_mib}M") ;;
	esac
	if ((queues == 1)); then args+=(--cpus "$last"); else args+=(--cpus auto); fi
	"$work/builds/$build/bin/ublk-host" run --plugin-dir "$work/builds/$build/lib/ublk-host/plugins" \
		"${args[@]}" --queues "$queues" --depth 128 "$@" >&3 2>"$server_log" </dev/null 3>&- &
	pid=$!
	until read -r -t 0.5 -u 3 node; do
		kill -0 "$pid" 2>/dev/null || break
	done
	if [[ ! -b $node ]]; then
		kill "$pid" 2>/dev/null
		why=$(tail -n 1 "$server_log")
		return 1
	fi
	[[ $target != mem ]] || fill "$node"
}

start_null_blk() {
	local dir=/sys/kernel/config/nullb/bench$queues kv
	need_module null_blk nr_devices=0 || return
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config || { why="no configfs"; return 1; }
	if [[ ! -d $dir ]]; then
		mkdir "$dir" || { why="null_blk takes no devices by configfs"; return 1; }
		null_made+=" $dir"
		for kv in queue_mode=2 "submit_queues=$queues" hw_queue_depth=128 size=262144 blocksize=512; do
			echo "${kv#*=}" >"$dir/${kv%%=*}"
		done
		echo 1 >"$dir/power" || { why="null_blk does not start"; return 1; }
	fi
	if [[ -b /dev/bench$queues ]]; then
		node=/dev/bench$queues
	else
		node=/dev/nullb$(<"$dir/index")
	fi
}

start_loop() { # direct|buffered|tmpfs
	local file direct=on
	need_module loop && need_tools losetup || return
	case $1 in
	tmpfs) need_tmpfs || return; file=$prepared_tmpfs direct=off ;;
	buffered) need_file || return; file=$prepared_file direct=off ;;
	direct) need_file || return; file=$prepared_file ;;
	esac
	node=$(losetup --find --show --direct-io=$direct "$file" 2>"$work/prepare") || {
		node='' why="losetup: $(<"$work/prepare")"
		return 1
	}
}

start_bare() {
	need_file && node=$prepared_file
}

start_brd() {
	need_ram_disks && node=/dev/ram1 && fill "$node"
}

start_nbd() {
	local args
	need_module nbd nbds_max=4 && need_tools nbdkit nbd-client || return
	case $target in
	null) args=(null size=250G) ;;
	file) need_file || return; args=(file "$prepared_file") ;;
	mem) args=(memory "${mem_mib}M") ;;
	esac
	rm -f "$work/nbd"
	taskset -c "$last" nbdkit -f -U "$work/nbd" "${args[@]}" 2>"$server_log" </dev/null &
	pid=$!
	local i
	for ((i = 0; i < 200; i++)); do
		[[ ! -S $work/nbd ]] || break
		sleep 0.05
	done
	if ! nbd-client -unix "$work/nbd" /dev/nbd0 -C "$queues" >"$work/prepare" 2>&1; then
		why="nbd-client: $(tail -n 1 "$work/prepare")"
		return 1
	fi
	node=/dev/nbd0
	[[ $target != mem ]] || fill "$node"
}

stop_candidate() { # KIND
	case $1 in
	loop) [[ ! $node ]] || losetup -d "$node" ;;
	nbd) [[ ! $node ]] || nbd-client -d "$node" >/dev/null 2>&1 ;;
	esac
	if [[ $pid ]]; then
		kill "$pid" 2>/dev/null
		wait "$pid"
	fi 2>/dev/null
	pid='' node=''
}

# -- measuring

cpu_ns() { # sets ns: CPU time of process $pid, all its threads, so far
	local t value
	ns=0
	[[ $pid ]] || return
	if [[ -e /proc/$pid/schedstat ]]; then
		for t in "/proc/$pid/task"/*/schedstat; do
			read -r value _ <"$t" && ns=$((ns + value))
		done
	else # in ticks of 10 ms
		read -r t <"/proc/$pid/stat"
		read -ra t <<<"${t##*) }"
		ns=$(((t[11] + t[12]) * 10000000))
	fi
}

io_done() { # sets sectors: read and written so far, or nothing where the kernel does not count
	local s
	sectors=
	[[ -e /sys/block/${node#/dev/}/stat ]] || return
	read -ra s <"/sys/block/${node#/dev/}/stat"
	sectors=$((s[2] + s[6]))
}

parse_workload() { # NAME; sets target bs rw depth jobs queues
	local part parts
	IFS=- read -ra parts <<<"$1"
	target=${parts[0]} bs=${parts[1]} rw=${parts[2]} depth=1 jobs=1 queues=1
	for part in "${parts[@]:3}"; do
		case $part in
		d*) depth=${part#d} ;;
		j*) jobs=${part#j} ;;
		q*) queues=${part#q} ;;
		esac
	done
	[[ $rw != mixed ]] || rw=randrw
}

# The submitters' CPUs: all but the server's, or all where queues have a CPU each.
load_options() { # sets load
	local cpus=0 batch=1
	((ncpu == 1)) || cpus=0-$((last - 1))
	((queues == 1)) || cpus=0-$last
	load=(--name=load --filename="$node" --rw="$rw" --bs="$bs" --direct=1 --iodepth="$depth" --numjobs="$jobs"
		--thread=1 --cpus_allowed="$cpus" --cpus_allowed_policy=split --norandommap=1 --randrepeat=1
		--time_based=1 --runtime="${runtime_ms}ms" --ramp_time="${warmup_ms}ms" --group_reporting=1
		--unified_rw_reporting=mixed --lat_percentiles=1 --percentile_list=1:5:10:25:50:75:90:95:99:99.9
		--disk_util=0 --output-format=json+ --iodepth_batch_complete_min=1 --iodepth_batch_complete_max="$depth")
	case $rw in
	rand*) ((depth < 8)) || batch=$((depth / 4)) ;;
	*) ((jobs == 1)) || load+=(--offset_increment=$((100 / jobs))%) ;;
	esac
	load+=(--iodepth_batch_submit=$batch)
	case $engine in
	io_uring) load+=(--ioengine=io_uring --fixedbufs=1 --registerfiles=1) ;;
	*) load+=(--ioengine="$engine") ;;
	esac
}

measure() { # WORKLOAD CANDIDATE ROUND
	local ns sectors ns0 sectors0 out=$share/fio/$1.$2.$3.json load line=''
	[[ ! -e /sys/block/${node#/dev/}/queue/scheduler ]] || echo none >"/sys/block/${node#/dev/}/queue/scheduler"
	load_options
	cpu_ns && ns0=$ns
	io_done && sectors0=$sectors
	timeout --kill-after=5 "$limit_s" fio "${load[@]}" >"$work/fio.json" 2>"$work/fio.err" </dev/null ||
		{ why="fio: $(tail -n 1 "$work/fio.err")"; return 1; }
	cpu_ns
	io_done
	cp "$work/fio.json" "$out"
	[[ ! $pid ]] || line+=" cpu_ns=$((ns - ns0))"
	[[ ! $sectors ]] || line+=" sectors=$((sectors - sectors0))"
	point="$1 $2 $3 cpus=$ncpu$line"
}

point() { # WORKLOAD CANDIDATE ROUND KIND ARGUMENT...
	local w=$1 c=$2 round=$3 kind=$4 ok=yes point=''
	shift 4
	why='' node='' pid=''
	parse_workload "$w"
	: >"$server_log"
	if "start_$kind" "$@" && measure "$w" "$c" "$round"; then :; else ok=''; fi
	stop_candidate "$kind"
	if [[ ! $ok ]]; then
		gave_up[$w $c]=yes
		echo "skip $w $c ${why:-failed}" >>"$share/points"
		echo "bench: $w $c: left out: ${why:-failed}"
		return
	fi
	if [[ $kind == ublk ]] && grep -oE '[0-9]+ system calls \([0-9.]+ per io\)' "$server_log" >"$work/enters"; then
		read -r _ _ _ line _ <"$work/enters"
		point+=" enters_per_io=${line#(}"
	fi
	echo "point $point" >>"$share/points"
	echo "bench: point $w $c $round"
}

clean_up() {
	local d
	umount "$work/fs" "$work/tmpfs" 2>/dev/null
	for d in $null_made; do
		echo 0 >"$d/power"
		rmdir "$d"
	done
	rm -rf "$work"
}

main() {
	local round i w c kind args order=() lines
	rm -rf "$work"
	mkdir -p "$work/builds" "$share/fio" && chmod 755 "$work" && mkfifo "$work/fifo" && exec 3<>"$work/fifo" ||
		die "cannot prepare $work"
	trap clean_up EXIT
	need_module ublk_drv || die "$why"
	for i in "$share"/builds/*.tar; do
		w=$(basename "$i" .tar)
		mkdir "$work/builds/$w" && tar -C "$work/builds/$w" -xf "$i" || die "cannot unpack $i"
	done
	chmod -R go-w "$work"
	{
		echo "kernel $(uname -r)"
		echo "cpus $ncpu"
		echo "fio $(fio --version)"
	} >>"$share/points"
	mapfile -t lines <"$share/plan"
	for ((round = 1; round <= rounds; round++)); do
		for ((i = 0; i < ${#lines[@]}; i++)); do
			# There and back, so that no candidate always follows the same one.
			order[i]=$i
			((round % 2)) || order[i]=$((${#lines[@]} - 1 - i))
		done
		for i in "${order[@]}"; do
			read -r w c kind args <<<"${lines[i]}"
			[[ ! ${gave_up[$w $c]:-} ]] || continue
			# shellcheck disable=SC2086 # words
			point "$w" "$c" "$round" "$kind" $args
		done
	done
	echo done >>"$share/points"
}

main
