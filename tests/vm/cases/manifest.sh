# SPDX-License-Identifier: MIT
# A device from a manifest; the command line wins over it; wrong ones create nothing.
. "$UBLK_TEST_LIB"

cat >"$T/dev.json" <<'END'
{
	"ublk_device_manifest": "1.0",
	"name": "from-manifest",
	"plugin": "mem",
	"options": { "size": "32M" },
	"device": { "queues": 1, "depth": 16, "max_io": "128K" },
	"limits": { "logical_block": 4096 }
}
END
serve --manifest "$T/dev.json"
same "size" "$(size_of "$dev")" $((32 << 20))
same "logical block" "$(blockdev --getss "$dev")" 4096
same "largest request" "$(attr "$dev" max_hw_sectors_kb)" 128
same "link by name" "$(readlink -f /run/ublk-host/by-name/from-manifest)" "$dev"
stop
serve --manifest "$T/dev.json" --name other --opt size=16M --logical-block 512
same "size" "$(size_of "$dev")" $((16 << 20))
same "logical block" "$(blockdev --getss "$dev")" 512
[[ -e /run/ublk-host/by-name/other ]] || fail "no link by the name given"
stop

sed 's/"plugin"/"plugn"/; s/"depth": 16/"depth": "four"/' "$T/dev.json" >"$T/bad.json"
expect_fail 2 'bad.json:4:.*plug' ublk-host --manifest "$T/bad.json"
matches "$T/expect.err" 'bad.json:6:.*depth.*four'
expect_fail 2 'missing.json' ublk-host --manifest "$T/missing.json"
nothing_served
