# SPDX-License-Identifier: MIT
# What a device looks like while it is served: node, state, link by name, list, info; and its end.
. "$UBLK_TEST_LIB"

serve --plugin mem --opt size=64M --name scratch
same "size" "$(size_of "$dev")" $((64 << 20))
same "link by name" "$(readlink -f /run/ublk-host/by-name/scratch)" "$dev"
[[ -e /run/ublk-host/$id.json ]] || fail "no state file"
same "process" "$(server_pid scratch)" "$pid"
ublk-host list >"$T/list"
matches "$T/list" 'scratch.*mem|mem.*scratch'
matches "$T/list" "$dev"
ublk-host list --json >"$T/list.json"
matches "$T/list.json" '"scratch"'
for ref in scratch "$id" "$dev"; do
	ublk-host info "$ref" >"$T/info"
	matches "$T/info" "$dev"
done
ublk-host info --json scratch >"$T/info.json"
matches "$T/info.json" '"mem"'
if command -v python3 >/dev/null && ! emulated; then
	for f in "$T"/*.json "/run/ublk-host/$id.json"; do
		python3 -m json.tool "$f" >/dev/null || fail "$f is not JSON"
	done
fi
stop
[[ ! -e $dev ]] || fail "$dev outlives its server"
[[ ! -e /run/ublk-host/$id.json && ! -L /run/ublk-host/by-name/scratch ]] || fail "state outlives its server"
expect_fail 1 'scratch' ublk-host info scratch

# The other signal, and a device that is asked to stop from elsewhere.
serve --plugin null --name one
kill -INT "$pid"
status=0
wait "$pid" || status=$?
same "exit status after SIGINT" "$status" 0
serve --plugin null --name two
down two
status=0
wait "$pid" || status=$?
same "exit status after down" "$status" 0
[[ ! -e $dev ]] || fail "$dev outlives down"
