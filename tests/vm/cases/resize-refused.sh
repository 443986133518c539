# SPDX-License-Identifier: MIT
# limit: 120
# A plugin that does not want another size, cannot have it, or does not come back from it: its device has the
# size that it can be served with, goes on being served, and ends; who asked is told why.
. "$UBLK_TEST_LIB"
need_plugin sized
kernel_has update_size || skip "this driver cannot change the size of a device"

changes() { dmesg | grep -c "${dev#/dev/}: detected capacity change" || :; }

turn() { # HOW MIB STATUS REGEX CHANGES-IN-THE-DRIVER MIB-THEN
	up --plugin "$plugins/sized.so" --opt resize="$1" --opt until="$T/until" --name "$1" --plugin-timeout 1
	local before
	before=$(changes)
	if [[ $3 == 0 ]]; then
		ublk-host resize "$1" "$2" >"$T/out" 2>&1 || fail "$1: $(cat "$T/out")"
	else
		expect_fail "$3" "cannot resize $1: $4" ublk-host resize "$1" "$2"
	fi
	same "$1: how often the driver was told" "$(($(changes) - before))" "$5"
	same "$1: its size" "$(size_of "$dev")" "$6"
	read_at "$dev" 0 4096 >/dev/null || fail "$1: it is not served any more"
}

turn "done" 2M 0 '' 1 $((2 << 20))
down "done"
# The device must not even have shrunk for a moment.
turn refused 512K 2 'sized: the landlord does not allow it$' 0 $((1 << 20))
same "refused: lines of its log" "$(grep -c 'that is that' "$log")" 1
down refused
turn failed 2M 1 'sized: the walls do not move$' 0 $((1 << 20))
expect_fail 1 'the walls do not move$' ublk-host resize failed 512K
same "failed: its size" "$(size_of "$dev")" $((1 << 20))
down failed
turn mute 2M 1 'plugin sized cannot change the size: No space left on device$' 0 $((1 << 20))
down mute
turn nonsense 2M 1 'plugin sized: resize\(\) returned 17, which is neither 0 nor an errno$' 0 $((1 << 20))
down nonsense

# It comes back at last: then it can be asked again.
turn slow 2M 1 'plugin sized has not returned from resize\(\) within 1 s' 0 $((1 << 20))
expect_fail 1 'has not returned from an earlier resize' ublk-host resize slow 3M
touch "$T/until"
wait_for 20 ublk-host resize slow 3M
same "slow: its size" "$(size_of "$dev")" $((3 << 20))
rm "$T/until"
expect_fail 1 'has not returned from resize\(\) within 1 s' ublk-host resize slow 4M
touch "$T/until"
down slow

# Two want something at once. The one that waited looks at what there is then.
kernel_has quiesce && quiesce=yes || quiesce=
both() { # REGEX VERB ARGUMENT...: that verb for a device in use that is just being resized to 4M; it fails
	local first second said=$1
	shift
	rm -f "$T/until"
	up --plugin "$plugins/sized.so" --opt resize=slow --opt until="$T/until" --name slow
	exec 5<"$dev"
	ublk-host resize slow 4M >"$T/first" 2>&1 &
	first=$!
	sleep 0.5
	timeout 60 ublk-host "$@" >"$T/second" 2>&1 &
	second=$!
	sleep 1
	touch "$T/until"
	wait $first || fail "the first: $(cat "$T/first")"
	wait $second && fail "$*: $(cat "$T/second")"
	exec 5<&-
	matches "$T/second" "$said"
	same "its size" "$(size_of "$dev")" $((4 << 20))
}
both 'is not made smaller under its users' resize slow 2M
down slow

both 'cannot resize slow: ' resize slow 16M
same "its option" "$(size_option slow)" $((4 << 20))
down slow

if [[ $quiesce ]]; then
	both 'slow was resized just now; try again' upgrade slow
	ublk-host upgrade slow >"$T/out" 2>&1 || fail "upgrade: $(cat "$T/out")"
	same "its size" "$(size_of "$dev")" $((4 << 20))
	read_at "$dev" $((3 << 20)) 4096 >/dev/null || fail "the new server does not serve all of it"
	down slow
fi

# It never comes back: growing is off, what shrinks has shrunk.
turn stuck 2M 1 'plugin sized has not returned from resize' 0 $((1 << 20))
expect_fail 1 'has not returned from an earlier resize' ublk-host resize stuck 512K
server=$(server_pid stuck)
down stuck
wait_for 20 eval "! kill -0 $server 2>/dev/null"
matches "$log" 'plugin sized has not returned from a call: leaving without it'
turn stuck 512K 1 'plugin sized has not returned from resize' 1 $((512 << 10))
down stuck
wait_for 20 nothing_served
