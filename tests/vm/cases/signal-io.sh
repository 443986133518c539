# SPDX-License-Identifier: MIT
# limit: 180
# dmesg-ok: (I/O|space allocation|timeout) error, dev ublkb|Buffer I/O error on dev ublkb
# SIGTERM under load: each backend ends in good order, the application gets errors, nothing hangs.
. "$UBLK_TEST_LIB"
need_tool fio

under_load() { # PLUGIN OPTION...
	local load
	serve --plugin "$@"
	fio --name=load --filename="$dev" --rw=randrw --bs=16k --size=16M --direct=1 --ioengine=libaio \
		--iodepth=32 --time_based --runtime=60 >"$T/load" 2>&1 </dev/null &
	load=$!
	wait_for 20 busy
	stop
	[[ ! -e $dev ]] || fail "$dev outlives its server"
	wait_for 20 gone $load
	wait $load || true
}
busy() { awk '$5 + $1 > 20 { ok = 1 } END { exit !ok }' "/sys/block/${dev#/dev/}/stat"; }
gone() { ! kill -0 "$1" 2>/dev/null; }

truncate -s 32M "$T/backing"
under_load null
under_load mem --opt size=32M
under_load file --opt path="$T/backing"
[[ ! -e $plugins/callmem.so ]] || under_load "$plugins/callmem.so" --opt size=32M --opt delay_ms=50
for mode in ring thread; do
	[[ ! -e $plugins/asyncmem.so ]] || under_load "$plugins/asyncmem.so" --opt size=32M --opt mode=$mode
done
