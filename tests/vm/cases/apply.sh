# SPDX-License-Identifier: MIT
# limit: 240
# A folder of manifests is applied: once and again, with a size that changes under I/O, a block size that
# needs re-creation, a server that was replaced, a manifest that is gone; what diff says agrees, an exported
# device is the same, wrong manifests change nothing, and what a supervisor sees to is left to it.
. "$UBLK_TEST_LIB"
need_tool fio

manifest() { # NAME PLUGIN OPTIONS [MEMBERS]
	printf '{ "ublk_device_manifest": "1.0", "plugin": "%s", "options": { %s }%s }\n' \
		"$2" "$3" "${4:-}" >"$T/devices/$1.json"
}
differs() { # REGEX...: diff says so, and nothing else
	local regex
	expect_fail 1 "$1" ublk-host diff "$T/devices"
	cp "$T/expect.out" "$T/diff"
	for regex; do
		matches "$T/diff" "$regex"
	done
	same "devices that differ" "$(sed '/^same /d' "$T/diff" | wc -l)" $#
}
all_same() {
	timeout 30 ublk-host diff "$T/devices" >"$T/diff" 2>&1 || fail "diff: $?: $(cat "$T/diff")"
	same "what is not the same" "$(sed '/^same /d' "$T/diff")" ""
}
apply() { # OPTION...
	timeout --kill-after=5 60 ublk-host apply "$T/devices" "$@" >"$T/out" 2>"$T/err" ||
		fail "apply $*: status $?: $(cat "$T/err" "$T/out")"
}
pids() { for name; do server_pid "$name"; done; } # NAME...

mkdir "$T/devices"
truncate -s 32M "$T/image"
manifest disk file '"path": "../image", "size": "32M"'
manifest ram mem '"size": "16M"' ', "device": { "queues": 1, "depth": 64 }'

# Added, and then it is so.
differs '^to-be-added +disk +.*/devices/disk.json$' '^to-be-added +ram '
expect_fail 1 '^to-be-added +ram ' ublk-host apply --dry-run "$T/devices"
nothing_served
apply
matches "$T/out" '^added disk \(/dev/ublkb[0-9]+\)$'
matches "$T/out" '^added ram '
all_same
before=$(pids disk ram)
apply
matches "$T/err" 'nothing to do'
same "what a second run does" "$(cat "$T/out")" ""
same "the servers" "$(pids disk ram)" "$before"
for pid in $before; do # or who is killed would leave a folder that nobody can apply
	same "locks that a server keeps" "$(find "/proc/$pid/fd" -lname '*.lock*')" ""
done
disk=$(readlink -f /run/ublk-host/by-name/disk)
ram=$(readlink -f /run/ublk-host/by-name/ram)

# Devices of others are nothing to it, whatever their name.
up --plugin null --name hand
all_same
apply --prune
same "the servers" "$(pids disk ram)" "$before"

# A device as it is exported is the same, here and by hand.
ublk-host export hand >"$T/devices/hand.json" 2>"$T/err"
same "what export says" "$(cat "$T/err")" ""
all_same
down hand
ublk-host run --manifest "$T/devices/hand.json" --opt nonsense=1 >"$T/out" 2>&1 && fail "an option that null does not have"
matches "$T/out" 'has no option "nonsense"'
differs '^to-be-added +hand '
apply
all_same
rm "$T/devices/hand.json"
for name in disk ram; do
	ublk-host export $name >"$T/$name.json"
	cp "$T/devices/$name.json" "$T/$name.was"
	cp "$T/$name.json" "$T/devices/$name.json"
done
differs '^to-be-removed +hand +.*/hand.json is gone$'
apply
matches "$T/out" '^kept hand: .* is gone; --prune removes it$'
state_is hand live || fail "removed without --prune"
exec 7</run/ublk-host/by-name/hand
expect_fail 1 'in use: open in bash' ublk-host apply --prune "$T/devices"
exec 7<&-
state_is hand live || fail "removed under its users"
apply --prune
matches "$T/out" '^removed hand$'
all_same
for name in disk ram; do
	cp "$T/$name.was" "$T/devices/$name.json"
