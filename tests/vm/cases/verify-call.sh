# SPDX-License-Identifier: MIT
# limit: 150
# The call profile (functions that may block) under fio with verification.
. "$UBLK_TEST_LIB"
need_plugin callmem

serve --plugin "$plugins/callmem.so" --opt size=64M
fio_verify "$dev"
fio_verify "$dev" --bsrange=256k-1M --size=16M --iodepth=64
stop

# Slow calls overlap: 64 reads of 20 ms each do not take 64 times as long.
serve --plugin "$plugins/callmem.so" --opt size=64M --opt delay_ms=20
start=$(now_ms)
fio --name=slow --filename="$dev" --rw=read --bs=4k --size=256k --direct=1 --ioengine=libaio \
	--iodepth=64 --output="$T/fio.out" || fail "$(cat "$T/fio.out")"
elapsed=$(($(now_ms) - start))
note "64 reads of 20 ms in $elapsed ms"
emulated || at_most "64 reads of 20 ms each (ms)" "$elapsed" 1200
stop
