# SPDX-License-Identifier: MIT
# Discard and write-zeroes on mem read as zeroes and give the memory back; what is beside stays. Also where the
# memory is locked.
. "$UBLK_TEST_LIB"
need_tool blkdiscard

random_file "$T/data" $((32 << 20))
gives_back() { # OPTION...: of the device
	local how before full given
	serve --plugin mem --opt size=64M "$@"
	for how in "" --zeroout; do
		before=$(rss_kib "$pid")
		write_at "$dev" 0 $((32 << 20)) "$T/data"
		full=$(rss_kib "$pid")
		at_least "memory that 32 MiB of data take (KiB)" $((full - before)) 30000
		# shellcheck disable=SC2086 # an option or nothing
		blkdiscard $how --offset 1M --length 30M "$dev"
		given=$((full - $(rss_kib "$pid")))
		note "blkdiscard $how ($*) gives back $given KiB"
		at_least "memory given back by blkdiscard $how, $* (KiB)" "$given" 30000
		same "data after blkdiscard $how" "$(read_at "$dev" 1048576 $((30 << 20)) | tr -d '\0' | wc -c)" 0
		same "data before" "$(read_at "$dev" 0 1048576 | sum)" "$(head -c 1048576 "$T/data" | sum)"
		same "data after" "$(read_at "$dev" $((31 << 20)) 1048576 | sum)" "$(tail -c 1048576 "$T/data" | sum)"
		blkdiscard "$dev"
	done
}
gives_back --swap-safe
stop
gives_back --swap-safe --recovery none
stop
gives_back

# Not whole pages: the bytes are zero, the neighbours stay.
write_at "$dev" 0 65536 "$T/data"
blkdiscard --zeroout --offset 512 --length 4608 "$dev"
{ head -c 512 "$T/data"; head -c 4608 /dev/zero; head -c 65536 "$T/data" | tail -c +5121; } >"$T/want"
same "data around odd zeroes" "$(read_at "$dev" 0 65536 | sum)" "$(sum <"$T/want")"
stop
