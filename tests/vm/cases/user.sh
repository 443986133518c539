# SPDX-License-Identifier: MIT
# limit: 240
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb
# --user: who a server is, on every thread, and what it may not do; that it serves, dies, is recovered,
# upgraded, resized and ended as any other, with root's files kept for it; and what it is without its clerk.
. "$UBLK_TEST_LIB"
switch=/proc/sys/kernel/io_uring_disabled
trap '[[ ! -e $switch ]] || echo 0 >$switch' EXIT
need_plugin licensed
need_plugin hang
need_tool setpriv
user=6001:6002
# A partition of 4 MiB from 1 MiB on, as sfdisk makes it.
partitioned() { # FILE
	truncate -s 16M "$1"
	printf '\0\0\0\0\x83\0\0\0\0\x08\0\0\0\x20\0\0' | dd of="$1" bs=1 seek=446 conv=notrunc status=none
	printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
}

# Every thread, but the kernel's own that work for rings.
is_user() { # PID
	local t n=0
	for t in /proc/"$1"/task/*/status; do
		! grep -q '^Name:.iou-' "$t" 2>/dev/null || continue
		n=$((n + 1))
		same "the user of $t" "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "$t")" "6001 6001 6001 6001"
		same "the group of $t" "$(awk '/^Gid:/ { print $2, $3, $4, $5 }' "$t")" "6002 6002 6002 6002"
		same "the groups of $t" "$(awk '/^Groups:/ { print $2, $3 }' "$t")" "6002 "
		same "CapPrm of $t" "$(awk '/^CapPrm:/ { print $2 }' "$t")" 0000000000004000
		same "CapEff of $t" "$(awk '/^CapEff:/ { print $2 }' "$t")" 0000000000004000
	done
	at_least "threads that were looked at" $n 3
}
clerk_of() { # PID
	local p
	for p in /proc/[0-9]*; do
		grep -q '^Name:.ublk-clerk' "$p/status" 2>/dev/null &&
			grep -q "^PPid:.$1\$" "$p/status" 2>/dev/null && echo "${p#/proc/}"
	done
	true
}
server_ended() { # PID CLERK: neither is there
	wait_for 10 gone "$1"
	wait_for 10 gone "$2"
}

# -- a device like any other; its files are root's
truncate -s 16M "$T/backing"
chmod 600 "$T/backing"
up --plugin file --opt path="$T/backing" --name disk --user $user --queues 2
server=$(server_pid disk)
clerk=$(clerk_of "$server")
is_user "$server"
ublk-host info disk >"$T/info"
matches "$T/info" "^user: +$user\$"
same "the clerk's user" "$(awk '/^Uid:/ { print $2 }' "/proc/$clerk/status")" 0
same "the clerk's rights" "$(awk '/^CapPrm:/ { print $2 }' "/proc/$clerk/status")" 0000000000004000
same "the state's owner" "$(stat -c %u "/run/ublk-host/$id.json")" 0
same "the link" "$(readlink /run/ublk-host/by-name/disk)" "$dev"
# What is in its memory is nobody else's, nor another process's of that user.
for file in mem environ; do
	! setpriv --reuid 6001 --regid 6002 --clear-groups --inh-caps=-all cat "/proc/$server/$file" >/dev/null 2>&1 ||
		fail "another process of the user's reads $file of the server"
done
ublk-host stats disk >"$T/stats" || fail "no statistics"
fio_verify "$dev"
if kernel_has update_size; then
	timeout 30 ublk-host resize disk 32M >"$T/resize" 2>&1 || fail "resize: $(cat "$T/resize")"
	same "its size" "$(size_of "$dev")" 33554432
	fio_verify "$dev" --offset=16M --size=16M
fi
down disk
server_ended "$server" "$clerk"
nothing_served

# -- what it may not
for file in root mine; do
	echo secret >"$T/$file"
	chmod 600 "$T/$file"
done
chown 6001 "$T/mine"
chmod 755 "$T"
for sandbox in full off; do
	serve --plugin "$plugins/licensed.so" --user $user --sandbox $sandbox
	is_user "$pid"
	try read "$T/mine"
	same "errno of its own file" "$answer" 0
	for what in "read $T/root" "ring-read $T/root" "setuid 0" mount; do
		# shellcheck disable=SC2086 # words
		try $what
		[[ $answer == 1 || $answer == 13 ]] || fail "a plugin could: $what (errno $answer), --sandbox $sandbox"
	done
	stop
	nothing_served
done

# -- killed: its device waits, and the next server is that user's again
up --plugin mem --opt size=16M --name ram --user $user
server=$(server_pid ram)
clerk=$(clerk_of "$server")
random_file "$T/data" 1M
write_at "$dev" 0 1048576 "$T/data"
kill -9 "$server"
server_ended "$server" "$clerk"
wait_for 10 state_is ram quiesced
timeout 30 ublk-host recover ram >"$T/out" 2>&1 || fail "recover: $(cat "$T/out")"
server=$(server_pid ram)
is_user "$server"
same "the contents" "$(read_at "$dev" 0 1048576 | sum)" "$(sum <"$T/data")"

# -- replaced
if kernel_has quiesce; then
	clerk=$(clerk_of "$server")
	timeout 60 ublk-host upgrade ram >"$T/out" 2>&1 || fail "upgrade: $(cat "$T/out")"
	server_ended "$server" "$clerk"
	server=$(server_pid ram)
	is_user "$server"
	same "the contents" "$(read_at "$dev" 0 1048576 | sum)" "$(sum <"$T/data")"
fi
clerk=$(clerk_of "$server")
down ram
server_ended "$server" "$clerk"
same "memory that is left" "$(find /run/ublk-host/memory -type f 2>/dev/null)" ""
nothing_served

# -- of another user from now on, by its manifest
mkdir "$T/devices"
manifest() { # USER-KEY
	printf '{ "ublk_device_manifest": "1.0", "plugin": "mem", "options": { "size": "16M" },
		"device": { "recovery": "reissue"%s } }\n' "$1" >"$T/devices/changed.json"
}
apply() { timeout 60 ublk-host apply "$T/devices" >"$T/out" 2>&1 || fail "apply: $(cat "$T/out")"; }
manifest ''
apply
server=$(server_pid changed)
same "its user" "$(awk '/^Uid:/ { print $2 }' "/proc/$server/status")" 0
if kernel_has quiesce; then
	manifest ", \"user\": \"$user\""
	apply
	is_user "$(server_pid changed)"
	manifest ''
	apply
	server=$(server_pid changed)
	same "its user" "$(awk '/^Uid:/ { print $2 }' "/proc/$server/status")" 0
fi
down changed
nothing_served

# -- it ends by itself, in good order and not
serve --plugin mem --opt size=16M --user $user
clerk=$(clerk_of "$pid")
kill -TERM "$clerk" # as to all of a unit
stop
wait_for 10 gone "$clerk"
nothing_served
expect_fail 1 'does not exist' ublk-host --plugin file --opt path="$T/none" --user $user
nothing_served

expect_fail 1 'has not returned from start' ublk-host --plugin "$plugins/hang.so" --opt where=start \
	--plugin-timeout 1 --user $user
nothing_served

# -- its clerk is killed: it serves on; what it cannot remove is found
up --plugin mem --opt size=16M --name alone --user $user
server=$(server_pid alone)
clerk=$(clerk_of "$server")
kill -9 "$clerk"
wait_for 10 gone "$clerk"
fio_verify "$dev"
down alone
wait_for 10 gone "$server"
ublk-host gc --yes >"$T/gc" 2>&1 || fail "gc: $(cat "$T/gc")"
nothing_served

# -- wrong
expect_fail 2 'there is no such user' ublk-host --plugin null --user nosuchuser
expect_fail 2 'its group has to be given' ublk-host --plugin null --user 6001
expect_fail 2 'there is no such group' ublk-host --plugin null --user 6001:nosuchgroup
expect_fail 2 'that is root' ublk-host --plugin null --user 0:0

# -- what only root may have while it starts: rings, and partitions
[[ ! -e $switch ]] || echo 1 >$switch
partitioned "$T/disk"
for who in "" "--user $user"; do
	# shellcheck disable=SC2086 # words
	up --plugin file --opt path="$T/disk" --name parted $who
	[[ ! $who ]] || is_user "$(server_pid parted)"
	wait_for 10 test -b "${dev}p1"
	down parted
done
[[ ! -e $switch ]] || echo 0 >$switch
nothing_served
