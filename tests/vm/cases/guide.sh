# SPDX-License-Identifier: MIT
# limit: 300
# dmesg-ok: error, dev ublkb|Buffer I/O error on dev ublkb
# doc/guide.md, command by command, from a folder without anything to a device that is served. What it says of other
# build systems is run by tests/guide.t.
. "$UBLK_TEST_LIB"
need_tool make gcc pkg-config patch mkfs.ext4

export PKG_CONFIG_PATH=$UBLK_TEST_PREFIX/lib/pkgconfig
mkdir -m 0755 "$T/guide"
bash "$UBLK_TEST_RUN_GUIDE" "$UBLK_TEST_GUIDE" "$T/guide" root >"$T/tap" 2>&1 || fail "run-guide: status $?"
cat "$T/tap" >&2
not_matches "$T/tap" '^not ok'
not_matches "$T/tap" 'run: root: only the syntax'
at_least "blocks that were run as root" "$(grep -c '^ok - .*: run: root' "$T/tap")" 3
nothing_served
