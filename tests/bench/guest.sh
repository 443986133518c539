#!/bin/bash
# SPDX-License-Identifier: MIT
# The measuring half of the benchmark, as root on this kernel (in a guest of tests/vm/boot, or natively):
# starts all candidates of SHARE/plan, loads them in short turns by one fio, and stops them. Called by
# tests/bench/run, which prepares SHARE: plan, settings, builds/. Leaves SHARE/fio.json and SHARE/points.
# Few processes: under emulation each costs up to a tenth of a second. What is started here ends here.
set -uo pipefail

share=$(cd "$(dirname "$0")" && pwd)
rounds='' slice_ms='' warmup_ms='' engine='' limit_s='' machine='' mib='' ram_mib=''
# shellcheck source=/dev/null
. "$share/settings" # sets these
work=/run/ublk-bench
ncpu=$(getconf _NPROCESSORS_ONLN)
last=$((ncpu - 1))
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
started=()                                        # candidates that run
declare -A kinds=() nodes=() pids=()              # of each
declare -A idle_ns=()                             # CPU time in two seconds without requests
declare -A cpu=() sectors=()                      # [CANDIDATE.0] before and [CANDIDATE.1] after the load
why='' node='' pid='' log='' prepared_fs='' null_made='' brd_loaded='' brd_used='' ns=0

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
	local sectors
	# Somebody's data may be on RAM disks that we did not make.
	if [[ $machine == native && ! $brd_loaded && -d /sys/module/brd ]]; then
		why="brd is loaded already: unload it first"
		return 1
	fi
	need_module brd rd_nr=2 rd_size=$((ram_mib * 1024)) || return
	brd_loaded=yes
	read -r sectors </sys/block/ram0/size || return
	((sectors / 2048 >= ram_mib)) || { why="the RAM disks are smaller than $ram_mib MiB (brd.rd_size)"; return 1; }
}

# The backing of file, on ext4 on a RAM disk: written once, so that no block is a hole. Each candidate has
# its own: what one leaves in the page cache would burden the others.
need_file() { # sets file
	file=$work/fs/$candidate
	if [[ ! $prepared_fs ]]; then
		need_ram_disks && need_module ext4 || return
		mkdir -p "$work/fs"
		if ! { mkfs.ext4 -q -F -b 4096 -O ^metadata_csum /dev/ram0 && mount -t ext4 /dev/ram0 "$work/fs"; } >"$work/prepare" 2>&1; then
			why="no ext4 on a RAM disk: $(tail -n 1 "$work/prepare")"
			return 1
		fi
		prepared_fs=yes
	fi
	fill "$file" "$mib"
}

need_tmpfs() { # sets file
	file=$work/tmpfs/image
	[[ ! -e $file ]] || return 0
	mkdir -p "$work/tmpfs"
	mount -t tmpfs tmpfs "$work/tmpfs" || { why="no tmpfs"; return 1; }
	fill "$file" "$mib"
}

need_tools() {
	local t
	for t; do
		command -v "$t" >/dev/null || { why="no $t on this machine"; return 1; }
	done
}

