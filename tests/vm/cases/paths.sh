# SPDX-License-Identifier: MIT
# limit: 240
# dmesg-ok: I/O error, dev ublkb
# Every data path that this kernel has, forced, for every plugin and profile that it can serve: data
# verified, several sizes, a full queue, stopped in mid-flight. One that cannot serve is refused with
# the reason, and nothing is made.
. "$UBLK_TEST_LIB"
need_tool fio

truncate -s 24M "$T/backing"
random_file "$T/data" 8192
mapfile -t paths < <(data_paths)
at_least "data paths that features tells" ${#paths[@]} 5
declare -A pids nodes before
served=0

requests() { local n _; read -r n _ <"/sys/block/${1#/dev/}/stat"; echo "$n"; } # reads, as the kernel counts

all_busy() { # each has served some of the load
	local name
	for name in "${!nodes[@]}"; do
		(($(requests "${nodes[$name]}") > 20 + before[$name])) || return 1
	done
}

begin() { # PATH NAME OPTION...
	local path=$1 name=$2
	shift 2
	: >"$T/$name.out"
	ublk-host "$@" --data-path "$path" >"$T/$name.out" 2>"$T/$name.err" </dev/null &
	pids[$name]=$!
}

# Sets nodes[NAME]; or the server has ended, and has said why.
begun() { # PATH NAME
	local path=${1/+/\\+} name=$2 status=0 end=$((SECONDS + 30))
	until grep -q '^/dev/ublkb' "$T/$name.out"; do
		kill -0 "${pids[$name]}" 2>/dev/null || break
		((SECONDS < end)) || fail "$name on $1: no device after 30 s: $(cat "$T/$name.err")"
		sleep 0.05
	done
	if ! nodes[$name]=$(grep -m 1 '^/dev/ublkb' "$T/$name.out"); then
		wait "${pids[$name]}" || status=$?
		unset "nodes[$name]"
		same "exit status of $name on $1" $status 1
		same "lines on standard error ($(cat "$T/$name.err"))" "$(wc -l <"$T/$name.err")" 1
		matches "$T/$name.err" "data-path $path cannot serve plugin"
		return
	fi
	matches "$T/$name.err" "data path $path:"
	served=$((served + 1))
}

zeroes_at() { # NODE BYTES: the first ones of the device
	cmp -s -n "$2" "$1" /dev/zero || fail "$1 has other than zeroes: $(cmp -n "$2" "$1" /dev/zero)"
}

for path in "${paths[@]}"; do
	nodes=()
	begin "$path" mem --plugin mem --opt size=24M --queues 2 --depth 32
	begin "$path" file --plugin file --opt path="$T/backing" --queues 1
	begin "$path" null --plugin null --opt size=24M --queues 1
	for name in callmem asyncmem; do
		[[ ! -e $plugins/$name.so ]] ||
			begin "$path" $name --plugin "$plugins/$name.so" --opt size=24M --queues 1 --depth 16
	done
	for name in "${!pids[@]}"; do
		begun "$path" "$name"
	done
	note "$path serves ${!nodes[*]}"
	if [[ ${nodes[null]:-} ]]; then
		zeroes_at "${nodes[null]}" 65536
		write_at "${nodes[null]}" 0 8192 "$T/data"
		zeroes_at "${nodes[null]}" 65536
	fi
	busy=() keep=()
	for name in "${!nodes[@]}"; do
		busy+=(--name="$name" --filename="${nodes[$name]}")
		[[ $name == null ]] || keep+=("${nodes[$name]}")
	done
	((${#busy[@]})) || continue
	if emulated; then size=1M; else size=6M; fi
	((${#keep[@]} == 0)) || fio_verify "${keep[*]}" --size=$size
	((${#keep[@]} == 0)) || emulated ||
		fio_verify "${keep[*]}" --bsrange=512-512k --size=12M --iodepth=48 --blockalign=512
	for dev in "${keep[@]}"; do
		write_at "$dev" 0 8192 "$T/data"
		read_at "$dev" 0 8192 | cmp - "$T/data" || fail "$dev does not read what was written"
		blkdiscard -z -o 0 -l 4096 "$dev"
		zeroes_at "$dev" 4096
	done
	# Stopped while there is plenty in flight.
	for name in "${!nodes[@]}"; do
		before[$name]=$(requests "${nodes[$name]}")
	done
	timeout 60 fio --rw=randrw --bs=4k --size=4M --time_based --runtime=50 --ioengine=libaio --direct=1 \
		--iodepth=32 --allow_file_create=0 --output=/dev/null "${busy[@]}" >/dev/null 2>&1 &
	fio=$!
	wait_for 30 all_busy
	for name in "${!nodes[@]}"; do
		# shellcheck disable=SC2034 # for what stop says
		log=$T/$name.err
		stop "${pids[$name]}"
	done
	wait $fio || true
done
note "$served combinations served"
at_least "combinations that are served" $served 12
nothing_served
