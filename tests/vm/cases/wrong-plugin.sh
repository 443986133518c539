# SPDX-License-Identifier: MIT
# Plugins that must not be loaded: each is refused before any of its code runs.
. "$UBLK_TEST_LIB"

expect_fail 2 'no-such.*|mem' ublk-host --plugin no-such
matches "$T/expect.err" 'null'
expect_fail 1 'not a|ELF|shared|truncated' ublk-host --plugin /etc/passwd
good=$UBLK_TEST_PREFIX/lib/ublk-host/plugins/null.so
[[ -e $good ]] || fail "no $good"
head -c 3000 "$good" >"$T/null.so"
expect_fail 1 'null.so' ublk-host --plugin "$T/null.so"
cp "$good" "$T/null.so"
chmod 666 "$T/null.so"
expect_fail 1 'writ' ublk-host --plugin "$T/null.so"
chmod 644 "$T/null.so"
mkdir -p "$T/open"
chmod 777 "$T/open"
cp "$good" "$T/open/"
expect_fail 1 'writ' ublk-host --plugin "$T/open/null.so"
mkfifo "$T/fifo.so"
expect_fail 1 'regular file' ublk-host --plugin "$T/fifo.so"
expect_fail 1 'directory|regular file' ublk-host --plugin "$T/open/"
expect_fail 2 'siz' ublk-host --plugin null --opt siz=1G
expect_fail 2 'more than once' ublk-host --plugin null --opt size=1G --opt size=2G
expect_fail 2 'size' ublk-host --plugin null --opt size=lots
expect_fail 2 'path' ublk-host --plugin file
nothing_served
