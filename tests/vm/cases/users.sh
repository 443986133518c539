# SPDX-License-Identifier: MIT
# limit: 180
# Devices of ordinary users, with udev and our rules: a user makes, uses and removes devices of its own and
# sees no other; another user gets nothing of them; what is not theirs to have is refused with the reason.
# shellcheck disable=SC2086 # ${as[USER]} is words
. "$UBLK_TEST_LIB"
kernel_has unprivileged_dev || skip "this driver has no devices of users"
need_tool setpriv fio
ublks_max=/sys/module/ublk_drv/parameters/ublks_max
was_max=$(cat $ublks_max)
# Without udev, the driver's device is nobody's who is not root: that it stays is told, with what removes it.
if [[ ! -e /run/udev/control ]]; then
	chmod 666 /dev/ublk-control
	expect_fail 1 '/dev/ublkc[0-9]+ stays: .*ublk-host down [0-9]+' setpriv --reuid 6001 --regid 6001 --clear-groups \
		--inh-caps=-all --bounding-set=-all env XDG_RUNTIME_DIR="$T" HOME=/ \
		ublk-host run --plugin null --opt size=1M
	matches "$T/expect.err" 'was not given to this user'
	chmod 600 /dev/ublk-control
	down "$(sed -n 's/.*ublk-host down \([0-9]*\)$/\1/p' "$T/expect.err")"
	nothing_served
fi
udev_begin "$UBLK_TEST_PREFIX/share/doc/ublk-host/udev/59-ublk-host-users.rules"
udevadm trigger --settle --sysname-match=ublk-control
same "the control node for all" "$(stat -c %a /dev/ublk-control)" 666
# An early end must not leave what only udev or root could take away.
clean() {
	echo "$was_max" >$ublks_max
	chmod 600 /dev/ublk-control
	udev_end
	rm -rf /run/user/600[12] "${T:?}/home"
}
trap clean EXIT

# Words before a command: as this user, without any privilege.
declare -A as
for user in 6001 6002; do
	as[$user]="setpriv --reuid $user --regid $user --clear-groups --inh-caps=-all --bounding-set=-all"
	as[$user]+=" env XDG_RUNTIME_DIR=/run/user/$user HOME=/"
done
for user in 6001 6002; do
	mkdir -p /run/user/$user "$T/home/$user"
	chown $user:$user /run/user/$user "$T/home/$user"
	chmod 700 /run/user/$user
done
chmod 711 "$T"

user_up() { # USER OPTION...
	local user=$1
	shift
	timeout --kill-after=5 30 ${as[$user]} ublk-host up --log-file "$T/home/$user/log" "$@" \
		>"$T/up.out" 2>"$T/up.err" </dev/null ||
		fail "up $* as $user: status $?: $(cat "$T/up.err" "$T/home/$user/log" 2>/dev/null)"
	dev=$(grep -m 1 -o '^/dev/ublkb[0-9]*$' "$T/up.out") || fail "up $* printed no node"
	id=${dev#/dev/ublkb}
}

# A device of the system is there all the time.
up --plugin mem --opt size=16M --name system
system=$id
wait_for 10 test -L /dev/disk/by-id/ublk-host-system
same "its link" "$(readlink -f /dev/disk/by-id/ublk-host-system)" "$dev"

# Partitions that it comes with have theirs; with the device, all of them go.
if command -v sfdisk >/dev/null; then
	truncate -s 16M "$T/disk"
	echo '2048,8192,L' | sfdisk -q "$T/disk" >"$T/sfdisk" 2>&1 || fail "sfdisk: $(cat "$T/sfdisk")"
	up --plugin file --opt path="$T/disk" --name parted
	wait_for 10 test -L /dev/disk/by-id/ublk-host-parted-part1
	same "that of a partition" "$(readlink -f /dev/disk/by-id/ublk-host-parted-part1)" "${dev}p1"
	down parted
	wait_for 10 eval '! ls /dev/disk/by-id/*parted*'
else
	note "no sfdisk on this machine"
fi

for plugin in mem file; do
	opts=(--opt size=32M)
	[[ $plugin == mem ]] || opts+=(--opt path="$T/home/6001/image" --opt create=true)
	user_up 6001 --plugin $plugin "${opts[@]}" --name mine
	same "the path: the driver copies" "$(${as[6001]} ublk-host info --json mine |
		sed -n 's/^ *"data_path": *"\([a-z-]*\)".*/\1/p' | head -n 1)" copy
	same "who has the nodes" "$(stat -c '%u:%g %a' "$dev" "/dev/ublkc$id" | sort -u)" "6001:6001 600"
	same "who serves it" "$(stat -c %u "/proc/$(${as[6001]} ublk-host info --json mine |
		sed -n 's/^ *"pid": *\([0-9]*\).*/\1/p' | head -n 1)")" 6001

	${as[6001]} fio --name=verify --filename="$dev" --rw=randwrite --bsrange=4k-64k --size=16M \
		--ioengine=libaio --direct=1 --iodepth=16 --verify=crc32c --do_verify=1 --verify_fatal=1 \
		--output=/dev/null >"$T/fio.err" 2>&1 || fail "fio: $(cat "$T/fio.err")"

	# Each sees its own.
	${as[6001]} ublk-host list >"$T/list" 2>&1
	matches "$T/list" "^$id +mine "
	matches "$T/list" '1 more, of other users'
	not_matches "$T/list" 'system'
	${as[6002]} ublk-host list >"$T/list" 2>&1
	matches "$T/list" '2 more, of other users'
	not_matches "$T/list" 'mine|ublkb'
	ublk-host list >"$T/list" 2>&1
	matches "$T/list" "^$system +system "
	matches "$T/list" "^$id +- "

	# The other gets nothing: of the device, of the commands about it, of its server.
	expect_fail 1 'ermission denied' ${as[6002]} dd if="$dev" of=/dev/null count=1
	chmod 666 "$dev" # not even by a mistake of root's: the driver says no
	expect_fail 1 'not permitted' ${as[6002]} dd if="$dev" of=/dev/null count=1
	expect_fail 1 'no device is named' ${as[6002]} ublk-host down mine
	for verb in "down" "down --force" "info" "recover"; do
		expect_fail 1 'root|owner|permission|not permitted|no state' ${as[6002]} ublk-host $verb "$id"
	done
	expect_fail 1 'root|owner|permission|not permitted|not a device of ublk-host' \
		${as[6001]} ublk-host down --force "$system"
	${as[6002]} ublk-host gc --yes >"$T/gc" 2>&1 || fail "gc: $(cat "$T/gc")"
	not_matches "$T/gc" "ublkb$id"
	[[ -b $dev ]] || fail "$dev is gone"

	# Nothing of the system reads what is on it, or links to it.
	udevadm info "$dev" >"$T/udev"
	matches "$T/udev" 'UDISKS_IGNORE=1'
	not_matches "$T/udev" 'ID_FS_|ublk-host-mine'

	${as[6001]} timeout 30 ublk-host down mine >"$T/down" 2>&1 || fail "down: $(cat "$T/down")"
	[[ ! -e $dev && ! -e /dev/ublkc$id ]] || fail "$dev is still there"
	same "state that is left" "$(find /run/user/6001 ! -type d ! -name .lock)" ""
