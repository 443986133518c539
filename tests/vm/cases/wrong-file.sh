# SPDX-License-Identifier: MIT
# What cannot be served by file: one clear line each, nothing created, nothing left.
. "$UBLK_TEST_LIB"
need_module loop

refused() { # REGEX OPTION...
	local regex=$1
	shift
	expect_fail 1 "$regex" ublk-host --plugin file "$@"
	at_most "lines for one mistake" "$(wc -l <"$T/expect.err")" 1
	nothing_served
}

refused "$T/missing.*does not exist" --opt path="$T/missing"
[[ ! -e $T/missing ]] || fail "a missing file was created"
mkdir "$T/dir"
refused "directory" --opt path="$T/dir"
: >"$T/empty"
refused "empty" --opt path="$T/empty"
mkfifo "$T/fifo"
refused "FIFO" --opt path="$T/fifo"
refused "character device" --opt path=/dev/null
ln -s "$T/nowhere" "$T/link"
refused "link.*there is no $T/nowhere" --opt path="$T/link"
refused "size" --opt path="$T/missing" --opt create=true
refused "512" --opt path="$T/missing" --opt create=true --opt size=1000
[[ ! -e $T/missing ]] || fail "a refused file was created"
refused "no.*device|does not exist" --opt path=/dev/no-such-disk
truncate -s 1M "$T/file"
refused "beyond|end" --opt path="$T/file" --opt offset=2M
refused "bytes" --opt path="$T/file" --opt size=2M
truncate -s 100 "$T/tiny"
refused "100|block" --opt path="$T/tiny"

# Taken by another host, and by the system.
serve --plugin file --opt path="$T/file"
expect_fail 1 "$T/file.*(process )?$pid" ublk-host --plugin file --opt path="$T/file"
expect_fail 1 "$T/file" ublk-host --plugin file --opt path="$T/file" --read-only
stop
serve --plugin file --opt path="$T/file" # free again
stop
truncate -s 16M "$T/disk"
loop=$(losetup --find --show "$T/disk")
serve --plugin file --opt path="$loop"
expect_fail 1 "in use|process" ublk-host --plugin file --opt path="$loop"
stop
need_module ext4
mkfs.ext4 -q "$loop"
mkdir "$T/mnt"
mount "$loop" "$T/mnt"
refused "in use" --opt path="$loop"
umount "$T/mnt"
losetup -d "$loop"
