# SPDX-License-Identifier: MIT
# limit: 120
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb
# A device is served from the file that it was made with, and from no other that has taken its path: the next server
# is refused, before the former leaves where that serves, and the file in its place again is served on.
. "$UBLK_TEST_LIB"
need_tool fio

kill_server() { # NAME
	local server
	server=$(server_pid "$1")
	kill -9 "$server"
	wait_for 10 gone "$server"
	wait_for 10 state_is "$1" quiesced
}
recovers() { # NAME
	timeout --kill-after=5 30 ublk-host recover "$1" >"$T/out" 2>&1 || fail "recover $1: $(cat "$T/out")"
}
random_file "$T/data" 1M
sum_of() { # DEVICE
	read_at "$1" $((20 << 20)) 1048576 | sum
}

truncate -s 32M "$T/image" "$T/restored"
ln "$T/image" "$T/kept"
up --plugin file --opt path="$T/image" --name disk
write_at "$dev" $((20 << 20)) 1048576 "$T/data"
want=$(sum <"$T/data")
same "what was written" "$(sum_of "$dev")" "$want"

# Under a device that is served.
mv "$T/restored" "$T/image"
if kernel_has quiesce; then
	before=$(server_pid disk)
	verify_begin "$dev" 16M
	expect_fail 1 "$T/image is another file than the one that it was served from" ublk-host upgrade disk
	matches "$T/expect.err" "disk is served as before"
	same "the server" "$(server_pid disk)" "$before"
	verify_goes_on
	verify_end
fi
# Nor after a crash, until the file is in its place again.
kill_server disk
expect_fail 1 "$T/image is another file .*put that back in its place, or make the device anew" ublk-host recover disk
state_is disk quiesced || fail "a refusal changed it: $(ublk-host list)"
same "what was put there" "$(tr -d '\0' <"$T/image" | wc -c)" 0
mv "$T/kept" "$T/image"
recovers disk
same "what was written" "$(sum_of "$dev")" "$want"

# By another name it is the same file.
mv "$T/image" "$T/elsewhere"
ln -s "$T/elsewhere" "$T/image"
kill_server disk
recovers disk
same "what was written" "$(sum_of "$dev")" "$want"
# Gone and made anew while nobody has it open, as a filesystem gives the same number again.
kill_server disk
cp "$T/elsewhere" "$T/copy"
rm "$T/elsewhere"
cp "$T/copy" "$T/elsewhere"
expect_fail 1 "$T/elsewhere is another file" ublk-host recover disk
down disk
nothing_served

# Block devices: another one; and what was gone, and is there again as another.
up --plugin mem --opt size=16M --name former
up --plugin mem --opt size=16M --name other
ln -s "/run/ublk-host/by-name/former" "$T/path"
up --plugin file --opt path="$T/path" --name stacked
kill_server stacked
ln -sfn "/run/ublk-host/by-name/other" "$T/path"
expect_fail 1 "/dev/ublkb.* is another file than the one" ublk-host recover stacked
down former
recovers stacked
matches "$T/out" "the disk that had /dev/ublkb.* is gone"
read_at "$dev" 0 4096 >/dev/null
down stacked
down other
nothing_served
