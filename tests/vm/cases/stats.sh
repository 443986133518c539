# SPDX-License-Identifier: MIT
# limit: 150
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb
# Statistics of a running device: they agree with fio and with the kernel; latencies are switched while
# it runs; everybody may read; the file lives as long as the state file.
. "$UBLK_TEST_LIB"
need_tool fio

number() { # KIND KEY: a number of total, as of the last look; latency.KEY for one of its latencies
	awk -v kind="\"$1\":" -v key="\"${2#latency.}\":" -v deep="$([[ $2 == latency.* ]] && echo 1)" '
		$1 == "\"total\":" { total = 1 }
		total && $1 == kind { here = 1 }
		here && $1 == "\"latency\":" { in_latency = 1 }
		here && $1 == key && (!deep || in_latency) { print $2 + 0; exit }
		here && $1 == "\"latency\":" && $2 ~ /null/ { exit }' "$T/json"
}
look() { ublk-host stats "$1" --json >"$T/json"; }
latencies() { local n; look "$1"; n=$(number read latency.requests); echo "${n:-none}"; }
kernel() { awk -v at="$1" '{ print $at }' "/sys/block/${dev#/dev/}/stat"; } # field of the disk's own

emulated && reads=400 || reads=2000
load() { # NODE [FIO-OPTION...]
	local node=$1
	shift
	fio --name=load --filename="$node" --rw=randread --bs=4k --size=16M --number_ios="$reads" --direct=1 \
		--ioengine=libaio --iodepth=16 --output="$T/fio" "$@" </dev/null >"$T/fio.err" 2>&1 ||
		fail "fio: $(tail -n 5 "$T/fio.err" "$T/fio")"
}
longest() { awk '$1 == "\"lat_ns\"" { here = 1 } here && $1 == "\"max\"" { print $3 + 0; exit }' "$T/fio"; }
issued() { sed -n 's/.*issued rwts: total=\([0-9]*\),\([0-9]*\),.*/\1 \2/p' "$T/fio"; } # reads and writes

up --plugin mem --opt size=64M --name counted
sleep 0.5 # who looks for partitions and filesystems has done so
same "mode of the file" "$(stat -c %a /run/ublk-host/"$id".stats)" 644

# Requests and bytes are the kernel's, and those of fio but for what the kernel merged.
look counted
before=("$(number read requests)" "$(number write requests)" "$(number read bytes)" "$(number write bytes)")
disk=("$(kernel 1)" "$(kernel 5)" "$(kernel 3)" "$(kernel 7)") merged=$(($(kernel 2) + $(kernel 6)))
load "$dev" --rw=randrw
look counted
done_reads=$(($(number read requests) - before[0])) done_writes=$(($(number write requests) - before[1]))
note "$done_reads reads, $done_writes writes"
same "reads" "$done_reads" $(($(kernel 1) - disk[0]))
same "writes" "$done_writes" $(($(kernel 5) - disk[1]))
same "bytes read" $(($(number read bytes) - before[2])) $((($(kernel 3) - disk[2]) * 512))
same "bytes written" $(($(number write bytes) - before[3])) $((($(kernel 7) - disk[3]) * 512))
read -r fio_reads fio_writes <<<"$(issued)"
same "requests, and those that were merged" \
	$((done_reads + done_writes + $(kernel 2) + $(kernel 6) - merged)) $((fio_reads + fio_writes))
same "errors" "$(number read errors) $(number write errors)" "0 0"
blkdiscard "$dev"
look counted
same "discards" "$(number discard requests)" "$(kernel 12)"
at_least "discards" "$(number discard requests)" 1
same "latencies that nobody asked for" "$(latencies counted)" none

# On, and off again, while the device runs.
ublk-host stats counted --latency on >"$T/out"
matches "$T/out" 'P99\.9'
start=$(kernel 1)
load "$dev" --output-format=json
same "latencies while they are on" "$(latencies counted)" $(($(kernel 1) - start))
mean=$(number read latency.mean) max=$(number read latency.max)
note "mean $mean ns, median $(number read latency.p50) ns, longest $max ns; fio's longest $(longest) ns"
at_least "longest latency" "$max" "$mean"
at_least "median" "$(number read latency.p50)" 1
at_most "longest latency, a part of what fio saw," "$max" "$(longest)"
measured=$(latencies counted)
ublk-host stats counted --latency off >"$T/out"
load "$dev"
same "latencies once they are off" "$(latencies counted)" "$measured"
ublk-host stats counted --latency on >"$T/out"
same "latencies when they are on anew" "$(latencies counted)" none

# Switched all the time under load: nothing is lost but latencies.
fio --name=busy --filename="$dev" --rw=randread --bs=4k --size=16M --time_based --runtime=100 --direct=1 \
	--ioengine=libaio --iodepth=16 --output="$T/busy" </dev/null >"$T/fio.err" 2>&1 &
fio=$!
for ((i = 0; i < 20; i++)); do
	ublk-host stats --all --latency on >"$T/out"
	ublk-host stats --all --latency off >"$T/out"
done
ublk-host stats counted --interval 1 --count 1 >"$T/rates"
kill -TERM $fio
wait $fio || true
note "$(grep read "$T/rates")"
matches "$T/rates" '^read +[1-9][0-9]* +[0-9.]+ +4K +0'

# Everybody may look; only root may switch.
as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
if "${as_nobody[@]}" ublk-host version >/dev/null 2>&1; then
	"${as_nobody[@]}" ublk-host stats counted >"$T/out" || fail "a user cannot see the statistics"
	expect_fail 1 'sudo' "${as_nobody[@]}" ublk-host stats counted --latency on
fi

# Queues, each by itself: what they have done is what the device has.
if (($(nproc) > 1)); then
	up --plugin null --queues 2 --name two
	taskset 1 fio --name=a --filename="$dev" --rw=randread --bs=4k --number_ios=100 --direct=1 \
		--output="$T/fio" >"$T/fio.err" 2>&1
	taskset 2 fio --name=b --filename="$dev" --rw=randread --bs=4k --number_ios=50 --direct=1 \
		--output="$T/fio" >"$T/fio.err" 2>&1
	ublk-host stats two --queues >"$T/queues"
	awk '$2 == "read" { n[$1] = $3 } END { exit !(n[0] && n[1] && n[0] + n[1] == n["all"]) }' \
		"$T/queues" || fail "$(cat "$T/queues")"
	down two
fi

# The last numbers of a server that was killed, until down.
up --plugin null --name victim
victim=$id
kill -9 "$(server_pid victim)"
wait_for 10 eval "ublk-host stats victim | grep -q 'server has ended'"
down victim
[[ ! -e /run/ublk-host/$victim.stats ]] || fail "statistics of a killed server are left"

ublk-host info counted >"$T/info"
matches "$T/info" "^served read: +[1-9]"
down counted
expect_fail 1 'counted' ublk-host stats counted
nothing_served
