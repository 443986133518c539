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

# The end of a session, or of a log's file, is nothing to a server in the background; one in the foreground ends.
up --plugin mem --opt size=16M --name session
kill -HUP "$(server_pid session)"
sleep 0.5
state_is session live || fail "SIGHUP ended it: $(ublk-host list)"
# Started without standard input, output and error, it has nothing else under their numbers.
ublk-host up --plugin mem --opt size=16M --name closed --sandbox off <&- >&- 2>&- || true # its output is lost
state_is closed live || fail "not live: $(ublk-host list)"
for fd in 0 1 2; do
	same "descriptor $fd" "$(readlink "/proc/$(server_pid closed)/fd/$fd")" /dev/null
done
read_at "/dev/ublkb$(ublk-host info closed --json | sed -n 's/^ *"id": \([0-9]*\).*/\1/p' | head -n 1)" 0 4096 >/dev/null
down closed
down session
serve --plugin null
kill -HUP "$pid"
wait "$pid" || fail "status $? after SIGHUP"
nothing_served
