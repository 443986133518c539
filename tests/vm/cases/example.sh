# SPDX-License-Identifier: MIT
# limit: 120
# A plugin author's first plugin: built with its own Makefile against the installed package, and served.
. "$UBLK_TEST_LIB"
need_tool make gcc pkg-config

[[ -d $UBLK_TEST_EXAMPLE ]] || fail "no example plugin"
cp -r "$UBLK_TEST_EXAMPLE" "$T/example"
chown -R 0:0 "$T/example"
chmod -R go-w "$T/example"
cd "$T/example" || fail "no copy"
export PKG_CONFIG_PATH=$UBLK_TEST_PREFIX/lib/pkgconfig
make CFLAGS="-O2 -Wall -Wextra -Werror" >"$T/make.log" 2>&1 || fail "make: $(tail -n 20 "$T/make.log")"
ublk-host plugins "$PWD/concat.so"
truncate -s 8M first second
serve --plugin ./concat.so --opt first="$PWD/first" --opt second="$PWD/second"
same "size" "$(size_of "$dev")" $((16 << 20))
fio_verify "$dev" --size=16M
random_file data 65536
write_at "$dev" $(((8 << 20) - 32768)) 65536 data
stop
cmp <(tail -c 32768 first; head -c 32768 second) data || fail "a write across the border is in the wrong place"