done
all_same
same "the servers" "$(pids disk ram)" "$before"

# Another size, under I/O.
manifest ram mem '"size": "48M"' ', "device": { "queues": 1, "depth": 64 }'
if kernel_has update_size; then
	verify_begin "$ram" 16M
	differs '^differs +ram +/options/size 16M -> 48M \(live, by resize\)$'
	apply
	matches "$T/out" '^resized ram from 16M to 48M$'
	verify_goes_on
	verify_end
	same "the device" "$(size_of "$ram") $(pids disk ram)" "$((48 << 20)) $before"
	# Smaller only where nobody has it.
	manifest ram mem '"size": "8M"' ', "device": { "queues": 1, "depth": 64 }'
	exec 7<"$ram"
	expect_fail 1 'open in bash.*: it is not made smaller' ublk-host apply "$T/devices"
	exec 7<&-
	same "the device" "$(size_of "$ram")" $((48 << 20))
	manifest ram mem '"size": "48M"' ', "device": { "queues": 1, "depth": 64 }'
else
	differs '^differs +ram +/options/size 16M -> 48M \(needs re-creation: .*UPDATE_SIZE'
	expect_fail 1 'left ram: .*--recreate does that' ublk-host apply "$T/devices"
	same "the device" "$(size_of "$ram")" $((16 << 20))
	apply --recreate
	before=$(pids disk ram)
fi
all_same

# What its server alone has to do with; and a plugin that was replaced.
manifest ram mem '"size": "48M"' ', "device": { "queues": 1, "depth": 64, "poll_us": 50 }, "cpus": "none"'
if kernel_has quiesce; then
	random_file "$T/data" 1M
	write_at "$ram" 0 1048576 "$T/data"
	verify_begin "$disk" 16M
	differs '^differs +ram +/device/poll_us 0 -> 50 \(live, by upgrade\); /cpus auto -> none \(live'
	apply
	matches "$T/out" '^upgraded ram, requests waited for [0-9]+ ms: /device/poll_us, /cpus$'
	all_same
	same "its data" "$(read_at "$ram" 0 1048576 | sum)" "$(sum <"$T/data")"
	mkdir "$T/plugins"
	so=$(ublk-host info --json ram | sed -n 's/.*"plugin_path": *"\(.*\)".*/\1/p')
	cp "$so" "${so%.so}.json" "${so%/*}"/file.{so,json} "$T/plugins/"
	manifest ram "$T/plugins/mem.so" '"size": "48M"' ', "device": { "queues": 1, "depth": 64 }'
	manifest disk "$T/plugins/file.so" '"path": "../image", "size": "32M"'
	apply
	matches "$T/out" '^upgraded ram, .*: /plugin, /device/poll_us, /cpus$'
	matches "$T/out" '^upgraded disk, .*: /plugin$'
	all_same
	cp "$T/plugins/file.so" "$T/plugins/new"
	mv "$T/plugins/new" "$T/plugins/file.so"
	differs '^differs +disk +plugin file \(live, by upgrade: it was replaced\)$'
	apply
	matches "$T/out" '^upgraded disk, .*: plugin file$'
	all_same
	verify_goes_on
	verify_end
	same "its data" "$(read_at "$ram" 0 1048576 | sum)" "$(sum <"$T/data")"
else
	differs '^differs +ram +/device/poll_us 0 -> 50 \(needs re-creation: .*QUIESCE'
	manifest ram mem '"size": "48M"' ', "device": { "queues": 1, "depth": 64 }'
fi
all_same