done
same "what the file has" "$(stat -c '%u %s' "$T/home/6001/image")" "6001 $((32 << 20))"

# What a user cannot have is refused before there is a device.
expect_fail 1 'user-copy.*CAP_SYS_ADMIN' ${as[6001]} ublk-host --plugin mem --opt size=1M --data-path user-copy
expect_fail 1 'recovery reissue.*CAP_SYS_ADMIN' ${as[6001]} ublk-host --plugin mem --opt size=1M --recovery reissue
expect_fail 1 'ermission denied' ${as[6001]} ublk-host --plugin file --opt path="$T/home/6002/image" \
	--opt create=true --opt size=1M
expect_fail 1 'swap-safe.*CAP_SYS_RESOURCE' ${as[6001]} ublk-host --plugin mem --opt size=1M --swap-safe
echo 1 >$ublks_max
if kernel_has support_zero_copy; then # it counts devices of users only
	user_up 6001 --plugin null --name one
	expect_fail 1 "limit of 1 devices is reached.*$ublks_max" ${as[6002]} ublk-host --plugin null
	${as[6001]} ublk-host down one >/dev/null
else
	expect_fail 1 "limit is 1.*$ublks_max" ${as[6002]} ublk-host --plugin null
fi
echo "$was_max" >$ublks_max

# A server that is killed takes the device's life with it; the user removes what is left.
user_up 6002 --plugin mem --opt size=16M --name dies
kill -KILL "$(${as[6002]} ublk-host info --json dies | sed -n 's/^ *"pid": *\([0-9]*\).*/\1/p' | head -n 1)"
wait_for 20 test ! -b "$dev"
expect_fail 1 'recovery none' ${as[6002]} ublk-host recover dies
${as[6002]} timeout 30 ublk-host down dies >"$T/down" 2>&1 || fail "down: $(cat "$T/down")"

# In the foreground, ended by a signal.
${as[6002]} ublk-host --plugin mem --opt size=16M >"$T/run.out" 2>"$T/run.err" </dev/null &
runs=$!
lib_wait_node "$T/run.out" $runs --plugin mem
matches "$T/run.err" 'data path copy: the driver itself copies for users without CAP_SYS_ADMIN'
kill -TERM $runs
wait $runs || fail "run ended with $?: $(cat "$T/run.err")"

# A device goes, and its id to one of the system's, when the driver has just said that it is a user's: that one's
# node is not given away.
if command -v strace >/dev/null; then
	user_up 6001 --plugin null --name former
	strace -o "$T/strace" -e trace=chmod,fchmodat -e inject=chmod,fchmodat:delay_enter=5000000 \
		ublk-host udev --give "ublkb$id" >"$T/give" 2>&1 &
	giver=$!
	sleep 1
	${as[6001]} timeout 30 ublk-host down former >"$T/down" 2>&1 || fail "down: $(cat "$T/down")"
	up --plugin null --name later --id "$id"
	kill -0 $giver || fail "the node was given too early: $(cat "$T/give" "$T/strace")"
	wait $giver || note "udev --give: $(cat "$T/give")"
	same "whose node it is" "$(stat -c %u "$dev")" 0
	down later
else
	note "no strace on this machine"
fi

# Without the rules, nobody gives the nodes away: the message says so, and root can clean up.
udevadm control --stop-exec-queue
expect_fail 1 'was not given to this user.*59-ublk-host.rules' ${as[6002]} ublk-host --plugin null
udevadm control --start-exec-queue
udevadm settle
ublk-host gc --yes --force >"$T/gc" 2>&1 || fail "gc: $(cat "$T/gc")"
down system
[[ ! -L /dev/disk/by-id/ublk-host-system ]] || wait_for 10 test ! -L /dev/disk/by-id/ublk-host-system
nothing_served
