# SPDX-License-Identifier: MIT
# up returns with a usable device, down takes a name, a number, a node or --all; errors reach the caller.
. "$UBLK_TEST_LIB"

up --plugin mem --opt size=16M --name first
a=$dev
up --plugin null --name second --id 17
same "node of --id 17" "$dev" /dev/ublkb17
up --plugin null
c=$dev
[[ $(server_pid first) != $(server_pid second) ]] || fail "two devices in one process"
dd if="$a" of=/dev/null bs=1M count=4 status=none
down first
[[ ! -e $a ]] || fail "$a is still there after down"
down 17
[[ ! -e /dev/ublkb17 ]] || fail "/dev/ublkb17 is still there after down"
down "${c#/dev/ublkb}"
expect_fail 1 'first' ublk-host down first
expect_fail 1 '17' ublk-host down 17

# What goes wrong in the daemon is told by up, on its own standard error.
expect_fail 1 'does not exist' ublk-host up --plugin file --opt path="$T/missing"
expect_fail 2 'siz' ublk-host up --plugin null --opt siz=1G
nothing_served

if [[ $(ls /sys/class/ublk-char) == '' ]]; then
	up --plugin null
	up --plugin null --name x
	ublk-host down --all
	nothing_served
fi