# A server that died is given a next one.
if [[ $(ublk-host export disk) == *'"recovery": "reissue"'* ]]; then
	kill -KILL "$(server_pid disk)"
	wait_for 10 state_is disk quiesced
	differs '^differs +disk +server \(live, by recover: it waits for one\)$'
	apply
	matches "$T/out" '^recovered disk '
	all_same
fi

# Another block size takes the device down and up: not unless it is asked for, and not under its users.
before=$(pids disk ram)
cp "$T/devices/disk.json" "$T/disk.was"
sed -i 's/ }$/, "limits": { "logical_block": 4096 } }/' "$T/devices/disk.json"
random_file "$T/data" 65536
write_at "$disk" $((1 << 20)) 65536 "$T/data"
differs '^differs +disk +/limits/logical_block 512 -> 4K \(needs re-creation\)$'
expect_fail 1 '^left disk: /limits/logical_block 512 -> 4K \(needs re-creation\); --recreate does that$' \
	ublk-host apply "$T/devices"
exec 7<"$disk"
expect_fail 1 'in use: open in bash' ublk-host apply --recreate "$T/devices"
exec 7<&-
same "the servers" "$(pids disk ram)" "$before"
apply --recreate --json
matches "$T/out" '"outcome": "re-created"'
matches "$T/out" '"outcome": "nothing"'
disk=$(readlink -f /run/ublk-host/by-name/disk)
same "its block size" "$(attr "$disk" logical_block_size)" 4096
same "its data" "$(read_at "$disk" $((1 << 20)) 65536 | sum)" "$(sum <"$T/data")"
all_same
# What cannot be made anew is as it was.
cp "$T/devices/disk.json" "$T/disk.was"
sed -i 's,"../image","../none",' "$T/devices/disk.json"
expect_fail 1 'disk .* is as it was made before' ublk-host apply --recreate "$T/devices"
same "its data" "$(read_at "$disk" $((1 << 20)) 65536 | sum)" "$(sum <"$T/data")"
cp "$T/disk.was" "$T/devices/disk.json"
all_same

# Wrong manifests: nothing is changed, not even where they are right.
before=$(pids disk ram)
manifest late null '"size": "1M"'
manifest wrong mem '"sizee": "1M"'
expect_fail 2 'wrong.json:1:[0-9]+: /options/sizee: plugin mem has no option' ublk-host apply "$T/devices"
expect_fail 2 'wrong.json' ublk-host diff "$T/devices"
manifest wrong nosuch ''
expect_fail 2 'unknown plugin "nosuch"' ublk-host apply "$T/devices"
echo '{' >"$T/devices/wrong.json"
expect_fail 2 'wrong.json:2:' ublk-host apply "$T/devices"
manifest wrong null '' ', "name": "ram"'
expect_fail 2 'the name ram is that of' ublk-host apply "$T/devices"
rm "$T"/devices/{wrong,late}.json
same "the servers" "$(pids disk ram)" "$before"
expect_fail 2 'expected a folder' ublk-host apply "$T/nowhere"
expect_fail 2 'expected a folder' ublk-host diff "$T/image"
all_same

# A supervisor takes them over; then they are its own, and so is what it makes.
supervise "$T/devices" --keep
same "the servers" "$(pids disk ram)" "$before"
expect_fail 1 "ublk-host serve, process $supervisor, sees to .*: kill -HUP $supervisor" \
	ublk-host apply "$T/devices"
mkdir "$T/others"
sed 's/48M/32M/' "$T/devices/ram.json" >"$T/others/ram.json"
expect_fail 1 "ram is left to ublk-host serve, process $supervisor, which sees to it from $T/devices" \
	ublk-host apply --recreate "$T/others"
same "the servers" "$(pids disk ram)" "$before"
stop "$supervisor"
kernel_has quiesce && apply
all_same
rm "$T/devices/ram.json"
apply --prune
matches "$T/out" '^removed ram$'
rm "$T/devices/disk.json"
apply --prune
matches "$T/out" '^removed disk$'
nothing_served
