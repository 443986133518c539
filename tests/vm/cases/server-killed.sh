# SPDX-License-Identifier: MIT
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb
# kill -9 of a server of --recovery none: the application gets an error, the device is told as dead, down removes the rest.
. "$UBLK_TEST_LIB"

up --plugin mem --opt size=16M --name victim --recovery none
server=$(server_pid victim)
kill -9 "$server"
wait_for 10 gone "$server"
sleep 0.5
expect_fail 1 '.' timeout 20 dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct
ublk-host list >"$T/list" 2>&1 || true
matches "$T/list" 'dead'
expect_fail 1 'victim.*dead|dead' ublk-host --plugin null --name victim
down victim
nothing_served
