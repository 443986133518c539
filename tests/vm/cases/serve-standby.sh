# SPDX-License-Identifier: MIT
# limit: 400
# serve --standby: a second server of each device is ready, and goes on when the first is killed, under I/O
# that verifies itself. It is of the device as it is, and ends with it.
. "$UBLK_TEST_LIB"
need_tool fio mkfs.ext4
need_module ext4

rounds=40
emulated && rounds=6
# Linux 6.12 does not see a server end that had all of a queue's requests; elsewhere, as few as show that it got on.
depth=128
kernel_has quiesce || depth=1024

manifest() { # NAME PLUGIN OPTIONS [MEMBERS]
	printf '{ "ublk_device_manifest": "1.0", "plugin": "%s", "options": { %s }%s }\n' \
		"$2" "$3" "${4:-}" >"$T/devices/$1.json"
}
node_of() { readlink -f "/run/ublk-host/by-name/$1"; } # NAME
standby_of() { ublk-host info --json "$1" | sed -n 's/.*"standby": *\([0-9][0-9]*\).*/\1/p'; } # NAME; "": none
stands_by() { [[ $(standby_of "$1") ]]; } # NAME
another_stands_by() { local s; s=$(standby_of "$1") && [[ $s && $s != "$2" ]]; } # NAME PID
served_by() { [[ $(server_pid "$1") == "$2" ]] && state_is "$1" live; } # NAME PID
# The one that stands by becomes the server; sets standby.
succession() { # NAME
	wait_for 30 stands_by "$1"
	standby=$(standby_of "$1")
	kill -9 "$(server_pid "$1")"
	wait_for 30 served_by "$1" "$standby"
}

mkdir "$T/devices" "$T/lower" "$T/mnt"
mount -t tmpfs tmpfs "$T/lower"
truncate -s 64M "$T/lower/backing"
manifest disk file "\"path\": \"$T/lower/backing\""
manifest ram mem '"size": "96M"' ', "device": { "queues": 2, "depth": '$depth' }'
truncate -s 16M "$T/half"
manifest striped stripe "\"paths\": \"$T/half:$T/lower/other\"" # cannot be open beside itself
truncate -s 16M "$T/lower/other"
manifest mortal null '"size": "16M"' ', "device": { "recovery": "none" }'
supervise "$T/devices" --standby --restart-limit 0
for name in disk ram striped; do
	wait_for 30 stands_by $name
	! gone "$(standby_of $name)" || fail "who stands by for $name has ended"
