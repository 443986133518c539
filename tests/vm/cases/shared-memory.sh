# SPDX-License-Identifier: MIT
# limit: 200
# Memory that a program shares with the server: its requests' data is used in place, on every data path,
# and arrives both ways; ordinary requests, and those that lie partly elsewhere, are served beside them.
# What cannot be shared is refused in one line, and nothing is made.
. "$UBLK_TEST_LIB"
need_tool make gcc
[[ -d $UBLK_TEST_CLIENT ]] || fail "no example client"
cp -r "$UBLK_TEST_CLIENT" "$T/build"
make -C "$T/build" CFLAGS="-O2 -Wall -Wextra -Werror" >"$T/make.log" 2>&1 || fail "make: $(tail "$T/make.log")"
client=$T/build/client
size=1052672 # what fio cuts it to below is a byte less
mkdir "$T/mem"
mount -t tmpfs none "$T/mem"
trap 'umount -l "$T/mem"' EXIT
memory=$T/mem/memory
truncate -s $size "$memory"
truncate -s 8M "$T/backing"

if ! kernel_has shmem_zc; then
	expect_fail 1 '^ublk-host: .*--shared-memory.*SHMEM_ZC' ublk-host --plugin null --shared-memory "$memory"
	nothing_served
	note "this kernel has no shmem_zc, and the option is refused"
	exit 0
fi

shared() { # NAME: requests that were served there
	ublk-host stats "$1" --json | sed -n 's/.*"shared_memory": \([0-9]*\).*/\1/p' | head -n 1
}

both_ways() { # NAME BACKING: requests in shared memory, and others, with data compared
	local before
	before=$(shared "$1")
	# the client's memory to the backing
	dd if=/dev/urandom of="$memory" bs=4096 count=64 conv=notrunc status=none
	"$client" "$dev" "$memory" write 65536 196608 4096
	cmp -n 196608 "$memory" "$2" 4096 65536 || fail "$1: a write from shared memory is wrong"
	# the backing to the client's memory, at an odd place
	random_file "$T/data" 131072
	dd if="$T/data" of="$2" bs=4096 seek=1M oflag=seek_bytes conv=notrunc status=none
	sync -f "$2"
	cp "$memory" "$T/model"
	dd if="$T/data" of="$T/model" bs=512 seek=$((300000 / 512 * 512)) oflag=seek_bytes conv=notrunc status=none
	"$client" "$dev" "$memory" read 1048576 131072 $((300000 / 512 * 512))
	cmp "$memory" "$T/model" || fail "$1: a read into shared memory is wrong"
	at_least "$1: requests in shared memory" $(($(shared "$1") - before)) 3
	# over the end of the memory: one request, served by a copy
	before=$(shared "$1")
	"$client" "$dev" "$memory" read 1048576 65536 $((size - 32768))
	cmp -n 32768 "$memory" "$T/data" $((size - 32768)) || fail "$1: a read over the end is wrong"
	"$client" "$dev" "$memory" write 2097152 65536 $((size - 32768))
	cmp -n 32768 "$memory" "$2" $((size - 32768)) 2097152 || fail "$1: a write over the end is wrong"
	same "$1: requests in shared memory, of those over its end" $(($(shared "$1") - before)) 0
	# ordinary requests
	write_at "$dev" 4194304 65536 "$T/data"
	cmp -n 65536 "$T/data" "$2" 0 4194304 || fail "$1: an ordinary write is wrong"
	same "$1: requests in shared memory, of ordinary ones" $(($(shared "$1") - before)) 0
	"$client" "$dev" "$memory" >"$T/out" || fail "$1: $(cat "$T/out")"
	matches "$T/out" ': right$'
}

mapfile -t paths < <(data_paths)
served=0
for path in "${paths[@]}"; do
	# A path that cannot serve a plugin is paths.sh's matter.
	if ublk-host up --plugin file --opt path="$T/backing" --name file --data-path "$path" --depth 32 \
		--queues 1 --shared-memory "$memory" --log-file "$T/log" >"$T/up.out" 2>"$T/up.err"; then
		dev=$(grep -o '^/dev/ublkb[0-9]*' "$T/up.out")
		note "$path: file on $dev"
		both_ways file "$T/backing"
		down file
		served=$((served + 1))
	fi
	if ublk-host up --plugin mem --opt size=8M --name mem --data-path "$path" --depth 32 --queues 1 \
		--shared-memory "$memory" --log-file "$T/log" >"$T/up.out" 2>"$T/up.err"; then
		dev=$(grep -o '^/dev/ublkb[0-9]*' "$T/up.out")
		note "$path: mem on $dev"
		"$client" "$dev" "$memory" >"$T/out" || fail "mem: $(cat "$T/out")"
		at_least "mem: requests in shared memory" "$(shared mem)" 8
		down mem
		served=$((served + 1))
	fi