fill() { # FILE MIB
	local direct=oflag=direct
	[[ $1 != "$work"/tmpfs/* ]] || direct=
	# shellcheck disable=SC2086 # may be empty
	dd if=/dev/zero of="$1" bs=1M count="$2" $direct conv=notrunc status=none 2>"$work/prepare" ||
		{ why="cannot fill $1: $(tail -n 1 "$work/prepare")"; return 1; }
}

# -- candidates. start_KIND sets node, and pid if a process of ours serves it; or why, and fails.

start_ublk() { # [build=NAME] ARGUMENT...
	local build=main args=() file
	[[ ${1:-} != build=* ]] || { build=${1#build=}; shift; }
	case $target in
	null) args=(--plugin null) ;;
	file) need_file || return; args=(--plugin file --opt "path=$file") ;;
	mem) args=(--plugin mem --opt "size=${mib}M") ;;
	esac
	if [[ " $* " != *' --cpus '* ]]; then # it may have its own
		if ((queues == 1)); then args+=(--cpus "$last"); else args+=(--cpus auto); fi
	fi
	"$work/builds/$build/bin/ublk-host" run --plugin-dir "$work/builds/$build/lib/ublk-host/plugins" \
		"${args[@]}" --queues "$queues" --depth 128 "$@" >&3 2>"$log" </dev/null 3>&- &
	pid=$!
	until read -r -t 0.5 -u 3 node; do
		kill -0 "$pid" 2>/dev/null || break
	done
	[[ -b $node ]] || { why=$(tail -n 1 "$log"); return 1; }
	[[ $target != mem ]] || fill "$node" "$mib"
}

# The server of the kernel's own tests: as little around the data path as there can be. It would pin the
# thread of a single queue to the submitter's CPU; a cpuset keeps it off that.
start_kublk() { # ARGUMENT...
	local file args=() i id=$((1000 + ${#started[@]})) group=/sys/fs/cgroup
	case $target in
	null) args=(-t null) ;;
	file) need_file || return; args=(-t loop "$file") ;;
	esac
	if ((queues == 1)); then
		mountpoint -q $group || mount -t cgroup2 none $group
		echo +cpuset >$group/cgroup.subtree_control
		mkdir -p $group/ublk-bench
		group+=/ublk-bench
		echo "$last" >$group/cpuset.cpus || { why="no cpuset to keep kublk off CPU 0"; return 1; }
	fi 2>"$work/prepare"
	{
		echo "$BASHPID" >$group/cgroup.procs || ((queues > 1)) || exit
		exec "$share/kublk" add -n "$id" -q "$queues" -d 128 --foreground "$@" "${args[@]}"
	} >"$log" 2>&1 </dev/null 3>&- &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		[[ ! -b /dev/ublkb$id ]] || { node=/dev/ublkb$id; return; }
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	why="kublk: $(tail -n 1 "$log")"
	return 1
}

start_null_blk() {
	local dir=/sys/kernel/config/nullb/bench kv
	need_module null_blk nr_devices=0 || return
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config || { why="no configfs"; return 1; }
	mkdir "$dir" || { why="null_blk takes no devices by configfs"; return 1; }
	null_made=$dir
	for kv in queue_mode=2 "submit_queues=$queues" hw_queue_depth=128 size=262144 blocksize=512; do
		echo "${kv#*=}" >"$dir/${kv%%=*}"
	done
	echo 1 >"$dir/power" || { why="null_blk does not start"; return 1; }
	node=/dev/bench # newer kernels name it like the folder
	[[ -b $node ]] || node=/dev/nullb$(<"$dir/index")
}

start_loop() { # direct|buffered|tmpfs
	local file direct=off
	need_module loop && need_tools losetup || return
	case $1 in
	tmpfs) need_tmpfs || return ;;
	buffered) need_file || return ;;
	direct) need_file || return; direct=on ;;
	esac
	node=$(losetup --find --show --direct-io=$direct "$file" 2>"$work/prepare") && return
	node='' why="losetup: $(<"$work/prepare")"
	return 1
}

start_bare() {
	local file
	need_file && node=$file
}

start_brd() {
	[[ ! $brd_used ]] || { why="one of it is enough"; return 1; }
	need_ram_disks && brd_used=yes node=/dev/ram1 && fill "$node" "$mib"
}

start_nbd() {
	local args file i n=0
	need_module nbd nbds_max=4 && need_tools nbdkit nbd-client || return
	while [[ -e /sys/block/nbd$n/pid ]]; do
		n=$((n + 1))
	done
	case $target in
	null) args=(null size=250G) ;;
	file) need_file || return; args=(file "$file") ;;
	mem) args=(memory "${mib}M") ;;
	esac
	taskset -c "$last" nbdkit -f -U "$work/nbd$n" "${args[@]}" 2>"$log" </dev/null 3>&- &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		[[ ! -S $work/nbd$n ]] || break
		sleep 0.05
	done
	nbd-client -unix "$work/nbd$n" "/dev/nbd$n" -C "$queues" >"$work/prepare" 2>&1 3>&- ||
		{ why="nbd-client: $(tail -n 1 "$work/prepare")"; return 1; }
	node=/dev/nbd$n
	[[ $target != mem ]] || fill "$node" "$mib"
}

stop_candidate() { # KIND; what node, pid and log say
	case $1 in
	loop) [[ ! $node ]] || losetup -d "$node" ;;
	nbd) [[ ! $node ]] || nbd-client -d "$node" >/dev/null 2>&1 ;;
	kublk) [[ ! $node ]] || "$share/kublk" del -n "${node#/dev/ublkb}" >/dev/null 2>&1 ;;
	esac
	if [[ $pid ]]; then
		kill "$pid"
		wait "$pid"
	fi 2>/dev/null
	pid='' node=''
}

# -- measuring

cpu_ns() { # PID: sets ns, CPU time of all its threads so far
	local t value
	ns=0
	if [[ -e /proc/$1/schedstat ]]; then
		for t in "/proc/$1/task"/*/schedstat; do
			read -r value _ <"$t" && ns=$((ns + value))
		done
	else # in ticks of 10 ms
		read -r t <"/proc/$1/stat" || return
		read -ra t <<<"${t##*) }"
		ns=$(((t[11] + t[12]) * 10000000))
	fi
}

counters() { # WHEN (0 before, 1 after): of all candidates
	local c s
	for c in "${started[@]}"; do
		if [[ ${pids[$c]} ]]; then
			cpu_ns "${pids[$c]}"
			cpu[$c.$1]=$ns
		fi
		if [[ -e /sys/block/${nodes[$c]#/dev/}/stat ]]; then
			read -ra s <"/sys/block/${nodes[$c]#/dev/}/stat"
			sectors[$c.$1]=$((s[2] + s[6]))
		fi
	done
}

idle_cpu() { # of each server, from one second after the last request for two seconds
	local c
	sleep 1
	for c in "${started[@]}"; do
		[[ ! ${pids[$c]} ]] || { cpu_ns "${pids[$c]}"; idle_ns[$c]=$ns; }
	done
	sleep 2
	for c in "${started[@]}"; do
		[[ ! ${pids[$c]} ]] || { cpu_ns "${pids[$c]}"; idle_ns[$c]=$((ns - idle_ns[$c])); }
	done
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

# fio's job file: all slices of all candidates, so that a slice costs no process. Submitters have all
# CPUs but the server's; or, where queues have a CPU each, all.
jobs_file() {
	local cpus=0 batch=1 round i c
	if [[ $engine == auto ]]; then
		engine=io_uring
		[[ $bs != *m ]] || engine=libaio
	fi
	echo "engine $engine" >>"$share/points"
	((ncpu == 1)) || cpus=0-$((last - 1))
	((queues == 1)) || cpus=0-$last
	[[ $rw != rand* ]] || ((depth < 8)) || batch=$((depth / 4))
	cat <<-END
		[global]
		rw=$rw
		bs=$bs
		iodepth=$depth
		iodepth_batch_submit=$batch
		iodepth_batch_complete_min=1
		iodepth_batch_complete_max=$depth
		ioengine=$engine
		direct=1
		numjobs=$jobs
		thread=1
		cpus_allowed=$cpus
		cpus_allowed_policy=split
		norandommap=1
		randrepeat=1
		time_based=1
		runtime=${slice_ms}ms
		ramp_time=${warmup_ms}ms
		scramble_buffers=0
		group_reporting=1
		unified_rw_reporting=mixed
		lat_percentiles=1
		percentile_list=1:5:10:20:30:40:50:60:70:80:90:95:98:99:99.5:99.9
		disk_util=0
	END
	[[ $engine != io_uring ]] || printf 'fixedbufs=1\nregisterfiles=1\n'
	[[ $rw == rand* ]] || ((jobs == 1)) || echo "offset_increment=$((100 / jobs))%"
	for ((round = 0; round < rounds; round++)); do
		for ((i = 0; i < ${#started[@]}; i++)); do
			# There and back, so that no candidate always follows the same one.
			c=${started[i]}
			((round % 2 == 0)) || c=${started[${#started[@]} - 1 - i]}
			printf '[%s]\nfilename=%s\nstonewall\n' "$c" "${nodes[$c]}"
			[[ ${kinds[$c]} != loop ]] || echo end_fsync=1 # what it has cached must not burden the next
		done
	done
}

start_candidate() { # NAME KIND ARGUMENT...
	local candidate=$1 kind=$2
	shift 2
	why='' node='' pid='' log=$work/$candidate.log
	: >"$log"
	if ! "start_$kind" "$@"; then
		stop_candidate "$kind"
		echo "skip $candidate ${why:-failed}" | tee -a "$share/points"
		return
	fi
	[[ ! -e /sys/block/${node#/dev/}/queue/scheduler ]] || echo none >"/sys/block/${node#/dev/}/queue/scheduler"
	started+=("$candidate") kinds[$candidate]=$kind nodes[$candidate]=$node pids[$candidate]=$pid
}

stop_and_report() { # NAME
	local c=$1 line="server $1" words
	log=$work/$c.log node=${nodes[$c]} pid=${pids[$c]}
	[[ ! ${cpu[$c.1]:-} ]] || line+=" cpu_ns=$((cpu[$c.1] - cpu[$c.0]))"
	[[ ! ${idle_ns[$c]:-} ]] || line+=" idle_ns=${idle_ns[$c]}"
	[[ ! ${sectors[$c.1]:-} ]] || line+=" sectors=$((sectors[$c.1] - sectors[$c.0]))"
	stop_candidate "${kinds[$c]}"
	if [[ ${kinds[$c]} == ublk ]]; then
		words=$(<"$log")
		[[ ! $words =~ 'data path '([a-z+-]+) ]] || line+=" path=${BASH_REMATCH[1]}"
		[[ ! $words =~ 'system calls ('([0-9.]+)' per io' ]] || line+=" enters_per_io=${BASH_REMATCH[1]}"
	fi
	echo "$line" >>"$share/points"
}

# What a developer wants to see when the load does not end in time; then the load is killed.
watch_load() { # PID
	local t f
	sleep "$limit_s"
	for f in /sys/block/*/inflight; do
		read -r t <"$f" && [[ $t =~ [1-9] ]] && echo "stuck: $f: $t"
	done
	for t in /proc/[0-9]*/task/*; do
		read -r f <"$t/comm" || continue
		case $f in
		fio* | ublk* | nbd* | *nbd-recv* | *loop*)
			echo "stuck: ${t##*/} $f"
			cat "$t/stack"
			;;
		esac
	done 2>/dev/null
	dmesg | tail -n 20
	kill -KILL "$1"
}

run_load() { # fio's exit status
	local load watch status=0
	fio --eta=never --output-format=json --output="$work/fio.json" "$work/jobs" >"$work/fio.err" 2>&1 </dev/null 3>&- &
	load=$!
	watch_load $load 3>&- &
	watch=$!
	wait $load || status=$?
	pkill -P $watch
	kill $watch 2>/dev/null
	wait $watch 2>/dev/null
	return $status
}

clean_up() {
	local d
	for d in "${started[@]}"; do
		log=/dev/null node=${nodes[$d]} pid=${pids[$d]}
		stop_candidate "${kinds[$d]}"
	done
	umount "$work/fs" "$work/tmpfs" 2>/dev/null
	rmdir /sys/fs/cgroup/ublk-bench 2>/dev/null
	for d in $null_made; do
		echo 0 >"$d/power"
		rmdir "$d"
	done
	[[ $machine != native || ! $brd_loaded ]] || rmmod brd
	rm -rf "$work"
}

prepare() {
	local tar name
	rm -rf "$work"
	mkdir -p "$work/builds" || die "cannot make $work"
	chmod 755 "$work"
	mkfifo "$work/fifo"
	exec 3<>"$work/fifo"
	trap clean_up EXIT
	for tar in "$share"/builds/*.tar; do
		name=$(basename "$tar" .tar)
		mkdir "$work/builds/$name"
		tar -C "$work/builds/$name" -xf "$tar" || die "cannot unpack $tar"
	done
	chmod -R go-w "$work/builds"
	printf '%s\n' "kernel $(uname -r)" "cpus $ncpu" "fio $(fio --version)" >>"$share/points"
}

main() {
	local workload candidate kind args c status=0
	need_module ublk_drv || die "$why"
	prepare
	while read -r workload candidate kind args; do
		parse_workload "$workload"
		# shellcheck disable=SC2086 # words
		start_candidate "$candidate" "$kind" $args
	done <"$share/plan"
	((${#started[@]})) || die "no candidate could be started"
	jobs_file >"$work/jobs"
	counters 0
	run_load || status=$?
	counters 1
	idle_cpu
	cp "$work/fio.json" "$share/fio.json" || status=1
	((status == 0)) || echo "problem fio ended with status $status: $(tail -n 1 "$work/fio.err")" >>"$share/points"
	for c in "${started[@]}"; do
		stop_and_report "$c"
	done
	started=()
	echo end >>"$share/points"
}

main
