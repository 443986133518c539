# SPDX-License-Identifier: MIT
# null: reads zeroes whatever was written, at both ends of its 250G.
. "$UBLK_TEST_LIB"

serve --plugin null
size=$(size_of "$dev")
same "size" "$size" $((250 << 30))
random_file "$T/data" 65536
for at in 0 $((size - 65536)); do
	write_at "$dev" "$at" 65536 "$T/data"
	same "data at $at" "$(read_at "$dev" "$at" 65536 | sum)" "$(head -c 65536 /dev/zero | sum)"
done
stop

serve --plugin null --opt fill=none --opt size=1G
read_at "$dev" 0 65536 >/dev/null
stop
expect_fail 2 'fill' ublk-host --plugin null --opt fill=ones
