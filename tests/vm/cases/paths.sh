# SPDX-License-Identifier: MIT
# limit: 400
# Every data path that this kernel has, forced, for every plugin and profile that it can serve: data
# verified, several sizes, a full queue, stopped in mid-flight. One that cannot serve is refused with
# the reason, and nothing is made.
. "$UBLK_TEST_LIB"
need_tool fio

truncate -s 24M "$T/backing"
mapfile -t paths < <(ublk-host features --json |
	sed -n '/"data_paths"/,/}/s/^ *"\([a-z+-]*\)": *"[^"]*",\?$/\1/p')
at_least "data paths that features tells" ${#paths[@]} 5
served=0
try() { # PATH PLUGIN OPTION...
	local path=$1 plugin=$2 status=0
	shift 2
	: >"$T/try.out"
	ublk-host --plugin "$plugin" "$@" --data-path "$path" >"$T/try.out" 2>"$T/try.err" </dev/null &
	pid=$!
	log=$T/try.err
	for ((i = 0; i < 1500; i++)); do
		! grep -q '^/dev/ublkb' "$T/try.out" || break
		kill -0 $pid 2>/dev/null || break
		sleep 0.02
	done
	if ! dev=$(grep -m 1 '^/dev/ublkb' "$T/try.out"); then
		wait $pid || status=$?
		same "exit status of $plugin on $path" $status 1
		same "lines on standard error ($(cat "$T/try.err"))" "$(wc -l <"$T/try.err")" 1
		matches "$T/try.err" "data-path ${path/+/\\+} cannot serve plugin"
		return 1
	fi
	matches "$log" "data path ${path/+/\\+}:"
	served=$((served + 1))
}

for path in "${paths[@]}"; do
	for plugin in mem file callmem asyncmem; do
		case $plugin in
		mem) try "$path" mem --opt size=24M --queues 2 --depth 32 || continue ;;
		file) try "$path" file --opt path="$T/backing" --queues 1 || continue ;;
		*)
			[[ -e $plugins/$plugin.so ]] || continue
			try "$path" "$plugins/$plugin.so" --opt size=24M --queues 1 --depth 16 || continue
			;;
		esac
		note "$plugin on $path"
		if emulated; then size=1M; else size=6M; fi
		fio_verify "$dev" --size=$size
		emulated || fio_verify "$dev" --bsrange=512-512k --size=12M --iodepth=48 --blockalign=512
		# what was never written reads as zeroes, and discards leave zeroes where that is promised
		random_file "$T/data" 8192
		write_at "$dev" 4096 8192 "$T/data"
		same "data" "$(read_at "$dev" 4096 8192 | sum)" "$(sum <"$T/data")"
		blkdiscard -z -o 4096 -l 4096 "$dev"
		same "zeroed" "$(read_at "$dev" 4096 4096 | tr -d '\0' | wc -c)" 0
		# stopped while there is plenty in flight
		timeout 20 fio --name=busy --filename="$dev" --rw=randrw --bs=4k --size=4M --time_based --allow_file_create=0 \
			--runtime=10 --ioengine=libaio --direct=1 --iodepth=32 --output=/dev/null >/dev/null 2>&1 &
		busy=$!
		sleep 0.3
		stop
		wait $busy || true
	done
	try "$path" null --opt size=64M --queues 1 || continue
	same "null on $path reads" "$(read_at "$dev" 0 65536 | tr -d '\0' | wc -c)" 0
	random_file "$T/data" 65536
	write_at "$dev" 0 65536 "$T/data"
	same "null on $path reads after a write" "$(read_at "$dev" 0 65536 | tr -d '\0' | wc -c)" 0
	stop
done
note "$served combinations served"
at_least "combinations that are served" $served 12
nothing_served