done
! stands_by mortal || fail "a device that ends with its server has one that stands by"
turns_of() { cat /proc/"$1"/task/*/status | awk '/ctxt_switches/ { sum += $2 } END { print sum }'; } # PID
standby=$(standby_of disk)
quiet=
for _ in {1..5}; do # it may have just begun
	before=$(turns_of "$standby")
	sleep 2
	[[ $(turns_of "$standby") != "$before" ]] || { quiet=yes && break; }
done
[[ $quiet ]] || fail "who stands by does not sleep"
note "disk: the server has $(rss_kib "$(server_pid disk)") KiB in memory, who stands by $(rss_kib "$(standby_of disk)") KiB"

make_fs ext4 "$(node_of ram)"
mount "$(node_of ram)" "$T/mnt"
write_tree "$T/mnt"
load_begin "$(node_of disk)" "$T/mnt"
stalls_begin "$(node_of disk)"
stalls_begin "$(node_of ram)"
for ((i = 0; i < rounds; i++)); do
	name=disk
	((i % 2)) || name=ram
	wait_for 30 stands_by $name
	sleep "0.0$((RANDOM % 90 + 10))"
	load_goes_on
	succession $name
	read_at "$(node_of $name)" 0 4096 >/dev/null
done
stalls_end "$rounds kills, under load ($(cat "$T/copies") copies of the tree)" "$rounds"
load_end "$(node_of ram)"
succession striped
read_at "$(node_of striped)" 0 65536 >/dev/null

# Who stands by dies: the device does not care, and gets a server as without it.
wait_for 30 stands_by disk
kill -9 "$(standby_of disk)"
died() { grep -q 'disk: .*the server that stood by was killed by signal 9' "$log"; }
wait_for 10 died
! stands_by disk || fail "a dead process stands by"
before=$(server_pid disk)
kill -9 "$before"
served_anew() { now=$(server_pid disk) && [[ $now && $now != "$before" ]] && state_is disk live; }
wait_for 10 served_anew

# Told to end, it ends at once, and not when it serves; the device is not meant.
wait_for 30 stands_by ram
standby=$(standby_of ram) before=$(server_pid ram)
kill -USR1 "$standby"
kill -TERM "$standby"
wait_for 10 gone "$standby"
wait_for 10 grep -q 'ram: .*the server that stood by ended with status 1' "$log"
served_by ram "$before" || fail "ram lost its server with the one that stood by"
wait_for 30 another_stands_by ram "$standby"
succession ram

# After resize and upgrade, and under another plugin, another one.
if kernel_has update_size; then
	wait_for 30 stands_by ram
	before=$(standby_of ram)
	ublk-host resize ram 112M >/dev/null
	wait_for 30 another_stands_by ram "$before"
	gone "$before" || fail "two stand by"
	succession ram
	same "size" "$(size_of "$(node_of ram)")" $((112 << 20))
	read_at "$(node_of ram)" $((111 << 20)) 4096 >/dev/null
	# Killed before it could be exchanged: the next server is of the device as it is.
	wait_for 30 stands_by ram
	ublk-host resize ram 120M >/dev/null
	kill -9 "$(server_pid ram)"
	read_at "$(node_of ram)" $((119 << 20)) 4096 >/dev/null
fi
if kernel_has quiesce; then
	wait_for 30 stands_by ram
	before=$(standby_of ram)
	timeout 60 ublk-host upgrade ram >/dev/null 2>&1 || fail "upgrade beside one that stands by"
	wait_for 30 another_stands_by ram "$before"
	succession ram
fi

# Once a device is down, nobody has its backing open.
wait_for 30 stands_by disk
standby=$(standby_of disk)
down disk
gone "$standby" || fail "process $standby stands by for a device that is down"
down striped
umount "$T/lower"
sleep 0.3
matches "$log" 'disk: it was stopped'
# Nor comes one back whose server had to be killed.
wait_for 30 stands_by ram
standby=$(standby_of ram)
kill -STOP "$(server_pid ram)"
down --force --timeout 2 ram
sleep 0.5
! ublk-host info ram >"$T/info" 2>&1 || fail "a device that was taken down by force came back"
gone "$standby" || fail "process $standby stands by for a device that was killed"
matches "$log" 'ram: it was stopped'

# Nor is one left that was on its way, in its plugin's open().
manifest slow "$plugins/mortal.so" '"size": "16M", "again": "slow"'
kill -HUP "$supervisor"
wait_ready 2
on_its_way() { standby=$(sed -n 's/.*"standby": *\([0-9]*\).*/\1/p' "/run/ublk-host/$(basename "$(node_of slow)" | tr -dc 0-9).json") && [[ $standby ]]; }
wait_for 10 on_its_way
! stands_by slow || fail "one stands by that is not prepared"
down slow
gone "$standby" || fail "process $standby is still on its way for a device that is down"
rm "$T/devices/slow.json"

# They end with their supervisor; the next one, which wants none, has none.
kill -HUP "$supervisor"
wait_ready 3
wait_for 30 stands_by ram
standby=$(standby_of ram)
before=$(server_pid ram)
kill -9 "$supervisor"
wait_for 10 gone "$standby"
served_by ram "$before" || fail "ram is not served without its supervisor"
supervise "$T/devices"
sleep 1.5
! stands_by ram || fail "one stands by that nobody wants"
stop "$supervisor"
nothing_served
