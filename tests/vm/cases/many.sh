# SPDX-License-Identifier: MIT
# limit: 300
# 64 devices at once, each served by a process of its own, each with its own data.
. "$UBLK_TEST_LIB"

n=64
for ((i = 0; i < n; i++)); do
	ublk-host up --plugin mem --opt size=4M --name "many-$i" --log-file "$T/log-$i" >"$T/node-$i" 2>"$T/err-$i" </dev/null &
	((i % 8 != 7)) || wait
done
wait
for ((i = 0; i < n; i++)); do
	[[ -b $(cat "$T/node-$i") ]] || fail "device $i: $(cat "$T/err-$i" "$T/log-$i")"
	printf '%-512s' "device $i" | dd of="$(cat "$T/node-$i")" bs=512 count=1 oflag=direct iflag=fullblock conv=notrunc status=none
done
same "devices" "$(cat "$T"/node-* | sort -u | wc -l)" $n
same "listed" "$(ublk-host list | grep -c 'many-')" $n
for ((i = 0; i < n; i++)); do
	same "data of device $i" "$(head -c 512 "$(cat "$T/node-$i")" | tr -s ' ')" "device $i "
done
note "free memory with $n devices: $(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo) MiB"
for ((i = 0; i < n; i++)); do
	{ ublk-host down "many-$i" >"$T/down-$i" 2>&1 || echo "many-$i: status $?" >>"$T/failed"; } &
	((i % 8 != 7)) || wait
done
wait
[[ ! -e $T/failed ]] || fail "$(cat "$T/failed" "$T"/down-*)"
same "devices that are left" "$(ublk-host list | grep -c 'many-' || true)" 0
