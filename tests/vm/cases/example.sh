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
make >"$T/make.log" 2>&1 || fail "make: $(tail -n 20 "$T/make.log")"
so=$(ls ./*.so)
ublk-host plugins "$PWD/${so#./}"
serve --plugin "$PWD/${so#./}"
read_at "$dev" 0 65536 >/dev/null
stop
