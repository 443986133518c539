# SPDX-License-Identifier: MIT
# limit: 200
# A next server whose plugin says something else of the device than the one that it was made with: what the kernel
# goes by is kept, or the server is refused before the old one leaves, which serves on, under I/O that verifies
# itself. What is only less than the best is taken.
. "$UBLK_TEST_LIB"
need_tool fio
need_plugin fickle
kernel_has quiesce || skip "this driver has no QUIESCE"

truncate -s 64M "$T/backing"
made() { # NAME WORDS OPTION...: a device that is made while the plugin says so
	local name=$1
	echo "$2" >"$T/$name.now"
	shift 2
	up --plugin "$plugins/fickle.so" --opt path="$T/backing" --opt now="$T/$name.now" --name "$name" "$@"
}
refused() { # NAME WORDS REGEX [OPTION...]: an upgrade while it says so
	local name=$1 before
	echo "$2" >"$T/$name.now"
	before=$(server_pid "$name")
	expect_fail 1 "$3" ublk-host upgrade "$name" "${@:4}"
	matches "$T/expect.err" "$name is served as before"
	same "the server of $name" "$(server_pid "$name")" "$before"
	state_is "$name" live || fail "$name is not live: $(ublk-host list)"
	verify_goes_on
}
goes_on() { # NAME WORDS [OPTION...]
	local name=$1 before
	echo "$2" >"$T/$name.now"
	before=$(server_pid "$name")
	timeout 60 ublk-host upgrade "$name" "${@:3}" >"$T/out" 2>&1 || fail "upgrade $*: $(cat "$T/out")"
	[[ $(server_pid "$name") != "$before" ]] || fail "upgrade $*: it is the same server"
	verify_goes_on
}

made plain ''
verify_begin "$dev" 16M
refused plain 'cache=1' 'volatile cache.* has to be made anew'
refused plain 'chunk=65536' 'may cross a border.*chunk_bytes'
refused plain 'discard=0' 'offers discards, and the plugin takes none'
refused plain 'discard=1048576' 'longer discards'
refused plain 'zeroes=0' 'offers writes of zeroes, and the plugin takes none'
refused plain 'zeroes=1048576' 'longer writes of zeroes'
# In a request's own memory, and in a copy of it.
case $(ublk-host info plain --json | sed -n 's/.*"data_path": *"\(.*\)".*/\1/p') in
auto-buf-reg* | zero-copy*) refused plain 'align=4096' 'aligned less.*dma_align' ;;
*) goes_on plain 'align=4096' ;;
esac
goes_on plain 'rotational=1'
blkdiscard -o $((32 << 20)) -l 1048576 "$dev"
goes_on plain ''
verify_end
# Nor does one take over after a crash: the device waits for a server that fits.
echo 'cache=1' >"$T/plain.now"
before=$(server_pid plain)
kill -9 "$before"
wait_for 10 gone "$before"
expect_fail 1 'cannot be recovered: .*volatile cache' ublk-host recover plain
state_is plain quiesced || fail "a refusal changed it: $(ublk-host list)"
echo >"$T/plain.now"
timeout 30 ublk-host recover plain >/dev/null
read_at "$dev" 0 4096 >/dev/null
down plain

# The other way round.
made strict 'cache=1 chunk=65536 align=512 discard=1048576 zeroes=1048576'
verify_begin "$dev" 16M
goes_on strict 'cache=1 chunk=131072 align=512 discard=2097152 zeroes=2097152'
goes_on strict 'align=4'
refused strict 'chunk=98304' 'may cross a border'
verify_end
down strict

# FUA, of which the kernel knows.
made forced 'cache=1' --data-path copy
same "FUA" "$(attr "$dev" fua)" 1
verify_begin "$dev" 16M
refused forced 'cache=1 memory=1' 'stable when they end \(FUA\)'
goes_on forced 'memory=1'
goes_on forced 'cache=1 align=4096'
verify_end
down forced

# Queues: never two threads in a plugin that does one thing at a time.
made wide '' --queues 2
if (($(find "/sys/block/${dev#/dev/}/mq" -mindepth 1 -maxdepth 1 -type d | wc -l) == 2)); then
	verify_begin "$dev" 16M
	refused wide '' 'has 2 queues of depth [0-9]+, and the plugin takes 1 of' --plugin "$plugins/fickle-serial.so"
	refused wide 'queues=1' 'has 2 queues of depth [0-9]+, and the plugin takes 1 of'
	goes_on wide ''
	verify_end
fi
down wide
made narrow '' --queues 1 --threads-per-queue 2
verify_begin "$dev" 16M
goes_on narrow ''
goes_on narrow '' --plugin "$plugins/fickle-serial.so"
matches "$T/out" 'one thread instead: '
verify_end
down narrow
nothing_served

# The next server begins when the former one's plugin has closed what it had.
up --plugin "$plugins/mortal.so" --opt again=tidy --name tidy
# None begins that others could not know of.
flock /run/ublk-host/.lock sleep 8 &
locker=$!
wait_for 5 test -e /proc/$locker
sleep 0.3
before=$(server_pid tidy)
expect_fail 1 'cannot be upgraded: another process keeps the lock /run/ublk-host/.lock' ublk-host upgrade tidy
same "the server" "$(server_pid tidy)" "$before"
wait "$locker"
timeout 60 ublk-host upgrade tidy >"$T/out" 2>&1 || fail "upgrade: $(cat "$T/out")"
read_at "$dev" 0 4096 >/dev/null
down tidy
nothing_served

# A unit of systemd's looks after the server that it has started, and no other.
cgroup=$T/cgroup
mkdir "$cgroup"
if mount -t cgroup2 none "$cgroup"; then
	up --plugin null --name unit
	mkdir "$cgroup/ublk-host@unit.service"
	server_pid unit >"$cgroup/ublk-host@unit.service/cgroup.procs"
	timeout 60 ublk-host upgrade unit >"$T/out" 2>&1 || fail "upgrade: $(cat "$T/out")"
	matches "$T/out" 'ublk-host@unit.service ends with its server, .*systemctl restart ublk-host@unit.service'
	timeout 60 ublk-host upgrade unit >"$T/out" 2>&1 || fail "upgrade: $(cat "$T/out")"
	not_matches "$T/out" 'systemctl'
	down unit
	rmdir "$cgroup/ublk-host@unit.service"
	umount "$cgroup"
fi
nothing_served
