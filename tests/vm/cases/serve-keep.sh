# SPDX-License-Identifier: MIT
# limit: 120
# --keep: a supervisor leaves its devices to the next one. Where the driver can be quiesced they wait
# without a server; elsewhere, and where nothing may wait, the servers stay.
. "$UBLK_TEST_LIB"

manifest() { # NAME MEMBERS
	printf '{ "ublk_device_manifest": "1.0", "plugin": "mem", "options": { "size": "16M" }%s }\n' \
		"$2" >"$T/devices/$1.json"
}

mkdir "$T/devices"
manifest ram ''
manifest mortal ', "device": { "recovery": "none" }'
supervise "$T/devices" --keep
ram=$(readlink -f /run/ublk-host/by-name/ram)
mortal=$(server_pid mortal)
random_file "$T/data" 1M
write_at "$ram" 0 1048576 "$T/data"
stop "$supervisor"
matches "$log" 'mortal: left with its server, process [0-9]+: it was made with --recovery none'
same "a server that stays" "$(server_pid mortal)" "$mortal"
if kernel_has quiesce; then
	state_is ram quiesced || fail "not quiesced: $(ublk-host list)"
	read_at "$ram" 0 1048576 >"$T/got" &
	reader=$!
	sleep 0.3
	kill -0 $reader || fail "a read did not wait for the next supervisor"
else
	state_is ram live || fail "not live: $(ublk-host list)"
	read_at "$ram" 0 1048576 >"$T/got" &
	reader=$!
fi
supervise "$T/devices"
matches "$log" 'ready: 2 of 2 devices served'
wait $reader || fail "a read that waited failed"
cmp "$T/got" "$T/data"
same "a server that stayed" "$(server_pid mortal)" "$mortal"
stop "$supervisor"
nothing_served
