# SPDX-License-Identifier: MIT
# limit: 600
# Servers are replaced under I/O that verifies itself, by the same program and by another plugin: no
# request fails. A plugin that cannot go on is refused; one that does not come up is undone.
. "$UBLK_TEST_LIB"
need_tool fio mkfs.ext4
need_module ext4
need_plugin mortal
switch=/proc/sys/kernel/io_uring_disabled
trap '[[ ! -e $switch ]] || echo 0 >$switch' EXIT

if ! kernel_has quiesce; then
	up --plugin null --name steady
	before=$(server_pid steady)
	expect_fail 1 'cannot be quiesced' ublk-host upgrade steady
	kill -USR1 "$before"
	sleep 0.5
	same "the server" "$(server_pid steady)" "$before"
	read_at "$dev" 0 4096 >/dev/null
	down steady
	nothing_served
	exit 0
fi

rounds=50
emulated && rounds=12

truncate -s 64M "$T/backing"
up --plugin file --opt path="$T/backing" --name disk
disk=$dev
up --plugin mem --opt size=96M --name ram --queues 2
ram=$dev
make_fs ext4 "$ram"
mkdir "$T/mnt"
mount "$ram" "$T/mnt"
write_tree "$T/mnt"
upgrade() { # NAME OPTION...
	timeout --kill-after=5 60 ublk-host upgrade "$@" >"$T/upgrade.out" 2>"$T/upgrade.err" ||
		fail "upgrade $*: status $?: $(cat "$T/upgrade.err" "$T/upgrade.out")"
}

# A copy of the plugin, as a new version of it would be.
mkdir "$T/new"
plugin_of() { ublk-host info --json "$1" | sed -n 's/.*"plugin_path": *"\(.*\)".*/\1/p'; } # NAME
cp "$(plugin_of disk)" "$(plugin_of ram)" "$T/new/"

load_begin "$disk" "$T/mnt"

worst=0 total=0
for ((i = 0; i < rounds; i++)); do
	name=disk so=$T/new/file.so
	((i % 2)) || { name=ram so=$T/new/mem.so; }
	before=$(server_pid $name)
	sleep "0.0$((RANDOM % 90 + 10))"
	load_goes_on
	if ((i % 3)); then upgrade $name --json; else upgrade $name --json --plugin "$so"; fi
	pause=$(sed -n 's/.*"pause_ms": *\([0-9]*\).*/\1/p' "$T/upgrade.out")
	[[ $(server_pid $name) != "$before" ]] || fail "round $i: it is the same server"
	total=$((total + pause))
	((pause <= worst)) || worst=$pause
done
note "$rounds upgrades: pause $((total / rounds)) ms on average, $worst ms at worst; $(cat "$T/copies") copies of the tree"
same "the plugin" "$(plugin_of ram)" "$T/new/mem.so"

# Refused before anything happens: a plugin that cannot go on, none at all, wrong options.
before=$(server_pid disk)
expect_fail 1 'cannot serve the device on.*cannot open again' ublk-host upgrade ram --plugin "$plugins/callmem.so"
expect_fail 2 'unknown plugin' ublk-host upgrade disk --plugin nosuch
expect_fail 2 'has no option "path"' ublk-host upgrade disk --plugin mem
# And where the kernel gives no rings any more: those of the old server stay.
if [[ -e $switch ]]; then
	echo 2 >$switch
	expect_fail 1 'io_uring_disabled' ublk-host upgrade disk
	echo 0 >$switch
fi
same "the server after refusals" "$(server_pid disk)" "$before"
# One that fails when it is too late: the old one is back.
timeout 60 ublk-host upgrade ram --plugin "$plugins/mortal.so" >"$T/out" 2>"$T/err" && fail "an upgrade to a plugin that does not open"
matches "$T/err" 'does not come up; starting the old program again'
matches "$T/out" '^restored ram'
same "the plugin after a failure" "$(plugin_of ram)" "$T/new/mem.so"

load_end "$ram"

# A plugin that cannot be open beside the server before: a disk that is held exclusively.
up --plugin mem --opt size=16M --name lower
up --plugin file --opt path="$dev" --name upper
before=$(server_pid upper)
upgrade upper
matches "$T/upgrade.out" '^upgraded upper, requests waited for [0-9]+ ms$'
[[ $(server_pid upper) != "$before" ]] || fail "upper has the same server"
read_at "$dev" 0 4096 >/dev/null
down upper
down lower
# One that can be, with all of its memory locked, and one that fails there: then nothing has happened yet.
up --plugin "$plugins/mortal.so" --opt again=ok --name twin --swap-safe
upgrade twin
matches "$T/upgrade.err" 'open beside the server before'
read_at "$dev" 0 4096 >/dev/null
down twin
up --plugin "$plugins/mortal.so" --opt again=busy --name busy
before=$(server_pid busy)
expect_fail 1 'again=busy: in use' ublk-host upgrade busy
same "the server" "$(server_pid busy)" "$before"
state_is busy live || fail "a plugin that is busy stopped its device"
down busy
# An old server that does not leave: the new one gives up, and nothing is started in the place of who may go on.
up --plugin null --name slow
before=$(server_pid slow)
kill -STOP "$before"
expect_fail 1 "process $before does not leave the device" ublk-host upgrade slow
same "the server that does not leave" "$(server_pid slow)" "$before"
kill -CONT "$before"
wait_for 10 state_is slow quiesced
timeout 30 ublk-host recover slow >/dev/null
read_at "$dev" 0 4096 >/dev/null
down slow

# A device that would end with its server, or whose users would see errors, and one without a server.
up --plugin null --name mortal --recovery none
expect_fail 1 'made with --recovery none' ublk-host upgrade mortal
# Asked by hand, it goes on as well.
kill -USR1 "$(server_pid mortal)"
sleep 0.3
state_is mortal live || fail "SIGUSR1 ended a device that cannot be handed over"
kill -USR1 "$(server_pid disk)"
wait_for 10 state_is disk quiesced
expect_fail 1 'ublk-host recover disk' ublk-host upgrade disk
timeout 30 ublk-host recover disk >/dev/null
read_at "$disk" 0 4096 >/dev/null
down --all
nothing_served
