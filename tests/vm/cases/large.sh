# SPDX-License-Identifier: MIT
# Sizes beyond what 32 bits of bytes (4 GiB), of sectors (2 TiB) and of pages (16 TiB) can count.
. "$UBLK_TEST_LIB"

random_file "$T/data" 65536
zeroes=$(head -c 65536 /dev/zero | sum)

borders() { # SIZE: at each border and at the very end
	local at
	same "size" "$(size_of "$dev")" "$1"
	for at in $((1 << 32)) $((1 << 41)) $((1 << 44)) "$1"; do
		((at <= $1)) || continue
		at=$((at - 32768))
		((at + 65536 <= $1)) || at=$(($1 - 65536))
		write_at "$dev" "$at" 65536 "$T/data"
		same "data at $at" "$(read_at "$dev" "$at" 65536 | sum)" "$(sum <"$T/data")"
	done
	same "data at 0" "$(read_at "$dev" 0 65536 | sum)" "$zeroes"
}

serve --plugin mem --opt size=5G
borders $((5 << 30))
stop

# tmpfs takes files of up to 8 EiB
truncate -s 17T "$T/backing"
serve --plugin file --opt path="$T/backing"
borders $((17 << 40))
blkdiscard --offset $((16 << 40)) --length 1M "$dev"
stop
at_most "space of a sparse 17 TiB file (KiB)" "$(blocks_of "$T/backing")" 1024

for size in 20T 1024T; do
	serve --plugin null --opt size=$size
	bytes=$(size_of "$dev")
	write_at "$dev" $((bytes - 65536)) 65536 "$T/data"
	same "null at its end" "$(read_at "$dev" $((bytes - 65536)) 65536 | sum)" "$zeroes"
	stop
done