done
at_least "combinations served" $served 10

# Full queues from shared memory, verified by fio, beside ordinary ones; and two files of memory, one a
# memfd, which is sealed by the server.
"$client" memfd $((1 << 20)) >"$T/memfd" &
holder=$!
wait_for 10 test -s "$T/memfd"
up --plugin file --opt path="$T/backing" --name two --shared-memory "$(cat "$T/memfd")" \
	--shared-memory "$memory"
"$client" "$dev" "$(cat "$T/memfd")" >"$T/out" || fail "memfd: $(cat "$T/out")"
at_least "memfd: requests in shared memory" "$(shared two)" 8
if command -v fio >/dev/null; then
	before=$(shared two)
	fio_verify "$dev" --iodepth=16 --mem=mmapshared:"$memory" --size=4M
	note "fio: $(($(shared two) - before)) requests in shared memory"
	at_least "fio: requests in shared memory" $(($(shared two) - before)) 100
	fio_verify "$dev" --iodepth=16 --size=4M
fi
ublk-host stats two >"$T/out"
matches "$T/out" '[1-9][0-9]* requests in shared memory'
cat /run/ublk-host/*.json >"$T/info"
matches "$T/info" '"shared_memory"'
# Cut short under the server: it lives, and so does the device for others.
truncate -s 4096 "$memory"
"$client" "$dev" "$(cat "$T/memfd")" >"$T/out" || fail "memfd: $(cat "$T/out")"
expect_fail 1 '' truncate -s 0 "$(cat "$T/memfd")"
fio_verify "$dev" --size=1M
down two
kill $holder

# The memory is free again when the device is gone: nobody holds it.
truncate -s $size "$memory"
up --plugin mem --opt size=8M --name again --shared-memory "$memory"
down again
not_matches "$log" '_BUF|warning|error'

if grep -q hugetlbfs /proc/filesystems && echo 4 >/proc/sys/vm/nr_hugepages &&
	(($(cat /proc/sys/vm/nr_hugepages) >= 2)); then
	mkdir "$T/huge"
	mount -t hugetlbfs none "$T/huge"
	truncate -s 4M "$T/huge/memory"
	up --plugin mem --opt size=8M --name huge --shared-memory "$T/huge/memory"
	"$client" "$dev" "$T/huge/memory" >"$T/out" || fail "huge: $(cat "$T/out")"
	at_least "huge: requests in shared memory" "$(shared huge)" 32
	down huge
	truncate -s 64M "$T/huge/memory"
	expect_fail 1 'not memory enough' ublk-host --plugin null --shared-memory "$T/huge/memory"
	umount "$T/huge"
else
	note "no huge pages on this kernel"
fi

# What cannot be shared.
refused() { # REGEX OPTION...
	local regex=$1
	shift
	expect_fail 1 "$regex" ublk-host --plugin null "$@"
	same "lines on standard error" "$(wc -l <"$T/expect.err")" 1
}
refused 'no such file' --shared-memory "$T/mem/none"
[[ $(stat -f -c %T /tmp) == tmpfs || $(stat -f -c %T "$T") == tmpfs ]] || {
	truncate -s 4096 "$T/ondisk"
	refused 'tmpfs or hugetlbfs' --shared-memory "$T/ondisk"
}
refused 'tmpfs or hugetlbfs' --shared-memory /proc/version
refused 'tmpfs or hugetlbfs' --shared-memory "$T/mem"
: >"$T/mem/empty"
refused 'empty' --shared-memory "$T/mem/empty"
truncate -s 5000 "$T/mem/odd"
refused 'multiple of a page' --shared-memory "$T/mem/odd"
truncate -s 5G "$T/mem/large"
refused '4 GiB' --shared-memory "$T/mem/large"
refused 'more than once' --shared-memory "$memory" --shared-memory "$T/mem/./memory"
many=()
for ((i = 0; i < 17; i++)); do many+=(--shared-memory "$memory"); done
expect_fail 2 'more than 16 files' ublk-host --plugin null "${many[@]}"
mount -t tmpfs -o size=64k none "$T/mem"
truncate -s 1M "$T/mem/full"
refused 'not memory enough' --shared-memory "$T/mem/full"
umount "$T/mem"
nothing_served
